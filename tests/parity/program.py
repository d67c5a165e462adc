"""A program as text: what is run on PyTorch and on the engine, and what a shorter one is made of."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType


@dataclass(frozen=True)
class Program:
    """Statements, each of one line. A watched program is looked at after each of them, others at their end only."""

    seed: int
    watched: bool
    statements: tuple[str, ...]

    def compiled(self) -> list[CodeType]:
        return [compile(statement, "<program>", "exec") for statement in self.statements]

    def without(self, position: int) -> Program:
        rest = self.statements[:position] + self.statements[position + 1 :]
        return Program(self.seed, self.watched, rest)

    def replaced(self, position: int, statement: str) -> Program:
        return Program(
            self.seed, self.watched, (*self.statements[:position], statement, *self.statements[position + 1 :])
        )

    def until(self, position: int) -> Program:
        return Program(self.seed, self.watched, self.statements[: position + 1])
