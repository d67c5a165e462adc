"""Reads the expressions of Python text, by an allow-list; names are told to the scope they stand in."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final, NoReturn

from app.limits import Limits, OverLimit
from app.program.operators import SYMBOLS
from app.program.scopes import Scope
from app.program.tree import (
    NAME_LENGTH,
    At,
    Attribute,
    Binary,
    Binding,
    Call,
    Clause,
    Code,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    DictDisplay,
    Display,
    Evaluate,
    Expression,
    Field,
    For,
    Generated,
    GraphError,
    If,
    Joined,
    Lambda,
    Logical,
    Name,
    Parameters,
    Place,
    Return,
    Slice,
    Starred,
    Statement,
    Subscript,
    Target,
    Unary,
    Yield,
    YieldFrom,
    is_member,
    quoted,
)

OUTSIDE: Final[dict[type[ast.AST], str]] = {
    ast.AsyncFunctionDef: "a coroutine (async def): write def,",
    ast.AsyncFor: "async for: write for,",
    ast.AsyncWith: "async with: write with,",
    ast.Await: "await: call the function itself, which",
    ast.TryStar: "except*: write except,",
}
TRUE: Final = Constant(True)
ITEMS: Final = ".0"  # what a generator expression calls its first iterable


def refuse(node: ast.AST, detail: str) -> NoReturn:
    """Raise ``GraphError`` at ``node``."""
    raise GraphError(detail, line=getattr(node, "lineno", 1), column=getattr(node, "col_offset", 0) + 1)


def refuse_outside(node: ast.AST) -> NoReturn:
    """Raise ``GraphError`` for what the lists do not have."""
    what = OUTSIDE.get(type(node), type(node).__name__.lower())
    refuse(
        node,
        f"{what} is outside the language of this service"
        if what[-1] not in ",h"
        else f"{what.rpartition(':')[0]} is outside the language of this service:{what.rpartition(':')[2].rstrip(',')}",
    )


class ExpressionReader:
    """Translates expressions; ``scope`` is the one in which they stand."""

    scope: Scope

    def __init__(self, text: str, limits: Limits) -> None:
        self.limits = limits
        self.text = text
        self.operations = 0
        self.definitions = 0
        self.line = 1
        self.class_name: str | None = None
        self.path = ""

    def block(self, nodes: list[ast.stmt], depth: int) -> tuple[Statement, ...]:
        raise NotImplementedError

    def target(self, node: ast.expr, depth: int) -> Target:
        raise NotImplementedError

    # -- names ----------------------------------------------------------------------------------------------------
    def mangled(self, name: str) -> str:
        """``__name`` in a class is that class's own."""
        if self.class_name is None or not name.startswith("__") or name.endswith("__"):
            return name
        return f"_{self.class_name.lstrip('_')}{name}"

    def bind(self, node: ast.AST, name: str) -> str:
        """Note that ``name`` is bound here."""
        name = self.name(node, name, bound=True)
        self.scope.bind(name)
        return name

    def name(self, node: ast.AST, name: str, *, bound: bool = False) -> str:
        """``name``, if programs may use it."""
        is_special = name.startswith("__") and name.endswith("__") and name.strip("_")
        if len(name) > NAME_LENGTH or (is_special and not self._is_known(name, bound)):
            refuse(node, f"{quoted(name)} is not a name that programs may use")
        return self.mangled(name)

    def _is_known(self, name: str, bound: bool) -> bool:
        if bound:
            return self.scope.kind == "class" and is_member(name)
        return name in ("__name__", "__doc__", "__class__") or name in self.scope.bound or name == "__"

    def member(self, node: ast.AST, name: str) -> str:
        """``name``, if programs may ask values for an attribute of that name."""
        if len(name) > NAME_LENGTH or not is_member(name):
            hint = ": vars(value) has them" if name == "__dict__" else ""
            refuse(node, f"{quoted(name)} is not an attribute that programs may use{hint}")
        return self.mangled(name)

    def keyword(self, keyword: ast.keyword) -> str | None:
        """The name of an argument, or nothing for a mapping of them."""
        if keyword.arg is None:
            return None
        if len(keyword.arg) > NAME_LENGTH or keyword.arg.startswith("__"):
            refuse(keyword, f"{quoted(keyword.arg)} is not a name that programs may use")
        return keyword.arg

    # -- expressions ----------------------------------------------------------------------------------------------
    def expression(self, node: ast.expr, depth: int) -> Expression:
        """Translate one expression."""
        self.check_depth(node, depth)
        read = _EXPRESSIONS.get(type(node))
        if read is None:
            refuse_outside(node)
        line = _line_of(node)
        if line == self.line or type(node) is ast.Constant:
            return read(self, node, depth + 1)
        outer, self.line = self.line, line
        found = read(self, node, depth + 1)
        self.line = outer
        return At(found, Place(line=line, column=node.col_offset + 1)) if type(node) in _LOCATED else found

    def _constant(self, node: ast.Constant, depth: int) -> Constant:
        return _constant(node, node.value)

    def _name(self, node: ast.Name, depth: int) -> Name:
        name = self.name(node, node.id)
        self.scope.use(name)
        return Name(name)

    def _attribute(self, node: ast.Attribute, depth: int) -> Attribute:
        value = self.expression(node.value, depth)
        is_own = node.attr == "__dict__" and type(node.ctx) is ast.Load  # of a program's object: ``vars`` of it
        return Attribute(value, node.attr if is_own else self.member(node, node.attr))

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

    def _set(self, node: ast.Set, depth: int) -> Display:
        return Display("set", self._all(node.elts, depth))

    def _starred(self, node: ast.Starred, depth: int) -> Starred:
        return Starred(self.expression(node.value, depth))

    def _slice(self, node: ast.Slice, depth: int) -> Slice:
        parts = (node.lower, node.upper, node.step)
        return Slice(*[Constant(None) if part is None else self.expression(part, depth) for part in parts])

    def _comparison(self, node: ast.Compare, depth: int) -> Comparison:
        names = [SYMBOLS[type(operator)] for operator in node.ops]
        first, rest = self.expression(node.left, depth), self._all(node.comparators, depth)
        return Comparison(first, tuple(zip(names, rest, strict=True)))

    def _logical(self, node: ast.BoolOp, depth: int) -> Logical:
        return Logical("and" if isinstance(node.op, ast.And) else "or", self._all(node.values, depth))

    def _conditional(self, node: ast.IfExp, depth: int) -> Conditional:
        test = self.expression(node.test, depth)
        return Conditional(test, self.expression(node.body, depth), self.expression(node.orelse, depth))

    def _binding(self, node: ast.NamedExpr, depth: int) -> Binding:
        value = self.expression(node.value, depth)
        name = self.name(node, node.target.id, bound=True)
        self.scope.bind(name, walrus=True)
        return Binding(name, value)

    def _all(self, nodes: list[ast.expr], depth: int) -> tuple[Expression, ...]:
        return tuple([self.expression(node, depth) for node in nodes])

    def _call(self, node: ast.Call, depth: int) -> Call:
        names = [one.arg for one in node.keywords if one.arg is not None]
        if len(set(names)) != len(names):
            twice = next(one for place, one in enumerate(node.keywords) if one.arg in names[:place])
            raise GraphError(
                f"keyword argument repeated: {twice.arg}", line=twice.lineno, column=twice.col_offset + 1,
                exception="SyntaxError",
            )  # fmt: skip
        function, args = self.expression(node.func, depth), self._all(node.args, depth)
        return Call(
            function, args, tuple([(self.keyword(one), self.expression(one.value, depth)) for one in node.keywords])
        )

    def _dict(self, node: ast.Dict, depth: int) -> DictDisplay:
        items = []
        for key, value in zip(node.keys, node.values, strict=True):
            read = None if key is None else self.expression(key, depth)
            items.append((read, self.expression(value, depth)))
        return DictDisplay(tuple(items))

    def _joined(self, node: ast.JoinedStr, depth: int) -> Joined:
        parts: list[str | Field] = []
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                spec = None if one.format_spec is None else self._joined(one.format_spec, depth + 1)  # type: ignore[arg-type]
                conversion = "" if one.conversion < 0 else chr(one.conversion)
                parts.append(Field(self.expression(one.value, depth), conversion, spec))
            else:
                assert isinstance(one, ast.Constant)
                parts.append(str(_constant(one, one.value).value))
        return Joined(tuple(parts))

    def _yield(self, node: ast.Yield, depth: int) -> Yield:
        self.scope.function.generates = True
        return Yield(Constant(None) if node.value is None else self.expression(node.value, depth))

    def _yield_from(self, node: ast.YieldFrom, depth: int) -> YieldFrom:
        self.scope.function.generates = True
        return YieldFrom(self.expression(node.value, depth))

    # -- comprehensions -------------------------------------------------------------------------------------------
    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp, depth: int) -> Comprehension:
        kind, element, value = _COMPREHENSIONS[type(node)](node)
        first = self.expression(node.generators[0].iter, depth)
        outer = self.scope
        self.scope = scope = Scope("comprehension", outer)
        clauses = self._clauses(node.generators, first, depth)
        read = self.expression(element, depth)
        read_value = None if value is None else self.expression(value, depth)
        self.scope = outer
        scope.close()
        return Comprehension(kind, read, read_value, clauses, tuple(scope.bound), scope.cells)  # type: ignore[arg-type]

    def _clauses(self, nodes: list[ast.comprehension], first: Expression, depth: int) -> tuple[Clause, ...]:
        clauses = []
        for place, one in enumerate(nodes):
            if one.is_async:
                refuse(one.target, "an asynchronous comprehension is outside the language of this service")
            values = self.expression(one.iter, depth) if place else first
            clauses.append(Clause(self.target(one.target, depth), values, self._all(one.ifs, depth)))
        return tuple(clauses)

    def _generated(self, node: ast.GeneratorExp, depth: int) -> Generated:
        """A generator expression is a function that yields, of its first iterable."""
        values = self.expression(node.generators[0].iter, depth)
        index, self.definitions = self.definitions, self.definitions + 1
        outer, outer_path = self.scope, self.path
        self.scope = scope = Scope("function", outer, (ITEMS,))
        qualname, self.path = f"{self.path}<genexpr>", f"{self.path}<genexpr>.<locals>."
        scope.generates = True
        place = Place(line=node.elt.lineno, column=node.elt.col_offset + 1)
        clauses = self._clauses(node.generators, Name(ITEMS), depth)
        line, self.line = self.line, node.elt.lineno
        body: Statement = Evaluate(Yield(self.expression(node.elt, depth)), place)
        self.line = line
        for clause in reversed(clauses):
            for condition in reversed(clause.conditions):
                body = If(condition, (body,), (), place)
            body = For(clause.target, clause.values, (body,), (), place)
        self.scope, self.path = outer, outer_path
        scope.close()
        code = Code(
            "<genexpr>", qualname, Parameters(plain=(ITEMS,)), (body,), tuple(scope.bound), scope.cells, scope.free,
            frozenset(), True, index, None, node.lineno,
        )  # fmt: skip
        return Generated(code, values)

    # -- functions ------------------------------------------------------------------------------------------------
    def _lambda(self, node: ast.Lambda, depth: int) -> Lambda:
        defaults, keyword_defaults = self.defaults(node.args, depth)
        parameters = self.parameters(node.args)
        index, self.definitions = self.definitions, self.definitions + 1
        outer, outer_path = self.scope, self.path
        self.scope = scope = Scope("function", outer, parameters.names)
        qualname, self.path = f"{self.path}<lambda>", f"{self.path}<lambda>.<locals>."
        line, self.line = self.line, node.body.lineno
        place = Place(line=node.body.lineno, column=node.body.col_offset + 1)
        body = Return(self.expression(node.body, depth), place)
        self.line, self.scope, self.path = line, outer, outer_path
        scope.close()
        code = Code(
            "<lambda>", qualname, parameters, (body,), tuple(scope.bound), scope.cells, scope.free, frozenset(),
            scope.generates, index, None, node.lineno,
        )  # fmt: skip
        return Lambda(code, defaults, keyword_defaults)

    def parameters(self, arguments: ast.arguments) -> Parameters:
        """The names of a function's parameters."""
        return Parameters(
            tuple([self._parameter(one) for one in arguments.posonlyargs]),
            tuple([self._parameter(one) for one in arguments.args]),
            tuple([self._parameter(one) for one in arguments.kwonlyargs]),
            None if arguments.vararg is None else self._parameter(arguments.vararg),
            None if arguments.kwarg is None else self._parameter(arguments.kwarg),
        )

    def _parameter(self, node: ast.arg) -> str:
        return self.name(node, node.arg, bound=True)

    def defaults(
        self, arguments: ast.arguments, depth: int
    ) -> tuple[tuple[Expression, ...], tuple[tuple[str, Expression], ...]]:
        """What parameters are by default, evaluated where the function is defined."""
        named = [
            (self.mangled(one.arg), self.expression(value, depth))
            for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if value is not None
        ]
        return self._all(arguments.defaults, depth), tuple(named)

    def check_depth(self, node: ast.AST, depth: int) -> None:
        """Count an operation, and refuse what nests too deeply."""
        self.operations += type(node) in _OPERATIONS
        if depth > self.limits.depth:
            raise OverLimit("depth", allowed=self.limits.depth, asked=depth, line=getattr(node, "lineno", 1))
        if self.operations > self.limits.nodes:
            raise OverLimit("nodes", allowed=self.limits.nodes, asked=self.operations)


def _line_of(node: ast.expr) -> int:
    """The line that Python tells for an operation: of a method, where its name stands."""
    if type(node) is ast.Call and type(node.func) is ast.Attribute:
        node = node.func
    return (node.end_lineno or node.lineno) if type(node) is ast.Attribute else node.lineno


_OPERATIONS: Final = frozenset({
    ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript, ast.Lambda, ast.GeneratorExp, ast.ListComp,
})  # fmt: skip
_LOCATED: Final = frozenset({ast.Attribute, ast.Name}) | _OPERATIONS
_COMPREHENSIONS: Final[dict[type[ast.expr], Callable[[Any], tuple[str, ast.expr, ast.expr | None]]]] = {
    ast.ListComp: lambda node: ("list", node.elt, None),
    ast.SetComp: lambda node: ("set", node.elt, None),
    ast.DictComp: lambda node: ("dict", node.key, node.value),
}
_READER = ExpressionReader
_EXPRESSIONS: Final[dict[type[ast.expr], Callable[[Any, Any, int], Expression]]] = {
    ast.Attribute: _READER._attribute, ast.BinOp: _READER._binary, ast.BoolOp: _READER._logical,
    ast.Call: _READER._call, ast.Compare: _READER._comparison, ast.Constant: _READER._constant,
    ast.Dict: _READER._dict, ast.DictComp: _READER._comprehension, ast.GeneratorExp: _READER._generated,
    ast.IfExp: _READER._conditional, ast.JoinedStr: _READER._joined, ast.Lambda: _READER._lambda,
    ast.List: _READER._list, ast.ListComp: _READER._comprehension, ast.Name: _READER._name,
    ast.NamedExpr: _READER._binding, ast.Set: _READER._set, ast.SetComp: _READER._comprehension,
    ast.Slice: _READER._slice, ast.Starred: _READER._starred, ast.Subscript: _READER._subscript,
    ast.Tuple: _READER._tuple, ast.UnaryOp: _READER._unary, ast.Yield: _READER._yield,
    ast.YieldFrom: _READER._yield_from,
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
