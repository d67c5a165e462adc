"""Hooks: what users hang on tensors and nodes, to look at gradients on their way back or to replace them.

Tables of hooks are plain dicts from a number to a callable, in the order of registration, so that sessions can store
them; a handle is its table and a number. Hooks of leaves belong to the leaf, all others to nodes.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from engine import modes
from engine.errors import ArgumentTypeError, OpError
from engine.tensor import Tensor

Hook: TypeAlias = Callable[..., Any]
Hooks: TypeAlias = dict[int, Hook]
Gradients: TypeAlias = "Sequence[Tensor | None]"

NO_GRADIENT = "cannot register a hook on a tensor that doesn't require gradient"
NOT_A_LEAF = "post accumulate grad hooks cannot be registered on non-leaf tensors"

_numbers = itertools.count()


class RemovableHandle:
    """Takes a hook out of its ``table`` again, once or at the end of a ``with``."""

    __slots__ = ("__weakref__", "id", "table")

    def __init__(self, table: Hooks, number: int | None = None) -> None:
        if not isinstance(table, dict):
            raise ArgumentTypeError(f"cannot create weak reference to '{type(table).__name__}' object")
        self.table, self.id = table, next(_numbers) if number is None else number

    def remove(self) -> None:
        """Let the hook not be called any more; a second time changes nothing."""
        modes.touch(self.table)
        self.table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<torch.utils.hooks.RemovableHandle object at {id(self):#x}>"


def enter(table: Hooks, hook: Hook) -> RemovableHandle:
    """Add ``hook`` behind those in ``table``."""
    modes.touch(table)
    number = next(_numbers)
    while number in table:  # of a session that another process stored
        number = next(_numbers)
    table[number] = hook
    return RemovableHandle(table, number)


class LeafHooks:
    """The hooks of a leaf: on what arrives, and on the leaf once that was added to its ``grad``."""

    __slots__ = ("__weakref__", "after", "before")

    def __init__(self, before: Hooks | None = None, after: Hooks | None = None) -> None:
        self.before: Hooks = {} if before is None else before
        self.after: Hooks = {} if after is None else after


class Attached:
    """What hangs on a node beside its data.

    ``outputs`` has the hooks of the tensors it made, by their numbers and in the order of the first registration;
    ``retained`` the outputs that get their ``grad``; ``pre`` and ``post`` the hooks of the node itself.
    """

    __slots__ = ("__weakref__", "metadata", "outputs", "post", "pre", "retained")

    def __init__(self) -> None:
        self.outputs: dict[int, Hooks] = {}
        self.retained: dict[int, weakref.ref[Tensor]] = {}
        self.pre: Hooks = {}
        self.post: Hooks = {}
        self.metadata: dict[Any, Any] = {}

    def copy(self) -> Attached:
        """The same hooks; what is retained by itself."""
        other = Attached()
        other.outputs, other.retained = dict(self.outputs), dict(self.retained)
        other.pre, other.post, other.metadata = self.pre, self.post, self.metadata
        return other


def called(function: Any, *args: Any) -> Any:
    """What ``function`` returns. Raises ``ArgumentTypeError`` if it can not be called."""
    check_callable(function)
    return function(*args)


def check_callable(function: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(function):
        raise ArgumentTypeError(f"'{type(function).__name__}' object is not callable")


# -- calling them -------------------------------------------------------------------------------------------------
def filtered(hooks: Hooks, gradient: Tensor | None) -> Tensor | None:
    """What the hooks of a tensor, one after another, make of its gradient."""
    for hook in list(hooks.values()):
        result = called(hook, gradient)
        if result is not None:
            _check_one(hook, gradient, result)
            gradient = result
    return gradient


def all_filtered(hooks: Hooks, gradients: Gradients, *others: Any) -> Gradients:
    """What the hooks of a node make of a tuple of gradients; each is also given ``others``."""
    for hook in list(hooks.values()):
        given = tuple(gradients)
        result = called(hook, given, *others)
        if result is None:
            continue
        if not isinstance(result, tuple):
            raise ArgumentTypeError(f"expected tuple, but hook returned '{type(result).__name__}'")
        if len(result) != len(given):
            raise OpError(
                f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(result)}, but expected "
                f"{len(given)})"
            )
        for before, after in zip(given, result, strict=True):
            if after is not None:
                _check_one(hook, before, after)
        gradients = result
    return gradients


def call_after(hooks: Hooks, leaf: Tensor) -> None:
    """Call what waits for a gradient to be added to that of ``leaf``."""
    for hook in list(hooks.values()):
        result = called(hook, leaf)
        if result is not None and not isinstance(result, Tensor):
            raise ArgumentTypeError(f"expected Variable, but hook returned '{type(result).__name__}'")


def _check_one(hook: Hook, before: Tensor | None, after: Any) -> None:
    if not isinstance(after, Tensor):
        raise ArgumentTypeError(f"expected Variable, but hook returned '{type(after).__name__}'")
    if before is None:
        raise OpError("can't replace a None gradient with a non-None value")
    if after.array.dtype is not before.array.dtype:
        raise OpError(
            f"hook '{_name(hook)}' has changed the type of value (was {before.dtype.tensor_type} got "
            f"{after.dtype.tensor_type})"
        )
    if after.array.shape != before.array.shape:
        raise OpError(f"hook '{_name(hook)}' has changed the size of value")


def _name(hook: Hook) -> str:
    return str(getattr(hook, "__name__", "<unknown>"))
