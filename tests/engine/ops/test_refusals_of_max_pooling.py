"""What pooling by the largest element refuses, in the order and the words of PyTorch 2.13."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import EngineError

torch: Any = engine
NAMES = {"torch": torch, "F": engine.nn.functional, "ones": torch.ones}
REFUSED: list[tuple[str, str, str]] = [
    (
        "F.max_pool2d(ones(5), 2)",
        "RuntimeError",
        "non-empty 3D or 4D (batch mode) tensor expected for input",
    ),
    (
        "F.max_pool2d(ones(5, 5), 2)",
        "RuntimeError",
        "non-empty 3D or 4D (batch mode) tensor expected for input",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 6)",
        "RuntimeError",
        "Given input size: (1x5x5). Calculated output size: (1x0x0). Output size is too small",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, padding=2)",
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, padding=-1)",
        "RuntimeError",
        "pad must be non-negative, but got pad: -1",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, dilation=0)",
        "RuntimeError",
        "dilation should be greater than zero, but got dilationH: 0 dilationW: 0",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), (2, 2, 2))",
        "RuntimeError",
        "max_pool2d: kernel_size must either be a single int, or a tuple of two ints",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, (1, 2, 3))",
        "RuntimeError",
        "max_pool2d: stride must either be omitted, a single int, or a tuple of two ints",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, padding=(1, 2, 3))",
        "RuntimeError",
        "max_pool2d: padding must either be a single int, or a tuple of two ints",
    ),
    (
        "F.max_pool2d(ones(1, 5, 5), 2, dilation=(1, 2, 3))",
        "RuntimeError",
        "max_pool2d: dilation must be either a single int, or a tuple of two ints",
    ),
    (
        "F.max_pool2d(ones(1, 0, 5, 5), 2)",
        "RuntimeError",
        "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 0, 5, 5]",
    ),
    (
        "F.max_pool2d(ones(1, 2, 0, 5), 2)",
        "RuntimeError",
        "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 2, 0, 5]",
    ),
    (
        "F.max_pool2d(ones(1, 2, 5, 5)>0, 2)",
        "NotImplementedError",
        "\"max_pool2d\" not implemented for 'Bool'",
    ),
    (
        "F.max_pool1d(ones(5), 2)",
        "RuntimeError",
        "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:[5]",
    ),
    (
        "F.max_pool1d(ones(1, 5, 5, 5), 2)",
        "RuntimeError",
        (
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but "
            "got:[1, 5, 5, 5]"
        ),
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, padding=2)",
        "RuntimeError",
        "max_pool1d() padding should be at most half of kernel size, but got padding=2 and kernel_size=2",
    ),
    (
        "F.max_pool1d(ones(1, 5), 6)",
        "RuntimeError",
        "max_pool1d() Invalid computed output size: 0",
    ),
    (
        "F.max_pool1d(ones(1, 5), 0)",
        "RuntimeError",
        "max_pool1d() kernel_size must be greater than zero, but got 0",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, 0)",
        "RuntimeError",
        "max_pool1d() stride must be greater than zero, but got 0",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, -1)",
        "RuntimeError",
        "max_pool1d() stride must be greater than zero, but got -1",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, dilation=0)",
        "RuntimeError",
        "max_pool1d() dilation must be greater than zero, but got 0",
    ),
    (
        "F.max_pool1d(ones(1, 5), (2, 2))",
        "RuntimeError",
        "max_pool1d() kernel_size must be an int, list of ints or tuple of ints of size 1 but got size 2",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, (1, 2))",
        "RuntimeError",
        "max_pool1d() stride must be None, an int, list of ints, or tuple of ints of size 1 but got size 2",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, padding=-1)",
        "RuntimeError",
        "max_pool1d() padding must be non-negative, but got -1",
    ),
    (
        "F.max_pool1d(ones(1, 0), 2)",
        "RuntimeError",
        ("max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:[1, 0]"),
    ),
    (
        "F.max_pool1d(ones(0, 5), 2)",
        "RuntimeError",
        ("max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:[0, 5]"),
    ),
    (
        "F.max_pool1d(ones(1, 5), 6)",
        "RuntimeError",
        "max_pool1d() Invalid computed output size: 0",
    ),
    (
        "F.max_pool1d(ones(1, 5), 2, padding=2)",
        "RuntimeError",
        "max_pool1d() padding should be at most half of kernel size, but got padding=2 and kernel_size=2",
    ),
    (
        "F.max_pool1d(ones(1, 5), 0)",
        "RuntimeError",
        "max_pool1d() kernel_size must be greater than zero, but got 0",
    ),
    (
        "F.max_pool1d(ones(5), 1)",
        "RuntimeError",
        "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:[5]",
    ),
    (
        "F.max_pool3d(ones(5, 5), 2)",
        "RuntimeError",
        "non-empty 4D or 5D (batch mode) tensor expected for input",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), 6)",
        "RuntimeError",
        "Given input size: (1x5x5x5). Calculated output size: (1x0x0x0). Output size is too small",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), 2, padding=2)",
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), 2, 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), 2, dilation=0)",
        "RuntimeError",
        "dilation should be greater than zero, but got dilationT: 0 dilationH: 0 dilationW: 0",
    ),
    (
        "F.max_pool3d(ones(1, 5, 5, 5), (2, 2))",
        "RuntimeError",
        "max_pool3d: kernel_size must either be a single int, or a tuple of three ints",
    ),
    (
        "F.max_pool3d(ones(1, 0, 5, 5, 5), 2)",
        "RuntimeError",
        (
            "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have positive "
            "length, but input has a shape of [1, 0, 5, 5, 5] and non-batch dimension 0 has length zero!"
        ),
    ),
    (
        "F.max_pool3d(ones(1, 2, 0, 5, 5), 2)",
        "RuntimeError",
        (
            "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have positive "
            "length, but input has a shape of [1, 2, 0, 5, 5] and non-batch dimension 0 has length zero!"
        ),
    ),
    (
        "F.adaptive_max_pool1d(ones(5), 2)",
        "RuntimeError",
        (
            "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking "
            "arguments for adaptive_max_pool1d)"
        ),
    ),
    (
        "F.adaptive_max_pool1d(ones(1, 5), (2, 2))",
        "RuntimeError",
        "adaptive_max_pool1d() argument 'output_size' should contain one int (got 2)",
    ),
    (
        "F.adaptive_max_pool1d(ones(1, 5), -1)",
        "RuntimeError",
        "Trying to create tensor with negative dimension -1: [1, 1, -1]",
    ),
    (
        "F.adaptive_max_pool2d(ones(5), 2)",
        "RuntimeError",
        "adaptive_max_pool2d(): Expected 3D or 4D tensor, but got: [5]",
    ),
    (
        "F.adaptive_max_pool2d(ones(5, 5), 2)",
        "RuntimeError",
        "adaptive_max_pool2d(): Expected 3D or 4D tensor, but got: [5, 5]",
    ),
    (
        "F.adaptive_max_pool2d(ones(1, 5, 5), (2, 2, 2))",
        "ValueError",
        "Input dimension should be at least 4",
    ),
    (
        "F.adaptive_max_pool2d(ones(1, 5, 5), -1)",
        "RuntimeError",
        "Trying to create tensor with negative dimension -1: [1, -1, -1]",
    ),
    (
        "F.adaptive_max_pool2d(ones(1, 0, 5), 2)",
        "RuntimeError",
        (
            "adaptive_max_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has "
            "sizes [1, 0, 5] with dimension 1 being empty"
        ),
    ),
    (
        "F.adaptive_max_pool2d(ones(1, 5, 5).long(), 2)",
        "NotImplementedError",
        "\"adaptive_max_pool2d\" not implemented for 'Long'",
    ),
    (
        "F.adaptive_max_pool2d(ones(1, 5, 5)>0, 2)",
        "NotImplementedError",
        "\"adaptive_max_pool2d\" not implemented for 'Bool'",
    ),
    (
        "F.adaptive_max_pool3d(ones(5, 5), 2)",
        "RuntimeError",
        "adaptive_max_pool3d(): Expected 4D or 5D tensor, but got: [5, 5]",
    ),
    (
        "F.adaptive_max_pool3d(ones(1, 5, 5, 5), -1)",
        "RuntimeError",
        "Trying to create tensor with negative dimension -1: [1, -1, -1, -1]",
    ),
    (
        "F.adaptive_max_pool3d(ones(1, 5, 5, 5), (2, 2))",
        "RuntimeError",
        "adaptive_max_pool3d(): internal error: output_size.size() must be 3",
    ),
    (
        "F.adaptive_max_pool3d(ones(1, 0, 5, 5), 2)",
        "RuntimeError",
        (
            "adaptive_max_pool3d(): Expected input to have non-zero size for non-batch dimensions, but input has "
            "sizes [1, 0, 5, 5] with dimension 1 being empty"
        ),
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2)",
        "ValueError",
        "fractional_max_pool2d requires specifying either an output_size or an output_ratio",
    ),
    (
        "F.fractional_max_pool2d(ones(5, 5), 2, output_size=3)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-2, 1], but got -3)",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_size=5)",
        "RuntimeError",
        "fractional_max_pool2d(): pool height 2 too large relative to input height 5",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_ratio=1.5)",
        "TypeError",
        "object of type 'float' has no len()",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_size=3, _random_samples=ones(1, 1))",
        "RuntimeError",
        "Expect _random_samples to have 3 dimensions, got 2",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_size=3, _random_samples=ones(1, 1, 3))",
        "RuntimeError",
        "Expect _random_samples.size(2) equals to 2; got 3.",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_size=3, _random_samples=ones(1, 2, 2))",
        "RuntimeError",
        "Expect _random_samples.size(1) equals to input channel size.",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, output_size=3, _random_samples=ones(1, 1, 2).double())",
        "RuntimeError",
        "Expect _random_samples to have the same dtype as input",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), (2, 2, 2), output_size=3, _random_samples=ones(1, 1, 2))",
        "RuntimeError",
        "fractional_max_pool2d: kernel_size must either be a single Int or tuple of Ints",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5), 2, output_size=3)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-3, 2], but got -4)",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5, 5), 2)",
        "ValueError",
        "fractional_max_pool3d requires specifying either an output_size or an output_ratio",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5, 5), 2, output_size=5)",
        "RuntimeError",
        "fractional_max_pool3d_out(): pool time 2 too large relative to input time 5",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5, 5), 2, output_size=3, _random_samples=ones(1, 1, 2))",
        "RuntimeError",
        "Expect _random_samples.size(2) equals to 3; got 2.",
    ),
    (
        "F.avg_pool3d(ones(1, 0, 5, 5, 5), 2)",
        "RuntimeError",
        (
            "avg_pool3d(): Expected input's non-batch dimensions to have positive length, but input has a shape "
            "of [1, 0, 5, 5, 5] and non-batch dimension 0 has length zero!"
        ),
    ),
    (
        "F.max_pool2d(ones(1, 2, 5, 5), -1)",
        "RuntimeError",
        "kernel size should be greater than zero, but got kH: -1 kW: -1",
    ),
    (
        "F.max_pool2d(ones(1, 2, 5, 5), 2, -1)",
        "RuntimeError",
        "stride should be greater than zero, but got dH: -1 dW: -1",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5, 5), 2, (4, 3, 3))",
        "RuntimeError",
        "fractional_max_pool3d_out(): pool time 2 too large relative to input time 5",
    ),
    (
        "F.fractional_max_pool3d(ones(1, 5, 5, 5), 2, (3, 4, 3))",
        "RuntimeError",
        "fractional_max_pool3d_out(): pool height 2 too large relative to input height 5",
    ),
    (
        "F.fractional_max_pool2d(ones(1, 5, 5), 2, (5, 3))",
        "RuntimeError",
        "fractional_max_pool2d(): pool height 2 too large relative to input height 5",
    ),
]


@pytest.mark.parametrize(("code", "exception", "text"), REFUSED)
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with modes.use(modes.State(warnings=[])), pytest.raises(EngineError) as caught:
        eval(code, dict(NAMES))
    assert (caught.value.exception, str(caught.value)) == (exception, text)
