"""``textwrap`` and ``pprint``: texts in lines of a width."""

from __future__ import annotations

import pprint
import textwrap
from typing import Any, Final

from app.program.builtins import Routine
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, pay, weight
from app.program.failures import PythonError, python
from app.program.modules.calls import PRINTING, routines

_TAB: Final = 8  # characters that a tab becomes
_UNKNOWN: Final = frozenset({"tabsize", "expand_tabs"})


def _laid_out(*values: Any, **named: Any) -> Cost:
    """Each word may begin a line, with what every line begins with."""
    refused = _UNKNOWN & named.keys()
    if refused:
        raise PythonError(TypeError, f"the argument '{min(refused)}' is not available")
    lengths = [len(one) for one in (*values, *named.values()) if isinstance(one, str)]
    if not lengths:
        return Cost()
    count = _TAB * lengths[0] * (1 + sum(lengths[1:]))
    return Cost(1 + count + count * lengths[0] // 1024, (ITEM_BYTES + OBJECT_BYTES) * count, count)


TEXTWRAP: Final[dict[str, Any]] = routines({
    name: (getattr(textwrap, name), _laid_out) for name in ("dedent", "fill", "indent", "shorten", "wrap")
})  # fmt: skip
_WIDEST: Final = 1000  # characters of an indent


def _formatted(
    object: Any, indent: Any = 1, width: Any = 80, depth: Any = None, *, compact: Any = False, sort_dicts: Any = True,
    underscore_numbers: Any = False,
) -> Any:  # fmt: skip
    count = weight(object)
    if isinstance(indent, int) and indent > _WIDEST:
        raise PythonError(ValueError, f"an indent may have {_WIDEST} characters here, not {indent}")
    pay(Cost(1 + 16 * count, (ITEM_BYTES + OBJECT_BYTES) * count * 4, count))
    return python(
        pprint.pformat, object, indent=indent, width=width, depth=depth, compact=compact, sort_dicts=sort_dicts,
        underscore_numbers=underscore_numbers,
    )  # fmt: skip


def _printed(object: Any, stream: Any = None, *args: Any, **named: Any) -> None:
    if stream is not None:
        raise PythonError(TypeError, "pprint() writes to the answer here: there is no file")
    PRINTING[0](_formatted(object, *args, **named))


def _in_order(object: Any, *args: Any, sort_dicts: Any = False, **named: Any) -> None:
    _printed(object, *args, sort_dicts=sort_dicts, **named)


PPRINT: Final[dict[str, Any]] = {
    "pformat": Routine("pformat", _formatted), "pp": Routine("pp", _in_order), "pprint": Routine("pprint", _printed),
}  # fmt: skip
