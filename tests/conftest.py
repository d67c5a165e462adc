"""What tests of several folders share."""

import gc
import os
from collections.abc import Iterator

import pytest

from tests import postgres as servers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files whose tests wait for processes, so that no processor is idle at the end."""
    waiting = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in waiting)


def pytest_collection_finish() -> None:
    """No test is looked at by the garbage collector again: there are so many that each search would take a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A PostgreSQL server on loopback."""
    if servers.binaries() is None:
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail("no PostgreSQL, and REQUIRE_POSTGRES is set")
        pytest.skip("no PostgreSQL")
    with servers.server() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer() -> str:
    """The path of the pooler."""
    program = servers.pooler_program()
    if program is None:
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail("no pgbouncer, and REQUIRE_POSTGRES is set")
        pytest.skip("no pgbouncer")
    return program
