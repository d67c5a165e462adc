"""Statements as closures over a frame."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, Final

from app.program import tree
from app.program.compiling.arithmetic import in_place_step, slot_of
from app.program.compiling.blocks import BREAK, CONTINUE, STATEMENTS, Executor, block, in_order, located
from app.program.compiling.environment import Environment
from app.program.compiling.exceptions import of_iteration
from app.program.compiling.expressions import BODIES, expression, truth_of
from app.program.compiling.generating import generating_body
from app.program.compiling.targets import augment, bind_target, delete
from app.program.contexts import leave, opened
from app.program.failures import caught, locate
from app.program.functions import Compiled, Frame, Signal, Step
from app.program.instances import Special
from app.program.operations import iterate
from app.program.tree import Place
from app.program.turns import Turns
from engine import modes


def _evaluate(env: Environment, node: tree.Evaluate) -> Executor:
    return located(expression(env, node.value), node.place)


def _to_name(kind: str, where: Any, step: Step, place: Place) -> Executor:
    """Bind what ``step`` gives to a local variable or a name of the module."""

    def to_slot(frame: Frame) -> None:
        try:
            frame[where] = step(frame)
        except Exception as error:
            locate(error, place)
            raise

    def to_module(frame: Frame) -> None:
        try:
            found = step(frame)
            run = frame[0]
            run.namespace[where] = found
            run.named[where] = None
            run.last = where
        except Exception as error:
            locate(error, place)
            raise

    return to_slot if kind == "slot" else to_module


def _assign(env: Environment, node: tree.Assign) -> Executor:
    value, place = expression(env, node.value), node.place
    binders = [bind_target(env, target) for target in node.targets]
    if len(binders) == 1:
        (bind,) = binders
        kind, where = env.place(node.targets[0].id) if isinstance(node.targets[0], tree.Name) else ("", 0)
        if kind in ("slot", "global"):
            return _to_name(kind, where, value, place)

        def one(frame: Frame) -> None:
            try:
                bind(frame, value(frame))
            except Exception as error:
                locate(error, place)
                raise

        return one

    def several(frame: Frame) -> None:
        found = value(frame)
        for bind in binders:
            bind(frame, found)

    return located(several, place)


def _annotate(env: Environment, node: tree.Annotate) -> Executor:
    if env.kind != "class":
        return (
            (lambda frame: None)
            if node.value is None
            else _assign(env, tree.Assign((tree.Name(node.name),), node.value, node.place))
        )
    value = None if node.value is None else expression(env, node.value)
    name, text = node.name, node.annotation

    def note(frame: Frame) -> None:
        namespace = frame[1]
        namespace.setdefault("__annotations__", {})[name] = text
        if value is not None:
            namespace[name] = value(frame)

    return located(note, node.place)


def _augment(env: Environment, node: tree.Augment) -> Executor:
    kind, where = env.place(node.target.id) if isinstance(node.target, tree.Name) else ("", 0)
    if kind not in ("slot", "global"):
        return located(augment(env, node), node.place)
    place, step = node.place, in_place_step(env, node, expression(env, node.target), expression(env, node.value))
    return _to_name(kind, where, step, place)


def _delete(env: Environment, node: tree.Delete) -> Executor:
    steps = [delete(env, target) for target in node.targets]

    def run(frame: Frame) -> None:
        for step in steps:
            step(frame)

    return located(run, node.place)


def _return(env: Environment, node: tree.Return) -> Executor:
    if node.value is None:
        return lambda frame: (None,)
    value, place = expression(env, node.value), node.place

    def run(frame: Frame) -> Signal:
        try:
            return (value(frame),)
        except Exception as error:
            locate(error, place)
            raise

    return run


def _jump(env: Environment, node: tree.Jump) -> Executor:
    signal = {"break": BREAK, "continue": CONTINUE}.get(node.kind)
    return lambda frame: signal


# -- blocks ---------------------------------------------------------------------------------------------------------
def tested(env: Environment, node: tree.Expression, place: Place) -> Callable[[Frame], bool]:
    """A condition whose errors know where they were raised."""
    value = expression(env, node)

    def run(frame: Frame) -> bool:
        try:
            found = value(frame)
            return found if found is True or found is False else truth_of(found)
        except Exception as error:
            locate(error, place)
            raise

    return run


def _if(env: Environment, node: tree.If) -> Executor:
    value, place = expression(env, node.test), node.place
    body, otherwise = block(env, node.body), block(env, node.otherwise) if node.otherwise else None

    def choose(frame: Frame) -> Signal:
        try:
            found = value(frame)
            if found is not True and found is not False:
                found = truth_of(found)
        except Exception as error:
            locate(error, place)
            raise
        if found:
            return body(frame)
        return None if otherwise is None else otherwise(frame)

    return choose


def _while(env: Environment, node: tree.While) -> Executor:
    value, body, otherwise = expression(env, node.test), block(env, node.body), block(env, node.otherwise)
    place = node.place

    def run(frame: Frame) -> Signal:
        run = frame[0]
        while True:
            try:
                found = value(frame)
                if found is not True and not truth_of(found):
                    break
                run.left -= 1
                if run.left < 0:
                    run.refill()
            except Exception as error:
                locate(error, place)
                raise
            signal = body(frame)
            if signal is not None and signal is not CONTINUE:
                return None if signal is BREAK else signal
        return otherwise(frame)

    return run


def tick(run: Any, place: Place) -> None:
    """Take the next steps from the budget; what is over it knows where."""
    try:
        run.refill()
    except Exception as error:
        locate(error, place)
        raise


def _for(env: Environment, node: tree.For) -> Executor:
    values, bind, slot = expression(env, node.values), bind_target(env, node.target), slot_of(env, node.target)
    parts = _parts(env, node.body) if env.kind == "module" else [(False, block(env, node.body))]
    body = in_order([part for _, part in parts])
    turns = Turns(parts, body, env.source.text) if env.kind == "module" else None
    otherwise, place = block(env, node.otherwise), node.place

    def run(frame: Frame) -> Signal:
        run = frame[0]
        turn: Any = body if turns is None else turns.begin(run)
        number = 0
        if type(turn) is int:
            number, turn = turn, body
        try:
            items = walked(values(frame))
        except Exception as error:
            locate(error, place)
            raise
        is_within = False
        try:
            for item in items:
                is_within = True
                run.left -= 1
                if run.left < 0:
                    run.refill()
                if slot is None:
                    bind(frame, item)
                else:
                    frame[slot] = item
                signal = turn(frame)
                if number:
                    turn, number = turns.after(run, number), 0  # type: ignore[union-attr]
                if signal is not None and signal is not CONTINUE:
                    return None if signal is BREAK else signal
                is_within = False
        except Exception as error:
            found = error if is_within else of_iteration(error)
            locate(found, place)
            if found is error:
                raise
            raise found from None
        return otherwise(frame)

    return run


_RECURRING: Final = (tree.Assign, tree.Annotate, tree.Augment, tree.Evaluate, tree.Within, tree.For)


def _parts(env: Environment, statements: tuple[tree.Statement, ...]) -> list[tuple[bool, Executor]]:
    """Statements in a row that may have one effect at every turn of a loop, and those in between."""
    groups = groupby(statements, lambda one: isinstance(one, _RECURRING))
    return [(may_recur, block(env, tuple(group))) for may_recur, group in groups]


class _Following:
    """An iterator that is an object of a program, which may have nothing but what follows."""

    __slots__ = ("_items",)

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> _Following:
        return self

    def __next__(self) -> Any:
        return self._items.__next__()


def walked(value: Any) -> Any:
    """The items of a value, for a loop."""
    kind = type(value)
    if kind is range or kind is list or kind is tuple:
        return value
    items = iterate(value)
    return _Following(items) if isinstance(items, Special) else items


MODES: Final[dict[str, Callable[..., Any]]] = {
    "no_grad": modes.no_grad,
    "enable_grad": modes.enable_grad,
    "inference_mode": modes.inference_mode,
    "set_grad_enabled": modes.set_grad_enabled,
}


def _within(env: Environment, node: tree.Within) -> Executor:
    context = expression(env, node.context)
    bind = None if node.target is None else bind_target(env, node.target)
    body, place = block(env, node.body), node.place

    def run(frame: Frame) -> Signal:
        try:
            manager, value = opened(context(frame))
        except Exception as error:
            locate(error, place)
            raise
        try:
            if bind is not None:
                bind(frame, value)
            signal = body(frame)
        except Exception as error:
            found = caught(error)
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


_PLAIN: Final = (tree.Assign, tree.Annotate, tree.Augment, tree.Evaluate)  # which give no signal


def _last(before: Executor | None, value: Step) -> Step:
    """The value that a function ends with, after statements."""
    if before is None:
        return value

    def evaluate(frame: Frame) -> Any:
        before(frame)
        return value(frame)

    return evaluate


def _chosen(env: Environment, node: tree.If, first: tree.Return, last: tree.Return) -> Step:
    """``if test: return first`` before ``return last``: the value alone, where a signal is not needed."""
    test, body, otherwise = (expression(env, one) for one in (node.test, first.value, last.value))  # type: ignore[arg-type]

    def choose(frame: Frame) -> Any:
        try:
            found = test(frame)
            if found is not True and found is not False:
                found = truth_of(found)
        except Exception as error:
            locate(error, node.place)
            raise
        if found:
            try:
                return body(frame)
            except Exception as error:
                locate(error, first.place)
                raise
        try:
            return otherwise(frame)
        except Exception as error:
            locate(error, last.place)
            raise

    return choose


def body_of(env: Environment, compiled: Compiled) -> None:
    """Compile the body of a function."""
    code = compiled.code
    if code.generates:
        compiled.generate = generating_body(env, code.body)
        return
    match code.body:
        case (*leading, tree.If(body=(tree.Return() as first,), otherwise=()) as node, tree.Return() as last) if (
            first.value is not None and last.value is not None and all(isinstance(one, _PLAIN) for one in leading)
        ):
            before = block(env, tuple(leading)) if leading else None
            compiled.expression = _last(before, _chosen(env, node, first, last))
        case (*leading, tree.Return(value, place)) if value is not None and all(isinstance(o, _PLAIN) for o in leading):
            before = block(env, tuple(leading)) if leading else None
            compiled.expression, compiled.place = _last(before, expression(env, value)), place
        case _:
            compiled.steps = block(env, code.body)


BODIES.append(body_of)
STATEMENTS.update({
    tree.Assign: _assign, tree.Annotate: _annotate, tree.Augment: _augment, tree.Evaluate: _evaluate,
    tree.Delete: _delete, tree.Within: _within, tree.For: _for, tree.While: _while, tree.If: _if, tree.Return: _return,
    tree.Jump: _jump,
})  # fmt: skip
