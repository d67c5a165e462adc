"""Sessions in this process's memory: what a store holds as records, as names and tensors that programs can run on.

A live session is a cache of what is stored. It is taken out for a command and put back afterwards, and counts only if
it is at the version that the store has.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from threading import Lock
from typing import Any, Final

from app.limits import OverLimit
from app.program.modules import kept
from app.sessions import records, restoring, schema
from app.sessions.digests import Digests
from app.sessions.ledger import Ledger
from app.sessions.repeating import Repeats
from app.sessions.value_kinds import Malformed, ValueKinds
from app.stores.base import Head, Loaded
from engine import Tensor, dtypes, modes, storage, watch

TAIL_BYTES: Final = 64 * 1024  # changes behind the whole record: at least so many bytes or records may gather
TAIL_RECORDS: Final = 64
LOST_BYTES: Final = 2**20  # of memories in blocks that nothing reaches any more


@dataclass(slots=True)
class _Tail:
    """How much a cold start has to read: the whole record, and the changes behind it."""

    whole_bytes: int = 0
    nbytes: int = 0
    count: int = 0

    def add(self, size: int, is_whole: bool) -> None:
        if is_whole:
            self.whole_bytes, self.nbytes, self.count = size, 0, 0
        else:
            self.nbytes, self.count = self.nbytes + size, self.count + 1


@dataclass(slots=True)
class Live:
    """A session that programs can run on. ``state`` holds its modes, defaults and random numbers.

    ``imported``: it came from a document, so what it holds may not fit together.
    """

    head: Head
    kinds: ValueKinds
    names: dict[str, Any] = field(default_factory=dict)
    state: modes.State = field(default_factory=modes.State)
    ledger: Ledger = field(default_factory=Ledger)
    settings: schema.Settings | None = None
    imported: bool = False
    shown: list[storage.Storage] = field(default_factory=list)  # whose memory arrays show: the ledger holds them weakly
    tail: _Tail = field(default_factory=_Tail)
    digests: Digests = field(default_factory=Digests)
    repeats: Repeats = field(init=False)

    def __post_init__(self) -> None:
        self.repeats = Repeats(self.ledger)

    @classmethod
    def load(cls, loaded: Loaded, kinds: ValueKinds) -> Live:
        """Return the session that was stored. Raises ``Malformed`` and ``SchemaError``."""
        live = cls(loaded.head, kinds)
        live.catch_up(loaded)
        if live.settings is None:
            raise Malformed("a session without settings")
        return live

    def catch_up(self, loaded: Loaded) -> None:
        """Apply what was committed since. After an error the session is of no use any more."""
        self.repeats.forget()
        self.digests.clear()
        reader = restoring.Reader(self.ledger, self.kinds, self.names, self.settings)
        for raw in loaded.records:
            record = schema.decode(raw)
            reader.apply(record)
            self.tail.add(len(raw), record.whole)
        for block in loaded.blocks:
            reader.fill_block(block)
        reader.finish()
        self.head, self.names, self.settings = loaded.head, reader.names, reader.settings
        self.shown += reader.shown
        if reader.settings is not None:
            self._adopt(reader.settings)
        for one in self.ledger.holders():
            self._observe(one)
        self._let_go()

    def _adopt(self, settings: schema.Settings) -> None:
        state = self.state
        self.imported = settings.imported
        state.grad_enabled, state.inference = settings.grad_enabled, settings.inference
        try:
            state.default_dtype = dtypes.by_name(settings.default_dtype)
        except KeyError:
            raise Malformed("a dtype that does not exist") from None
        names = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")
        given = dict(zip(names, settings.print_options, strict=True))
        state.print_options = type(state.print_options)(**given)  # type: ignore[arg-type]
        generator = self.ledger.get(settings.generator)
        if not isinstance(generator, type(state.generator)):
            raise Malformed("a session without a generator")
        state.generator = generator
        off = watch.Watch()
        found = watch.Watch(anomaly=settings.anomaly, check_nan=settings.check_nan)
        state.watch = None if found == off else found
        try:
            modules = kept.load(settings.modules)
        except kept.Unusable:
            raise Malformed("what no module keeps") from None
        state.modules.clear()
        state.modules.update(modules)

    def _observe(self, one: Any) -> None:
        """Let sweeps know of hooks that can tell in which order they reach leaves."""
        hung = one.hooks if isinstance(one, Tensor) else one.attached if isinstance(one, records.Accumulate) else None
        if hung is not None:
            self.state.observe(hung)

    def draft(self, journal: modes.Journal, names: dict[str, Any], limit: float) -> records.Draft:
        """Return what a run changed; all there is, where many changes gathered or the session seems over its limit.

        Raises ``NotStorable``, and ``OverLimit`` where a part of it is too much by itself.
        """
        self.ledger.settle()
        draft = None
        if not self.is_due:
            with suppress(OverLimit):  # what the run let go of counts until it is gone, but not in a whole
                draft = self._write(journal, names, limit, whole=False)
        if draft is None or draft.nbytes > limit:
            draft = self._write(journal, names, limit, whole=True)
        return draft

    def _write(self, journal: modes.Journal, names: dict[str, Any], limit: float, *, whole: bool) -> records.Draft:
        before = records.Before(self.names, self.settings, self.imported)
        writer = records.Writer(self.ledger, self.kinds, whole=whole, limit=limit)
        return writer.write(before, names, self.state, journal)

    @property
    def is_due(self) -> bool:
        """Whether so much has gathered that the next change should be a whole record."""
        tail, ledger = self.tail, self.ledger
        return (
            self.settings is None
            or tail.nbytes > max(TAIL_BYTES, tail.whole_bytes)
            or tail.count >= TAIL_RECORDS + len(ledger)
            or ledger.block_bytes > 2 * ledger.nbytes + LOST_BYTES
        )

    def accept(self, draft: records.Draft, head: Head, names: dict[str, Any]) -> None:
        """The draft was committed."""
        for one, number in draft.added:
            self.ledger.add(one, number)
        self.ledger.values |= draft.values
        for one in draft.holders:
            self.ledger.hold(one)
        self.shown += draft.shown
        if draft.kept is not None:
            self.ledger.keep(draft.kept, draft.change.abandoned)
            self.shown = [one for one in self.shown if id(one) in draft.kept]
        self.head, self.names, self.settings = head, names, draft.settings
        self.tail.add(len(draft.change.record), draft.change.whole)
        self._let_go()

    def draft_of_all(self) -> records.Draft:
        """Return all that the session is now, as one record."""
        return self._write(modes.Journal(), self.names, inf, whole=True)

    def repeated(self, head: Head, record: bytes) -> None:
        """A run that was not carried out, but is as the one before it, was committed."""
        self.head = head
        self.digests.clear()
        self.tail.add(len(record), False)

    def _let_go(self) -> None:
        """The ledger holds lists, dicts and optimisers by itself: only those that the session still reaches."""
        if len(self.ledger.shared) > 1:  # the generator of the session is always there
            held = [value for one in self.ledger.holders() for value in records.held_by(one)]
            roots = [*self.names.values(), self.state.generator, *held]
            self.ledger.keep_shared(set(records.shared_within(roots, self.kinds)))

    def export(self) -> bytes:
        """Return the whole session as one record, all memory within."""
        before = records.Before(self.names, self.settings)
        writer = records.Writer(self.ledger, self.kinds, whole=True, blocks=False)
        return writer.write(before, self.names, self.state, modes.Journal()).change.record


class Cache:
    """Live sessions, the least recently used let go of first when they hold more than ``nbytes``."""

    def __init__(self, nbytes: int) -> None:
        self._allowed = nbytes
        self._sessions: OrderedDict[str, tuple[Live, int]] = OrderedDict()
        self._lock = Lock()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def take(self, sid: str) -> Live | None:
        """Return the session, if it is here. It is the caller's until it is put back."""
        with self._lock:
            live, size = self._sessions.pop(sid, (None, 0))
            self.nbytes -= size
            return live

    def put(self, live: Live) -> None:
        """Keep a session for the next command."""
        size = live.ledger.total_bytes + live.repeats.nbytes
        with self._lock:
            self._sessions[live.head.id] = live, size
            self.nbytes += size
            while self.nbytes > self._allowed and self._sessions:
                _, (_, dropped) = self._sessions.popitem(last=False)
                self.nbytes -= dropped
