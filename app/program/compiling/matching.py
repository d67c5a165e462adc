"""``match``: patterns as functions of a frame and a value."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.program import tree
from app.program.classes import HostType
from app.program.compiling.blocks import STATEMENTS, Executor, block
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import condition, expression, store, truth_of
from app.program.costs import length, listed, pay
from app.program.failures import PythonError, locate
from app.program.functions import Frame, Signal
from app.program.hosts import is_of
from app.program.operations import compare, get_item, held
from app.program.tree import Pattern
from app.program.values import attribute

Test = Callable[[Frame, Any], bool]
Body = TypeVar("Body")
_ITSELF = ("bool", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple")


def match_(env: Environment, node: tree.Match) -> Executor:
    """``match subject:``."""
    subject, place = expression(env, node.subject), node.place
    cases = [
        (pattern_test(env, one.pattern), None if one.guard is None else condition(env, one.guard), block(env, one.body))
        for one in node.cases
    ]

    def run(frame: Frame) -> Signal:
        try:
            value = subject(frame)
            chosen = body_for(frame, value, cases)
        except Exception as error:
            locate(error, place)
            raise
        return None if chosen is None else chosen(frame)

    return run


def body_for(
    frame: Frame, value: Any, cases: Sequence[tuple[Test, Callable[[Frame], bool] | None, Body]]
) -> Body | None:  # fmt: skip
    """The body of the first of ``cases``, each a test, a guard and a body, that takes ``value``."""
    for test, guard, body in cases:  # in a generator, a StopIteration of the program's would become another error
        frame[0].tick()
        if test(frame, value) and (guard is None or guard(frame)):
            return body
    return None


def pattern_test(env: Environment, node: Pattern) -> Test:
    match node:
        case tree.ValuePattern(value, identical):
            found = expression(env, value)
            if identical:
                return lambda frame, given: given is found(frame)
            return lambda frame, given: truth_of(compare("==", given, found(frame)))
        case tree.CapturePattern(pattern, name):
            return _capture(env, pattern, name)
        case tree.SequencePattern(items, star):
            return _sequence([pattern_test(env, one) for one in items], star)
        case tree.MappingPattern():
            return _mapping(env, node)
        case tree.ClassPattern():
            return _class(env, node)
        case tree.OrPattern(patterns):
            tests = [pattern_test(env, one) for one in patterns]
            return lambda frame, given: any(test(frame, given) for test in tests)
    raise AssertionError(node)


def _capture(env: Environment, pattern: Pattern | None, name: str | None) -> Test:
    inner = None if pattern is None else pattern_test(env, pattern)
    put = None if name is None else store(env, name)

    def test(frame: Frame, given: Any) -> bool:
        if inner is not None and not inner(frame, given):
            return False
        if put is not None:
            put(frame, given)
        return True

    return test


def _sequence(tests: list[Test], star: int | None) -> Test:
    def test(frame: Frame, given: Any) -> bool:
        if not isinstance(given, (list, tuple, range, deque)):
            return False
        parts = held(given)
        if star is None and isinstance(parts, range) and length(parts) != len(tests):
            return False
        pay(listed(parts))
        items: list[Any] = list(parts)
        if star is None:
            if len(items) != len(tests):
                return False
        else:
            rest = len(items) - len(tests) + 1
            if rest < 0:
                return False
            frame[0].keep(rest)
            items[star : star + rest] = [items[star : star + rest]]
        return all(one(frame, item) for one, item in zip(tests, items, strict=True))

    return test


def _mapping(env: Environment, node: tree.MappingPattern) -> Test:
    keys = [expression(env, key) for key in node.keys]
    tests = [pattern_test(env, one) for one in node.patterns]
    put = None if node.rest is None else store(env, node.rest)

    def test(frame: Frame, given: Any) -> bool:
        if not isinstance(given, dict):
            return False
        wanted = [key(frame) for key in keys]
        if any(key not in given for key in wanted):
            return False
        if not all(one(frame, get_item(given, key)) for one, key in zip(tests, wanted, strict=True)):
            return False
        if put is not None:
            frame[0].keep(4 * len(given))
            put(frame, {key: value for key, value in given.items() if key not in wanted})
        return True

    return test


def _class(env: Environment, node: tree.ClassPattern) -> Test:
    kind = expression(env, node.kind)
    tests = [pattern_test(env, one) for one in node.patterns]
    named = [(name, pattern_test(env, one)) for name, one in zip(node.names, node.named, strict=True)]

    def test(frame: Frame, given: Any) -> bool:
        cls = kind(frame)
        if not is_of(given, cls, "called match pattern must be a class"):
            return False
        if isinstance(cls, HostType) and cls.name in _ITSELF and len(tests) == 1:
            return tests[0](frame, given) and _fits(frame, given, named)
        names = _positional(cls, len(tests)) if tests else ()
        return _fits(frame, given, [*zip(names, tests, strict=False), *named])

    return test


def _positional(cls: Any, count: int) -> tuple[str, ...]:
    try:
        found = attribute(cls, "__match_args__")
    except AttributeError:
        found = ()
    if len(found) < count:
        raise PythonError(
            TypeError,
            f"{cls.name}() accepts {len(found)} positional sub-pattern{'s' * (len(found) != 1)} ({count} given)",
        )
    return tuple(found)


def _fits(frame: Frame, given: Any, named: list[tuple[str, Test]]) -> bool:
    for name, test in named:
        try:
            value = attribute(given, name)
        except AttributeError:
            return False
        if not test(frame, value):
            return False
    return True


STATEMENTS[tree.Match] = match_
