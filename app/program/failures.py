"""What an operation of a program may end in that is the program's doing, told apart from faults of ours.

What the engine refuses is an ``EngineError``. What Python refuses, and what a program raises itself, is a
``PythonError`` and at the same time of Python's own class, as the engine's are: whoever catches a ``KeyError`` catches
it. Refusals of Python's functions are told by where they were raised: by frames of libraries, or by none. What a frame
of ours below the call raised is a fault of ours.
"""

from __future__ import annotations

import builtins
import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from engine import errors, refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.program.tree import Place

Kind = TypeVar("Kind")
NAMED: Final = 64  # items of a list that a message may be about: nobody pays for a look at more


def seen_as(name: str, module: str = "") -> Callable[[type[Kind]], type[Kind]]:
    """Let messages of Python's call objects of a class of ours what they are for programs."""
    path = f"{module}.{name}" if module else name

    def mark(kind: type[Kind]) -> type[Kind]:
        kind.__name__ = name
        if "__init__" in vars(kind):
            kind.__init__.__qualname__ = f"{name}.__init__"
        if kind.__repr__ is object.__repr__:
            kind.__repr__ = lambda self: f"<{path} object at {id(self):#x}>"  # type: ignore[method-assign]
        return kind

    return mark


class PythonError(Exception):
    """What Python raises in a program; ``kind`` is its class, ``exception`` the name of that."""

    kind: type[BaseException] = Exception
    detail: str | None = None
    place: Place | None = None  # the innermost one in the program
    op: str | None = None
    hint: str | None = None  # what could be written instead, where Python and PyTorch would not have refused

    def __new__(cls, *args: Any) -> PythonError:
        if cls is not PythonError:
            maker: Any = Exception if issubclass(cls.kind, MemoryError) else cls.kind
            return maker.__new__(cls, *args)  # type: ignore[no-any-return]
        kind, detail = args
        if type(detail) is str:
            detail = outward(detail)
        error = made(kind, detail)
        error.detail = detail
        return error

    def __init__(self, *args: Any) -> None:
        """Nothing: ``made`` sees to it, where all arguments are known."""

    def __str__(self) -> str:
        return super().__str__() if self.detail is None else self.detail

    def __repr__(self) -> str:
        listed = repr(self.args) if len(self.args) != 1 else f"({self.args[0]!r})"
        return f"{self.exception}{listed}"

    @property
    def exception(self) -> str:
        """The name of its class."""
        return self.kind.__name__


@cache
def classes(kind: type[BaseException]) -> type[PythonError]:
    """The class of a program's exceptions of Python's class ``kind``."""
    return type(kind.__name__, (PythonError, kind), {"kind": kind})


def made(kind: type[BaseException], *args: Any) -> PythonError:
    """An exception of Python's class ``kind``, which may be raised in a program."""
    cls = classes(kind)  # type: ignore[arg-type]
    error = cls.__new__(cls, *args)
    kind.__init__(error, *args)
    return error


def translated(error: BaseException) -> PythonError:
    """``error``, which Python raised, as an exception of a program."""
    if isinstance(error, PythonError):
        return error
    try:
        found = made(type(error), *error.args)
    except Exception:  # some ask for arguments that this one has lost
        found = made(ValueError if isinstance(error, ValueError) else Exception, str(error))
    found.detail = _text(error)
    return found


def _text(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, RecursionError):
        return "maximum recursion depth exceeded"
    return outward(text)


def python(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of Python's own. What it raises is a ``PythonError``; what it calls back raises what it likes."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        reraise(error, given=(getattr(function, "__self__", None), *args))


def reraise(error: Exception, op: str | None = None, given: Iterable[Any] = ()) -> NoReturn:
    """Raise ``error``, just caught, as a ``PythonError`` unless a frame of ours below this one raised it.

    ``op`` is the name of what refused, if it was the engine, ``given`` the values that the message may be about.
    """
    if isinstance(error, errors.EngineError):
        error.op = error.op or op
        respoken(error, given)
        raise error
    if isinstance(error, RecursionError):
        raise translated(error) from None
    if isinstance(error, (MemoryError, PythonError)) or getattr(error, "is_outside", False) or _is_ours(error):
        raise error
    respoken(error, given)
    raise translated(error) from None


def respoken(error: Exception, given: Iterable[Any]) -> None:
    """Let the message of ``error`` be about ``given`` as ``spoken`` says it."""
    if error.args and isinstance(error.args[0], str):
        error.args = (spoken(error.args[0], given), *error.args[1:])


def spoken(text: str, given: Iterable[Any]) -> str:
    """A message about some values, with the classes that objects of programs are of for the types that they have."""
    for value in chain.from_iterable((one, *one[:NAMED]) if type(one) in (list, tuple) else (one,) for one in given):
        kind = type(value)
        if getattr(kind, "is_instance", False) and kind.__name__ in text:
            name = value.program_class.name.replace("\\", "\\\\")
            text = re.sub(rf"\b{kind.__name__}\b", name, text)
    return outward(text)


INNER: Final[dict[str, str]] = {"_Instance": "object"}
"""What types of ours are for programs, where nobody knows the class of the object."""
_PATH: Final = re.compile(r"<(class ')?(?:app|engine)\.(?:\w+\.)*(\w+)(?='>| object )")


def outward(text: str) -> str:
    """A message of Python's or the engine's without names that are ours alone, whatever value it is about."""
    for name, known in INNER.items():
        if name in text:
            text = re.sub(rf"\b{name}\b", known, text)
    return shown(text)


def shown(text: str) -> str:
    """A text of any value without the modules in which its types are here."""
    return _PATH.sub(r"<\1\2", text) if "engine." in text or "app." in text else text


_OURS: Final = ("app.", "engine.")
# Of ours, what is a library itself: what it raises is about its arguments.
_LIBRARY: Final = ("app.program.libraries.", "app.program.modules.", *refusals.LIBRARY)


def _is_ours(error: Exception) -> bool:
    """Whether a frame of ours, below the one that caught it, raised an error; those of libraries are theirs.

    A number that is too large is the program's, however far it has come.
    """
    if errors.is_of_a_number(error):
        return False
    trace = error.__traceback__
    last = None if trace is None else trace.tb_next
    if last is None:
        return False
    while last.tb_next is not None:
        last = last.tb_next
    name = str(last.tb_frame.f_globals.get("__name__"))
    return name.startswith(_OURS) and not name.startswith(_LIBRARY)


def locate(error: BaseException, place: Place) -> None:
    """Note where in the program ``error`` was raised, unless that is known from further inside."""
    if isinstance(error, errors.EngineError):
        if getattr(error, "place", None) is None:
            error.place = place  # type: ignore[attr-defined]
    elif isinstance(error, PythonError):
        if error.place is None:
            error.place = place
    elif hasattr(error, "node_index") and error.line is None and error.node_index is None:  # type: ignore[attr-defined]
        error.line, error.column = place.line, place.column  # type: ignore[attr-defined]
        error.node_id, error.node_index = place.node_id, place.node_index  # type: ignore[attr-defined]


class Closing(Exception):
    """What a generator that is closed gets, and what a program sees as ``GeneratorExit``.

    Python's own closes what a generator waits for before anybody sees it, and comes as well when one is abandoned: then
    no code of the program runs any more.
    """


# -- what programs catch --------------------------------------------------------------------------------------------
def caught(error: BaseException) -> PythonError | None:
    """``error`` as a program sees it that catches it; ``None`` for what none may catch: limits, faults of ours."""
    if isinstance(error, PythonError):
        return None if issubclass(error.kind, MemoryError) else error
    if isinstance(error, MemoryError):
        return None
    if isinstance(error, errors.EngineError):
        shown = getattr(error, "shown", None)
        if shown is None:
            shown = made(_kind(error), *[outward(one) if type(one) is str else one for one in error.args])
            shown.detail, shown.op, shown.place = outward(str(error)), error.op, getattr(error, "place", None)
            error.shown = shown  # type: ignore[attr-defined]
        found: PythonError = shown
        return found
    if isinstance(error, Closing):
        return made(GeneratorExit)
    if isinstance(error, RecursionError):
        return translated(error)
    return None


def _kind(error: errors.EngineError) -> type[BaseException]:
    """The class that PyTorch raises: Python's, where it is one of those, else the engine's of that name."""
    found = getattr(builtins, error.exception, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else type(error)


__all__ = [
    "INNER",
    "PythonError",
    "caught",
    "classes",
    "locate",
    "made",
    "outward",
    "python",
    "reraise",
    "respoken",
    "seen_as",
    "shown",
    "translated",
]
