"""What a msgpack body holds, without making any of it: how many values, and where long bytes lie."""

from __future__ import annotations

from typing import Final


def _layout(first: int) -> tuple[int, int, int]:
    """What begins with this byte: bytes of its header, of which at the end say a length, and its kind.

    Kinds: how many values each of that length stands for (0: it is bytes; 1: items; 2: pairs). The lengths of what is
    short stand in the first byte itself.
    """
    sized = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bin and str
    fixed = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
             0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
    extensions = {0xC7: 1, 0xC8: 2, 0xC9: 4}
    lists, maps = {0xDC: 2, 0xDD: 4}, {0xDE: 2, 0xDF: 4}
    if first in sized:
        return 1 + sized[first], sized[first], 0
    if first in extensions:
        return 1 + extensions[first], extensions[first], -1
    if first in lists:
        return 1 + lists[first], lists[first], 1
    if first in maps:
        return 1 + maps[first], maps[first], 2
    return 1 + fixed.get(first, 0), 0, 0


_LAYOUTS: Final = [_layout(first) for first in range(256)]


def count_values(body: bytes | memoryview, most: int) -> int:
    """Return the number of values in ``body``, keys of objects included; some number over ``most`` if it is more.

    Of what is malformed, those up to there: whoever decodes it finds that out.
    """
    count, left, place, end = 0, 1, 0, len(body)
    while left and place < end and count + left <= most:
        first = body[place]
        header, width, kind = _LAYOUTS[first]
        place += header
        count += 1
        left -= 1
        if width:
            length = int.from_bytes(body[place - width : place], "big")
        elif 0x80 <= first < 0xC0:
            length = first & (0x1F if first >= 0xA0 else 0x0F)
            kind = 2 if first < 0x90 else 1 if first < 0xA0 else 0
        else:
            continue
        if kind > 0:
            left += kind * length
        else:
            place += length - kind  # an extension has a byte for its type
    return count + left


_BIN_32: Final = b"\xc6"


def place_of_long_bytes(first: bytes, size: int) -> int:
    """Return where the bytes begin that more than half of a body consists of; 0 if there are none, or too far behind.

    ``first`` is how the body of ``size`` bytes begins. This is a guess: whatever looks like the header of such bytes.
    """
    place = first.find(_BIN_32)
    while place >= 0:
        begin = place + 5
        length = int.from_bytes(first[place + 1 : begin], "big")
        if size < 2 * length and begin + length <= size:
            return begin
        place = first.find(_BIN_32, place + 1)
    return 0
