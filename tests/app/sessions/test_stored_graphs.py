"""Random graphs of all ops are stored, and differentiated in a process that has never seen them: PyTorch's gradients.

A graph is three recorded operator cases in one session. What a node keeps (saved tensors, static arguments, edges) has
to be all that its derivative needs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from app.evaluate.execution import prepare
from app.sessions.directory import Precondition
from app.sessions.session import Session
from app.stores.sqlite import SqliteStore
from app.wire import codec
from app.wire.messages import RunRequest
from app.wire.reply import Reply
from tests.app.comparing import gradient_faults
from tests.app.session_cases import LIMITS, OWNER, directory_over, opened
from tests.app.test_conformance import CASES, PENDING
from tests.paths import ROOT

GRAPHS, OPS, SEED = 100, 3, 20
Record = dict[str, Any]


def differentiated() -> dict[str, list[Record]]:
    """The cases of every op that have gradients, and need nothing that lasts for one run only."""
    found = {
        op: [case for case in cases if case["id"] not in PENDING and any(case["expect"].get("grads", {}).values())]
        for op, cases in CASES.items()
    }
    return {op: cases for op, cases in found.items() if cases}


def graph(rng: Random, ops: list[str]) -> dict[str, Record]:
    """Cases of three ops, by the words that their names begin with."""
    cases = differentiated()
    return {f"{place}_": rng.choice(cases[op]) for place, op in zip("abc", ops, strict=True)}


def graphs() -> list[dict[str, Record]]:
    """Of every op once before any comes twice."""
    rng, ops = Random(SEED), sorted(differentiated())
    order = rng.sample(ops, len(ops))
    chosen = [order[place % len(order)] for place in range(GRAPHS * OPS)]
    return [graph(rng, chosen[place : place + OPS]) for place in range(0, len(chosen), OPS)]


def prefixed(value: Any, prefix: str) -> Any:
    """A literal or a reference, which names what is the case's own."""
    if isinstance(value, list):
        return [prefixed(item, prefix) for item in value]
    return f"${prefix}{value[1:]}" if isinstance(value, str) and value.startswith("$") else value


def run_of(cases: dict[str, Record]) -> Record:
    """The request that makes the graph."""
    inputs: Record = {}
    nodes: list[Record] = []
    for prefix, case in cases.items():
        request = case["request"]
        inputs |= {f"{prefix}{name}": tensor for name, tensor in request["inputs"].items()}
        for node in request["nodes"]:
            kwargs = {name: prefixed(value, prefix) for name, value in node.get("kwargs", {}).items()}
            named = {"id": f"{prefix}{node['id']}"} if "id" in node else {}
            nodes.append({**named, "op": node["op"], "args": prefixed(node["args"], prefix), "kwargs": kwargs})
    return {"inputs": inputs, "nodes": nodes, "outputs": []}


def sweep_of(cases: dict[str, Record]) -> Record:
    """The request that differentiates it."""
    roots = [
        {**root, "tensor": f"{prefix}{root['tensor']}"}
        for prefix, case in cases.items()
        for root in case["request"]["backward"]
    ]
    return {"code": "pass", "outputs": [], "backward": roots, "grads": list(expected(cases))}


def expected(cases: dict[str, Record]) -> Record:
    return {f"{prefix}{leaf}": grad for prefix, case in cases.items() for leaf, grad in case["expect"]["grads"].items()}


def own(grads: Record, prefix: str) -> Record:
    """The gradients of one of the cases, by its own names."""
    return {name.removeprefix(prefix): grad for name, grad in grads.items() if name.startswith(prefix)}


def run(store: SqliteStore, sid: str, body: Record) -> Record:
    """The answer to a request to a session, by a directory that has nothing in memory."""
    answer: Record = {}

    def change(session: Session, version: int) -> Reply:
        answer.update(session.run(prepare(RunRequest(**body), LIMITS), "json"))
        return Reply(200, str(version).encode())

    directory_over(store).command(OWNER, sid, change, Precondition())
    return answer


def main(folder: str) -> None:
    """Carry out the requests of standard input over a store."""
    store = SqliteStore(Path(folder))
    store.open()
    found = [run(store, sid, body)["grads"] for sid, body in json.load(sys.stdin)]
    sys.stdout.write(codec.encode(found, codec.JSON).decode())
    store.close()


def test_graphs_that_were_stored_are_differentiated_in_another_process(tmp_path: Path) -> None:
    made = graphs()
    store = SqliteStore(tmp_path)
    store.open()
    sids = [opened(directory_over(store)) for _ in made]
    for sid, cases in zip(sids, made, strict=True):
        run(store, sid, run_of(cases))
    store.close()
    requests = json.dumps([(sid, sweep_of(cases)) for sid, cases in zip(sids, made, strict=True)])
    command = [sys.executable, "-m", "tests.app.sessions.test_stored_graphs", str(tmp_path)]
    done = subprocess.run(command, input=requests.encode(), capture_output=True, cwd=ROOT, check=False, timeout=300)
    assert not done.returncode, done.stderr.decode()
    faults = [
        f"{case['id']}: {fault}"
        for cases, grads in zip(made, json.loads(done.stdout), strict=True)
        for prefix, case in cases.items()
        for fault in gradient_faults(own(grads, prefix), case["expect"]["grads"], case["tolerance"])
    ]
    assert not faults, "\n".join(faults)


if __name__ == "__main__":
    main(sys.argv[1])
