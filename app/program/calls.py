"""Calls of whatever programs hold: their own functions, Python's, the engine's."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from app.program import pytorch, runtime
from app.program.builtins import FUNCTIONS, PYTHON_TYPES
from app.program.classes import HostType
from app.program.contexts import guarded
from app.program.costs import bounded
from app.program.failures import PythonError, python, respoken
from app.program.formatting import text_of
from app.program.functions import Callable_
from app.program.hosts import adopted, open_class
from app.program.instances import Special
from app.program.modules.calls import PRINTING
from app.program.names import path_of
from app.program.operations import ENGINE_CALL, Routine, type_name
from engine import Tensor, dtypes, errors, refusals, registry, tape

PLAIN: Final = frozenset({Tensor, bool, complex, float, int, type(None), str})  # what the engine takes as it is
_DTYPES: Final = {FUNCTIONS[name]: dtypes.python_type(FUNCTIONS[name].type()) for name in PYTHON_TYPES}
_OURS: Final = "app.program."


def adapted(value: Any) -> Any:
    """An argument as the engine takes it: Python's types as dtypes, its own functions and classes as they are."""
    if type(value) in PLAIN:
        return value
    if type(value) is Routine:
        return value.function if value.engine else value
    if type(value) is HostType:
        return _DTYPES.get(value) or (value.type if value.engine or open_class(value.type) else value)
    return bounded(value)


def engine_call(routine: Routine, args: Any, kwargs: dict[str, Any]) -> Any:
    """Call a function of the engine. Raises ``NotAvailable`` for an argument that PyTorch takes and it does not."""
    args = [one if type(one) in PLAIN else adapted(one) for one in args]
    if kwargs:
        kwargs = {name: adapted(value) for name, value in kwargs.items()}
    try:
        result = routine.function(*args, **kwargs)
    except refusals.ERRORS as error:
        if isinstance(error, PythonError):
            raise
        _fail(error, routine, args, kwargs)
    return result if type(result) in PLAIN else adopted(result, routine.name)


def _fail(error: Exception, routine: Routine, args: Any, kwargs: dict[str, Any]) -> NoReturn:
    try:
        refusals.fail(error, routine.function, args, kwargs, path_of(routine))
    except errors.EngineError as refusal:
        if isinstance(refusal, errors.UnexpectedArgumentError):
            pytorch.refuse_argument(_path_of(routine) or refusal.op or "", refusal.argument)
        respoken(refusal, (*args, *kwargs.values()))
        if isinstance(refusal, errors.ArgumentTypeError):
            text = str(refusal)
            if isinstance(routine.function, type) and text.startswith("__init__()"):
                refusal.args = (f"{routine.function.__name__}.{text}",)
        raise


def _path_of(routine: Routine) -> str | None:
    """The name of a class of the engine that was called, among PyTorch's."""
    if not isinstance(routine.function, type):
        return None
    return next((path for path, one in registry.functions() if one is routine.function), None)


ENGINE_CALL.append(engine_call)


def call(run: runtime.Run, function: Any, args: Any, kwargs: dict[str, Any] | None = None) -> Any:
    """``function(*args, **kwargs)``. Raises ``TypeError`` in Python's words for what cannot be called."""
    if isinstance(function, Callable_):
        return function.enter(run, args, kwargs)
    if isinstance(function, Special):
        return python(function, *args, **(kwargs or {}))
    if callable(function) and not isinstance(function, type):
        module = type(function).__module__
        if module.startswith(_OURS):
            return python(function, *args, **(kwargs or {}))
        if any(open_class(kind) for kind in type(function).__mro__):
            return engine_call(Routine(type_name(function), function, engine=True), args, kwargs or {})
    if isinstance(function, tape.Node):
        return engine_call(Routine(str(function.name()), function, engine=True), args, kwargs or {})
    around = guarded(function, args)
    if around is not None:
        return around
    raise PythonError(TypeError, f"'{type_name(function)}' object is not callable")


# -- print ------------------------------------------------------------------------------------------------------------
def print_(*values: Any, sep: Any = None, end: Any = None, file: Any = None, flush: Any = False, **others: Any) -> None:
    """``print``: one text a call."""
    if others:
        raise PythonError(TypeError, f"'{next(iter(others))}' is an invalid keyword argument for print()")
    for name, given in (("sep", sep), ("end", end)):
        if given is not None and not isinstance(given, str):
            raise PythonError(TypeError, f"{name} must be None or a string, not {type_name(given)}")
    if file is not None:
        raise PythonError(TypeError, "print() writes to the answer here: there is no file")
    run = runtime.current()
    parts = []
    for value in values:
        text = str(value) if isinstance(value, Tensor) else text_of(value)
        run.count(len(text))
        parts.append(text)
    run.write(parts, " " if sep is None else sep, "\n" if end is None else end)


PRINT: Final = Routine("print", print_)
PRINTING.append(print_)
