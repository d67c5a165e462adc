"""Operators as closures: quick for small numbers, of which nothing is asked; everything else goes the general way.

A name that is a local variable is read where it is used, without a closure of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.program import tree
from app.program.compiling.environment import Environment
from app.program.costs import ITEM_BYTES, SMALL
from app.program.failures import reraise
from app.program.functions import UNBOUND, Frame, Step
from app.program.operations import binary, compare, in_place, unary
from app.program.operators import BINARY, COMPARISON, IN_PLACE, UNARY
from engine import modes

ADDITIVE: Final = frozenset({"+", "-"})  # of integers that are not small, too, but for what comes of them
OF_FLOATS: Final = ADDITIVE | {"*", "/", "//", "%"}
DIRECT: Final = OF_FLOATS | {"&", "|", "^"}  # quick for integers that are small
SHORT: Final = 256  # characters of a text of which nothing is asked but its memory
_NUMBERS: Final = frozenset({int, float})
Operation = Callable[[Any, Any], Any]


def operation(symbol: str, general: Operation, table: Mapping[str, Any] = BINARY) -> Operation:
    """``left symbol right``; ``general`` is asked for what are no small numbers, nor texts that are short."""
    function = table[symbol][0]
    if symbol not in DIRECT:
        return general
    joins = symbol == "+"

    def operate(left: Any, right: Any) -> Any:
        first, second = type(left), type(right)
        if (first is float or (first is int and -SMALL < left < SMALL)) and (
            second is float or (second is int and -SMALL < right < SMALL)
        ):
            try:
                return function(left, right)
            except Exception as error:
                reraise(error)
        if joins and first is str and second is str and len(left) + len(right) < SHORT:
            return joined(modes.current().budget, left, right)
        return general(left, right)

    return operate


def joined(budget: modes.Budget | None, left: str, right: str) -> str:
    """Two short texts as one, whose memory is counted."""
    text = left + right
    if budget is not None:
        budget.spent += ITEM_BYTES * len(text)
    return text


def slot_of(env: Environment, node: Any) -> int | None:
    """The place of a name that is a local variable and no cell."""
    if type(node) is not tree.Name:
        return None
    kind, place = env.place(node.id)
    return place if kind == "slot" else None


def small(node: Any) -> bool:
    """Whether an expression is a number that is small."""
    value = node.value if type(node) is tree.Constant else None
    return type(value) is float or (type(value) is int and -SMALL < value < SMALL)


def binary_step(env: Environment, node: tree.Binary, left: Step, right: Step) -> Step:
    """``left symbol right`` as a closure."""
    symbol = node.operator
    general = operation(symbol, lambda a, b: binary(symbol, a, b))
    return _step(env, symbol, (node.left, node.right), left, right, general)


def in_place_step(env: Environment, node: tree.Augment, left: Step, right: Step) -> Step:
    """What the left of ``left symbol= right`` is afterwards; numbers and texts are what the operator gives."""
    symbol, general = node.operator, changing(node.operator)
    if symbol not in OF_FLOATS:  # what is refused is named with its ``=``
        return lambda frame: general(left(frame), right(frame))
    return _step(env, symbol, (node.target, node.value), left, right, general)


def _step(
    env: Environment, symbol: str, nodes: tuple[Any, Any], left: Step, right: Step, general: Operation
) -> Step:  # fmt: skip
    slot, other = (slot_of(env, node) for node in nodes)
    if symbol not in DIRECT:
        return lambda frame: general(left(frame), right(frame))
    if small(nodes[1]) and not (symbol in ("/", "//", "%") and not nodes[1].value):
        return _with_constant(symbol, general, slot, left, nodes[1].value)
    if symbol in ADDITIVE:
        return _sum(symbol, general, left, right, slot, other)
    return _product(symbol, general, left, right, slot, other)


def _with_constant(symbol: str, general: Operation, slot: int | None, left: Step, constant: Any) -> Step:
    function = BINARY[symbol][0]

    def with_constant(frame: Frame) -> Any:
        value = left(frame)
        kind = type(value)
        if kind is float or (kind is int and -SMALL < value < SMALL):
            try:
                return function(value, constant)
            except Exception as error:
                reraise(error)
        return general(value, constant)

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
        return general(left(frame) if value is UNBOUND else value, constant)

    return slot_with_constant


def _sum(symbol: str, general: Operation, left: Step, right: Step, slot: int | None, other: int | None) -> Step:
    """A sum or difference: what comes of it tells of integers that are not small."""
    function, joins = BINARY[symbol][0], symbol == "+"

    def of_any(frame: Frame) -> Any:
        one, two = left(frame), right(frame)
        kind = type(one)
        if kind is type(two):
            if kind is int:
                result = function(one, two)
                if -SMALL < result < SMALL:
                    return result
            elif kind is float:
                return function(one, two)
            elif kind is str and joins and len(one) + len(two) < SHORT:
                return joined(frame[0].budget, one, two)
        return general(one, two)

    return of_any if slot is None or other is None else _sum_of_slots(function, of_any, slot, other)


def _sum_of_slots(function: Operation, of_any: Step, slot: int, other: int) -> Step:
    def of_slots(frame: Frame) -> Any:
        one, two = frame[slot], frame[other]
        kind = type(one)
        if kind is type(two):
            if kind is int:
                result = function(one, two)
                if -SMALL < result < SMALL:
                    return result
            elif kind is float:
                return function(one, two)
        return of_any(frame)

    return of_slots


def _product(symbol: str, general: Operation, left: Step, right: Step, slot: int | None, other: int | None) -> Step:
    """Any other operator: integers are looked at before."""
    function = BINARY[symbol][0]

    def of_any(frame: Frame) -> Any:
        one, two = left(frame), right(frame)
        kind = type(one)
        if kind is type(two) and (
            kind is float or (kind is int and -SMALL < one < SMALL and -SMALL < two < SMALL)
        ):  # fmt: skip
            try:
                return function(one, two)
            except Exception as error:
                reraise(error)
        return general(one, two)

    if slot is None or other is None:
        return of_any

    def of_slots(frame: Frame) -> Any:
        one, two = frame[slot], frame[other]
        if type(one) is int and type(two) is int and -SMALL < one < SMALL and -SMALL < two < SMALL:
            try:
                return function(one, two)
            except Exception as error:
                reraise(error)
        return of_any(frame)

    return of_slots


def unary_step(symbol: str, operand: Step) -> Step:
    """``symbol operand`` as a closure."""
    function = UNARY[symbol][0]

    def of_any(frame: Frame) -> Any:
        value = operand(frame)
        kind = type(value)
        if kind is int and -SMALL < value < SMALL:
            return function(value)
        return unary(symbol, value)

    return of_any


def comparison(symbol: str) -> Operation:
    """``left symbol right``."""
    function = COMPARISON[symbol][0]

    def compared(left: Any, right: Any) -> Any:
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return function(left, right)
        return compare(symbol, left, right)

    return compared


def comparison_step(env: Environment, symbol: str, first: Step, second: Step, node: Any, other: Any) -> Step:
    """One comparison, of the values of ``node`` and ``other``, as a closure."""
    if symbol == "is":
        return lambda frame: first(frame) is second(frame)
    if symbol == "is not":
        return lambda frame: first(frame) is not second(frame)
    function = COMPARISON[symbol][0]
    slot = slot_of(env, node)
    if small(other):
        return _compared_with_constant(symbol, first, slot, other.value)
    if symbol in ("in", "not in"):
        return lambda frame: _contained(symbol, function, first(frame), second(frame))
    text = other.value if type(other) is tree.Constant else None
    if symbol in ("==", "!=") and type(text) is str and len(text) < SHORT:

        def with_text(frame: Frame) -> Any:
            value = first(frame)
            return function(value, text) if type(value) is str else compare(symbol, value, text)

        return with_text
    return _compared(symbol, first, second, slot, slot_of(env, other))


def _contained(symbol: str, function: Operation, item: Any, container: Any) -> Any:
    """``in``: quick for keys that are short texts or small integers."""
    kind = type(item)
    if (type(container) is dict or type(container) is set) and (
        (kind is str and len(item) < SHORT) or (kind is int and -SMALL < item < SMALL)
    ):
        return function(item, container)
    return compare(symbol, item, container)


def _compared_with_constant(symbol: str, first: Step, slot: int | None, constant: Any) -> Step:
    function = COMPARISON[symbol][0]

    def with_constant(frame: Frame) -> Any:
        value = first(frame)
        kind = type(value)
        return function(value, constant) if kind is int or kind is float else compare(symbol, value, constant)

    if slot is None:
        return with_constant

    def slot_with_constant(frame: Frame) -> Any:
        value = frame[slot]
        kind = type(value)
        return function(value, constant) if kind is int or kind is float else with_constant(frame)

    return slot_with_constant


def _compared(symbol: str, first: Step, second: Step, slot: int | None, other: int | None) -> Step:
    function = COMPARISON[symbol][0]

    def of_any(frame: Frame) -> Any:
        left, right = first(frame), second(frame)
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return function(left, right)
        return compare(symbol, left, right)

    if slot is None or other is None:
        return of_any

    def of_slots(frame: Frame) -> Any:
        left, right = frame[slot], frame[other]
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return function(left, right)
        return of_any(frame)

    return of_slots


def sum_of(symbol: str) -> Operation | None:
    """The function of a sum or difference of numbers, if the operator is that."""
    return BINARY[symbol][0] if symbol in ADDITIVE else None


def changing(symbol: str) -> Operation:
    """``left symbol= right``: what the left is afterwards."""
    return operation(symbol, lambda left, right: in_place(symbol, left, right), IN_PLACE)
