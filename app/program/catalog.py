"""The catalogue of ops, generated from their declarations."""

from __future__ import annotations

import inspect
from typing import Any, Final

from app.errors import NotFound
from engine import dtypes, registry

TYPES: Final = {
    "Array": "Tensor", "Index": "Tensor", "Mask": "Tensor", "Arrays": "list[Tensor]", "Dim": "int", "NewDim": "int",
    "Dims": "int | list[int]", "Size": "list[int]", "Extents": "list[int]", "Scalar": "number", "DType": "dtype",
    "Tensors": "list[Tensor]", "Operand": "Tensor | number", "Real": "Tensor | number",
}  # fmt: skip
KNOWN_TYPES: Final = frozenset({"int", "float", "bool", "str"})


def summaries() -> list[dict[str, str]]:
    """Return every public op: name, signature, and what it does in one line."""
    return [_summary(name, entry) for name, entry in registry.catalogue().items()]


def describe(name: str) -> dict[str, Any]:
    """Return all that is known of one op. Raises ``NotFound``."""
    entry = registry.catalogue().get(name.removeprefix("torch."))
    if entry is None:
        raise NotFound("op")
    return _summary(name.removeprefix("torch."), entry) | _details(name.removeprefix("torch."), entry)


def _summary(name: str, entry: Any) -> dict[str, str]:
    text = _text(entry)
    return {"name": name, "signature": signature(name, entry), "summary": text.partition("\n")[0]}


def _text(entry: Any) -> str:
    return inspect.cleandoc(entry.__doc__ or "").replace("``", "`")


def _details(name: str, entry: Any) -> dict[str, Any]:
    rules = getattr(entry, "rules", None)
    return {
        "description": _text(entry),
        "kind": "composite" if rules is None else "primitive",
        "differentiable": None if rules is None else [param.name for param in entry.differentiable],
        "grad_fn": str(entry.grad_fn) if rules else None,
        "method": registry.method(name) is not None or registry.attribute(name) is not None,
        "in_place": registry.method(f"{name}_") is not None,
    }


def signature(name: str, entry: Any) -> str:
    """``add(input: Tensor, other: Tensor, *, alpha: number = 1)``."""
    parts: list[str] = []
    for param in entry.signature.params:
        if param.keyword_only and "*" not in parts:
            parts.append("*")
        parts.append(_parameter(param))
    return f"{name}({', '.join(parts)})"


def _parameter(param: Any) -> str:
    kind = param.kind.removeprefix("<class '").removesuffix("'>")
    shown = TYPES.get(kind) or (kind if kind in KNOWN_TYPES else "")
    text = f"{'*' if param.variadic else ''}{param.name}" + (f": {shown}" if shown else "")
    text += " | None" if shown and param.optional else ""
    return text if param.default is inspect.Parameter.empty else f"{text} = {_default(param.default)}"


def _default(value: Any) -> str:
    return value.name if isinstance(value, dtypes.DType) else repr(value)
