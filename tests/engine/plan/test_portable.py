"""Plans as data: what comes back replays to the same bits, and nothing else comes back as a plan."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.plan import MalformedPlan, Plan, Recorder, from_data, is_small, planned, portable, to_data
from engine.tensor import from_array
from tests.engine.checks import flat_tensors
from tests.engine.plan.test_plan import SAMPLES, Case, assert_identical, other_values, recorded

torch: Any = engine
SECOND_ORDER = [False, True]


def sent(plan: Plan) -> Plan | None:
    """The plan as another process gets it."""
    data = to_data(plan)
    return None if data is None else from_data(msgspec.msgpack.decode(msgspec.msgpack.encode(data)))


def outcome(plan: Plan, arrays: list[Any]) -> Any:
    """What a plan gives, or how it refuses."""
    try:
        return plan(*arrays)
    except engine.errors.EngineError as error:
        return type(error), str(error)


@cache
def plans(second_order: bool) -> list[tuple[Case, Plan]]:
    """The small plans of all samples."""
    found = []
    for case in SAMPLES:
        try:
            plan, _ = recorded(case, second_order)
        except engine.errors.EngineError:  # no second order
            continue
        if isinstance(plan, Plan) and is_small(plan.graph):
            found.append((case, plan))
    return found


@pytest.mark.parametrize("second_order", SECOND_ORDER)
@pytest.mark.parametrize("part", range(8))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_plan_that_was_sent_replays_to_the_same_bits(part: int, second_order: bool) -> None:
    for case, plan in plans(second_order)[part::8]:
        received = sent(plan)
        if received is None:
            continue
        call = other_values(case)
        arrays = [tensor.array for tensor in flat_tensors([call.args, call.kwargs])]
        got, wanted = outcome(received, arrays), outcome(plan, arrays)
        if isinstance(wanted, tuple) and wanted and isinstance(wanted[0], type):
            assert got == wanted, case[0]
        else:
            assert_identical(got, wanted)
        assert (received.graph.spent, received.graph.copied) == (plan.graph.spent, plan.graph.copied)


def test_nearly_every_small_plan_can_be_sent() -> None:
    found = [to_data(plan) is not None for second_order in SECOND_ORDER for _, plan in plans(second_order)]
    assert len(found) > 3000
    assert sum(found) / len(found) > 0.97


def test_writing_a_plan_down_again_gives_the_same_data() -> None:
    for _, plan in plans(True)[::7]:
        data, received = to_data(plan), sent(plan)
        if received is not None:
            assert msgspec.msgpack.encode(to_data(received)) == msgspec.msgpack.encode(data)


# -- what is small -------------------------------------------------------------------------------------------------
def plan_of(code: Any, *shapes: tuple[int, ...]) -> Plan:
    """The plan of a function of tensors of ones."""
    leaves = [from_array(np.ones(shape)) for shape in shapes]
    with Recorder([leaf.array for leaf in leaves]) as notes:
        result = code(*leaves)
    plan = planned(notes, [result.array])
    assert isinstance(plan, Plan)
    return plan


def long_chain(x: Any) -> Any:
    for _ in range(500):
        x = x.cumsum(0)
    return x


LARGE = [
    plan_of(lambda x: x * 2, (100_000,)),
    plan_of(lambda x: (x.expand(1000, 100) * 2).sum(), (100,)),
    plan_of(lambda x: x @ x, (130, 130)),
    plan_of(lambda x: torch.linalg.inv(x + torch.eye(120)), (120, 120)),
    plan_of(long_chain, (3,)),
    plan_of(lambda x: torch.special.zeta(x + 2, x), (15_000,)),
]


@pytest.mark.parametrize("number", range(len(LARGE)))
def test_what_is_not_small_is_neither_written_nor_read(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = LARGE[number]
    assert not is_small(plan.graph)
    assert to_data(plan) is None
    with monkeypatch.context() as patch:
        patch.setattr(portable, "is_small", lambda graph: True)
        data = to_data(plan)
    if data is not None:
        with pytest.raises(MalformedPlan):
            from_data(data)


@pytest.mark.parametrize("shape", [(0, 70_000), (0, 2**40), (3, 0, 10**6)])
def test_what_can_be_written_can_be_read_also_without_elements(shape: tuple[int, ...]) -> None:
    plan = plan_of(lambda x: x * 2, shape)
    assert sent(plan) is None or isinstance(sent(plan), Plan)


# -- malformed data ------------------------------------------------------------------------------------------------
def model(x: Any, w: Any) -> Any:
    h = torch.tanh(x @ w + torch.arange(3, dtype=torch.float64))
    return torch.cat([h[:, 1:], h[:, :1]], dim=1).softmax(1).sum(0)


WHOLE: dict[str, Any] = to_data(plan_of(model, (2, 4), (4, 3))) or {}
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.integers() | st.floats() | st.text(max_size=5)
    | st.binary(max_size=9)
    | st.sampled_from([
        "numpy.exp", "numpy.frompyfunc", "op.matmul", "op.nothing", "os.system", "plan.copy_of", "plan.written",
        "float64", "int8", "value", "tuple", "list", "slice", "dtype", "complex", "ellipsis", "__class__", "class",
        2**70,
    ]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every part."""
    yield path
    if isinstance(data, dict | list):
        for key, part in data.items() if isinstance(data, dict) else enumerate(data):
            yield from places(part, (*path, key))


def mutated(data: Any, path: tuple[Any, ...], change: str, junk: Any) -> Any:
    """A copy of ``data`` in which what is at ``path`` is replaced, left out or doubled."""
    if not path:
        return junk
    whole = copy.deepcopy(data)
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    if change == "replace":
        holder[path[-1]] = junk
    elif change == "drop":
        del holder[path[-1]]
    elif isinstance(holder, list):
        holder.insert(path[-1], copy.deepcopy(holder[path[-1]]))
    return whole


@pytest.fixture(scope="module")
def ran() -> Iterator[list[str]]:
    """The names of what was called of all that a plan can call beside kernels."""
    called: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        calls = {name: partial(note, called, name) for name in portable._calls()}
        patch.setattr(portable, "_calls", lambda: calls)
        yield called


def note(called: list[str], name: str, *args: Any, **named: Any) -> Any:
    called.append(name)
    return args[0] if args else None


def test_what_is_called_by_a_plan_would_be_seen(ran: list[str]) -> None:
    plan = from_data(to_data(plan_of(lambda x: x.exp(), (2,))))
    assert not ran
    plan(np.ones(2))
    assert ran == ["numpy.exp"]
    ran.clear()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_malformed_data_are_refused_as_such_and_nothing_runs(ran: list[str], data: st.DataObject) -> None:
    spoiled: Any = WHOLE
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(spoiled))))
        spoiled = mutated(spoiled, path, data.draw(st.sampled_from(["replace", "drop", "double"])), data.draw(JUNK))
    before = repr(spoiled)
    try:
        plan = from_data(spoiled)
    except MalformedPlan:
        plan = None
    assert not ran
    assert repr(spoiled) == before
    if plan is not None:
        assert is_small(plan.graph)


@settings(deadline=None)
@given(junk=JUNK)
def test_anything_else_is_no_plan(junk: Any) -> None:
    with pytest.raises(MalformedPlan):
        from_data(junk)


@pytest.mark.parametrize(
    ("place", "junk"),
    [
        (("steps", 0, 0), "numpy.frompyfunc"), (("steps", 0, 0), "builtins.eval"), (("steps", 0, 0), "op.nothing"),
        (("steps", 0, 0), "numpy.load"), (("steps", 0, 0), "plan.Plan"), (("steps", 0, 0), "op."),
        (("steps", 0, 2), {"x=1); import os; (y": 1}), (("steps", 0, 2), {"class": 1}),
        (("steps", 0, 3), []), (("values", 0, 0), [10**6]), (("values", 0, 0), [-1]), (("values", 0, 1), "object"),
        (("outputs",), [99]), (("inputs",), [0, 0]), (("copied",), []), (("steps", 0, 1), [["value", 10**9]]),
        (("steps", 0, 1), [["list", ["list", ["list", ["list", ["list", ["list", ["list"]]]]]]]]),
    ],
)  # fmt: skip
def test_names_and_numbers_of_what_is_not_there_are_refused(place: tuple[Any, ...], junk: Any) -> None:
    from_data(WHOLE)
    with pytest.raises(MalformedPlan):
        from_data(mutated(WHOLE, place, "replace", junk))
