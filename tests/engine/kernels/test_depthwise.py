"""Channels by themselves: flat sums against windows as columns, in blocks of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.kernels import convolution, depthwise, windows
from engine.kernels.convolution import Geometry

SHAPES = {
    "one dimension": ((2, 3, 9), (3,), (2,), (1,), 1),
    "two": ((2, 3, 6, 5), (3, 2), (1, 0), (1, 2), 2),
    "three": ((1, 2, 4, 3, 5), (2, 1, 3), (0, 1, 1), (2, 1, 1), 1),
    "many channels": ((3, 8, 4, 4), (3, 3), (1, 1), (1, 1), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("block", [1, 40, 10**6])
def test_all_three_maps_are_those_of_one_channel_at_a_time(
    name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depthwise, "BLOCK", block)
    shape, kernel, padding, dilation, each = SHAPES[name]
    rng = np.random.default_rng(3)
    channels, extents = shape[1], shape[2:]
    input, weight = rng.uniform(-1, 1, shape), rng.uniform(-1, 1, (channels * each, 1, *kernel))
    together = Geometry((1,) * len(kernel), padding, dilation, channels)
    alone = together._replace(groups=1)
    counts = windows.count(extents, kernel, together.stride, padding, dilation)
    output = convolution.output(input, weight, counts, together)
    g: Any = rng.uniform(-1, 1, output.shape)
    of_input = convolution.input_of(g, weight, extents, together)
    of_weight = convolution.weight_of(g, input, kernel, together)
    for channel in range(channels):
        own, rows = input[:, channel : channel + 1], slice(channel * each, (channel + 1) * each)
        np.testing.assert_allclose(output[:, rows], convolution.output(own, weight[rows], counts, alone), rtol=1e-9)
        cotangent = convolution.input_of(g[:, rows], weight[rows], extents, alone)
        np.testing.assert_allclose(of_input[:, channel : channel + 1], cotangent, rtol=1e-9, atol=1e-12)
        found = convolution.weight_of(g[:, rows], own, kernel, alone)
        np.testing.assert_allclose(of_weight[rows], found, rtol=1e-9, atol=1e-12)
