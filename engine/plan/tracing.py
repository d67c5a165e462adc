"""Decompose kernels into the ufunc calls they consist of, by tracing: they run on symbols in place of arrays.

A plan that knows the ufuncs inside a kernel calls them directly, shares them between kernels, and runs them block by
block with ``out=``. A kernel that does anything else to its arrays (indexing, branching on values) stays one call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from engine.kernels.where import WORTH_IT, select
from engine.op.signature import Array
from engine.plan.recorder import Step, Value, cast_to, copy_of

RAISING = {np.power, np.float_power}  # integers to negative powers


class UntraceableError(Exception):
    """The kernel does something to its arrays that is no ufunc call."""


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for an array in a kernel: has its shape and dtype, and records the ufuncs it is given to."""

    def __init__(self, value: Value, steps: list[Step]) -> None:
        self.value = value
        self._steps = steps

    dtype = property(lambda self: self.value.dtype)
    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: len(self.value.shape))
    size = property(lambda self: self.value.size)
    nbytes = property(lambda self: self.value.nbytes)

    @property
    def real(self) -> Symbol:
        """Real arrays are their own real part."""
        return self._real()

    def _real(self) -> Symbol:
        if self.value.dtype.kind == "c":
            raise UntraceableError
        return self

    def conj(self) -> Any:
        """The complex conjugate; real arrays are their own."""
        return self if self.value.dtype.kind in "fiu" else np.conjugate(self)

    conjugate = conj

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Symbol:
        """Record a cast."""
        target = np.dtype(dtype)
        if not copy and target == self.value.dtype:
            return self
        if self.value.dtype.kind == "c" and target.kind != "c":
            raise UntraceableError  # NumPy warns
        return self._made(cast_to, (self.value, target), target)

    def copy(self, order: str = "C") -> Symbol:
        """Record a copy; of contiguous arrays only, for others the layout would be unknown."""
        if not self.value.is_contiguous:
            raise UntraceableError
        return self._made(copy_of, (self.value, order), self.value.dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Symbol:
        (target,) = kwargs.pop("out", (None,))
        if ufunc is np.add and method == "reduce" and target is None:
            return self.total(*inputs, **{"axis": 0, **kwargs})
        dtype = kwargs.pop("dtype", None)
        if method != "__call__" or kwargs or ufunc.nout != 1 or ufunc.signature is not None:
            raise UntraceableError
        args = tuple(map(_argument, inputs))
        if dtype is not None:
            return self._made(ufunc, args, np.dtype(dtype), {"dtype": np.dtype(dtype)})
        *wanted, dtype = _resolved(ufunc, *map(_dtype, args))
        if ufunc in RAISING and dtype.kind in "iu":
            raise UntraceableError
        arrays = tuple(_array(arg, one) for arg, one in zip(args, wanted, strict=True))
        if _resolved(ufunc, *map(_dtype, arrays)) == (*wanted, dtype):
            args = arrays  # numbers as arrays: NumPy converts them at every call
        result = self._made(ufunc, args, dtype)
        return result if target is None else target.overwritten(result)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        noted = _FUNCTIONS.get(function)
        if noted is None:
            raise UntraceableError
        return noted(self, *args, **kwargs)

    def overwritten(self, result: Symbol) -> Symbol:
        """Stand for ``result`` from now on, which was written here; returns itself."""
        if type(self) is not Symbol or self.value.dtype != result.dtype or self.value.shape != result.shape:
            raise UntraceableError
        self.value = result.value
        return self

    def where(self, condition: Any, chosen: Any, other: Any) -> Symbol:
        """Record ``np.where``; for large arrays ``select``, which gives the same faster."""
        args = tuple(map(_argument, (condition, chosen, other)))
        dtype = np.result_type(*(arg.dtype if isinstance(arg, Value) else arg for arg in args[1:]))
        found = self._made(np.where, args, dtype)
        if found.size >= WORTH_IT and _dtype(args[0]) == np.bool_ and all(_yields(arg, dtype) for arg in args[1:]):
            step = self._steps[-1]
            step.call, step.args = select, (args[0], *(_array(arg, dtype) for arg in args[1:]))
        return found

    def total(self, array: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Symbol:
        """Record ``np.sum`` over all axes."""
        value = array.value
        if keepdims or dtype != value.dtype or axis not in (None, tuple(range(len(value.shape)))):
            raise UntraceableError
        result = Value((), value.dtype, (), value.depends)
        self._steps.append(Step(total_of, (value,), (result,), {}))
        return Symbol(result, self._steps)

    def _made(
        self, call: Callable[..., Any], args: tuple[Any, ...], dtype: np.dtype[Any], named: dict[str, Any] | None = None
    ) -> Symbol:  # fmt: skip
        values = [arg for arg in args if isinstance(arg, Value)]
        shape = np.broadcast_shapes(*[value.shape for value in values])
        plain = all(value.is_contiguous for value in values)
        result = Value(shape, dtype, _contiguous(shape, dtype) if plain else None, any(v.depends for v in values))
        self._steps.append(Step(call, args, (result,), named or {}, elementwise=True))
        return Symbol(result, self._steps)


def total_of(array: Array) -> Any:
    """Return the sum of all elements, in their dtype."""
    return np.add.reduce(array, None, array.dtype)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: Symbol.where,
    np.sum: Symbol.total,
    np.real: lambda symbol, array: array.real,
}


def _yields(argument: Any, dtype: np.dtype[Any]) -> bool:
    """Whether an operand is of ``dtype``, or a Python number."""
    return not isinstance(argument, Value | np.generic) or argument.dtype == dtype


def _array(argument: Any, dtype: np.dtype[Any]) -> Value:
    return argument if isinstance(argument, Value) else Value.known(np.asarray(argument, dtype))


def _contiguous(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    strides, step = [], dtype.itemsize
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


@lru_cache(10_000)
def _resolved(ufunc: np.ufunc, *operands: Any) -> tuple[np.dtype[Any], ...]:
    """Return the dtypes in which a ufunc computes: of the operands, and of the result."""
    return ufunc.resolve_dtypes((*operands, None))


def _argument(given: Any) -> Any:
    """A symbol's value, or what was given beside symbols: a number, or a constant array."""
    if isinstance(given, Symbol):
        return given.value
    if isinstance(given, np.ndarray):
        return Value.known(given)
    if isinstance(given, bool | int | float | complex | np.generic):
        return given
    raise UntraceableError


def _dtype(argument: Any) -> Any:
    """As ``ufunc.resolve_dtypes`` wants it: Python numbers by their type."""
    if isinstance(argument, Value | np.generic):
        return argument.dtype
    return np.dtype(np.bool_) if isinstance(argument, bool) else type(argument)


def decomposed(step: Step) -> tuple[list[Step], dict[Value, Value]]:
    """Return the ufunc calls that ``step`` consists of, and what its results are called there; else the step itself."""
    steps: list[Step] = []
    symbols = {value: Symbol(value, steps) for value in step.operands()}
    try:
        named = {name: symbols[arg] if isinstance(arg, Value) else arg for name, arg in step.named.items()}
        given = step.call(*[symbols[arg] if isinstance(arg, Value) else arg for arg in step.args], **named)
        outputs = given if step.many else (given,)
        return _checked(step, steps, outputs)
    except Exception:  # whatever a kernel may raise that meets something else than an array
        return [step], {}


def _checked(step: Step, steps: list[Step], outputs: Any) -> tuple[list[Step], dict[Value, Value]]:
    """Return the trace, if its results are like those of the recorded run; raises ``UntraceableError``."""
    names: dict[Value, Value] = {}
    made = {value for one in steps for value in one.results}
    for output, result in zip(outputs, step.results, strict=True):
        value = output.value
        same_layout = value in made or value.strides == result.strides
        if value.shape != result.shape or value.dtype != result.dtype or not same_layout:
            raise UntraceableError
        value.strides = result.strides
        names[result] = value
    for one in steps:
        one.op = step.op
    return steps, names
