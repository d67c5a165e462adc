"""Functions of programs as values: called by programs, and by Python's functions and the engine, as any callable.

A ``Compiled`` is what a definition means, made once for a text; a ``Function`` is that with default values and the
cells of the functions around it. A frame is a list: the run, the parameters, the cells taken from outside, the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Generator as Steps
from typing import TYPE_CHECKING, Any, Final, NoReturn

from app.program import runtime
from app.program.failures import Closing, PythonError, locate, made, seen_as
from app.program.runtime import DEPTH
from engine import modes

if TYPE_CHECKING:
    from app.program.runtime import Run
    from app.program.tree import Code, Parameters, Place

Frame = list[Any]
Signal = Any  # of a statement: None, BREAK, CONTINUE, or a tuple with what is returned
Step = Callable[[Frame], Any]


DEEP_COPY: Final[list[Callable[[Any, Any], Any]]] = []  # how values are copied: see ``app.program.modules.copy``


class _Unbound:
    """What stands in a frame for a name that has no value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<unbound>"


UNBOUND: Final = _Unbound()


class Cell:
    """A variable that several functions share."""

    __slots__ = ("__weakref__", "value")

    def __init__(self, value: Any = UNBOUND) -> None:
        self.value = value

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        value = self.value
        return lambda: setattr(self, "value", value)


class Source:
    """The text of a program, and what its definitions mean, by their number in it."""

    __slots__ = ("__weakref__", "compiled", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.compiled: dict[int, Compiled] = {}


class Compiled:
    """A definition, ready to be called."""

    __slots__ = (
        "bare", "blank", "captured", "code", "expression", "fresh", "generate", "has_cells", "place", "simple",
        "source", "steps", "takes",
    )  # fmt: skip

    def __init__(self, code: Code, source: Source) -> None:
        self.code, self.source = code, source
        parameters = code.parameters
        is_plain = not (parameters.keyword_only or parameters.rest or parameters.keywords)
        self.simple = len(parameters.positional_only) + len(parameters.plain) if is_plain else -1
        self.blank: Frame = []  # the places after the parameters and cells
        self.captured: tuple[int, ...] = ()  # the places of parameters that functions inside take
        self.has_cells = False
        self.fresh: tuple[int, ...] = ()  # the places of other names that they take
        self.takes = 0  # how many cells
        self.bare: Step | None = None  # that expression, where a frame is the run and the arguments alone
        self.expression: Step | None = None  # of a function that ends with one, and returns nowhere else,
        self.place: Place | None = None  # and where that stands
        self.steps: Step | None = None
        self.generate: Callable[[Frame], Steps[Any, Any, Any]] | None = None
        source.compiled[code.index] = self

    def make_cells(self, frame: Frame) -> None:
        """Put cells where functions inside share a variable."""
        for place in self.captured:
            frame[place] = Cell(frame[place])
        for place in self.fresh:
            frame[place] = Cell()


class Callable_:
    """What programs may call and Python's functions may be given; as an attribute of a class it is a method."""

    __slots__ = ()
    binds = True

    @property
    def __name__(self) -> str:
        """What the engine calls it in its texts."""
        return str(getattr(self, "name", type(self).__name__)).rpartition(".")[2]

    def enter(self, run: Run, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        """Call it."""
        raise NotImplementedError

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.enter(runtime.current(), args, kwargs)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self


@seen_as("function")
class Function(Callable_):
    """A function of a program."""

    __slots__ = (
        "__weakref__", "attributes", "cells", "compiled", "defaults", "doc", "keyword_defaults", "name", "qualname",
    )  # fmt: skip

    def __init__(
        self, compiled: Compiled, defaults: tuple[Any, ...] = (), keyword_defaults: dict[str, Any] | None = None,
        cells: tuple[Cell, ...] = (),
    ) -> None:  # fmt: skip
        code = compiled.code
        self.compiled, self.defaults, self.keyword_defaults, self.cells = compiled, defaults, keyword_defaults, cells
        self.name, self.qualname, self.doc = code.name, code.qualname, code.doc
        self.attributes: dict[str, Any] = {}

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        names = ("name", "qualname", "doc")
        before, attributes = [getattr(self, name) for name in names], dict(self.attributes)

        def restore() -> None:
            for name, value in zip(names, before, strict=True):
                setattr(self, name, value)
            self.attributes = attributes

        return restore

    def enter(self, run: Run, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        if kwargs or len(args) != self.compiled.simple:
            args = bind(self, args, kwargs or {})
        return self.begin(run, [run, *args])

    def begin(self, run: Run, frame: Frame) -> Any:
        """Call it, with a frame that has the run and its arguments."""
        compiled = self.compiled
        if self.cells:
            frame += self.cells
        if compiled.blank:
            frame += compiled.blank
        if compiled.has_cells:
            compiled.make_cells(frame)
        run.left -= 1
        if run.left < 0:
            run.refill()
        steps, depth = compiled.steps, run.depth
        if steps is None and compiled.generate is not None:
            return Generator(self, compiled.generate, frame)
        if depth >= DEPTH:
            run.overflow()
        run.depth = depth + 1
        try:
            if steps is None:
                return compiled.expression(frame)  # type: ignore[misc]
            signal = steps(frame)
            return None if signal is None else signal[0]
        except Exception as error:
            self.locate(error)
            raise
        finally:
            run.depth = depth

    def locate(self, error: Exception) -> None:
        """Note where ``error`` came up in a function that ends with an expression."""
        if self.compiled.place is not None:
            locate(error, self.compiled.place)
        if isinstance(error, RecursionError) and not isinstance(error, PythonError):
            raise made(RecursionError, "maximum recursion depth exceeded") from None

    def __repr__(self) -> str:
        return f"<function {self.qualname} at {id(self):#x}>"


@seen_as("method")
class BoundMethod(Callable_):
    """A function with the value that its first parameter gets."""

    __slots__ = ("function", "owner")
    binds = False

    def __init__(self, function: Any, owner: Any) -> None:
        self.function, self.owner = function, owner

    def enter(self, run: Run, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        return self.function.enter(run, (self.owner, *args), kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and (self.function, id(self.owner)) == (other.function, id(other.owner))

    def __hash__(self) -> int:
        return hash((self.function, id(self.owner)))

    def __deepcopy__(self, memo: Any) -> Any:
        return BoundMethod(self.function, DEEP_COPY[0](self.owner, memo))

    def __repr__(self) -> str:
        name = getattr(self.function, "qualname", None) or getattr(self.function, "name", "?")
        return f"<bound method {name} of {self.owner!r}>"


# -- arguments ------------------------------------------------------------------------------------------------------
def bind(function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Arguments by the places of a function's parameters. Raises ``TypeError`` in Python's words."""
    parameters = function.compiled.code.parameters
    names = parameters.positional_only + parameters.plain
    values: list[Any] = list(args[: len(names)])
    if len(args) > len(names) and parameters.rest is None:
        raise _too_many(function, parameters, len(args), kwargs)
    values += [UNBOUND] * (len(names) - len(values) + len(parameters.keyword_only))
    extra = _named(function, parameters, values, len(args), kwargs) if kwargs else {}
    _fill(function, parameters, values)
    if parameters.rest is not None:
        values.append(tuple(args[len(names) :]))
    if parameters.keywords is not None:
        values.append(extra)
    return values


def _named(
    function: Function, parameters: Parameters, values: list[Any], given: int, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Put arguments that have names into their places; the rest is returned."""
    places = {name: place for place, name in enumerate(parameters.names[: len(values)])}
    hidden = len(parameters.positional_only)
    extra: dict[str, Any] = {}
    for name, value in kwargs.items():
        place = places.get(name, -1)
        if place < hidden:
            extra[name] = value
        elif values[place] is not UNBOUND:
            raise PythonError(TypeError, f"{function.qualname}() got multiple values for argument '{name}'")
        else:
            values[place] = value
    if extra and parameters.keywords is None:
        wrong = [name for name in extra if name in parameters.positional_only]
        if wrong:
            raise PythonError(
                TypeError,
                f"{function.qualname}() got some positional-only arguments passed as keyword arguments: "
                f"'{', '.join(wrong)}'",
            )
        raise PythonError(TypeError, f"{function.qualname}() got an unexpected keyword argument '{next(iter(extra))}'")
    return extra


def _fill(function: Function, parameters: Parameters, values: list[Any]) -> None:
    """Put the values that parameters have by default where nothing was given."""
    names = parameters.names
    count = len(parameters.positional_only) + len(parameters.plain)
    defaults = function.defaults
    for place in range(count - len(defaults), count):
        if values[place] is UNBOUND:
            values[place] = defaults[place - count]
    missing = [names[place] for place in range(count) if values[place] is UNBOUND]
    if missing:
        raise _missing(function, missing, "positional")
    for place in range(count, len(values)):
        if values[place] is UNBOUND:
            values[place] = (function.keyword_defaults or {}).get(names[place], UNBOUND)
    missing = [names[place] for place in range(count, len(values)) if values[place] is UNBOUND]
    if missing:
        raise _missing(function, missing, "keyword-only")


def _missing(function: Function, names: list[str], kind: str) -> PythonError:
    quoted = [repr(name) for name in names]
    listed = quoted[0]
    if len(quoted) > 1:
        listed = f"{', '.join(quoted[:-1])}{',' * (len(quoted) > 2)} and {quoted[-1]}"
    many = "s" * (len(names) > 1)
    return PythonError(
        TypeError, f"{function.qualname}() missing {len(names)} required {kind} argument{many}: {listed}"
    )


def _too_many(function: Function, parameters: Parameters, count: int, kwargs: dict[str, Any]) -> PythonError:
    most = len(parameters.positional_only) + len(parameters.plain)
    least = most - len(function.defaults)
    takes = f"{most} positional argument{'s' * (most != 1)}"
    if least != most:
        takes = f"from {least} to {most} positional arguments"
    named = sum(name in parameters.keyword_only for name in kwargs)
    if named:
        what = f"positional argument{'s' * (count != 1)} (and {named} keyword-only argument{'s' * (named != 1)})"
        return PythonError(TypeError, f"{function.qualname}() takes {takes} but {count} {what} were given")
    return PythonError(
        TypeError, f"{function.qualname}() takes {takes} but {count} {'was' if count == 1 else 'were'} given"
    )


# -- generators -----------------------------------------------------------------------------------------------------
@seen_as("generator")
class Generator:
    """What a call of a function with ``yield`` gives."""

    __slots__ = ("__weakref__", "_run", "_send", "_steps", "function")

    def __init__(self, function: Function, generate: Callable[[Frame], Steps[Any, Any, Any]], frame: Frame) -> None:
        self.function, self._run = function, frame[0]
        steps: Any = generate(frame)
        self._steps = steps
        self._send = steps.send

    def __iter__(self) -> Generator:
        return self

    def __next__(self) -> Any:
        run = self._run
        run.left -= 1
        if run.left < 0:
            run.refill()
        depth = run.depth
        run.enter()
        try:
            return self._send(None)
        except Exception as error:
            self._refuse(error)
        finally:
            run.depth = depth

    def send(self, value: Any, /) -> Any:
        """Go on, with ``value`` as that of the ``yield``."""
        return self._resume(self._steps.send, value)

    def throw(self, error: BaseException, /) -> Any:
        """Go on by raising ``error`` where the generator waits."""
        return self._resume(self._steps.throw, error)

    def close(self) -> None:
        """End it where it waits."""
        if self._steps.gi_frame is None or self._steps.gi_frame.f_lasti < 0:
            self._steps.close()  # over, or not begun: there is nothing to tell
            return
        try:
            self._resume(self._steps.throw, Closing())
        except (Closing, StopIteration):
            return
        except PythonError as error:
            if issubclass(error.kind, GeneratorExit):
                return
            raise
        raise made(RuntimeError, "generator ignored GeneratorExit")

    def _resume(self, step: Callable[..., Any], *args: Any) -> Any:
        run = self._run
        run.tick()
        depth = run.depth
        run.enter()
        try:
            return step(*args)
        except Exception as error:
            self._refuse(error)
        finally:
            run.depth = depth

    def _refuse(self, error: Exception) -> NoReturn:
        """Raise what a generator ended in."""
        if isinstance(error, StopIteration):
            raise (made(StopIteration) if error.value is None else made(StopIteration, error.value)) from None
        if isinstance(error, PythonError) or not _is_of_generators(error):
            raise error
        raise made(type(error), str(error)) from None

    def __repr__(self) -> str:
        return f"<generator object {self.function.qualname} at {id(self):#x}>"


def _is_of_generators(error: Exception) -> bool:
    """Whether Python itself says this of a generator: it raised ``StopIteration``, runs already, did not begin."""
    is_said = isinstance(error, RuntimeError | TypeError | ValueError) and "generator" in str(error)
    return is_said or isinstance(error.__cause__, StopIteration)


def touch(run: Run, target: Any) -> None:
    """Let the journal of a run remember ``target`` before it changes."""
    if run.journal is not None:
        modes.touch(target)
