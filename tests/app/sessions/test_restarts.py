"""Every recorded program again, statement by statement, with nothing left in memory between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

from app.program import interpret
from app.program.tree import ProgramError
from app.stores.base import SessionStore
from app.stores.sqlite import SqliteStore
from engine import modes
from tests.app.conftest import served
from tests.app.session_cases import OWNER, directory_over, opened, run_warned, statements_of
from tests.app.test_snippets import PENDING, SNIPPETS, Record, differences, encoded, same

DURABLE = ("retain_graph", "inplace_view", "inplace_version")
RUN = [snippet for snippet in SNIPPETS if snippet["id"] not in PENDING]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionStore]:
    store = SqliteStore(tmp_path_factory.mktemp("restarts"))
    store.open()
    yield store
    store.close()


def rerun(store: SessionStore, code: str) -> tuple[Record, interpret.Outcome | ProgramError, list[str]]:
    """The names at the end, how it ended, and the warnings; each statement runs in a directory of its own."""
    sid = opened(directory_over(store))
    prints: list[str] = []
    warnings: list[str] = []
    ending: interpret.Outcome | ProgramError = interpret.Outcome(prints, [], None)
    for statement in statements_of(code):
        try:
            printed, warned = run_warned(directory_over(store), sid, statement)
        except ProgramError as error:
            ending = error
            error.prints = [*prints, *error.prints]
            break
        prints += printed
        warnings += [text for text in warned if text not in warnings]  # what is said once, each run says once
    live = directory_over(store)._current(OWNER, sid)
    with modes.use(live.state):
        return encoded(live.names), ending, warnings


@pytest.mark.parametrize("snippet", RUN, ids=[snippet["id"] for snippet in RUN])
def test_a_program_goes_on_after_a_restart_behind_every_statement(store: SessionStore, snippet: Record) -> None:
    shown, ending, warnings = rerun(store, snippet["code"])
    if snippet["error"] is not None:  # the statement that fails leaves the session as it was: nothing half done
        shown = {}
    wanted = snippet if snippet["error"] is None else {**snippet, "expect": {"tensors": {}, "values": {}}}
    assert not list(differences(wanted, shown, ending, warnings))


@pytest.mark.parametrize("group", DURABLE)
def test_a_program_goes_on_over_http_when_the_service_is_started_anew(
    portal: BlockingPortal, tmp_path: Path, group: str
) -> None:
    chosen = [snippet for snippet in RUN if snippet["group"] == group and snippet["error"] is None]
    assert len(chosen) >= 3
    for number, snippet in enumerate(chosen[:3]):
        settings: dict[str, Any] = {"store": "sqlite", "data": tmp_path / str(number)}
        sid, prints = over_http(portal, settings, snippet["code"])
        assert len(prints) == len(snippet["prints"])
        with served(portal, **settings) as client:
            for name, wanted in snippet["expect"]["tensors"].items():
                got = client("GET", f"/v1/sessions/{sid}/tensors/{name}").json()
                assert same(got, wanted), (snippet["id"], name)


def over_http(portal: BlockingPortal, settings: dict[str, Any], code: str) -> tuple[str, list[str]]:
    """A session, and what is printed in it by a program whose every statement a service runs that was just started."""
    with served(portal, **settings) as client:
        sid = client.open()
    prints: list[str] = []
    for statement in statements_of(code):
        with served(portal, **settings) as client:
            prints += client.run(sid, code=statement, outputs=[])["prints"]
    return sid, prints
