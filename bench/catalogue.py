"""Heavier ops of the catalogue, forward and backward, in a small and a large shape: one thread, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

import engine
from bench.measure import OURS, Comparison, compare, single_threaded, timed

Library = Any
Case = Callable[[Any, Any, list[Any]], Any]  # of a library, its ``nn.functional`` and its tensors, to a result


class Drawn(NamedTuple):
    """An input that is made when its case is measured: numbers, numbers with a large diagonal, or indices."""

    shape: tuple[int, ...]
    diagonal: float = 0.0
    below: int = 0

    def array(self) -> Any:
        """Its values, the same for everyone."""
        rng = np.random.default_rng(self.shape)
        if self.below:
            return rng.integers(self.below, size=self.shape)
        values = rng.standard_normal(self.shape)
        return (values + self.diagonal * np.eye(self.shape[-1]) if self.diagonal else values).astype("float32")


def _normal(*shape: int) -> Drawn:
    return Drawn(shape)


def _square(size: int) -> Drawn:
    return Drawn((size, size), float(size))


def _indices(below: int, *shape: int) -> Drawn:
    return Drawn(shape, below=below)


def _lstm(features: int, hidden: int, batch: int) -> list[Drawn]:
    weights = [(4 * hidden, features), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
    return [
        _normal(32, batch, features),
        *[_normal(1, batch, hidden) for _ in range(2)],
        *[_normal(*w) for w in weights],
    ]


# By name: what is called, and the inputs of the small and of the large one. Integers are indices, floats are leaves.
CASES: dict[str, tuple[Case, list[Drawn], list[Drawn]]] = {
    "conv1d": (
        lambda t, f, x: f.conv1d(*x, padding=1), [_normal(2, 4, 64), _normal(8, 4, 3)],
        [_normal(16, 64, 1024), _normal(64, 64, 3)],
    ),
    "conv2d": (
        lambda t, f, x: f.conv2d(*x, padding=1), [_normal(1, 3, 16, 16), _normal(8, 3, 3, 3)],
        [_normal(16, 64, 56, 56), _normal(64, 64, 3, 3)],
    ),
    "conv3d": (
        lambda t, f, x: f.conv3d(*x, padding=1), [_normal(1, 2, 6, 6, 6), _normal(4, 2, 3, 3, 3)],
        [_normal(2, 16, 16, 32, 32), _normal(16, 16, 3, 3, 3)],
    ),
    "conv_transpose2d": (
        lambda t, f, x: f.conv_transpose2d(*x, stride=2), [_normal(1, 4, 8, 8), _normal(4, 4, 3, 3)],
        [_normal(8, 64, 28, 28), _normal(64, 32, 3, 3)],
    ),
    "depthwise conv2d": (
        lambda t, f, x: f.conv2d(*x, padding=1, groups=x[0].shape[1]), [_normal(4, 16, 16, 16), _normal(16, 1, 3, 3)],
        [_normal(16, 64, 56, 56), _normal(64, 1, 3, 3)],
    ),
    "max_pool2d": (lambda t, f, x: f.max_pool2d(x[0], 2), [_normal(1, 4, 16, 16)], [_normal(16, 64, 56, 56)]),
    "avg_pool2d": (lambda t, f, x: f.avg_pool2d(x[0], 3, 2, 1), [_normal(1, 4, 16, 16)], [_normal(16, 64, 56, 56)]),
    "adaptive_avg_pool2d": (
        lambda t, f, x: f.adaptive_avg_pool2d(x[0], 7), [_normal(1, 4, 16, 16)], [_normal(16, 64, 56, 56)],
    ),
    "interpolate, bilinear": (
        lambda t, f, x: f.interpolate(x[0], scale_factor=2, mode="bilinear"), [_normal(1, 3, 8, 8)],
        [_normal(8, 32, 56, 56)],
    ),
    "grid_sample": (
        lambda t, f, x: f.grid_sample(x[0], t.tanh(x[1]), align_corners=False),
        [_normal(1, 3, 8, 8), _normal(1, 8, 8, 2)], [_normal(8, 32, 56, 56), _normal(8, 56, 56, 2)],
    ),
    "batch_norm": (
        lambda t, f, x: f.batch_norm(x[0], None, None, *x[1:], training=True),
        [_normal(8, 4, 8), _normal(4), _normal(4)], [_normal(32, 64, 28, 28), _normal(64), _normal(64)],
    ),
    "layer_norm": (
        lambda t, f, x: f.layer_norm(x[0], x[1].shape, *x[1:]), [_normal(8, 32), _normal(32), _normal(32)],
        [_normal(4096, 768), _normal(768), _normal(768)],
    ),
    "group_norm": (
        lambda t, f, x: f.group_norm(x[0], 4, *x[1:]), [_normal(4, 8, 16), _normal(8), _normal(8)],
        [_normal(16, 64, 28, 28), _normal(64), _normal(64)],
    ),
    "softmax": (lambda t, f, x: f.softmax(x[0], -1), [_normal(8, 32)], [_normal(4096, 1024)]),
    "log_softmax": (lambda t, f, x: f.log_softmax(x[0], -1), [_normal(8, 32)], [_normal(4096, 1024)]),
    "cross_entropy": (
        lambda t, f, x: f.cross_entropy(x[0], x[1]), [_normal(8, 10), _indices(10, 8)],
        [_normal(4096, 1000), _indices(1000, 4096)],
    ),
    "scaled_dot_product_attention": (
        lambda t, f, x: f.scaled_dot_product_attention(*x), [_normal(1, 2, 16, 8) for _ in range(3)],
        [_normal(4, 8, 512, 64) for _ in range(3)],
    ),
    "LSTM, 32 steps": (
        lambda t, f, x: t.lstm(x[0], (x[1], x[2]), x[3:], True, 1, 0.0, True, False, False)[0], _lstm(8, 16, 4),
        _lstm(256, 256, 64),
    ),
    "einsum": (
        lambda t, f, x: t.einsum("bij,bjk->bik", *x), [_normal(2, 8, 8), _normal(2, 8, 8)],
        [_normal(16, 256, 256), _normal(16, 256, 256)],
    ),
    "embedding": (
        lambda t, f, x: f.embedding(x[1], x[0]), [_normal(100, 16), _indices(100, 32)],
        [_normal(50000, 256), _indices(50000, 64, 128)],
    ),
    "scatter_add": (
        lambda t, f, x: t.scatter_add(x[0], 0, x[2], x[1]), [_normal(10, 4), _normal(20, 4), _indices(10, 20, 4)],
        [_normal(1000, 256), _normal(4000, 256), _indices(1000, 4000, 256)],
    ),
    "index_put": (
        lambda t, f, x: t.index_put(x[0], (x[2],), x[1]), [_normal(10, 4), _normal(5, 4), _indices(10, 5)],
        [_normal(10000, 256), _normal(4000, 256), _indices(10000, 4000)],
    ),
    "cumsum": (lambda t, f, x: t.cumsum(x[0], 1), [_normal(8, 16)], [_normal(1024, 1024)]),
    "cumprod": (lambda t, f, x: t.cumprod(x[0], 1), [_normal(8, 16)], [_normal(1024, 1024)]),
    "sort": (lambda t, f, x: t.sort(x[0], 1)[0], [_normal(8, 16)], [_normal(1024, 1024)]),
    "svd": (lambda t, f, x: t.linalg.svdvals(x[0]), [_square(8)], [_square(256)]),
    "eigh": (lambda t, f, x: t.linalg.eigvalsh(x[0]), [_square(8)], [_square(256)]),
    "solve": (lambda t, f, x: t.linalg.solve(*x), [_square(8), _normal(8, 2)], [_square(512), _normal(512, 64)]),
    "cholesky": (lambda t, f, x: t.linalg.cholesky(x[0] @ x[0].mT), [_square(8)], [_square(512)]),
    "fft": (lambda t, f, x: t.fft.rfft(x[0]).abs(), [_normal(4, 64)], [_normal(256, 4096)]),
}  # fmt: skip


def leaves(library: Library, inputs: list[Drawn]) -> list[Any]:
    """The inputs as tensors of a library; floats require grad."""
    tensors = [library.from_numpy(one.array()) for one in inputs]
    return [tensor if one.below else tensor.requires_grad_() for tensor, one in zip(tensors, inputs, strict=True)]


def gradient(library: Library, case: Case, tensors: list[Any]) -> list[Any]:
    """The result's sum, back to every leaf."""
    for leaf in tensors:
        leaf.grad = None
    case(library, library.nn.functional, tensors).sum().backward()
    return [leaf.grad for leaf in tensors]


def check(case: Case, inputs: list[Drawn]) -> None:
    """Both find the same gradients, or the comparison means nothing."""
    found = [gradient(library, case, leaves(library, inputs)) for library in (engine, torch)]
    for ours, theirs in zip(*found, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-2, atol=2e-3)


def run(seconds: float) -> list[Comparison]:
    """Every case, small and large."""
    results: list[Comparison] = []
    with single_threaded():
        for name, (case, *sizes) in CASES.items():
            check(case, sizes[0])
            for size, inputs in zip(("small", "large"), sizes, strict=True):
                peers = {OURS: engine, "torch": torch}
                samplers = {
                    peer: timed(partial(gradient, library, case, leaves(library, inputs)))
                    for peer, library in peers.items()
                }
                results += compare(f"{name}, {size}, forward and backward", samplers, seconds / (2 * len(CASES)))
    return results
