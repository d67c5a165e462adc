"""Statements as closures over a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.program import tree
from app.program.compiling.arithmetic import changing
from app.program.compiling.blocks import BREAK, CONTINUE, STATEMENTS, Executor, block, located
from app.program.compiling.environment import Environment
from app.program.compiling.exceptions import of_iteration
from app.program.compiling.expressions import BODIES, expression, locate, truth_of
from app.program.compiling.generating import generating_body
from app.program.compiling.targets import augment, bind_target, delete
from app.program.contexts import leave, opened
from app.program.failures import caught
from app.program.functions import UNBOUND, Compiled, Frame, Signal
from app.program.operations import iterate
from app.program.tree import Place
from engine import modes


def _evaluate(env: Environment, node: tree.Evaluate) -> Executor:
    return located(expression(env, node.value), node.place)


def _assign(env: Environment, node: tree.Assign) -> Executor:
    value, place = expression(env, node.value), node.place
    binders = [bind_target(env, target) for target in node.targets]
    if len(binders) == 1:
        (bind,) = binders
        kind, where = env.place(node.targets[0].id) if isinstance(node.targets[0], tree.Name) else ("", 0)
        if kind == "slot":

            def to_slot(frame: Frame) -> None:
                try:
                    frame[where] = value(frame)
                except Exception as error:
                    locate(error, place)
                    raise

            return to_slot

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
    if isinstance(node.target, tree.Name) and env.place(node.target.id)[0] == "slot":
        where, value, place = env.place(node.target.id)[1], expression(env, node.value), node.place
        changed, old = changing(node.operator), expression(env, node.target)

        def to_slot(frame: Frame) -> None:
            try:
                left = frame[where]
                frame[where] = changed(old(frame) if left is UNBOUND else left, value(frame))
            except Exception as error:
                locate(error, place)
                raise

        return to_slot
    return located(augment(env, node), node.place)


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
    test, body = tested(env, node.test, node.place), block(env, node.body)
    if not node.otherwise:
        return lambda frame: body(frame) if test(frame) else None
    otherwise = block(env, node.otherwise)
    return lambda frame: body(frame) if test(frame) else otherwise(frame)


def _while(env: Environment, node: tree.While) -> Executor:
    test, body, otherwise = tested(env, node.test, node.place), block(env, node.body), block(env, node.otherwise)
    place = node.place

    def run(frame: Frame) -> Signal:
        run = frame[0]
        while test(frame):
            run.left -= 1
            if run.left < 0:
                tick(run, place)
            signal = body(frame)
            if signal is not None and signal is not CONTINUE:
                if signal is BREAK:
                    return None
                return signal
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
    values, bind = expression(env, node.values), bind_target(env, node.target)
    body, otherwise, place = block(env, node.body), block(env, node.otherwise), node.place

    def run(frame: Frame) -> Signal:
        run = frame[0]
        try:
            items = iterate(values(frame))
            following = items.__next__
        except Exception as error:
            locate(error, place)
            raise
        while True:
            try:
                item = following()
            except StopIteration:
                break
            except Exception as error:
                error = of_iteration(error)
                locate(error, place)
                raise error from None
            try:
                run.left -= 1
                if run.left < 0:
                    run.refill()
                bind(frame, item)
            except Exception as error:
                locate(error, place)
                raise
            signal = body(frame)
            if signal is not None and signal is not CONTINUE:
                if signal is BREAK:
                    return None
                return signal
        return otherwise(frame)

    return run


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


def body_of(env: Environment, compiled: Compiled) -> None:
    """Compile the body of a function."""
    code = compiled.code
    if code.generates:
        compiled.generate = generating_body(env, code.body)
        return
    match code.body:
        case (tree.Return(value, place),) if value is not None:
            found = expression(env, value)

            def evaluate(frame: Frame) -> Any:
                try:
                    return found(frame)
                except Exception as error:
                    locate(error, place)
                    raise

            compiled.expression = evaluate
        case _:
            compiled.steps = block(env, code.body)


BODIES.append(body_of)
STATEMENTS.update({
    tree.Assign: _assign, tree.Annotate: _annotate, tree.Augment: _augment, tree.Evaluate: _evaluate,
    tree.Delete: _delete, tree.Within: _within, tree.For: _for, tree.While: _while, tree.If: _if, tree.Return: _return,
    tree.Jump: _jump,
})  # fmt: skip
