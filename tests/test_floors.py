"""The floors under the conformance counts: a count below one is found, and a floor never sinks."""

import json
from pathlib import Path

from scripts.check_floors import count_cases, count_snippets, raised, shortfalls


def test_cases_are_counted_by_family_and_column(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    columns = {"value": {"passed": 7, "cases": 9}, "2nd": {"passed": 0, "cases": 0}}
    report.write_text(json.dumps({"families": {"linalg": columns}}))
    assert count_cases(report) == {"cases/linalg/value": 7}


def test_snippets_are_counted_from_the_printed_table(tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text(
        "leaf               12 / 14\nretain_graph        9 / 9\nFAIL leaf/a: data: 1 / 2\n21 passed, 2 failed\n"
    )
    assert count_snippets(table) == {"snippets/leaf": 12, "snippets/retain_graph": 9}


def test_a_count_below_its_floor_is_found() -> None:
    assert shortfalls({"snippets/leaf": 5}, {"snippets/leaf": 4}) == ["snippets/leaf: 4 passed, the floor is 5"]
    assert not shortfalls({"snippets/leaf": 5}, {"snippets/leaf": 5})


def test_what_was_not_counted_is_below_its_floor() -> None:
    assert shortfalls({"snippets/leaf": 1}, {}) == ["snippets/leaf: 0 passed, the floor is 1"]


def test_floors_rise_and_never_sink() -> None:
    assert raised({"a": 5, "b": 5}, {"a": 4, "b": 6, "c": 1}) == {"a": 5, "b": 6, "c": 1}
