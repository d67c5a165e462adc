"""What is done to recorded steps before they are compiled: taken apart, computed once, merged, left out."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from engine.recorder import Step, Value, cast_to, copy_of, written
from engine.tracing import traced

SMALL_BYTES = 64  # constants up to this size are told apart by what they hold
COPIES = (cast_to, copy_of, written)


class Simplifier:
    """Goes through the steps once, in order. ``resolve`` says which value of the result stands for a recorded one."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._names: dict[Value, Value] = {}
        self._made: dict[Hashable, tuple[Value, ...]] = {}
        self._constants: dict[Hashable, Value] = {}

    def resolve(self, value: Value) -> Value:
        """The value that ``value`` turned out to be."""
        while value in self._names:
            value = self._names[value]
        return value

    def root(self, value: Value) -> Value:
        """The value whose memory ``value`` looks into."""
        value = self.resolve(value)
        while value.root is not value:
            value = self.resolve(value.root)
        return value

    def add(self, step: Step) -> None:
        """Take a recorded step apart, and what comes out up."""
        self._substitute(step)
        simple, names = traced(step) if _may_be_traced(step) else ([step], {})
        for one in simple:
            self._substitute(one)
            self._take(one)
        self._names.update(names)

    def _substitute(self, step: Step) -> None:
        step.args = tuple([self._argument(arg) for arg in step.args])
        if step.named:
            step.named = {name: self._argument(arg) for name, arg in step.named.items()}

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, Value):
            return self._unique(self.resolve(argument))
        return [self._argument(item) for item in argument] if type(argument) is list else argument

    def _unique(self, value: Value) -> Value:
        """Small equal constants are one."""
        array = value.constant
        if array is None or array.nbytes > SMALL_BYTES:
            return value
        return self._constants.setdefault((array.dtype, array.shape, array.strides, array.tobytes()), value)

    def _take(self, step: Step) -> None:
        if _changes_nothing(step):
            self._names[step.results[0]] = step.args[0]
            return
        if not any(value.depends for value in step.operands()):
            _compute(step)
            return
        key = _key(step)
        made = self._made.get(key) if key is not None else None
        if made is not None:
            self._names.update(zip(step.results, made, strict=True))
            return
        if key is not None:
            self._made[key] = step.results
        self.steps.append(step)


def _may_be_traced(step: Step) -> bool:
    return step.op is not None and not step.op.view and not step.op.has_lists


def _changes_nothing(step: Step) -> bool:
    """Whether the step copies what is never written to, in its dtype and layout."""
    if step.call not in COPIES:
        return False
    source, result = step.args[0], step.results[0]
    same: bool = source.dtype == result.dtype and source.shape == result.shape and source.strides == result.strides
    return same


def _compute(step: Step) -> None:
    """Run a step that depends on no input, once and for all."""
    args = [_constant(arg) for arg in step.args]
    given = step.call(*args, **{name: _constant(arg) for name, arg in step.named.items()})
    for value, array in zip(step.results, given if step.many else (given,), strict=True):
        value.constant = np.asarray(array)
        value.depends = False


def _constant(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.constant
    return [_constant(item) for item in argument] if type(argument) is list else argument


def _key(step: Step) -> Hashable | None:
    """Equal for steps that give the same; ``None`` where that cannot be told."""
    key = (step.call, *map(_part, step.args), *((name, _part(arg)) for name, arg in step.named.items()))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _part(argument: Any) -> Hashable:
    """An argument with its type: 1, 1.0 and True are equal, -0.0 and 0.0 too, but give different results."""
    if isinstance(argument, list | tuple):
        return (type(argument), *map(_part, argument))
    return (type(argument), repr(argument)) if isinstance(argument, int | float | complex) else argument


def pruned(steps: list[Step], outputs: Iterable[Value]) -> list[Step]:
    """The steps that an output needs, and those that may refuse a value."""
    needed = set(outputs)
    kept = []
    for step in reversed(steps):
        if step.keep or any(value in needed for value in step.results):
            kept.append(step)
            needed.update(step.operands())
    return kept[::-1]
