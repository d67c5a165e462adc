"""Generate the Python that plans and blocks are compiled from: names for what it refers to, and liveness of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from engine.plan.recorder import Step, Value


class Source:
    """Lines of one function. What is no local variable of it is bound to a global name."""

    def __init__(self, file: str, **namespace: Any) -> None:
        self.lines: list[str] = []
        self._file, self._namespace = file, namespace
        self._bound: dict[int, str] = {}

    def is_bound(self, item: Any) -> bool:
        """Whether ``item`` has a name."""
        return id(item) in self._bound

    def bind(self, item: Any) -> str:
        """Return a global name for ``item``, which the namespace keeps."""
        if id(item) not in self._bound:
            self._bound[id(item)] = f"k{len(self._bound)}"
            self._namespace[self._bound[id(item)]] = item
        return self._bound[id(item)]

    def function(self, name: str) -> Callable[..., Any]:
        """Compile the lines; returns the function of that name which they define."""
        exec(compile("\n".join(self.lines), self._file, "exec"), self._namespace)
        return self._namespace[name]  # type: ignore[no-any-return]


def last_uses(steps: list[Step], outputs: Iterable[Value]) -> list[list[Value]]:
    """Return for each step the values that die with it: nobody needs them any more."""
    seen = set(outputs)
    dying: list[list[Value]] = []
    for step in reversed(steps):
        here = [value for value in dict.fromkeys((*step.operands(), *step.results)) if value not in seen]
        seen.update(here)
        dying.append(here)
    return dying[::-1]
