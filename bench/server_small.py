"""The tutorial's graph over HTTP: what a request costs the server, and how many it answers.

Tesseract Core and UM-Bridge need two requests for what one brings here: one for the values and one for the gradient.
Both serve as their own commands do; Tesseract Core with its access log, which goes nowhere.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

from bench.measure import OURS, Comparison, compare
from bench.serving import OURS_SERVER, UVICORN, Client, Load, request, server

REQUESTS = 160  # per sample
CONNECTIONS = 8
X = [[1.0, 1.0], [1.0, 1.0]]
FLAT = [1.0] * 4
INPUTS = {"x": {"data": X, "requires_grad": True}}
ASYNC, SYNC = "FastAPI + torch, async", "FastAPI + torch, sync"
TESSERACT = "Tesseract Core, apply + vector_jacobian_product"
UMBRIDGE = "UM-Bridge, Evaluate + Gradient"
ECHO = "raw ASGI echo"
_fresh = count()
Steps = list[tuple[str, Callable[[], bytes]]]


def program(constant: float = 2) -> dict[str, object]:
    """The tutorial's graph over ``x`` and its gradient, as a request has them; another program for every constant."""
    nodes = [
        {"id": "y", "op": "add", "args": ["$x", constant]},
        {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
        {"id": "z", "op": "mul", "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]},
    ]
    return {"nodes": nodes, "outputs": ["y", "out"], "backward": [{"tensor": "out"}], "grads": ["x"]}


def graph(constant: float = 2) -> bytes:
    """The request that brings ``x`` along."""
    return json.dumps({"inputs": INPUTS, **program(constant)}).encode()


def _always(path: str, content: object) -> tuple[str, Callable[[], bytes]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return path, lambda: body


VJP = {"vjp_inputs": ["x"], "vjp_outputs": ["out"], "cotangent_vector": {"out": 1.0}}
MODEL = {"name": "tutorial", "input": [FLAT]}
STEPS: dict[str, Steps] = {
    OURS: [_always("/v1/evaluate", graph())],
    ASYNC: [_always("/async", {"x": X})],
    SYNC: [_always("/sync", {"x": X})],
    TESSERACT: [
        _always("/apply", {"inputs": {"x": X}}),
        _always("/vector_jacobian_product", {"inputs": {"x": X}, **VJP}),
    ],
    UMBRIDGE: [
        _always("/Evaluate", MODEL),
        _always("/Gradient", {**MODEL, "outWrt": 1, "inWrt": 0, "sens": [1.0]}),
    ],
    ECHO: [_always("/", graph())],
}
NEW: Steps = [("/v1/evaluate", lambda: graph(2 + next(_fresh) / 2**20))]


def check(clients: dict[str, Client]) -> None:
    """All answer the same, or the comparison means nothing."""
    answers = {
        name: [json.loads(client.post(path, body())) for path, body in STEPS[name]] for name, client in clients.items()
    }
    ((ours,), (diy,), (apply, vjp), (values, gradient)) = (answers[name] for name in (OURS, ASYNC, TESSERACT, UMBRIDGE))
    found = {
        OURS: values_of(ours),
        ASYNC: values_of_diy(diy),
        TESSERACT: [one["data"]["buffer"] for one in (apply["y"], apply["out"], vjp["x"])],
        UMBRIDGE: [_square(values["output"][0]), values["output"][1][0], _square(gradient["output"])],
    }
    if any(one != found[ASYNC] for one in found.values()):
        raise RuntimeError(f"these differ: {found}")


def values_of(answer: dict[str, Any]) -> list[object]:
    """``y``, ``out`` and the gradient, of our answer."""
    return [answer["outputs"]["y"]["data"], answer["outputs"]["out"]["data"], answer["grads"]["x"]["data"]]


def values_of_diy(answer: dict[str, Any]) -> list[object]:
    """The same of the answer of ``bench.peers``."""
    return [answer["y"], answer["out"], answer["x_grad"]]


def _square(flat: list[float]) -> list[list[float]]:
    return [flat[:2], flat[2:]]


def _servers(stack: ExitStack) -> dict[str, Client]:
    """One of each kind."""
    diy = stack.enter_context(server(*UVICORN, "bench.peers:diy"))
    tesseract = server(
        "tesseract_core.runtime",
        "serve",
        logs=subprocess.DEVNULL,
        TESSERACT_API_PATH=str(Path(__file__).parent / "tesseract_api.py"),
        folder=stack.enter_context(tempfile.TemporaryDirectory()),  # it keeps one of its own for each request
    )
    return {
        OURS: stack.enter_context(server(*OURS_SERVER)),
        ASYNC: diy,
        SYNC: diy,
        TESSERACT: stack.enter_context(tesseract),
        UMBRIDGE: stack.enter_context(server("bench.umbridge_model")),
        ECHO: stack.enter_context(server(*UVICORN, "bench.peers:echo")),
    }


def run(seconds: float) -> list[Comparison]:
    with ExitStack() as stack:
        clients = _servers(stack)
        check(clients)

        def load(name: str, connections: int, steps: Steps) -> Load:
            whole = [lambda path=path, body=body: request(path, body()) for path, body in steps]
            return stack.enter_context(closing(Load(clients[name], connections, *whole)))

        def costs(connections: int, steps: dict[str, Steps]) -> dict[str, Callable[[], float]]:
            rounds = REQUESTS // connections
            return {name: load(name, connections, one).cpu(rounds) for name, one in steps.items()}

        many = {name: load(name, CONNECTIONS, steps) for name, steps in STEPS.items()}
        rounds = REQUESTS // CONNECTIONS
        return [
            *compare(
                f"tutorial graph over HTTP, {CONNECTIONS} connections, server CPU per request",
                {name: one.cpu(rounds) for name, one in many.items()},
                0.4 * seconds,
            ),
            *compare(
                f"tutorial graph over HTTP, {CONNECTIONS} connections, wall time per request",
                {name: one.wall(rounds) for name, one in many.items()},
                0.2 * seconds,
            ),
            *compare(
                "tutorial graph over HTTP, one connection, server CPU per request",
                costs(1, {name: STEPS[name] for name in (OURS, ASYNC, ECHO)}),
                0.2 * seconds,
            ),
            *compare(
                f"tutorial graph, a program never seen before, {CONNECTIONS} connections, server CPU per request",
                costs(CONNECTIONS, {OURS: NEW, ASYNC: STEPS[ASYNC]}),
                0.2 * seconds,
            ),
        ]
