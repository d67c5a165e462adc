"""Reads programs written as Python text: a subset of Python, translated from its syntax tree by an allow-list.

Nothing is evaluated here, and no part of the text is ever handed to Python to run. What the lists below do not name is
refused with its line and column.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, NoReturn

from app.limits import Limits, OverLimit
from app.program.operators import SYMBOLS
from app.program.tree import (
    MODES,
    NAME_LENGTH,
    Assign,
    Attribute,
    Augment,
    Binary,
    Call,
    Comparison,
    Constant,
    Delete,
    DictDisplay,
    Display,
    Evaluate,
    Expression,
    For,
    GraphError,
    Lambda,
    Logical,
    Mode,
    Name,
    Place,
    Program,
    Slice,
    Statement,
    Subscript,
    Target,
    Unary,
    With,
    is_attribute,
    quoted,
)

OUTSIDE: Final[dict[type[ast.AST], str]] = {
    ast.Import: "import (torch is there without it)",
    ast.ImportFrom: "import (torch is there without it)",
    ast.FunctionDef: "a function definition",
    ast.AsyncFunctionDef: "a function definition",
    ast.ClassDef: "a class definition",
    ast.If: "if",
    ast.IfExp: "a conditional expression",
    ast.While: "while",
    ast.Try: "try",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a generator expression",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment inside an expression",
    ast.AnnAssign: "an annotation",
    ast.Set: "a set",
    ast.Starred: "a starred expression",
}


def parse_code(text: str, limits: Limits) -> Program:
    """Translate Python text; raises ``GraphError`` with line and column for whatever the subset does not have."""
    if len(text) > limits.code_length:
        raise OverLimit("code_length", allowed=limits.code_length, asked=len(text))
    reader = _CodeReader(text, limits)
    return Program(reader.block(_syntax_tree(text).body, 0), "code")


def parse_lambda(source: str, limits: Limits) -> Lambda:
    """Translate the text of one lambda, as ``Lambda.source`` has it; raises ``GraphError``."""
    if len(source) > limits.code_length:
        raise OverLimit("code_length", allowed=limits.code_length, asked=len(source))
    text = f"({source}\n)"  # within parentheses lines may end anywhere, and comments with them
    match _syntax_tree(text).body:
        case [ast.Expr(ast.Lambda() as node)]:
            found = _CodeReader(text, limits).expression(node, 0)
            assert isinstance(found, Lambda)
            return found
    raise GraphError("not a lambda")


# CPython 3.11 counts the depth of a tree in one place for all threads. Where the collector lets another one run in the
# middle of a parse, the counts do not match: "SystemError: AST constructor recursion depth mismatch".
_PARSER: Final = Lock()


def _syntax_tree(text: str) -> ast.Module:
    try:
        with _PARSER:
            return ast.parse(text)
    except SyntaxError as error:
        raise GraphError(
            error.msg, line=error.lineno or 1, column=max(error.offset or 1, 1), exception="SyntaxError"
        ) from None
    except (RecursionError, MemoryError):
        raise GraphError("the code is nested too deeply", line=1, column=1) from None
    except ValueError:
        raise GraphError("the code holds characters that no program has", line=1, column=1) from None


def refuse(node: ast.AST, detail: str) -> NoReturn:
    """Raise ``GraphError`` at ``node``."""
    raise GraphError(detail, line=getattr(node, "lineno", 1), column=getattr(node, "col_offset", 0) + 1)


def _refuse_outside(node: ast.AST) -> NoReturn:
    what = OUTSIDE.get(type(node), type(node).__name__.lower())
    refuse(node, f"{what} is outside the language of this service")


class _CodeReader:
    """Translates statements and expressions, counting the operations and the statements that loops repeat."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.limits = limits
        self.lines = [line.encode() for line in _LINES.findall(text)] if "lambda" in text else []
        self.operations = 0
        self.repeated = 0
        self.repetitions = 1

    # -- statements -----------------------------------------------------------------------------------------------
    def block(self, nodes: list[ast.stmt], depth: int) -> tuple[Statement, ...]:
        return tuple([self.statement(node, depth) for node in nodes])

    def statement(self, node: ast.stmt, depth: int) -> Statement:
        place = Place(line=node.lineno, column=node.col_offset + 1)
        self._count_statement(node, depth)
        match node:
            case ast.Expr(value):
                return Evaluate(self.expression(value, depth), place)
            case ast.Assign(targets, value):
                return Assign(tuple(self.target(one, depth) for one in targets), self.expression(value, depth), place)
            case ast.AugAssign():
                return self._augment(node, place, depth)
            case ast.Delete(targets):
                return Delete(tuple(self._deleted(one, depth) for one in _flat(targets)), place)
            case ast.With(items, body):
                modes = tuple(self._mode(item, depth) for item in items)
                return With(modes, self.block(body, depth + 1), place)
            case ast.For():
                return self._loop(node, place, depth)
        _refuse_outside(node)

    def _count_statement(self, node: ast.stmt, depth: int) -> None:
        self._check_depth(node, depth)
        self.operations += 1
        if self.repetitions > 1 and not isinstance(node, (ast.For, ast.With)):
            self.repeated += self.repetitions
        allowed = self.limits.loop_iterations
        if self.repeated > allowed:
            raise OverLimit("loop_iterations", allowed=allowed, asked=self.repeated, line=node.lineno)

    def _augment(self, node: ast.AugAssign, place: Place, depth: int) -> Augment:
        target = self.target(node.target, depth)
        if isinstance(target, Display):
            refuse(node.target, "an augmented assignment has one target")
        return Augment(SYMBOLS[type(node.op)], target, self.expression(node.value, depth), place)

    def target(self, node: ast.expr, depth: int) -> Target:
        self._check_depth(node, depth)
        match node:
            case ast.Name(name):
                return Name(_bindable(node, name))
            case ast.Attribute(value, name):
                return Attribute(self.expression(value, depth + 1), _attribute(node, name))
            case ast.Subscript(value, index):
                return Subscript(self.expression(value, depth + 1), self.expression(index, depth + 1))
            case ast.Tuple(items) | ast.List(items):
                return Display("tuple", tuple(self.target(item, depth + 1) for item in items))
        _refuse_outside(node)

    def _deleted(self, node: ast.expr, depth: int) -> Name | Subscript:
        target = self.target(node, depth)
        if isinstance(target, (Name, Subscript)):
            return target
        refuse(node, "del takes names and subscripts")

    def _mode(self, item: ast.withitem, depth: int) -> Mode:
        call = item.context_expr
        name = _mode_name(call.func) if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or name is None:
            refuse(call, f"with takes torch.{', torch.'.join(MODES)} as calls")
        if item.optional_vars is not None:
            refuse(item.optional_vars, "with takes no 'as' here")
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        wanted = (0,) if name in ("no_grad", "enable_grad") else (1,) if name == "set_grad_enabled" else (0, 1)
        if len(given) != len(call.args) + len(call.keywords) or len(given) not in wanted:
            refuse(call, f"torch.{name} takes {'no argument' if wanted == (0,) else 'one argument, mode'}")
        return Mode(name, self.expression(given[0], depth + 1) if given else None)

    def _loop(self, node: ast.For, place: Place, depth: int) -> For:
        if node.orelse:
            refuse(node.orelse[0], "else of a loop is outside the language of this service")
        if not isinstance(node.target, ast.Name):
            refuse(node.target, "a loop has one name as its variable")
        target, values = Name(_bindable(node.target, node.target.id)), _range(node.iter)
        outer, self.repetitions = self.repetitions, self.repetitions * max(_length(values), 1)
        body = self.block(node.body, depth + 1)
        self.repetitions = outer
        return For(target, values, body, place)

    # -- expressions ----------------------------------------------------------------------------------------------
    def expression(self, node: ast.expr, depth: int) -> Expression:
        self._check_depth(node, depth)
        read = _EXPRESSIONS.get(type(node))
        if read is None:
            _refuse_outside(node)
        return read(self, node, depth + 1)

    def _constant(self, node: ast.Constant, depth: int) -> Constant:
        return _constant(node, node.value)

    def _name(self, node: ast.Name, depth: int) -> Name:
        return Name(_name(node, node.id))

    def _attribute(self, node: ast.Attribute, depth: int) -> Attribute:
        return Attribute(self.expression(node.value, depth), _attribute(node, node.attr))

    def _subscript(self, node: ast.Subscript, depth: int) -> Subscript:
        return Subscript(self.expression(node.value, depth), self.expression(node.slice, depth))

    def _binary(self, node: ast.BinOp, depth: int) -> Binary:
        left, right = self.expression(node.left, depth), self.expression(node.right, depth)
        return Binary(SYMBOLS[type(node.op)], left, right)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Unary:
        return Unary(SYMBOLS[type(node.op)], self.expression(node.operand, depth))

    def _tuple(self, node: ast.Tuple, depth: int) -> Display:
        return Display("tuple", self._all(node.elts, depth))

    def _list(self, node: ast.List, depth: int) -> Display:
        return Display("list", self._all(node.elts, depth))

    def _slice(self, node: ast.Slice, depth: int) -> Slice:
        parts = (node.lower, node.upper, node.step)
        return Slice(*[Constant(None) if part is None else self.expression(part, depth) for part in parts])

    def _comparison(self, node: ast.Compare, depth: int) -> Comparison:
        names = [SYMBOLS[type(operator)] for operator in node.ops]
        first, rest = self.expression(node.left, depth), self._all(node.comparators, depth)
        return Comparison(first, tuple(zip(names, rest, strict=True)))

    def _logical(self, node: ast.BoolOp, depth: int) -> Logical:
        return Logical("and" if isinstance(node.op, ast.And) else "or", self._all(node.values, depth))

    def _lambda(self, node: ast.Lambda, depth: int) -> Lambda:
        return Lambda(_parameters(node, node.args), self.expression(node.body, depth), self._source(node))

    def _source(self, node: ast.expr) -> str:
        """The text of ``node``. To write it anew costs its length at every level that lambdas nest."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        lines = self.lines[first : last + 1]
        lines[-1] = lines[-1][: node.end_col_offset]  # columns are bytes
        lines[0] = lines[0][node.col_offset :]
        return b"".join(lines).decode()

    def _all(self, nodes: list[ast.expr], depth: int) -> tuple[Expression, ...]:
        return tuple([self.expression(node, depth) for node in nodes])

    def _call(self, node: ast.Call, depth: int) -> Call:
        kwargs = tuple([(_keyword(keyword), self.expression(keyword.value, depth)) for keyword in node.keywords])
        return Call(self.expression(node.func, depth), self._all(node.args, depth), kwargs)

    def _dict(self, node: ast.Dict, depth: int) -> DictDisplay:
        items = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                refuse(node, "a starred expression is outside the language of this service")
            items.append((self.expression(key, depth), self.expression(value, depth)))
        return DictDisplay(tuple(items))

    def _check_depth(self, node: ast.AST, depth: int) -> None:
        self.operations += type(node) in _OPERATIONS
        if depth > self.limits.depth:
            raise OverLimit("depth", allowed=self.limits.depth, asked=depth, line=getattr(node, "lineno", 1))
        if self.operations > self.limits.nodes:
            raise OverLimit("nodes", allowed=self.limits.nodes, asked=self.operations)


_LINES: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")  # as Python's parser counts them: no form feeds, no U+2028
_OPERATIONS: Final = frozenset({ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript})
_EXPRESSIONS: Final[dict[type[ast.expr], Callable[[_CodeReader, Any, int], Expression]]] = {
    ast.Attribute: _CodeReader._attribute, ast.BinOp: _CodeReader._binary, ast.BoolOp: _CodeReader._logical,
    ast.Call: _CodeReader._call, ast.Compare: _CodeReader._comparison, ast.Constant: _CodeReader._constant,
    ast.Dict: _CodeReader._dict, ast.Lambda: _CodeReader._lambda, ast.List: _CodeReader._list,
    ast.Name: _CodeReader._name, ast.Slice: _CodeReader._slice, ast.Subscript: _CodeReader._subscript,
    ast.Tuple: _CodeReader._tuple, ast.UnaryOp: _CodeReader._unary,
}  # fmt: skip


def _constant(node: ast.expr, value: object) -> Constant:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            refuse(node, "a string holds half of a surrogate pair")
    if value is None or value is ... or isinstance(value, (bool, int, float, complex, str)):
        return Constant(value)
    refuse(node, f"{type(value).__name__} literals are outside the language of this service")


def _name(node: ast.AST, name: str) -> str:
    if name.startswith("__") or len(name) > NAME_LENGTH:
        refuse(node, f"{quoted(name)} is not a name that programs may use")
    return name


def _bindable(node: ast.AST, name: str) -> str:
    if name == "torch":
        refuse(node, "torch cannot be bound to something else")
    return _name(node, name)


def _attribute(node: ast.AST, name: str) -> str:
    if not is_attribute(name) or len(name) > NAME_LENGTH:
        refuse(node, f"{quoted(name)} is not an attribute that programs may use")
    return name


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        refuse(keyword, "a starred expression is outside the language of this service")
    return _name(keyword, keyword.arg)


def _parameters(node: ast.Lambda, arguments: ast.arguments) -> tuple[str, ...]:
    plain = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
        refuse(node, "a lambda has plain parameters only")
    return tuple(_bindable(argument, argument.arg) for argument in plain)


def _flat(targets: list[ast.expr]) -> list[ast.expr]:
    return [leaf for one in targets for leaf in (_flat(one.elts) if isinstance(one, (ast.Tuple, ast.List)) else [one])]


def _mode_name(node: ast.expr) -> str | None:
    """Return the mode that ``torch.<mode>``, ``torch.autograd.<mode>`` or ``torch.autograd.grad_mode.<mode>`` is."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not parts or not isinstance(node, ast.Name) or node.id != "torch":
        return None
    return parts[0] if parts[0] in MODES and parts[1:] in ([], ["autograd"], ["grad_mode", "autograd"]) else None


def _range(node: ast.expr) -> range:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "range":
        refuse(node, "a loop runs over range(...)")
    if node.keywords or not 1 <= len(node.args) <= 3:
        refuse(node, "range takes one to three integer constants here")
    bounds = [_integer(argument) for argument in node.args]
    if len(bounds) == 3 and bounds[2] == 0:
        raise GraphError(
            "range() arg 3 must not be zero", line=node.lineno, column=node.col_offset + 1, exception="ValueError"
        )
    return range(*bounds)


def _integer(node: ast.expr) -> int:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign, node = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return sign * node.value
    refuse(node, "range takes one to three integer constants here")


def _length(values: range) -> int:
    """``len`` for ranges of any size."""
    extent = values.stop - values.start
    return max(0, -(-extent // values.step))
