"""``tqdm``: loops over what it is given. Its bar goes where the answer is not, so it is not drawn."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final

from app.program.builtins import Getter, Routine
from app.program.failures import PythonError, python, seen_as
from app.program.modules.calls import PRINTING, bound, host, metered
from app.program.operations import held
from engine import modes


@seen_as("tqdm", "tqdm.std")
class Progress:
    """An iterable, and how far a program has come with it."""

    __slots__ = ("desc", "disable", "iterable", "n", "postfix", "total")

    def __init__(
        self, iterable: Any = None, desc: Any = None, total: Any = None, leave: Any = True, *, disable: Any = False,
        initial: Any = 0, **_: Any,
    ) -> None:  # fmt: skip
        self.iterable, self.desc, self.disable = iterable, desc or "", disable
        self.n: Any = initial
        self.postfix: str | None = None
        self.total = total if total is not None or not hasattr(type(iterable), "__len__") else python(len, iterable)

    def __iter__(self) -> Iterator[Any]:
        if self.iterable is None:
            raise PythonError(TypeError, "'NoneType' object is not iterable")
        for item in metered(self.iterable):
            yield item
            modes.touch(self)
            self.n += 1

    def __len__(self) -> int:
        return int(self.total if self.iterable is None else python(len, self.iterable))

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: there is no bar to close."""

    def memento(self) -> Any:
        """A function that brings this moment back."""
        before = [(name, getattr(self, name)) for name in self.__slots__]

        def restore() -> None:
            for name, value in before:
                setattr(self, name, value)

        return restore


def _update(bar: Progress, n: Any = 1) -> None:
    bar.n = python(lambda: bar.n + n)


def _describe(bar: Progress, desc: Any = None, refresh: Any = True) -> None:
    bar.desc = f"{desc}: " if desc else ""


def _set_postfix(bar: Progress, ordered_dict: Any = None, refresh: Any = True, **named: Any) -> None:
    given = {**(ordered_dict or {}), **named}
    bar.postfix = ", ".join([f"{key}={_short(value)}" for key, value in given.items()])


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else str(value)


def _set_text(bar: Progress, s: Any = "", refresh: Any = True) -> None:
    bar.postfix = str(s)


def _reset(bar: Progress, total: Any = None) -> None:
    bar.n, bar.total = 0, bar.total if total is None else total


def _nothing(bar: Progress, *_: Any, **__: Any) -> None:
    """There is no bar to be drawn, or to be closed."""


def _write(*values: Any, end: Any = "\n", **_: Any) -> None:
    PRINTING[0](*values, end=end)


_CHANGING: Final[dict[str, Any]] = {
    "reset": _reset, "set_description": _describe, "set_description_str": _describe, "set_postfix": _set_postfix,
    "set_postfix_str": _set_text, "update": _update,
}  # fmt: skip
_METHODS: Final[dict[str, Getter]] = {
    **{name: bound(name, function, True) for name, function in _CHANGING.items()},
    **{name: bound(name, _nothing) for name in ("clear", "close", "refresh", "unpause")},
    **{name: attrgetter(name) for name in ("desc", "disable", "n", "postfix", "total")},
    "write": lambda bar: Routine("write", _write),
}
_BAR: Final = host(Progress, "tqdm.std.tqdm", Progress, _METHODS, statics={"write": _write})


def _range(*bounds: Any, **named: Any) -> Progress:
    return Progress(held(python(range, *bounds)), **named)


TQDM: Final[dict[str, Any]] = {"tqdm": _BAR, "trange": Routine("trange", _range)}
