"""Bodies: media types, compression, JSON and msgpack.

JSON is read by msgspec (it keeps large integers) and written by orjson (it writes NumPy arrays, float32 with the fewest
digits); msgpack both ways by msgspec. zstd comes from the standard library, or from its backport before Python 3.14.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
import orjson

from app.limits import Limits, OverLimit, Place
from app.wire import numbers, repetition
from app.wire.msgpack_values import count_values
from app.wire.nonfinite import NonFinite

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


Body = bytes | bytearray | memoryview


class CodecError(Exception):
    """A body that cannot be read or written; ``str(error)`` is fit for the client."""


class MalformedBody(CodecError):
    """Not the JSON, msgpack, gzip or zstd that it claims to be."""


class RepeatedKey(MalformedBody):
    """An object that has two members of one name; ``place`` is the path to the second."""

    def __init__(self, place: Place) -> None:
        super().__init__("a key comes twice in one object")
        self.place = place


class UnsupportedMedia(CodecError):
    """A Content-Type or Content-Encoding that is not read here."""


class NotAcceptable(CodecError):
    """An Accept that nothing written here satisfies."""


class Format(Enum):
    """How a body is written; the value is its media type."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"


JSON, MSGPACK = Format  # looking a member up in its class takes longer than all else that asks for it
_ALIASES: Final = {
    "application/json": JSON,
    "application/msgpack": MSGPACK,
    "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK,
}
FORMATS: Final = (JSON, MSGPACK)
OCTETS: Final = "application/octet-stream"
_PROBLEM: Final = "application/problem+json"


# -- negotiation --------------------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def request_format(content_type: str | None, read: tuple[Format, ...] = FORMATS) -> Format:
    """How a body of this Content-Type is read; the first of the formats that are where none is given."""
    if not content_type:
        return read[0]
    form = _ALIASES.get(content_type.partition(";")[0].strip().lower())
    if form not in read:
        raise UnsupportedMedia(f"Content-Type must be {_listed(read)}")
    return form


def is_octets(content_type: str | None) -> bool:
    """Whether a body says no more of itself than that it is bytes."""
    return bool(content_type) and str(content_type).partition(";")[0].strip().lower() == OCTETS


@lru_cache(maxsize=256)
def answer_format(accept: str | None, written: tuple[Format, ...] = FORMATS) -> Format:
    """Return the format an Accept header prefers; the first of those that are written where it does not say."""
    if not accept or accept.strip() == "*/*":
        return written[0]
    quality, form = max(((_quality(form, accept), form) for form in written), key=lambda pair: pair[0])
    if quality <= 0 and not _speaks_of_problems_alone(accept):
        raise NotAcceptable(f"Accept must allow {_listed(written)}")
    return form


def _speaks_of_problems_alone(accept: str) -> bool:
    """Whether nothing is said of other answers: clients made by openapi-generator name what is JSON, and no more."""
    return all(part.partition(";")[0].strip().lower() == _PROBLEM for part in accept.split(","))


def _listed(formats: tuple[Format, ...]) -> str:
    return " or ".join(form.value for form in formats)


def _quality(form: Format, accept: str) -> float:
    """Return the weight of ``form``, by the most specific range that covers it."""
    best = (-1, 0.0)
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        specificity = _specificity(form, media_range)
        if specificity >= 0:
            best = max(best, (specificity, _weight(parameters)))
    return best[1]


def _specificity(form: Format, media_range: str) -> int:
    if _ALIASES.get(media_range) is form:
        return 2
    return {"application/*": 1, "*/*": 0}.get(media_range, -1)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=256)
def answer_coding(accept_encoding: str | None) -> str | None:
    """Return how an answer is to be compressed, if the client asks for that; zstd rather than gzip."""
    weights: dict[str, float] = {}
    for part in (accept_encoding or "").split(","):
        coding, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[coding] = _weight(parameters)
    found = [(weights.get(coding, weights.get("*", 0.0)), coding) for coding in ("zstd", "gzip")]
    weight, best = max(found, key=lambda pair: pair[0])
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def compress(body: Body, coding: str) -> bytes:
    """Return ``body`` in a Content-Encoding, quickly rather than small."""
    if coding == "zstd":
        return zstd.compress(body, 1)
    return gzip.compress(body, 1, mtime=0)


# -- compression --------------------------------------------------------------------------------------------------
def decompress(body: Body, content_encoding: str | None, limits: Limits) -> Body:
    """``body`` without its Content-Encoding. Never makes more than the limit, however small the body is."""
    coding = (content_encoding or "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in _DECOMPRESSORS:
        raise UnsupportedMedia("Content-Encoding must be gzip, zstd or identity")
    return _inflate(body, coding, limits.body_bytes)


_DECOMPRESSORS: Final[dict[str, Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": zstd.ZstdDecompressor,
}


MEMBERS: Final = 1_000  # gzip members or zstd frames of one body; each takes a decompressor
CHUNK_BYTES: Final = 2**16


def _inflate(body: Body, coding: str, allowed: int) -> bytes:
    """Return all members (gzip) or frames (zstd) of ``body``, which is looked at once.

    A decompressor copies what it is given beyond its member, so it is given little at a time.
    """
    view, place, parts, size = memoryview(body), 0, [], 0
    for _ in range(MEMBERS):
        decompressor = _DECOMPRESSORS[coding]()
        while not decompressor.eof:
            chunk = view[place : place + CHUNK_BYTES]
            if not chunk:
                raise MalformedBody(f"the {coding} body is cut short")
            part = _decompressed(decompressor, chunk, coding, allowed - size + 1)
            size += len(part)
            if size > allowed:
                raise OverLimit("body_bytes", allowed=allowed, asked=size)
            parts.append(part)
            place += len(chunk) - len(decompressor.unused_data)
        if place == len(view):
            return b"".join(parts)
    raise MalformedBody(f"the body has more than {MEMBERS} {coding} members")


def _decompressed(decompressor: Any, chunk: memoryview, coding: str, most: int) -> bytes:
    try:
        return decompressor.decompress(chunk, most)  # type: ignore[no-any-return]
    except (zlib.error, zstd.ZstdError):
        raise MalformedBody(f"the body is not valid {coding}") from None


# -- reading ------------------------------------------------------------------------------------------------------
def decode(body: Body, form: Format, limits: Limits) -> Any:
    """Read a body: dicts with string keys, lists, strings, numbers, booleans, ``None``, and bytes (msgpack)."""
    check_values(body, form, limits)
    try:
        value = msgspec.json.decode(body) if form is JSON else msgspec.msgpack.decode(body)
    except RecursionError:
        raise OverLimit("json_depth", allowed=limits.json_depth, asked=limits.json_depth + 1) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedBody(_malformed(form, error)) from None
    check_members(body, value, form, limits.json_depth)
    _check_keys(body, value, form)
    return value


def check_values(body: Body, form: Format, limits: Limits) -> None:
    """Refuse more values than a body may have, before any of them is made: an object takes many times its text."""
    if len(body) <= limits.body_values:
        return
    if form is MSGPACK:
        count = count_values(memoryview(body), limits.body_values)
    else:  # commas in strings count, too
        text = bytes(body)
        count = 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
    if count > limits.body_values:
        raise OverLimit("body_values", allowed=limits.body_values, asked=count)


def opens_more_than(depth: int, text: bytes) -> bool:
    """Return whether more brackets open than there may be levels, wherever they stand."""
    return text.count(b"[") + text.count(b"{") > depth


def decode_request(body: Body, form: Format, limits: Limits) -> Any:
    """As ``decode``, but large data are not copied.

    Where a request has tensors, a long list of numbers in JSON comes as ``Numbers``; long bytes in msgpack come as a
    view of the body.
    """
    if form is MSGPACK:
        return _decode_views(body, limits)
    body = bytes(body)
    cut = cut_out(body, form, limits)
    if cut is not None:
        with suppress(MalformedBody, numbers.Unusual):
            return cut.fill(decode(cut.rest, form, limits), limits.json_depth)
    return decode(body, form, limits)


def cut_out(body: Body, form: Format, limits: Limits) -> numbers.Cut | None:
    """Return the long lists of numbers of a JSON body, if it has any that can be read apart from the rest."""
    if form is MSGPACK or len(body) <= numbers.LEAST_BYTES:
        return None
    return numbers.cut(bytes(body), 2 * limits.tensor_elements)  # complex elements take two numbers


def decode_part(part: msgspec.Raw, body: Body, form: Format) -> Any:
    """Read a part of ``body``; long bytes in msgpack are a view of it. ``check_members`` has yet to be asked."""
    return msgspec.json.decode(part) if form is JSON else _opened(part, body, _LEVELS)


LARGE: Final = 2**16  # bytes, from which on a copy costs more than to do without
_LEVELS: Final = 8  # that are opened one by one: deep enough for where tensors stand
_MAP: Final = frozenset([*range(0x80, 0x90), 0xDE, 0xDF])  # first bytes of msgpack values
_SHORT_LIST: Final = frozenset(range(0x90, 0xA0))
_BYTES: Final = frozenset([0xC4, 0xC5, 0xC6])


def _decode_views(body: Body, limits: Limits) -> Any:
    check_values(body, MSGPACK, limits)
    try:
        value = _opened(body, body, _LEVELS)
    except (RecursionError, msgspec.MsgspecError, ValueError):
        return decode(body, MSGPACK, limits)
    check_members(body, value, MSGPACK, limits.json_depth)
    _check_keys(body, value, MSGPACK)
    return value


def _opened(part: Any, body: Body, levels: int) -> Any:
    """Read a part of a msgpack body; long bytes in it are views, if they stand in objects and short lists."""
    view = memoryview(part)
    if len(view) >= LARGE and levels > 0:
        if view[0] in _MAP:
            members = msgspec.msgpack.decode(view, type=dict[str, msgspec.Raw])
            return {key: _opened(member, body, levels - 1) for key, member in members.items()}
        if view[0] in _SHORT_LIST:
            items = msgspec.msgpack.decode(view, type=list[msgspec.Raw])
            return [_opened(item, body, levels - 1) for item in items]
        if view[0] in _BYTES:
            return _within(body, msgspec.msgpack.decode(view, type=memoryview))
    return msgspec.msgpack.decode(view)


def _within(body: Body, part: memoryview) -> memoryview:
    """Return the same bytes as a view of the body itself: what has passed a decoder may not be written to."""
    whole = memoryview(body)
    if not len(part):
        return part
    start = _address(part) - _address(whole)
    return whole[start : start + len(part)] if 0 <= start <= len(whole) - len(part) else part


def _address(view: memoryview) -> int:
    address: int = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
    return address


def _malformed(form: Format, error: Exception) -> str:
    """Say what is wrong: the decoder's message names a position, never the text itself; others might."""
    name = "JSON" if form is JSON else "msgpack"
    known = isinstance(error, msgspec.MsgspecError) and len(str(error)) < 200
    return f"the body is not valid {name}" + (f": {error}" if known else "")


def check_members(body: Body, value: Any, form: Format, depth: int) -> None:
    """Refuse what nests deeper than ``depth``, and msgpack that is more than JSON and bytes."""
    if form is MSGPACK or opens_more_than(depth, bytes(body)):
        _check_members(value, depth)


def _check_keys(body: Body, value: Any, form: Format) -> None:
    """Refuse an object with two members of one name: ``value`` has the last, and others might take the first."""
    find = repetition.in_json if form is JSON else repetition.in_msgpack
    place = find(body, value)
    if place is not None:
        raise RepeatedKey(place)


def _check_members(value: Any, depth: int) -> None:
    level, levels = [value], 0
    while level := _containers(level):
        levels += 1
        if levels > depth:
            raise OverLimit("json_depth", allowed=depth, asked=levels)
        level = list(chain.from_iterable(map(_members, level)))


_SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes, memoryview})


def _containers(level: list[Any]) -> list[Any]:
    """Return the lists and dicts among ``level``; any other must be a scalar (msgpack has more types than we read)."""
    kinds = set(map(type, level))
    if kinds <= _SCALARS:
        return []
    if not kinds <= _SCALARS | {list, dict}:
        raise MalformedBody("msgpack extension types and timestamps are not read here")
    return [member for member in level if type(member) is list or type(member) is dict]


def _members(container: Any) -> Any:
    if type(container) is list:
        return container
    if not all(type(key) is str for key in container):
        raise MalformedBody("the keys of an object must be strings")
    return container.values()


# -- writing ------------------------------------------------------------------------------------------------------
def encode(value: Any, form: Format) -> bytes:
    """Return the body that says ``value``. Arrays in it are finite, or ``NonFinite``."""
    return _encode_json(value) if form is JSON else _encode_msgpack(value)


def written(body: bytes, form: Format) -> Any:
    """Return what is written already, for a value that is about to be."""
    return orjson.Fragment(body) if form is JSON else msgspec.Raw(body)


def encode_data(data: Any, form: Format) -> tuple[Body, ...]:
    """As ``encode``, in pieces: long bytes in msgpack are not copied."""
    if form is MSGPACK and isinstance(data, memoryview) and LARGE <= data.nbytes < 2**32:
        return b"\xc6" + data.nbytes.to_bytes(4, "big"), data  # a "bin 32" of the specification
    return (encode(data, form),)


def _encode_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_fragment, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # integers over 64 bits, half surrogate pairs, nesting over 254: rare, and slower
        return _with_fallback(lambda: json.dumps(value, default=_plain, separators=(",", ":")).encode())


def _fragment(value: Any) -> Any:
    return orjson.Fragment(value.json()) if isinstance(value, NonFinite) else _plain(value)


def _encode_msgpack(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value, enc_hook=_plain)
    except (OverflowError, UnicodeError):  # msgpack has no integers over 64 bits: they become floats
        return _with_fallback(lambda: msgspec.msgpack.encode(json.loads(_encode_json(value), parse_int=_bounded_int)))


def _with_fallback(write: Any) -> bytes:
    try:
        return bytes(write())
    except (RecursionError, ValueError):
        raise CodecError("the answer nests too deep, or holds a number that no body can carry") from None


def _bounded_int(digits: str) -> int | float:
    value = int(digits)
    return value if -(2**63) <= value < 2**64 else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, NonFinite):
        return value.lists()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"no encoding for {type(value).__name__}")
