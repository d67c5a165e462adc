"""Comprehensions: loops within an expression, whose names have places of their own in the frame around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.program import tree
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import EXPRESSIONS, condition, expression
from app.program.compiling.targets import Binder, bind_target
from app.program.costs import bounded
from app.program.failures import python, reraise
from app.program.functions import Cell, Frame, Step
from app.program.operations import iterate


def _comprehension(env: Environment, node: tree.Comprehension) -> Step:
    first = expression(env, node.clauses[0].values)
    names = {name: (env.new(), name in node.cells) for name in node.bound}
    env.inner.append(names)
    fresh = [place for place, is_cell in names.values() if is_cell]
    clauses = [
        (
            bind_target(env, clause.target), first if place == 0 else expression(env, clause.values),
            [condition(env, one) for one in clause.conditions],
        )
        for place, clause in enumerate(node.clauses)
    ]  # fmt: skip
    element = expression(env, node.element)
    value = None if node.value is None else expression(env, node.value)
    env.inner.pop()
    kind, depth = node.kind, len(clauses)

    fill = _filling(clauses)
    bind_item, _, tests = clauses[0]
    if kind == "list" and depth == 1 and len(tests) < 2 and not fresh:
        target = node.clauses[0].target
        slot = names[target.id][0] if type(target) is tree.Name else None
        return _listed(first, bind_item, slot, tests[0] if tests else None, element)

    def comprehend(frame: Frame) -> Any:
        for place in fresh:
            frame[place] = Cell()
        run = frame[0]
        made: Any
        if kind == "list":
            made = []
            fill(frame, 0, lambda frame: made.append(element(frame)))
        elif kind == "set":
            made = set()
            fill(frame, 0, lambda frame: python(made.add, bounded(element(frame))))
        else:
            made = {}

            def put(frame: Frame) -> None:
                key = element(frame)
                python(made.__setitem__, bounded(key), value(frame))  # type: ignore[misc]

            fill(frame, 0, put)
        run.keep(2 * len(made))
        return made

    return comprehend


def _filling(clauses: list[tuple[Binder, Step, list[Step]]]) -> Callable[[Frame, int, Callable[[Frame], None]], None]:
    """What walks through the clauses from a level on, and adds where all of them have a value."""
    depth = len(clauses)

    def fill(frame: Frame, level: int, add: Callable[[Frame], None]) -> None:
        bind, values, conditions = clauses[level]
        run = frame[0]
        try:
            for item in iterate(values(frame)):
                run.left -= 1
                if run.left < 0:
                    run.refill()
                bind(frame, item)
                if all(test(frame) for test in conditions) if conditions else True:
                    if level + 1 == depth:
                        add(frame)
                    else:
                        fill(frame, level + 1, add)
        except Exception as error:  # of the iterator itself, which may be one of Python's
            reraise(error)

    return fill


def _listed(values: Step, bind: Binder, slot: int | None, test: Step | None, element: Step) -> Step:
    """The most common form: a list, by one clause."""

    def listed(frame: Frame) -> Any:
        run = frame[0]
        made: list[Any] = []
        add = made.append
        try:
            for item in iterate(values(frame)):
                run.left -= 1
                if run.left < 0:
                    run.refill()
                if slot is None:
                    bind(frame, item)
                else:
                    frame[slot] = item
                if test is None or test(frame):
                    add(element(frame))
        except Exception as error:
            reraise(error)
        run.keep(2 * len(made))
        return made

    return listed


EXPRESSIONS[tree.Comprehension] = _comprehension
