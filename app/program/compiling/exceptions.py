"""``try``, ``raise`` and ``assert``. What no program may catch passes by, and none of its code runs then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.program import tree
from app.program.compiling.blocks import STATEMENTS, Executor, block
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import condition, expression, store
from app.program.compiling.targets import delete
from app.program.failures import PythonError, caught, locate, made, translated
from app.program.functions import UNBOUND, Frame, Signal
from app.program.hosts import matches
from app.program.values import raised
from engine import errors


def of_iteration(error: Exception) -> Exception:
    """``error``, which an iterator raised, as a program's where it was Python's own."""
    trace = error.__traceback__
    if isinstance(error, (PythonError, errors.EngineError, MemoryError)) or (
        trace is not None and trace.tb_next is not None and not isinstance(error, RecursionError)
    ):
        return error
    return translated(error)


def seen(error: BaseException) -> PythonError | None:
    """What a program sees of an error."""
    found = caught(error)
    if found is not None:
        found.__traceback__ = found.__context__ = None
    return found


class Handling:
    """A frame in which an exception is being handled, until its end."""

    __slots__ = ("_count", "_found", "_run")

    def __init__(self, frame: Frame, found: PythonError) -> None:
        self._run, self._found = frame[0], found

    def __enter__(self) -> None:
        self._count = len(self._run.handled)
        self._run.handled.append(self._found)

    def __exit__(self, *_: object) -> None:
        del self._run.handled[self._count :]


class Handlers:
    """The ``except`` clauses of a ``try``: which of them takes an exception, and what binds its name."""

    def __init__(self, env: Environment, node: tree.Try, block: Callable[[Environment, Any], Any]) -> None:
        self.clauses = [
            (
                None if one.kind is None else expression(env, one.kind), one.place,
                None if one.name is None else store(env, one.name),
                None if one.name is None else _forget(env, one.name), block(env, one.body),
            )
            for one in node.handlers
        ]  # fmt: skip

    def find(self, frame: Frame, found: PythonError) -> Any:
        """The clause that takes ``found``, or ``None``."""
        for kind, place, bind, forget, body in self.clauses:
            try:
                if kind is None or matches(found, kind(frame)):
                    return bind, forget, body
            except Exception as error:
                locate(error, place)
                raise
        return None


def _forget(env: Environment, name: str) -> Callable[[Frame], None]:
    drop = delete(env, tree.Name(name))
    kind, place = env.place(name)

    def forget(frame: Frame) -> None:
        if kind == "slot":
            frame[place] = UNBOUND
        elif kind == "cell":
            frame[place].value = UNBOUND
        elif kind == "class":
            frame[1].pop(name, None)
        elif name in frame[0].namespace:
            drop(frame)

    return forget


def try_(env: Environment, node: tree.Try) -> Executor:
    """``try`` with its clauses."""
    body, otherwise = block(env, node.body), block(env, node.otherwise)
    handlers = Handlers(env, node, block)

    def guarded(frame: Frame) -> Signal:
        try:
            signal = body(frame)
        except BaseException as error:
            found = seen(error)
            clause = None if found is None else handlers.find(frame, found)
            if clause is None or found is None:
                raise
        else:
            return otherwise(frame) if signal is None else signal
        bind, forget, handle = clause
        with Handling(frame, found):
            if bind is None:
                return handle(frame)
            bind(frame, found)
            try:
                return handle(frame)
            finally:
                forget(frame)

    inner = guarded if node.handlers else body
    if not node.final:
        return inner
    final = block(env, node.final)

    def with_final(frame: Frame) -> Signal:
        try:
            signal = inner(frame)
        except BaseException as error:
            found = seen(error)
            if found is None:
                raise
            with Handling(frame, found):
                signal = final(frame)
            if signal is None:
                raise
            return signal
        last = final(frame)
        return signal if last is None else last

    return with_final


def raise_(env: Environment, node: tree.Raise) -> Executor:
    """``raise``, again or anew."""
    error = None if node.error is None else expression(env, node.error)
    cause = None if node.cause is None else expression(env, node.cause)
    place = node.place

    def run(frame: Frame) -> Signal:
        try:
            raise _raised(frame, error, cause)
        except Exception as problem:
            locate(problem, place)
            raise

    return run


def _raised(frame: Frame, error: Any, cause: Any) -> BaseException:
    handled = frame[0].handled
    if error is None:
        if not handled:
            return made(RuntimeError, "No active exception to reraise")
        return handled[-1]  # type: ignore[no-any-return]
    given, reason = error(frame), None if cause is None else cause(frame)
    found = raised(given)
    if cause is not None:
        if reason is not None:
            reason = raised(reason)
        found.shown_cause = reason  # type: ignore[attr-defined]
    if handled and handled[-1] is not found:
        found.shown_context = handled[-1]  # type: ignore[attr-defined]
    return found


def assert_(env: Environment, node: tree.Assert) -> Executor:
    """``assert``."""
    test = condition(env, node.test)
    message = None if node.message is None else expression(env, node.message)
    place = node.place

    def run(frame: Frame) -> Signal:
        try:
            if not test(frame):
                raise made(AssertionError) if message is None else made(AssertionError, message(frame))
        except Exception as error:
            locate(error, place)
            raise

    return run


STATEMENTS.update({tree.Try: try_, tree.Raise: raise_, tree.Assert: assert_})
