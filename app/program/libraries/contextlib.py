"""``contextlib``: context managers of generators, and a few plain ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.program.classes import MISSING
from app.program.contexts import Guarded, leave, opened
from app.program.failures import PythonError, made, python, seen_as
from app.program.functions import Callable_
from app.program.hosts import matches
from app.program.libraries.natives import Wrapper, own
from app.program.operations import Routine
from app.program.values import add_objects, attribute


@seen_as("function")
class Making(Wrapper):
    """``@contextmanager`` around a function that yields once."""

    __slots__ = ()

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        return GeneratorContext(self.function, args, kwargs or {}, run)


@seen_as("_GeneratorContextManager", "contextlib")
class GeneratorContext(Callable_):
    """What a call of such a function gives: a context manager, or a decorator."""

    __slots__ = ("args", "function", "generator", "kwargs", "run")
    binds = False

    def __init__(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any], run: Any) -> None:
        self.function, self.args, self.kwargs, self.run = function, args, kwargs, run
        self.generator = self._started()

    def _started(self) -> Any:
        return self.function.enter(self.run, self.args, self.kwargs)

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        return python(self._around, *args, **(kwargs or {}))

    def _around(self, func: Any) -> Any:
        return Guarded(func, _Again(self))

    _around.__qualname__ = "ContextDecorator.__call__"

    def __enter__(self) -> Any:
        try:
            return next(self.generator)
        except StopIteration:
            raise made(RuntimeError, "generator didn't yield") from None

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        if value is None:
            try:
                next(self.generator)
            except StopIteration:
                return False
            raise made(RuntimeError, "generator didn't stop")
        try:
            self.generator.throw(value)
        except StopIteration as stop:
            return stop is not value
        except Exception as error:
            if error is value:
                return False
            raise
        raise made(RuntimeError, "generator didn't stop after throw()")


class _Again:
    """A context that begins anew at each call of the function it decorates."""

    __slots__ = ("_made", "_open")

    def __init__(self, made_of: GeneratorContext) -> None:
        self._made = made_of
        self._open: list[GeneratorContext] = []

    def __enter__(self) -> Any:
        one = self._made
        self._open.append(GeneratorContext(one.function, one.args, one.kwargs, one.run))
        return self._open[-1].__enter__()

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        found = value if isinstance(value, PythonError) else None
        return leave(self._open.pop(), found, value)


@seen_as("suppress", "contextlib")
class Suppress:
    """``suppress``."""

    __slots__ = ("kinds",)

    def __init__(self, *kinds: Any) -> None:
        self.kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        return value is not None and matches(value, self.kinds)


@seen_as("nullcontext", "contextlib")
class Null:
    """``nullcontext``."""

    __slots__ = ("value",)

    def __init__(self, enter_result: Any = None) -> None:
        self.value = enter_result

    def __enter__(self) -> Any:
        return self.value

    def __exit__(self, *error: Any) -> None:
        return None


@seen_as("closing", "contextlib")
class Closing(Null):
    """``closing``."""

    __slots__ = ()

    def __init__(self, thing: Any) -> None:
        super().__init__(thing)

    def __exit__(self, *error: Any) -> None:
        attribute(self.value, "close")()


@seen_as("ExitStack", "contextlib")
class Stack:
    """``ExitStack``."""

    __slots__ = ("entered",)

    def __init__(self) -> None:
        self.entered: list[Any] = []

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        found = value
        while self.entered:
            one = self.entered.pop()
            if isinstance(one, tuple):
                function, args, kwargs = one
                function(*args, **kwargs)
            elif leave(one, found, found):
                found = None
        return value is not None and found is None

    def program_attribute(self, name: str) -> Any:
        """An attribute for programs."""
        found: Any = {"enter_context": self._enter_context, "callback": self._callback, "close": self._close}.get(name)
        return MISSING if found is None else Routine(name, found, owner=self)

    def _enter_context(self, manager: Any) -> Any:
        one, value = opened(manager)
        self.entered.append(one)
        return value

    def _callback(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.entered.append((function, args, kwargs))
        return function

    def _close(self) -> None:
        self.__exit__(None, None, None)


def _contextmanager(function: Any) -> Any:
    if not isinstance(function, Callable_):
        raise PythonError(TypeError, "contextmanager() takes a function")
    return Making(function)


add_objects(Making, own)
add_objects(Stack, own)
for _kind in (GeneratorContext, Suppress, Null, Closing):
    add_objects(_kind, lambda value, name: MISSING)
CONTEXTLIB: Final[dict[str, object]] = {
    "contextmanager": Routine("contextmanager", _contextmanager), "suppress": Routine("suppress", Suppress),
    "nullcontext": Routine("nullcontext", Null), "closing": Routine("closing", Closing),
    "ExitStack": Routine("ExitStack", Stack),
}  # fmt: skip
