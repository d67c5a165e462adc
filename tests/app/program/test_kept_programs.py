"""What is kept of programs that came before is bounded, whatever their texts are."""

import pytest

from app.evaluate.plan_cache import PlanCache
from app.limits import Limits
from app.program import interpret
from app.program.from_code import parse_code


def compiled(text: str) -> object:
    return interpret.compiled(parse_code(text, Limits()))


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    interpret._COMPILED.clear()


def test_a_text_that_comes_again_is_not_compiled_again() -> None:
    assert compiled("x = 1") is compiled("x = 1")


def test_long_texts_are_not_kept() -> None:
    text = "x = (" + "1," * interpret.KEPT_OF_ONE + ")"
    assert compiled(text) is not compiled(text)
    assert not interpret._COMPILED


def test_what_is_kept_is_bounded_by_its_characters() -> None:
    texts = [f"x{number} = (" + "1," * (interpret.KEPT_OF_ONE // 3) + ")" for number in range(30)]
    for text in texts:
        compiled(text)
    assert sum(map(len, interpret._COMPILED)) <= interpret.KEPT_CHARACTERS
    assert list(interpret._COMPILED) == texts[-len(interpret._COMPILED) :]


class Entry:
    nbytes = 300


def test_a_cache_keeps_nothing_that_would_take_most_of_it() -> None:
    cache: PlanCache[Entry] = PlanCache(10, 4_000, 500)
    assert cache.put("a", Entry())
    assert not cache.put("b" * 500, Entry())
    assert len(cache) == 1
