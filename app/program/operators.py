"""Python's operators: symbol, name of the special method, and class of the syntax tree. Nothing else lists them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

from app.program.failures import reraise

_BINARY: Final[tuple[tuple[str, str, type[ast.AST]], ...]] = (
    ("+", "add", ast.Add), ("-", "sub", ast.Sub), ("*", "mul", ast.Mult), ("/", "truediv", ast.Div),
    ("//", "floordiv", ast.FloorDiv), ("%", "mod", ast.Mod), ("**", "pow", ast.Pow), ("@", "matmul", ast.MatMult),
    ("&", "and", ast.BitAnd), ("|", "or", ast.BitOr), ("^", "xor", ast.BitXor), ("<<", "lshift", ast.LShift),
    (">>", "rshift", ast.RShift),
)  # fmt: skip
_UNARY: Final[tuple[tuple[str, str, type[ast.AST]], ...]] = (
    ("+", "pos", ast.UAdd), ("-", "neg", ast.USub), ("~", "invert", ast.Invert), ("not", "not", ast.Not),
)  # fmt: skip
_COMPARISON: Final[tuple[tuple[str, type[ast.AST], Callable[[Any, Any], Any]], ...]] = (
    ("==", ast.Eq, operator.eq), ("!=", ast.NotEq, operator.ne), ("<", ast.Lt, operator.lt),
    ("<=", ast.LtE, operator.le), (">", ast.Gt, operator.gt), (">=", ast.GtE, operator.ge),
    ("is", ast.Is, operator.is_), ("is not", ast.IsNot, operator.is_not),
    ("in", ast.In, lambda item, container: _contains(container, item)),
    ("not in", ast.NotIn, lambda item, container: not _contains(container, item)),
)  # fmt: skip


def _contains(container: Any, item: Any) -> bool:
    try:
        return operator.contains(container, item)
    except Exception as error:
        reraise(error, "__contains__")


def _function(name: str) -> Callable[..., Any]:
    """Return the special method ``__name__`` as a function of its operands."""
    found: Callable[..., Any] = getattr(operator, f"__{name}__")
    return found


# The functions by symbol
BINARY: Final = {symbol: _function(name) for symbol, name, _ in _BINARY}
IN_PLACE: Final = {symbol: _function(f"i{name}") for symbol, name, _ in _BINARY}
UNARY: Final = {symbol: _function(name) for symbol, name, _ in _UNARY}
COMPARISON: Final = {symbol: function for symbol, _, function in _COMPARISON}
# The symbols, by what else stands for them
SYMBOLS: Final[dict[type[ast.AST], str]] = (
    {node: symbol for table in (_BINARY, _UNARY) for symbol, _, node in table}
    | {node: symbol for symbol, node, _ in _COMPARISON}
)  # fmt: skip
SPECIAL_METHODS: Final = {name: symbol for symbol, name, _ in _BINARY} | {"div": "/"}  # PyTorch's own name for it
