"""Programs that come again: run eagerly, then recorded, then replayed, and every answer is the same to the byte."""

from __future__ import annotations

import gzip
import json
import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from app.errors import ClientGone
from app.evaluate import evaluator as evaluators
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import SEEN, Call, Compiled, Evaluator, Unplanned
from app.limits import Limits
from engine import plan as engine_plans
from tests.app.conftest import Client, Serve
from tests.app.routers.test_evaluate import TUTORIAL
from tests.app.test_snippets import SNIPPETS
from tests.paths import GOLDEN

MSGPACK = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}


def cases() -> list[Any]:
    with gzip.open(GOLDEN / "conformance.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [case for case in map(json.loads, lines) if "request" in case]


CASES = cases()


def answers(client: Client, request: Any, times: int = 4) -> list[Any]:
    return [client("POST", "/v1/evaluate", json=request) for _ in range(times)]


def evaluator(client: Client) -> Evaluator:
    return client.services.evaluator


def plans(client: Client) -> list[Any]:
    return [entry for entry, _ in evaluator(client).plans._entries.values()]


def compiled(client: Client) -> int:
    return sum(isinstance(plan, Compiled) for plan in plans(client))


@pytest.mark.parametrize("start", range(0, len(CASES), 200))
def test_operator_cases_answer_the_same_from_a_plan(serve: Serve, start: int) -> None:
    client = serve()
    for case in CASES[start : start + 200]:
        first, *others = answers(client, case["request"])
        assert all((one.status_code, one.content) == (first.status_code, first.content) for one in others), case["id"]
    assert compiled(client) > 0


def test_programs_answer_the_same_from_a_plan(serve: Serve) -> None:
    client = serve()
    fixed = [
        one for one in SNIPPETS if one["group"] not in ("random", "factory") and "0x" not in "".join(one["prints"])
    ]
    for snippet in fixed:
        first, *others = answers(client, {"code": snippet["code"]}, 3)
        assert [one.json() for one in others] == [first.json()] * 2, snippet["id"]
    assert compiled(client) > 50


@pytest.mark.parametrize("form", ["json", "base64", "msgpack"])
def test_a_plan_answers_other_numbers_as_an_eager_run_does(serve: Serve, form: str) -> None:
    generator = np.random.default_rng(0)
    client, fresh = serve(), serve()
    headers = MSGPACK if form == "msgpack" else {}
    for _ in range(6):
        x = generator.standard_normal((2, 2)).tolist()
        request = {**TUTORIAL, "inputs": {"x": {"data": x, "requires_grad": True}}}
        request |= {"encoding": form} if form == "base64" else {}
        body = msgspec.msgpack.encode(request) if form == "msgpack" else json.dumps(request).encode()
        got = client("POST", "/v1/evaluate", content=body, headers=headers)
        evaluator(fresh).plans._entries.clear()
        evaluator(fresh)._seen.clear()
        wanted = fresh("POST", "/v1/evaluate", content=body, headers=headers)
        assert (got.status_code, got.content) == (200, wanted.content)
        assert got.headers["content-type"] == wanted.headers["content-type"]
    assert (compiled(client), compiled(fresh)) == (1, 0)


def test_numbers_that_json_has_not_come_out_of_a_plan_as_words(client: Client) -> None:
    nodes = [{"id": "y", "op": "log", "args": ["$x"]}]
    for data in ([1.0, 2.0], [0.5, 3.0], [0.0, -1.0], [1.0, 1.0]):
        got = client("POST", "/v1/evaluate", json={"inputs": {"x": data}, "nodes": nodes}).json()["outputs"]["y"][
            "data"
        ]
        assert len(got) == 2
    assert client.evaluate(inputs={"x": [0.0, -1.0]}, nodes=nodes)["outputs"]["y"]["data"] == ["-Infinity", "NaN"]


def test_shapes_dtypes_and_flags_have_plans_of_their_own(serve: Serve) -> None:
    client = serve()
    nodes = [{"id": "y", "op": "mul", "args": ["$x", "$x"]}]
    spellings: list[Any] = [
        [1.0, 2.0], [1, 2], [[1.0, 2.0]], {"data": [1.0, 2.0], "requires_grad": True}, 1.5, [],
        {"data": [1.0, 2.0], "dtype": "float64"}, {"data": [1.0, 2.0], "dtype": "float16"}, [True, False],
    ]  # fmt: skip
    once = [client.evaluate(inputs={"x": x}, nodes=nodes) for x in spellings]
    for _ in range(3):
        assert [client.evaluate(inputs={"x": x}, nodes=nodes) for x in spellings] == once
    assert compiled(client) == len(spellings)
    assert len({json.dumps(answer) for answer in once}) == len(spellings)


def test_what_a_plan_refuses_is_refused_as_by_an_eager_run(serve: Serve) -> None:
    client = serve()
    nodes = [{"id": "y", "op": "linalg.inv", "args": ["$x"]}, {"id": "z", "op": "sum", "args": ["$y"]}]
    sound, singular = ({"x": {"data": x, "dtype": "float64"}} for x in ([[2.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]] * 2))
    first = answers(client, {"inputs": singular, "nodes": nodes}, 1)[0]
    assert first.status_code == 422
    answers(client, {"inputs": sound, "nodes": nodes})
    again = answers(client, {"inputs": singular, "nodes": nodes}, 1)[0]
    assert (again.status_code, again.content) == (422, first.content)


def test_random_numbers_and_printed_values_are_new_every_time(serve: Serve) -> None:
    client = serve()
    drawn = {json.dumps(client.evaluate(code="r = torch.rand(3)")["outputs"]) for _ in range(5)}
    assert len(drawn) == 5
    code = "print(x)\nif_ = x.item()\ny = x * if_"
    for value in (1.5, 2.5, 3.5, 4.5):
        answer = client.evaluate(inputs={"x": value}, code=code)
        assert (answer["prints"], answer["outputs"]["y"]["data"]) == ([f"tensor({value:.4f})"], value * value)
    assert compiled(client) == 0


def test_what_is_asked_for_beside_the_numbers_counts(serve: Serve) -> None:
    client = serve()
    for _ in range(4):
        assert set(client.evaluate(**TUTORIAL)["outputs"]) == {"y", "out"}
        assert set(client.evaluate(**{**TUTORIAL, "outputs": ["z"]})["outputs"]) == {"z"}
        assert "graph" in client.evaluate(**TUTORIAL, include=["graph"])
        assert client.evaluate(**{**TUTORIAL, "backward": []})["grads"] == {"x": None}
        assert client("POST", "/v1/evaluate?encoding=base64", json=TUTORIAL).json()["grads"]["x"]["data"] != [4.5]


def test_requests_that_are_malformed_are_refused_with_a_plan_at_hand(serve: Serve) -> None:
    client, fresh = serve(), serve()
    answers(client, TUTORIAL)
    x = TUTORIAL["inputs"]["x"]
    spoiled: list[Any] = [
        {**TUTORIAL, "more": 1}, {**TUTORIAL, "inputs": {"x": {**x, "data": [[1.0], [1.0, 2.0]]}}},
        {**TUTORIAL, "inputs": {"x": {**x, "requires_grad": 1}}}, {**TUTORIAL, "inputs": {"x y": x}},
        {**TUTORIAL, "inputs": {"x": {**x, "data": [[1.0, "2"], [1.0, 2.0]]}}}, {**TUTORIAL, "inputs": {}},
        {**TUTORIAL, "inputs": {"x": {**x, "shape": [3]}}}, {**TUTORIAL, "create_graph": 1},
        {**TUTORIAL, "inputs": {"x": {**x, "data": [[1.5, None], [1.0, 2.0]]}}}, {**TUTORIAL, "encoding": "hex"},
        {**TUTORIAL, "inputs": {"x": {**x, "dtype": "int64", "data": [[1.5]]}}}, {**TUTORIAL, "grads": ["nothing"]},
        {**TUTORIAL, "inputs": {"x": {**x, "dtype": "float31"}}}, {**TUTORIAL, "backward": [{"tensor": 1}]},
    ]  # fmt: skip
    for request in spoiled:
        got, wanted = (one("POST", "/v1/evaluate", json=request) for one in (client, fresh))
        assert got.status_code == wanted.status_code == 422, request
        assert got.json() == wanted.json()


def test_many_programs_leave_memory_bounded(serve: Serve) -> None:
    one = Evaluator(Limits(), count=8, nbytes=2**20)
    for number in range(SEEN + 500):
        one._came_before(("program", number))
    assert len(one._seen) == SEEN
    client = serve()
    client.services.evaluator = one
    for number in range(30):
        for _ in range(3):
            client.evaluate(inputs={"x": 1.5}, nodes=[{"id": "y", "op": "mul", "args": ["$x", number]}])
    assert len(one.plans) <= 8
    assert one.plans.nbytes <= 2**20


def test_one_plan_serves_many_threads(serve: Serve) -> None:
    client = serve(threads=4)
    answers(client, TUTORIAL)
    wrong: list[Any] = []

    def ask(number: int) -> None:
        for step in range(20):
            x = float(number * 100 + step)
            inputs = {"x": {"data": [[x, x], [x, x]], "requires_grad": True}}
            answer = client.evaluate(**{**TUTORIAL, "inputs": inputs})
            if answer["grads"]["x"]["data"] != [[1.5 * (x + 2)] * 2] * 2:
                wrong.append((x, answer))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def call(request: Any) -> Call:
    return Call(json.dumps(request).encode(), "application/json")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small does not depend on how busy the machine is."""
    monkeypatch.setattr(evaluators, "SMALL_S", 60.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("program", "is_small"),
    [
        ({"code": "y = torch.ones(1024) * 2"}, True),
        ({"code": "y = torch.ones(1025) * 2"}, False),
        ({"code": "y = torch.ones(3).expand(5000, 3).sum()"}, False),
        ({"code": "for i in range(100):\n    y = torch.ones(1024) * 2"}, False),
        ({"code": "y = torch.rand(3)"}, True),
        (TUTORIAL, True),
    ],
)
def test_what_turns_out_to_be_small_is_answered_at_once(program: Any, is_small: bool) -> None:
    one, other = Evaluator(Limits()), Evaluator(Limits())
    reply = one.quick(call(program))
    assert (reply is not None) == is_small
    if reply is not None and "rand" not in str(program):
        assert reply == other.answer(call(program))
    assert one.quick(call(program)) is None  # to be recorded, or as large as before


@pytest.mark.usefixtures("patient")
def test_a_run_that_was_given_up_leaves_no_trace() -> None:
    one = Evaluator(Limits())
    request = {"inputs": {"x": [1.5, 2.5]}, "code": "x.add_(1)\nprint(x)\ny = torch.zeros(5000).sum() + x"}
    for _ in range(4):
        asked = call(request)
        assert one.quick(asked) is None
        answer = json.loads(one.answer(asked).body)
        assert answer["outputs"]["y"]["data"] == [2.5, 3.5]
        assert answer["prints"] == ["tensor([2.5000, 3.5000])"]


@pytest.mark.usefixtures("patient")
def test_a_graph_without_a_plan_is_answered_at_once_if_it_is_small() -> None:
    one = Evaluator(Limits())
    small, large = {"code": "r = torch.rand(3)"}, {"code": "r = torch.rand(600000)"}
    for request in (small, large):
        for _ in range(2):
            one.answer(call(request))
    first, second = one.quick(call(small)), one.quick(call(small))
    assert None not in (first, second)
    assert first != second
    assert one.quick(call(large)) is None
    known = [entry for entry, _ in one.plans._entries.values()]
    assert known == [Unplanned(is_small=True), Unplanned(is_small=False)]  # it is not tried again


@pytest.mark.usefixtures("patient")
def test_what_never_gets_a_plan_stays_on_the_event_loop() -> None:
    one = Evaluator(Limits())
    assert all(one.quick(call({**TUTORIAL, "include": ["graph"]})) for _ in range(4))


def test_time_ends_a_run_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluators, "SMALL_S", 0.0)
    one = Evaluator(Limits())
    assert one.quick(call(TUTORIAL)) is None
    assert one.answer(call(TUTORIAL)).status == 200


def test_large_requests_are_planned_in_a_thread(serve: Serve) -> None:
    client = serve()
    data = (np.arange(40_000) / 7).tolist()
    nodes = [{"id": "y", "op": "sin", "args": ["$x"]}, {"id": "s", "op": "sum", "args": ["$y"]}]
    request = {"inputs": {"x": {"data": data, "requires_grad": True}}, "nodes": nodes, "backward": [{"tensor": "s"}]}
    first, *others = answers(client, request)
    assert all(one.content == first.content for one in others)
    assert compiled(client) == 1


@pytest.mark.parametrize("size", [16_383, 16_384, 100_000])
def test_large_tensors_in_msgpack_come_out_of_a_plan_as_of_an_eager_run(serve: Serve, size: int) -> None:
    client = serve()
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    leaf = {"data": x.tobytes(), "dtype": "float32", "shape": [size], "requires_grad": True}
    nodes = [{"id": "y", "op": "mul", "args": ["$x", "$x"]}, {"id": "s", "op": "sum", "args": ["$y"]}]
    request = {"inputs": {"x": leaf}, "nodes": nodes, "outputs": ["y", "s"], "backward": [{"tensor": "s"}]}
    body = msgspec.msgpack.encode(request)
    first, *others = (client("POST", "/v1/evaluate", content=body, headers=MSGPACK) for _ in range(4))
    assert all(one.content == first.content for one in others)
    assert np.array_equal(np.frombuffer(msgspec.msgpack.decode(first.content)["grads"]["x"]["data"], np.float32), 2 * x)
    assert compiled(client) == 1


def test_the_hot_route_is_the_documented_one(serve: Serve) -> None:
    client = serve(api_keys="ann:one")
    key = {"Authorization": "Bearer one"}
    for path in ("/v1/evaluate", "/v1/evaluate?"):
        assert client("POST", path, json=TUTORIAL).status_code == 401
        assert client("POST", path, json=TUTORIAL, headers={**key, "Accept": "text/plain"}).status_code == 406
        assert client("POST", path, content=b"{}", headers={**key, "Content-Type": "text/plain"}).status_code == 415
        assert client("POST", path, content=b"{", headers=key).status_code == 400
        good = client("POST", path, json=TUTORIAL, headers={**key, "X-Request-Id": "mine"})
        assert (good.status_code, good.headers["x-request-id"]) == (200, "mine")
    assert client("GET", "/v1/evaluate", headers=key).status_code == 405
    text = client("GET", "/metrics", headers=key).text
    assert 'gradserve_requests_total{route="/v1/evaluate",method="POST",status="200"} 2' in text
    assert 'gradserve_requests_total{route="/v1/evaluate",method="POST",status="415"} 2' in text


@pytest.mark.parametrize("function", ["sum", "cumsum"])
def test_replays_keep_no_warning_and_answer_with_the_recorded_one(function: str) -> None:
    one = Evaluator(Limits())
    dim = ", 0" if function == "cumsum" else ""
    x = {"data": [[1.0, 2.0], [3.0, 0.5]], "dtype": "complex64"}
    request = {"inputs": {"x": x}, "code": f"y = torch.{function}(x{dim}, dtype=torch.float32)"}
    first, *others = (one.quick(call(request)) or one.answer(call(request)) for _ in range(20))
    assert json.loads(first.body)["warnings"] == ["Casting complex values to real discards the imaginary part"]
    assert all(other == first for other in others)
    assert not evaluators._PLAN_STATE.warnings


def counted_plans(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What planning gives from now on."""
    tried: list[Any] = []
    planned = engine_plans.planned

    def counted(*args: Any) -> Any:
        tried.append(planned(*args))
        return tried[-1]

    monkeypatch.setattr(engine_plans, "planned", counted)
    return tried


def test_a_program_that_planning_cannot_afford_is_answered_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = counted_plans(monkeypatch)
    monkeypatch.setattr(evaluators, "PLANNING_S", 0.0)
    one = Evaluator(Limits())
    replies = [one.answer(call(TUTORIAL)) for _ in range(5)]
    assert all(reply == replies[0] for reply in replies)
    assert [entry for entry, _ in one.plans._entries.values()] == [Unplanned()]
    assert len(tried) == 1


def test_a_client_that_leaves_during_planning_says_nothing_about_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation, planned = Cancellation(), engine_plans.planned

    def leaving(*args: Any) -> Any:
        cancellation.cancel()
        return planned(*args)

    one = Evaluator(Limits())
    one.answer(call(TUTORIAL))
    monkeypatch.setattr(engine_plans, "planned", leaving)
    with pytest.raises(ClientGone):
        cancellation.run(lambda: one.answer(call(TUTORIAL)))
    monkeypatch.undo()
    assert len(one.plans) == 0
    for _ in range(2):
        one.answer(call(TUTORIAL))
    assert [type(entry) for entry, _ in one.plans._entries.values()] == [Compiled]


def test_a_plan_that_is_too_large_to_keep_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = counted_plans(monkeypatch)
    one = Evaluator(Limits(), nbytes=2_500)
    replies = [one.answer(call(TUTORIAL)) for _ in range(6)]
    assert all(reply == replies[0] for reply in replies)
    assert [entry for entry, _ in one.plans._entries.values()] == [Unplanned()]
    assert len(tried) == 1
