"""``testing.assert_close``: values that are as good as equal, and what is said of those that are not."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Mapping
from math import isnan
from typing import Any, NoReturn

import numpy as np

from engine import dtypes, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, AssertedError
from engine.nn import naming
from engine.tensor import Tensor, read

TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5), dtypes.bfloat16: (1.6e-2, 1e-5), dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7), dtypes.complex64: (1.3e-6, 1e-5), dtypes.complex128: (1e-7, 1e-7),
}  # fmt: skip
"""Of dtypes: the relative and the absolute tolerance; integers are equal or not."""
_BY_PYTHON = {float: dtypes.float64, complex: dtypes.complex128}


class _Comparison:
    """One comparison with all that a call says of it; ``at`` tells where inside of containers it is."""

    def __init__(self, options: dict[str, Any], at: str = "") -> None:
        self.options, self.at = options, at

    def fail(self, text: str) -> NoReturn:
        text += f"\n\nThe failure occurred for item {self.at}" if self.at else ""
        message = self.options["msg"]
        raise AssertedError(message(text) if callable(message) else text if message is None else message)

    def inside(self, key: Any) -> _Comparison:
        return _Comparison(self.options, f"{self.at}[{key!r}]")

    def run(self, actual: Any, expected: Any) -> None:
        for kinds, compare in _PAIRS:
            if isinstance(actual, kinds) and isinstance(expected, kinds):
                compare(self, actual, expected)
                return
        if self.options["allow_subclasses"] and actual is expected is None:
            return
        raise ArgumentTypeError(
            f"No comparison pair was able to handle inputs of type {naming.class_text(actual)} and "
            f"{naming.class_text(expected)}."
        )

    def tolerances(self, *kinds: Any) -> tuple[float, float]:
        rtol, atol = self.options["rtol"], self.options["atol"]
        if rtol is not None:
            return rtol, atol
        known = [TOLERANCES.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(one[0] for one in known), max(one[1] for one in known)


# -- scalars ------------------------------------------------------------------------------------------------------
def _same(comparison: _Comparison, actual: Any, expected: Any) -> None:
    if actual is not expected:
        comparison.fail(f"None mismatch: {actual} is not {expected}")


def _booleans(comparison: _Comparison, actual: Any, expected: Any) -> None:
    if actual is not expected:
        comparison.fail(f"Booleans mismatch: {actual} is not {expected}")


def _numbers(comparison: _Comparison, actual: Any, expected: Any) -> None:
    if comparison.options["check_dtype"] and type(actual) is not type(expected):
        comparison.fail(f"The (d)types do not match: {naming.class_text(actual)} != {naming.class_text(expected)}.")
    rtol, atol = comparison.tolerances(*(_BY_PYTHON.get(type(one)) for one in (actual, expected)))
    _scalars(comparison, actual, expected, rtol, atol)


def _scalars(comparison: _Comparison, actual: Any, expected: Any, rtol: float, atol: float) -> None:
    if _is_close(actual, expected, rtol, atol, comparison.options["equal_nan"]):
        return
    is_exact = rtol == atol == 0
    difference = abs(actual - expected)
    relative = float("inf") if expected == 0 else difference / abs(expected)
    lines = [f"Scalars are not {'equal' if is_exact else 'close'}!\n", f"Expected {expected} but got {actual}."]
    for name, value, allowed in (("Absolute", difference, atol), ("Relative", relative, rtol)):
        lines.append(f"{name} difference: {value}" + ("" if is_exact else f" (up to {allowed} allowed)"))
    comparison.fail("\n".join(lines))


def _is_close(actual: Any, expected: Any, rtol: float, atol: float, equal_nan: bool) -> bool:
    if actual == expected:
        return True
    if _is_nan(actual) or _is_nan(expected):
        return equal_nan and _is_nan(actual) and _is_nan(expected)
    if cmath.isinf(actual) or cmath.isinf(expected):
        return False
    return bool(abs(actual - expected) <= atol + rtol * abs(expected))


def _is_nan(value: Any) -> bool:
    return cmath.isnan(value) if isinstance(value, complex) else isnan(value)


# -- tensors ------------------------------------------------------------------------------------------------------
def _arrays(comparison: _Comparison, actual: Any, expected: Any) -> None:
    make = registry.function("as_tensor")
    assert make is not None
    _tensors(comparison, make(actual), make(expected))


def _tensors(comparison: _Comparison, actual: Tensor, expected: Tensor) -> None:
    options = comparison.options
    asked: list[tuple[str, Callable[[Tensor], Any]]] = [("shape", lambda one: one.shape)]
    asked += [("dtype", lambda one: one.dtype)] if options["check_dtype"] else []
    asked += [("stride()", lambda one: tuple(one.geometry.stride))] if options["check_stride"] else []
    for name, ask in asked:
        if ask(actual) != ask(expected):
            comparison.fail(f"The values for attribute '{name}' do not match: {ask(actual)} != {ask(expected)}.")
    rtol, atol = comparison.tolerances(actual.dtype, expected.dtype)
    dtype = dtypes.promote_types(actual.dtype, expected.dtype)
    if not actual.ndim:
        _scalars(comparison, actual.detach().to(dtype).item(), expected.detach().to(dtype).item(), rtol, atol)
        return
    _elements(comparison, read(actual.detach().to(dtype)), read(expected.detach().to(dtype)), rtol, atol)


def _elements(comparison: _Comparison, actual: Any, expected: Any, rtol: float, atol: float) -> None:
    wide = np.int64 if actual.dtype.kind in "biu" else np.complex128 if actual.dtype.kind == "c" else np.float64
    with np.errstate(all="ignore"):
        left, right = actual.astype(wide), expected.astype(wide)
        close = np.isclose(left, right, rtol, atol, comparison.options["equal_nan"])
    if close.all():
        return
    is_exact = rtol == atol == 0
    count = int((~close).sum())
    lines = [
        f"Tensor-likes are not {'equal' if is_exact else 'close'}!\n",
        f"Mismatched elements: {count} / {close.size} ({count / close.size:.1%})",
    ]
    with np.errstate(all="ignore"):
        difference = _narrow(np.abs(left - right), actual)
        relative = difference.astype(np.float32 if wide is np.int64 else difference.dtype) / _narrow(
            np.abs(right), actual
        )
        found = (("absolute", difference, atol), ("relative", relative.astype(_ratio(actual)), rtol))
    for name, values, allowed in found:
        values = np.where(close, np.zeros((), values.dtype), values)
        place = tuple(map(int, np.unravel_index(int(np.argmax(values)), values.shape)))
        value = values[place].item()
        lines.append(
            f"Greatest {name} difference: {value} at index {place}"
            + ("" if is_exact else f" (up to {allowed} allowed)")
        )
    comparison.fail("\n".join(lines))


def _narrow(values: Any, like: Any) -> Any:
    """Differences as the dtype has them: of complex numbers, their parts."""
    return values if like.dtype.kind in "biu" else values.astype(_ratio(like))


def _ratio(like: Any) -> Any:
    return np.float32 if like.dtype.kind in "biu" or like.dtype == np.complex64 else (
        np.float64 if like.dtype == np.complex128 else like.dtype)  # fmt: skip


# -- containers ---------------------------------------------------------------------------------------------------
def _sequences(comparison: _Comparison, actual: Any, expected: Any) -> None:
    if len(actual) != len(expected):
        comparison.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
    for place, (one, other) in enumerate(zip(actual, expected, strict=True)):
        comparison.inside(place).run(one, other)


def _mappings(comparison: _Comparison, actual: Any, expected: Any) -> None:
    missing = [key for key in expected if key not in actual]
    additional = [key for key in actual if key not in expected]
    if missing or additional:
        comparison.fail(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing)}\n"
            f"Additional keys in the actual mapping: {sorted(additional)}"
        )
    for key in actual:
        comparison.inside(key).run(actual[key], expected[key])


_PAIRS: tuple[tuple[Any, Callable[[_Comparison, Any, Any], None]], ...] = (
    (type(None), _same), (bool, _booleans), ((int, float, complex), _numbers), (Tensor, _tensors),
    (np.ndarray, _arrays), (Mapping, _mappings), ((list, tuple), _sequences),
)  # fmt: skip


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: Any = None,
) -> None:  # fmt: skip
    """Nothing, where ``actual`` and ``expected`` are close. Raises ``AssertedError`` with where and by how much not."""
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ArgumentValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    options = {
        "allow_subclasses": allow_subclasses, "rtol": rtol, "atol": atol, "equal_nan": equal_nan,
        "check_dtype": check_dtype, "check_stride": check_stride, "msg": msg,
    }  # fmt: skip
    _Comparison(options).run(actual, expected)


registry.add_function("testing.assert_close", assert_close)
