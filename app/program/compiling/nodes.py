"""Runs the statements of JSON nodes as they are.

They are few and come once: making closures of them would take longer than running them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final

from msgspec import UNSET

from app.program import tree
from app.program.builtins import set_item
from app.program.calls import PLAIN, adapted, call
from app.program.compiling.expressions import dtype_named, fresh_tensor, missing
from app.program.compiling.statements import MODES
from app.program.failures import locate
from app.program.names import find_op
from app.program.operations import get_item
from app.program.runtime import Run
from app.program.tree import NAME_LENGTH, Expression, GraphError, Statement, is_name, quoted
from app.program.values import attribute, set_attribute
from app.wire.plain import Node
from engine import refusals


def perform(run: Run, statement: Statement) -> None:
    """Carry out one statement."""
    if type(statement) is tree.Assign:
        value = _EVALUATE[type(statement.value)](run, statement.value)
        (target,) = statement.targets
        if type(target) is tree.Name:
            run.bind(target.id, value)
        else:
            _put(run, target, value)
    elif type(statement) is tree.Evaluate:
        evaluate(run, statement.value)
    elif type(statement) is tree.With:
        (mode,) = statement.modes
        with MODES[mode.name]():
            for one in statement.body:
                perform_located(run, one)
    else:
        PERFORM[type(statement)](run, statement)


def perform_located(run: Run, statement: Statement) -> None:
    """Carry out a statement of a block; what it raises knows where."""
    if run.budget is not None:
        run.budget.spend(0)
    try:
        perform(run, statement)
    except Exception as error:
        locate(error, statement.place)
        raise


def _put(run: Run, target: tree.Target, value: Any) -> None:
    match target:
        case tree.Attribute(owner, name):
            set_attribute(evaluate(run, owner), name, value)
        case tree.Subscript(container, index):
            set_item(evaluate(run, container), evaluate(run, index), value)
        case _:
            raise AssertionError(target)


def evaluate(run: Run, node: Expression) -> Any:
    """The value of an expression."""
    return _EVALUATE[type(node)](run, node)


def _name(run: Run, node: tree.Name) -> Any:
    return run.namespace[node.id] if node.id in run.namespace else missing(run, node.id)


def _display(run: Run, node: tree.Display) -> Any:
    items = [_EVALUATE[type(item)](run, item) for item in node.items]
    run.keep(len(items))
    return items if node.kind == "list" else tuple(items)


def _op_call(run: Run, node: tree.OpCall) -> Any:
    function = find_op(node.op)
    if function is None:
        return _own_call(run, node)
    namespace, args = run.namespace, []
    for one in node.args:
        kind = type(one)
        if kind is tree.Name and one.id in namespace:  # type: ignore[union-attr]
            value = namespace[one.id]  # type: ignore[union-attr]
        elif kind is tree.Constant:
            value = one.value  # type: ignore[union-attr]
        else:
            value = _EVALUATE[kind](run, one)
        args.append(value if type(value) in _AS_IS else dtype_named(adapted(value)))
    kwargs = {name: dtype_named(adapted(evaluate(run, one))) for name, one in node.kwargs} if node.kwargs else {}
    try:
        return function(*args, **kwargs)
    except refusals.ERRORS as error:
        refusals.fail(error, function, args, kwargs, node.op)


def perform_plain(run: Run, node: Node) -> bool:
    """Carry out a node as it was read, if it calls an op with names and numbers; whether it was."""
    name, op = node.id, node.op
    if node.kwargs or op[:2] == "__" or len(op) > NAME_LENGTH or not op.isidentifier():
        return False
    function = find_op(op)
    if function is None or not (name is UNSET or name is None or is_name(name)):
        return False
    namespace, args = run.namespace, []
    for one in node.args or ():
        kind = type(one)
        if kind is str:
            value = namespace.get(one[1:], UNSET) if one[:1] == "$" else UNSET
            if value is UNSET:
                return False
            args.append(value if type(value) in _AS_IS else dtype_named(adapted(value)))
        elif kind in _NUMBERS:
            args.append(one)
        else:
            return False
    if run.budget is not None:
        run.budget.spend(0)
    try:
        result = function(*args)
    except refusals.ERRORS as error:
        refusals.fail(error, function, args, {}, op)
    if name:
        run.bind(name, result)
    return True


def _own_call(run: Run, node: tree.OpCall) -> Any:
    """Call what the program or its session has under that name: a function, a class, a module."""
    name, *path = node.op.split(".")
    if name not in run.namespace:  # checked before the run, but for the nodes of functions
        raise GraphError(f"unknown op {quoted(node.op)}")
    function = reduce(attribute, path, run.namespace[name])
    return call(run, function, [evaluate(run, one) for one in node.args],
                {name: evaluate(run, one) for name, one in node.kwargs})  # fmt: skip


PERFORM: Final[dict[type, Callable[[Run, Any], None]]] = {}  # statements that other modules know how to carry out
_AS_IS: Final = PLAIN - {str}
_NUMBERS: Final = frozenset({float, int, bool})
_EVALUATE: Final[dict[type, Callable[[Run, Any], Any]]] = {
    tree.Constant: lambda run, node: node.value,
    tree.TensorConstant: fresh_tensor,
    tree.Name: _name,
    tree.Attribute: lambda run, node: attribute(evaluate(run, node.value), node.name),
    tree.Subscript: lambda run, node: get_item(evaluate(run, node.value), evaluate(run, node.index)),
    tree.Slice: lambda run, node: slice(*[evaluate(run, part) for part in (node.start, node.stop, node.step)]),
    tree.Display: _display,
    tree.OpCall: _op_call,
}
