"""All cases, a module for each family. A new one is declared in its module, and nowhere else."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Case, Weight
from tests.hostile.cases import (
    answers,
    bodies,
    edge,
    headers,
    imports,
    kernels,
    language,
    load,
    memory,
    msgpack,
    nodes,
    sessions,
    tape,
)

MODULES: Final = (
    language,
    nodes,
    bodies,
    msgpack,
    headers,
    edge,
    sessions,
    imports,
    answers,
    tape,
    memory,
    kernels,
    load,
)
CASES: Final[tuple[Case, ...]] = tuple(case for module in MODULES for case in module.FAMILY.cases)

# Beside the light ones: what a test has to see happen once, if it has to happen at all.
SAMPLES: Final = frozenset(
    {
        "kernels/svd of 3600 by 3600",
        "kernels/matmul of 9000 by 9000",
        "imports/max of an imported range(10**18)",
        "load/66 runs on one session at once",
        "edge/a client that goes while its job runs",
        "tape/loop of small ops under grad",
    }
)


def is_quick(case: Case) -> bool:
    """Whether the tests run it."""
    return case.weight is Weight.LIGHT or case.id in SAMPLES
