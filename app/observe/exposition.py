"""Metrics written in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Sample(NamedTuple):
    """One number. ``suffix``: behind the name of its family, in histograms."""

    value: float
    labels: Labels = MappingProxyType({})
    suffix: str = ""


class Family(NamedTuple):
    """All numbers of one name. That of a counter ends in ``_total``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    summary: str
    samples: list[Sample]


def text_of(families: Iterable[Family]) -> str:
    """Write families out."""
    return "".join([f"{line}\n" for family in families for line in _lines(family)])


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.summary}"
    yield f"# TYPE {family.name} {family.kind}"
    for value, labels, suffix in family.samples:
        inner = ",".join([f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items()])
        yield f"{family.name}{suffix}{f'{{{inner}}}' if inner else ''} {value!r}"
