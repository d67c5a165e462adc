"""Record a run over tensors that were there before it and stay: a replay reads them anew, and gives what it wrote."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.op.signature import Array
from engine.plan.recorder import Recorder, Value


class StandingRecorder(Recorder):
    """Makes an input of every array among ``standing`` that the run comes across, in the order of ``sources``.

    Those whose memory nothing else shows may be written to as well: what they hold then is a value as any other.
    ``memories`` are all that these arrays lie in; an array that looks into one otherwise ends the recording.
    """

    def __init__(self, standing: Iterable[Array], memories: Iterable[Array]) -> None:
        super().__init__([])
        self.sources: list[Array] = []
        self._standing = {id(array): array for array in standing}
        self._memories = list(memories)

    def adopt(self, array: Array) -> Value:
        """Make an input of ``array``."""
        value = Value.of(array)
        self.inputs.append(value)
        self.sources.append(array)
        self._kept.append(array)
        self._enter(array, value)
        return value

    def wrote(self, target: Array, source: Array) -> None:
        """Record a write, also one to what was there before."""
        if id(target) in self._standing:
            self.value_of(target)
        super().wrote(target, source)

    def read(self, array: Array) -> None:
        """Give up if Python looks at what may be another value the next time."""
        if self._find(array) is None and self._belongs(array):
            self.give_up("values of a standing tensor were read outside of a kernel")
        else:
            super().read(array)

    def asked_version(self) -> None:
        """Give up: the version of a standing tensor goes up with every run."""
        self.give_up("a version counter was read")

    def knows(self, array: Array) -> bool:
        """Return whether ``array`` is of this run, or stands."""
        return self._find(array) is not None or id(array) in self._standing

    def overlaps(self, array: Array) -> bool:
        """Return whether ``array`` shares memory with anything that this run came across."""
        known = (reference() for reference, _ in self._values.values())
        return any(one is not None and np.may_share_memory(one, array) for one in known)

    def _may_write(self, target: Array, value: Value) -> bool:
        if value not in self.inputs:
            return True
        shown = [one for one in self._standing.values() if np.may_share_memory(one, target)]
        return all(one is target for one in shown)

    def _unknown(self, array: Array) -> Value:
        if id(array) in self._standing:
            return self.adopt(array)
        if self._belongs(array):
            self.give_up("a standing tensor is seen otherwise")
        return super()._unknown(array)

    def _belongs(self, array: Array) -> bool:
        if id(array) in self._standing:
            return True
        return any(np.may_share_memory(array, memory) for memory in self._memories)
