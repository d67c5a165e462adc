"""What convolutions refuse, in the order and the words of PyTorch 2.13."""

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
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 2, 3, 3))",
        "RuntimeError",
        (
            "Given groups=1, weight of size [4, 2, 3, 3], expected input[1, 3, 5, 5] to have 2 channels, but got "
            "3 channels instead"
        ),
    ),
    (
        "F.conv2d(ones(5, 5), ones(4, 2, 3, 3))",
        "RuntimeError",
        "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [5, 5]",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3))",
        "RuntimeError",
        (
            "expected stride to be a single integer value or a list of 1 values to match the convolution "
            "dimensions, but got stride=[1, 1]"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), ones(3))",
        "RuntimeError",
        (
            "Given weight of size [4, 3, 3, 3], expected bias to be 1-dimensional with 4 elements, but got bias "
            "of size [3] instead"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), stride=0)",
        "RuntimeError",
        "non-positive stride is not supported",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), padding=-1)",
        "RuntimeError",
        "negative padding is not supported",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), dilation=0)",
        "RuntimeError",
        "dilation should be greater than zero, but got [0, 0]",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), groups=0)",
        "RuntimeError",
        "non-positive groups is not supported",
    ),
    (
        "F.conv2d(ones(1, 4, 5, 5), ones(3, 2, 3, 3), groups=2)",
        "RuntimeError",
        (
            "Given groups=2, expected weight to be divisible by 2 at dimension 0, but got weight of size [[3, 2, "
            "3, 3]] instead"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 2, 2), ones(4, 3, 3, 3))",
        "RuntimeError",
        (
            "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be "
            "greater than actual input size"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3).double())",
        "RuntimeError",
        "expected scalar type Float but found Double",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3).long())",
        "RuntimeError",
        "expected scalar type Float but found Long",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), ones(4).double())",
        "RuntimeError",
        "Input type (float) and bias type (double) should be the same",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), padding='foo')",
        "RuntimeError",
        "Invalid padding string: 'foo'",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), padding='same', stride=2)",
        "RuntimeError",
        "padding='same' is not supported for strided convolutions",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), stride=(1, 2, 3))",
        "RuntimeError",
        (
            "expected stride to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got stride=[1, 2, 3]"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), padding=(1, 2, 3))",
        "RuntimeError",
        (
            "expected padding to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got padding=[1, 2, 3]"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), stride=1.5)",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (Tensor, Tensor, stride=float), but "
            "expected one of:\n * (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, "
            "tuple of ints padding = 0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor "
            'weight, Tensor bias = None, tuple of ints stride = 1, str padding = "valid", tuple of ints '
            "dilation = 1, int groups = 1)\n"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), stride='a')",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (Tensor, Tensor, stride=str), but "
            "expected one of:\n * (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, "
            "tuple of ints padding = 0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor "
            'weight, Tensor bias = None, tuple of ints stride = 1, str padding = "valid", tuple of ints '
            "dilation = 1, int groups = 1)\n"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(0, 3, 3, 3))",
        "RuntimeError",
        (
            "Given groups=1, expected weight to be at least 1 at dimension 0, but got weight of size [0, 3, 3, "
            "3] instead"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 0, 3))",
        "RuntimeError",
        "kernel size should be greater than zero, but got kernel_height: 0 kernel_width: 3",
    ),
    (
        "F.conv1d(ones(3), ones(3, 3, 3))",
        "RuntimeError",
        "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [3]",
    ),
    (
        "F.conv1d(ones(1, 3, 5), ones(3))",
        "RuntimeError",
        "weight should have at least three dimensions",
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(4, 2, 3, 3))",
        "RuntimeError",
        (
            "Given transposed=1, weight of size [4, 2, 3, 3], expected input[1, 3, 5, 5] to have 4 channels, but "
            "got 3 channels instead"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(3, 2, 3, 3), output_padding=1)",
        "RuntimeError",
        (
            "output padding must be smaller than either stride or dilation, but got output_padding_height: 1 "
            "output_padding_width: 1 stride_height: 1 stride_width: 1 dilation_height: 1 dilation_width: 1"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(3, 2, 3, 3), output_padding=-1)",
        "RuntimeError",
        "negative output_padding is not supported",
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(3, 2, 3, 3), ones(3))",
        "RuntimeError",
        (
            "Given transposed=1, weight of size [3, 2, 3, 3], expected bias to be 1-dimensional with 2 elements, "
            "but got bias of size [3] instead"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 1, 1), ones(3, 2, 3, 3), padding=2)",
        "RuntimeError",
        (
            "Given input size per channel: (1 x 1). Calculated output size per channel: (-1 x -1). Output size "
            "is too small"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 4, 5, 5), ones(4, 2, 3, 3), groups=3)",
        "RuntimeError",
        (
            "Given groups=3, expected weight to be divisible by 3 at dimension 0, but got weight of size [[4, 2, "
            "3, 3]] instead"
        ),
    ),
    (
        "F.conv_transpose2d(ones(5, 5), ones(4, 2, 3, 3))",
        "RuntimeError",
        "Expected 3D (unbatched) or 4D (batched) input to conv_transpose2d, but got input of size: [5, 5]",
    ),
    (
        "F.conv3d(ones(5, 5), ones(4, 2, 3, 3, 3))",
        "RuntimeError",
        "Expected 4D (unbatched) or 5D (batched) input to conv3d, but got input of size: [5, 5]",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5).half(), ones(4, 3, 3, 3))",
        "RuntimeError",
        "expected scalar type Half but found Float",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5)>0, ones(4, 3, 3, 3)>0)",
        "NotImplementedError",
        "\"slow_conv2d_cpu\" not implemented for 'Bool'",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(0, 3, 2, 2))",
        "RuntimeError",
        (
            "Given groups=1, expected weight to be at least 1 at dimension 0, but got weight of size [0, 3, 2, "
            "2] instead"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5).cfloat(), ones(4, 3, 3, 3))",
        "RuntimeError",
        "Input type (CPUComplexFloatType) and weight type (torch.FloatTensor) should be the same",
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3).cfloat())",
        "RuntimeError",
        "expected scalar type Float but found ComplexFloat",
    ),
    (
        "F.conv2d(5, ones(4, 3, 3, 3))",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (int, Tensor), but expected one of:\n * "
            "(Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, tuple of ints padding = "
            "0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor weight, Tensor bias = "
            'None, tuple of ints stride = 1, str padding = "valid", tuple of ints dilation = 1, int groups = 1)\n'
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5))",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (Tensor), but expected one of:\n * "
            "(Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, tuple of ints padding = "
            "0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor weight, Tensor bias = "
            'None, tuple of ints stride = 1, str padding = "valid", tuple of ints dilation = 1, int groups = 1)\n'
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), foo=1)",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (Tensor, Tensor, foo=int), but expected "
            "one of:\n * (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, tuple of "
            "ints padding = 0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor weight, "
            'Tensor bias = None, tuple of ints stride = 1, str padding = "valid", tuple of ints dilation = 1, '
            "int groups = 1)\n"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), padding=None)",
        "TypeError",
        (
            "conv2d() received an invalid combination of arguments - got (Tensor, Tensor, padding=NoneType), but "
            "expected one of:\n * (Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1, "
            "tuple of ints padding = 0, tuple of ints dilation = 1, int groups = 1)\n * (Tensor input, Tensor "
            'weight, Tensor bias = None, tuple of ints stride = 1, str padding = "valid", tuple of ints '
            "dilation = 1, int groups = 1)\n"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(3, 2, 3, 3), stride=(1, 2, 3))",
        "RuntimeError",
        (
            "expected stride to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got stride=[1, 2, 3]"
        ),
    ),
    (
        "F.conv_transpose2d(ones(1, 3, 5, 5), ones(3, 2, 3, 3), output_padding=(1, 2, 3))",
        "RuntimeError",
        (
            "expected output_padding to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got output_padding=[1, 2, 3]"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), dilation=(1, 2, 3))",
        "RuntimeError",
        (
            "expected dilation to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got dilation=[1, 2, 3]"
        ),
    ),
    (
        "F.conv2d(ones(1, 3, 5, 5), ones(4, 3, 3, 3), stride=())",
        "RuntimeError",
        (
            "expected stride to be a single integer value or a list of 2 values to match the convolution "
            "dimensions, but got stride=[]"
        ),
    ),
    (
        "F.conv1d(ones(1, 3, 5), ones(4, 3, 3), stride=(1, 1))",
        "RuntimeError",
        (
            "expected stride to be a single integer value or a list of 1 values to match the convolution "
            "dimensions, but got stride=[1, 1]"
        ),
    ),
    (
        "torch.convolution(ones(1, 3, 5), ones(4, 3, 3, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)",
        "RuntimeError",
        (
            "Expected 4-dimensional input for 4-dimensional weight [4, 3, 3, 3], but got 3-dimensional input of "
            "size [1, 3, 5] instead"
        ),
    ),
    (
        "torch.conv_tbc(ones(5, 2, 3), ones(2, 2, 4), ones(4), 1)",
        "RuntimeError",
        "Input dim 2 (input channels) is not == dim 1 in the weight tensor",
    ),
    (
        "torch.conv_tbc(ones(5, 2, 3), ones(2, 3, 4), ones(3), 1)",
        "RuntimeError",
        "Bias size must equal dim 2 in the weight tensor (output channels).",
    ),
    (
        "torch.conv_tbc(ones(5, 3), ones(8, 3, 4), ones(4), 1)",
        "RuntimeError",
        "Input must have 3 dims: time, batch, in_channel",
    ),
]


@pytest.mark.parametrize(("code", "exception", "text"), REFUSED)
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with modes.use(modes.State(warnings=[])), pytest.raises(EngineError) as caught:
        eval(code, dict(NAMES))
    assert (caught.value.exception, str(caught.value)) == (exception, text)
