"""Arguments of methods of ours, bound and refused as those of a program's function are."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from app.program.functions import bind
from app.program.tree import Parameters


def arguments(
    qualname: str, names: Sequence[str], defaults: tuple[Any, ...], args: Sequence[Any], kwargs: dict[str, Any],
    required: int, taken: int = 0, keyword_only: Sequence[str] = (), keyword_defaults: dict[str, Any] | None = None,
) -> list[Any]:  # fmt: skip
    """Values by the places of ``names``; messages count ``taken`` arguments more, which came before them."""
    before = tuple(f".{place}" for place in range(taken))
    parameters = Parameters(before, tuple(names), tuple(keyword_only))
    function: Any = SimpleNamespace(
        compiled=SimpleNamespace(code=SimpleNamespace(parameters=parameters)), defaults=defaults,
        keyword_defaults=keyword_defaults or {}, qualname=qualname,
    )  # fmt: skip
    return bind(function, [None] * taken + list(args), kwargs)[taken:]
