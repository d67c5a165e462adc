"""Samples of images read at the points of grids, and of the grids of affine maps."""

from __future__ import annotations

from itertools import product
from typing import Any

from tests.engine.samples import Leaf, Sample, leaf, sample

SIZES_2D, SIZES_3D = (2, 3, 4, 5), (2, 3, 2, 3, 4)


def _points(dimensions: int) -> Leaf:
    places = (3, 4) if dimensions == 2 else (2, 3, 2)
    return leaf(2, *places, dimensions, low=-1.4, high=1.4)


def _sampled(dimensions: int, *modes: Any) -> list[Sample]:
    shape = SIZES_2D if dimensions == 2 else SIZES_3D
    return [
        sample(leaf(*shape), _points(dimensions), mode, padding, aligned)
        for mode, padding, aligned in product(modes, ("zeros", "border", "reflection"), (True, False))
    ]


SAMPLES = {
    "nn.functional.grid_sample": [
        *_sampled(2, "bilinear", "bicubic"), *_sampled(3, "bilinear"),
        sample(leaf(*SIZES_2D), leaf(2, 0, 3, 2), "bilinear", "zeros", False),
        sample(leaf(*SIZES_2D), leaf(2, 3, 4, 2), "nearest", "border", False),
    ],
    "grid_sampler": [sample(leaf(*SIZES_2D), leaf(2, 3, 4, 2), 0, 0, False)],
    "grid_sampler_2d": [sample(leaf(*SIZES_2D), leaf(2, 3, 4, 2), 2, 1, True)],
    "grid_sampler_3d": [sample(leaf(*SIZES_3D), leaf(2, 2, 3, 2, 3), 0, 2, False)],
    "affine_grid_generator": [
        sample(leaf(2, 2, 3), SIZES_2D, False), sample(leaf(2, 3, 4), SIZES_3D, True),
    ],
    "nn.functional.affine_grid": [
        sample(leaf(2, 2, 3), SIZES_2D, True), sample(leaf(1, 2, 3), (1, 1, 1, 4), False),
        sample(leaf(2, 3, 4), SIZES_3D, align_corners=False),
    ],
}  # fmt: skip
