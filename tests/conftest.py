"""What tests of several folders share."""

from collections.abc import Iterator

import pytest

from tests import postgres as servers


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A PostgreSQL server on loopback. Tests that use it belong to one group, so that one server is started."""
    if servers.binaries() is None:
        pytest.skip("no PostgreSQL")
    with servers.server() as server:
        yield server
