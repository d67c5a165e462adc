"""The tutorial's graph over HTTP: CPU that the server spends on it.

Tesseract Core needs two requests for what one brings here: ``apply`` for the values and ``vector_jacobian_product`` for
the gradient. It serves as its own command does, with its access log, which goes nowhere.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from bench.measure import OURS, Comparison, Sampler, compare
from bench.serving import OURS_SERVER, UVICORN, Client, server

REQUESTS = 100  # per sample
X = [[1.0, 1.0], [1.0, 1.0]]
NUMBERS = json.dumps({"x": X}).encode()
APPLY = json.dumps({"inputs": {"x": X}}).encode()
VJP = json.dumps(
    {"inputs": {"x": X}, "vjp_inputs": ["x"], "vjp_outputs": ["out"], "cotangent_vector": {"out": 1.0}}
).encode()
_fresh = count()


def graph(constant: float = 2) -> bytes:
    """The request; its program is another for every constant."""
    nodes = [
        {"id": "y", "op": "add", "args": ["$x", constant]},
        {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
        {"id": "z", "op": "mul", "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]},
    ]
    inputs = {"x": {"data": X, "requires_grad": True}}
    request = {"inputs": inputs, "nodes": nodes, "outputs": ["y", "out"], "backward": [{"tensor": "out"}]}
    return json.dumps({**request, "grads": ["x"]}).encode()


def check(ours: Client, diy: Client, tesseract: Client) -> None:
    """All answer the same, or the comparison means nothing."""
    one, other = json.loads(ours.post("/v1/evaluate", graph())), json.loads(diy.post("/async", NUMBERS))
    third = json.loads(tesseract.post("/apply", APPLY)) | json.loads(tesseract.post("/vector_jacobian_product", VJP))
    got = [one["outputs"]["y"]["data"], one["outputs"]["out"]["data"], one["grads"]["x"]["data"]]
    wanted = [other["y"], other["out"], other["x_grad"]]
    if not got == wanted == [third[name]["data"]["buffer"] for name in ("y", "out", "x")]:
        raise RuntimeError(f"{one}, {other} and {third} differ")


def run(seconds: float) -> list[Comparison]:
    with ExitStack() as stack:
        ours = stack.enter_context(server(*OURS_SERVER))
        diy = stack.enter_context(server(*UVICORN, "bench.peers:diy"))
        echo = stack.enter_context(server(*UVICORN, "bench.peers:echo"))
        module = str(Path(__file__).parent / "tesseract_api.py")
        tesseract = stack.enter_context(
            server(
                "tesseract_core.runtime",
                "serve",
                logs=subprocess.DEVNULL,
                TESSERACT_API_PATH=module,
                folder=stack.enter_context(tempfile.TemporaryDirectory()),  # it keeps one of its own for each request
            )
        )
        check(ours, diy, tesseract)

        def both() -> None:
            tesseract.post("/apply", APPLY)
            tesseract.post("/vector_jacobian_product", VJP)

        body = graph()
        on_the_loop = _sampler(diy, partial(diy.post, "/async", NUMBERS))
        warm = {
            OURS: _sampler(ours, partial(ours.post, "/v1/evaluate", body)),
            "FastAPI + torch, async": on_the_loop,
            "FastAPI + torch, sync": _sampler(diy, partial(diy.post, "/sync", NUMBERS)),
            "Tesseract Core, apply + vector_jacobian_product": _sampler(tesseract, both),
            "raw ASGI echo": _sampler(echo, partial(echo.post, "/", body)),
        }
        cold = {
            OURS: _sampler(ours, lambda: ours.post("/v1/evaluate", graph(2 + next(_fresh) / 2**20))),
            "FastAPI + torch, async": on_the_loop,
        }
        return [
            *compare("tutorial graph over HTTP, server CPU per request", warm, 0.7 * seconds),
            *compare("tutorial graph, a program never seen before, server CPU per request", cold, 0.3 * seconds),
        ]


def _sampler(client: Client, request: Callable[[], object]) -> Sampler:
    return client.sampler(request, REQUESTS)
