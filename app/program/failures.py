"""What an operation of a program may end in that is the program's doing, told apart from faults of ours.

What the engine refuses is an ``EngineError``. What Python refuses is told by where it was raised: its own functions
have no frames, so an exception that comes straight out of the call is Python's, and one that comes from deeper is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from engine import errors


class PythonError(Exception):
    """What Python raises in a program; ``kind`` is its class, ``exception`` the name of that."""

    def __init__(self, kind: type[Exception], detail: str) -> None:
        super().__init__(detail)
        self.kind = kind

    @property
    def exception(self) -> str:
        return self.kind.__name__


def python(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of Python's own. What it raises is a ``PythonError``; what it calls back raises what it likes."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        reraise(error)


def reraise(error: Exception, op: str | None = None) -> NoReturn:
    """Raise ``error``, just caught, as a ``PythonError`` if it was raised in the very frame that caught it.

    ``op`` is the name of what refused, if it was the engine.
    """
    if isinstance(error, errors.EngineError):
        error.op = error.op or op
    trace = error.__traceback__
    if isinstance(error, (MemoryError, PythonError, RecursionError)) or (
        trace is not None and trace.tb_next is not None
    ):
        raise error
    raise PythonError(type(error), str(error)) from None
