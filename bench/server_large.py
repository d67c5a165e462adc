"""The gradient of a function of a million numbers over HTTP, and an upload of 80 MB beside plain TCP.

The peer is the few lines of FastAPI and PyTorch that a user would write: a model with a list of floats. For the upload
the clock on the wall counts, at the client: the system copies for both ends.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import msgspec
import numpy as np
import orjson

from bench.measure import OURS, Comparison, compare, timed
from bench.serving import MSGPACK, OURS_SERVER, UVICORN, Client, server

ELEMENTS, UPLOADED = 1_000_000, 10_000_000
NODES = [
    {"id": "y", "op": "mul", "args": ["$x", "$x"]},
    {"id": "z", "op": "mul", "args": ["$y", 3]},
    {"id": "out", "op": "mean", "args": ["$z"]},
]


def gradient_request(x: np.ndarray[Any, Any], data: Any) -> dict[str, Any]:
    leaf = {"data": data, "dtype": str(x.dtype), "shape": list(x.shape), "requires_grad": True}
    return {"inputs": {"x": leaf}, "nodes": NODES, "outputs": ["out"], "backward": [{"tensor": "out"}]}


def gradient(seconds: float, ours: Client, diy: Client) -> list[Comparison]:
    x = np.random.default_rng(0).standard_normal(ELEMENTS).astype("float32")
    numbers = orjson.dumps({"x": x}, option=orjson.OPT_SERIALIZE_NUMPY)
    text = orjson.dumps(gradient_request(x, x), option=orjson.OPT_SERIALIZE_NUMPY)
    binary = msgspec.msgpack.encode(gradient_request(x, x.tobytes()))
    one = json.loads(ours.post("/v1/evaluate", text))["grads"]["x"]["data"]
    other = msgspec.msgpack.decode(ours.post("/v1/evaluate", binary, MSGPACK))["grads"]["x"]["data"]
    third = json.loads(diy.post("/gradient", numbers))["x_grad"]
    for found in (one, np.frombuffer(other, "float32")):
        np.testing.assert_allclose(found, third, rtol=1e-6)
    peer = {
        "FastAPI + torch, JSON by a model": diy.sampler(partial(diy.post, "/gradient", numbers), 1),
        "FastAPI + torch, JSON by a dict": diy.sampler(partial(diy.post, "/gradient-dict", numbers), 1),
    }
    json_both_ways = {OURS: ours.sampler(partial(ours.post, "/v1/evaluate", text), 1), **peer}
    msgpack_both_ways = {OURS: ours.sampler(partial(ours.post, "/v1/evaluate", binary, MSGPACK), 3), **peer}
    case = "gradient of 1e6 float32 over HTTP, {} both ways, server CPU per request"
    return [
        *compare(case.format("JSON"), json_both_ways, seconds / 2),
        *compare(case.format("msgpack"), msgpack_both_ways, seconds / 2),
    ]


def upload(seconds: float, ours: Client) -> list[Comparison]:
    zeros = np.zeros(UPLOADED)
    leaf = {"data": zeros.data.cast("B"), "dtype": "float64", "shape": [UPLOADED]}
    nodes = [{"id": "n", "op": "numel", "args": ["$x"]}]
    body = msgspec.msgpack.encode({"inputs": {"x": leaf}, "nodes": nodes, "outputs": ["n"]})
    ours.reconnect()
    with sink(len(body)) as port:
        samplers = {
            OURS: timed(partial(ours.post, "/v1/evaluate", body, MSGPACK), time.perf_counter),
            "TCP": timed(partial(tcp, port, body), time.perf_counter),
        }
        return compare("80 MB of msgpack sent and read as a tensor, wall time", samplers, seconds)


def tcp(port: int, body: bytes) -> None:
    """Send ``body`` and wait for one byte."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(body)
        connection.recv(1)


@contextmanager
def sink(size: int) -> Iterator[int]:
    """A port where bodies of ``size`` are received and thrown away."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        buffer = bytearray(2**20)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                missing = size
                while missing:
                    missing -= connection.recv_into(buffer, min(missing, len(buffer)))
                connection.sendall(b".")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def run(seconds: float) -> list[Comparison]:
    with ExitStack() as stack:
        ours = stack.enter_context(server(*OURS_SERVER))
        diy = stack.enter_context(server(*UVICORN, "bench.peers:diy"))
        return [*gradient(0.8 * seconds, ours, diy), *upload(0.2 * seconds, ours)]
