"""A client of the ASGI application, with real stores and processes, for tests that are not coroutines themselves."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings

import app.operations.handler  # noqa: F401 - once for all applications, whose processes load it otherwise
from app.http.services import Services
from app.limits import Limits
from app.main import create_app
from app.program.interpret import FRAMES
from app.settings import Settings

sys.setrecursionlimit(FRAMES)  # as the first program does: Hypothesis complains of what changes within a test
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


class Client:
    """Requests to one application, from any thread; the application runs in a loop of its own."""

    def __init__(self, portal: BlockingPortal, http: httpx.AsyncClient, services: Services) -> None:
        self._portal, self._http = portal, http
        self.services = services

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._portal.call(lambda: self._http.request(method, path, **options))

    def evaluate(self, **request: Any) -> Any:
        """The answer to a request that must succeed."""
        answer = self("POST", "/v1/evaluate", json=request)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open(self, **request: Any) -> str:
        """The id of a new session."""
        answer = self("POST", "/v1/sessions", json=request)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def sweep(self) -> None:
        """Have what has expired dropped, as the service does now and then."""
        self._portal.call(self.services.sweep)

    def run(self, sid: str, **request: Any) -> Any:
        """The answer to a run that must succeed."""
        answer = self("POST", f"/v1/sessions/{sid}/run", json=request)
        assert answer.status_code == 200, answer.text
        return answer.json()


Serve = Callable[..., Client]


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """The event loop of a module's applications."""
    with start_blocking_portal() as portal:
        yield portal


@contextmanager
def served(portal: BlockingPortal, limits: Limits | None = None, **settings: Any) -> Iterator[Client]:
    """An application while it runs, with one compute process unless ``settings`` say more.

    What is patched before, its processes inherit.
    """
    app = create_app(Settings(limits=limits or Limits(), **{"store": "memory", "workers": 1, **settings}))
    with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://test")
        with portal.wrap_async_context_manager(http) as connected:
            yield Client(portal, connected, app.state.services)


@pytest.fixture
def serve(portal: BlockingPortal) -> Iterator[Serve]:
    """Makes applications: ``serve(workers=2, limits=Limits(nodes=3))``, which end with the test."""
    with ExitStack() as stack:
        yield lambda *args, **named: stack.enter_context(served(portal, *args, **named))


@pytest.fixture(scope="module")
def client(portal: BlockingPortal) -> Iterator[Client]:
    """An application with the default settings."""
    with served(portal) as client:
        yield client


class Appending(logging.Handler):
    """Appends to a file that it opens for each record: a process lets go of the files that it inherits."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        with self.path.open("a") as file:
            file.write(f"{self.format(record)}\n")


@pytest.fixture
def service_log(tmp_path: Path) -> Iterator[Path]:
    """What the service logs, those of its processes included that are made from now on."""
    path, log = tmp_path / "service.log", logging.getLogger("gradserve")
    path.touch()
    handler = Appending(path)
    log.addHandler(handler)
    yield path
    log.removeHandler(handler)
