"""What interpolation refuses, in the order and the words of PyTorch 2.13."""

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
        "F.interpolate(ones(1, 2, 4))",
        "ValueError",
        "either size or scale_factor should be defined",
    ),
    (
        "F.interpolate(ones(1, 2, 4), 8, 2)",
        "ValueError",
        "only one of size or scale_factor should be defined",
    ),
    (
        "F.interpolate(ones(1, 2), 8)",
        "NotImplementedError",
        (
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got 2D) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got nearest)"
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4), 8, mode='foo')",
        "NotImplementedError",
        (
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got 3D) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got foo)"
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4), 8, mode='bilinear')",
        "NotImplementedError",
        "Got 3D input, but bilinear mode needs 4D input",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, mode='linear')",
        "NotImplementedError",
        "Got 4D input, but linear mode needs 3D input",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, mode='trilinear')",
        "NotImplementedError",
        "Got 4D input, but trilinear mode needs 5D input",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4), 8, mode='bilinear')",
        "NotImplementedError",
        "Got 5D input, but bilinear mode needs 4D input",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4), 8, mode='bicubic')",
        "NotImplementedError",
        (
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got 5D) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got bicubic)"
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), (8, 8, 8))",
        "ValueError",
        (
            "Input and output must have the same number of spatial dimensions, but got input with spatial "
            "dimensions of [4, 4] and output size of (8, 8, 8). Please provide input tensor in (N, C, d1, d2, "
            "...,dK) format and output size in (o1, o2, ...,oK) format."
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), scale_factor=(2, 2, 2))",
        "ValueError",
        (
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            "dimensions of [4, 4] and scale_factor of shape (2, 2, 2). Please provide input tensor in (N, C, d1, "
            "d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, align_corners=True)",
        "ValueError",
        ("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 0)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (H: 4, W: 4) output (H: 0, W: 0)",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), -1)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (H: 4, W: 4) output (H: -1, W: -1)",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), scale_factor=0.1)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (H: 4, W: 4) output (H: 0, W: 0)",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), scale_factor=-1.)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (H: 4, W: 4) output (H: -4, W: -4)",
    ),
    (
        "F.interpolate(ones(1, 2, 0, 4), 8)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (H: 0, W: 4) output (H: 8, W: 8)",
    ),
    (
        "F.interpolate(ones(1, 0, 4, 4), 8)",
        "RuntimeError",
        "Non-empty 4D data tensor expected but got a tensor with sizes [1, 0, 4, 4]",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, recompute_scale_factor=True)",
        "ValueError",
        "recompute_scale_factor is not meaningful with an explicit size.",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, antialias=True)",
        "ValueError",
        ("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, mode='nearest', antialias=True)",
        "ValueError",
        ("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"),
    ),
    (
        "F.interpolate(ones(1, 2, 4), 8, mode='linear', antialias=True)",
        "ValueError",
        ("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4).long(), 8)",
        "NotImplementedError",
        "\"upsample_nearest2d_channels_last\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4).long(), 8, mode='bilinear')",
        "NotImplementedError",
        "\"upsample_bilinear2d_channels_last\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4)>0, 8)",
        "NotImplementedError",
        "\"upsample_nearest2d_channels_last\" not implemented for 'Bool'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), (8, 8.5))",
        "TypeError",
        (
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got "
            "size with types [<class 'int'>, <class 'float'>]"
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, mode='lanczos')",
        "ValueError",
        "Lanczos mode requires antialias=True",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4), 8, mode='area', align_corners=True)",
        "ValueError",
        ("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4, 4), 8)",
        "NotImplementedError",
        (
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got 6D) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got nearest)"
        ),
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4, 4), 8, mode='area')",
        "NotImplementedError",
        (
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got 6D) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got area)"
        ),
    ),
    (
        "F.upsample_bilinear(ones(1, 2, 4), 8)",
        "NotImplementedError",
        "Got 3D input, but bilinear mode needs 4D input",
    ),
    (
        "F.interpolate(ones(1, 2, 4), 0)",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (W: 4) and output (W: 0)",
    ),
    (
        "F.interpolate(ones(1, 2, 4), -1, mode='linear')",
        "RuntimeError",
        "Input and output sizes should be greater than 0, but got input (W: 4) and output (W: -1)",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4), 0)",
        "RuntimeError",
        ("Input and output sizes should be greater than 0, but got input (D: 4, H: 4, W: 4) output (D: 0, H: 0, W: 0)"),
    ),
    (
        "F.interpolate(ones(1, 2, 4).long(), 8)",
        "NotImplementedError",
        "\"compute_indices_weights_nearest\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4).long(), 8, mode='linear')",
        "NotImplementedError",
        "\"compute_indices_weights_linear\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4).long(), 8)",
        "NotImplementedError",
        "\"compute_indices_weights_nearest\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4, 4).long(), 8, mode='trilinear')",
        "NotImplementedError",
        "\"compute_indices_weights_linear\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4).long(), 8, mode='bicubic')",
        "NotImplementedError",
        "\"compute_indices_weights_cubic\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4).long(), 8, mode='nearest-exact')",
        "NotImplementedError",
        "\"upsample_nearest2d_channels_last\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 2, 4, 4).long(), 8, mode='area')",
        "NotImplementedError",
        "\"adaptive_avg_pool2d\" not implemented for 'Long'",
    ),
    (
        "F.interpolate(ones(1, 9, 4, 4).long(), 8)",
        "NotImplementedError",
        "\"upsample_nearest2d_channels_last\" not implemented for 'Long'",
    ),
]


@pytest.mark.parametrize(("code", "exception", "text"), REFUSED)
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with modes.use(modes.State(warnings=[])), pytest.raises(EngineError) as caught:
        eval(code, dict(NAMES))
    assert (caught.value.exception, str(caught.value)) == (exception, text)
