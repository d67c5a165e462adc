"""``import`` in its forms."""

from __future__ import annotations

from app.program import tree
from app.program.compiling.blocks import STATEMENTS, Executor
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import store
from app.program.failures import locate
from app.program.functions import Frame, Signal
from app.program.importing import everything, find_module, member


def import_(env: Environment, node: tree.Import) -> Executor:
    """``import module as name``."""
    first, dot, _ = node.module.partition(".")
    put, place = store(env, node.name or first), node.place

    def run(frame: Frame) -> Signal:
        try:
            found = find_module(node.module)
            put(frame, found if node.name is not None or not dot else find_module(first))
        except Exception as error:
            locate(error, place)
            raise

    return run


def import_from(env: Environment, node: tree.ImportFrom) -> Executor:
    """``from module import name as name``."""
    if node.names == (("*", "*"),):

        def take_all(frame: Frame) -> Signal:
            try:
                for name, value in everything(node.module).items():
                    frame[0].namespace[name] = value
            except Exception as error:
                locate(error, node.place)
                raise

        return take_all
    binders = [(name, store(env, bound)) for name, bound in node.names]

    def run(frame: Frame) -> Signal:
        try:
            module = find_module(node.module)
            for name, put in binders:
                put(frame, member(module, name))
        except Exception as error:
            locate(error, node.place)
            raise

    return run


STATEMENTS.update({tree.Import: import_, tree.ImportFrom: import_from})
