"""vjp rules: a function of named things, and where on a node each of them is found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine import dtypes
from engine.autograd.tape import Node
from engine.errors import OpError
from engine.op.signature import Param
from engine.tensor import Tensor


class Rule:
    """One vjp rule, and where each of the names it asks for comes from.

    ``params`` are the parameters whose cotangents it gives: one, or all differentiable ones of a joint rule.
    """

    __slots__ = ("function", "is_joint", "is_list", "names", "params", "saves", "shapes", "sources")

    def __init__(self, op: Any, function: Callable[..., Any], params: list[Param], joint: bool) -> None:
        self.function = function
        self.params = params
        self.is_joint = joint
        self.is_list = len(params) == 1 and params[0].is_list and not joint
        self.saves: list[str] = []
        self.shapes: list[str] = []
        self.names = list(inspect.signature(function).parameters)
        self.sources = [self._source(op, name) for name in self.names]

    def _source(self, op: Any, name: str) -> Callable[..., Any]:
        """How to get ``name`` from a node; fails at import for a name that does not exist."""
        special = _SPECIAL.get(name)
        if special is not None:
            return special
        if name in op.output_names or name in op.tensor_names:
            self.saves.append(name)
            return lambda node, cotangents, needs: node.fetch(name)
        if about(name) in op.tensor_names:
            self.shapes.append(name)
        elif name not in op.static_names:
            raise TypeError(f"a rule of {op.name!r} asks for {name!r}, which the op does not have")
        return lambda node, cotangents, needs: node.static[name]

    def __call__(self, node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Any:
        return self.function(*[source(node, cotangents, needs) for source in self.sources])


def about(name: str) -> str:
    """The tensor that ``x_shape``, ``x_shapes``, ``x_dtype`` or ``x_geometry`` is about."""
    return name.removesuffix("_shapes").removesuffix("_shape").removesuffix("_dtype").removesuffix("_geometry")


def _first_cotangent(node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Tensor:
    for found, (shape, dtype) in zip(cotangents, node.specs, strict=True):
        if dtypes.from_numpy(dtype).is_differentiable:
            return _zeros(shape, dtype) if found is None else found
    raise OpError(f"{node.name()} has no differentiable output")


def _all_cotangents(node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> list[Tensor]:
    return [_zeros(*spec) if g is None else g for g, spec in zip(cotangents, node.specs, strict=True)]


_SPECIAL: dict[str, Callable[..., Any]] = {
    "g": _first_cotangent,
    "gs": _all_cotangents,
    "cotangents": lambda node, cotangents, needs: cotangents,
    "needs": lambda node, cotangents, needs: tuple([bool(need) for need in needs]),
    "written": lambda node, cotangents, needs: node.written,
}


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
    return Tensor(np.zeros(shape, dtype))


class Question:
    """A function of some of an op's arguments, asked by name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.names = list(inspect.signature(function).parameters)

    def __call__(self, named: dict[str, Any]) -> Any:
        return self.function(*[named[name] for name in self.names])
