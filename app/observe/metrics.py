"""Counts of requests, of what became of them, and of the time that they took where."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from app.observe.exposition import Family, Labels, Sample

BUCKETS: Final = (0.0002, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
BOUNDS: Final = [*map("{:g}".format, BUCKETS), "+Inf"]


class Histogram:
    """Durations by the place of the lowest bound that holds, and their sum."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def __iadd__(self, other: Histogram) -> Histogram:
        self.buckets = [ours + theirs for ours, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds
        return self

    @property
    def count(self) -> int:
        """How many durations there were."""
        return sum(self.buckets)

    def samples(self, labels: Labels) -> Iterator[Sample]:
        """Return what is shown of it."""
        for bound, below in zip(BOUNDS, accumulate(self.buckets), strict=True):
            yield Sample(below, {**labels, "le": bound}, "_bucket")
        yield Sample(self.seconds, labels, "_sum")
        yield Sample(self.count, labels, "_count")


class Metrics:
    """What has happened so far. For the event loop's thread only."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], Histogram] = {}
        self._queued = Histogram()
        self._computed: dict[str, Histogram] = {}  # by operation
        self._stored: dict[str, Histogram] = {}
        self._problems: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self.in_flight = 0

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer. ``route`` is the path's template, so that ids do not become labels."""
        key = (route, method, status)
        line = self._answers.get(key)
        if line is None:
            line = self._answers[key] = Histogram()
        line.seconds += seconds
        line.buckets[bisect_left(BUCKETS, seconds)] += 1

    def note_problem(self, problem: str, limit: str) -> None:
        """Count an answer that is a problem, and the limit that it was over, if it was."""
        self._problems[problem] += 1
        if limit:
            self._refusals[limit] += 1

    def worked(self, operation: str, queue: float, compute: float | None, store: float | None) -> None:
        """Count seconds of one task: until it began, in a compute process, and there in the store if it used that."""
        self._queued.add(queue)
        for found, seconds in ((self._computed, compute), (self._stored, store)):
            if seconds is not None:
                line = found.get(operation)
                if line is None:
                    line = found[operation] = Histogram()
                line.add(seconds)

    def families(self) -> Iterator[Family]:
        """All of it."""
        answers = sorted(self._answers.items())
        yield Family("gradserve_requests_total", "counter", "Answers by route, method and status.", [
            Sample(line.count, {"route": route, "method": method, "status": str(status)})
            for (route, method, status), line in answers
        ])  # fmt: skip
        by_route: dict[str, Histogram] = {}
        for (route, _, _), line in answers:
            by_route.setdefault(route, Histogram()).__iadd__(line)
        yield _durations("request", "Time to answer, by route.", "route", by_route)
        queued = list(self._queued.samples({}))
        yield Family("gradserve_queue_seconds", "histogram", "Time until a compute process took a task.", queued)
        yield _durations("compute", "Time of tasks in compute processes, by operation.", "operation", self._computed)
        yield _durations("store", "Part of that in the store, of tasks that used it.", "operation", self._stored)
        yield counter("problems_total", "Answers that are problems, by their type.", self._problems, "type")
        yield counter("refusals_total", "Of these, refusals of what is over a limit.", self._refusals, "limit")
        yield gauge("requests_in_flight", "Requests that are being answered.", self.in_flight)


def _durations(name: str, summary: str, label: str, found: Mapping[str, Histogram]) -> Family:
    samples = [sample for key, one in sorted(found.items()) for sample in one.samples({label: key})]
    return Family(f"gradserve_{name}_seconds", "histogram", summary, samples)


def counter(name: str, summary: str, counts: Mapping[str, int] | int, label: str = "") -> Family:
    """Return a counter; one with a ``label`` has a number for each of its values."""
    return Family(f"gradserve_{name}", "counter", summary, _samples(counts, label))


def gauge(name: str, summary: str, values: Mapping[str, float] | float, label: str = "") -> Family:
    """Return a gauge, in the same way."""
    return Family(f"gradserve_{name}", "gauge", summary, _samples(values, label))


def _samples(values: Mapping[str, float] | float, label: str) -> list[Sample]:
    if not isinstance(values, Mapping):
        return [Sample(values)]
    return [Sample(value, {label: key}) for key, value in sorted(values.items())]
