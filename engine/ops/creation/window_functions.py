"""Windows for spectra: those of ``torch`` (periodic unless told) and of ``torch.signal.windows`` (symmetric).

Formulas are those of Harris (1978); Nuttall's is of Nuttall (1981), Kaiser's of Kaiser and Schafer (1980).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import dtypes, modes
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.op import Array, primitive
from engine.ops.creation.factories import factory
from engine.tensor import Tensor

BLACKMAN = (0.42, 0.5, 0.08)
NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)


# -- kernels ------------------------------------------------------------------------------------------------------
def _turns(length: int, symmetric: bool) -> Array:
    """Where the places of a window lie between 0 and 1."""
    return np.arange(length) / max(length - symmetric, 1)


def _cosines(places: Array, shares: Sequence[float]) -> Array:
    """Cosines of ascending frequencies with alternating signs."""
    terms = [(-1) ** order * share * np.cos(2 * pi * order * places) for order, share in enumerate(shares)]
    return np.sum(terms, axis=0)


def _kaiser(places: Array, beta: float) -> Array:
    return np.asarray(
        scipy.special.i0(beta * np.sqrt(np.maximum(1 - (2 * places - 1) ** 2, 0))) / scipy.special.i0(beta)
    )


SHAPES: dict[str, Callable[..., Array]] = {
    "bartlett": lambda places: 1 - np.abs(2 * places - 1), "cosines": _cosines, "kaiser": _kaiser,
    "sine": lambda places, length, symmetric: np.sin(pi * (np.arange(length) + 0.5) / (length + 1 - symmetric)),
    "exponential": lambda places, offsets, tau: np.exp(-np.abs(offsets) / tau),
    "gaussian": lambda places, offsets, std: np.exp(-0.5 * (offsets / std) ** 2),
}  # fmt: skip


@primitive(public=False, grows=lambda length: length, scratch=lambda length: 12 * length)
def window(length: int, symmetric: bool, shape: str, settings: Any, dtype: DType) -> Array:
    """A window of this shape. One of one element is 1."""
    if length < 2:
        return np.ones(length, dtype.numpy)
    places = _turns(length, symmetric)
    arguments = list(settings)
    if shape in ("exponential", "gaussian"):
        centre = (length - symmetric) / 2 if settings[0] is None else settings[0]
        arguments[0] = np.arange(length) - centre
    elif shape == "sine":
        arguments = [length, symmetric]
    return SHAPES[shape](places, *arguments).astype(dtype.numpy)


# -- of torch -----------------------------------------------------------------------------------------------------
def _periodic(name: str, length: int, periodic: Any, shape: str, settings: Any, dtype: DType | None) -> Tensor:
    """A window as ``torch`` has it."""
    kind = modes.get_default_dtype() if dtype is None else dtype
    if not kind.is_floating_point and not kind.is_complex:
        raise OpError(
            f"{name} expects floating point dtypes, got: TensorOptions(dtype={kind.c_name}, device=cpu, "
            "layout=Strided (default), requires_grad=false (default), pinned_memory=false, memory_format=(nullopt))"
        )
    if kind.is_complex:
        raise UnsupportedError(f"\"arange_cpu\" not implemented for '{kind.scalar_type}'")
    if length < 0:
        raise OpError(f"{name} requires non-negative window_length, got window_length={length}")
    return window(length, not periodic, shape, settings, kind)


@factory
def bartlett_window(window_length: int, periodic: bool = True, *, dtype: DType | None = None) -> Tensor:
    """A triangle from 0 to 1 and back."""
    return _periodic("bartlett_window", window_length, periodic, "bartlett", (), dtype)


@factory
def hann_window(window_length: int, periodic: bool = True, *, dtype: DType | None = None) -> Tensor:
    """A squared sine."""
    return _periodic("hann_window", window_length, periodic, "cosines", ((0.5, 0.5),), dtype)


@factory
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: DType | None = None
) -> Tensor:
    """``alpha - beta cos(2 pi n / N)``."""
    return _periodic("hamming_window", window_length, periodic, "cosines", ((alpha, beta),), dtype)


@factory
def blackman_window(window_length: int, periodic: bool = True, *, dtype: DType | None = None) -> Tensor:
    """A sum of three cosines."""
    return _periodic("blackman_window", window_length, periodic, "cosines", (BLACKMAN,), dtype)


@factory
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: DType | None = None
) -> Tensor:
    """Kaiser's approximation of the window with the most energy in its main lobe."""
    return _periodic("kaiser_window", window_length, periodic, "kaiser", (beta,), dtype)


# -- of torch.signal.windows --------------------------------------------------------------------------------------
def _symmetric(name: str, length: Any, sym: bool, shape: str, settings: Any, dtype: DType | None) -> Tensor:
    """A window as ``torch.signal.windows`` has it."""
    kind = modes.get_default_dtype() if dtype is None else dtype
    if length < 0:
        raise ArgumentValueError(f"{name} requires non-negative window length, got M={length}")
    if kind not in (dtypes.float32, dtypes.float64):
        raise ArgumentValueError(f"{name} expects float32 or float64 dtypes, got: {kind}")
    return window(length, sym, shape, settings, kind)


@factory(name="signal.windows.bartlett")
def _bartlett(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """A triangle from 0 to 1 and back."""
    return _symmetric("bartlett", M, sym, "bartlett", (), dtype)


@factory(name="signal.windows.blackman")
def _blackman(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """A sum of three cosines."""
    return _symmetric("blackman", M, sym, "cosines", (BLACKMAN,), dtype)


@factory(name="signal.windows.cosine")
def _cosine(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """Half a turn of a sine."""
    return _symmetric("cosine", M, sym, "sine", (), dtype)


@factory(name="signal.windows.exponential")
def _exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: DType | None = None
) -> Tensor:
    """``exp(-|n - center| / tau)``."""
    if tau <= 0:
        raise ArgumentValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ArgumentValueError("Center must be None for symmetric windows")
    return _symmetric("exponential", M, sym, "exponential", (center, tau), dtype)


@factory(name="signal.windows.gaussian")
def _gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """A normal density, with 1 in its middle."""
    if std <= 0:
        raise ArgumentValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _symmetric("gaussian", M, sym, "gaussian", (None, std), dtype)


@factory(name="signal.windows.general_cosine")
def _general_cosine(M: int, *, a: Any, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """Cosines of ascending frequencies with the shares ``a`` and alternating signs."""
    if not isinstance(a, list | tuple):
        raise ArgumentTypeError("Coefficients must be a list/tuple")
    if not a:
        raise ArgumentValueError("Coefficients cannot be empty")
    return _symmetric("general_cosine", M, sym, "cosines", (tuple(a),), dtype)


@factory(name="signal.windows.general_hamming")
def _general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """``alpha - (1 - alpha) cos(2 pi n / N)``."""
    return _symmetric("general_cosine", M, sym, "cosines", ((alpha, 1 - alpha),), dtype)


@factory(name="signal.windows.hamming")
def _hamming(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """``0.54 - 0.46 cos(2 pi n / N)``."""
    return _symmetric("general_cosine", M, sym, "cosines", ((0.54, 0.46),), dtype)


@factory(name="signal.windows.hann")
def _hann(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """A squared sine."""
    return _symmetric("general_cosine", M, sym, "cosines", ((0.5, 0.5),), dtype)


@factory(name="signal.windows.kaiser")
def _kaiser_symmetric(M: int, *, beta: float = 12.0, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """Kaiser's approximation of the window with the most energy in its main lobe."""
    if beta < 0:
        raise ArgumentValueError(f"beta must be non-negative, got: {beta} instead.")
    return _symmetric("kaiser", M, sym, "kaiser", (beta,), dtype)


@factory(name="signal.windows.nuttall")
def _nuttall(M: int, *, sym: bool = True, dtype: DType | None = None) -> Tensor:
    """A sum of four cosines with low side lobes."""
    return _symmetric("general_cosine", M, sym, "cosines", (NUTTALL,), dtype)
