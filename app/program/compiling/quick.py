"""The methods that loops of programs call most, without what the general way asks of their arguments.

Each has the same effect and the same bounds: what grows is counted, and what is not plain goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.program.runtime import Run

OTHERWISE: Final = object()
_KEYS: Final = frozenset({str, int})


def _append(run: Run, value: list[Any], args: list[Any]) -> Any:
    if len(args) != 1 or len(value) >= run.items:
        return OTHERWISE
    if run.journal is not None:
        run.journal.touch(value)
    value.append(args[0])
    run.keep(8)
    return None


def _pop(run: Run, value: list[Any], args: list[Any]) -> Any:
    if args or not value:
        return OTHERWISE
    if run.journal is not None:
        run.journal.touch(value)
    return value.pop()


def _get(run: Run, value: dict[Any, Any], args: list[Any]) -> Any:
    if not args or type(args[0]) not in _KEYS or len(args) > 2:
        return OTHERWISE
    return value.get(*args)


def _views(name: str) -> Callable[[Run, Any, list[Any]], Any]:
    method = getattr(dict, name)
    return lambda run, value, args: OTHERWISE if args else method(value)


QUICK: Final[dict[tuple[type, str], Callable[[Run, Any, list[Any]], Any]]] = {
    (list, "append"): _append, (list, "pop"): _pop, (dict, "get"): _get, (dict, "items"): _views("items"),
    (dict, "keys"): _views("keys"), (dict, "values"): _views("values"),
}  # fmt: skip
