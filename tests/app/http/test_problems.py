"""Bad input, one row each: the problem it gets, where the problem says the mistake is, and that nothing was changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from app.limits import Limits
from app.program import pytorch
from app.program.names import find_op
from app.settings import Settings, UnknownSetting
from engine import registry
from tests.app.conftest import Client, Serve

X = {"x": {"data": [1.0, 2.0], "requires_grad": True}}
SCALAR = {"x": {"data": 3.0, "requires_grad": True}}


def node(op: str, *args: Any, into: str = "y", **kwargs: Any) -> dict[str, Any]:
    return {"id": into, "op": op, "args": list(args), "kwargs": kwargs}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Bad(NamedTuple):
    """A request, and what its problem must say."""

    request: Any
    status: int
    slug: str
    words: str
    facts: Mapping[str, Any] = MappingProxyType({})


SQUARE = node("mul", "$x", "$x")
TYPE_ERROR = {"exception": "TypeError"}
SECOND_NODE = {"id": "y", "index": 1}
BAD = {
    # the shell
    "not an object": Bad([1], 422, "invalid-request", "valid dictionary"),
    "unknown field": Bad({"nodes": [], "bogus": 1}, 422, "invalid-request", "bogus"),
    "neither nodes nor code": Bad({}, 422, "invalid-request", "either 'nodes' or 'code'"),
    "both nodes and code": Bad({"nodes": [], "code": ""}, 422, "invalid-request", "either 'nodes' or 'code'"),
    "outputs of another type": Bad({"nodes": [], "outputs": "y"}, 422, "invalid-request", "outputs"),
    "unknown include": Bad({"nodes": [], "include": ["x"]}, 422, "invalid-request", "include"),
    "unknown encoding": Bad({"nodes": [], "encoding": "hex"}, 422, "invalid-request", "encoding"),
    "backward root without tensor": Bad({"nodes": [], "backward": [{}]}, 422, "invalid-request", "backward.0.tensor"),
    # tensors
    "ragged list": Bad(
        {"inputs": {"x": [[1, 2], [3]]}, "nodes": []}, 422, "invalid-tensor",
        "expected sequence of length 2 at dim 1 (got 1)",
        {"errors": [{"loc": ["inputs", "x", 1], "msg": "expected sequence of length 2 at dim 1 (got 1)"}]},
    ),
    "wrong dtype": Bad(
        {"inputs": {"x": {"data": [1.5], "dtype": "int64"}}, "nodes": []}, 422, "invalid-tensor", "int64"
    ),
    "unknown dtype": Bad(
        {"inputs": {"x": {"data": [1], "dtype": "f4"}}, "nodes": []}, 422, "invalid-tensor", "'dtype'"
    ),
    "string for a number": Bad({"inputs": {"x": ["1"]}, "nodes": []}, 422, "invalid-tensor", "expected a number"),
    "null for a number": Bad({"inputs": {"x": [None]}, "nodes": []}, 422, "invalid-tensor", "got null"),
    "integer leaf": Bad(
        {"inputs": {"x": {"data": [1], "dtype": "int64", "requires_grad": True}}, "nodes": []}, 422, "invalid-tensor",
        'Only Tensors of floating point and complex dtype can require gradients; add "dtype": "float32"',
    ),
    "unknown tensor field": Bad(
        {"inputs": {"x": {"data": 1, "device": "cpu"}}, "nodes": []}, 422, "invalid-tensor", "another one"
    ),
    "not a name": Bad({"inputs": {"a.b": 1.0}, "nodes": []}, 422, "invalid-request", "names are"),
    "huge shape": Bad(
        {"inputs": {"x": {"data": [], "shape": [10**6, 10**6]}}, "nodes": []}, 413, "over-limit", "tensor_elements",
        {"limit": "tensor_elements"},
    ),
    # nodes
    "unknown op": Bad(
        {"nodes": [node("frobnicate")]}, 422, "invalid-program", "frobnicate", {"node": {"id": "y", "index": 0}}
    ),
    "unknown reference": Bad(
        {"inputs": X, "nodes": [node("neg", "$x", into="a"), node("neg", "$z")]}, 422, "invalid-program", "z",
        {"node": SECOND_NODE},
    ),
    "forward reference": Bad(
        {"inputs": X, "nodes": [node("neg", "$b"), node("neg", "$x", into="b")]}, 422, "invalid-program",
        "earlier nodes", {"node": {"id": "y", "index": 0}},
    ),
    "cyclic reference": Bad({"nodes": [node("neg", "$y")]}, 422, "invalid-program", "earlier"),
    "unknown node field": Bad({"nodes": [{"op": "neg", "arg": []}]}, 422, "invalid-program", "arg"),
    "node without op": Bad({"nodes": [{"id": "y"}]}, 422, "invalid-program", "op"),
    "node that is no object": Bad({"nodes": ["neg"]}, 422, "invalid-program", "object"),
    "long reference": Bad(
        {"inputs": X, "nodes": [node("neg", "$x" + 3000 * ".T")]}, 422, "invalid-program", "dots",
        {"node": {"id": "y", "index": 0}},
    ),
    "long index": Bad({"inputs": X, "nodes": [node("neg", "$x" + 3000 * ".0")]}, 422, "invalid-program", "dots"),
    "long output": Bad({"inputs": X, "nodes": [], "outputs": ["x" + 3000 * ".T"]}, 422, "invalid-request", "name"),
    "long root": Bad(
        {"inputs": X, "nodes": [], "backward": [{"tensor": "x" + 3000 * ".T"}]}, 422, "invalid-request", "name"
    ),
    "long grad": Bad({"inputs": X, "nodes": [], "grads": ["x" + 3000 * ".T"]}, 422, "invalid-request", "name"),
    "long attribute": Bad({"inputs": X, "code": "y = x" + 3000 * ".T"}, 422, "invalid-program", "nested"),
    "deep tuple": Bad({"code": "y = " + 5000 * "(" + "," + 5000 * ")"}, 422, "invalid-program", "nested"),
    "deep list": Bad({"nodes": [node("tensor", deep(90))]}, 422, "refused", "too many dimensions 'list'"),
    "dunder attribute": Bad({"inputs": X, "nodes": [node("neg", "$x.__class__")]}, 422, "invalid-program", "__class__"),
    "wrong arity": Bad({"inputs": X, "nodes": [node("mul", "$x")]}, 422, "refused", "", TYPE_ERROR),
    "too many arguments": Bad({"inputs": X, "nodes": [node("neg", "$x", 1, 2, 3)]}, 422, "refused", "", TYPE_ERROR),
    "unknown argument": Bad({"inputs": X, "nodes": [node("neg", "$x", colour=1)]}, 422, "refused", "", TYPE_ERROR),
    "shapes that do not broadcast": Bad(
        {"inputs": {**X, "z": [1.0, 2.0, 3.0]}, "nodes": [node("neg", "$x", into="a"), node("add", "$x", "$z")]},
        422, "refused", "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
        {"exception": "RuntimeError", "node": SECOND_NODE},
    ),
    "tensor that another op cannot take": Bad(
        {"inputs": X, "nodes": [node("transpose", "$x", 0, 5)]}, 422, "refused", "Dimension out of range",
        {"exception": "IndexError"},
    ),
    "huge result": Bad(
        {"inputs": {"a": [[1.0]] * 20_000},
         "nodes": [node("transpose", "$a", 0, 1, into="b"), node("add", "$a", "$b")]},
        413, "over-limit", "tensor_elements", {"limit": "tensor_elements"},
    ),
    "inline tensor that is ragged": Bad(
        {"nodes": [node("neg", {"tensor": [[1], [2, 3]]})]}, 422, "invalid-program", "expected sequence of length 1",
    ),
    "nodes too deep": Bad({"inputs": X, "nodes": [node("neg", deep(110))]}, 413, "over-limit", "depth"),
    # backward
    "backward on a non-scalar": Bad(
        {"inputs": X, "nodes": [SQUARE], "backward": [{"tensor": "y"}]}, 422, "refused",
        "grad can be implicitly created only for scalar outputs", {"exception": "RuntimeError"},
    ),
    "backward node on a non-scalar": Bad(
        {"inputs": X, "nodes": [SQUARE, {"op": "backward", "args": ["$y"]}]}, 422, "refused",
        "grad can be implicitly created only for scalar outputs", {"node": {"id": None, "index": 1}},
    ),
    "backward on a freed graph": Bad(
        {"inputs": SCALAR, "nodes": [SQUARE, {"op": "backward", "args": ["$y"]}], "backward": [{"tensor": "y"}]}, 422,
        "refused", "Trying to backward through the graph a second time",
    ),
    "backward without a graph": Bad(
        {"inputs": {"x": 1.0}, "nodes": [SQUARE], "backward": [{"tensor": "y"}]}, 422, "refused",
        "element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    "gradient of another shape": Bad(
        {"inputs": X, "nodes": [SQUARE], "backward": [{"tensor": "y", "gradient": [1.0]}]}, 422, "refused",
        "Mismatch in shape",
    ),
    "ragged gradient": Bad(
        {"inputs": X, "nodes": [SQUARE], "backward": [{"tensor": "y", "gradient": [[1.0], []]}]}, 422, "invalid-tensor",
        "expected sequence",
    ),
    "backward from an unknown name": Bad({"nodes": [], "backward": [{"tensor": "y"}]}, 422, "invalid-request", ""),
    "unknown output": Bad({"nodes": [], "outputs": ["y"]}, 422, "invalid-request", "",
                          {"errors": [{"loc": ["outputs", 0], "msg": "no tensor has this name"}]}),
    "unknown leaf": Bad({"nodes": [], "grads": ["y"]}, 422, "invalid-request", ""),
    # code
    "import": Bad({"code": "y = 1\nimport os"}, 422, "not-available", "No module named 'os'", {"line": 2, "column": 1}),
    "dunder in code": Bad({"code": "y = 1\nz = y.__globals__"}, 422, "invalid-program", "__globals__", {"line": 2}),
    "call of something not listed": Bad({"code": "open('/etc/passwd')"}, 422, "", "", {"line": 1}),
    "eval": Bad({"code": "eval('1')"}, 422, "", "", {"line": 1}),
    "asynchronous": Bad({"code": "async def f():\n    pass"}, 422, "invalid-program", "", {"line": 1}),
    "metaclass": Bad({"code": "class M(type):\n    pass"}, 422, "invalid-program", "metaclass", {"line": 1}),
    "syntax": Bad({"code": "y = = 1"}, 422, "invalid-program", "", {"line": 1}),
    "null byte": Bad({"code": "y = 1\0"}, 422, "invalid-program", "", {"line": 1}),
    "unbound name": Bad(
        {"code": "y = 1\nz = w"}, 422, "refused", "name 'w' is not defined", {"line": 2, "exception": "NameError"},
    ),
    "deep code": Bad({"code": "y = " + "(" * 5000 + "1" + ")" * 5000}, 422, "invalid-program", ""),
    "deep sums": Bad({"code": "y = " + "1 + " * 20_000 + "1"}, 422, "invalid-program", "nested too deeply"),
    "huge power": Bad({"code": "y = 10 ** 10 ** 10"}, 413, "over-limit", ""),
}  # fmt: skip


def check(answer: Any, bad: Bad) -> None:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (bad.status, bad.status), problem
    assert problem["type"] == f"/problems/{bad.slug}" if bad.slug else problem["type"].startswith("/problems/")
    assert bad.words in problem["detail"]
    assert problem["title"]
    for name, value in bad.facts.items():
        assert problem[name] == value
    assert len(answer.content) <= 4096


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_problem(client: Client, name: str) -> None:
    check(client("POST", "/v1/evaluate", json=BAD[name].request), BAD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad_input_leaves_a_session_as_it_was(client: Client, name: str) -> None:
    sid = client.open()
    client.run(sid, inputs={"kept": {"data": [1.0], "requires_grad": True}}, nodes=[])
    before = [client("GET", f"/v1/sessions/{sid}{path}").json() for path in ("", "/tensors/kept")]
    check(client("POST", f"/v1/sessions/{sid}/run", json=BAD[name].request), BAD[name])
    after = [client("GET", f"/v1/sessions/{sid}{path}").json() for path in ("", "/tensors/kept")]
    for state in (before[0], after[0]):
        del state["expires_at"]
    assert after == before


@pytest.mark.parametrize(
    ("options", "status", "slug"),
    [
        ({"content": b"{"}, 400, "malformed-body"),
        ({"content": b"\xff"}, 400, "malformed-body"),
        ({"content": b"[" * 100_000}, 413, "over-limit"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported-media-type"),
        ({"content": b"{}", "headers": {"Content-Encoding": "br"}}, 415, "unsupported-media-type"),
        ({"content": b"{}", "headers": {"Content-Encoding": "gzip"}}, 400, "malformed-body"),
        ({"json": {}, "headers": {"Accept": "text/html"}}, 406, "not-acceptable"),
        ({"json": {}, "params": {"encoding": "hex"}}, 422, "invalid-request"),
    ],
)
def test_bad_bodies_get_a_problem(client: Client, options: Any, status: int, slug: str) -> None:
    check(client("POST", "/v1/evaluate", **options), Bad(None, status, slug, ""))


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/sessions/none", 404, "not-found"),
        ("GET", "/v1/sessions/" + "x" * 65, 422, "invalid-request"),
        ("POST", "/v1/sessions/none/run", 404, "not-found"),
        ("DELETE", "/v1/sessions/none", 404, "not-found"),
        ("GET", "/v1/ops/none", 404, "not-found"),
        ("PUT", "/v1/evaluate", 405, "method-not-allowed"),
    ],
)
def test_bad_paths_get_a_problem(client: Client, method: str, path: str, status: int, slug: str) -> None:
    check(client(method, path), Bad(None, status, slug, ""))


def test_a_problem_is_bounded_and_does_not_echo_the_input(client: Client) -> None:
    secret = "s3cret" * 3000
    for request in (
        {"nodes": [], secret: 1},
        {"inputs": {secret: 1}, "nodes": []},
        {"inputs": {"x": {"data": [1], secret: 2}}, "nodes": []},
        {"inputs": {"x": [secret]}, "nodes": []},
        {"nodes": [], "outputs": [secret]},
        {f"field{i}": i for i in range(200)},
    ):
        answer = client("POST", "/v1/evaluate", json=request)
        assert answer.status_code == 422
        assert len(answer.content) <= 4096
        assert secret[:200] not in answer.text
        assert len(answer.json().get("errors", [])) <= 20


def test_what_was_printed_before_the_error_is_told_as_far_as_it_fits(client: Client) -> None:
    code = "print('first')\nfor i in range(2000):\n    print(i, 'aaaaaaaaaa')\nraise_it"
    problem = client("POST", "/v1/evaluate", json={"code": code}).json()
    assert problem["prints"][-1] == "1999 aaaaaaaaaa"
    assert problem["prints_omitted"] == 2001 - len(problem["prints"])


def test_an_unexpected_error_is_a_bare_500_with_a_request_id(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, service_log: Path
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("/etc/passwd")

    monkeypatch.setattr("app.evaluate.evaluator.answer_to", broken)
    answer = serve()("POST", "/v1/evaluate", json={"nodes": []}, headers={"X-Request-Id": "r-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "r-1"
    assert "passwd" not in answer.text
    assert "r-1" in service_log.read_text()
    assert "KeyError" in service_log.read_text()


@pytest.mark.parametrize(
    "request_", [{"code": "x = torch.ones(2)\ny = torch.sinc(x)"}, {"inputs": X, "nodes": [node("sinc", "$x")]}]
)
@pytest.mark.parametrize("kind", [AttributeError, TypeError, KeyError, ValueError, RuntimeError, AssertionError])
def test_a_fault_of_the_engine_is_a_500_and_not_the_programs(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    service_log: Path,
    request_: Any,
    kind: type[Exception],
) -> None:
    def broken(input: Any) -> None:
        raise kind("of ours")

    monkeypatch.setitem(registry._functions, "sinc", broken)
    find_op.cache_clear()
    answer = serve()("POST", "/v1/evaluate", json=request_, headers={"X-Request-Id": "r-2"})
    find_op.cache_clear()
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert (answer.json()["request_id"], "of ours" in answer.text) == ("r-2", False)
    assert "of ours" in service_log.read_text()


# -- names ----------------------------------------------------------------------------------------------------------
PYTORCHS = [
    ({"code": "torch.quantize_per_tensor"}, "torch.quantize_per_tensor"),
    ({"code": "torch.nn.DataParallel(2)"}, "torch.nn.DataParallel"),
    ({"code": "\nf = torch.compile(lambda a: a)"}, "torch.compile"),
    ({"code": "torch.distributions.Normal(0, 1)"}, "torch.distributions"),
    ({"code": "x = torch.ones(2)\nx.sparse_mask(x)"}, "torch.Tensor.sparse_mask"),
    ({"code": "torch.ones(2).cuda()"}, "torch.Tensor.cuda"),
    ({"code": "x = torch.ones(2)\nx.to_sparse = None"}, "torch.Tensor.to_sparse"),
    ({"code": "torch.Generator().get_state()"}, "torch.Generator.get_state"),
    ({"code": "m = torch.ones(1, 2, 2)\ntorch.bmm(m, m, out_dtype=m.dtype)"}, "the argument out_dtype of torch.bmm"),
    ({"inputs": X, "nodes": [node("quantize_per_tensor", "$x", 2)]}, "torch.quantize_per_tensor"),
    ({"inputs": X, "nodes": [node("sparse_mask", "$x", "$x")]}, "torch.Tensor.sparse_mask"),
    ({"inputs": X, "nodes": [node("neg", "$x.data.to_sparse")]}, "torch.Tensor.to_sparse"),
]


@pytest.mark.parametrize(("request_", "name"), PYTORCHS)
def test_what_pytorch_has_and_we_have_not_is_not_available(client: Client, request_: Any, name: str) -> None:
    answer = client("POST", "/v1/evaluate", json=request_)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/not-available"), problem
    assert problem["detail"] == f"{name} is in PyTorch 2.13.0 but not in this service; GET /v1/ops lists what is"
    assert "node" in problem or "line" in problem
    assert "exception" not in problem


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("torch.frobnicate", "module 'torch' has no attribute 'frobnicate'"),
        ("torch.fft.frobnicate", "module 'torch.fft' has no attribute 'frobnicate'"),
        ("torch.ones(2).frobnicate()", "'Tensor' object has no attribute 'frobnicate'"),
        ("torch.add(torch.ones(2), 1, frobnicate=1)", "add() got an unexpected keyword argument 'frobnicate'"),
    ],
)
def test_what_nobody_has_is_refused_in_pytorchs_words(client: Client, code: str, detail: str) -> None:
    problem = client("POST", "/v1/evaluate", json={"code": code}).json()
    assert (problem["type"], problem["detail"]) == ("/problems/refused", detail)


def test_an_op_that_nobody_has_is_no_program(client: Client) -> None:
    problem = client("POST", "/v1/evaluate", json={"nodes": [node("frobnicate", 1)]}).json()
    assert (problem["type"], problem["detail"]) == ("/problems/invalid-program", "unknown op 'frobnicate'")


def test_the_table_of_names_has_what_the_service_has() -> None:
    known = pytorch._arguments().keys()
    ours = {f"torch.{name}" for name, _ in registry.functions() if not name.startswith("_")}
    modules = (
        "accelerator", "backends", "autograd.anomaly_mode", "autograd.gradcheck", "cuda.amp", "nn.modules",
        "nn.utils.prune", "utils.hooks",
    )  # fmt: skip
    inner = tuple(f"torch.{module}." for module in modules)  # that the table does not look into
    unknown = {name for name in ours - known if not name.startswith(inner)}
    assert unknown == {
        "torch.absolute_",  # an alias of torch.abs_, which PyTorch has as a method only
        "torch.nn.NonDynamicallyQuantizableLinear", "torch.optim.lr_scheduler._LRScheduler",  # not listed by PyTorch
    }  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "op"),
    [
        ({"inputs": X, "nodes": [node("view", "$x", [3])]}, "view"),
        ({"inputs": X, "nodes": [node("linalg.inv", "$x")]}, "linalg.inv"),
        ({"inputs": X, "nodes": [node("frobnicate", "$x")]}, "frobnicate"),
        ({"inputs": X, "nodes": [node("quantize_per_tensor", "$x")]}, "quantize_per_tensor"),
        ({"code": "torch.linalg.inv(torch.ones(2))"}, "linalg.inv"),
        ({"code": "torch.ones(2).add_(torch.ones(3))"}, "add_"),
        ({"code": "x = torch.ones(2) @ torch.ones(3)"}, "matmul"),
        ({"code": "x = torch.ones(2)\nx += torch.ones(3)"}, "add_"),
        ({"code": "x = ~torch.ones(2)"}, "bitwise_not"),
        ({"code": "torch.ones(2) < torch.ones(3)"}, "lt"),
        ({"code": "torch.ones(2)[5]"}, "__getitem__"),
        ({"code": "f = lambda x: x.view(7)\ntorch.autograd.functional.jacobian(f, torch.ones(2))"}, "view"),
        ({"inputs": X, "nodes": [], "backward": [{"tensor": "x"}]}, "backward"),
    ],
)
def test_a_problem_names_the_op(client: Client, request_: Any, op: str) -> None:
    problem = client("POST", "/v1/evaluate", json=request_).json()
    assert (problem["status"], problem.get("op")) == (422, op), problem


def test_pythons_own_errors_name_no_op(client: Client) -> None:
    assert "op" not in client("POST", "/v1/evaluate", json={"code": "1 / 0"}).json()


def test_a_memory_error_is_a_413(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("app.evaluate.evaluator.answer_to", exhausted)
    answer = serve()("POST", "/v1/evaluate", json={"nodes": []})
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/over-limit")
    assert answer.json()["limit"] == "memory_bytes"


@pytest.mark.parametrize(
    ("limits", "request_", "status", "limit"),
    [
        ({"nodes": 2}, {"inputs": X, "nodes": [SQUARE] * 3}, 413, "nodes"),
        ({"nodes": 2}, {"inputs": X, "nodes": [{"no_grad": [SQUARE, SQUARE]}]}, 413, "nodes"),
        ({"rank": 2}, {"inputs": {"x": [[[1]]]}, "nodes": []}, 413, "rank"),
        ({"tensor_elements": 3}, {"inputs": {"x": [1, 2, 3, 4]}, "nodes": []}, 413, "tensor_elements"),
        ({"intermediate_bytes": 20}, {"inputs": X, "nodes": [SQUARE] * 3}, 413, "intermediate_bytes"),
        ({"code_length": 10}, {"code": "y = 1234567"}, 413, "code_length"),
        ({"loop_iterations": 10}, {"code": "for i in range(11):\n    y = 1"}, 413, "loop_iterations"),
        ({"prints": 2}, {"code": "for i in range(3):\n    print(i)"}, 413, "prints"),
        ({"print_chars": 20}, {"code": "print('" + "a" * 30 + "')"}, 413, "print_chars"),
        ({"json_depth": 10}, {"inputs": {"x": deep(12)}, "nodes": []}, 413, "json_depth"),
        ({"body_bytes": 50}, {"inputs": {"x": [1.0] * 40}, "nodes": []}, 413, "body_bytes"),
        ({"seconds": 0.05}, {"code": "y = 0\nfor i in range(100000):\n    y = y + 1"}, 504, "seconds"),
        ({"graph_nodes": 2}, {"inputs": X, "nodes": [SQUARE, node("mul", "$y", "$x")], "include": ["graph"]}, 413,
         "graph_nodes"),
    ],
)  # fmt: skip
def test_every_limit_is_kept(serve: Serve, limits: Any, request_: Any, status: int, limit: str) -> None:
    answer = serve(Limits(**limits))("POST", "/v1/evaluate", json=request_)
    problem = answer.json()
    assert (answer.status_code, problem["limit"]) == (status, limit), problem
    assert problem["allowed"] == limits[limit]


def test_half_a_surrogate_pair_in_a_program_gets_an_answer(client: Client) -> None:
    body = json.dumps({"code": "print('\\ud800')"})
    assert client("POST", "/v1/evaluate", content=body).status_code in (200, 422)


# -- settings -------------------------------------------------------------------------------------------------------
def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSERVE_PORT", "9000")
    monkeypatch.setenv("GRADSERVE_LIMITS__NODES", "7")
    settings = Settings()
    assert (settings.port, settings.limits.nodes, settings.limits.rank) == (9000, 7, 64)


@pytest.mark.parametrize("name", ["GRADSERVE_PROT", "GRADSERVE_LIMITS__NODE", "GRADSERVE_"])
def test_unknown_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ValueError, match=r"PROT|node|GRADSERVE_"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "x"), ("PORT", "99999"), ("WORKERS", "0"), ("QUEUE", "-1"), ("API_KEYS", "a:")]
)
def test_impossible_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"GRADSERVE_{name}", value)
    with pytest.raises(ValueError, match=name.lower()):
        Settings()


def test_an_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSERVE_PROT", "1")
    with pytest.raises(UnknownSetting, match="GRADSERVE_PROT"):
        Settings()
