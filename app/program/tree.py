"""The tree that both spellings of a program compile to.

A ``Program`` is plain frozen data: no callables, no tensors. ``from_nodes`` makes it of JSON nodes and ``from_code``
of Python text; ``interpret`` walks it. Nothing here knows which ops exist. Structs, for a frozen dataclass takes eight
times as long to make.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import EllipsisType
from typing import Final, Literal

import msgspec

MODES: Final = ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled")
ASSIGNABLE: Final = ("grad", "data", "requires_grad")
NAME_LENGTH: Final = 128
_NAME = re.compile(r"[\w-]+")
_PRIVATE_ATTRIBUTE = re.compile(r"_version|_base|_is_view|_saved_[a-z0-9_]+")


ConstantValue = bool | int | float | complex | str | EllipsisType | None


class GraphError(Exception):
    """A program that is malformed: found while it is read, before anything runs."""

    def __init__(
        self,
        detail: str,
        *,
        node_id: str | None = None,
        node_index: int | None = None,
        line: int | None = None,
        column: int | None = None,
        exception: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.node_id = node_id
        self.node_index = node_index
        self.line = line
        self.column = column
        self.exception = exception
        self.op: str | None = None  # the one that there is not


class Place(msgspec.Struct, frozen=True):
    """Where a statement stands: 1-based line and column of code, or a node's id and its index in reading order."""

    line: int | None = None
    column: int | None = None
    node_id: str | None = None
    node_index: int | None = None


class ProgramError(Exception):
    """What PyTorch or Python would raise: with the op, the place of the statement, and what was printed before."""

    hint: str | None = None  # what to do about it

    def __init__(self, exception: str, detail: str, place: Place, prints: list[str], op: str | None = None) -> None:
        super().__init__(detail)
        self.exception = exception
        self.detail = detail
        self.op = op
        self.node_id = place.node_id
        self.node_index = place.node_index
        self.line = place.line
        self.column = place.column
        self.prints = prints


class Constant(msgspec.Struct, frozen=True):
    """A literal that Python and JSON share, or one that JSON has to spell out."""

    value: ConstantValue


class TensorConstant(msgspec.Struct, frozen=True):
    """An inline tensor, still in its wire spelling: each run decodes a fresh one, since a run may write into it."""

    raw: object


class Name(msgspec.Struct, frozen=True):
    id: str


class Attribute(msgspec.Struct, frozen=True):
    value: Expression
    name: str


class Subscript(msgspec.Struct, frozen=True):
    value: Expression
    index: Expression


class Slice(msgspec.Struct, frozen=True):
    start: Expression
    stop: Expression
    step: Expression


class Display(msgspec.Struct, frozen=True):
    """``[a, b]`` or ``(a, b)``."""

    kind: Literal["list", "tuple"]
    items: tuple[Expression, ...]


class DictDisplay(msgspec.Struct, frozen=True):
    items: tuple[tuple[Expression, Expression], ...]


class Call(msgspec.Struct, frozen=True):
    """Code's call of whatever value ``function`` has."""

    function: Expression
    args: tuple[Expression, ...]
    kwargs: tuple[tuple[str, Expression], ...] = ()


class OpCall(msgspec.Struct, frozen=True):
    """A JSON node's call: ``op`` is a name that the interpreter looks up among functions, methods and operators."""

    op: str
    args: tuple[Expression, ...]
    kwargs: tuple[tuple[str, Expression], ...] = ()


class Unary(msgspec.Struct, frozen=True):
    operator: str
    operand: Expression


class Binary(msgspec.Struct, frozen=True):
    operator: str
    left: Expression
    right: Expression


class Comparison(msgspec.Struct, frozen=True):
    """``first op rest[0] op rest[1] ...``, chained as in Python."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


class Logical(msgspec.Struct, frozen=True):
    """``and`` or ``or`` over two operands or more."""

    operator: Literal["and", "or"]
    operands: tuple[Expression, ...]


class Lambda(msgspec.Struct, frozen=True):
    """``source`` is its text, from which it can be read again."""

    parameters: tuple[str, ...]
    body: Expression
    source: str = ""


Expression = (
    Constant
    | TensorConstant
    | Name
    | Attribute
    | Subscript
    | Slice
    | Display
    | DictDisplay
    | Call
    | OpCall
    | Unary
    | Binary
    | Comparison
    | Logical
    | Lambda
)
Target = Name | Attribute | Subscript | Display


class Assign(msgspec.Struct, frozen=True):
    targets: tuple[Target, ...]
    value: Expression
    place: Place


class Augment(msgspec.Struct, frozen=True):
    """``target operator= value``."""

    operator: str
    target: Name | Attribute | Subscript
    value: Expression
    place: Place


class Evaluate(msgspec.Struct, frozen=True):
    """An expression for its effect."""

    value: Expression
    place: Place


class Delete(msgspec.Struct, frozen=True):
    targets: tuple[Name | Subscript, ...]
    place: Place


class Mode(msgspec.Struct, frozen=True):
    """One of ``MODES`` with its argument."""

    name: str
    enabled: Expression | None = None


class With(msgspec.Struct, frozen=True):
    modes: tuple[Mode, ...]
    body: tuple[Statement, ...]
    place: Place


class For(msgspec.Struct, frozen=True):
    """``for target in range(start, stop, step)`` over integers known when the program is read."""

    target: Name
    values: range
    body: tuple[Statement, ...]
    place: Place


Statement = Assign | Augment | Evaluate | Delete | With | For


class Program(msgspec.Struct, frozen=True):
    """Statements, and for nodes what has to exist before they run.

    ``references`` are the names that no earlier node binds, ``ops`` the names of the ops, each with the node that uses
    it. Code has neither: there an unknown name is an error of the run.
    """

    statements: tuple[Statement, ...]
    spelling: Literal["nodes", "code"]
    references: tuple[tuple[str, Place], ...] = ()
    ops: tuple[tuple[str, Place], ...] = ()


def quoted(text: str) -> str:
    """``text`` fit for an error message: printable and short."""
    return repr(text if len(text) <= NAME_LENGTH else text[:NAME_LENGTH] + "…")


def is_name(text: object) -> bool:
    """Return whether a node, an input or a tensor may be called so: letters, digits, ``_`` and ``-``."""
    return isinstance(text, str) and len(text) <= NAME_LENGTH and _is_name(text)


@lru_cache(maxsize=4096)  # most programs name the same things
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def is_attribute(name: str) -> bool:
    """Tell whether programs may ask for this attribute: a public one, or a private one that PyTorch documents."""
    return not name.startswith("_") or _PRIVATE_ATTRIBUTE.fullmatch(name) is not None
