"""The front's side of plans: it takes what is small, refuses the rest, and answers to the byte."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.evaluate import shipping
from app.evaluate.cancellation import Cancellation
from app.evaluate.replay import QUICK_BYTES, Replayer, Sighting
from app.evaluate.shipping import Compiled
from app.http.problems import kind_of
from app.limits import Limits
from app.wire.codec import NotAcceptable, UnsupportedMedia
from app.wire.reply import Reply
from engine import plan as plans
from engine.plan import MalformedPlan, portable
from tests.app.conftest import Client, Serve
from tests.app.evaluate.test_evaluator import CASES, LARGE, Service, call
from tests.app.routers.test_evaluate import TUTORIAL


def shipped(request: Any) -> bytes:
    """What a compute process sends of a program that came before."""
    _, found = Service().evaluator.answer(call(request), True)
    assert found is not None
    return found


SHIPPED = shipped(TUTORIAL)


def sighting(replayer: Replayer, request: Any) -> Sighting:
    found = replayer.reply_to(call(request))
    assert isinstance(found, Sighting)
    return found


def test_what_was_adopted_answers_from_then_on() -> None:
    replayer, wanted = Replayer(Limits()), Service().ask(TUTORIAL)
    assert not sighting(replayer, TUTORIAL).came_before
    seen = sighting(replayer, TUTORIAL)
    assert seen.came_before
    replayer.adopt(seen, SHIPPED)
    assert replayer.reply_to(call(TUTORIAL)) == wanted
    assert replayer.counts()["plans"] == 1
    assert not sighting(replayer, {**TUTORIAL, "outputs": ["z"]}).came_before  # another program


def test_most_programs_with_a_plan_are_answered_by_the_front() -> None:
    replayed = kept = 0
    refused: list[int] = []
    for case in CASES[::5]:
        one = Service()
        try:
            for _ in range(3):
                one.ask(case["request"])
        except Exception as error:
            refused.append(kind_of(error).status)
        replayed += one.replays
        kept += any(isinstance(entry, Compiled) for entry in one.entries)
    assert replayed > 0.9 * (replayed + kept)
    assert replayed > 100
    assert set(refused) <= set(range(400, 500))


def test_what_is_not_small_is_refused_also_if_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Service().evaluator.answer(call(LARGE), True)[1] is None
    with monkeypatch.context() as patch:
        patch.setattr(portable, "is_small", lambda graph: True)
        patch.setattr(portable, "SMALL_WORK", 2**40)
        found = shipped(LARGE)
    replayer = Replayer(Limits())
    seen = sighting(replayer, TUTORIAL)
    with pytest.raises(MalformedPlan):
        replayer.adopt(seen, found)
    assert len(replayer.plans) == 0


@settings(deadline=None)
@given(data=st.data())
def test_bytes_that_were_tampered_with_are_refused_as_such(data: st.DataObject) -> None:
    raw = bytearray(SHIPPED)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(len(raw) // 2, len(raw)))] if data.draw(st.booleans()) else raw
    try:
        plan, template = shipping.unpack(bytes(raw))
    except MalformedPlan:
        return
    assert plans.is_small(plan.graph)  # other numbers or words, but no other kind of thing
    assert template.fits(len(plan.graph.outputs))


@pytest.mark.parametrize("raw", [b"", b"\xc1", msgspec.msgpack.encode([{}, []]), SHIPPED + b"x", SHIPPED[:-1]])
def test_what_is_no_shipment_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedPlan):
        shipping.unpack(raw)


def test_a_template_for_other_outputs_is_refused() -> None:
    plan, _ = shipping.unpack(SHIPPED)
    _, template = shipping.unpack(shipped({"code": "y = torch.ones(3)"}))
    found = shipping.pack(plan, template)
    assert found is not None
    with pytest.raises(MalformedPlan, match="places"):
        shipping.unpack(found)


def test_what_no_plan_may_answer_is_not_looked_at() -> None:
    replayer = Replayer(Limits())
    long = {**TUTORIAL, "inputs": {"x": {"data": [[1.5] * QUICK_BYTES], "requires_grad": True}}}
    assert replayer.reply_to(call(long)) is None
    assert replayer.reply_to(call("no object")) is None
    squeezed = call(TUTORIAL)
    squeezed.content_encoding = "gzip"
    assert replayer.reply_to(squeezed) is None
    for field, error in (("accept", NotAcceptable), ("content_type", UnsupportedMedia)):
        strange = call(TUTORIAL)
        setattr(strange, field, "text/css")
        with pytest.raises(error):
            replayer.reply_to(strange)


def test_a_replay_asks_no_clock_and_no_budget() -> None:
    """It is small: the deadline of a request does not matter to it."""
    replayer = Replayer(Limits(seconds=1e-9, intermediate_bytes=1))
    sighting(replayer, TUTORIAL)
    replayer.adopt(sighting(replayer, TUTORIAL), SHIPPED)
    reply = Cancellation(0.0).run(lambda: replayer.reply_to(call(TUTORIAL)))
    assert isinstance(reply, Reply)


def test_a_shipment_that_is_refused_costs_no_answer(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client: Client = serve()

    def refuse(*_: Any) -> None:
        raise MalformedPlan("no plan")

    monkeypatch.setattr(client.services.replayer, "adopt", refuse)
    with caplog.at_level(logging.ERROR):
        answers = [client.evaluate(**TUTORIAL) for _ in range(3)]
    assert answers[1:] == answers[:1] * 2
    assert "shipped what is no plan" in caplog.text


@pytest.mark.parametrize("shape", [[0, 70_000], [3, 0, 100_000]])
def test_extents_beside_none_do_not_stop_an_answer(client: Client, shape: list[int]) -> None:
    request = {"inputs": {"x": {"data": [], "shape": shape, "requires_grad": True}}, "code": "y = (x * 2).sum()"}
    answers = [client.evaluate(**request) for _ in range(4)]
    assert answers[1:] == answers[:1] * 3
