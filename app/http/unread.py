"""Long answers that their clients have not read yet: memory that counts for no process, and waits for the slowest."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from weakref import finalize

from app.compute.frames import Body
from app.compute.reclaim import Map
from app.errors import Overloaded

PART_OF_ONE = 2  # of the room, that one owner may take


class Unread:
    """Counts them by owner, and refuses more requests where those of an owner, or all, take more than there is."""

    def __init__(self, most: int) -> None:
        self._most, self._nbytes = most, Counter[str]()
        self._lock = Lock()  # memory may end in another thread

    @property
    def nbytes(self) -> int:
        """How much all take."""
        return self._nbytes.total()

    def check(self, owner: str) -> None:
        """Raise ``Overloaded`` if there is no room for another answer."""
        if self._nbytes and (self._nbytes[owner] >= self._most // PART_OF_ONE or self.nbytes >= self._most):
            raise Overloaded("answers that were not read yet take all the room that there is; try again later")

    def note(self, owner: str, body: Body | None) -> None:
        """Count an answer in shared memory for as long as that is there."""
        memory = body.obj if isinstance(body, memoryview) else None
        if isinstance(memory, Map):
            self._add(owner, len(memory))
            finalize(memory, self._add, owner, -len(memory))

    def _add(self, owner: str, nbytes: int) -> None:
        with self._lock:
            self._nbytes[owner] += nbytes
            if not self._nbytes[owner]:
                del self._nbytes[owner]
