"""``time``: a clock that starts at the same moment in every run and ticks whenever it is asked.

Programs that measure themselves run, and give the same answer each time; how long anything took is not theirs to see.
"""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import Routine, type_name
from app.program.failures import PythonError
from app.program.modules.calls import unrepeatable
from engine import modes

START_NS: Final = 1_700_000_000 * 10**9
TICK_NS: Final = 1_000_000  # a millisecond


def _elapsed() -> int:
    unrepeatable("the clock")
    kept = modes.current().modules
    ticks: int = kept.get("time", 0) + 1
    kept["time"] = ticks
    return ticks * TICK_NS


def _now() -> int:
    return START_NS + _elapsed()


def _sleep(seconds: Any, /) -> None:
    """Let the clock go on; nobody waits."""
    if not isinstance(seconds, (int, float)):
        raise PythonError(TypeError, f"'{type_name(seconds)}' object cannot be interpreted as an integer")
    if not 0 <= seconds < 10**9:
        raise PythonError(ValueError, "sleep length must be non-negative")
    kept = modes.current().modules
    kept["time"] = kept.get("time", 0) + int(seconds * 10**9) // TICK_NS


_CLOCKS: Final = ("perf_counter", "monotonic", "process_time", "thread_time")
TIME: Final[dict[str, Any]] = (
    {name: Routine(name, lambda: _elapsed() / 10**9) for name in _CLOCKS}
    | {f"{name}_ns": Routine(f"{name}_ns", _elapsed) for name in _CLOCKS}
    | {"time": Routine("time", lambda: _now() / 10**9), "time_ns": Routine("time_ns", _now)}
    | {"sleep": Routine("sleep", _sleep)}
)
