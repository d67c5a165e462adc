"""What crosses between the front and a compute process: packets over a socket pair, long bodies in shared memory.

A packet of ``SOCK_SEQPACKET`` arrives whole or not at all, so there is nothing to reassemble. A body that is long lies
in a memfd, whose descriptor travels with the packet: it is written once, by whoever makes it, and mapped by whoever
reads it. How far a task has come stands in a page that both map, for it must be readable when one of them is dead.
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
from array import array
from collections.abc import Sequence
from enum import IntEnum
from time import monotonic
from typing import Any, ClassVar, Final, NamedTuple
from weakref import ref

import msgspec

from app.compute import reclaim

Body = bytes | bytearray | memoryview
INLINE_BYTES: Final = 2**15  # of a body that lies in the packet itself
PACKET_BYTES: Final = 2**17  # the longest packet: an inline body, its head, and a small plan
HEAD_BYTES: Final = PACKET_BYTES - INLINE_BYTES - 2**10  # the longest head
PIECE_BYTES: Final = 2**19  # of a body, that are received at once: others wait meanwhile
SPARE_BYTES: Final = 2**28  # of memory without a body, that are kept for the next ones
SPARE_S: Final = 10.0  # for so long
DESCRIPTORS: Final = 4  # how many travel with one packet at most
_ANCILLARY: Final = socket.CMSG_SPACE(DESCRIPTORS * array("i").itemsize)


class Packet(NamedTuple):
    """``head`` is msgpack of whatever both sides agree on; ``body`` is bytes, or a private map of shared memory.

    There is no body where memory was too short for it.
    """

    head: bytes
    body: Body | None
    is_last: bool = False  # the sender takes no other
    has_let_go: bool = False  # nothing of the sender looks into the body that it was sent before


class Stage(IntEnum):
    """How far a task has come in its compute process."""

    RUNNING = 0  # nothing of it is kept
    COMMITTING = 1  # the store may have it, or not
    COMMITTED = 2  # the store has it


class Page:
    """A page of memory that the front and one compute process share; it outlives either."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = os.memfd_create("gradserve-page") if descriptor is None else descriptor
        if descriptor is None:
            os.ftruncate(self.descriptor, mmap.PAGESIZE)
        self._map = mmap.mmap(self.descriptor, mmap.PAGESIZE)

    @property
    def stage(self) -> Stage:
        """How far the task has come. One byte: it is read and written at once."""
        return Stage(self._map[0])

    @stage.setter
    def stage(self, stage: int) -> None:
        self._map[0] = stage

    def close(self) -> None:
        """Give the page up on this side."""
        self._map.close()
        os.close(self.descriptor)


class _Fields(msgspec.Struct, array_like=True):
    """A packet as it is sent. A body in shared memory lies at ``start``, of ``length``; ``None``: the body is here."""

    head: msgspec.Raw
    body: bytes
    length: int | None = None
    start: int = 0
    is_last: bool = False
    has_let_go: bool = False


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Fields)


class Memory:
    """A memfd. ``capacity``: how much of it has been written at some time, and has its pages."""

    def __init__(self) -> None:
        self.capacity, self.descriptor = 0, -1
        self.descriptor = os.memfd_create("gradserve-body")
        self.spare_since = 0.0
        self._map: memoryview | None = None

    @property
    def map(self) -> memoryview:
        """All pages that there are, to write to."""
        if self._map is None or len(self._map) < self.capacity:
            self._map = memoryview(reclaim.Map(self.descriptor, self.capacity))
        return self._map

    def write(self, part: Body, place: int) -> int:
        """Write some of it there, and return how much. Raises ``MemoryError``."""
        try:
            size = os.pwrite(self.descriptor, part, place)
        except OSError as error:
            raise MemoryError from error
        self.capacity = max(self.capacity, place + size)
        return size

    def close(self) -> None:
        """Return it to the system."""
        self._map = None
        if self.descriptor >= 0:
            reclaim.close(self.descriptor, self.capacity)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


class SharedBody:
    """Memory for a long body, written once and sent without a copy.

    New memory is written as a file, not as a map of one: a system call takes many pages at once, and clears none of
    them before (80 MB: 20 ms instead of 130). Memory that had a body before, which nobody looks into any more, has its
    pages and is mapped, so that a body is received where it is going to lie (another half of the time).

    ``start``: where in the memory it begins, so that what is in it lies aligned. ``expected``: how long it will be.
    """

    held: ClassVar[int] = 0  # bytes of all bodies of this process that are not closed
    _spare: ClassVar[list[Memory]] = []
    _scratch: ClassVar[memoryview] = memoryview(b"")  # between the system and new memory

    def __init__(self, start: int = 0, expected: int = 0) -> None:
        self.nbytes, self.start = 0, start  # bytes that have been written
        self.is_free = False  # nobody else looks into it
        self._memory: Memory | None = None
        spare = SharedBody._spare
        if spare:
            self._memory = min(spare, key=lambda memory: abs(memory.capacity - expected))
            spare.remove(self._memory)
        else:
            self._memory = Memory()

    @classmethod
    def of(cls, body: Body) -> SharedBody:
        """Return a copy of ``body`` in shared memory."""
        shared = cls(expected=len(body))
        shared.write(body)
        return shared

    def write(self, part: Body) -> None:
        """Append. Raises ``MemoryError``."""
        rest = memoryview(part)
        while rest:
            size = self._open.write(rest, self.start + self.nbytes)
            rest = rest[size:]
            self._grow(size)

    def room(self, most: int) -> memoryview:
        """Return where the next bytes, ``most`` at most, may be put. ``fill`` says how many there are then."""
        memory, place = self._open, self.start + self.nbytes
        most = min(most, PIECE_BYTES)
        if place < memory.capacity:
            return memory.map[place : place + most]
        if not SharedBody._scratch:
            SharedBody._scratch = memoryview(bytearray(PIECE_BYTES))
        return SharedBody._scratch[:most]

    def fill(self, size: int) -> None:
        """Append what has been put into ``room``. Raises ``MemoryError``."""
        if self.start + self.nbytes < self._open.capacity:
            self._grow(size)
        else:
            self.write(SharedBody._scratch[:size])

    def _grow(self, size: int) -> None:
        self.nbytes += size
        SharedBody.held += size

    def __len__(self) -> int:
        return self.nbytes

    @property
    def descriptor(self) -> int:
        """Of the memory."""
        return self._open.descriptor

    @property
    def view(self) -> memoryview:
        """What has been written."""
        if not self.nbytes:
            return memoryview(b"")
        return memoryview(reclaim.Map(self.descriptor, self.start + self.nbytes, prot=mmap.PROT_READ))[self.start :]

    @property
    def _open(self) -> Memory:
        assert self._memory is not None
        return self._memory

    def close(self) -> None:
        """Give the memory up on this side; views of it may be alive: the last one lets go."""
        memory, self._memory = self._memory, None
        if memory is None:
            return
        SharedBody.held -= self.nbytes
        kept = sum(spare.capacity for spare in SharedBody._spare)
        if self.is_free and kept + memory.capacity <= SPARE_BYTES:
            memory.spare_since = monotonic()
            SharedBody._spare.append(memory)

    def __del__(self) -> None:
        self.close()

    @classmethod
    def old_spare(cls, seconds: float = SPARE_S) -> list[Memory]:
        """Return the memory that had no body for so long. It goes back to the system with the list."""
        end = monotonic() - seconds
        old = [memory for memory in cls._spare if memory.spare_since <= end]
        cls._spare[:] = [memory for memory in cls._spare if memory.spare_since > end]
        return old


# Memory is a process's own: whoever is forked lets go of what lies spare while the descriptors are still its own.
os.register_at_fork(after_in_child=SharedBody._spare.clear)


def send(
    connection: socket.socket,
    head: bytes,
    body: Body | SharedBody = b"",
    *,
    is_last: bool = False,
    has_let_go: bool = False,
) -> None:
    """Send one packet. Raises ``OSError`` where nobody is there to take it."""
    if isinstance(body, SharedBody):
        fields = _Fields(msgspec.Raw(head), b"", body.nbytes, body.start, is_last, has_let_go)
        socket.send_fds(connection, [_ENCODER.encode(fields)], [body.descriptor])
    elif len(body) > INLINE_BYTES:
        shared = SharedBody.of(body)
        try:
            send(connection, head, shared, is_last=is_last, has_let_go=has_let_go)
        finally:
            shared.close()
    else:
        fields = _Fields(msgspec.Raw(head), bytes(body), is_last=is_last, has_let_go=has_let_go)
        connection.send(_ENCODER.encode(fields))


class Receiver:
    """Takes packets from one connection, into one buffer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray(PACKET_BYTES)
        self._view = memoryview(self._buffer)
        self._mapped: ref[reclaim.Map] | None = None  # the map of the body that came last in shared memory

    @property
    def has_let_go(self) -> bool:
        """Whether a body came in shared memory, and nothing here looks into it any more."""
        return self._mapped is not None and self._mapped() is None

    def receive(self) -> Packet | None:
        """Return the next packet; ``None`` once the other side is gone.

        Raises ``BlockingIOError`` if the connection does not block and there is none, and another ``OSError`` for one
        whose body is lost, as when this process has no descriptor left for it.
        """
        size, ancillary, _, _ = self._connection.recvmsg_into([self._buffer], _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        descriptors = _descriptors(ancillary) if ancillary else ()
        if not size:
            _close(descriptors)
            return None
        fields = _DECODER.decode(self._view[:size])
        head, body = bytes(fields.head), fields.body
        self._mapped = None
        if fields.length is None:
            return Packet(head, body, fields.is_last, fields.has_let_go)
        if not descriptors:
            raise OSError(errno.EMFILE, "a body without its descriptor")
        try:
            return Packet(
                head, self._map(descriptors[0], fields.start, fields.length), fields.is_last, fields.has_let_go
            )
        finally:
            _close(descriptors)

    def _map(self, descriptor: int, start: int, length: int) -> Body | None:
        """Return shared memory as bytes of one's own: what is written to them, nobody else sees."""
        if not length:
            return b""
        try:
            own = reclaim.Map(descriptor, start + length, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                return None
            raise
        self._mapped = ref(own)
        return memoryview(own)[start:]


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found = array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def receive_descriptors(connection: socket.socket) -> tuple[Any, list[int]]:
    """Return a small message and the descriptors that came with it; ``(None, [])`` once the other side is gone."""
    data, ancillary, _, _ = connection.recvmsg(4096, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
    descriptors = _descriptors(ancillary)
    return (msgspec.msgpack.decode(data), descriptors) if data else (None, descriptors)


def send_descriptors(connection: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    """Send a small message with descriptors."""
    socket.send_fds(connection, [_ENCODER.encode(message)], list(descriptors))


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a connection that keeps packets apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
