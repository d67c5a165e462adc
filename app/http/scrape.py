"""What the metrics say of this moment, and the port that they may have of their own."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import time
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import VERSION
from app.compute.frames import SharedBody
from app.http.services import Services
from app.observe.exposition import MEDIA_TYPE, Family, Sample, text_of
from app.observe.metrics import counter, gauge

SESSION_EVENTS: Final = ("catch_ups", "conflicts", "loads")
STARTED: Final = time()


async def text(services: Services) -> str:
    """All metrics, in Prometheus' text format."""
    front = services.front
    compute = {f"compute-{place}": pid for place, pid in front.processes().items()}
    processes = await asyncio.to_thread(_processes, {"front": os.getpid(), "nursery": front.nursery_pid, **compute})
    return text_of([*services.metrics.families(), *_now(services), *processes])


def _now(services: Services) -> Iterator[Family]:
    front, replayer = services.front, services.replayer
    yield gauge("work_waiting", "Tasks that wait for a compute process.", front.waiting)
    yield gauge("work_running", "Tasks that are being carried out.", front.running)
    events = front.events
    yield counter("process_starts_total", "Compute processes that were asked for.", events["starts"])
    yield counter("process_deaths_total", "Of these, that ended by themselves, unasked.", events["deaths"])
    yield counter("process_kills_total", "Of these, that were killed.", events["kills"])
    yield counter("task_retries_total", "Tasks given to a second process after the first one died.", events["retries"])
    yield counter("plans_adopted_total", "Plans that compute processes gave to the front.", services.plans_adopted)
    yield counter("plans_replayed_total", "Requests that the front answered by a plan.", replayer.replayed)
    yield gauge("plans", "Plans that the front has.", len(replayer.plans))
    yield gauge("plans_bytes", "Their size.", replayer.plans.nbytes)
    counts = {name: services.events[name] for name in SESSION_EVENTS}
    yield counter("session_events_total", "Sessions loaded, raced for, and brought up to date.", counts, "event")
    alive = set(front.pids())
    found = [at_hand for pid, at_hand in services.at_hand.items() if pid in alive]
    yield gauge("sessions_live", "Sessions that compute processes have at hand.", sum(count for count, _ in found))
    yield gauge("sessions_live_bytes", "Their size.", sum(nbytes for _, nbytes in found))
    yield gauge("body_bytes", "Memory that the front holds for the bodies of requests.", held_bytes(services))
    yield gauge("answer_bytes", "Memory of long answers that were not read yet.", services.unread.nbytes)
    yield gauge("build_info", "Which version this is.", {VERSION: 1}, "version")
    yield Family("process_start_time_seconds", "gauge", "When the service began, in seconds of the epoch.",
                 [Sample(STARTED)])  # fmt: skip


def held_bytes(services: Services) -> int:
    """Return how many bytes of bodies wait, are being received, or are worked on."""
    return SharedBody.held + services.front.small_bytes()


def _processes(pids: Mapping[str, int]) -> list[Family]:
    """Processes by name, and their memory. The system takes milliseconds to add it up."""
    sizes = {name: resident for name, pid in pids.items() if (resident := _resident(pid)) is not None}
    shares = [share for pid in pids.values() if (share := _proportional(pid)) is not None]
    return [
        gauge(
            "processes", "Processes: the front, those that compute, and the one that these are forked from.", len(pids)
        ),
        gauge("process_resident_bytes", "Memory that each occupies, with what they share.", sizes, "process"),
        gauge("memory_bytes", "Memory of all of them; what they share counts once.", sum(shares)),
    ]


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # it has ended, or the system has no such files
        return None


def _proportional(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


# -- a port of their own --------------------------------------------------------------------------------------------
class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service's server."""
        yield


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[None]:
    """Meanwhile, answer ``GET /metrics`` on the port that the settings name, if they do. Raises ``OSError``."""
    settings = services.settings
    if not settings.metrics_port:
        yield
        return

    async def metrics(request: Request) -> Response:
        if services.may_read_metrics(request.headers.get("authorization", "")):
            return Response(await text(services), media_type=MEDIA_TYPE)
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.create_server((settings.host, settings.metrics_port), family=family)
    config = uvicorn.Config(
        Starlette(routes=[Route("/metrics", metrics)]), lifespan="off", ws="none", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
