"""Programs that come again: run eagerly, then recorded, then replayed, and every answer is the same to the byte."""

from __future__ import annotations

import gzip
import json
import threading
import time
from typing import Any

import msgspec
import numpy as np
import pytest

from app.errors import ClientGone
from app.evaluate import evaluator as evaluators
from app.evaluate.call import Call
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import Evaluator, Unplanned
from app.evaluate.replay import SEEN, Replayer
from app.evaluate.shipping import Compiled
from app.limits import Limits
from app.wire.reply import Reply
from engine import modes
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


def replayer(client: Client) -> Replayer:
    return client.services.replayer


def compiled(client: Client) -> int:
    """How many plans the front has."""
    return len(replayer(client).plans)


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
        replayer(fresh).plans._entries.clear()
        replayer(fresh)._seen.clear()
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
    one = Replayer(Limits(), count=8, nbytes=2**20)
    for number in range(SEEN + 500):
        one._note(hash(("program", number)), True)
    assert len(one._seen) == SEEN
    client = serve()
    client.services.replayer = one
    for number in range(30):
        for _ in range(3):
            client.evaluate(inputs={"x": 1.5}, nodes=[{"id": "y", "op": "mul", "args": ["$x", number]}])
    assert 0 < len(one.plans) <= 8
    assert one.plans.nbytes <= 2**20


def test_one_plan_serves_many_clients(serve: Serve) -> None:
    client = serve(workers=2)
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
    assert compiled(client) == 1


def call(request: Any) -> Call:
    return Call(json.dumps(request).encode(), "application/json")


class Service:
    """An evaluator and a replayer, in one process: they answer as a compute process and the front do."""

    def __init__(self, nbytes: int = 2**26) -> None:
        self.replayer, self.evaluator = Replayer(Limits()), Evaluator(Limits(), nbytes=nbytes)
        self.replays = 0

    def ask(self, request: Any) -> Reply:
        known = self.replayer.reply_to(call(request))
        if isinstance(known, Reply):
            self.replays += 1
            return known
        reply, shipped = self.evaluator.answer(call(request), known is None or known.came_before)
        if known is not None and shipped is not None:
            self.replayer.adopt(known, shipped)
        return reply

    @property
    def entries(self) -> list[Any]:
        """What the evaluator knows."""
        return [entry for entry, _ in self.evaluator.plans._entries.values()]


LARGE = {"inputs": {"x": [0.5] * 70_000}, "code": "y = (x * 2).sum()"}


@pytest.mark.parametrize(
    ("program", "is_small"),
    [
        ({"code": "y = torch.ones(1024) * 2"}, True),
        ({"code": "y = torch.ones(70000) * 2"}, False),
        ({"inputs": {"x": [1.5] * 100}, "code": "y = x.expand(700, 100).exp().sum()"}, False),
        ({"inputs": {"x": [1.5] * 100}, "code": "for i in range(50):\n    x = x.cumsum(0)"}, True),
        ({"inputs": {"x": [1.5] * 100}, "code": "for i in range(500):\n    x = x.cumsum(0)"}, False),
        ({"code": "y = torch.rand(3)"}, False),
        (TUTORIAL, True),
    ],
)
def test_the_front_answers_what_is_small_by_itself(program: Any, is_small: bool) -> None:
    one, other = Service(), Evaluator(Limits())
    for _ in range(4):
        reply = one.ask(program)
        assert "rand" in str(program) or reply == other.answer(call(program), False)[0]
    assert one.replays == (2 if is_small else 0)


def test_a_graph_without_a_plan_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = counted_plans(monkeypatch)
    one = Service()
    assert len({one.ask({"code": "r = torch.rand(3)"}).body for _ in range(5)}) == 5
    assert (one.entries, one.replays, len(tried)) == ([Unplanned()], 0, 1)


def test_what_asks_for_more_than_numbers_never_gets_a_plan() -> None:
    one = Service()
    for _ in range(4):
        one.ask({**TUTORIAL, "include": ["graph"]})
    assert (one.entries, one.replays) == ([], 0)


def test_a_large_plan_stays_where_it_was_made(serve: Serve) -> None:
    client, one = serve(), Service()
    data = (np.arange(40_000) / 7).tolist()
    nodes = [{"id": "y", "op": "sin", "args": ["$x"]}, {"id": "s", "op": "sum", "args": ["$y"]}]
    request = {"inputs": {"x": {"data": data, "requires_grad": True}}, "nodes": nodes, "backward": [{"tensor": "s"}]}
    first, *others = answers(client, request)
    assert all(one.content == first.content for one in others)
    assert compiled(client) == 0
    assert all(one.ask(request).body == first.content for _ in range(4))
    assert [type(entry) for entry in one.entries] == [Compiled]
    assert one.replays == 0


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
    one = Service()
    dim = ", 0" if function == "cumsum" else ""
    x = {"data": [[1.0, 2.0], [3.0, 0.5]], "dtype": "complex64"}
    request = {"inputs": {"x": x}, "code": f"y = torch.{function}(x{dim}, dtype=torch.float32)"}
    first, *others = (one.ask(request) for _ in range(20))
    assert json.loads(first.body)["warnings"] == ["Casting complex values to real discards the imaginary part"]
    assert all(other == first for other in others)
    assert one.replays == 18
    assert not one.replayer._context.run(modes.current).warnings


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
    one = Service()
    replies = [one.ask(TUTORIAL) for _ in range(5)]
    assert all(reply == replies[0] for reply in replies)
    assert (one.entries, one.replays, len(tried)) == ([Unplanned()], 0, 1)


def test_a_client_that_leaves_during_planning_says_nothing_about_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation, planned = Cancellation(time.monotonic() + 60), engine_plans.planned

    def leaving(*args: Any) -> Any:
        cancellation.cancel()
        return planned(*args)

    one = Service()
    one.ask(TUTORIAL)
    monkeypatch.setattr(engine_plans, "planned", leaving)
    with pytest.raises(ClientGone):
        cancellation.run(lambda: one.ask(TUTORIAL))
    monkeypatch.undo()
    assert (one.entries, len(one.replayer.plans)) == ([], 0)
    for _ in range(2):
        one.ask(TUTORIAL)
    assert (one.replays, len(one.replayer.plans)) == (1, 1)


def test_a_plan_that_is_too_large_to_keep_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = counted_plans(monkeypatch)
    one = Service(nbytes=2_500)
    replies = [one.ask(LARGE) for _ in range(6)]
    assert all(reply == replies[0] for reply in replies)
    assert (one.entries, len(tried)) == ([Unplanned()], 1)


@pytest.mark.parametrize("module", ["random", "numpy"])
def test_what_draws_random_numbers_of_other_modules_has_no_plan(module: str) -> None:
    draw = "random.random()" if module == "random" else "float(numpy.random.rand())"
    request = {"code": f"import {module}\ny = x * {draw}", "inputs": {"x": {"data": [1.0], "dtype": "float32"}}}
    body = json.dumps(request).encode()
    evaluator = Evaluator(Limits())
    answers = [evaluator.answer(Call(body, "application/json"), came_before=number > 0) for number in range(3)]
    assert [shipped for _, shipped in answers] == [None, None, None]
    assert len({reply.body for reply, _ in answers}) == 3
