"""Texts of values by format specs: ``format``, f-strings, ``str.format``; what may get long is paid for before."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from app.program import costs
from app.program.costs import ITEM_BYTES, SMALL, Cost, pay
from app.program.failures import PythonError, python, shown
from app.program.instances import Special
from app.program.operations import get_item, type_name
from engine import Tensor

_NUMBERS: Final = re.compile(r"\d+")
_FIELD: Final = re.compile(r"([^.\[!:]*)((?:\.[^.\[!:]+|\[[^\]]+\])*)")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[([^\]]+)\]")
_PLAIN: Final = (bool, int, float, complex, str)
DEPTH: Final = 2  # of fields within the specs of fields, as in Python


def text_of(value: Any) -> str:
    """``str(value)``, paid for."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is float or (kind is int and -SMALL < value < SMALL):
        return str(value)
    pay(costs.text(value))
    return shown(str(python(str, value)))


def repr_of(value: Any) -> str:
    """``repr(value)``, paid for."""
    pay(costs.text(value))
    return shown(str(python(repr, value)))


@lru_cache(maxsize=1024)
def _longest(spec: str) -> int:
    """The widths and precisions in a spec, together."""
    return sum(int(number[:12]) for number in _NUMBERS.findall(spec))


def formatted(value: Any, spec: str) -> str:
    """``format(value, spec)``."""
    kind = type(value)
    if (kind is float or (kind is int and -SMALL < value < SMALL)) and type(spec) is str and _longest(spec) < 500:
        return str(python(format, value, spec))
    if not isinstance(spec, str):
        raise PythonError(TypeError, f"format() argument 2 must be str, not {type_name(spec)}")
    if not spec and not isinstance(value, (Special, Tensor)):
        return text_of(value)
    count = 2 * _longest(spec) + (costs.text_length(value) if isinstance(value, _PLAIN) else 400)
    digits = costs.text(value).steps if type(value) is int else 0
    pay(Cost(1 + count + digits, ITEM_BYTES * count, count))
    if isinstance(value, (Tensor, np.generic, np.ndarray, Special, *_PLAIN)):
        return str(python(format, value, spec))
    raise PythonError(TypeError, f"unsupported format string passed to {type_name(value)}.__format__")


CONVERSIONS: Final[dict[str, Callable[[Any], str]]] = {
    "": lambda value: value,
    "s": text_of,
    "r": repr_of,
    "a": lambda value: repr_of(value).encode("ascii", "backslashreplace").decode(),
}


def converted(value: Any, conversion: str) -> Any:
    """``value`` as ``!r`` and its like say."""
    found = CONVERSIONS.get(conversion)
    if found is None:
        raise PythonError(ValueError, f"Unknown conversion specifier {conversion!r}")
    return found(value)


class _Fields:
    """The arguments of one ``str.format``: by number, counted or named."""

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any], attribute: Callable[[Any, str], Any]) -> None:
        self.args, self.kwargs, self.attribute = args, kwargs, attribute
        self.counted = 0
        self.is_numbered: bool | None = None

    def value(self, path: str) -> Any:
        """What ``name.attribute[key]`` is: by the same tables as an expression in the program."""
        found = _FIELD.fullmatch(path)
        if found is None:
            raise PythonError(ValueError, "Only '.' or '[' may follow ']' in format field specifier")
        value = self._first(found[1])
        for name, key in _STEP.findall(found[2]):
            if name:
                value = self.attribute(value, name)
            else:
                value = get_item(value, int(key) if key.isdecimal() and len(key) < 10 else key)
        return value

    def _first(self, name: str) -> Any:
        if not name or name.isdecimal():
            if self.is_numbered is not None and self.is_numbered != bool(name):
                one, other = ("automatic field numbering", "manual field specification")
                raise PythonError(
                    ValueError,
                    f"cannot switch from {other if self.is_numbered else one} to {one if self.is_numbered else other}",
                )
            self.is_numbered = bool(name)
            place = int(name[:9]) if name else self.counted
            self.counted += not name
            if place >= len(self.args):
                raise PythonError(IndexError, f"Replacement index {place} out of range for positional args tuple")
            return self.args[place]
        if name not in self.kwargs:
            raise PythonError(KeyError, repr(name))
        return self.kwargs[name]


def format_text(form: str, args: Sequence[Any], kwargs: Mapping[str, Any], attribute: Callable[[Any, str], Any]) -> str:
    """``form.format(*args, **kwargs)``; ``attribute`` looks attributes up."""
    return _format(form, _Fields(args, kwargs, attribute), DEPTH)


def _format(form: str, fields: _Fields, depth: int) -> str:
    if depth <= 0:
        raise PythonError(ValueError, "Max string recursion exceeded")
    parts: list[str] = []
    place, total = 0, 0
    while place < len(form):
        brace = _next_brace(form, place)
        parts.append(form[place:brace])
        if brace == len(form):
            break
        if form[brace : brace + 2] in ("{{", "}}"):
            parts.append(form[brace])
            place = brace + 2
            continue
        if form[brace] == "}":
            raise PythonError(ValueError, "Single '}' encountered in format string")
        end = _end_of(form, brace)
        parts.append(_field(form[brace + 1 : end], fields, depth))
        total += len(parts[-1])
        pay(Cost(1, 0, total))
        place = end + 1
    text = "".join(parts)
    pay(Cost(1 + len(text) // 8, ITEM_BYTES * len(text), len(text)))
    return text


def _next_brace(form: str, place: int) -> int:
    found = [one for one in (form.find("{", place), form.find("}", place)) if one >= 0]
    return min(found, default=len(form))


def _end_of(form: str, start: int) -> int:
    depth = 0
    for place in range(start, len(form)):
        depth += {"{": 1, "}": -1}.get(form[place], 0)
        if depth == 0:
            return place
    raise PythonError(
        ValueError,
        "Single '{' encountered in format string" if start + 1 == len(form) else "expected '}' before end of string",
    )


def _field(text: str, fields: _Fields, depth: int) -> str:
    path, colon, spec = text.partition(":")
    path, bang, conversion = path.partition("!")
    if bang and len(conversion) != 1:
        raise PythonError(
            ValueError,
            "end of string while looking for conversion specifier"
            if not conversion
            else "expected ':' after conversion specifier",
        )
    value = fields.value(path)
    if bang:
        value = converted(value, conversion)
    if colon and ("{" in spec or "}" in spec):
        spec = _format(spec, fields, depth - 1)
    return formatted(value, spec)
