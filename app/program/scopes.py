"""What the names of a program belong to: found while it is read, as Python's compiler finds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Kind = Literal["module", "function", "class", "comprehension"]
CLASS_CELL = "__class__"  # what ``super()`` without arguments asks for


class Scope:
    """A piece of text with names of its own.

    ``uses`` are the names that it asks for, ``captured`` those that functions in it take from around them.
    """

    __slots__ = ("bound", "captured", "generates", "globals", "kind", "nonlocals", "outer", "uses")

    def __init__(self, kind: Kind, outer: Scope | None, bound: Iterable[str] = ()) -> None:
        self.kind, self.outer = kind, outer
        self.bound: dict[str, None] = dict.fromkeys(bound)
        self.uses: set[str] = set()
        self.captured: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.generates = False

    def bind(self, name: str, *, walrus: bool = False) -> None:
        """Note that the scope binds ``name``; ``:=`` binds it around a comprehension."""
        scope = self
        while walrus and scope.kind == "comprehension" and scope.outer is not None:
            scope.uses.add(name)
            scope = scope.outer
        if name not in scope.globals and name not in scope.nonlocals:
            scope.bound[name] = None
        scope.uses.add(name)

    def use(self, name: str) -> None:
        """Note that the scope asks for ``name``."""
        self.uses.add(name)
        if name == "super":
            self.uses.add(CLASS_CELL)

    @property
    def function(self) -> Scope:
        """The scope that a ``yield`` here belongs to."""
        scope = self
        while scope.kind == "comprehension" and scope.outer is not None:
            scope = scope.outer
        return scope

    @property
    def cells(self) -> frozenset[str]:
        """The names of its own that functions in it take."""
        if self.kind == "class":
            return frozenset({CLASS_CELL} & self.captured)
        return frozenset(name for name in self.bound if name in self.captured)

    @property
    def free(self) -> tuple[str, ...]:
        """What it may take from functions around it."""
        if self.kind == "class":
            wanted = (self.uses - self.bound.keys()) | (self.captured - {CLASS_CELL})
        else:
            wanted = (self.uses | self.captured) - self.bound.keys()
        return tuple(sorted((wanted - self.globals) | self.nonlocals))

    def close(self) -> None:
        """Tell the scope around it what it asks for."""
        outer = self.outer
        assert outer is not None
        if self.kind == "comprehension":
            outer.uses |= self.uses - self.bound.keys()
            outer.captured |= self.captured - self.bound.keys()
        else:
            outer.captured |= set(self.free)
