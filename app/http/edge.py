"""What holds for connections before any application is asked: how many, how fast, and which heads are HTTP.

Nothing here is done for each request but ``check_head``, and that only for heads that are unusual.
"""

from __future__ import annotations

import re
from asyncio import Future, get_running_loop
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from ipaddress import IPv6Address
from typing import Final

from app.errors import InvalidHttp, UnsupportedHttp
from app.limits import Limits, OverLimit
from app.observe.facts import Facts

Headers = list[tuple[bytes, bytes]]


class HeadersByName(dict[bytes, bytes]):
    """Headers of a request by name. Requests with one head share them, and so what a route made of them once."""

    __slots__ = ("asked",)
    asked: object

    def __init__(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(headers)
        self.asked = None


EXCESS: Final = 64  # connections over the limits that are told so; more are cut off without a word
ROUND_BYTES: Final = 2**20  # of long bodies and answers, that pass in one round of the loop: a millisecond or two
AT_ONCE: Final = 2  # connections that have waited, and go on in one round
LINGER_S: Final = 2.0  # how long a client may take to read a refusal and close: what it still sends is dropped
LOOK_S: Final = 1.0  # how often a connection is looked at, or more often where limits are short
HEADER_OVERHEAD: Final = 4  # bytes between name and value and after it
LISTS: Final = frozenset({b"accept", b"content-encoding"})  # headers whose values add up, of those that are read here
SINGLE: Final = (b"host", b"content-length", b"content-type", b"authorization", b"idempotency-key")


_HOST: Final = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*", re.ASCII)  # RFC 3986, section 3.2.2, and a port


# -- heads ----------------------------------------------------------------------------------------------------------
def by_name(headers: Headers) -> HeadersByName:
    """Headers by name; of several with one name, lists are joined, and of others the first counts."""
    given = HeadersByName(reversed(headers))
    if len(given) != len(headers):
        for name in LISTS & given.keys():
            given[name] = b", ".join([value for other, value in headers if other == name])
    return given


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent, each with the end of its line."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


@lru_cache(1024)
def is_host(value: bytes) -> bool:
    """Return whether a Host header may name a host."""
    return _HOST.fullmatch(value) is not None


def check_head(headers: Headers, version: str, line_bytes: int, limits: Limits) -> None:
    """Refuse a head that is too large, or that two readers might understand in two ways.

    ``line_bytes`` is the length of the request's target.
    """
    size = line_bytes + sum([len(name) + len(value) + HEADER_OVERHEAD for name, value in headers])
    if size > limits.header_bytes:
        raise OverLimit("header_bytes", allowed=limits.header_bytes, asked=size)
    if len(headers) > limits.headers:
        raise OverLimit("headers", allowed=limits.headers, asked=len(headers))
    counts = Counter([name for name, _ in headers])
    for name in SINGLE:
        if counts[name] > 1:
            raise InvalidHttp(f"{name.decode().title()} comes twice")
    if not counts[b"host"] and version != "1.0":
        raise InvalidHttp("a request names its Host")
    if any(name == b"host" and not is_host(value) for name, value in headers):
        raise InvalidHttp("the Host is none")
    if counts[b"transfer-encoding"]:
        _check_coding(headers, version, has_length=counts[b"content-length"] > 0)


def _check_coding(headers: Headers, version: str, *, has_length: bool) -> None:
    if has_length:
        raise InvalidHttp("Content-Length and Transfer-Encoding exclude each other")
    if version == "1.0":
        raise InvalidHttp("HTTP/1.0 has no Transfer-Encoding")
    values = [value for name, value in headers if name == b"transfer-encoding"]
    codings = [coding.strip().lower() for coding in b",".join(values).split(b",")]
    if codings.count(b"chunked") > 1:
        raise InvalidHttp("a body is chunked once")
    if codings != [b"chunked"]:
        raise UnsupportedHttp("the only Transfer-Encoding that is read here is chunked")


# -- pace -----------------------------------------------------------------------------------------------------------
class Pace:
    """When bytes are overdue: each buys the time that it takes at the slowest rate allowed, beside ``read_seconds``.

    What came fast buys nothing for later: the time bought never lies ahead of the clock.
    """

    def __init__(self, now: float, limits: Limits) -> None:
        self._bought, self._limits = now, limits

    def moved(self, nbytes: int, now: float) -> None:
        """Note that bytes have got on."""
        self._bought = min(now, self._bought + nbytes / self._limits.read_rate)

    @property
    def deadline(self) -> float:
        """When the next bytes must have got on."""
        return self._bought + self._limits.read_seconds


class Turns:
    """Lets long bodies and answers pass by turns: so much in one round of the loop, and others wait for no more.

    A connection that could go on when a round has had its share waits for a later one.
    """

    def __init__(self) -> None:
        self._moved_bytes = 0  # in this round
        self._is_begun = False
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def is_over(self) -> bool:
        """Whether this round has had its share."""
        return self._moved_bytes >= ROUND_BYTES

    def moved(self, nbytes: int) -> None:
        """Note that so much has come or gone."""
        self._begin()
        self._moved_bytes += nbytes

    async def own(self) -> None:
        """Wait for a turn, if this round has had its share."""
        if self.is_over:
            turn = get_running_loop().create_future()
            self.wait(partial(_let, turn))
            await turn

    def wait(self, resume: Callable[[], None]) -> None:
        """Have ``resume`` called in a later round."""
        self._begin()
        self._waiting.append(resume)

    def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._moved_bytes, self._is_begun = 0, False
        for _ in range(min(len(self._waiting), AT_ONCE)):
            self._waiting.popleft()()
        if self._waiting:
            self._begin()


def _let(turn: Future[None]) -> None:
    if not turn.done():  # whoever waited may have gone
        turn.set_result(None)


# -- how many -------------------------------------------------------------------------------------------------------
class Edge:
    """What the connections of one application share. ``refused`` is told of what is refused here."""

    def __init__(self, limits: Limits, refused: Callable[[Facts, int, int], None] = lambda *_: None) -> None:
        self.limits, self.refused = limits, refused
        shortest = min(limits.header_seconds, limits.idle_seconds, limits.read_seconds)
        self.look_s = min(LOOK_S, shortest / 4)
        self.turns = Turns()
        self._counts: Counter[str | None] = Counter()
        self._excess = 0
        self._defaults: Headers = []  # headers of every answer, and their lines
        self._lines = b""

    def enter(self, address: str | None) -> OverLimit | None:
        """Count a connection; why it is one too many, if it is. Each that enters leaves."""
        network, limits = network_of(address), self.limits
        over = None
        if network is not None and self._counts[network] >= limits.address_connections:
            over = _one_more("address_connections", limits.address_connections)
        elif self._counts.total() >= limits.connections:
            over = _one_more("connections", limits.connections)
        if over is None:
            self._counts[network] += 1
        else:
            self._excess += 1
        return over

    def lines_of(self, defaults: Headers) -> bytes:
        """Return the lines of the server's own headers, which are the same list for a second."""
        if defaults is not self._defaults:
            self._defaults, self._lines = defaults, lines(defaults)
        return self._lines

    @property
    def is_crowded(self) -> bool:
        """Whether there are so many connections too many that no more of them are told."""
        return self._excess > EXCESS

    def leave(self, address: str | None, over: OverLimit | None) -> None:
        """Count a connection no more."""
        if over is not None:
            self._excess -= 1
            return
        network = network_of(address)
        self._counts[network] -= 1
        if not self._counts[network]:
            del self._counts[network]


def _one_more(limit: str, allowed: int) -> OverLimit:
    return OverLimit(limit, allowed=allowed, asked=allowed + 1)


def network_of(address: str | None) -> str | None:
    """Return whose an address is: one host mostly has 2**64 of IPv6. ``None`` is nobody's: a socket in a folder."""
    if address is not None and ":" in address:
        with suppress(ValueError):
            parsed = IPv6Address(address.partition("%")[0])
            return str(parsed.ipv4_mapped or f"{int(parsed) >> 64:x}::/64")
    return address
