"""What averages of windows refuse, in the order and the words of PyTorch 2.13."""

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
        "F.avg_pool2d(ones(5), 2)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-1, 0], but got -3)",
    ),
    (
        "F.avg_pool2d(ones(5, 5), 2)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-2, 1], but got -3)",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 6)",
        "RuntimeError",
        "Given input size: (1x5x5). Calculated output size: (1x0x0). Output size is too small",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, padding=2)",
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, padding=-1)",
        "RuntimeError",
        "pad must be non-negative, but got pad: -1",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), (2, 2, 2))",
        "RuntimeError",
        "avg_pool2d: kernel_size must either be a single int, or a tuple of two ints",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, (1, 2, 3))",
        "RuntimeError",
        "avg_pool2d: stride must either be omitted, a single int, or a tuple of two ints",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, padding=(1, 2, 3))",
        "RuntimeError",
        "avg_pool2d: padding must either be a single int, or a tuple of two ints",
    ),
    (
        "F.avg_pool2d(ones(1, 5, 5), 2, divisor_override=0)",
        "RuntimeError",
        "divisor must be not zero",
    ),
    (
        "F.avg_pool2d(ones(1, 2, 5, 5).int(), 2)",
        "NotImplementedError",
        "\"avg_pool2d\" not implemented for 'Int'",
    ),
    (
        "F.avg_pool2d(ones(1, 2, 5, 5)>0, 2)",
        "NotImplementedError",
        "\"avg_pool2d\" not implemented for 'Bool'",
    ),
    (
        "F.avg_pool1d(ones(5), 2)",
        "RuntimeError",
        (
            "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking "
            "arguments for avg_pool1d)"
        ),
    ),
    (
        "F.avg_pool1d(ones(1, 5), (2, 2))",
        "RuntimeError",
        "avg_pool1d() argument 'kernel_size' should contain one int (got 2)",
    ),
    (
        "F.avg_pool1d(ones(1, 5), 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.avg_pool1d(ones(1, 5), 6)",
        "RuntimeError",
        "Given input size: (1x1x5). Calculated output size: (1x1x0). Output size is too small",
    ),
    (
        "F.avg_pool1d(ones(1, 5), 2, padding=2)",
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    (
        "F.avg_pool1d(ones(1, 5), 2, 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.avg_pool3d(ones(5, 5), 2)",
        "RuntimeError",
        "non-empty 4D or 5D (batch mode) tensor expected for input",
    ),
    (
        "F.avg_pool3d(ones(1, 5, 5, 5), 6)",
        "RuntimeError",
        "input image (T: 5 H: 5 W: 5) smaller than kernel size (kT: 6 kH: 6 kW: 6)",
    ),
    (
        "F.avg_pool3d(ones(1, 5, 5, 5), 2, padding=2)",
        "RuntimeError",
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    (
        "F.avg_pool3d(ones(1, 5, 5, 5), 2, divisor_override=0)",
        "RuntimeError",
        "divisor must be not zero",
    ),
    (
        "F.avg_pool3d(ones(1, 5, 5, 5).int(), 2)",
        "NotImplementedError",
        "\"avg_pool3d_out_frame\" not implemented for 'Int'",
    ),
    (
        "F.avg_pool3d(ones(1, 5, 5, 5), 0)",
        "RuntimeError",
        "stride should not be zero",
    ),
    (
        "F.adaptive_avg_pool1d(ones(5), 2)",
        "RuntimeError",
        (
            "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking "
            "arguments for adaptive_avg_pool1d)"
        ),
    ),
    (
        "F.adaptive_avg_pool1d(ones(1, 5), (2, 2))",
        "RuntimeError",
        "adaptive_avg_pool1d() argument 'output_size' should contain one int (got 2)",
    ),
    (
        "F.adaptive_avg_pool1d(ones(1, 5), -1)",
        "RuntimeError",
        "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {1, -1}",
    ),
    (
        "F.adaptive_avg_pool1d(ones(1, 0), 2)",
        "RuntimeError",
        (
            "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has "
            "sizes [1, 1, 0] with dimension 2 being empty"
        ),
    ),
    (
        "F.adaptive_avg_pool2d(ones(5), 2)",
        "RuntimeError",
        "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [5]",
    ),
    (
        "F.adaptive_avg_pool2d(ones(5, 5), 2)",
        "RuntimeError",
        "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [5, 5]",
    ),
    (
        "F.adaptive_avg_pool2d(ones(1, 5, 5), (2, 2, 2))",
        "ValueError",
        "Input dimension should be at least 4",
    ),
    (
        "F.adaptive_avg_pool2d(ones(1, 5, 5), -1)",
        "RuntimeError",
        "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {-1, -1}",
    ),
    (
        "F.adaptive_avg_pool2d(ones(1, 0, 5), 2)",
        "RuntimeError",
        (
            "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has "
            "sizes [1, 0, 5] with dimension 1 being empty"
        ),
    ),
    (
        "F.adaptive_avg_pool2d(ones(1, 5, 5).long(), 2)",
        "NotImplementedError",
        "\"adaptive_avg_pool2d\" not implemented for 'Long'",
    ),
    (
        "F.adaptive_avg_pool2d(ones(1, 5, 5).long(), 1)",
        "RuntimeError",
        (
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            "Got: Long"
        ),
    ),
    (
        "F.adaptive_avg_pool3d(ones(5, 5), 2)",
        "RuntimeError",
        "adaptive_avg_pool3d(): Expected 4D or 5D tensor, but got [5, 5]",
    ),
    (
        "F.adaptive_avg_pool3d(ones(1, 5, 5, 5), -1)",
        "RuntimeError",
        "adaptive_avg_pool3d: elements of output_size must be greater than or equal to 0 but received {-1, -1,-1}",
    ),
    (
        "F.adaptive_avg_pool3d(ones(1, 5, 5, 5), (2, 2))",
        "RuntimeError",
        "adaptive_avg_pool3d: output_size must be 3",
    ),
    (
        "F.adaptive_avg_pool3d(ones(1, 5, 5, 5).long(), 2)",
        "NotImplementedError",
        "\"adaptive_avg_pool3d_cpu\" not implemented for 'Long'",
    ),
    (
        "F.lp_pool1d(ones(5), 2, 2)",
        "RuntimeError",
        (
            "Expected 2 to 3 dimensions, but got 1-dimensional tensor for argument #1 'self' (while checking "
            "arguments for avg_pool1d)"
        ),
    ),
    (
        "F.lp_pool2d(ones(5, 5), 2, 2)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-2, 1], but got -3)",
    ),
    (
        "F.lp_pool2d(ones(1, 5, 5), 2, 6)",
        "RuntimeError",
        "Given input size: (1x5x5). Calculated output size: (1x0x0). Output size is too small",
    ),
    (
        "F.lp_pool3d(ones(5, 5), 2, 2)",
        "RuntimeError",
        "non-empty 4D or 5D (batch mode) tensor expected for input",
    ),
    (
        "F.lp_pool2d(ones(1, 5, 5), 0, 2)",
        "ZeroDivisionError",
        "float division by zero",
    ),
    (
        "F.avg_pool3d(ones(1, 0, 5, 5, 5), 2)",
        "RuntimeError",
        (
            "avg_pool3d(): Expected input's non-batch dimensions to have positive length, but input has a shape "
            "of [1, 0, 5, 5, 5] and non-batch dimension 0 has length zero!"
        ),
    ),
]


@pytest.mark.parametrize(("code", "exception", "text"), REFUSED)
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with modes.use(modes.State(warnings=[])), pytest.raises(EngineError) as caught:
        eval(code, dict(NAMES))
    assert (caught.value.exception, str(caught.value)) == (exception, text)
