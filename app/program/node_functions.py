"""Functions that a graph defines by two lists of nodes: ``autograd.Function`` for programs that have no classes.

A function is data, its definition as JSON, by which sessions store it. Its nodes see their own names alone: forward the
inputs; backward the cotangents ``grad_<output>`` and whatever it names of forward, which is saved for it. Backward
gives the cotangents of inputs as ``grad_<input>``; an input without one has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.program import runtime
from app.program.classes import MISSING
from app.program.compiling import nodes
from app.program.failures import PythonError, seen_as
from app.program.functions import Callable_
from app.program.names import find_op
from app.program.operations import Routine
from app.program.runtime import Run
from app.program.tree import GraphError, NodeFunction, Statement, quoted
from app.program.values import add_objects
from engine import Tensor, custom

GRAD = "grad_"  # before the name of an input or output: its cotangent


@seen_as("function")
class GraphFunction(custom.Definition, Callable_):
    """A function of a graph, and what the engine is told of it."""

    __slots__ = ("__weakref__", "tree")

    def __init__(self, tree: NodeFunction) -> None:
        self.tree = tree

    @property
    def name(self) -> str:
        return self.tree.name

    def has(self, method: str) -> bool:
        return method == "forward" or (method == "backward" and self.tree.backward is not None)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        inputs = self.tree.inputs
        named = dict(zip(inputs, args, strict=False))
        if len(args) > len(inputs) or named.keys() & kwargs.keys() or (named | kwargs).keys() != set(inputs):
            given = ", ".join([*map(str, range(len(args))), *kwargs]) or "none"
            raise PythonError(TypeError, f"{self.name}() takes the inputs {', '.join(inputs)}; given: {given}")
        return tuple([(named | kwargs)[name] for name in inputs])

    def call(self, method: str, *args: Any) -> Any:
        ctx, *given = args
        return self._forward(ctx, given) if method == "forward" else self._backward(ctx, given)

    def enter(self, run: Run, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        return custom.apply(self, self.bind(tuple(args), kwargs or {}), {})

    def _forward(self, ctx: Any, inputs: list[Any]) -> Any:
        tree = self.tree
        scope = dict(zip(tree.inputs, inputs, strict=True))
        _perform(tree.forward, scope)
        kept = {name: scope[name] for name in tree.saves}
        tensors = {name: value for name, value in kept.items() if isinstance(value, Tensor)}
        ctx.save_for_backward(*tensors.values())
        ctx.tensors = list(tensors)
        ctx.others = {name: value for name, value in kept.items() if name not in tensors}
        results = tuple([scope[name] for name in tree.outputs])
        return results if len(results) > 1 else results[0]

    def _backward(self, ctx: Any, cotangents: list[Any]) -> tuple[Any, ...]:
        tree = self.tree
        tensors, others, saved = ctx.tensors, ctx.others, ctx.saved_tensors
        if not (isinstance(tensors, list) and isinstance(others, dict) and len(tensors) == len(saved)
                and sorted([*tensors, *others]) == sorted(tree.saves)):  # fmt: skip
            raise PythonError(RuntimeError, f"what {self.name} has saved is not what its backward reads")
        scope = dict(zip(tensors, saved, strict=True)) | others
        scope |= {f"{GRAD}{name}": value for name, value in zip(tree.outputs, cotangents, strict=True)}
        _perform(tree.backward or (), scope)
        return tuple([scope.get(f"{GRAD}{name}") for name in tree.inputs])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GraphFunction) and self.tree == other.tree

    def __hash__(self) -> int:
        return hash(self.tree.text)

    def __repr__(self) -> str:
        return f"<function {self.name}>"


def _perform(statements: tuple[Statement, ...], scope: dict[str, Any]) -> None:
    """Carry out nodes over names of their own, as a call within the others."""
    around = runtime.current()
    around.enter()
    run = Run(scope, around.limits)
    run.depth = around.depth
    try:
        with runtime.within(run):
            for statement in statements:
                nodes.perform_located(run, statement)
    finally:
        around.depth -= 1


def define(run: Run, tree: NodeFunction) -> None:
    """Let a name of the program mean a function. Raises ``GraphError`` for the name of an op."""
    if find_op(tree.name) is not None:
        place = tree.place
        raise GraphError(f"{quoted(tree.name)} is an op of PyTorch's", node_index=place.node_index)
    run.namespace[tree.name] = GraphFunction(tree)


def _attribute(value: GraphFunction, name: str) -> Any:
    if name == "apply":
        return Routine("apply", value, owner=value)
    return value.name if name in ("__name__", "__qualname__") else MISSING


add_objects(GraphFunction, _attribute)
nodes.PERFORM[NodeFunction] = define
