"""Every op over HTTP, on PyTorch's own samples: values, dtypes, grad_fn names, gradients of both orders, refusals.

``tests/golden/conformance.jsonl.gz`` says in its first line which PyTorch answered. Cases that do not pass yet are
listed in ``conformance_pending.txt``; one that begins to pass has to leave the list: ``python -m
tests.app.test_conformance`` writes it anew.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import defaultdict

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.app.comparing import Answer, Record, faults, requests
from tests.app.conftest import Client
from tests.paths import GOLDEN

PENDING_FILE = GOLDEN / "conformance_pending.txt"
PENDING = frozenset(PENDING_FILE.read_text().split())


def _cases_by_op() -> dict[str, list[Record]]:
    with gzip.open(GOLDEN / "conformance.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        by_op = defaultdict(list)
        for case in map(json.loads, lines):
            by_op[case["op"]].append(case)
    return by_op


CASES = _cases_by_op()


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.json())


def _found(client: Client, case: Record) -> list[str]:
    answers = [_answer(client("POST", "/v1/evaluate", json=body)) for body in requests(case)]
    return list(faults(case, answers))


@pytest.mark.parametrize("op", sorted(CASES))
def test_an_op_answers_as_pytorch_does(client: Client, op: str) -> None:
    found = {case["id"]: _found(client, case) for case in CASES[op]}
    failing = {name: reasons for name, reasons in found.items() if reasons}
    unexpected = [f"{name}: {reasons}" for name, reasons in failing.items() if name not in PENDING]
    assert not unexpected, "\n".join(unexpected)
    passing = sorted(PENDING & (found.keys() - failing.keys()))
    assert not passing, f"these pass now, so take them off {PENDING_FILE.name}: {passing}"


def test_only_selected_cases_are_pending() -> None:
    assert not PENDING - {case["id"] for cases in CASES.values() for case in cases}


async def _failing() -> list[str]:
    """The ids of all cases with a fault, sorted."""
    app = create_app(Settings())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    failing = []
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for case in (case for cases in CASES.values() for case in cases):
            answers = [_answer(await http.post("/v1/evaluate", json=body)) for body in requests(case)]
            failing += [case["id"]] if any(faults(case, answers)) else []
    return sorted(failing)


if __name__ == "__main__":
    PENDING_FILE.write_text("".join(f"{name}\n" for name in asyncio.run(_failing())))
