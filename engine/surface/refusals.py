"""Calls with arguments that may be anything, as they come from programs that others wrote.

Ops raise an ``EngineError`` where they look at an argument. They do not look at all of them, for most calls are right
and a look costs time: so a wrong one may come as far as an operation of Python's or NumPy's, which raises something of
its own. Only then are the arguments held against the signature, and what is wrong with them is said. An exception that
the arguments do not explain is a fault of the engine and stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MethodType
from typing import Any, NoReturn

from engine.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    AssertedError,
    DimensionError,
    DivisionError,
    EngineError,
    MissingAttributeError,
    MissingKeyError,
    OpError,
    TooLargeError,
    UnexpectedArgumentError,
    UnsupportedError,
    is_of_a_number,
)
from engine.op.declare import Composite
from engine.op.primitive import InPlace
from engine.op.signature import Signature, shown_name
from engine.tensor import Tensor

LIBRARY = ("engine.data.", "engine.nn.", "engine.optim.")  # plain Python: what it raises is about its arguments
_KINDS: dict[type[Exception], type[EngineError]] = {
    NotImplementedError: UnsupportedError, RuntimeError: OpError, AttributeError: MissingAttributeError,
    AssertionError: AssertedError, IndexError: DimensionError, KeyError: MissingKeyError, OverflowError: TooLargeError,
    ZeroDivisionError: DivisionError, TypeError: ArgumentTypeError, ValueError: ArgumentValueError, Exception: OpError,
}  # fmt: skip
ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError)


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name: str) -> Any:
    """``function(*args, **kwargs)``; ``name`` is what a program calls it."""
    try:
        return function(*args, **kwargs)
    except ERRORS as error:
        fail(error, function, args, kwargs, name)


def fail(
    error: Exception, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name: str
) -> NoReturn:
    """Raise what a call that ended in ``error`` is to answer: with the name of the op, if the caller is to blame."""
    try:
        if not isinstance(error, (EngineError, RecursionError)):
            if not _is_library(function):
                _refuse(function, args, kwargs, name)
            _refuse_itself(error)
        raise error
    except EngineError as refusal:
        refusal.op = refusal.op or name
        raise refusal from (error.__cause__ if refusal is error else error)


def _refuse(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name: str) -> None:
    """Raise what is wrong with the arguments, if anything is."""
    while isinstance(function, partial):
        args, kwargs, function = (*function.args, *args), {**function.keywords, **kwargs}, function.func
    signature = signature_of(function, shown_name(name))
    signature.refuse(tuple(args), {key: value for key, value in kwargs.items() if key != "self"})
    if isinstance(function, InPlace) and args and not isinstance(args[0], Tensor):
        raise signature.params[0].reject(signature.name, "Tensor", args[0])  # out of place it may be a number
    if "self" in kwargs:
        raise UnexpectedArgumentError(signature.name, "self")


def _is_library(function: Any) -> bool:
    """Whether this is a class of the library, one of its objects, or a method of one: what Python says fits then."""
    owner = getattr(function, "__self__", function)
    kind = owner if isinstance(owner, type) else type(owner)
    rooms = [one.__module__ for one in kind.__mro__] + [str(getattr(function, "__module__", ""))]
    return any(room.startswith(LIBRARY) for room in rooms)


def _refuse_itself(error: Exception) -> None:
    """What the very call raised, before any code of the function ran, is about its arguments; so are huge numbers."""
    trace = error.__traceback__
    if is_of_a_number(error):
        raise (TooLargeError if isinstance(error, OverflowError) else ArgumentValueError)(str(error))
    if isinstance(error, AttributeError) and trace is not None and trace.tb_next is None:
        raise MissingAttributeError(str(error))
    if isinstance(error, TypeError | ValueError) and trace is not None and trace.tb_next is None:
        raise (ArgumentValueError if isinstance(error, ValueError) else ArgumentTypeError)(str(error))
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(LIBRARY):
        raise next(kind for builtin, kind in _KINDS.items() if isinstance(error, builtin))(*error.args)


def signature_of(function: Callable[..., Any], name: str) -> Signature:
    """The signature of an op, of its in-place variant, or of a plain function."""
    if isinstance(function, InPlace):
        return function.op.inplace_signature
    signature = getattr(function, "signature", None)
    if isinstance(signature, Signature):
        return signature
    if isinstance(function, MethodType):
        return _of_method(function, name)
    return Signature(function, name or getattr(function, "__name__", ""))


def _of_method(method: MethodType, name: str) -> Signature:
    """A composite's in-place variant takes what the composite takes."""
    op = method.__self__
    if isinstance(op, Composite) and method.__name__ == "inplace":
        return Signature(op.function, f"{op.signature.name}_")
    return Signature(method, name or method.__name__)
