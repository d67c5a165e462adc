"""Reads the JSON spelling of a program: nodes, references and literals."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from types import EllipsisType
from typing import Final, NoReturn

from msgspec import UNSET

from app.limits import Limits, OverLimit
from app.program.tree import (
    ASSIGNABLE,
    MODES,
    NAME_LENGTH,
    Assign,
    Attribute,
    Constant,
    ConstantValue,
    Display,
    Evaluate,
    Expression,
    GraphError,
    Mode,
    Name,
    NodeFunction,
    OpCall,
    Place,
    Program,
    Slice,
    Statement,
    Subscript,
    TensorConstant,
    With,
    is_attribute,
    is_name,
    quoted,
)
from app.wire.nonfinite import SPECIAL
from app.wire.plain import Node

FUNCTION_FIELDS: Final = frozenset({"function", "inputs", "outputs", "forward", "backward"})
_NO_KWARGS: Final[dict[str, object]] = {}
_NUMBERS: Final = frozenset({int, float})
REFERENCE_PARTS: Final = 64  # attributes and indices in a row: each is a level of the tree


def parse_reference(text: str) -> Expression:
    """Read ``name.attr.0`` (a reference without its ``$``)."""
    if is_name(text):
        return Name(text)
    name, *parts = text.split(".")
    if len(parts) > REFERENCE_PARTS:
        raise GraphError(f"{quoted('$' + text)} is not a reference: it has more than {REFERENCE_PARTS} dots")
    if not is_name(name):
        raise GraphError(f"{quoted('$' + text)} is not a reference: expected $name, $name.attribute or $name.0")
    expression: Expression = Name(name)
    for part in parts:
        expression = _part(expression, part, text)
    return expression


def _part(value: Expression, part: str, text: str) -> Expression:
    if part.isascii() and part.isdigit() and len(part) < 10:
        return Subscript(value, Constant(int(part)))
    if part.isidentifier() and len(part) <= NAME_LENGTH and is_attribute(part):
        return Attribute(value, part)
    raise GraphError(f"{quoted('$' + text)} is not a reference: {quoted(part)} is neither an attribute nor an index")


def parse_nodes(raw: Sequence[object], limits: Limits) -> Program:
    """Read a list of JSON nodes; raises ``GraphError`` for whatever the contract does not describe."""
    reader = _NodeReader(limits)
    statements = reader.block(raw, 0)
    return Program(statements, "nodes", tuple(reader.references), tuple(reader.ops))


class _NodeReader:
    """Reads nodes in order, counting them and noting what they need."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.count = 0
        self.bound: set[str] = set()
        self.read: list[str] = []  # by the node that is read, of what no earlier one binds
        self.references: list[tuple[str, Place]] = []
        self.ops: list[tuple[str, Place]] = []
        self.functions: set[str] = set()  # those that earlier nodes define

    def block(self, raw: object, depth: int) -> tuple[Statement, ...]:
        if not isinstance(raw, list):
            raise GraphError(f"nodes: expected a list, got {_kind(raw)}")
        if depth > self.limits.depth:
            raise OverLimit("depth", allowed=self.limits.depth, asked=depth)
        return tuple([self.node(node, depth) for node in raw])

    def node(self, raw: object, depth: int) -> Statement:
        index = self.count
        self.count += 1
        if self.count > self.limits.nodes:
            raise OverLimit("nodes", allowed=self.limits.nodes, asked=self.count)
        node_id: object
        if type(raw) is Node:
            node_id = None if raw.id is UNSET else raw.id
        else:
            node_id = raw.get("id") if isinstance(raw, dict) else None
        place = Place(None, None, node_id if is_name(node_id) else None, index)
        try:
            if type(raw) is Node:
                return self._call(raw.op, node_id, raw.args or [], raw.kwargs or _NO_KWARGS, place)
            return self._statement(raw, place, depth)
        except (GraphError, OverLimit) as error:
            if error.node_index is None:
                error.node_id, error.node_index = place.node_id, place.node_index
            raise

    def _statement(self, raw: object, place: Place, depth: int) -> Statement:
        if not isinstance(raw, dict):
            raise GraphError(f"a node is an object, got {_kind(raw)}")
        if "op" not in raw:
            return self._block_node(raw, place, depth)
        if not raw.keys() <= _FIELDS.keys():
            raise _unknown_field(raw)
        return self._call(raw["op"], raw.get("id"), raw.get("args", []), raw.get("kwargs", _NO_KWARGS), place)

    def _call(self, op: object, node_id: object, args: object, kwargs: object, place: Place) -> Statement:
        name = place.node_id
        if name is None and node_id is not None:
            raise GraphError(f"id: expected up to {NAME_LENGTH} letters, digits, '_' or '-'")
        op = _op_name(op)
        if not isinstance(args, list):
            raise GraphError(f"args: expected a list, got {_kind(args)}")
        self.read.clear()
        listed = tuple([Constant(one) if type(one) in _NUMBERS else self.literal(one, 0) for one in args])
        named = () if kwargs is _NO_KWARGS else self._named(kwargs)
        for read in self.read:
            self.references.append((read, place))
        if op[:2] == "__":
            return self._special_call(op, listed, named, place)
        self._note_op(op, place)
        call = OpCall(op, listed, named)
        if name is None:
            return Evaluate(call, place)
        self.bound.add(name)
        return Assign((Name(name),), call, place)

    def _note_op(self, op: str, place: Place) -> None:
        if not self.functions or op.partition(".")[0] not in self.functions:
            self.ops.append((op, place))

    def _special_call(
        self, op: str, args: tuple[Expression, ...], kwargs: tuple[tuple[str, Expression], ...], place: Place
    ) -> Statement:
        statement = _bind(place, _op_statement(op, args, kwargs, place))
        if type(statement.value) is OpCall:
            self._note_op(statement.value.op, place)
        if place.node_id is not None:
            self.bound.add(place.node_id)
        return statement

    def _block_node(self, raw: dict[str, object], place: Place, depth: int) -> With | NodeFunction:
        if "function" in raw:
            return self._function(raw, place, depth)
        modes = [key for key in raw if key in MODES[:3]]
        if len(raw) != 1 or not modes:
            raise GraphError(
                "expected a node with an 'op', a block with one key (no_grad, enable_grad, inference_mode), or a "
                "'function'"
            )
        return With((Mode(modes[0]),), self.block(raw[modes[0]], depth + 1), place)

    # -- functions ------------------------------------------------------------------------------------------------
    def _function(self, raw: dict[str, object], place: Place, depth: int) -> NodeFunction:
        """Read ``{"function": name, "inputs": …, "forward": …, "outputs": …, "backward": …}``."""
        if not FUNCTION_FIELDS - {"backward"} <= raw.keys() <= FUNCTION_FIELDS:
            raise GraphError(f"a function has {', '.join(sorted(FUNCTION_FIELDS))}; it may be without backward")
        name = raw["function"]
        if depth:
            raise GraphError("a function is defined outside of blocks and other functions")
        if not isinstance(name, str) or not name.isidentifier() or not is_name(name):
            raise GraphError(f"function: expected a name of up to {NAME_LENGTH} letters, digits and '_'")
        inputs, outputs = (_names(raw[field], field) for field in ("inputs", "outputs"))
        forward, unknown = self._body(raw["forward"], inputs)
        made = {*inputs, *_ids(forward)}
        for output in outputs:
            if output not in made:
                raise GraphError(f"outputs: {quoted(output)} is no input, and no node of forward has this id")
        self._refuse_unknown(unknown)
        backward: tuple[Statement, ...] | None = None
        saves: tuple[str, ...] = ()
        if raw.get("backward") is not None:
            backward, read = self._body(raw["backward"], [f"grad_{output}" for output in outputs])
            self._refuse_unknown([one for one in read if one[0] not in made])
            saves = tuple(dict.fromkeys(name for name, _ in read))
        self.functions.add(name)
        return NodeFunction(name, inputs, outputs, forward, backward, saves, _json(raw), place)

    def _body(self, raw: object, known: Collection[str]) -> tuple[tuple[Statement, ...], list[tuple[str, Place]]]:
        """The nodes of a function, and what they refer to beside ``known`` and one another."""
        around = self.bound, self.references, self.functions
        self.bound, self.references, self.functions = set(known), [], set()
        try:
            return self.block(raw, 1), self.references
        finally:
            self.bound, self.references, self.functions = around

    @staticmethod
    def _refuse_unknown(references: list[tuple[str, Place]]) -> None:
        for name, place in references:
            raise GraphError(
                f"unknown reference {quoted('$' + name)}: a function's nodes see its own names only: its inputs and "
                "its earlier nodes; backward also grad_ and the name of an output",
                node_id=place.node_id, node_index=place.node_index,
            )  # fmt: skip

    def _named(self, kwargs: object) -> tuple[tuple[str, Expression], ...]:
        if not isinstance(kwargs, dict):
            raise GraphError(f"kwargs: expected an object, got {_kind(kwargs)}")
        for key in kwargs:
            if not isinstance(key, str) or not key.isidentifier() or key.startswith("__") or len(key) > NAME_LENGTH:
                raise GraphError(f"kwargs: {quoted(str(key))} is not an argument name")
        return tuple([(key, self.literal(value, 0)) for key, value in kwargs.items()])

    def literal(self, raw: object, depth: int) -> Expression:
        """Read one argument."""
        if isinstance(raw, str):
            return self._string(raw)
        if raw is None or isinstance(raw, (float, int)):
            return Constant(raw)
        if isinstance(raw, list):
            if depth >= self.limits.depth:
                raise OverLimit("depth", allowed=self.limits.depth, asked=depth + 1)
            return Display("list", tuple(self.literal(value, depth + 1) for value in raw))
        if isinstance(raw, dict):
            return self._special(raw, depth)
        raise GraphError(f"an argument cannot be {_kind(raw)}")

    def _string(self, raw: str) -> Expression:
        if raw[:1] != "$":
            return Constant(SPECIAL[raw] if raw in SPECIAL else _text(raw))
        reference = raw[1:]
        if reference in self.bound:
            return Name(reference)
        if reference[:1] == "$":
            return Constant(_text(reference))
        name = reference.partition(".")[0]
        if name not in self.bound:
            self.read.append(name)
        return parse_reference(reference)

    def _special(self, raw: dict[str, object], depth: int) -> Expression:
        if len(raw) == 1:
            ((key, value),) = raw.items()
            if key == "tensor":
                return TensorConstant(value)
            if key == "slice":
                return self._slice(value, depth)
            if key == "function":
                return _function(value)
            if key in _SPECIAL:
                return Constant(_SPECIAL[key](value))
        raise GraphError(
            'an object argument is one of {"slice"}, {"ellipsis"}, {"float"}, {"complex"}, {"tensor"}, {"function"}'
        )

    def _slice(self, raw: object, depth: int) -> Slice:
        if not isinstance(raw, list) or not 1 <= len(raw) <= 3:
            raise GraphError("slice: expected [start, stop, step]")
        if any(isinstance(part, (float, list, dict)) for part in raw):
            raise GraphError("slice: start, stop and step are integers, references or null")
        parts = [self.literal(part, depth + 1) for part in raw]
        if len(parts) == 1:
            parts.insert(0, Constant(None))
        return Slice(parts[0], parts[1], parts[2] if len(parts) == 3 else Constant(None))


def _names(raw: object, field: str) -> tuple[str, ...]:
    is_sound = isinstance(raw, list) and raw and all(map(is_name, raw)) and len(set(raw)) == len(raw)
    if not is_sound:
        raise GraphError(f"{field}: expected a list of different names")
    return tuple(raw)  # type: ignore[arg-type]


def _json(raw: dict[str, object]) -> str:
    """What a session stores of a function."""
    try:
        return json.dumps(raw)
    except (TypeError, ValueError):
        raise GraphError("a function's nodes are JSON: tensors come in as its inputs") from None


def _function(raw: object) -> Expression:
    """A function of PyTorch by its name, as ``autograd.functional`` takes one."""
    return reduce(Attribute, _op_name(raw).split("."), Name("torch"))  # type: ignore[arg-type]


def _text(raw: str) -> str:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise GraphError("a string holds half of a surrogate pair") from None
    return raw


def _ellipsis(raw: object) -> EllipsisType:
    if raw is not True:
        raise GraphError("ellipsis: expected true")
    return ...


def _float(raw: object) -> float:
    if isinstance(raw, str) and raw in SPECIAL:
        return SPECIAL[raw]
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _to_float(raw)
    raise GraphError('float: expected "NaN", "Infinity", "-Infinity" or a number')


def _to_float(raw: float) -> float:
    try:
        return float(raw)
    except OverflowError:
        raise GraphError("float: the integer is too large") from None


def _complex(raw: object) -> complex:
    if not isinstance(raw, list) or len(raw) != 2:
        raise GraphError("complex: expected [real, imaginary]")
    return complex(_float(raw[0]), _float(raw[1]))


_SPECIAL: Final[dict[str, Callable[[object], ConstantValue]]] = {
    "ellipsis": _ellipsis,
    "float": _float,
    "complex": _complex,
}


def _op_name(raw: object) -> str:
    if isinstance(raw, str) and raw.isidentifier() and len(raw) <= NAME_LENGTH:
        return raw
    if not isinstance(raw, str) or not all(part.isidentifier() for part in raw.split(".")) or len(raw) > NAME_LENGTH:
        raise GraphError("op: expected a name such as 'add', 'linalg.solve' or '__getitem__'")
    return raw.removeprefix("torch.")


def _op_statement(
    op: str, args: tuple[Expression, ...], kwargs: tuple[tuple[str, Expression], ...], place: Place
) -> Assign | Evaluate:
    if op in ("__getitem__", "__setitem__") and len(args) > 1:
        args = (args[0], _index(args[1]), *args[2:])
    if op == "__setattr__":
        return _set_attribute(args, kwargs, place)
    if op == "__setitem__":
        if len(args) != 3 or kwargs:
            raise GraphError("__setitem__: expected the arguments tensor, index, value")
        return Assign((Subscript(args[0], args[1]),), args[2], place)
    return Evaluate(OpCall(op, args, kwargs), place)


def _index(index: Expression) -> Expression:
    """Tell indices apart: a list of plain integers is one array, any other has one entry a dimension."""
    if isinstance(index, Display) and not all(
        isinstance(item, Constant) and isinstance(item.value, int) for item in index.items
    ):
        return Display("tuple", index.items)
    return index


def _set_attribute(args: tuple[Expression, ...], kwargs: tuple[tuple[str, Expression], ...], place: Place) -> Assign:
    if len(args) != 3 or kwargs or not isinstance(args[1], Constant) or args[1].value not in ASSIGNABLE:
        raise GraphError("__setattr__: expected the arguments tensor, 'grad' | 'data' | 'requires_grad', value")
    return Assign((Attribute(args[0], str(args[1].value)),), args[2], place)


def _bind(place: Place, statement: Assign | Evaluate) -> Assign | Evaluate:
    if place.node_id is None:
        return statement
    if type(statement) is not Evaluate:
        raise GraphError("an assignment has no result: leave out the id")
    return Assign((Name(place.node_id),), statement.value, place)


_FIELDS: Final = dict.fromkeys(("id", "op", "args", "kwargs"))


def _unknown_field(raw: Mapping[str, object]) -> GraphError:
    first = next(key for key in raw if key not in _FIELDS)
    return GraphError(f"unknown field {quoted(str(first))}: a node has {', '.join(_FIELDS)}")


_KINDS: Final = ((bool, "a boolean"), (int, "a number"), (float, "a number"), (str, "a string"), (list, "a list"))


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    return next((text for kind, text in _KINDS if isinstance(raw, kind)), "an object")


def check_references(program: Program, known: Collection[str]) -> None:
    """Raise ``GraphError`` for the first reference to a name that is neither known nor bound by an earlier node.

    Code is left alone: there an unbound name is Python's NameError, raised by the statement that reads it.
    """
    for name, place in program.references:
        if name not in known:
            _refuse_reference(name, place, program)


def _refuse_reference(name: str, place: Place, program: Program) -> NoReturn:
    later = name in _ids(program.statements)
    why = "a node may refer to earlier nodes only" if later else "no input and no earlier node has this name"
    raise GraphError(
        f"unknown reference {quoted('$' + name)}: {why}", node_id=place.node_id, node_index=place.node_index
    )


def _ids(statements: tuple[Statement, ...]) -> set[str | None]:
    inner = (
        _ids(statement.body) if isinstance(statement, With) else {statement.place.node_id} for statement in statements
    )
    return set().union(*inner)
