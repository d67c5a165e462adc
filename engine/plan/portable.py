"""Small plans as plain data, for another process: names of what is called, static arguments, slots and constants.

What is called is a ufunc, the kernel of an op, or a helper of the recorder, each by its name; nothing else has a name,
so nothing else can be asked for. Who receives a plan checks every part of it, and how much work it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from keyword import iskeyword
from math import prod
from typing import Any, Final

import numpy as np
import scipy  # loads what is used of it when it is

from engine import dtypes, registry
from engine.dtypes import DType
from engine.kernels.where import select
from engine.op.signature import Array
from engine.plan.plan import Graph, Plan, laid_out, reach
from engine.plan.recorder import Step, Value, buffer_of, cast_to, copy_at, copy_of, laid_at, written
from engine.plan.tracing import total_of

Data = dict[str, Any]  # of numbers, strings, bytes, ``None`` and lists of these

SMALL_WORK: Final = 60_000  # about what one thread does in a quarter of a millisecond, beside the calls themselves
MOST_STEPS: Final = 400
MOST_BYTES: Final = 2**16  # of all constants
DEEPEST: Final = 4  # lists within lists, of an argument
DIMENSIONS: Final = 64  # NumPy's
STEP_WORK: Final = 100  # what a call costs that computes next to nothing, in elements


class MalformedPlan(Exception):
    """Not the data of a plan, or of one that is too large."""


class NotPortable(Exception):
    """A plan that has something in it which is no plain data."""


def _ufuncs(module: Any) -> dict[str, Callable[..., Any]]:
    return {name: item for name, item in vars(module).items() if isinstance(item, np.ufunc)}


_HELPERS: Final = (buffer_of, cast_to, copy_at, copy_of, laid_at, select, total_of, written)


@cache
def _calls() -> Mapping[str, Callable[..., Any]]:
    """Names to what a plan may call beside the kernels of ops; each costs as much as it has elements."""
    return (
        {f"scipy.{name}": ufunc for name, ufunc in _ufuncs(scipy.special).items()}
        | {f"numpy.{name}": ufunc for name, ufunc in _ufuncs(np).items()}
        | {"numpy.where": np.where}
        | {f"plan.{helper.__name__}": helper for helper in _HELPERS}
    )


@cache
def _names() -> Mapping[int, str]:
    return {id(call): name for name, call in _calls().items()}


# -- how much work ------------------------------------------------------------------------------------------------
def is_small(graph: Graph) -> bool:
    """Whether a replay takes so little time that nobody has to wait for it: by its shapes, whatever the values."""
    constants = {id(value): value for step in graph.steps for value in step.operands() if value.constant is not None}
    return (
        len(graph.steps) <= MOST_STEPS
        and sum(value.nbytes for value in constants.values()) <= MOST_BYTES
        and sum(map(_work, graph.steps)) <= SMALL_WORK
    )


def _work(step: Step) -> float:
    """Return about how many elements are touched, in units of a sum's.

    Kernels may do with n elements what takes n ** 1.5 steps, as products and decompositions of square matrices do; a
    step of these is a small part of a unit.
    """
    size = sum(value.size for value in (*step.operands(), *step.results))
    name = _names().get(id(step.call))
    work: float = size**1.5 / 16 if name is None else size * (5 if name.startswith("scipy.") else 1)
    return STEP_WORK * (1 + len(step.results) / 5) + work


# -- out ------------------------------------------------------------------------------------------------------------
def to_data(plan: Plan) -> Data | None:
    """Return a small plan as plain data; ``None`` where it is not small, or has what cannot be written down."""
    graph = plan.graph
    if not is_small(graph):
        return None
    writer = _Writer(graph)
    try:
        return writer.data()
    except NotPortable:
        return None


class _Writer:
    """Numbers the values of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._slots: dict[Value, int] = {}
        self._values: list[Any] = []
        self._constants: list[Any] = []

    def data(self) -> Data:
        graph = self._graph
        inputs = [self._slot(value) for value in graph.inputs]
        steps = [self._step(step) for step in graph.steps]
        outputs = [self._slot(value) for value in graph.outputs]
        return {
            "values": self._values, "constants": self._constants, "inputs": inputs, "steps": steps,
            "outputs": outputs, "copied": list(graph.copied), "spent": graph.spent,
        }  # fmt: skip

    def _slot(self, value: Value) -> int:
        slot = self._slots.get(value)
        if slot is None:
            slot = self._slots[value] = len(self._slots)
            if any(extent > SMALL_WORK for extent in value.shape):  # beside one of 0
                raise NotPortable
            constant = None if value.constant is None else self._constant(value.constant)
            self._values.append([list(value.shape), _dtype_name(value.dtype), constant, _layout(value)])
        return slot

    def _constant(self, array: Array) -> int:
        self._constants.append(array.tobytes())
        return len(self._constants) - 1

    def _step(self, step: Step) -> list[Any]:
        op = None if step.op is None else str(step.op.name)
        if op is not None and registry.find_op(op) is not step.op:
            raise NotPortable
        name = _names().get(id(step.call))
        if name is None:
            if op is None or step.call is not step.op.kernel:
                raise NotPortable
            name = f"op.{op}"
        named = {key: self._argument(value) for key, value in step.named.items()}
        args = [self._argument(argument) for argument in step.args]
        return [name, args, named, [self._slot(value) for value in step.results], step.many, op]

    def _argument(self, argument: Any) -> Any:
        if argument is None or type(argument) in (bool, str, float):
            return argument
        if type(argument) is int and -(2**63) <= argument < 2**63:
            return argument
        if isinstance(argument, Value):
            return ["value", self._slot(argument)]
        if type(argument) in (list, tuple):
            return ["list" if type(argument) is list else "tuple", *map(self._argument, argument)]
        if isinstance(argument, slice):
            return ["slice", *map(self._argument, (argument.start, argument.stop, argument.step))]
        if isinstance(argument, complex):
            return ["complex", argument.real, argument.imag]
        if isinstance(argument, np.dtype):
            return ["dtype", _dtype_name(argument)]
        if isinstance(argument, DType):
            return ["torch.dtype", argument.name]
        if argument is Ellipsis:
            return ["ellipsis"]
        raise NotPortable


def _layout(value: Value) -> list[int] | None:
    """Return the strides of a value, unless they are those of a C array. What is read backwards is not portable."""
    strides = value.strides
    if strides is None or strides == _packed(value.shape, value.dtype):
        return None
    if min(strides) < 0 or reach(value.shape, strides, value.dtype) > MOST_BYTES:
        raise NotPortable
    return list(strides)


def _packed(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return the strides of a C array."""
    return np.empty(shape, dtype).strides


def _dtype_name(dtype: np.dtype[Any]) -> str:
    try:
        return dtypes.of(np.empty(0, dtype)).name
    except KeyError:
        raise NotPortable from None


# -- in -------------------------------------------------------------------------------------------------------------
def from_data(data: Any) -> Plan:
    """Return the plan that ``to_data`` wrote. Raises ``MalformedPlan`` for all else, and for what is not small."""
    try:
        graph = _Reader(data).graph()
        if is_small(graph):
            return Plan(graph)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedPlan(f"{type(error).__name__}: {error}") from error
    raise MalformedPlan("a plan that is not small")


class _Reader:
    """Builds a graph of data; a value is made by one step, an input or a constant, before it is used."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._constants = [_bytes(raw) for raw in data["constants"]]
        self._values = [self._value(*one) for one in data["values"]]
        self._known: set[int] = set()

    def graph(self) -> Graph:
        data = self._data
        inputs = [self._made(slot) for slot in data["inputs"]]
        for slot, value in enumerate(self._values):
            if value.constant is not None:
                self._known.add(slot)
        steps = [self._step(*step) for step in data["steps"]]
        outputs = [self._used(slot) for slot in data["outputs"]]
        copied = [bool(flag) for flag in data["copied"]]
        if len(copied) != len(outputs):
            raise ValueError("outputs without a word on copies")
        return Graph(inputs, steps, outputs, copied, int(data["spent"]))

    def _value(self, shape: Any, dtype_name: Any, constant: Any, strides: Any) -> Value:
        extents = tuple([_extent(extent) for extent in shape])
        if len(extents) > DIMENSIONS or prod(extents) > SMALL_WORK:
            raise ValueError("a value that is not small")
        dtype = dtypes.by_name(dtype_name).numpy
        layout = _packed(extents, dtype) if strides is None else tuple([_index(stride) for stride in strides])
        if len(layout) != len(extents) or reach(extents, layout, dtype) > MOST_BYTES * dtype.itemsize:
            raise ValueError("strides that do not fit")
        value = Value(extents, dtype, layout)
        if constant is not None:
            raw = self._constants[_index(constant)]
            if len(raw) != prod(extents) * dtype.itemsize:
                raise ValueError("a constant of another size than its shape")
            value.constant = laid_out(np.frombuffer(raw, dtype).reshape(extents), layout)
            value.depends = False
        return value

    def _made(self, slot: Any) -> Value:
        value = self._values[_index(slot)]
        if slot in self._known or value.constant is not None:
            raise ValueError("a value that is made twice")
        self._known.add(slot)
        return value

    def _used(self, slot: Any) -> Value:
        value = self._values[_index(slot)]
        if slot not in self._known:
            raise ValueError("a value that is used before it is made")
        return value

    def _step(self, name: str, args: Any, named: Any, results: Any, many: Any, op_name: Any) -> Step:
        op = None if op_name is None else registry.op(op_name)
        kind, _, rest = name.partition(".")
        call = registry.op(rest).kernel if kind == "op" else _calls()[name]
        given = tuple([self._argument(argument) for argument in args])
        options = {_identifier(key): self._argument(value) for key, value in named.items()}
        made = tuple([self._made(slot) for slot in results])
        if not made:
            raise ValueError("a step that makes nothing")
        return Step(call, given, made, options, op, bool(many), keep=True)

    def _argument(self, argument: Any, depth: int = 0) -> Any:
        if argument is None or type(argument) in (bool, str, float, int):
            return argument
        if depth > DEEPEST:
            raise ValueError("an argument that is nested too deeply")
        kind, *parts = argument
        match kind, parts:
            case "value", [slot]:
                return self._used(slot)
            case (("list" | "tuple"), items):
                found = [self._argument(item, depth + 1) for item in items]
                return found if kind == "list" else tuple(found)
            case "slice", [start, stop, step]:
                return slice(*(self._argument(part, depth + 1) for part in (start, stop, step)))
            case "complex", [float(), float()]:
                return complex(*parts)
            case "dtype", [name]:
                return dtypes.by_name(name).numpy
            case "torch.dtype", [name]:
                return dtypes.by_name(name)
            case "ellipsis", []:
                return Ellipsis
        raise ValueError("an argument of no known kind")


def _bytes(raw: Any) -> bytes:
    if type(raw) is not bytes:
        raise TypeError("a constant that is not bytes")
    return raw


def _index(slot: Any) -> int:
    if type(slot) is not int or slot < 0:
        raise TypeError("a slot that is not a number")
    return slot


def _extent(extent: Any) -> int:
    if type(extent) is not int or not 0 <= extent <= SMALL_WORK:
        raise ValueError("an extent that is out of bounds")
    return extent


def _identifier(name: Any) -> str:
    if type(name) is not str or not name.isidentifier() or iskeyword(name):
        raise ValueError("a keyword that is not a name")
    return name
