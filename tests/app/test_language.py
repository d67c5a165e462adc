"""Programs as people write them, in one request and in a session that stores all between two statements.

``tests/golden/language.jsonl.gz`` was recorded with the version of PyTorch that its first line names. The programs of
``PENDING`` use what is not there yet; one that begins to pass has to leave it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.program.pytorch import NotAvailable
from app.program.tree import GraphError
from app.stores.sqlite import SqliteStore
from tests.app.sessions import statements
from tests.app.test_snippets import Record, differences, recorded, run

PROGRAMS = recorded("language.jsonl.gz")
PENDING = frozenset({
    "custom_function/vmap_of_own_function", "training/irls_logistic", "training/variational_autoencoder",
})  # fmt: skip
UNKEPT = frozenset({"functions/generator_protocol", "containers/parallel_lists"})  # iterators, which no session keeps
SAMPLE = list({one["group"]: one for one in reversed(PROGRAMS) if one["id"] not in PENDING | UNKEPT}.values())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("statements"))
    store.open()
    yield store
    store.close()


def faults(program: Record) -> list[str]:
    """Where a run differs from what was recorded; of a warning, its first line was."""
    try:
        shown, ending, warnings = run(program["code"])
    except NotAvailable as error:
        return [str(error)]
    except GraphError as error:
        wanted = program["error"] or {}
        return [] if wanted["type"] == error.exception and wanted["lineno"] == error.line else [str(error)]
    return list(differences(program, shown, ending, [text.partition("\n")[0].strip() for text in warnings]))


@pytest.mark.parametrize("program", PROGRAMS, ids=[one["id"] for one in PROGRAMS])
def test_a_program_does_what_python_and_pytorch_do(program: Record) -> None:
    found = faults(program)
    if program["id"] in PENDING:
        assert found, f"{program['id']} passes now: take it off the list"
    else:
        assert not found, "\n".join(found)


@pytest.mark.parametrize("program", SAMPLE, ids=[one["id"] for one in SAMPLE])
def test_a_program_does_so_statement_by_statement(store: SqliteStore, program: Record) -> None:
    assert not statements.faults(store, program)


@pytest.mark.parametrize("name", sorted(UNKEPT))
def test_a_session_refuses_to_keep_an_iterator(store: SqliteStore, name: str) -> None:
    program = next(one for one in PROGRAMS if one["id"] == name)
    [found] = statements.faults(store, program)
    assert "a session cannot keep a value of the type" in found
