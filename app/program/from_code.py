"""Reads programs written as Python text, translated from its syntax tree by an allow-list.

Nothing is evaluated here. Python compiles the text, so that mistakes are told in its own words, and what it made of it
is thrown away: no part of the text is ever handed to Python to run. What the lists below do not name is refused with
its line and column.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from app.limits import Limits, OverLimit
from app.program.code_expressions import TRUE, ExpressionReader, refuse, refuse_outside
from app.program.operators import SYMBOLS
from app.program.patterns import read_pattern
from app.program.scopes import Scope
from app.program.tree import (
    NAME_LENGTH,
    Annotate,
    Assert,
    Assign,
    Attribute,
    Augment,
    Case,
    ClassDef,
    Code,
    Delete,
    Display,
    Evaluate,
    Expression,
    For,
    FunctionDef,
    GraphError,
    Handler,
    If,
    Import,
    ImportFrom,
    Jump,
    Lambda,
    Match,
    Name,
    Parameters,
    Place,
    Program,
    Raise,
    Return,
    Starred,
    Statement,
    Subscript,
    Target,
    Try,
    While,
    Within,
)


def parse_code(text: str, limits: Limits) -> Program:
    """Translate Python text; raises ``GraphError`` with line and column for whatever the language does not have."""
    if len(text) > limits.code_length:
        raise OverLimit("code_length", allowed=limits.code_length, asked=len(text))
    reader = _CodeReader(text, limits)
    statements = reader.block(_syntax_tree(text).body, 0)
    return Program(statements, "code", text=text, cells=reader.scope.cells)


# CPython 3.11 counts the depth of a tree in one place for all threads. Where the collector lets another one run in the
# middle of a parse, the counts do not match: "SystemError: AST constructor recursion depth mismatch".
_PARSER: Final = Lock()


# What Python's compiler warns of, and what it finds that its parser does not: a return outside of a function
FRAMES: Final = 1000  # that Python allows by itself
_MAY_WARN: Final = re.compile(r"\\|\bis\b|\bassert\b|[0-9](?:if|or|and|in|else|for)|[\])}\"']\s*[\[({]")
_COMPILED: Final = re.compile(
    r"\b(?:def|lambda|class|return|yield|break|continue|global|nonlocal|for|while|try|match|async|await|del|with|import)\b"
    r"|[(,\[{=]\s*\*|:=|__debug__|\*,"
)


def _parsed(text: str) -> ast.Module:
    frames = sys.getrecursionlimit()
    sys.setrecursionlimit(min(frames, FRAMES))  # Python's compiler takes three times as many levels of the C stack
    try:
        found = ast.parse(text)
        if _COMPILED.search(text) is not None:
            compile(text, "<program>", "exec", dont_inherit=True)
    finally:
        sys.setrecursionlimit(frames)
    return found


def _syntax_tree(text: str) -> ast.Module:
    try:
        with _PARSER:
            if _MAY_WARN.search(text) is None:
                return _parsed(text)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _parsed(text)
    except SyntaxError as error:
        raise GraphError(
            error.msg, line=error.lineno or 1, column=max(error.offset or 1, 1), exception=type(error).__name__
        ) from None
    except (RecursionError, MemoryError):
        raise GraphError("the code is nested too deeply", line=1, column=1) from None
    except ValueError:
        raise GraphError("the code holds characters that no program has", line=1, column=1) from None


class _CodeReader(ExpressionReader):
    """Translates statements, counting the operations."""

    def __init__(self, text: str, limits: Limits) -> None:
        super().__init__(text, limits)
        self.scope = Scope("module", None)

    def block(self, nodes: list[ast.stmt], depth: int) -> tuple[Statement, ...]:
        """Translate statements, one after another."""
        return tuple([self.statement(node, depth) for node in nodes if not isinstance(node, _SAID)])

    def statement(self, node: ast.stmt, depth: int) -> Statement:
        """Translate one statement."""
        place = Place(line=node.lineno, column=node.col_offset + 1)
        self.check_depth(node, depth)
        self.operations += 1
        self.line = node.lineno
        read: Any = _STATEMENTS.get(type(node))
        if read is None:
            refuse_outside(node)
        found: Statement = read(self, node, place, depth)
        return found

    # -- simple statements ----------------------------------------------------------------------------------------
    def _evaluate(self, node: ast.Expr, place: Place, depth: int) -> Statement:
        return Evaluate(self.expression(node.value, depth), place)

    def _assign(self, node: ast.Assign, place: Place, depth: int) -> Statement:
        value = self.expression(node.value, depth)
        return Assign(tuple([self.target(one, depth) for one in node.targets]), value, place)

    def _annotate(self, node: ast.AnnAssign, place: Place, depth: int) -> Statement:
        value = None if node.value is None else self.expression(node.value, depth)
        if isinstance(node.target, ast.Name):
            name = self.bind(node.target, node.target.id)
            return Annotate(name, ast.unparse(node.annotation), value, place)
        target = self.target(node.target, depth)
        return Jump("pass", place) if value is None else Assign((target,), value, place)

    def _augment(self, node: ast.AugAssign, place: Place, depth: int) -> Statement:
        target = self.target(node.target, depth)
        if not isinstance(target, (Name, Attribute, Subscript)):
            refuse(node.target, "an augmented assignment has one target")
        return Augment(SYMBOLS[type(node.op)], target, self.expression(node.value, depth), place)

    def target(self, node: ast.expr, depth: int) -> Target:
        """Translate what an assignment binds."""
        self.check_depth(node, depth)
        match node:
            case ast.Name(name):
                return Name(self.bind(node, name))
            case ast.Attribute(value, name):
                return Attribute(self.expression(value, depth + 1), self.member(node, name))
            case ast.Subscript(value, index):
                return Subscript(self.expression(value, depth + 1), self.expression(index, depth + 1))
            case ast.Tuple(items) | ast.List(items):
                return Display("tuple", tuple([self.target(item, depth + 1) for item in items]))
            case ast.Starred(value):
                return Starred(self.target(value, depth + 1))
        return refuse_outside(node)

    def _delete(self, node: ast.Delete, place: Place, depth: int) -> Statement:
        return Delete(tuple([self.target(one, depth) for one in _flat(node.targets)]), place)  # type: ignore[misc]

    def _raise(self, node: ast.Raise, place: Place, depth: int) -> Statement:
        return Raise(self._optional(node.exc, depth), self._optional(node.cause, depth), place)

    def _assert(self, node: ast.Assert, place: Place, depth: int) -> Statement:
        return Assert(self.expression(node.test, depth), self._optional(node.msg, depth), place)

    def _return(self, node: ast.Return, place: Place, depth: int) -> Statement:
        return Return(self._optional(node.value, depth), place)

    def _jump(self, node: ast.stmt, place: Place, depth: int) -> Statement:
        return Jump(type(node).__name__.lower(), place)  # type: ignore[arg-type]

    def _optional(self, node: ast.expr | None, depth: int) -> Expression | None:
        return None if node is None else self.expression(node, depth)

    def _import(self, node: ast.Import, place: Place, depth: int) -> Statement:
        parts = []
        for alias in node.names:
            self.bind(node, alias.asname or alias.name.partition(".")[0])
            parts.append(Import(_module(node, alias.name), alias.asname, place))
        return parts[0] if len(parts) == 1 else If(TRUE, tuple(parts), (), place)

    def _import_from(self, node: ast.ImportFrom, place: Place, depth: int) -> Statement:
        if node.level:
            refuse(node, "a program has no package around it: name the module in full")
        names = tuple([(alias.name, alias.asname or alias.name) for alias in node.names])
        for _, bound in names:
            if bound != "*":
                self.bind(node, bound)
        return ImportFrom(_module(node, node.module or ""), names, place)

    def declare(self, node: ast.Global | ast.Nonlocal) -> None:
        """Note names that belong to a scope further out."""
        (self.scope.globals if isinstance(node, ast.Global) else self.scope.nonlocals).update(
            map(self.mangled, node.names)
        )

    # -- blocks ---------------------------------------------------------------------------------------------------
    def _if(self, node: ast.If, place: Place, depth: int) -> Statement:
        test, body = self.expression(node.test, depth), self.block(node.body, depth + 1)
        is_chain = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        return If(test, body, self.block(node.orelse, depth + (not is_chain)), place)

    def _while(self, node: ast.While, place: Place, depth: int) -> Statement:
        test = self.expression(node.test, depth)
        return While(test, self.block(node.body, depth + 1), self.block(node.orelse, depth + 1), place)

    def _for(self, node: ast.For, place: Place, depth: int) -> Statement:
        values, target = self.expression(node.iter, depth), self.target(node.target, depth)
        return For(target, values, self.block(node.body, depth + 1), self.block(node.orelse, depth + 1), place)

    def _with(self, node: ast.With, place: Place, depth: int) -> Statement:
        heads = []
        for item in node.items:
            context = self.expression(item.context_expr, depth)
            heads.append((context, None if item.optional_vars is None else self.target(item.optional_vars, depth)))
        body = self.block(node.body, depth + 1)
        for context, target in reversed(heads):
            body = (Within(context, target, body, place),)
        return body[0]

    def _try(self, node: ast.Try, place: Place, depth: int) -> Statement:
        body = self.block(node.body, depth + 1)
        handlers = []
        for one in node.handlers:
            where = Place(line=one.lineno, column=one.col_offset + 1)
            self.line = one.lineno
            kind = self._optional(one.type, depth)
            name = None if one.name is None else self.bind(one, one.name)
            handlers.append(Handler(kind, name, self.block(one.body, depth + 1), where))
        otherwise, final = self.block(node.orelse, depth + 1), self.block(node.finalbody, depth + 1)
        return Try(body, tuple(handlers), otherwise, final, place)

    def _match(self, node: ast.Match, place: Place, depth: int) -> Statement:
        subject = self.expression(node.subject, depth)
        cases = []
        for case in node.cases:
            self.line = case.pattern.lineno
            pattern = read_pattern(self, case.pattern, depth)
            cases.append(Case(pattern, self._optional(case.guard, depth), self.block(case.body, depth + 1)))
        return Match(subject, tuple(cases), place)

    # -- definitions ----------------------------------------------------------------------------------------------
    def _function(self, node: ast.FunctionDef, place: Place, depth: int) -> Statement:
        decorators = tuple([self.expression(one, depth) for one in node.decorator_list])
        self.line = node.lineno
        defaults, keyword_defaults = self.defaults(node.args, depth)
        self.bind(node, node.name)
        code = self.code(node, node.name, self.parameters(node.args), node.body, depth)
        return FunctionDef(Lambda(code, defaults, keyword_defaults), decorators, place)

    def _class(self, node: ast.ClassDef, place: Place, depth: int) -> Statement:
        decorators = tuple([self.expression(one, depth) for one in node.decorator_list])
        self.line = node.lineno
        bases = tuple([self.expression(one, depth) for one in node.bases])
        keywords = tuple([(self.keyword(one), self.expression(one.value, depth)) for one in node.keywords])
        self.bind(node, node.name)
        code = self.code(node, node.name, Parameters(), node.body, depth, is_class=True)
        return ClassDef(code, bases, keywords, decorators, bool(code.cells), place)

    def code(
        self, node: ast.stmt, name: str, parameters: Parameters, body: list[ast.stmt], depth: int, *,
        is_class: bool = False,
    ) -> Code:  # fmt: skip
        """Translate the body of a function or a class, in a scope of its own."""
        index, self.definitions = self.definitions, self.definitions + 1
        outer, outer_class, outer_path = self.scope, self.class_name, self.path
        is_global = name in outer.globals
        qualname = name if is_global else self.path + name
        self.scope = scope = Scope("class" if is_class else "function", outer, parameters.names)
        self.path = qualname + ("." if is_class else ".<locals>.")
        if is_class:
            self.class_name = name
        try:
            doc = _docstring(body)
            for one in _declarations(body):
                self.declare(one)
            statements = self.block(body, depth + 1)
        finally:
            self.scope, self.class_name, self.path = outer, outer_class, outer_path
        scope.close()
        return Code(
            name, qualname, parameters, statements, tuple(scope.bound), scope.cells, scope.free,
            frozenset(scope.globals), scope.generates, index, doc, node.lineno, _hint(node),
        )  # fmt: skip


def _hint(node: ast.AST) -> str | None:
    """The first annotation of a parameter, by which some libraries choose a function."""
    given = getattr(node, "args", None)
    parameters = [*given.posonlyargs, *given.args] if isinstance(given, ast.arguments) else []
    return next((ast.unparse(one.annotation) for one in parameters if one.annotation is not None), None)


_SAID: Final = (ast.Global, ast.Nonlocal)  # noted before the block that they stand in is read


def _declarations(body: list[ast.stmt]) -> list[ast.Global | ast.Nonlocal]:
    """The ``global`` and ``nonlocal`` statements of a body, blocks in it included and definitions not."""
    found: list[ast.Global | ast.Nonlocal] = []
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, _SAID):
            found.append(node)
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)) and not isinstance(node, _DEFINITIONS):
            pending.extend(ast.iter_child_nodes(node))
    return found


_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _docstring(body: list[ast.stmt]) -> str | None:
    match body[0]:
        case ast.Expr(ast.Constant(str(text))):
            return text
    return None


def _module(node: ast.stmt, name: str) -> str:
    if len(name) > 4 * NAME_LENGTH:
        refuse(node, "a module with such a long name")
    return name


def _flat(targets: list[ast.expr]) -> list[ast.expr]:
    return [leaf for one in targets for leaf in (_flat(one.elts) if isinstance(one, (ast.Tuple, ast.List)) else [one])]


_STATEMENTS: Final[dict[type, Callable[..., Statement]]] = {
    ast.AnnAssign: _CodeReader._annotate, ast.Assert: _CodeReader._assert, ast.Assign: _CodeReader._assign,
    ast.AugAssign: _CodeReader._augment, ast.Break: _CodeReader._jump, ast.ClassDef: _CodeReader._class,
    ast.Continue: _CodeReader._jump, ast.Delete: _CodeReader._delete, ast.Expr: _CodeReader._evaluate,
    ast.For: _CodeReader._for, ast.FunctionDef: _CodeReader._function, ast.If: _CodeReader._if,
    ast.Import: _CodeReader._import, ast.ImportFrom: _CodeReader._import_from, ast.Match: _CodeReader._match,
    ast.Pass: _CodeReader._jump, ast.Raise: _CodeReader._raise, ast.Return: _CodeReader._return,
    ast.Try: _CodeReader._try, ast.While: _CodeReader._while, ast.With: _CodeReader._with,
}  # fmt: skip
