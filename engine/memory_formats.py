"""Memory formats: the orders of dimensions that PyTorch has names for, and the strides that they mean."""

from __future__ import annotations

from typing import Any, Final

from engine import strides
from engine.errors import ArgumentTypeError, OpError


class MemoryFormat:
    """An order of dimensions in memory, outermost first; without one, that of whatever is copied, or C order."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, order: tuple[int, ...] = ()) -> None:
        self.name, self.order = name, order

    def __copy__(self) -> MemoryFormat:
        return self

    def __deepcopy__(self, memo: object) -> MemoryFormat:
        return self

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def fits(self, size: tuple[int, ...], steps: tuple[int, ...]) -> bool:
        """Whether elements of this size at these strides lie in this format."""
        if self is PRESERVED or (self.order and len(self.order) != len(size)):
            return self is PRESERVED
        return strides.is_contiguous(size, steps, self.order or None)

    def strides(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Where elements of this size lie. Raises ``OpError`` for other ranks."""
        if not self.order:
            return strides.contiguous(size)
        if len(size) != len(self.order):
            raise OpError(f"required rank {len(self.order)} tensor to use {self.name} format")
        return strides.in_order(size, self.order[::-1])


CONTIGUOUS: Final = MemoryFormat("contiguous_format")
PRESERVED: Final = MemoryFormat("preserve_format")
ALL: Final = {
    one.name: one
    for one in (
        CONTIGUOUS, PRESERVED, MemoryFormat("channels_last", (0, 2, 3, 1)),
        MemoryFormat("channels_last_3d", (0, 2, 3, 4, 1)),
    )
}  # fmt: skip


def wanted(op: str, value: Any) -> MemoryFormat | None:
    """The format that an argument asks for; ``None`` where things stay as they are. Raises ``ArgumentTypeError``."""
    if value is None or value is PRESERVED:
        return None
    if not isinstance(value, MemoryFormat):
        raise ArgumentTypeError(
            f"{op}(): argument 'memory_format' must be torch.memory_format, not {type(value).__name__}"
        )
    return value
