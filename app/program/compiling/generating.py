"""Bodies with ``yield``: closures that are generators where something is yielded in them, and plain ones elsewhere.

An expression that yields is taken apart: what has to be evaluated before is put into places of the frame of its own, in
order, and the rest of the expression reads those.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

import msgspec

from app.program import tree
from app.program.compiling import exceptions
from app.program.compiling.blocks import BREAK, CONTINUE, statement
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import SLOT, condition, expression, truth_of
from app.program.compiling.matching import body_for, pattern_test
from app.program.compiling.targets import bind_target
from app.program.contexts import leave, opened
from app.program.failures import Closing, locate
from app.program.functions import Frame, Signal
from app.program.operations import iterate
from app.program.tree import Expression, Statement

Steps = Callable[[Frame], Generator[Any, Any, Any]]
_CLOSED: Final = (tree.Lambda, tree.Generated, tree.FunctionDef, tree.ClassDef)
_TRANSPARENT: Final = (tree.Starred, tree.Slice, tree.Field, tree.Joined, tree.Display, tree.DictDisplay)


def yields(node: Any) -> bool:
    """Whether something is yielded in a part of a tree, not counting functions in it."""
    if isinstance(node, tuple):
        return any(map(yields, node))
    if not isinstance(node, msgspec.Struct):
        return False
    if isinstance(node, (tree.Yield, tree.YieldFrom)):
        return True
    if isinstance(node, tree.FunctionDef):
        return yields(node.decorators) or yields(node.function.defaults)
    if isinstance(node, _CLOSED):
        return False
    return any(yields(getattr(node, name)) for name in node.__struct_fields__)


def generating_body(env: Environment, statements: tuple[Statement, ...]) -> Steps:
    """The body of a function that yields."""
    run = _block(env, statements)

    def generate(frame: Frame) -> Generator[Any, Any, Any]:
        signal = yield from run(frame)
        return None if signal is None else signal[0]

    return generate


def _block(env: Environment, statements: tuple[Statement, ...]) -> Steps:
    steps: list[tuple[bool, Any]] = [
        (True, _statement(env, one)) if yields(one) else (False, statement(env, one)) for one in statements
    ]

    if len(steps) == 1 and steps[0][0]:
        return steps[0][1]  # type: ignore[no-any-return]

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        for is_generating, step in steps:
            signal = (yield from step(frame)) if is_generating else step(frame)
            if signal is not None:
                return signal
        return None

    return run


def _yielding(env: Environment, node: tree.Evaluate) -> Steps:
    """The most common form: a ``yield`` by itself."""
    assert isinstance(node.value, tree.Yield)
    value, place = expression(env, node.value.value), node.place

    def run(frame: Frame) -> Generator[Any, Any, None]:
        try:
            found = value(frame)
        except Exception as error:
            locate(error, place)
            raise
        yield found

    return run


def _statement(env: Environment, node: Statement) -> Steps:
    if isinstance(node, tree.Evaluate) and isinstance(node.value, tree.Yield) and not yields(node.value.value):
        return _yielding(env, node)
    compiled = _BLOCKS.get(type(node))
    return _simple(env, node) if compiled is None else compiled(env, node)


# -- expressions ------------------------------------------------------------------------------------------------------
def _simple(env: Environment, node: Any) -> Steps:
    """A statement without blocks: its expressions in order, then itself."""
    first, rest = _taken_apart(env, node)
    step, place = statement(env, rest), node.place

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            for before in first:
                yield from before(frame)
        except Exception as error:
            locate(error, place)
            raise
        return step(frame)

    return run


def _taken_apart(env: Environment, node: Any) -> tuple[list[Steps], Any]:
    """Steps that put what is in a node into places of the frame, and the node that reads them."""
    steps: list[Steps] = []

    def part(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(part(one) for one in value)
        if isinstance(value, _TRANSPARENT):
            return _replaced(value, part)
        if type(value) not in EXPRESSIONS or isinstance(value, tree.Constant):
            return value
        if not yields(value) and isinstance(value, tree.Name):
            return value
        place = env.new()
        steps.append(_kept(place, _expression(env, value)))
        return SLOT(place)

    if isinstance(node, (tree.Assign, tree.Augment, tree.Annotate)):
        value = part(node.value)
        return steps, _with_field(node, "value", value)
    return steps, _replaced(node, part)


def _replaced(node: Any, part: Callable[[Any], Any]) -> Any:
    return type(node)(*[part(getattr(node, name)) for name in node.__struct_fields__])


def _with_field(node: Any, field: str, value: Any) -> Any:
    return type(node)(*[value if name == field else getattr(node, name) for name in node.__struct_fields__])


def _kept(place: int, value: Steps) -> Steps:
    def keep(frame: Frame) -> Generator[Any, Any, None]:
        frame[place] = yield from value(frame)

    return keep


def _expression(env: Environment, node: Expression) -> Steps:
    """An expression that may yield."""
    if not yields(node):
        plain = expression(env, node)

        def evaluate(frame: Frame) -> Generator[Any, Any, Any]:
            yield from ()
            return plain(frame)

        return evaluate
    if isinstance(node, tree.Yield):
        return _yield(_expression(env, node.value))
    if isinstance(node, tree.YieldFrom):
        return _yield_from(_expression(env, node.values))
    if isinstance(node, tree.At):
        return _expression(env, node.value)
    if isinstance(node, tree.Conditional):
        return _conditional(*(_expression(env, one) for one in (node.test, node.body, node.otherwise)))
    if isinstance(node, tree.Logical):
        return _logical([_expression(env, one) for one in node.operands], node.operator == "or")
    first, rest = _taken_apart(env, node)
    last = expression(env, rest)

    def run(frame: Frame) -> Generator[Any, Any, Any]:
        for step in first:
            yield from step(frame)
        return last(frame)

    return run


def _yield(value: Steps) -> Steps:
    def run(frame: Frame) -> Generator[Any, Any, Any]:
        found = yield from value(frame)
        return (yield found)

    return run


def _yield_from(values: Steps) -> Steps:
    def run(frame: Frame) -> Generator[Any, Any, Any]:
        found = yield from values(frame)
        return (yield from _delegated(frame, iterate(found)))

    return run


def _delegated(frame: Frame, items: Any) -> Generator[Any, Any, Any]:
    try:
        return (yield from items)
    except Closing:
        raise
    except Exception as error:
        raise exceptions.of_iteration(error) from None


def _conditional(test: Steps, body: Steps, otherwise: Steps) -> Steps:
    def run(frame: Frame) -> Generator[Any, Any, Any]:
        found = yield from test(frame)
        return (yield from (body if truth_of(found) else otherwise)(frame))

    return run


def _logical(operands: list[Steps], stops_at: bool) -> Steps:
    def run(frame: Frame) -> Generator[Any, Any, Any]:
        found = None
        for operand in operands:
            found = yield from operand(frame)
            if operand is not operands[-1] and truth_of(found) is stops_at:
                break
        return found

    return run


# -- blocks -----------------------------------------------------------------------------------------------------------
def _if(env: Environment, node: tree.If) -> Steps:
    test, place = _expression(env, node.test), node.place
    body, otherwise = _block(env, node.body), _block(env, node.otherwise)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            chosen = truth_of((yield from test(frame)))
        except Exception as error:
            locate(error, place)
            raise
        return (yield from (body if chosen else otherwise)(frame))

    return run


def _while(env: Environment, node: tree.While) -> Steps:
    test, place = _expression(env, node.test), node.place
    body, otherwise = _block(env, node.body), _block(env, node.otherwise)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        while True:
            try:
                frame[0].tick()
                if not truth_of((yield from test(frame))):
                    break
            except Exception as error:
                locate(error, place)
                raise
            signal = yield from body(frame)
            if signal is not None and signal is not CONTINUE:
                return None if signal is BREAK else signal
        return (yield from otherwise(frame))

    return run


def _for(env: Environment, node: tree.For) -> Steps:
    values, bind, place = _expression(env, node.values), bind_target(env, node.target), node.place
    body, otherwise = _block(env, node.body), _block(env, node.otherwise)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            items = iterate((yield from values(frame)))
        except Exception as error:
            locate(error, place)
            raise
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except Exception as error:
                error = exceptions.of_iteration(error)
                locate(error, place)
                raise error from None
            try:
                frame[0].tick()
                bind(frame, item)
            except Exception as error:
                locate(error, place)
                raise
            signal = yield from body(frame)
            if signal is not None and signal is not CONTINUE:
                return None if signal is BREAK else signal
        return (yield from otherwise(frame))

    return run


def _within(env: Environment, node: tree.Within) -> Steps:
    context, place = _expression(env, node.context), node.place
    bind = None if node.target is None else bind_target(env, node.target)
    body = _block(env, node.body)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            manager, value = opened((yield from context(frame)))
        except Exception as error:
            locate(error, place)
            raise
        try:
            if bind is not None:
                bind(frame, value)
            signal = yield from body(frame)
        except BaseException as error:
            found = exceptions.seen(error)
            if isinstance(error, Exception):
                locate(error, place)
            if leave(manager, found, error):
                return None
            raise
        try:
            leave(manager, None, None)
        except Exception as error:
            locate(error, place)
            raise
        return signal

    return run


def _try(env: Environment, node: tree.Try) -> Steps:
    inner = _guarded(env, node) if node.handlers else _block(env, node.body)
    if not node.final:
        return inner
    final = _block(env, node.final)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            signal = yield from inner(frame)
        except BaseException as error:
            found = exceptions.seen(error)
            if found is None:
                raise
            with exceptions.Handling(frame, found):
                signal = yield from final(frame)
            if signal is None:
                raise
            return signal
        last = yield from final(frame)
        return signal if last is None else last

    return run


def _guarded(env: Environment, node: tree.Try) -> Steps:
    body, otherwise = _block(env, node.body), _block(env, node.otherwise)
    handlers = exceptions.Handlers(env, node, _block)

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            signal = yield from body(frame)
        except BaseException as error:
            found = exceptions.seen(error)
            clause = None if found is None else handlers.find(frame, found)
            if clause is None or found is None:
                raise
        else:
            return (yield from otherwise(frame)) if signal is None else signal
        bind, forget, handle = clause
        with exceptions.Handling(frame, found):
            if bind is None:
                return (yield from handle(frame))
            bind(frame, found)
            try:
                return (yield from handle(frame))
            finally:
                forget(frame)

    return run


def _match(env: Environment, node: tree.Match) -> Steps:
    subject, place = _expression(env, node.subject), node.place
    cases = [
        (
            pattern_test(env, one.pattern),
            None if one.guard is None else condition(env, one.guard),
            _block(env, one.body),
        )
        for one in node.cases
    ]

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        try:
            value = yield from subject(frame)
            chosen = body_for(frame, value, cases)
        except Exception as error:
            locate(error, place)
            raise
        return None if chosen is None else (yield from chosen(frame))

    return run


_BLOCKS: Final[dict[type, Callable[[Environment, Any], Steps]]] = {
    tree.If: _if, tree.While: _while, tree.For: _for, tree.Within: _within, tree.Try: _try, tree.Match: _match,
}  # fmt: skip
EXPRESSIONS: Final = frozenset({
    tree.Name, tree.Attribute, tree.Subscript, tree.Call, tree.Unary, tree.Binary, tree.Comparison, tree.Logical,
    tree.Conditional, tree.Binding, tree.At, tree.Comprehension, tree.Yield, tree.YieldFrom, tree.Lambda,
    tree.Generated,
})  # fmt: skip
