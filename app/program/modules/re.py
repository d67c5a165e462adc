"""``re``: Python's regular expressions, each call paid by the length of its text.

A pattern may take longer than any limit foresees; nothing of Python's runs meanwhile, so the process that does it is
ended with its request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from app.program.builtins import Getter, Routine, exception_type, type_name
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, little
from app.program.failures import PythonError, python
from app.program.modules.calls import bound, constants, host, methods, priced, routines
from app.program.operations import SUBSCRIPTS, Metered

PATTERN_CHARS: Final = 1000  # of one pattern: it is compiled in the square of that at worst


def _searched(*parts: Any, **named: Any) -> Cost:
    """To walk through the texts once, and to keep what is found in them."""
    count = sum(len(one) for one in (*parts, *named.values()) if isinstance(one, str))
    return Cost(1 + count, (ITEM_BYTES + OBJECT_BYTES) * count, count)


def _kept(pattern: Any, *parts: Any, **named: Any) -> Cost:
    """``findall`` and ``split`` keep all groups of each place where the pattern is found."""
    plain, groups = _searched(*parts, **named), max(1, _groups(pattern))
    return plain._replace(steps=plain.steps * groups, nbytes=plain.nbytes * groups)


def _groups(pattern: Any) -> int:
    """How many groups a pattern may have: each begins with a parenthesis."""
    return int(pattern.groups) if isinstance(pattern, re.Pattern) else str(pattern).count("(")


def _checked(pattern: Any) -> Any:
    if isinstance(pattern, re.Pattern):
        return pattern
    if not isinstance(pattern, str):
        raise PythonError(TypeError, f"first argument must be string or compiled pattern, not {type_name(pattern)}")
    if len(pattern) > PATTERN_CHARS:
        raise PythonError(ValueError, f"a pattern may have {PATTERN_CHARS} characters here, not {len(pattern)}")
    return pattern


def _substituted(replace: Callable[..., Any]) -> Callable[..., Any]:
    """``sub`` and ``subn``, as often as what comes out may grow."""

    def cost(pattern: Any, repl: Any, string: Any, *rest: Any, **named: Any) -> Cost:
        plain = _searched(string)
        if not isinstance(repl, str) or not isinstance(string, str):
            return plain
        times = sum(1 for _ in re.finditer(pattern, string))  # at most one for each place of the text
        grown = len(string) + times * (len(repl) + repl.count("\\") * len(string))
        return Cost(plain.steps + grown, ITEM_BYTES * grown, grown)

    return priced(replace, cost)


def _found(pattern: Any, string: Any, *rest: Any, **named: Any) -> Metered:
    return Metered(python(re.finditer, pattern, string, *rest, **named), "callable_iterator")


def _of_module(call: Callable[..., Any]) -> Callable[..., Any]:
    def checked(pattern: Any, *args: Any, **kwargs: Any) -> Any:
        return call(_checked(pattern), *args, **kwargs)

    return checked


_SEARCHES: Final = {"findall": _kept, "fullmatch": _searched, "match": _searched, "search": _searched, "split": _kept}
_PATTERN: Final[dict[str, Getter]] = (
    {name: bound(name, priced(getattr(re.Pattern, name), cost)) for name, cost in _SEARCHES.items()}
    | {name: bound(name, _substituted(getattr(re.Pattern, name))) for name in ("sub", "subn")}
    | {"finditer": bound("finditer", _found)}
    | {
        "flags": lambda value: value.flags, "groupindex": lambda value: dict(value.groupindex),
        "groups": lambda value: value.groups, "pattern": lambda value: value.pattern,
    }
)  # fmt: skip
_MATCH: Final[dict[str, Getter]] = {
    "endpos": lambda value: value.endpos, "lastgroup": lambda value: value.lastgroup,
    "lastindex": lambda value: value.lastindex, "pos": lambda value: value.pos, "re": lambda value: value.re,
    "string": lambda value: value.string,
} | methods({
    name: (getattr(re.Match, name), little)
    for name in ("end", "expand", "group", "groupdict", "groups", "span", "start")
})  # fmt: skip


def _compile(pattern: Any, flags: Any = 0) -> Any:
    return python(re.compile, _checked(pattern), flags)


def _refused(name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise PythonError(TypeError, f"cannot create '{name}' instances")

    return call


def _item(match: Any, index: Any) -> Any:
    return python(match.__getitem__, index)


def _no_item(match: Any, *_: Any) -> Any:
    raise PythonError(TypeError, "'re.Match' object does not support item assignment")


SUBSCRIPTS[re.Match] = (_item, _no_item, _no_item)
RE: Final[dict[str, Any]] = (
    {name: Routine(name, _of_module(priced(getattr(re, name), cost))) for name, cost in _SEARCHES.items()}
    | {name: Routine(name, _of_module(_substituted(getattr(re, name)))) for name in ("sub", "subn")}
    | {"compile": Routine("compile", _compile), "finditer": Routine("finditer", _of_module(_found))}
    | routines({"escape": (re.escape, _searched)})
    | {name: int(flag) for name, flag in constants(
        re, "A", "ASCII", "DOTALL", "I", "IGNORECASE", "M", "MULTILINE", "S", "U", "UNICODE", "VERBOSE", "X",
    ).items()}
    | {
        "Match": host(re.Match, "re.Match", _refused("re.Match"), _MATCH),
        "Pattern": host(re.Pattern, "re.Pattern", _refused("re.Pattern"), _PATTERN),
        "error": exception_type(re.error),
    }
)  # fmt: skip
