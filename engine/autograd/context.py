"""``ctx``: what the methods of a user's function see of their node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine import modes
from engine.errors import MissingAttributeError
from engine.tensor import Tensor


class Context:
    """What the methods of a user's class get as ``ctx``: a node, on which they may set what they like."""

    __slots__ = ("_constant", "_dirty", "_node", "_to_save")
    _node: Any

    def __init__(self, node: Any) -> None:
        put = object.__setattr__
        put(self, "_node", node)
        for name in ("_constant", "_dirty", "_to_save"):
            put(self, name, ())

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors, or ``None``, for backward: inputs and outputs best, for they keep their history."""
        object.__setattr__(self, "_to_save", tensors)

    def save_for_forward(self, *tensors: Any) -> None:
        """For forward-mode derivatives; backward does without."""

    def mark_dirty(self, *args: Any) -> None:
        """Tell which inputs ``forward`` writes to; it has to return them."""
        object.__setattr__(self, "_dirty", args)

    def mark_non_differentiable(self, *args: Any) -> None:
        """Tell which outputs have no gradient."""
        object.__setattr__(self, "_constant", args)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros, rather than ``None``, for outputs that nothing came back for."""
        modes.touch(self._node)
        self._node.static["materialize"] = bool(value)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved, with its history. Raises ``OpError`` once freed or changed."""
        return self._node.saved_tensors  # type: ignore[no-any-return]

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """Which arguments of the call required grad."""
        return self._node.needs_input_grad  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        attributes = self._node.static["attributes"]
        if name in attributes:
            return attributes[name]
        if name in _OF_NODES:
            return getattr(self._node, name)
        raise MissingAttributeError(f"'{self._node.label}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self._node.static["attributes"]
        modes.touch(attributes)
        attributes[name] = value

    def __delattr__(self, name: str) -> None:
        attributes = self._node.static["attributes"]
        if name not in attributes:
            raise MissingAttributeError(f"'{self._node.label}' object has no attribute '{name}'")
        modes.touch(attributes)
        del attributes[name]

    def memento(self) -> Callable[[], None]:
        """A function that gives the node back what is set on it now."""
        attributes = self._node.static["attributes"]
        before = dict(attributes)

        def restore() -> None:
            attributes.clear()
            attributes.update(before)

        return restore

    def __repr__(self) -> str:
        return repr(self._node)


_OF_NODES: Final = ("metadata", "name", "next_functions", "register_hook", "register_prehook", "requires_grad")
