"""Hooks of modules and optimisers: functions that a program hangs onto them, by what they are for.

Tables are plain dicts, as those of tensors and nodes; which hooks asked to be called otherwise stands in tables of its
own. An owner has none before the first hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from engine import modes
from engine.autograd.hooks import RemovableHandle, enter

NO_HOOKS: Mapping[str, dict[int, Any]] = MappingProxyType({})
WITH_KWARGS, ALWAYS = "with_kwargs", "always_call"


def register(
    owner: Any, kind: str, function: Callable[..., Any], prepend: bool = False, with_kwargs: bool = False,
    always_call: bool = False,
) -> RemovableHandle:  # fmt: skip
    """Let ``function`` be called among the hooks ``kind`` of ``owner``, last or first."""
    table = _table(owner, kind)
    handle = enter(table, function)
    if prepend:
        entries = {handle.id: table.pop(handle.id), **table}
        table.clear()
        table.update(entries)
    for flag, is_set in ((WITH_KWARGS, with_kwargs), (ALWAYS, always_call)):
        if is_set:
            flags = _table(owner, f"{kind} {flag}")
            modes.touch(flags)
            flags[handle.id] = True
    return handle


def _table(owner: Any, kind: str) -> dict[int, Any]:
    if "_hooks" not in vars(owner):
        modes.touch(owner)
        vars(owner)["_hooks"] = {}
    tables: dict[str, dict[int, Any]] = owner._hooks
    if kind not in tables:
        modes.touch(tables)
        tables[kind] = {}
    return tables[kind]


def of(owner: Any, kind: str) -> Iterator[Callable[..., Any]]:
    """The hooks ``kind`` of ``owner`` as they are now."""
    return iter(tuple(owner._hooks.get(kind, {}).values()))


def flagged(owner: Any, kind: str, flag: str) -> Iterator[tuple[Callable[..., Any], bool]]:
    """The same, and whether each was registered with ``flag``."""
    flags = owner._hooks.get(f"{kind} {flag}", {})
    return iter(tuple((hook, number in flags) for number, hook in owner._hooks.get(kind, {}).items()))
