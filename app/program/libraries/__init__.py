"""Python's modules that are about functions and classes, over those of programs; and the list of all that there are."""

from __future__ import annotations

from app.program.libraries.abc import ABC
from app.program.libraries.contextlib import CONTEXTLIB
from app.program.libraries.dataclasses import DATACLASSES
from app.program.libraries.enum import ENUM_MODULE
from app.program.libraries.flags import FLAGS
from app.program.libraries.functools import FUNCTOOLS
from app.program.libraries.namedtuples import NAMED_TUPLE, NAMEDTUPLE
from app.program.libraries.types import TYPES_MODULE
from app.program.libraries.typing import FUTURE, NUMBERS, TYPING
from app.program.modules.importable import MODULES
from app.program.names import LIBRARIES
from app.program.operations import Module, Routine

LIBRARIES.update(MODULES)
LIBRARIES.update({
    "__future__": FUTURE, "abc": ABC, "contextlib": CONTEXTLIB, "dataclasses": DATACLASSES,
    "enum": {**ENUM_MODULE, **FLAGS},
    "functools": FUNCTOOLS, "numbers": NUMBERS, "types": TYPES_MODULE, "typing": {**TYPING, "NamedTuple": NAMED_TUPLE},
    "collections": {**MODULES["collections"], "namedtuple": NAMEDTUPLE},
    "collections.abc": {name: TYPING[name] for name in (
        "Callable", "Iterable", "Iterator", "Sequence", "Mapping", "MutableMapping", "Hashable", "Sized", "Container",
        "Generator", "Collection", "MutableSequence", "Reversible", "Set")},
})  # fmt: skip
for _name, _table in LIBRARIES.items():
    for _entry in _table.values():
        if isinstance(_entry, Routine) and _entry.owner is None:
            _entry.owner = Module(_name)  # by which sessions find it again
