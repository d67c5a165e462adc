"""Frames: what is sent arrives as it was, once, and what both sides map outlives either."""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Event

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compute import frames, reclaim
from app.compute.frames import INLINE_BYTES, Page, Receiver, SharedBody, Stage

Pair = tuple[socket.socket, Receiver]
LENGTHS = st.one_of(
    st.sampled_from([0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 2**20]), st.integers(0, 3 * INLINE_BYTES)
)


@pytest.fixture(autouse=True)
def close_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that a test of something else started closes nothing here."""
    if reclaim._work is not None:
        done = Event()
        reclaim._work.put(done.set)
        assert done.wait(20)
    monkeypatch.setattr(reclaim, "_work", None)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of one process, now


def body_of(length: int) -> bytes:
    return bytes(range(251)) * (length // 251) + bytes(length % 251)


def head_of(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    ours, theirs = frames.pair()
    with ours, theirs:
        yield ours, Receiver(theirs)


@given(
    head=st.recursive(st.none() | st.booleans() | st.text() | st.binary(max_size=100), st.lists, max_leaves=10),
    length=LENGTHS,
    is_shared=st.booleans(),
    is_last=st.booleans(),
)
def test_a_packet_arrives_as_it_was_sent(pair: Pair, head: object, length: int, is_shared: bool, is_last: bool) -> None:
    connection, receiver = pair
    body = body_of(length)
    sent = SharedBody.of(body) if is_shared else body
    frames.send(connection, head_of(head), sent, is_last=is_last)
    if isinstance(sent, SharedBody):
        sent.close()  # the other side has it
    got = receiver.receive()
    assert got is not None
    assert got.body is not None
    assert (msgspec.msgpack.decode(got.head), bytes(got.body), got.is_last) == (head, body, is_last)


@given(lengths=st.lists(LENGTHS, max_size=6))
def test_packets_keep_their_order_and_bounds(lengths: list[int]) -> None:
    ours, theirs = frames.pair()
    with ours, theirs:
        for number, length in enumerate(lengths):
            frames.send(ours, head_of(number), body_of(length))
        ours.close()
        receiver = Receiver(theirs)
        for number, length in enumerate(lengths):
            got = receiver.receive()
            assert got is not None
            assert (got.head, len(got.body or b"")) == (head_of(number), length)
        assert receiver.receive() is None


@given(parts=st.lists(LENGTHS, max_size=5))
def test_a_shared_body_grows_with_what_is_written(parts: list[int]) -> None:
    with closing(SharedBody()) as body:
        for part in parts:
            body.write(body_of(part))
        assert bytes(body.view) == b"".join(map(body_of, parts))
        assert len(body) == sum(parts)


@given(st.lists(st.tuples(LENGTHS, st.booleans()), min_size=1, max_size=5), st.integers(0, 63), st.integers(1, 2**20))
def test_a_body_may_be_received_where_it_lies(
    pair: Pair, bodies: list[tuple[int, bool]], start: int, most: int
) -> None:
    """Whatever the memory had before: some of it is used again, some is not."""
    connection, receiver = pair
    SharedBody.old_spare(0)
    for length, is_free in bodies:
        content = memoryview(body_of(length))
        body = SharedBody(start, expected=length)
        while content:
            room = body.room(len(content))
            size = min(max(most, length // 9), len(room))
            room[:size] = content[:size]
            body.fill(size)
            content = content[size:]
        assert bytes(body.view) == body_of(length)
        frames.send(connection, head_of(0), body)
        got = receiver.receive()
        assert got is not None
        assert bytes(got.body or b"") == body_of(length)
        body.is_free = is_free
        body.close()


def has_let_go(receiver: Receiver) -> bool:
    return receiver.has_let_go


def test_memory_is_used_again_once_nobody_looks_into_it(pair: Pair) -> None:
    connection, receiver = pair
    SharedBody.old_spare(0)
    before = descriptors()
    with closing(SharedBody.of(bytes(10**6))) as body:
        frames.send(connection, head_of(0), body)
        got = receiver.receive()
        assert got is not None
        assert not has_let_go(receiver)
        view = memoryview(got.body or b"")[5:]
        del got
        assert not has_let_go(receiver)
        del view
        assert has_let_go(receiver)
        body.is_free = receiver.has_let_go
    assert descriptors() == before + 1
    with closing(SharedBody.of(bytes(10))):
        assert descriptors() == before + 1
    assert descriptors() == before  # that it is free nobody has said
    frames.send(connection, head_of(0), b"short")
    receiver.receive()
    assert not has_let_go(receiver)


def test_memory_that_is_not_used_again_goes_back() -> None:
    SharedBody.old_spare(0)
    before = descriptors()
    bodies = [SharedBody.of(bytes(10**6)) for _ in range(3)]
    for body in bodies:
        body.is_free = True
        body.close()
    assert descriptors() == before + 3
    assert SharedBody.old_spare() == []
    assert len(SharedBody.old_spare(0)) == 3
    assert descriptors() == before


def test_memory_beyond_what_may_be_kept_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    SharedBody.old_spare(0)
    before = descriptors()
    monkeypatch.setattr(frames, "SPARE_BYTES", 2 * 10**6)
    bodies = [SharedBody.of(bytes(10**6)) for _ in range(3)]
    for body in bodies:
        body.is_free = True
        body.close()
    assert descriptors() == before + 2
    assert len(SharedBody.old_spare(0)) == 2


def test_what_a_receiver_writes_nobody_else_sees(pair: Pair) -> None:
    connection, receiver = pair
    with closing(SharedBody.of(bytes(10))) as shared:
        for number in (1, 2):
            frames.send(connection, head_of(0), shared)
            got = receiver.receive()
            assert got is not None
            body = memoryview(got.body or b"")
            assert bytes(body) == bytes(10)
            body[0] = number
        assert bytes(shared.view) == bytes(10)


def test_a_body_outlives_its_sender() -> None:
    ours, theirs = frames.pair()
    pid = os.fork()
    if not pid:
        frames.send(ours, head_of("last words"), b"x" * 10**6)
        os.kill(os.getpid(), signal.SIGKILL)
    ours.close()
    with theirs:
        os.waitpid(pid, 0)
        receiver = Receiver(theirs)
        got = receiver.receive()
        assert got is not None
        assert (got.head, bytes(got.body or b"")) == (head_of("last words"), b"x" * 10**6)
        assert receiver.receive() is None


def test_a_page_tells_how_far_a_process_came_that_is_dead() -> None:
    with closing(Page()) as page:
        assert Stage(page.stage) == 0
        pid = os.fork()
        if not pid:
            Page(os.dup(page.descriptor)).stage = Stage.COMMITTING
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        stages = [page.stage]
        page.stage = Stage.RUNNING
        assert [*stages, page.stage] == [Stage.COMMITTING, Stage.RUNNING]


def test_nobody_is_there_to_take_a_packet() -> None:
    ours, theirs = frames.pair()
    with ours:
        theirs.close()
        for body in (b"", b"x" * 10**6):
            with pytest.raises(OSError, match=r"Broken pipe|reset"):
                frames.send(ours, head_of(0), body)


def test_there_may_be_no_packet_yet() -> None:
    ours, theirs = frames.pair()
    with ours, theirs:
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            Receiver(theirs).receive()


def test_the_longest_head_and_inline_body_fit_into_a_packet(pair: Pair) -> None:
    connection, receiver = pair
    head = head_of("x" * (frames.HEAD_BYTES - 5))
    assert len(head) == frames.HEAD_BYTES
    for length in (INLINE_BYTES, INLINE_BYTES + 1):
        frames.send(connection, head, body_of(length))
        got = receiver.receive()
        assert got is not None
        assert (got.head, bytes(got.body or b"")) == (head, body_of(length))


def test_every_descriptor_is_given_back() -> None:
    gc.collect()
    before = descriptors()
    ours, theirs = frames.pair()
    with ours, theirs:
        receiver = Receiver(theirs)
        for number in range(50):
            frames.send(ours, head_of(number), b"x" * (INLINE_BYTES + number))
            assert receiver.receive() is not None
        frames.send(ours, head_of(0), b"x" * 10**6)  # nobody takes it
    with closing(Page()):
        pass
    SharedBody.of(b"abc")  # let go of without a word
    gc.collect()
    assert descriptors() == before


def test_a_body_whose_descriptor_is_lost_is_no_packet(pair: Pair) -> None:
    connection, receiver = pair
    connection.send(msgspec.msgpack.encode([1, b"", 10**6]))
    with pytest.raises(OSError, match="descriptor"):
        receiver.receive()


def test_small_messages_carry_descriptors() -> None:
    ours, theirs = frames.pair()
    with ours, theirs, closing(Page()) as page:
        frames.send_descriptors(ours, ["fork", 1], [page.descriptor, page.descriptor])
        message, found = frames.receive_descriptors(theirs)
        assert message == ["fork", 1]
        with closing(Page(found[0])) as same:
            same.stage = Stage.COMMITTED
        os.close(found[1])
        assert page.stage is Stage.COMMITTED
        ours.close()
        assert frames.receive_descriptors(theirs) == (None, [])


def test_memory_that_lies_spare_is_not_a_childs() -> None:
    """Its descriptors are closed there, and their numbers taken by others."""
    body = SharedBody()
    body.write(b"x")
    body.is_free = True
    body.close()
    assert SharedBody._spare
    pid = os.fork()
    if not pid:
        os._exit(len(SharedBody._spare))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
