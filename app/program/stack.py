"""Room for calls within calls.

Python keeps its frames in pieces of 16 KiB, which it asks of the system and gives back as calls cross their ends. A
recursion that goes to and fro across one pays for that at every call: `fib` took up to four times as long, depending on
the depth at which it began. One frame that claims much is given a piece as large, in which those below it fit.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Final

SLOTS: Final = 30_000  # that the frame claims and never touches: 8 bytes each, in a piece of 512 KiB


def _call(function: Callable[[], Any]) -> Any:
    return function()


def _claiming(code: CodeType) -> Callable[[Callable[[], Any]], Any]:
    return FunctionType(code.replace(co_stacksize=SLOTS), {}, "roomily")


roomily: Final = _claiming(_call.__code__)
"""Call a function without arguments, with room for some 300 calls of programs within each other. Takes 10 µs."""
