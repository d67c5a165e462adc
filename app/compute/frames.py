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
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

Body = bytes | bytearray | memoryview
INLINE_BYTES: Final = 2**15  # of a body that lies in the packet itself
PACKET_BYTES: Final = 2**17  # the longest packet: an inline body, its head, and a small plan
HEAD_BYTES: Final = PACKET_BYTES - INLINE_BYTES - 2**10  # the longest head
DESCRIPTORS: Final = 4  # how many travel with one packet at most
_ANCILLARY: Final = socket.CMSG_SPACE(DESCRIPTORS * array("i").itemsize)


class Packet(NamedTuple):
    """``head`` is msgpack of whatever both sides agree on; ``body`` is bytes, or a private map of shared memory.

    There is no body where memory was too short for it.
    """

    head: bytes
    body: Body | None
    is_last: bool = False  # the sender takes no other


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
    def stage(self, stage: Stage) -> None:
        self._map[0] = stage

    def close(self) -> None:
        """Give the page up on this side."""
        self._map.close()
        os.close(self.descriptor)


class _Fields(msgspec.Struct, array_like=True):
    """A packet as it is sent. ``length``: of a body in shared memory; ``None``: the body is here."""

    head: msgspec.Raw
    body: bytes
    length: int | None = None
    is_last: bool = False


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Fields)


class SharedBody:
    """Memory for a long body, written once and sent without a copy.

    It is written as a file, not as a map of one: a system call takes many pages at once, and clears none of them before
    (80 MB: 20 ms instead of 130).
    """

    held: ClassVar[int] = 0  # bytes of all bodies of this process that are not closed

    def __init__(self) -> None:
        self.nbytes, self.descriptor = 0, -1  # bytes that have been written
        self.descriptor = os.memfd_create("gradserve-body")

    @classmethod
    def of(cls, body: Body) -> SharedBody:
        """Return a copy of ``body`` in shared memory."""
        shared = cls()
        shared.write(body)
        return shared

    def write(self, part: Body) -> None:
        """Append. Raises ``MemoryError``."""
        rest = memoryview(part)
        while rest:
            try:
                size = os.write(self.descriptor, rest)
            except OSError as error:
                raise MemoryError from error
            rest = rest[size:]
            self.nbytes += size
            SharedBody.held += size

    def __len__(self) -> int:
        return self.nbytes

    @property
    def view(self) -> memoryview:
        """What has been written."""
        return memoryview(mmap.mmap(self.descriptor, self.nbytes, prot=mmap.PROT_READ) if self.nbytes else b"")

    def close(self) -> None:
        """Give the memory up on this side; views of it may be alive: the last one lets go."""
        if self.descriptor >= 0:
            SharedBody.held -= self.nbytes
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()


def send(connection: socket.socket, head: bytes, body: Body | SharedBody = b"", *, is_last: bool = False) -> None:
    """Send one packet. Raises ``OSError`` where nobody is there to take it."""
    if isinstance(body, SharedBody):
        fields = _Fields(msgspec.Raw(head), b"", body.nbytes, is_last)
        socket.send_fds(connection, [_ENCODER.encode(fields)], [body.descriptor])
    elif len(body) > INLINE_BYTES:
        shared = SharedBody.of(body)
        try:
            send(connection, head, shared, is_last=is_last)
        finally:
            shared.close()
    else:
        connection.send(_ENCODER.encode(_Fields(msgspec.Raw(head), bytes(body), None, is_last)))


class Receiver:
    """Takes packets from one connection, into one buffer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray(PACKET_BYTES)
        self._view = memoryview(self._buffer)

    def receive(self) -> Packet | None:
        """Return the next packet; ``None`` once the other side is gone.

        Raises ``BlockingIOError`` if the connection does not block and there is none, and another ``OSError`` for one
        whose body is lost, as when this process has no descriptor left for it.
        """
        size, ancillary, _, _ = self._connection.recvmsg_into([self._buffer], _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        descriptors = _descriptors(ancillary)
        if not size:
            _close(descriptors)
            return None
        fields = _DECODER.decode(self._view[:size])
        head = bytes(fields.head)
        if fields.length is None:
            return Packet(head, fields.body, fields.is_last)
        if not descriptors:
            raise OSError(errno.EMFILE, "a body without its descriptor")
        try:
            return Packet(head, _mapped(descriptors[0], fields.length), fields.is_last)
        finally:
            _close(descriptors)


def _mapped(descriptor: int, length: int) -> Body | None:
    """Return shared memory as bytes of one's own: what is written to them, nobody else sees."""
    if not length:
        return b""
    try:
        return memoryview(mmap.mmap(descriptor, length, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE))
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return None
        raise


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
