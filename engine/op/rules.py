"""vjp rules: functions of named things, and the text that finds these on a node and calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from engine import dtypes, modes
from engine.autograd.tape import FREED, Node
from engine.autograd.watch import saving_order
from engine.errors import OpError, UnsupportedError
from engine.op.signature import Param, names_of
from engine.op.text import Text
from engine.tensor import Tensor, from_array


class Rule:
    """One vjp rule: its function, the names it asks for, and which of them a node has to keep.

    ``params`` are the parameters whose cotangents it gives: one, or all differentiable ones of a joint rule. ``saves``
    names inputs and outputs, ``shapes`` what is known of them without their values.
    """

    __slots__ = ("function", "is_joint", "is_list", "names", "params", "saves", "shapes")

    def __init__(self, op: Any, function: Callable[..., Any], params: list[Param], joint: bool) -> None:
        self.function = function
        self.params = params
        self.is_joint = joint
        self.is_list = len(params) == 1 and params[0].is_list and not joint
        self.saves: list[str] = []
        self.shapes: list[str] = []
        self.names = names_of(function)
        for name in self.names:
            self._place(op, name)

    def _place(self, op: Any, name: str) -> None:
        """Where ``name`` is found; fails at import for a name that does not exist."""
        if name in SPECIAL:
            return
        if name in op.outputs.outputs or name in op.tensor_names:
            self.saves.append(name)
        elif about(name) in op.tensor_names:
            self.shapes.append(name)
        elif name not in op.static_names:
            raise TypeError(f"a rule of {op.name!r} asks for {name!r}, which the op does not have")


def about(name: str) -> str:
    """The tensor that ``x_shape``, ``x_shapes``, ``x_dtype`` or ``x_geometry`` is about."""
    return name.removesuffix("_shapes").removesuffix("_shape").removesuffix("_dtype").removesuffix("_geometry")


# What rules may ask for beside what a node keeps, as text.
SPECIAL = {"g": "g", "gs": "gs", "cotangents": "cotangents", "needs": "wanted", "is_inplace": "node.is_inplace"}


def write_pull_back(op: Any) -> Callable[..., Any]:
    """How the cotangents of an op's results become those of its inputs: ``(node, cotangents, needs)``, one an edge."""
    names = {name for rule in op.rules for name in rule.names}
    lines = ["gs = all_cotangents(node, cotangents)"] if "gs" in names else []
    if "g" in names:
        unusual = "True" if op.has_many else "g is None"
        lines += ["g = cotangents[0]", f"if {unusual}:", "    g = first_cotangent(node, cotangents)"]
    if op.nature.underivable_in_place:
        lines += ["if node.is_inplace:", f"    refuse_in_place({op.name!r})"]
    lines += _unpacked(op)
    objects: dict[str, Any] = {f"rule{i}": rule.function for i, rule in enumerate(op.rules)}
    lines += _joint(op) if op.rules and op.rules[0].is_joint else _listed(op) if op.has_lists else _single(op)
    if op.rules:
        lines = [
            "state = peek() or current()", "if state.grad_enabled and not state.in_rule:", "    state.in_rule = True",
            "    try:", "        return pull_back(node, cotangents, needs)", "    finally:",
            "        state.in_rule = False", *lines,
        ]  # fmt: skip
    return _TEXT.function("pull_back(node, cotangents, needs)", lines, objects)


def _unpacked(op: Any) -> list[str]:
    """The saved tensors as variables, in the order in which PyTorch looks at them: an error names the first bad one."""
    saves = {name for rule in op.rules for name in rule.saves}
    if not saves:
        return []
    lines = ["saved = node.saved", "if saved is None:", "    raise OpError(FREED)"]
    for name in saving_order(op, saves):
        param = next((param for param in op.tensors if param.name == name), None)
        is_plain = param is None or not (param.is_list or param.optional or param.default is None)
        unpack = f"saved[{name!r}].unpack(node)" if is_plain else f"node.fetch({name!r})"
        needed = "" if len(saves) == 1 and len(op.rules) == 1 else f" if {name!r} in saved else None"
        lines.append(f"{_variable(name)} = {unpack}{needed}")
    return lines


def _variable(name: str) -> str:
    return f"saved_{name}"


def _called(op: Any, number: int) -> str:
    return f"rule{number}({', '.join(_asked(op, name) for name in op.rules[number].names)})"


def _single(op: Any) -> list[str]:
    results = [_called(op, number) for number in range(len(op.rules))]
    if len(results) > 1:
        results = [f"{result} if needs[{number}] is not None else None" for number, result in enumerate(results)]
    return [f"return ({''.join(f'{result}, ' for result in results)})"]


def _joint(op: Any) -> list[str]:
    return ["wanted = tuple([bool(need) for need in needs])", f"return {_called(op, 0)}"]


def _listed(op: Any) -> list[str]:
    lines = ["results = []", "start = 0"]
    for number, rule in enumerate(op.rules):
        result = _called(op, number)
        lines += [
            f"count = node.counts[{number}]",
            "wanted = tuple([bool(need) for need in needs[start : start + count]])", "start += count",
            f"results += {result if rule.is_list else f'[{result}]'} if any(wanted) else [None] * count",
        ]  # fmt: skip
    return [*lines, "return results"]


def _asked(op: Any, name: str) -> str:
    if name in SPECIAL:
        return SPECIAL[name]
    is_saved = name in op.outputs.outputs or name in op.tensor_names
    return _variable(name) if is_saved else f"node.static[{name!r}]"


def first_cotangent(node: Node, cotangents: list[Tensor | None]) -> Tensor:
    """That of the first differentiable output; zeros where none arrived."""
    for found, (shape, dtype) in zip(cotangents, node.specs, strict=True):
        if dtypes.from_numpy(dtype).is_differentiable:
            return _zeros(shape, dtype) if found is None else found
    raise OpError(f"{node.name()} has no differentiable output")


def all_cotangents(node: Node, cotangents: list[Tensor | None]) -> list[Tensor]:
    """Those of all outputs; zeros where none arrived."""
    return [_zeros(*spec) if g is None else g for g, spec in zip(cotangents, node.specs, strict=True)]


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
    return from_array(np.zeros(shape, dtype))


def underivable(name: str) -> Callable[[bool], NoReturn]:
    """The rule of an op that PyTorch records without being able to differentiate it."""

    def rule(is_inplace: bool) -> NoReturn:
        raise OpError(f"derivative for aten::{name}{'_' * is_inplace} is not implemented")

    return rule


def _refuse_in_place(name: str) -> NoReturn:
    raise UnsupportedError(f"the derivative for 'inplace version of {name}' is not implemented.")


class AskedByName:
    """A function of some of an op's arguments, called with those it names as parameters."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.names = names_of(function)

    def __call__(self, named: dict[str, Any]) -> Any:
        """What the function says of arguments given by name."""
        return self.function(*[named[name] for name in self.names])


_TEXT = Text({
    "FREED": FREED, "OpError": OpError, "all_cotangents": all_cotangents, "current": modes.current,
    "first_cotangent": first_cotangent, "peek": modes.peek, "refuse_in_place": _refuse_in_place,
})  # fmt: skip
