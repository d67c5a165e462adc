"""Record the kernel runs of a program as steps over values, so that they can be replayed on other arrays.

While a recorder is active (``modes.State.recorder``), the call path reports every kernel run, every copy made beside
one and every write. Arrays are told apart by identity: what no step made and no input is does not depend on the
inputs, for outside of kernels nothing but ``tensor.read`` looks at values, and that ends the recording. So does
whatever else a replay could not repeat; the run itself goes on and is not affected.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine import modes, strides
from engine.errors import ArgumentValueError
from engine.op.rules import AskedByName
from engine.op.signature import Array
from engine.tensor import Tensor, values

CLOCK = object()  # stands for the clock of a replay among the arguments of a step


class Value:
    """One array of a run, without its elements: shape, dtype, layout, and whose memory it looks into (``root``).

    ``depends`` says whether it depends on an input; a ``constant`` is an array that was there before the run.
    """

    __slots__ = ("constant", "depends", "dtype", "root", "shape", "strides")

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], strides: tuple[int, ...] | None, depends: bool = True
    ) -> None:
        self.shape, self.dtype, self.strides = shape, dtype, strides
        self.depends = depends
        self.root: Value = self
        self.constant: Array | None = None

    @classmethod
    def of(cls, array: Array, depends: bool = True) -> Value:
        """Return what is known of ``array``."""
        return cls(array.shape, array.dtype, array.strides, depends)

    @classmethod
    def known(cls, array: Array) -> Value:
        """Return a constant over ``array``, which it owns from now on."""
        value = cls.of(array, False)
        value.constant = array
        return value

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def nbytes(self) -> int:
        """The bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements are known to lie in C order without gaps."""
        if self.strides is None:
            return False
        expected = self.dtype.itemsize
        for extent, step in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if extent != 1 and step != expected:
                return 0 in self.shape
            expected *= extent
        return True


@dataclass(slots=True, eq=False)
class Step:
    """One call of a replay. ``args`` and ``named`` hold values, lists of them, and static arguments.

    ``keep``: it may refuse some values, so it must run even if nothing needs what it returns. ``elementwise``: each
    element of the result is made of the elements at its place; such a step runs block by block.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    results: tuple[Value, ...]
    named: dict[str, Any]
    op: Any = None
    many: bool = False
    keep: bool = False
    elementwise: bool = False

    def operands(self) -> Iterator[Value]:
        """Yield the values that go in."""
        for argument in (*self.args, *self.named.values()):
            if isinstance(argument, Value):
                yield argument
            elif type(argument) is list:
                yield from (item for item in argument if isinstance(item, Value))


# -- what is done beside kernels ----------------------------------------------------------------------------------
def cast_to(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return the elements in another dtype."""
    return array.astype(dtype)


def copy_of(array: Array, order: Any) -> Array:
    """Return a copy, in memory ``order``."""
    return np.array(array, order=order)


def copy_at(array: Array, stride: tuple[int, ...]) -> Array:
    """A copy, at strides in elements."""
    return strides.copied(array, stride)


def laid_at(array: Array, stride: tuple[int, ...]) -> Array:
    """The elements at other strides: a copy if it must be."""
    return strides.relaid(array, stride)


def written(array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return what a buffer of that shape and dtype holds once ``array`` was written to all of it."""
    buffer = np.empty(shape, dtype)
    np.copyto(buffer, array, casting="unsafe")
    return buffer


def buffer_of(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return the whole buffer as a 1-d view in memory order, as ``Storage.flat`` gives it."""
    return array.ravel(order="K").view(dtype)


def _is_data_dependent(op: Any, arrays: Sequence[Any]) -> bool:
    """Whether values decide on the shape of the result."""
    depends = op.nature.data_dependent
    if isinstance(depends, bool):
        return depends
    return bool(AskedByName(depends)({param.name: arrays[param.index] for param in op.signature.params}))


class Recorder:
    """Active inside ``with``. ``inputs`` are the arrays that a replay will get others for."""

    def __init__(self, inputs: Sequence[Array]) -> None:
        self.inputs = [Value.of(array) for array in inputs]
        self.steps: list[Step] = []
        self.reason = ""
        self.spent = 0
        self._kept = list(inputs)  # and constants: an identity means nothing once its object is gone
        self._values: dict[int, tuple[weakref.ref[Array], Value]] = {}
        self._sharing: dict[Value, list[weakref.ref[Array]]] = {}
        for array, value in zip(inputs, self.inputs, strict=True):
            if self._find(array) is not None:
                raise ArgumentValueError("two inputs of a plan are one array")
            self._enter(array, value)

    def __enter__(self) -> Recorder:
        modes.report_to(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if modes.current().recorder is self:
            modes.report_to(None)

    @property
    def is_eager(self) -> bool:
        """Whether the run did something that cannot be replayed; ``reason`` says what."""
        return bool(self.reason)

    def give_up(self, reason: str) -> None:
        """Stop recording: ``reason`` is what the run did that cannot be replayed."""
        self.reason = self.reason or reason
        self.__exit__()
        self.steps, self._kept = [], []
        self._values, self._sharing = {}, {}

    # -- what the call path reports ---------------------------------------------------------------------------------
    def ran(
        self, op: Any, tensors: Sequence[Any], arrays: Sequence[Any], raw: Sequence[Array], results: Sequence[Array]
    ) -> None:
        """Record a run of a kernel on ``arrays``, made of ``tensors``, that gave ``raw``, cast to ``results``."""
        arguments = self._arguments(op, tensors, arrays)
        split = len(arguments) - len(op.keyword_only)
        step = Step(op.kernel, tuple(arguments[:split]), (), {}, op, op.has_many, not op.is_total)
        step.elementwise = op.nature.pointwise and op.is_total and not op.has_lists
        step.named = {param.name: arguments[param.index] for param in op.keyword_only}
        operands = list(step.operands())
        if op.nature.random or (any(value.depends for value in operands) and _is_data_dependent(op, arrays)):
            self.give_up(f"{op.name}: what it gives is not a function of the shapes and values of its inputs")
            return
        step.results = tuple([self._result(op, array, arrays, operands) for array in raw])
        self.steps.append(step)
        for before, after in zip(raw, results, strict=True):
            if after is not before:
                self._note(cast_to, (self.value_of(before), after.dtype), after)
        if not op.nature.view:
            self.spent += sum(result.nbytes for result in results)

    def copied(self, source: Array, copy: Array) -> None:
        """Record a copy that was made beside a kernel."""
        if not strides.is_odd(copy.shape, copy.strides, copy.itemsize):
            self._note(copy_of, (self.value_of(source), "C"), copy)
        else:
            self._note(copy_at, (self.value_of(source), strides.steps_of(copy)), copy)

    def relaid(self, source: Array, result: Array) -> None:
        """Record that the elements of ``source``, which nobody has any more, were laid out otherwise."""
        value = self.value_of(source)
        shares = np.may_share_memory(source, result)
        self._note(laid_at, (value, strides.steps_of(result)), result, value.root if shares else None)

    def applied(self, ufunc: np.ufunc, source: Array, result: Array) -> None:
        """Record that a ufunc was applied beside a kernel."""
        value = self.value_of(source)
        self._note(ufunc, (value,), result)
        step = self.steps[-1]
        step.elementwise = value.is_contiguous
        if source.dtype != result.dtype:
            step.named = {"dtype": result.dtype}

    def wrote(self, target: Array, source: Array) -> None:
        """Record that all of ``target`` is about to be overwritten by ``source``, broadcast and cast."""
        value = self._find(target)
        if value is None or value.constant is not None or not self._may_write(target, value):
            self.give_up("a write to a tensor from outside")
        elif not target.flags.c_contiguous or self._is_shared(target, value):
            self.give_up("a write to memory that is seen otherwise, too")
        else:
            self._note(written, (self.value_of(source), target.shape, target.dtype), target)

    def stepping(self, optimizer: Any, is_plain: bool) -> AbstractContextManager[bool]:
        """What holds while an optimiser takes a step, by its own code alone if ``is_plain``; whether it takes it."""
        return nullcontext(True)

    def pulling(self, node: Any) -> None:
        """Nothing to record of a node's rules: their kernels are."""

    def pulled(self, node: Any, edges: Sequence[Any], cotangents: Sequence[Tensor | None]) -> None:
        """Nothing to record here, either."""

    def _may_write(self, target: Array, value: Value) -> bool:
        """Whether a replay can do without the write to ``target``, for it belongs to this run alone."""
        return value not in self.inputs

    def asked_version(self) -> None:
        """Note that Python looked at a version counter: in a run over nothing older it is always the same."""

    def read(self, array: Array) -> None:
        """Give up if ``array``, whose elements Python looks at, depends on an input."""
        value = self._find(array)
        if value is not None and value.depends:
            self.give_up("values were read outside of a kernel")

    # -- values -----------------------------------------------------------------------------------------------------
    def value_of(self, array: Array) -> Value:
        """Return the value that stands for ``array``; a constant if it is not of this run."""
        value = self._find(array)
        return self._unknown(array) if value is None else value

    def _unknown(self, array: Array) -> Value:
        """Return a value for an array that no step made and that is no input: a constant."""
        value = Value.known(strides.relaid(array.copy(order="K"), strides.steps_of(array)))
        if not array.flags.forc:
            self.give_up("a constant with gaps or overlaps in memory")
        self._kept.append(array)
        self._enter(array, value)
        return value

    def _find(self, array: Array) -> Value | None:
        known = self._values.get(id(array))
        return known[1] if known is not None and known[0]() is array else None

    def _enter(self, array: Array, value: Value) -> None:
        reference = weakref.ref(array)
        self._values[id(array)] = reference, value
        self._sharing.setdefault(value.root, []).append(reference)

    def _is_shared(self, target: Array, value: Value) -> bool:
        others = (reference() for reference in self._sharing[value.root])
        return any(other is not None and other is not target for other in others)

    def _note(self, call: Callable[..., Any], args: tuple[Any, ...], result: Array, root: Value | None = None) -> None:
        value = Value.of(result, args[0].depends)
        value.root = root or value
        self.steps.append(Step(call, args, (value,), {}))
        self._enter(result, value)

    def _result(self, op: Any, array: Array, arrays: Sequence[Any], operands: list[Value]) -> Value:
        value = Value.of(array, any(operand.depends for operand in operands))
        given = (item for argument in arrays for item in (argument if type(argument) is list else [argument]))
        sources = [item for item in given if isinstance(item, np.ndarray)]
        for source, operand in zip(sources, operands, strict=False):
            if array is source or np.may_share_memory(array, source):
                value.root = operand.root
        self._enter(array, value)
        return value

    def _arguments(self, op: Any, tensors: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        arguments = list(arrays)
        for param in op.tensors:
            tensor, array = tensors[param.index], arrays[param.index]
            if type(array) is list:
                arguments[param.index] = [self._operand(op, *pair) for pair in zip(tensor, array, strict=True)]
            elif array is not None:
                arguments[param.index] = self._operand(op, tensor, array)
        for param in op.tensors if op.arguments.layout_only else ():
            if param.name in op.arguments.layout_only:
                arguments[param.index] = Value.known(np.empty_like(arrays[param.index]))
        for param in op.statics:
            self._check_static(arguments[param.index])
        return arguments

    def _operand(self, op: Any, tensor: Any, array: Array) -> Value:
        """Return the value of the kernel's argument ``array``: the tensor's own, or made from it by the call path."""
        if not isinstance(tensor, Tensor):
            return Value.known(array)
        if array is tensor.array or self._find(array) is not None:
            return self.value_of(array)
        if tensor.is_weak:
            return Value.known(np.array(array))
        if op.nature.reads_storage:
            source = self.value_of(tensor.storage.array)
            self._note(buffer_of, (source, array.dtype), array)
            self.value_of(array).root = source.root
        else:
            self._note(cast_to, (self.value_of(values(tensor)), array.dtype), array)
        return self.value_of(array)

    def _check_static(self, argument: Any) -> None:
        if isinstance(argument, Tensor):
            self.read(argument.array)
        elif isinstance(argument, tuple | list):
            for item in argument:
                self._check_static(item)
