"""The tree that both spellings of a program compile to.

A ``Program`` is plain frozen data: no callables, no tensors. ``from_nodes`` makes it of JSON nodes and ``from_code``
of Python text; ``interpret`` walks it. Nothing here knows which ops exist. Structs, for a frozen dataclass takes eight
times as long to make.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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

    is_outside = True  # of the language: nothing that programs may handle

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
    unended: Sequence[int] = ()  # the prints that no newline followed

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


class AbsentError(ProgramError):
    """The end of a program that asks for what is not here, be it in Python or not: PyTorch might have gone on."""


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
    """``[a, b]``, ``(a, b)`` or ``{a, b}``; a ``Starred`` item stands for several."""

    kind: Literal["list", "tuple", "set"]
    items: tuple[Expression, ...]


class DictDisplay(msgspec.Struct, frozen=True):
    """``{key: value}``; without a key, the value is a mapping whose entries are meant."""

    items: tuple[tuple[Expression | None, Expression], ...]


class Starred(msgspec.Struct, frozen=True):
    value: Expression


class Call(msgspec.Struct, frozen=True):
    """Code's call of whatever value ``function`` has. A keyword without a name is a mapping of keywords."""

    function: Expression
    args: tuple[Expression, ...]
    kwargs: tuple[tuple[str | None, Expression], ...] = ()


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


class Conditional(msgspec.Struct, frozen=True):
    """``body if test else otherwise``."""

    test: Expression
    body: Expression
    otherwise: Expression


class Binding(msgspec.Struct, frozen=True):
    """``name := value``."""

    name: str
    value: Expression


class Field(msgspec.Struct, frozen=True):
    """``{value!r:spec}`` in an f-string; ``conversion`` is one of its letters, or nothing."""

    value: Expression
    conversion: str
    spec: Joined | None


class Joined(msgspec.Struct, frozen=True):
    """An f-string: texts and fields."""

    parts: tuple[str | Field, ...]


class At(msgspec.Struct, frozen=True):
    """An expression that stands in another line than its statement begins in."""

    value: Expression
    place: Place


class Clause(msgspec.Struct, frozen=True):
    """``for target in values if condition``."""

    target: Target
    values: Expression
    conditions: tuple[Expression, ...]


class Comprehension(msgspec.Struct, frozen=True):
    """A list, set or dict by clauses; ``bound`` are its own names, ``cells`` those that functions in it take."""

    kind: Literal["list", "set", "dict"]
    element: Expression
    value: Expression | None
    clauses: tuple[Clause, ...]
    bound: tuple[str, ...]
    cells: frozenset[str]


class Yield(msgspec.Struct, frozen=True):
    value: Expression


class YieldFrom(msgspec.Struct, frozen=True):
    values: Expression


class Parameters(msgspec.Struct, frozen=True):
    """The parameters of a function, by kind. ``names`` has all, in the order of their places in a frame."""

    positional_only: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    keyword_only: tuple[str, ...] = ()
    rest: str | None = None
    keywords: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        more = [name for name in (self.rest, self.keywords) if name is not None]
        return (*self.positional_only, *self.plain, *self.keyword_only, *more)


class Code(msgspec.Struct, frozen=True):
    """A function's text as a tree, and what its names are.

    ``bound`` are the names that belong to it, parameters first; ``cells`` those of them that functions in it take;
    ``free`` what it may take of functions around it. ``index`` is its number among the definitions of its text.
    """

    name: str
    qualname: str
    parameters: Parameters
    body: tuple[Statement, ...]
    bound: tuple[str, ...]
    cells: frozenset[str]
    free: tuple[str, ...]
    outer: frozenset[str]
    generates: bool
    index: int
    doc: str | None = None
    line: int = 1
    hint: str | None = None  # the first annotation of a parameter


class Lambda(msgspec.Struct, frozen=True):
    """A function as an expression, with the values that its parameters have by default."""

    code: Code
    defaults: tuple[Expression, ...] = ()
    keyword_defaults: tuple[tuple[str, Expression], ...] = ()


class Generated(msgspec.Struct, frozen=True):
    """A generator expression: a function of its first iterable."""

    code: Code
    values: Expression


Expression = (
    Constant | TensorConstant | Name | Attribute | Subscript | Slice | Display | DictDisplay | Starred | Call | OpCall
    | Unary | Binary | Comparison | Logical | Conditional | Binding | Joined | At | Comprehension | Yield | YieldFrom
    | Lambda | Generated
)  # fmt: skip
Target = Name | Attribute | Subscript | Display | Starred


class Assign(msgspec.Struct, frozen=True):
    targets: tuple[Target, ...]
    value: Expression
    place: Place


class Annotate(msgspec.Struct, frozen=True):
    """``name: annotation = value``: what a class says of its fields. The annotation stays text."""

    name: str
    annotation: str
    value: Expression | None
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
    targets: tuple[Name | Attribute | Subscript, ...]
    place: Place


class Mode(msgspec.Struct, frozen=True):
    """One of ``MODES`` with its argument."""

    name: str
    enabled: Expression | None = None


class With(msgspec.Struct, frozen=True):
    """A block of nodes under modes."""

    modes: tuple[Mode, ...]
    body: tuple[Statement, ...]
    place: Place


class Within(msgspec.Struct, frozen=True):
    """``with context as target:``."""

    context: Expression
    target: Target | None
    body: tuple[Statement, ...]
    place: Place


class For(msgspec.Struct, frozen=True):
    target: Target
    values: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    place: Place


class While(msgspec.Struct, frozen=True):
    test: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    place: Place


class If(msgspec.Struct, frozen=True):
    test: Expression
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    place: Place


class Handler(msgspec.Struct, frozen=True):
    """``except kind as name:``."""

    kind: Expression | None
    name: str | None
    body: tuple[Statement, ...]
    place: Place


class Try(msgspec.Struct, frozen=True):
    body: tuple[Statement, ...]
    handlers: tuple[Handler, ...]
    otherwise: tuple[Statement, ...]
    final: tuple[Statement, ...]
    place: Place


class Raise(msgspec.Struct, frozen=True):
    error: Expression | None
    cause: Expression | None
    place: Place


class Assert(msgspec.Struct, frozen=True):
    test: Expression
    message: Expression | None
    place: Place


class Return(msgspec.Struct, frozen=True):
    value: Expression | None
    place: Place


class Jump(msgspec.Struct, frozen=True):
    """``break``, ``continue`` or ``pass``."""

    kind: Literal["break", "continue", "pass"]
    place: Place


class Import(msgspec.Struct, frozen=True):
    """``import module as name``; without a name, the first part of the module's is bound."""

    module: str
    name: str | None
    place: Place


class ImportFrom(msgspec.Struct, frozen=True):
    """``from module import name as name``; the only name may be ``*``."""

    module: str
    names: tuple[tuple[str, str], ...]
    place: Place


class FunctionDef(msgspec.Struct, frozen=True):
    function: Lambda
    decorators: tuple[Expression, ...]
    place: Place


class ClassDef(msgspec.Struct, frozen=True):
    """``code`` is the body as a function without parameters, which fills the class."""

    code: Code
    bases: tuple[Expression, ...]
    keywords: tuple[tuple[str | None, Expression], ...]
    decorators: tuple[Expression, ...]
    takes_class: bool
    place: Place


class NodeFunction(msgspec.Struct, frozen=True):
    """A function by two lists of nodes. Of the names of ``forward``, backward reads ``saves``; ``text`` is its JSON."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    forward: tuple[Statement, ...]
    backward: tuple[Statement, ...] | None
    saves: tuple[str, ...]
    text: str
    place: Place


class Case(msgspec.Struct, frozen=True):
    pattern: Pattern
    guard: Expression | None
    body: tuple[Statement, ...]


class Match(msgspec.Struct, frozen=True):
    subject: Expression
    cases: tuple[Case, ...]
    place: Place


class ValuePattern(msgspec.Struct, frozen=True):
    """A value to be equal to, or identical with."""

    value: Expression
    identical: bool = False


class CapturePattern(msgspec.Struct, frozen=True):
    """A pattern and the name of what it matches; nothing for ``_``."""

    pattern: Pattern | None
    name: str | None


class SequencePattern(msgspec.Struct, frozen=True):
    """``star`` is the place of the item that takes the rest, whose pattern is a capture."""

    items: tuple[Pattern, ...]
    star: int | None


class MappingPattern(msgspec.Struct, frozen=True):
    keys: tuple[Expression, ...]
    patterns: tuple[Pattern, ...]
    rest: str | None


class ClassPattern(msgspec.Struct, frozen=True):
    kind: Expression
    patterns: tuple[Pattern, ...]
    names: tuple[str, ...]
    named: tuple[Pattern, ...]


class OrPattern(msgspec.Struct, frozen=True):
    patterns: tuple[Pattern, ...]


Pattern = ValuePattern | CapturePattern | SequencePattern | MappingPattern | ClassPattern | OrPattern
Statement = (
    Assign
    | Annotate
    | Augment
    | Evaluate
    | Delete
    | With
    | Within
    | For
    | While
    | If
    | Try
    | Raise
    | Assert
    | Return
    | Jump
    | Import
    | ImportFrom
    | FunctionDef
    | ClassDef
    | Match
    | NodeFunction
)


class Program(msgspec.Struct, frozen=True):
    """Statements, and for nodes what has to exist before they run.

    ``references`` are the names that no earlier node binds, ``ops`` the names of the ops, each with the node that uses
    it. Code has neither: there an unknown name is an error of the run.
    """

    statements: tuple[Statement, ...]
    spelling: Literal["nodes", "code"]
    references: tuple[tuple[str, Place], ...] = ()
    ops: tuple[tuple[str, Place], ...] = ()
    text: str = ""  # of code, by which definitions are found again
    cells: frozenset[str] = frozenset()


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


SPECIAL: Final = frozenset({
    f"__{name}__"
    for name in (
        "abs", "add", "and", "bool", "call", "class", "complex", "contains", "delattr", "delitem", "divmod", "doc",
        "enter", "eq", "exit", "float", "floordiv", "format", "ge", "get", "getattr", "getattribute", "getitem", "gt",
        "hash", "iadd", "iand", "ifloordiv", "ilshift", "imatmul", "imod", "imul", "index", "init", "init_subclass",
        "int", "invert", "ior", "ipow", "irshift", "isub", "iter", "itruediv", "ixor", "le", "len", "length_hint",
        "lshift", "lt", "match_args", "matmul", "members", "missing", "mod", "mul", "name", "ne", "neg", "new", "next",
        "or",
        "pos", "post_init", "pow", "qualname", "radd", "rand", "rdivmod", "repr", "reversed", "rfloordiv", "rlshift",
        "rmatmul", "rmod", "rmul", "ror", "round", "rpow", "rrshift", "rshift", "rsub", "rtruediv", "rxor", "set",
        "set_name", "setattr", "setitem", "slots", "str", "sub", "truediv", "trunc", "ceil", "floor", "xor", "module",
        "delete", "class_getitem", "torch_function", "wrapped", "copy", "deepcopy", "getstate", "setstate", "version",
        "cause", "context",
    )
})  # fmt: skip
"""The names between double underscores that programs may define in classes, and ask values for."""


def is_member(name: str) -> bool:
    """Tell whether code may ask for an attribute of this name: of values that are no program's, tables decide."""
    return name in SPECIAL or not (name.startswith("__") and name.endswith("__"))
