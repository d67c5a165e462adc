"""Operators as closures: quick for small numbers, of which nothing is asked; everything else goes the general way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.program import tree
from app.program.compiling.environment import Environment
from app.program.costs import SMALL
from app.program.failures import reraise
from app.program.functions import UNBOUND, Frame, Step
from app.program.operations import binary, compare, in_place
from app.program.operators import BINARY, COMPARISON, IN_PLACE

DIRECT: Final = frozenset({"+", "-", "*", "/", "//", "%", "&", "|", "^"})  # quick for integers that are small
_NUMBERS: Final = frozenset({int, float})
Operation = Callable[[Any, Any], Any]


def operation(symbol: str, general: Operation, table: Mapping[str, Any] = BINARY) -> Operation:
    """``left symbol right``; ``general`` is asked for what are no small numbers."""
    function = table[symbol][0]
    if symbol not in DIRECT:
        return general

    def operate(left: Any, right: Any) -> Any:
        first, second = type(left), type(right)
        if (first is float or (first is int and -SMALL < left < SMALL)) and (
            second is float or (second is int and -SMALL < right < SMALL)
        ):
            try:
                return function(left, right)
            except Exception as error:
                reraise(error)
        return general(left, right)

    return operate


def _slot_of(env: Environment, node: Any) -> int | None:
    """The place of a name that is a local variable and no cell."""
    if type(node) is not tree.Name:
        return None
    kind, place = env.place(node.id)
    return place if kind == "slot" else None


def _small(node: Any) -> bool:
    value = node.value if type(node) is tree.Constant else None
    return type(value) is float or (type(value) is int and -SMALL < value < SMALL)


def binary_step(env: Environment, node: tree.Binary, left: Step, right: Step) -> Step:
    """``left symbol right`` as a closure."""
    symbol = node.operator
    function = BINARY[symbol][0]
    slot = _slot_of(env, node.left)
    if symbol in DIRECT and _small(node.right) and not (symbol in ("/", "//", "%") and not node.right.value):  # type: ignore[union-attr]
        constant = node.right.value  # type: ignore[union-attr]

        def with_constant(frame: Frame) -> Any:
            value = left(frame)
            kind = type(value)
            if kind is float or (kind is int and -SMALL < value < SMALL):
                try:
                    return function(value, constant)
                except Exception as error:
                    reraise(error)
            return binary(symbol, value, constant)

        if slot is None:
            return with_constant

        def slot_with_constant(frame: Frame) -> Any:
            value = frame[slot]
            kind = type(value)
            if kind is float or (kind is int and -SMALL < value < SMALL):
                try:
                    return function(value, constant)
                except Exception as error:
                    reraise(error)
            return binary(symbol, left(frame) if value is UNBOUND else value, constant)

        return slot_with_constant
    operate = operation(symbol, lambda a, b: binary(symbol, a, b))
    return lambda frame: operate(left(frame), right(frame))


def comparison_step(symbol: str, first: Step, second: Step, other: Any) -> Step:
    """One comparison as a closure."""
    if symbol == "is":
        return lambda frame: first(frame) is second(frame)
    if symbol == "is not":
        return lambda frame: first(frame) is not second(frame)
    function = COMPARISON[symbol][0]
    if _small(other):
        constant = other.value

        def with_constant(frame: Frame) -> Any:
            value = first(frame)
            return function(value, constant) if type(value) in _NUMBERS else compare(symbol, value, constant)

        return with_constant

    def one(frame: Frame) -> Any:
        left, right = first(frame), second(frame)
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return function(left, right)
        return compare(symbol, left, right)

    return one


def changing(symbol: str) -> Operation:
    """``left symbol= right``: what the left is afterwards."""
    return operation(symbol, lambda left, right: in_place(symbol, left, right), IN_PLACE)
