"""Discrete Fourier transforms, of real and complex numbers, over one dimension or several.

Each cuts or pads its input, brings it to the dtype of a kernel and runs one, as PyTorch does, so the nodes are its.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine import dtypes, modes, ops
from engine.dtypes import COMPLEX, FLOATING
from engine.errors import DimensionError, OpError
from engine.op import Size, composite, wrap_dim
from engine.ops.fft.kernels import BY_COUNT, BY_ROOT, NONE, fft_c2c, fft_c2r, fft_r2c
from engine.tensor import Tensor

_NORMS = {
    None: (BY_COUNT, NONE), "backward": (BY_COUNT, NONE), "ortho": (BY_ROOT, BY_ROOT), "forward": (NONE, BY_COUNT),
}  # fmt: skip
LAST_TWO = (-2, -1)


# -- arguments ----------------------------------------------------------------------------------------------------
def _normalization(norm: str | None, forward: bool) -> int:
    if norm not in _NORMS:
        raise OpError(f'Invalid normalization mode: "{norm}"')
    return _NORMS[norm][forward]


def _promoted(input: Tensor, needs_complex: bool) -> Tensor:
    """``input`` in a dtype that there are transforms of."""
    found = input.dtype
    target = modes.current().default_dtype if found.category < FLOATING else found
    if target.category == FLOATING and target.opmath is not target:
        raise OpError(f"Unsupported dtype {target.scalar_type}")
    if needs_complex and target.category < COMPLEX:
        target = dtypes.to_complex(target)
    if target.opmath is not target:
        raise OpError("MKL FFT doesn't support tensors of type: Half")
    return input if target is found else ops.cast(input, target)


def existing_dim(input: Tensor, dim: int) -> int:
    """``dim`` counted from the front; a 0-d tensor has none."""
    ndim = input.array.ndim
    if not ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, ndim)


def _resized(input: Tensor, dims: Sequence[int], extents: Sequence[int]) -> Tensor:
    """``input`` cut at the end, or padded there with zeros, to ``extents`` along ``dims``."""
    ndim = input.array.ndim
    padding = [0] * 2 * ndim
    for dim, extent in zip(dims, extents, strict=True):
        missing = extent - input.array.shape[dim]
        padding[2 * (ndim - 1 - dim) + 1] = max(missing, 0)
        if missing < 0:
            input = ops.slice_dim(input, dim, 0, extent, 1)
    return ops.constant_pad_nd(input, tuple(padding)) if any(padding) else input


def _check_points(n: int) -> None:
    if n < 1:
        raise OpError(f"Invalid number of data points ({n}) specified")


# -- one dimension ------------------------------------------------------------------------------------------------
def _along(input: Tensor, n: int | None, dim: int, needs_complex: bool) -> tuple[Tensor, int]:
    """``input`` with ``n`` points along ``dim``, and that dimension."""
    input = _promoted(input, needs_complex)
    axis = existing_dim(input, dim)
    _check_points(input.array.shape[axis] if n is None else n)
    return (input if n is None else _resized(input, [axis], [n])), axis


def _check_real(name: str, input: Tensor, kind: str = "real") -> None:
    if input.dtype.category == COMPLEX:
        raise OpError(f"{name} expects a {kind} input tensor, but got {input.dtype.scalar_type}")


def _of_real(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool, onesided: bool) -> Tensor:
    input, axis = _along(input, n, dim, False)
    result = fft_r2c(input, (axis,), _normalization(norm, forward), onesided)
    return result if forward else ops.conj(result)


def _of_any(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    if input.dtype.category != COMPLEX:
        return _of_real(input, n, dim, norm, forward, False)
    input, axis = _along(input, n, dim, True)
    return fft_c2c(input, (axis,), _normalization(norm, forward), forward)


def _to_real(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    input = _promoted(input, True)
    axis = existing_dim(input, dim)
    extent = 2 * (input.array.shape[axis] - 1) if n is None else n
    _check_points(extent)
    if n is not None:
        input = _resized(input, [axis], [n // 2 + 1])
    normalization = _normalization(norm, forward)
    return fft_c2r(ops.conj(input) if forward else input, (axis,), normalization, extent)


@composite(name="fft.fft", out="kind")
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The Fourier transform along ``dim``, of the first ``n`` points or as many with zeros behind the last.

    ``norm`` tells where it is divided by the number of points: ``"backward"`` in the inverse, ``"forward"`` here,
    ``"ortho"`` by its root in both.
    """
    return _of_any(input, n, dim, norm, True)


@composite(name="fft.ifft", out="kind")
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.fft``."""
    return _of_any(input, n, dim, norm, False)


@composite(name="fft.rfft", out="kind")
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """``fft.fft`` of real numbers, without the frequencies that mirror others."""
    _check_real("rfft", input)
    return _of_real(input, n, dim, norm, True, True)


@composite(name="fft.irfft", out="kind")
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.rfft``: ``n`` real numbers, an even count unless told."""
    return _to_real(input, n, dim, norm, False)


@composite(name="fft.hfft", out="kind")
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """``fft.fft`` of a signal of ``n`` points whose second half mirrors the first conjugated: real."""
    return _to_real(input, n, dim, norm, True)


@composite(name="fft.ihfft", out="kind")
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.hfft``, of real numbers."""
    _check_real("ihfft", input)
    return _of_real(input, n, dim, norm, False, True)


# -- several dimensions -------------------------------------------------------------------------------------------
def _placed(input: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int]]:
    """The dimensions of a transform, and how many points each has; without ``dim`` the last ones, or all."""
    shape = input.array.shape
    sizes = [s] if isinstance(s, int) else s
    if dim is not None:
        dims = [existing_dim(input, one) for one in ([dim] if isinstance(dim, int) else dim)]
        if len(set(dims)) < len(dims):
            raise OpError("FFT dims must be unique")
        if sizes is not None and len(sizes) != len(dims):
            raise OpError("When given, dim and shape arguments must have the same length")
    else:
        count = len(shape) if sizes is None else len(sizes)
        if count > len(shape):
            raise OpError(f"Got shape with {count} values but input tensor only has {len(shape)} dimensions.")
        dims = list(range(len(shape) - count, len(shape)))
    extents = [shape[one] for one in dims]
    if sizes is not None:
        extents = [own if size == -1 else size for own, size in zip(extents, sizes, strict=True)]
    for extent in extents:
        _check_points(extent)
    return dims, extents


def _over_any(input: Tensor, s: Any, dim: Any, norm: str | None, forward: bool) -> Tensor:
    dims, extents = _placed(input, s, dim)
    input = _resized(_promoted(input, True), dims, extents)
    return fft_c2c(input, tuple(dims), _normalization(norm, forward), forward)


def _placed_real(name: str, input: Tensor, s: Any, dim: Any) -> tuple[Tensor, list[int]]:
    """Real numbers cut and padded for a transform over at least one dimension."""
    dims, extents = _placed(input, s, dim)
    if not dims:
        raise OpError(f"{name} must transform at least one axis")
    return _resized(_promoted(input, False), dims, extents), dims


def _placed_half(name: str, input: Tensor, s: Any, dim: Any) -> tuple[Tensor, list[int], int]:
    """The half of a transform, cut and padded, and how many points the last dimension of the whole has."""
    dims, extents = _placed(input, s, dim)
    if not dims:
        raise OpError(f"{name} must transform at least one axis")
    given = -1 if s is None else s if isinstance(s, int) else s[-1]
    extent = 2 * (input.array.shape[dims[-1]] - 1) if given == -1 else given
    _check_points(extent)
    return _resized(_promoted(input, True), dims, [*extents[:-1], extent // 2 + 1]), dims, extent


@composite(name="fft.fftn", out="kind")
def fftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """The Fourier transform over the dimensions ``dim`` (all unless told), of extents ``s``; -1 is the own one."""
    return _over_any(input, s, dim, norm, True)


@composite(name="fft.ifftn", out="kind")
def ifftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.fftn``."""
    return _over_any(input, s, dim, norm, False)


@composite(name="fft.rfftn", out="kind")
def rfftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """``fft.fftn`` of real numbers, without the half of the last dimension that mirrors the other."""
    _check_real("rfftn", input, "real-valued")
    input, dims = _placed_real("rfftn", input, s, dim)
    return fft_r2c(input, tuple(dims), _normalization(norm, True), True)


@composite(name="fft.irfftn", out="kind")
def irfftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.rfftn``."""
    input, dims, extent = _placed_half("irfftn", input, s, dim)
    return fft_c2r(input, tuple(dims), _normalization(norm, False), extent)


@composite(name="fft.hfftn", out="kind")
def hfftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """``fft.fftn`` of a signal whose half says all of it: real."""
    input, dims, extent = _placed_half("hfftn", input, s, dim)
    normalization = _normalization(norm, True)
    if len(dims) > 1:
        input = fft_c2c(input, tuple(dims[:-1]), normalization, True)
    return fft_c2r(ops.conj(input), (dims[-1],), normalization, extent)


@composite(name="fft.ihfftn", out="kind")
def ihfftn(input: Tensor, s: Size | None = None, dim: Size | None = None, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.hfftn``, of real numbers."""
    if input.dtype.category == COMPLEX:
        raise OpError(f"Only supports floating-point dtypes, but found: {input.dtype.scalar_type}")
    input, dims = _placed_real("ihfftn", input, s, dim)
    normalization = _normalization(norm, False)
    half = fft_r2c(input, (dims[-1],), normalization, True)
    if len(dims) == 1:
        return ops.conj(half)
    return fft_c2c(ops.conj_physical(half), tuple(dims[:-1]), normalization, False)


# -- matrices -----------------------------------------------------------------------------------------------------
@composite(name="fft.fft2", out="kind")
def fft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """``fft.fftn`` over the last two dimensions, or ``dim``."""
    return fftn(input, s, dim, norm)


@composite(name="fft.ifft2", out="kind")
def ifft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.fft2``."""
    return ifftn(input, s, dim, norm)


@composite(name="fft.rfft2", out="kind")
def rfft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """``fft.rfftn`` over the last two dimensions, or ``dim``."""
    return rfftn(input, s, dim, norm)


@composite(name="fft.irfft2", out="kind")
def irfft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.rfft2``."""
    return irfftn(input, s, dim, norm)


@composite(name="fft.hfft2", out="kind")
def hfft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """``fft.hfftn`` over the last two dimensions, or ``dim``."""
    return hfftn(input, s, dim, norm)


@composite(name="fft.ihfft2", out="kind")
def ihfft2(input: Tensor, s: Size | None = None, dim: Size = LAST_TWO, norm: str | None = None) -> Tensor:
    """The inverse of ``fft.hfft2``, of real numbers."""
    return ihfftn(input, s, dim, norm)
