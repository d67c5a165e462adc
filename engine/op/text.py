"""Functions written as text: what declarations say is put into straight-line Python, which tracebacks can show."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Iterable
from typing import Any

_counter = itertools.count()


class Text:
    """Writes functions whose text may use ``names``. Texts that are equal are compiled once."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._compiled: dict[str, Callable[..., Any]] = {}

    def function(self, header: str, body: Iterable[str], objects: dict[str, Any]) -> Callable[..., Any]:
        """The function of this header and body, with ``objects`` in its closure."""
        lines = [f"def bind({', '.join(objects)}):", f"    def {header}:", *indented(indented(body))]
        text = "\n".join([*lines, f"    return {header.partition('(')[0]}"])
        bind = self._compiled.get(text)
        if bind is None:
            bind = self._compiled[text] = self._compile(text)
        return bind(**objects)  # type: ignore[no-any-return]

    def _compile(self, text: str) -> Callable[..., Any]:
        names = dict(self._names)
        file = f"<written by engine.op, {next(_counter)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), names)
        return names["bind"]  # type: ignore[no-any-return]


def indented(lines: Iterable[str]) -> list[str]:
    """The lines of a block."""
    return [f"    {line}" for line in lines]


def tuple_of(items: Iterable[str]) -> str:
    """The text of a tuple."""
    return f"({''.join(f'{item}, ' for item in items)})"
