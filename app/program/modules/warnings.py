"""``warnings``: those of the run. Filters decide what becomes of a warning, PyTorch's and NumPy's as well."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from app.program.builtins import Routine, exception_type, type_name
from app.program.costs import Cost, pay
from app.program.failures import PythonError, seen_as
from app.program.modules.calls import host
from engine import modes

ACTIONS: Final = frozenset({"default", "error", "ignore", "always", "module", "once"})
FILTERS: Final = "warnings"
Filter = tuple[str, Any, str]  # what to do, with which category, of texts that begin how
_LONGEST_PATTERN: Final = 200
_MOST: Final = 1000  # filters
_LITERAL: Final = re.compile(r"(?:[\w\s,;:'\"!<>=@%&/-]|\.\*?|\\[.()\[\]])*")  # patterns that take no long time


class Message:
    """A warning as ``catch_warnings(record=True)`` keeps it."""

    __slots__ = ("category", "message")

    def __init__(self, message: Any, category: Any) -> None:
        self.message, self.category = message, category


class Collected(list[str]):
    """Where warnings go: through the filters in force, into this list."""

    def __init__(self, texts: Iterable[str] = (), filters: Iterable[Filter] = ()) -> None:
        super().__init__(texts)
        self.filters = list(filters)

    def append(self, text: str) -> None:
        self.tell(text, UserWarning)

    def tell(self, text: str, category: Any, message: Any = None) -> None:
        """Keep a warning, or drop it, or raise it, as the first filter that it fits says."""
        fitting = (action for action, kind, start in self.filters if _is_below(category, kind) and _begins(text, start))
        action = next(fitting, "always")
        if action == "error":
            raise message if isinstance(message, PythonError) else PythonError(kind_of(category), text)
        if action in ("once", "default", "module") and text in self:
            return
        if action != "ignore":
            self.keep(text, category, message)

    def keep(self, text: str, category: Any, message: Any = None) -> None:
        """Put a warning into the list."""
        super().append(text)


class Recorded(Collected):
    """Warnings that a block of the program looks at."""

    def __init__(self, filters: Iterable[Filter]) -> None:
        super().__init__((), filters)
        self.messages: list[Message] = []

    def keep(self, text: str, category: Any, message: Any = None) -> None:
        super().keep(text, category, message)
        shown = message if isinstance(message, PythonError) else PythonError(kind_of(category), text)
        self.messages.append(Message(shown, _category(category)))


def kind_of(category: Any) -> Any:
    """The class of Python's that a category is, or is below."""
    if isinstance(category, type):
        return category
    for one in getattr(category, "mro", ()):
        kind = getattr(one, "type", None)
        if isinstance(kind, type):
            return kind
    return UserWarning


def _category(category: Any) -> Any:
    """The class of a warning as programs know it."""
    if category is None:
        return exception_type(UserWarning)
    return exception_type(category) if isinstance(category, type) and issubclass(category, Warning) else category


def _is_below(category: Any, kind: Any) -> bool:
    if kind is Warning or getattr(kind, "type", None) is Warning or category is kind:
        return True
    if kind in getattr(category, "mro", ()):
        return True
    above = kind if isinstance(kind, type) else getattr(kind, "type", None)
    return isinstance(above, type) and issubclass(kind_of(category), above)


def _begins(text: str, pattern: str) -> bool:
    return not pattern or re.match(pattern, text, re.IGNORECASE) is not None


def collected() -> Collected:
    """Where warnings go now, with filters from here on."""
    state = modes.current()
    if not isinstance(state.warnings, Collected):
        state.warnings = Collected(state.warnings or (), state.modules.get(FILTERS, ()))
    return state.warnings


def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
    """Take a warning of Python's own machinery, which NumPy uses."""
    collected().tell(str(message), category)


# -- what programs call -------------------------------------------------------------------------------------------
def _warn(message: Any, category: Any = None, stacklevel: Any = 1, source: Any = None, **_: Any) -> None:
    if isinstance(message, BaseException):
        category = getattr(message, "program_class", None) or getattr(message, "kind", type(message))
    category = _category(category)
    if not _is_below(category, Warning) or not issubclass(kind_of(category), Warning):
        raise PythonError(TypeError, f"category must be a Warning subclass, not '{type_name(category)}'")
    text = str(message)
    pay(Cost(1 + len(text) // 8, 8 * len(text)))
    collected().tell(text, category, message)


def _filter(
    action: Any, message: Any = "", category: Any = Warning, module: Any = "", lineno: Any = 0, append: Any = False
) -> None:
    _check(action)
    _add((action, category, pattern(message)), append)


def _simple(action: Any, category: Any = Warning, lineno: Any = 0, append: Any = False) -> None:
    _check(action)
    _add((action, category, ""), append)


def _check(action: Any) -> None:
    if not isinstance(action, str) or action not in ACTIONS:
        raise PythonError(AssertionError, f"invalid action: {action!r}")


def pattern(message: Any) -> str:
    """The beginning of the texts that are meant; patterns that may take long are refused."""
    if not message:
        return ""
    if not isinstance(message, str) or len(message) > _LONGEST_PATTERN or not _LITERAL.fullmatch(message):
        raise PythonError(ValueError, "patterns of warnings are texts with '.' and one '.*' here")
    if message.count(".*") > 2:
        raise PythonError(ValueError, "patterns of warnings have at most two '.*' here")
    return message


def _add(one: Filter, append: Any) -> None:
    filters = collected().filters
    filters.insert(len(filters) if append else 0, one)
    del filters[_MOST:]
    _keep()


def _reset() -> None:
    collected().filters.clear()
    _keep()


def _keep() -> None:
    """Let the filters of the outermost level hold for the session's next run."""
    inner: Any = collected()
    if type(inner) is Collected:
        modes.current().modules[FILTERS] = tuple(inner.filters)


@seen_as("catch_warnings", "warnings")
class Catching:
    """``catch_warnings``: filters within a block; with ``record=True`` warnings go to a list of the program."""

    __slots__ = ("_outer", "action", "record")

    def __init__(
        self, *, record: Any = False, module: Any = None, action: Any = None, category: Any = Warning, **_: Any
    ) -> None:
        self.record, self.action = record, None if action is None else (action, category, "")

    def __enter__(self) -> Any:
        self._outer = collected()
        inner: Collected = Recorded(self._outer.filters) if self.record else _Passing(self._outer)
        if self.action is not None:
            inner.filters.insert(0, self.action)
        modes.current().warnings = inner
        return inner.messages if isinstance(inner, Recorded) else None

    def __exit__(self, *error: object) -> None:
        modes.current().warnings = self._outer


class _Passing(Collected):
    """Filters of a block; what they let through goes where warnings went before."""

    def __init__(self, outer: Collected) -> None:
        super().__init__((), outer.filters)
        self.outer = outer

    def keep(self, text: str, category: Any, message: Any = None) -> None:
        self.outer.keep(text, category, message)

    def __contains__(self, text: object) -> bool:
        return text in self.outer


host(Message, "warnings.WarningMessage", Message, {
    "category": lambda value: value.category, "message": lambda value: value.message,
})  # fmt: skip
WARNINGS: Final[dict[str, Any]] = {
    "catch_warnings": Routine("catch_warnings", Catching), "filterwarnings": Routine("filterwarnings", _filter),
    "resetwarnings": Routine("resetwarnings", _reset), "simplefilter": Routine("simplefilter", _simple),
    "warn": Routine("warn", _warn),
}  # fmt: skip
