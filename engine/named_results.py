"""Named results: tuples with fields, which print as PyTorch's ``torch.return_types``."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import Any


class NamedResult(tuple[Any, ...]):
    """A tuple of tensors whose elements have names."""

    __slots__ = ()
    _fields: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'torch.return_types.{type(self).__name__}' object has no attribute '{name}'")

    def __repr__(self) -> str:
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n{fields})"


@cache
def named_result(name: str, *fields: str) -> Any:
    """The type of the results of the op ``name``; call it with one tensor a field. The same question, the same type."""
    base = namedtuple(name, fields)  # type: ignore[misc]
    return type(name, (NamedResult, base), {"__slots__": (), "__module__": "torch.return_types"})
