"""What PyTorch's texts call values and their types, and how modules print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.op.signature import type_name
from engine.tensor import Tensor


def typename(value: Any) -> str:
    """The name of a value's type: that of a tensor has its dtype, that of a layer its place in PyTorch."""
    if isinstance(value, Tensor):
        return f"torch.{value.dtype.scalar_type}Tensor"
    path = getattr(value, "_path", None)
    if isinstance(path, str):
        return path
    if isinstance(value, type) and issubclass(value, Tensor):
        return "torch.Tensor" if value is Tensor else f"torch.nn.parameter.{value.__name__}"
    return type_name(value)


def class_text(value: Any) -> str:
    """How the class of a value prints."""
    return f"<class '{typename(value) if not isinstance(value, Tensor) else 'torch.Tensor'}'>"


def indented(text: str, by: int = 2) -> str:
    """The lines after the first moved in."""
    return text.replace("\n", "\n" + " " * by)


def bracketed(name: str, extra: str, children: Sequence[str]) -> str:
    """``name(...)``, on one line if nothing but one line of ``extra`` is in it."""
    lines = [*(extra.split("\n") if extra else ()), *children]
    if not lines or (not children and len(lines) == 1):
        return f"{name}({''.join(lines)})"
    return f"{name}(\n  " + "\n  ".join(lines) + "\n)"
