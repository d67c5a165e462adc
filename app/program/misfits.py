"""Calls whose arguments do not fit a function of ours: refused in the words of Python's function of that name.

These are found by calling Python's own with as many arguments, none of which means anything to it.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import dataclasses
import functools
import itertools
import operator
from collections.abc import Collection
from functools import partial
from types import MappingProxyType
from typing import Any, Final

_MODULES: Final = MappingProxyType({
    "builtins": builtins, "contextlib": contextlib, "copy": copy, "dataclasses": dataclasses, "functools": functools,
    "itertools": itertools, "operator": operator,
})  # fmt: skip
"""Those whose functions change nothing but what they are given."""


class _Nothing:
    """What stands for each argument; a message that names it is about its type, not about the call."""


def is_misfit(error: BaseException) -> bool:
    """Whether whoever just caught ``error`` called a function that did not begin."""
    trace = error.__traceback__
    return type(error) is TypeError and trace is not None and trace.tb_next is None


def words(module: str, name: str, function: Any, text: str, count: int, names: Collection[str]) -> str:
    """What Python says of a call of ``module.name`` with ``count`` arguments and others by ``names``.

    ``text`` is what it says of ``function``, which is that one here.
    """
    own = function
    while isinstance(own, partial):
        own = own.func
    inner = f"{getattr(own, '__qualname__', name)}()"
    if not text.startswith(inner):
        return text
    original = getattr(_MODULES.get(module), name, None)
    if original is not None:
        try:
            original(*[_Nothing() for _ in range(count)], **{one: _Nothing() for one in names})
        except Exception as error:
            if isinstance(error, TypeError) and _Nothing.__name__ not in str(error):
                return str(error)
    return f"{name}(){text.removeprefix(inner)}"


__all__ = ["is_misfit", "words"]
