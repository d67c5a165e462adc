"""Counts of requests and their durations, in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from threading import Lock
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)


class _Line:
    """Answers of one route, method and status."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)  # by the place of the lowest bound that holds
        self.seconds = 0.0


class Metrics:
    """What has been answered so far."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, int], _Line] = {}
        self._lock = Lock()
        self.in_flight = 0
        self.events: Counter[str] = Counter()
        self.compute_seconds = 0.0

    def note(self, seconds: float, events: dict[str, int]) -> None:
        """Count what a compute process says of a request that it has answered."""
        self.compute_seconds += seconds
        self.events.update(events)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer. ``route`` is the path's template, so that ids do not become labels."""
        with self._lock:
            line = self._lines.get((route, method, status)) or self._lines.setdefault((route, method, status), _Line())
            line.seconds += seconds
            line.buckets[bisect_left(BUCKETS, seconds)] += 1

    def refused(self, status: int) -> None:
        """Count an answer to what no route got to see."""
        self.observe("connection", "other", status, 0.0)

    def render(self, gauges: dict[str, float]) -> str:
        """Write all of it, with ``gauges`` read just now."""
        with self._lock:
            lines = [*self._counters(), *self._durations()]
        for name, count in sorted(self.events.items()):
            lines += [f"# TYPE gradserve_{name}_total counter", f"gradserve_{name}_total {count}"]
        for name, value in {"requests_in_flight": self.in_flight, **gauges}.items():
            lines += [f"# TYPE gradserve_{name} gauge", f"gradserve_{name} {value:g}"]
        return "\n".join(lines) + "\n"

    def _counters(self) -> Iterator[str]:
        yield "# HELP gradserve_requests_total Answers by route, method and status."
        yield "# TYPE gradserve_requests_total counter"
        for (route, method, status), line in sorted(self._lines.items()):
            labels = f'route="{route}",method="{method}",status="{status}"'
            yield f"gradserve_requests_total{{{labels}}} {sum(line.buckets)}"

    def _durations(self) -> Iterator[str]:
        yield "# HELP gradserve_request_seconds Time to answer, by route."
        yield "# TYPE gradserve_request_seconds histogram"
        for route in sorted({route for route, _, _ in self._lines}):
            found = [line for key, line in self._lines.items() if key[0] == route]
            totals = accumulate(map(sum, zip(*(line.buckets for line in found), strict=True)))
            for bound, below in zip([*map("{:g}".format, BUCKETS), "+Inf"], totals, strict=True):
                yield f'gradserve_request_seconds_bucket{{route="{route}",le="{bound}"}} {below}'
            yield f'gradserve_request_seconds_sum{{route="{route}"}} {sum(line.seconds for line in found):.6f}'
            yield f'gradserve_request_seconds_count{{route="{route}"}} {sum(sum(line.buckets) for line in found)}'
