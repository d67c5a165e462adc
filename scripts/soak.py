"""Sends many mixed requests to one application and prints how much memory it holds: it has to stay flat.

    soak.py [--requests 200000] [--most 16]

Known and new programs, random numbers, refused ones, runs and readings of sessions. In process, over ASGI, so that it
takes about half a minute. Exit status 1 if memory grows by more than ``--most`` MiB after the first fifth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message

from app.main import create_app
from app.settings import Settings
from app.wire.messages import TUTORIAL_GRAPH

SESSIONS = 20
REPORTS = 10


class Client:
    """Requests to one application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.statuses: Counter[int] = Counter()

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        sent: list[Message] = []
        messages = [{"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}]

        async def receive() -> Message:
            if not messages:
                await asyncio.Event().wait()  # the client stays
            return messages.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http",
            "root_path": "", "server": ("soak", 80), "client": ("soak", 1),
        }  # fmt: skip
        await self._app(scope, receive, send)
        self.statuses[sent[0]["status"]] += 1
        return json.loads(sent[1]["body"] or b"null")


def request(chance: random.Random, number: int, sids: list[str]) -> tuple[str, str, Any]:
    """The next request: most programs are known, every seventh is new."""
    value, session = chance.random(), f"/v1/sessions/{chance.choice(sids)}"
    known = {**TUTORIAL_GRAPH, "inputs": {"x": {"data": [[value, 1.0], [1.0, value]], "requires_grad": True}}}
    fresh = {"inputs": {"x": [1.5, value]}, "nodes": [{"id": f"y{number}", "op": "mul", "args": ["$x", number]}]}
    drawn = {
        "code": f"x = torch.rand({1 + number % 3000}, requires_grad=True)\n(x * x).sum().backward()\nprint(x.grad)"
    }
    choices: list[tuple[float, tuple[str, str, Any]]] = [
        (0.60, ("POST", "/v1/evaluate", known)),
        (0.75, ("POST", "/v1/evaluate", fresh)),
        (0.80, ("POST", "/v1/evaluate", drawn)),
        (0.85, ("POST", "/v1/evaluate", {"nodes": [{"id": "y", "op": "no_such_op"}]})),
        (0.95, ("POST", f"{session}/run", {"code": "y = (x * 2).sum()\ny.backward()", "outputs": ["y"]})),
        (1.00, ("GET", f"{session}/tensors/x", None)),
    ]
    kind = chance.random()
    return next(one for bound, one in choices if kind <= bound)


def resident() -> float:
    """MiB of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def soak(requests: int) -> list[float]:
    """Memory after each tenth of the requests."""
    app = create_app(Settings(store="memory"))
    async with app.router.lifespan_context(app):
        client, chance, seen = Client(app), random.Random(0), []
        sids = [(await client("POST", "/v1/sessions", {}))["id"] for _ in range(SESSIONS)]
        for sid in sids:
            await client("POST", f"/v1/sessions/{sid}/run", {"code": "x = torch.ones(4, requires_grad=True)"})
        for number in range(1, requests + 1):
            await client(*request(chance, number, sids))
            if number % (requests // REPORTS) == 0:
                seen.append(resident())
                print(f"{number:>8} requests  {seen[-1]:.1f} MiB  {dict(client.statuses)}", flush=True)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--most", type=float, default=16.0, help="MiB that memory may grow by")
    arguments = parser.parse_args()
    seen = asyncio.run(soak(arguments.requests))
    growth = max(seen) - seen[1]
    print(f"grew by {growth:.1f} MiB after the first fifth")
    return 1 if growth > arguments.most else 0


if __name__ == "__main__":
    sys.exit(main())
