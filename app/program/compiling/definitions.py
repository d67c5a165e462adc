"""Definitions of functions and classes, and their decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.program import tree
from app.program.calls import call
from app.program.classbuilding import make_class, namespace_of
from app.program.compiling.blocks import STATEMENTS, Executor, block
from app.program.compiling.calling import keywords as keywords_of
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import expression, several, store
from app.program.failures import locate
from app.program.functions import UNBOUND, Cell, Frame, Signal
from app.program.scopes import CLASS_CELL


def _decorated(env: Environment, nodes: tuple[tree.Expression, ...]) -> Callable[[Frame], Callable[[Any], Any]]:
    """What decorators make of a definition; they are evaluated before it, and called from the last to the first."""
    steps = [(expression(env, node), node.place if isinstance(node, tree.At) else None) for node in nodes]

    def evaluate(frame: Frame) -> Callable[[Any], Any]:
        found = [(step(frame), place) for step, place in steps]

        def apply(value: Any) -> Any:
            for decorator, place in reversed(found):
                try:
                    value = call(frame[0], decorator, [value])
                except Exception as error:
                    if place is not None:
                        locate(error, place)
                    raise
            return value

        return apply

    return evaluate


def function(env: Environment, node: tree.FunctionDef) -> Executor:
    """``def``."""
    make = expression(env, node.function)
    decorate = _decorated(env, node.decorators) if node.decorators else None
    put, place = store(env, node.function.code.name), node.place

    def run(frame: Frame) -> Signal:
        try:
            if decorate is None:
                put(frame, make(frame))
            else:
                apply = decorate(frame)
                put(frame, apply(make(frame)))
        except Exception as error:
            locate(error, place)
            raise

    return run


def class_(env: Environment, node: tree.ClassDef) -> Executor:
    """``class``."""
    code, place = node.code, node.place
    inner = Environment("class", env.source, code, env)
    body = block(inner, code.body)
    blank = [UNBOUND] * (inner.size - inner.start)
    cell_at = inner.slots.get(CLASS_CELL)
    bases, keywords = several(env, node.bases), keywords_of(env, node.keywords)
    decorate = _decorated(env, node.decorators) if node.decorators else None
    put = store(env, code.name)

    def run(frame: Frame) -> Signal:
        try:
            apply = None if decorate is None else decorate(frame)
            below = bases(frame)
            named = {} if keywords is None else keywords(frame, None)
            namespace = namespace_of(below) if below else {}
            own = [frame[0], namespace, *[frame[taken] for taken in inner.taken], *blank]
            cell = None
            if cell_at is not None and node.takes_class:
                cell = own[cell_at] = Cell()
            frame[0].enter()
            try:
                body(own)
            finally:
                frame[0].depth -= 1
            frame[0].keep(8 * len(namespace) + 64)
            cls = make_class(code.name, code.qualname, tuple(below), dict(namespace), named, code.doc, cell)
            put(frame, cls if apply is None else apply(cls))
        except Exception as error:
            locate(error, place)
            raise

    return run


STATEMENTS.update({tree.FunctionDef: function, tree.ClassDef: class_})
