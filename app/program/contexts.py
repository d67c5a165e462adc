"""Context managers: the engine's modes, objects of programs, and those of libraries; as blocks and around functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.program.classes import HostType
from app.program.failures import PythonError, python
from app.program.functions import Callable_
from app.program.hosts import class_of
from app.program.instances import Special
from app.program.operations import type_name
from app.program.values import add_objects, find_attribute
from engine import Tensor


def is_manager(value: Any) -> bool:
    """Whether a value may stand in a ``with``."""
    if isinstance(value, Special):
        return value._special("__enter__") is not None and value._special("__exit__") is not None
    kind = type(value)
    ours = kind.__module__.startswith(("engine.", "app.program."))
    return ours and hasattr(kind, "__enter__") and hasattr(kind, "__exit__") and not isinstance(value, (Tensor, type))


def opened(value: Any) -> tuple[Any, Any]:
    """A manager and what entering it gives."""
    if not is_manager(value):
        raise PythonError(TypeError, f"'{type_name(value)}' object does not support the context manager protocol")
    if isinstance(value, Special):
        return value, python(value._special("__enter__"))
    return value, python(value.__enter__)


def leave(manager: Any, found: PythonError | None, error: BaseException | None) -> bool:
    """Leave a block, whose exception is ``found`` for the program: whether the manager took it upon itself.

    Where ``error`` is none that programs may see, no code of the program runs any more.
    """
    if isinstance(manager, Special):
        if error is not None and found is None:
            return False
        arguments = (None, None, None) if found is None else (class_of(found), found, None)
        return bool(python(bool, python(manager._special("__exit__"), *arguments)))
    if found is not None and type(manager).__module__.startswith("app.program."):
        return bool(manager.__exit__(class_of(found), found, None))
    if error is not None and type(manager).__module__.startswith("engine."):
        return bool(manager.__exit__(type(error), error, None))
    return error is None and bool(manager.__exit__(None, None, None)) and False


class Guarded(Callable_):
    """A function that runs within a context manager of the engine each time: ``@torch.no_grad()``."""

    __slots__ = ("context", "function")

    def __init__(self, function: Any, context: Any) -> None:
        self.function, self.context = function, context

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        with self.context:
            return self.function.enter(run, args, kwargs)

    @property
    def attributes(self) -> Any:
        """Those of the function."""
        return getattr(self.function, "attributes", {})

    @property
    def name(self) -> Any:
        """That of the function."""
        return getattr(self.function, "name", "function")

    qualname = name

    def __repr__(self) -> str:
        return repr(self.function)


add_objects(Guarded, lambda value, name: find_attribute(value.function, name))


def guarded(context: Any, args: Sequence[Any]) -> Guarded | None:
    """What a context manager of the engine makes of a function that it decorates, or ``None``: it is no such call."""
    if len(args) != 1 or not isinstance(args[0], Callable_) or isinstance(args[0], HostType):
        return None
    if not type(context).__module__.startswith("engine.") or callable(context) or not is_manager(context):
        return None
    return Guarded(args[0], context)
