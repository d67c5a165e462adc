"""What wrong arguments are told, and that faults of the engine stay faults."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import errors, refusals, registry

Engine: Any = engine


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "text"),
    [
        (
            "nn.functional.dropout",
            ("ones", None),
            {},
            "dropout(): argument 'p' (position 2) must be float, not NoneType",
        ),
        ("exp", ("ones",), {"bogus": 1}, "exp() got an unexpected keyword argument 'bogus'"),
        ("full", ((2,), "a"), {}, "full(): argument 'fill_value' (position 2) must be Number, not str"),
    ],
)
def test_wrong_arguments_are_told_in_pytorchs_words(name: str, args: Any, kwargs: Any, text: str) -> None:
    given = [Engine.ones(2, 3) if value == "ones" else value for value in args]
    with pytest.raises(errors.ArgumentTypeError) as caught:
        refusals.call(registry.function(name) or print, given, kwargs, name)
    assert (str(caught.value), caught.value.op) == (text, name)


def test_what_the_arguments_do_not_explain_is_left_alone() -> None:
    def broken(input: Any, dim: int = 0) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        refusals.call(broken, [1], {"dim": 2}, "broken")
    with pytest.raises(
        errors.ArgumentTypeError, match=r"^broken\(\): argument 'dim' \(position 2\) must be int, not str"
    ):
        refusals.call(broken, [1], {"dim": "a"}, "broken")


def test_what_a_callback_raises_passes_through() -> None:
    class Stop(Exception): ...

    def stop(_: Any) -> None:
        raise Stop

    with pytest.raises(Stop):
        refusals.call(Engine.autograd.functional.jacobian, [stop, Engine.ones(2)], {}, "autograd.functional.jacobian")
