"""Hooks: functions that a program hangs onto a module or an optimiser, in the order in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from engine import modes


class Hook:
    """One function, and how it asked to be called."""

    def __init__(self, function: Callable[..., Any], with_kwargs: bool = False, always_call: bool = False) -> None:
        self._function, self._with_kwargs, self._always_call = function, with_kwargs, always_call

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


class RemovableHandle:
    """What registering a hook returns: it takes the hook away, at once or as a context manager."""

    def __init__(self, hooks: list[Hook], hook: Hook) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; a second time nothing happens."""
        modes.touch(self._hooks)
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()


def register(
    owner: Any, kind: str, function: Callable[..., Any], prepend: bool = False, with_kwargs: bool = False,
    always_call: bool = False,
) -> RemovableHandle:  # fmt: skip
    """Let ``function`` be called among the hooks ``kind`` of ``owner``, last or first."""
    table: dict[str, list[Hook]] = owner._hooks
    if kind not in table:
        modes.touch(table)
        table[kind] = []
    hooks, hook = table[kind], Hook(function, with_kwargs, always_call)
    modes.touch(hooks)
    hooks.insert(0 if prepend else len(hooks), hook)
    return RemovableHandle(hooks, hook)


def of(owner: Any, kind: str) -> Iterator[Hook]:
    """The hooks ``kind`` of ``owner`` as they are now."""
    return iter(tuple(owner._hooks.get(kind, ())))
