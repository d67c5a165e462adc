"""``unicodedata`` and ``json``: what Python says of characters, and values as texts of JSON."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

from app.program.builtins import Routine, exception_type
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, little, pay, weight
from app.program.failures import PythonError, python
from app.program.modules.calls import constants, routines

LONGEST_FORM: Final = 18  # characters that one may become when it is taken apart


def _taken_apart(form: Any = "", text: Any = "") -> Cost:
    count = LONGEST_FORM * len(text) if isinstance(text, str) else 0
    return Cost(1 + count, ITEM_BYTES * count, count)


_OF_CHARACTERS: Final = (
    "bidirectional", "category", "combining", "decimal", "decomposition", "digit", "east_asian_width", "lookup",
    "mirrored", "name", "numeric",
)  # fmt: skip
UNICODEDATA: Final[dict[str, Any]] = routines(
    {name: (getattr(unicodedata, name), little) for name in _OF_CHARACTERS}
    | {name: (getattr(unicodedata, name), _taken_apart) for name in ("is_normalized", "normalize")}
) | constants(unicodedata, "unidata_version")


def _dumps(
    obj: Any, *, skipkeys: Any = False, ensure_ascii: Any = True, check_circular: Any = True, allow_nan: Any = True,
    indent: Any = None, separators: Any = None, default: Any = None, sort_keys: Any = False,
) -> Any:  # fmt: skip
    count = weight(obj)
    width = indent if isinstance(indent, int) and not isinstance(indent, bool) else len(str(indent))
    if width > ITEM_BYTES:
        raise PythonError(ValueError, f"an indent may have {ITEM_BYTES} characters here, not {width}")
    pay(Cost(1 + 6 * count, (ITEM_BYTES + OBJECT_BYTES) * count, count))
    return python(
        json.dumps, obj, skipkeys=skipkeys, ensure_ascii=ensure_ascii, allow_nan=allow_nan, indent=indent,
        separators=separators, default=default, sort_keys=sort_keys,
    )  # fmt: skip


def _loads(s: Any) -> Any:
    count = len(s) if isinstance(s, str) else 0
    pay(Cost(1 + count, (ITEM_BYTES + OBJECT_BYTES) * count, count))
    return python(json.loads, s)


JSON: Final[dict[str, Any]] = {
    "dumps": Routine("dumps", _dumps), "loads": Routine("loads", _loads),
    "JSONDecodeError": exception_type(json.JSONDecodeError),
}  # fmt: skip
