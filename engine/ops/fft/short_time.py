"""Transforms of short pieces of a signal, and the signal that overlapping pieces add up to.

D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform" (1984): pieces are windowed
once more before they are added, and the sum is divided by that of the squares of the windows, equation 6.
"""

from __future__ import annotations

from typing import Any

from engine import modes, ops
from engine.dtypes import COMPLEX, FLOATING
from engine.errors import OpError
from engine.op import composite, wrap_dim
from engine.ops.fft.kernels import BY_COUNT, BY_ROOT, NONE, fft_c2c, fft_c2r, fft_r2c
from engine.tensor import Tensor, read

SILENT = 1e-11  # what squares of windows have to add up to, at least
ONESIDED = "Cannot have onesided output if window or input is complex"
NO_REAL = (
    "stft requires the return_complex parameter be given for real inputs, and will further require that "
    "return_complex=True in a future PyTorch release."
)
NO_PAIRS = "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
SHORTER = (
    "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. Please "
    "check your center and hop_length settings."
)


def _written(value: Any) -> str:
    """An argument in the words of a refusal."""
    if isinstance(value, Tensor):
        return f"torch.{value.dtype.scalar_type}Tensor{{{list(value.array.shape)}}}"
    return "None" if value is None else str(int(value))


def _call(name: str, kind: str, input: Tensor, **arguments: Any) -> str:
    words = [f"{kind}{list(input.array.shape)}", *[f"{key}={_written(value)}" for key, value in arguments.items()]]
    return f"{name}({', '.join(words)})"


# -- pieces and their transforms ----------------------------------------------------------------------------------
def _padded(input: Tensor, amount: int, mode: str) -> Tensor:
    """``amount`` more on both sides; the modes of padding want three dimensions."""
    ndim, shape = input.array.ndim, input.array.shape
    wide = ops.view(input, (*[1] * (3 - ndim), *shape))
    wide = ops.pad(wide, (amount, amount), mode)
    return ops.view(wide, wide.array.shape[wide.array.ndim - ndim :] if ndim else wide.array.shape)


def _centered(window: Tensor | None, length: int, n_fft: int, like: Tensor) -> Tensor:
    """A window of ``length`` in the middle of ``n_fft`` points; one in a graph is copied there, as in PyTorch."""
    before = (n_fft - length) // 2
    if window is None:
        window = ops.ones(length, dtype=like.dtype)
    if not window.requires_grad:
        return ops.constant_pad_nd(window, (before, n_fft - length - before))
    whole = ops.zeros(n_fft, dtype=window.dtype)
    ops.narrow(whole, 0, before, length).copy_(window)
    return whole


def _check_pieces(call: str, input: Tensor, n_fft: int, hop: int, length: int, window: Tensor | None) -> None:
    extent = input.array.shape[-1]
    if not 0 < n_fft <= extent:
        raise OpError(f"{call} : expected 0 < n_fft < {extent}, but got n_fft={length}")
    if hop <= 0:
        raise OpError(f"{call} : expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        raise OpError(f"{call} : expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and window.array.shape != (length,):
        raise OpError(
            f"{call} : expected a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(window.array.shape)}"
        )


SILENCE = (
    "To suppress this warning and use a rectangular window, explicitly set `window=torch.ones(n_fft, device=<device>)`."
)


@composite
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """Transforms of pieces of ``n_fft`` points that begin ``hop_length`` apart: ``(*, L) -> (*, n_fft, pieces)``.

    Pieces are multiplied with ``window``, which lies in their middle; ``center`` pads so that the first is in the
    middle of its piece. Of real numbers ``onesided`` leaves out the frequencies that mirror others.
    """
    if window is None:
        modes.warn_once(
            "A window was not provided. A rectangular window will be applied,which is known to cause spectral leakage. "
            "Other windows such as torch.hann_window or torch.hamming_window are recommended to reduce spectral "
            f"leakage.{SILENCE}"
        )
    if center and align_to_window is not None:
        raise OpError("stft align_to_window should only be set when center = false")
    if center:
        input = _padded(input, n_fft // 2, pad_mode)
    hop = n_fft >> 2 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    complex_result = return_complex
    if return_complex is None:
        complex_result = any(one is not None and one.dtype.category == COMPLEX for one in (input, window))
        if not complex_result:
            raise OpError(NO_REAL)
    call = _call(
        "stft", input.dtype.tensor_type, input, n_fft=n_fft, hop_length=hop, win_length=length,
        window=window, normalized=normalized, onesided=onesided, return_complex=return_complex,
        align_to_window=align_to_window,
    )  # fmt: skip
    if input.dtype.category < FLOATING:
        raise OpError(f"{call} : expected a tensor of floating point or complex values")
    if input.array.ndim not in (1, 2):
        raise OpError(f"{call} : expected a 1D or 2D tensor")
    batch = ops.unsqueeze(input, 0) if input.array.ndim == 1 else input
    if align_to_window:
        beside = (n_fft - length) // 2
        batch = ops.constant_pad_nd(batch, (beside, beside))
    _check_pieces(call, batch, n_fft, hop, length, window)
    if length < n_fft:
        window = _centered(window, length, n_fft, input)
    result: Any = _transformed(_pieces(batch, n_fft, hop), window, normalized, onesided)
    result.transpose_(1, 2)
    if input.array.ndim == 1:
        result.squeeze_(0)
    return result if complex_result else ops.view_as_real(result)


def _pieces(batch: Tensor, n_fft: int, hop: int) -> Tensor:
    rows, extent = batch.array.shape
    _, (row, step), offset = batch.geometry
    return ops.as_strided(batch, (rows, 1 + (extent - n_fft) // hop, n_fft), (row, hop * step, step), offset)


def _transformed(pieces: Tensor, window: Tensor | None, normalized: bool, onesided: bool | None) -> Tensor:
    if window is not None:
        pieces = ops.mul(pieces, window)
    normalization = BY_ROOT if normalized else NONE
    if pieces.dtype.category != COMPLEX:
        return fft_r2c(pieces, (2,), normalization, onesided is None or onesided)
    if onesided:
        raise OpError(ONESIDED)
    return fft_c2c(pieces, (2,), normalization, True)


# -- and back -----------------------------------------------------------------------------------------------------
def _check_halves(call: str, input: Tensor, n_fft: int, hop: int, length: int, onesided: bool) -> None:
    shape = input.array.shape
    if not input.array.size:
        raise OpError(f"{call} : input tensor cannot be empty.")
    if len(shape) not in (2, 3):
        raise OpError(f"{call} : expected a tensor with 3 or 4 dimensions, but got {len(shape) + 1}")
    expected, words = (n_fft // 2 + 1, "n_fft / 2 + 1") if onesided else (n_fft, "n_fft")
    if shape[-2] != expected:
        raise OpError(
            f"{call} : expected the frequency dimension (3rd to the last) of the input tensor to match {words} when "
            f"onesided={onesided}, but got {shape[-2]}"
        )
    if not 0 < hop <= length:
        raise OpError(f"{call} : expected 0 < hop_length <= win_length")
    if not 0 < length <= n_fft:
        raise OpError(f"{call} : expected 0 < win_length <= n_fft")


@composite
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal that ``stft`` made ``input`` of, nearest in the mean square if there is none; of ``length`` points.

    Raises ``OpError`` where windows leave a point out.
    """
    if window is None:
        modes.warn_once(
            "A window was not provided. A rectangular window will be applied.Please provide the same window used by "
            f"stft to make the inversion lossless.{SILENCE}"
        )
    hop = n_fft >> 2 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if input.dtype.category != COMPLEX:
        raise OpError(NO_PAIRS)
    call = _call(
        "istft", f"CPU{input.dtype.scalar_type}Type", input, n_fft=n_fft, hop_length=hop, win_length=width,
        window=window, center=center, normalized=normalized, onesided=onesided, length=length,
        return_complex=return_complex,
    )  # fmt: skip
    pairs = ops.view_as_real(ops.resolve_conj(input))
    rows = pairs.array.shape[wrap_dim(-3, pairs.array.ndim)]
    is_onesided = rows != n_fft if onesided is None else onesided
    _check_halves(call, input, n_fft, hop, width, is_onesided)
    if window is not None and window.array.shape != (width,):
        raise OpError(f"{call} : Invalid window shape. window has to be 1D and length of `win_length`")
    is_one = input.array.ndim == 2
    pieces = ops.view_as_complex(ops.transpose(ops.unsqueeze(pairs, 0) if is_one else pairs, 1, 2))
    if window is None:
        window = ops.ones(width, dtype=pairs.dtype)
    is_complex = window.dtype.category == COMPLEX
    if width != n_fft:
        before = (n_fft - width) // 2
        window = ops.constant_pad_nd(window, (before, n_fft - width - before))
    pieces = _pieces_back(pieces, n_fft, normalized, is_onesided, return_complex, is_complex)
    signal = _divided(call, pieces, window, hop, center, length)
    if is_one:
        signal = ops.squeeze(signal, 0)
    return _lengthened(signal, length)


def _pieces_back(
    pieces: Tensor, n_fft: int, normalized: bool, onesided: bool, return_complex: bool, complex_window: bool
) -> Tensor:
    normalization = BY_ROOT if normalized else BY_COUNT
    if return_complex:
        if onesided:
            raise OpError(ONESIDED)
        return fft_c2c(pieces, (2,), normalization, False)
    if complex_window:
        raise OpError("Complex windows are incompatible with return_complex=False")
    if not onesided:
        pieces = ops.slice_dim(pieces, 2, 0, n_fft // 2 + 1, 1)
    return fft_c2r(pieces, (2,), normalization, n_fft)


def _divided(call: str, pieces: Tensor, window: Tensor, hop: int, center: bool, length: int | None) -> Tensor:
    """Windowed pieces added up, and divided by what the squares of their windows add up to."""
    rows, count, n_fft = pieces.array.shape
    extent = n_fft + hop * (count - 1)
    pieces = ops.mul(pieces, ops.view(window, (1, 1, n_fft)))
    added = ops.windows_added(pieces, (rows, extent), 1, n_fft, hop)
    squares = ops.expand(ops.pow(window, 2), (1, count, n_fft))
    weights = ops.windows_added(squares, (1, extent), 1, n_fft, hop)
    start = n_fft // 2 if center else 0
    end = -(n_fft // 2) if center else extent
    if length is not None:
        end = start + length
    weights = ops.slice_dim(weights, 1, start, end, 1)
    if read(ops.lt(ops.min(ops.abs(weights)), SILENT)):
        raise OpError(f"{call} window overlap add min: 1\n[ CPUBoolType{{}} ]")
    return ops.div(ops.slice_dim(added, 1, start, end, 1), weights)


def _lengthened(signal: Tensor, length: int | None) -> Tensor:
    missing = 0 if length is None else length - signal.array.shape[-1]
    if missing <= 0:
        return signal
    modes.warn_once(SHORTER)
    return ops.constant_pad_nd(signal, (0, missing))
