"""Python's operators: symbol, special method, class of the syntax tree, and cost. Nothing else lists them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

from app.program import costs
from app.program.costs import CostOf
from app.program.failures import reraise

# symbol, special method, class of the tree, and what the operator costs; in place, where that is another cost
_BINARY: Final[tuple[tuple[str, str, type[ast.AST], CostOf, CostOf], ...]] = (
    ("+", "add", ast.Add, costs.add, costs.extend), ("-", "sub", ast.Sub, costs.linear, costs.linear),
    ("*", "mul", ast.Mult, costs.multiply, costs.multiply),
    ("/", "truediv", ast.Div, costs.divide, costs.divide),
    ("//", "floordiv", ast.FloorDiv, costs.divide, costs.divide), ("%", "mod", ast.Mod, costs.modulo, costs.modulo),
    ("**", "pow", ast.Pow, costs.power, costs.power), ("@", "matmul", ast.MatMult, costs.little, costs.little),
    ("&", "and", ast.BitAnd, costs.linear, costs.linear), ("|", "or", ast.BitOr, costs.linear, costs.linear),
    ("^", "xor", ast.BitXor, costs.linear, costs.linear), ("<<", "lshift", ast.LShift, costs.shift, costs.shift),
    (">>", "rshift", ast.RShift, costs.linear, costs.linear),
)  # fmt: skip
_UNARY: Final[tuple[tuple[str, str, type[ast.AST], CostOf], ...]] = (
    ("+", "pos", ast.UAdd, costs.little), ("-", "neg", ast.USub, costs.linear),
    ("~", "invert", ast.Invert, costs.linear), ("not", "not", ast.Not, costs.little),
)  # fmt: skip
_COMPARISON: Final[tuple[tuple[str, type[ast.AST], Callable[[Any, Any], Any], CostOf], ...]] = (
    ("==", ast.Eq, operator.eq, costs.compare), ("!=", ast.NotEq, operator.ne, costs.compare),
    ("<", ast.Lt, operator.lt, costs.compare), ("<=", ast.LtE, operator.le, costs.compare),
    (">", ast.Gt, operator.gt, costs.compare), (">=", ast.GtE, operator.ge, costs.compare),
    ("is", ast.Is, operator.is_, costs.little), ("is not", ast.IsNot, operator.is_not, costs.little),
    ("in", ast.In, lambda item, container: _contains(container, item), costs.contains),
    ("not in", ast.NotIn, lambda item, container: not _contains(container, item), costs.contains),
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


# The functions by symbol, each with its cost
BINARY: Final = {symbol: (_function(name), cost) for symbol, name, _, cost, _ in _BINARY}
IN_PLACE: Final = {symbol: (_function(f"i{name}"), cost) for symbol, name, _, _, cost in _BINARY}
UNARY: Final = {symbol: (_function(name), cost) for symbol, name, _, cost in _UNARY}
COMPARISON: Final = {symbol: (function, cost) for symbol, _, function, cost in _COMPARISON}
# The symbols, by what else stands for them
SYMBOLS: Final[dict[type[ast.AST], str]] = (
    {node: symbol for symbol, _, node, _, _ in _BINARY}
    | {node: symbol for symbol, _, node, _ in _UNARY}
    | {node: symbol for symbol, node, _, _ in _COMPARISON}
)  # fmt: skip
SPECIAL_METHODS: Final = {name: symbol for symbol, name, *_ in _BINARY} | {"div": "/"}  # PyTorch's own name for it
