"""Trace contexts: what W3C calls valid is taken over, and nothing else is."""

import pytest

from app.observe.trace_context import Trace, trace_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_parent_and_its_state_are_read() -> None:
    trace = trace_of(PARENT.encode(), b"rojo=00f067aa0ba902b7 ,congo=t61rcWkgMzE,, a1@v=x")
    assert trace == Trace(TRACE, SPAN, 1, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a1@v=x")
    assert trace.parent == PARENT


@pytest.mark.parametrize(
    ("given", "parent"),
    [
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f" {PARENT}\t", PARENT),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),  # flags that nobody knows yet are not passed on
        (f"cc-{TRACE}-{SPAN}-01", PARENT),  # a later version, in the words of this one
        (f"cc-{TRACE}-{SPAN}-01-what the future holds", PARENT),
    ],
)
def test_what_is_passed_on(given: str, parent: str) -> None:
    trace = trace_of(given.encode())
    assert trace is not None
    assert trace.parent == parent


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"{PARENT}-more",
        f"{PARENT}-",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
        f"0-{TRACE}-{SPAN}-01",
        f"{PARENT}\n",
        f"00-{TRACE}-{SPAN}-0\u0661",
        f"{PARENT}, {PARENT}",
    ],
)
def test_what_is_no_parent(given: str) -> None:
    assert trace_of(given.encode(), b"a=b") is None


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b" , ",
        b"a",
        b"A=1",
        b"a=1,a=2",
        b"a=",
        b"a=\x01",
        b"a=b=c",
        b"a@b@c=1",
        b"a=" + b"x" * 257,
        b"a" * 257 + b"=1",
        b",".join(b"k%d=v" % i for i in range(33)),
        b"a=\xff",
        b"a=" + b" " * 9000 + b"b",
    ],
)
def test_a_state_that_is_not_valid_is_left_out(given: bytes) -> None:
    assert trace_of(PARENT.encode(), given) == Trace(TRACE, SPAN, 1)


def test_a_state_of_as_much_as_is_allowed() -> None:
    state = b",".join(b"k%d=v" % i for i in range(32))
    trace = trace_of(PARENT.encode(), state)
    assert trace is not None
    assert trace.state == state.decode()
