"""Interpolation of the last dimensions: to the nearest element, linear, cubic, by area, and filtered."""

from __future__ import annotations

from typing import Any

from engine import modes
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.op import composite
from engine.ops.nn.average_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d_to, adaptive_avg_pool3d_to
from engine.ops.nn.resampling import resampled
from engine.tensor import Tensor

MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"
# The mode's rank, what it is along one dimension, and the words of its node.
_SMOOTH = {
    "linear": (3, "linear", "Linear1D"), "bilinear": (4, "linear", "Bilinear2D"),
    "bicubic": (4, "cubic", "Bicubic2D"), "trilinear": (5, "linear", "Trilinear3D"),
}  # fmt: skip
_AREAS = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d_to, 5: adaptive_avg_pool3d_to}


def _per_dimension(input: Tensor, value: Any, what: str, letters: str) -> list[Any]:
    """``value`` for each of the last dimensions."""
    dims = list(input.array.shape[2:])
    if not isinstance(value, list | tuple):
        return [value] * len(dims)
    if len(value) != len(dims):
        head, name, word = (
            ("output", "output size", "of") if what == "output size" else ("scale_factor", "scale_factor", "of shape")
        )
        raise ArgumentValueError(
            f"Input and {head} must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {dims} and {name} {word} {value}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            f"{what} in ({letters}1, {letters}2, ...,{letters}K) format."
        )
    return list(value)


def _asked(input: Tensor, size: Any, scale_factor: Any, recompute: bool, mode: str) -> tuple[list[int], list[float]]:
    """The extents of the result, and the scales to go by: 0 for that of the extents."""
    if size is not None and scale_factor is not None:
        raise ArgumentValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ArgumentValueError("either size or scale_factor should be defined")
    own = input.array.shape[2:]
    if size is not None:
        sizes = _per_dimension(input, size, "output size", "o")
        if any(not isinstance(one, int) or isinstance(one, bool) for one in sizes):
            raise ArgumentTypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
                f"with types {[type(one) for one in sizes]}"
            )
        if recompute:
            raise ArgumentValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return sizes, [0.0] * len(sizes)
    scales = _per_dimension(input, scale_factor, "scale_factor", "s")
    if any(not isinstance(scale, int | float) for scale in scales):
        kind = type(scales[0]).__name__
        raise ArgumentTypeError(f"can't multiply sequence by non-int of type '{kind}'")
    sizes = [_extent(extent, scale) for extent, scale in zip(own, scales, strict=True)]
    return sizes, [0.0] * len(sizes) if recompute or mode == "area" else [float(scale) for scale in scales]


def _extent(own: int, scale: float) -> int:
    """``own`` extent, scaled."""
    scaled = own * scale
    if abs(scaled) < 2**63:  # not so for NaN
        return int(scaled)
    raise OpError("value cannot be converted to type int64_t without overflow")


def _check_sizes(input: Tensor, sizes: list[int]) -> None:
    shape, own = input.array.shape, input.array.shape[2:]
    letters = "DHW"[-len(own) :]
    if any(extent <= 0 for extent in (*own, *sizes)):
        before, after = (
            ", ".join(f"{letter}: {extent}" for letter, extent in zip(letters, extents, strict=True))
            for extents in (own, sizes)
        )
        word = "and output" if len(own) == 1 else "output"
        raise OpError(f"Input and output sizes should be greater than 0, but got input ({before}) {word} ({after})")
    if shape[1] == 0:
        raise OpError(f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}")


def _check_mode(input: Tensor, mode: str) -> None:
    rank = input.array.ndim
    if mode in ("nearest", "nearest-exact", "area") and rank in _AREAS:
        return
    if mode in _SMOOTH:
        needed = _SMOOTH[mode][0]
        if rank == needed:
            return
        if rank in _AREAS and not (mode == "bicubic"):
            raise UnsupportedError(f"Got {rank}D input, but {mode} mode needs {needed}D input")
    if mode == "lanczos" and rank == 4:
        raise ArgumentValueError("Lanczos mode requires antialias=True")
    raise UnsupportedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {rank}D) for the modes: {MODES} (got {mode})"
    )


def _refuse_dtype(input: Tensor, mode: str, rank: int) -> None:
    is_nearest = mode.startswith("nearest")
    if input.dtype.is_floating_point or (is_nearest and input.dtype.name == "uint8"):
        return
    kind = "nearest" if is_nearest else mode
    name = f"upsample_{kind}2d_channels_last"
    if rank != 4 or mode == "bicubic":
        name = f"compute_indices_weights_{'nearest' if is_nearest else _SMOOTH[mode][1]}"
    raise UnsupportedError(f"\"{name}\" not implemented for '{input.dtype.scalar_type}'")


@composite(name="nn.functional.interpolate")
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Any:  # fmt: skip
    """``input`` of ``(batch, channels, *extents)`` with other extents: ``size``, or ``scale_factor`` times as large.

    ``mode``: ``nearest`` (``nearest-exact`` from the middle of elements), ``linear``, ``bilinear``, ``trilinear``,
    ``bicubic``, or ``area``. With ``align_corners`` ends meet ends. With ``antialias`` (``bilinear``, ``bicubic`` and
    ``lanczos``) what the result could not show is filtered out first.
    """
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ArgumentValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    sizes, scales = _asked(input, size, scale_factor, bool(recompute_scale_factor), mode)
    rank, align = input.array.ndim, bool(align_corners)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and rank == 4):
        raise ArgumentValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if not antialias:
        _check_mode(input, mode)
    if mode == "area":
        return _AREAS[rank](input, tuple(sizes))
    _check_sizes(input, sizes)
    _refuse_dtype(input, mode, rank)
    grid = list(zip(input.array.shape[2:], sizes, scales, strict=True))
    if mode.startswith("nearest"):
        exact = mode == "nearest-exact"
        lines: Any = tuple(("nearest", *one, exact) for one in grid)
        return resampled(input, lines, f"UpsampleNearest{'Exact' if exact else ''}{rank - 2}DBackward0")
    if antialias:
        kind = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
        lines = tuple(("filtered", *one, align, kind) for one in grid)
        return resampled(input, lines, f"Upsample{mode.capitalize()}2DAaBackward0")
    _, kind, words = _SMOOTH[mode]
    return resampled(input, tuple((kind, *one, align) for one in grid), f"Upsample{words}Backward0")


# -- under their old names ----------------------------------------------------------------------------------------
def _warn(name: str) -> None:
    modes.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.")


@composite(name="nn.functional.upsample")
def _upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:  # fmt: skip
    """``interpolate`` under its old name."""
    _warn("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite(name="nn.functional.upsample_nearest")
def _upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate`` to the nearest element."""
    _warn("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


@composite(name="nn.functional.upsample_bilinear")
def _upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate`` in two dimensions, ends on ends."""
    _warn("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)
