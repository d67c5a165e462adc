"""What tests of several folders share."""

import os
from collections.abc import Iterator

import pytest

from tests import postgres as servers


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A PostgreSQL server on loopback. Tests that use it belong to one group, so that one server is started."""
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
