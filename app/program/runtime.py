"""One run of a program: its names, what it printed, what it may still do. Functions find it where they are called."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final, NoReturn

from app.limits import Limits, OverLimit
from app.program.costs import ITEM_BYTES, OBJECT_BYTES
from app.program.failures import PythonError, made
from engine import modes

TICKS: Final = 64  # steps that are taken from the budget at once
DEPTH: Final = 980  # calls within calls: about what Python itself allows


class Run:
    """The names of a program while it runs, what it printed and bound, and how much it repeated."""

    __slots__ = (
        "budget",
        "depth",
        "handled",
        "items",
        "iterations",
        "journal",
        "last",
        "left",
        "limits",
        "loops",
        "named",
        "namespace",
        "printed",
        "prints",
        "unended",
        "watch",
    )  # fmt: skip

    def __init__(self, namespace: dict[str, Any], limits: Limits) -> None:
        state = modes.current()
        self.namespace, self.limits, self.items = namespace, limits, limits.list_items
        self.budget, self.journal = state.budget, state.journal
        self.prints: list[str] = []
        self.unended: list[int] = []  # the texts after which no newline was printed
        self.printed = 0
        self.named: dict[str, None] = {}
        self.last: str | None = None
        self.depth = self.left = self.iterations = 0
        self.loops: dict[Any, Any] = {}
        self.watch: Any = None  # over loops whose turns come again: ``app.program.turns``
        self.handled: list[BaseException] = []  # the exceptions in whose handlers the run is

    def refill(self) -> None:
        """Take the next steps from the budget: each iteration and each call is one."""
        allowed = self.limits.loop_iterations
        count = min(TICKS, allowed - self.iterations)
        if count <= 0:
            raise OverLimit("loop_iterations", allowed=allowed, asked=self.iterations + 1)
        self.iterations += count
        self.left = count - 1
        if self.budget is not None:
            self.budget.take(count)

    def tick(self) -> None:
        """Count one iteration or call."""
        self.left -= 1
        if self.left < 0:
            self.refill()

    def keep(self, count: int) -> None:
        """Count the memory of a new container; the next step asks whether there is as much."""
        if self.budget is not None:
            self.budget.spent += OBJECT_BYTES + ITEM_BYTES * count

    def bind(self, name: str, value: object) -> None:
        """Bind a name of the program."""
        self.namespace[name] = value
        self.named[name] = None
        self.last = name

    def settle(self) -> None:
        """Let there be all names that the turns of a loop have bound."""
        if self.watch is not None and self.watch.pending is not None:
            self.watch.pending.settle()

    def unbind(self, name: str) -> None:
        """Forget a name of the program."""
        self.settle()
        if name not in self.namespace:
            raise PythonError(NameError, f"name '{name}' is not defined")
        del self.namespace[name]
        self.named.pop(name, None)
        self.last = next(reversed(self.named), None) if self.last == name else self.last

    # -- print ----------------------------------------------------------------------------------------------------
    def write(self, parts: list[str], sep: str, end: str) -> None:
        """Print: one text a call, without the newline at its end."""
        self.count(len(sep) * max(len(parts) - 1, 0) + len(end))
        if not end.endswith("\n"):
            self.unended.append(len(self.prints))
        self.prints.append((sep.join(parts) + end).removesuffix("\n"))
        if len(self.prints) > self.limits.prints:
            raise OverLimit("prints", allowed=self.limits.prints, asked=len(self.prints))

    def count(self, chars: int) -> None:
        """Count characters that are about to be printed."""
        self.printed += chars
        if self.printed > self.limits.print_chars:
            raise OverLimit("print_chars", allowed=self.limits.print_chars, asked=self.printed)

    # -- calls ----------------------------------------------------------------------------------------------------
    def enter(self) -> None:
        """Begin a call within the others."""
        if self.depth >= DEPTH:
            self.overflow()
        self.depth += 1

    def overflow(self) -> NoReturn:
        """Refuse one more call within the others."""
        raise made(RecursionError, "maximum recursion depth exceeded")


_CURRENT: Final[ContextVar[Run | None]] = ContextVar("gradserve_run", default=None)


def current() -> Run:
    """The run in force here. Where there is none (a hook of a stored graph), names have no meaning."""
    run = _CURRENT.get()
    if run is None or run.budget is not modes.current().budget:
        run = Run({} if run is None else run.namespace, Limits())
        _CURRENT.set(run)
    return run


class within:
    """Make ``run`` the current one."""

    __slots__ = ("_run", "_token")

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> Run:
        self._token = _CURRENT.set(self._run)
        return self._run

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)
