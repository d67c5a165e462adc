"""What unfolding and shuffling refuse, in the order and the words of PyTorch 2.13."""

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
        "F.pixel_shuffle(ones(1, 5, 2, 2), 2)",
        "RuntimeError",
        (
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
            "upscale_factor, but input.size(-3)=5 is not divisible by 4"
        ),
    ),
    (
        "F.pixel_shuffle(ones(2, 2), 2)",
        "RuntimeError",
        "pixel_shuffle expects input to have at least 3 dimensions, but got input with 2 dimension(s)",
    ),
    (
        "F.pixel_shuffle(ones(1, 4, 2, 2), 0)",
        "RuntimeError",
        "pixel_shuffle expects a positive upscale_factor, but got 0",
    ),
    (
        "F.pixel_shuffle(ones(1, 4, 2, 2), -2)",
        "RuntimeError",
        "pixel_shuffle expects a positive upscale_factor, but got -2",
    ),
    (
        "F.pixel_unshuffle(ones(1, 4, 2, 3), 2)",
        "RuntimeError",
        (
            "pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)=3 is not "
            "divisible by 2"
        ),
    ),
    (
        "F.pixel_unshuffle(ones(1, 4, 3, 2), 2)",
        "RuntimeError",
        (
            "pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=3 is not "
            "divisible by 2"
        ),
    ),
    (
        "F.pixel_unshuffle(ones(2, 2), 2)",
        "RuntimeError",
        "pixel_unshuffle expects input to have at least 3 dimensions, but got input with 2 dimension(s)",
    ),
    (
        "F.pixel_unshuffle(ones(1, 4, 2, 2), 0)",
        "RuntimeError",
        "pixel_unshuffle expects a positive downscale_factor, but got 0",
    ),
    (
        "F.channel_shuffle(ones(1, 4, 2, 2), 3)",
        "RuntimeError",
        "Number of channels must be divisible by groups. Got 4 channels and 3 groups.",
    ),
    (
        "F.channel_shuffle(ones(4, 2), 2)",
        "RuntimeError",
        "channel_shuffle expects input with > 2 dims, but got input with sizes [4, 2]",
    ),
    (
        "F.channel_shuffle(ones(1, 4, 2, 2), 0)",
        "RuntimeError",
        "Number of groups to divide channels in must be positive. Value of groups:0",
    ),
    (
        "F.channel_shuffle(ones(1, 4, 2, 2), -1)",
        "RuntimeError",
        "Number of groups to divide channels in must be positive. Value of groups:-1",
    ),
    (
        "F.unfold(ones(4, 4), 2)",
        "IndexError",
        "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 5)",
        "RuntimeError",
        (
            "Given input with spatial size (4, 4), kernel_size=(5, 5), dilation=(1, 1), padding=(0, 0), "
            "calculated shape of the array of sliding blocks as (0, 0), but its components must be at least one."
        ),
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 0)",
        "RuntimeError",
        "kernel size should be greater than zero, but got kernel_height: 0 kernel_width: 0",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, 0)",
        "RuntimeError",
        "dilation should be greater than zero, but got dilation_height: 0 dilation_width: 0",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, padding=-1)",
        "RuntimeError",
        "padding should be non-negative, but got pad_height: -1 pad_width: -1",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, stride=0)",
        "RuntimeError",
        "stride should be greater than zero, but got stride_height: 0 stride_width: 0",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), (2, 2, 2))",
        "RuntimeError",
        "It is expected kernel_size equals to 2, but got size 3",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, (1, 1, 1))",
        "RuntimeError",
        "It is expected dilation equals to 2, but got size 3",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, padding=(1, 1, 1))",
        "RuntimeError",
        "It is expected padding equals to 2, but got size 3",
    ),
    (
        "F.unfold(ones(1, 2, 4, 4), 2, stride=(1, 1, 1))",
        "RuntimeError",
        "It is expected stride equals to 2, but got size 3",
    ),
    (
        "F.unfold(ones(1, 0, 4, 4), 2)",
        "RuntimeError",
        (
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            "input, but got: [1, 0, 4, 4]"
        ),
    ),
    (
        "F.unfold(ones(1, 2, 0, 4), 2)",
        "RuntimeError",
        (
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            "input, but got: [1, 2, 0, 4]"
        ),
    ),
    (
        "F.unfold(ones(1, 2, 4, 4).long(), 2)",
        "NotImplementedError",
        "\"im2col_out_cpu\" not implemented for 'Long'",
    ),
    (
        "F.fold(ones(1, 8, 8), (4, 4), 2)",
        "RuntimeError",
        (
            "Given output_size=(4, 4), kernel_size=(2, 2), dilation=(1, 1), padding=(0, 0), stride=(1, 1), "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks 3 * 3 = 9, "
            "but got input.size(2)=8."
        ),
    ),
    (
        "F.fold(ones(1, 7, 9), (4, 4), 2)",
        "RuntimeError",
        (
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            "input.size(1)=7 and kernel_size=(2, 2)."
        ),
    ),
    (
        "F.fold(ones(9), (4, 4), 2)",
        "RuntimeError",
        (
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions "
            "for input, but got: [9]"
        ),
    ),
    (
        "F.fold(ones(1, 1, 8, 9), (4, 4), 2)",
        "RuntimeError",
        (
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions "
            "for input, but got: [1, 1, 8, 9]"
        ),
    ),
    (
        "F.fold(ones(1, 8, 9), (1, 1), 2)",
        "RuntimeError",
        (
            "Given output_size=(1, 1), kernel_size=(2, 2), dilation=(1, 1), padding=(0, 0), stride=(1, 1), "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks 0 * 0 = 0, "
            "but got input.size(2)=9."
        ),
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 0)",
        "RuntimeError",
        "kernel size should be greater than zero, but got kernel_height: 0 kernel_width: 0",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, stride=0)",
        "RuntimeError",
        "stride should be greater than zero, but got stride_height: 0 stride_width: 0",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, dilation=0)",
        "RuntimeError",
        "dilation should be greater than zero, but got dilation_height: 0 dilation_width: 0",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, padding=-1)",
        "RuntimeError",
        "padding should be non-negative, but got pad_height: -1 pad_width: -1",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4, 4), 2)",
        "RuntimeError",
        "It is expected output_size equals to 2, but got size 3",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), (2, 2, 2))",
        "RuntimeError",
        "It is expected kernel_size equals to 2, but got size 3",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, (1, 1, 1))",
        "RuntimeError",
        "It is expected dilation equals to 2, but got size 3",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, 1, (1, 1, 1))",
        "RuntimeError",
        "It is expected padding equals to 2, but got size 3",
    ),
    (
        "F.fold(ones(1, 8, 9), (4, 4), 2, 1, 1, (1, 1, 1))",
        "RuntimeError",
        "It is expected stride equals to 2, but got size 3",
    ),
    (
        "F.fold(ones(1, 8, 9).long(), (4, 4), 2)",
        "NotImplementedError",
        "\"col2im_out_cpu\" not implemented for 'Long'",
    ),
    (
        "F.fold(ones(1, 0, 9), (4, 4), 2)",
        "RuntimeError",
        (
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions "
            "for input, but got: [1, 0, 9]"
        ),
    ),
    (
        "F.fold(ones(2, 12, 6), (4, 5), 2, 2, 1, (2, 1))",
        "RuntimeError",
        (
            "Given output_size=(4, 5), kernel_size=(2, 2), dilation=(2, 2), padding=(1, 1), stride=(2, 1), "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks 2 * 5 = 10, "
            "but got input.size(2)=6."
        ),
    ),
    (
        "F.fold(ones(2, 12, 15), (4, 5), 2, 2, 1, (2, 1))",
        "RuntimeError",
        (
            "Given output_size=(4, 5), kernel_size=(2, 2), dilation=(2, 2), padding=(1, 1), stride=(2, 1), "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks 2 * 5 = 10, "
            "but got input.size(2)=15."
        ),
    ),
    (
        "F.fold(ones(2, 12, 9), (5, 5), 2, 1, 0, (2, 2))",
        "RuntimeError",
        (
            "Given output_size=(5, 5), kernel_size=(2, 2), dilation=(1, 1), padding=(0, 0), stride=(2, 2), "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks 2 * 2 = 4, "
            "but got input.size(2)=9."
        ),
    ),
]


@pytest.mark.parametrize(("code", "exception", "text"), REFUSED)
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with modes.use(modes.State(warnings=[])), pytest.raises(EngineError) as caught:
        eval(code, dict(NAMES))
    assert (caught.value.exception, str(caught.value)) == (exception, text)
