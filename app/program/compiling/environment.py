"""Where a name's value is, known when a program is compiled: in a place of the frame, in a cell, or in the module."""

from __future__ import annotations

from typing import Any, Literal

from app.program.functions import Source
from app.program.scopes import CLASS_CELL
from app.program.tree import Code

Kind = Literal["slot", "cell", "class", "global"]
Place = tuple[Kind, Any]


class Environment:
    """The frame of a function, of a class's body or of the module."""

    def __init__(
        self, kind: Literal["module", "function", "class"], source: Source, code: Code | None = None,
        outer: Environment | None = None,
    ) -> None:  # fmt: skip
        self.kind, self.source, self.code, self.outer = kind, source, code, outer
        self.slots: dict[str, int] = {}
        self.cells: set[str] = set()
        self.inner: list[dict[str, tuple[int, bool]]] = []  # names of the comprehensions that are being compiled
        self.size = 1  # the first place has the run
        self.taken: tuple[int, ...] = ()  # places of cells in the frame around, which come first in this one
        if code is not None:
            self._lay_out(code)

    def _lay_out(self, code: Code) -> None:
        names = ("",) if self.kind == "class" else code.parameters.names  # a class's body has its namespace there
        for name in names:
            self.slots[name] = self.new()
        self.cells |= code.cells
        taken = []
        for name in code.free:
            place = None if self.outer is None else self.outer.capture(name)
            if place is not None:
                taken.append(place)
                self.slots[name] = self.new()
                self.cells.add(name)
        self.taken = tuple(taken)
        self.start = self.size
        if self.kind == "class":
            if CLASS_CELL in code.cells:
                self.slots[CLASS_CELL] = self.new()
            return
        for name in code.bound:
            if name not in self.slots:
                self.slots[name] = self.new()

    def new(self) -> int:
        """One more place in the frame."""
        self.size += 1
        return self.size - 1

    def capture(self, name: str) -> int | None:
        """The place of the cell that a function inside takes ``name`` from, or ``None``: it is the module's."""
        for names in reversed(self.inner):
            if name in names:
                return names[name][0]
        if self.kind == "class" and self.code is not None and name in self.code.bound:
            return None if self.outer is None else self._taken_by_class(name)
        return self.slots[name] if name in self.cells and name in self.slots else None

    def _taken_by_class(self, name: str) -> int | None:
        return self.slots.get(name) if name in self.cells else None

    def place(self, name: str) -> Place:
        """Where ``name`` is."""
        for names in reversed(self.inner):
            if name in names:
                inner, is_cell = names[name]
                return ("cell" if is_cell else "slot"), inner
        if self.code is None or name in self.code.outer:
            return "global", name
        if self.kind == "class" and name in self.code.bound:
            return "class", name
        if name not in self.slots:
            return ("class" if self.kind == "class" else "global"), name
        return ("cell" if name in self.cells else "slot"), self.slots[name]
