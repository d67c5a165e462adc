"""Decompose, fold constants, CSE (common subexpression elimination), DCE (dead code elimination).

The passes over recorded steps before they are fused. The first three go hand in hand, step by step, for each of them
sees what the others made of the operands; ``without_dead_code`` runs after them, over the whole, and what is left of
constants is made small by ``without_repetition``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from engine.plan.recorder import Step, Value, cast_to, copy_at, copy_of, laid_at, written
from engine.plan.tracing import decomposed

SMALL_BYTES = 64  # constants up to this size are told apart by what they hold
LARGE_BYTES = 2**16  # constants from here on are looked through for one that repeats a single number
COPIES = (cast_to, copy_at, copy_of, laid_at, written)


class Simplifier:
    """Decomposes steps, folds constants and eliminates common subexpressions; ``steps`` is what remains.

    Add the recorded steps in order. ``resolve`` says which value of the result stands for a recorded one.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._names: dict[Value, Value] = {}
        self._made: dict[Hashable, tuple[Value, ...]] = {}
        self._constants: dict[Hashable, Value] = {}

    def resolve(self, value: Value) -> Value:
        """Return the value that stands for ``value`` now."""
        while value in self._names:
            value = self._names[value]
        return value

    def root(self, value: Value) -> Value:
        """Return the value whose memory ``value`` is a view of, itself if it is none."""
        value = self.resolve(value)
        while value.root is not value:
            value = self.resolve(value.root)
        return value

    def add(self, step: Step) -> None:
        """Decompose a recorded step, and simplify the steps it consists of."""
        self._substitute(step)
        simple, names = decomposed(step) if _is_decomposable(step) else ([step], {})
        for one in simple:
            self._substitute(one)
            self._simplify(one)
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
        """Return the first of equal constants, if they are small."""
        array = value.constant
        if array is None or array.nbytes > SMALL_BYTES:
            return value
        return self._constants.setdefault((array.dtype, array.shape, array.strides, array.tobytes()), value)

    def _simplify(self, step: Step) -> None:
        """Leave the step out as an identity, fold it, leave it out as a common subexpression, or append it."""
        operand = _identity(step)
        if operand is not None:
            self._names[step.results[0]] = operand
            return
        if not any(value.depends for value in step.operands()):
            _fold(step)
            return
        key = _key(step)
        made = self._made.get(key) if key is not None else None
        if made is not None:
            self._names.update(zip(step.results, made, strict=True))
            return
        if key is not None:
            self._made[key] = step.results
        self.steps.append(step)


def _is_decomposable(step: Step) -> bool:
    return step.op is not None and not step.op.nature.view and not step.op.has_lists


def _identity(step: Step) -> Value | None:
    """Return the operand that a step gives back as it is.

    It copies what nobody writes to, multiplies by one, or calls the same memory something else.
    """
    if step.call in COPIES:
        source = step.args[0]
    elif step.call is np.multiply and not step.named:
        source = _other_factor(*step.args)
    elif step.op is not None and step.op.nature.reinterprets:
        source = step.args[0]
    else:
        return None
    return source if isinstance(source, Value) and _looks_like(source, step.results[0]) else None


def _other_factor(left: Any, right: Any) -> Any:
    """The factor beside a one."""
    return right if _is_one(left) else left if _is_one(right) else None


def _is_one(factor: Any) -> bool:
    array = factor.constant if isinstance(factor, Value) else None
    return array is not None and bool((array == 1).all())


def _looks_like(value: Value, other: Value) -> bool:
    return (value.dtype, value.shape, value.strides) == (other.dtype, other.shape, other.strides)


def _fold(step: Step) -> None:
    """Fold a step that depends on no input: run it, and make its results constants."""
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
    """Return a key that common subexpressions share; ``None`` where an argument cannot be hashed."""
    key = (step.call, *map(_part, step.args), *((name, _part(arg)) for name, arg in step.named.items()))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _part(argument: Any) -> Hashable:
    """Return an argument with its type: 1, 1.0 and True are equal, -0.0 and 0.0 too, but give different results."""
    if isinstance(argument, list | tuple):
        return (type(argument), *map(_part, argument))
    return (type(argument), repr(argument)) if isinstance(argument, int | float | complex) else argument


def without_dead_code(steps: list[Step], outputs: Iterable[Value]) -> list[Step]:
    """Return the steps that an output needs, and those that may raise."""
    needed = set(outputs)
    kept = []
    for step in reversed(steps):
        if step.keep or any(value in needed for value in step.results):
            kept.append(step)
            needed.update(step.operands())
    return kept[::-1]


def without_repetition(steps: list[Step]) -> list[Step]:
    """Return the steps with one number, expanded, for each large constant that repeats it, where the step is a ufunc.

    Cotangents are expanded numbers: what they were multiplied by would stay in the plan at full size.
    """
    seen: dict[Value, Value] = {}

    def expanded(value: Any) -> Any:
        if not isinstance(value, Value) or value.constant is None or value.nbytes < LARGE_BYTES:
            return value
        if value not in seen:
            array = value.constant
            each = np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8)  # by bytes: -0.0 equals 0.0
            repeats = bool((each == each[0]).all())
            seen[value] = Value.known(np.broadcast_to(array.flat[0], array.shape)) if repeats else value
        return seen[value]

    for step in steps:
        if isinstance(step.call, np.ufunc):
            step.args = tuple(map(expanded, step.args))
    return steps
