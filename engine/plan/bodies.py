"""Record one turn of a loop over the tensors that stay from turn to turn: what it reads, and what it writes.

An optimiser's step is carried out at each turn as it is, between two tensors that a plan knows nothing of: how far its
numbers have come decides what it does. Nothing may run behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from engine import modes
from engine.op.signature import Array
from engine.plan.standing import StandingRecorder

LONGEST = 2_000  # steps of a turn


class BodyRecorder(StandingRecorder):
    """Notes beside the steps what was written to, and which optimisers took a step."""

    def __init__(self, standing: Iterable[Array], memories: Iterable[Array]) -> None:
        super().__init__(standing, memories)
        self.written: dict[int, Array] = {}
        self.optimizers: list[Any] = []
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext  # what else holds during their steps

    def ran(self, op: Any, tensors: Any, arrays: Any, raw: Any, results: Any) -> None:
        """Record a run of a kernel."""
        if self.optimizers:
            self.give_up("kernels ran behind the step of an optimiser")
        elif len(self.steps) >= LONGEST:
            self.give_up("a turn of very many steps")
        if self.is_eager:
            return
        super().ran(op, tensors, arrays, raw, results)

    def wrote(self, target: Array, source: Array) -> None:
        """Record a write, and where to."""
        if self.optimizers:
            self.give_up("a write behind the step of an optimiser")
            return
        if id(target) in self._standing:
            self.written[id(target)] = target
        super().wrote(target, source)

    @contextmanager
    def stepping(self, optimizer: Any, is_plain: bool) -> Iterator[bool]:
        """An optimiser takes a step, which is not recorded but noted."""
        if not is_plain:
            self.give_up("a step with code of the program's own")
        if self.is_eager:
            yield True
            return
        self.optimizers.append(optimizer)
        modes.report_to(None)
        try:
            with self.around():
                yield True
        finally:
            modes.report_to(self)


class Bystander:
    """Stands where a recorder would, and notes nothing: while it is there, optimisers take no step."""

    @contextmanager
    def stepping(self, optimizer: Any, is_plain: bool) -> Iterator[bool]:
        """Within it an optimiser takes its step, or, as here, does not."""
        yield False

    def __getattr__(self, name: str) -> Any:
        return _nothing


def _nothing(*_: Any) -> None:
    """Note nothing."""
