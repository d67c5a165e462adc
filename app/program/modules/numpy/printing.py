"""How arrays print, and what floating-point exceptions do: NumPy's settings, kept for the session.

NumPy has them for a context. ``in_force`` makes those of the session hold while a program runs, and nothing of what a
program sets outlives it there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app.program.arrays import ITEM_BYTES, Work, reserve
from app.program.builtins import Routine
from app.program.costs import text_length
from app.program.failures import PythonError, python
from app.program.modules.numpy.arguments import plain
from engine import modes

if TYPE_CHECKING:
    from collections.abc import Iterator

PRINTED: Final = "numpy.printing"
ERRORS: Final = "numpy.errors"
_OPTIONS: Final = (
    "edgeitems",
    "floatmode",
    "infstr",
    "linewidth",
    "nanstr",
    "precision",
    "sign",
    "suppress",
    "threshold",
)
KINDS: Final = ("divide", "over", "under", "invalid")
_ACTIONS: Final = ("ignore", "warn", "raise", "print")
_DIGITS: Final = 1100  # more than any number has


@contextmanager
def in_force() -> Iterator[None]:
    """Let arrays print as the session's programs have set it."""
    with np.printoptions(**modes.current().modules.get(PRINTED, {})):
        yield


def options(given: dict[str, Any]) -> dict[str, Any]:
    """Print options, checked."""
    for name, value in given.items():
        if name not in _OPTIONS:
            raise PythonError(TypeError, f"set_printoptions() got an unexpected keyword argument '{name}'")
        if name == "precision" and isinstance(value, int) and value > _DIGITS:
            raise PythonError(ValueError, "precision is too large")
    return {name: plain(value) for name, value in given.items()}


def _set(
    precision: Any = None, threshold: Any = None, edgeitems: Any = None, linewidth: Any = None, **more: Any
) -> None:
    named = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth} | more
    given = options({name: value for name, value in named.items() if value is not None})
    python(np.set_printoptions, **given)
    kept = modes.current().modules
    kept[PRINTED] = kept.get(PRINTED, {}) | given


def _get() -> dict[str, Any]:
    found: Any = np.get_printoptions()
    return {name: found[name] for name in sorted(found) if name in _OPTIONS}


class Printing:
    """``numpy.printoptions(...)``: other options within a block."""

    __slots__ = ("_context", "_outer", "given")

    def __init__(self, **given: Any) -> None:
        self.given = options(given)

    def __enter__(self) -> dict[str, Any]:
        self._context = np.printoptions(**self.given)
        python(self._context.__enter__)
        kept = modes.current().modules
        self._outer = kept.get(PRINTED, {})
        kept[PRINTED] = self._outer | self.given
        return _get()

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)
        modes.current().modules[PRINTED] = self._outer


# -- texts --------------------------------------------------------------------------------------------------------
def _text(function: Any) -> Any:
    def call(a: Any, *args: Any, **kwargs: Any) -> str:
        if not isinstance(a, np.ndarray):
            raise PythonError(TypeError, "expected an array")
        named = options({name: value for name, value in kwargs.items() if name in _OPTIONS})
        rest = {name: plain(value) for name, value in kwargs.items() if name in ("separator", "prefix", "suffix")}
        if len(named) + len(rest) < len(kwargs):
            raise PythonError(TypeError, "got an unexpected keyword argument")
        with np.printoptions(**{name: one for name, one in named.items() if one is not None}):
            count = text_length(a) + a.size * sum(len(str(one)) for one in rest.values())
            reserve(Work(1, ITEM_BYTES * count, 64.0 * count))
            return str(python(function, a, **rest))

    return call


# -- floating-point exceptions ------------------------------------------------------------------------------------
def _errors(**given: Any) -> dict[str, str]:
    """What each exception does now."""
    kept = modes.current().modules.get(ERRORS) or dict.fromkeys(KINDS, "warn")
    for name, action in given.items():
        if action is None:
            continue
        if name not in (*KINDS, "all"):
            raise PythonError(TypeError, f"seterr() got an unexpected keyword argument '{name}'")
        if action not in _ACTIONS:
            raise PythonError(ValueError, "error handling takes 'ignore', 'warn' or 'raise' here")
    every = given.pop("all", None)
    asked = dict.fromkeys(KINDS, every) if every else {}
    return kept | {name: one.replace("print", "warn") for name, one in (asked | given).items() if one}


def _set_errors(all: Any = None, **given: Any) -> dict[str, str]:
    before = _errors()
    modes.current().modules[ERRORS] = _errors(all=all, **given)
    return before


class Errors:
    """``numpy.errstate(...)``: other actions within a block."""

    __slots__ = ("_outer", "given")

    def __init__(self, **given: Any) -> None:
        self.given = _errors(**given)

    def __enter__(self) -> None:
        kept = modes.current().modules
        self._outer = kept.get(ERRORS)
        kept[ERRORS] = self.given

    def __exit__(self, *error: object) -> None:
        modes.current().modules[ERRORS] = self._outer


PRINTING: Final[dict[str, Any]] = {
    "array2string": Routine("array2string", _text(np.array2string)),
    "array_repr": Routine("array_repr", _text(np.array_repr)), "array_str": Routine("array_str", _text(np.array_str)),
    "errstate": Routine("errstate", Errors), "get_printoptions": Routine("get_printoptions", _get),
    "geterr": Routine("geterr", _errors), "printoptions": Routine("printoptions", Printing),
    "set_printoptions": Routine("set_printoptions", _set), "seterr": Routine("seterr", _set_errors),
}  # fmt: skip
