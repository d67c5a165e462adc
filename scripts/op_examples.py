"""Writes app/program/op_examples.json: for every name of the catalogue a request that runs, and the shapes in it.

Requests are made of the tests' samples, values rounded for readers; those of names that are no ops stand here.
``make examples`` writes the file anew; the tests run each of its requests.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.evaluate.call import Call
from app.evaluate.evaluator import Evaluator
from app.limits import Limits
from app.program import catalog
from tests.engine.samples import Sample, all_samples

FILE: Final = Path(__file__).parent.parent / "app" / "program" / "op_examples.json"
LONGEST: Final = 1500  # bytes of a request that is worth reading
ROUNDED: Final = 2
W: Final = {"w": {"data": [1.0, -2.0], "requires_grad": True}}
X: Final = {"x": {"data": [1.0, 2.0, 3.0], "requires_grad": True}}


def _call(op: str, *args: Any, inputs: Any = X, name: str | None = "y", **kwargs: Any) -> dict[str, Any]:
    node = {"id": name, "op": op, "args": list(args), **({"kwargs": kwargs} if kwargs else {})}
    return {"inputs": inputs, "nodes": [{key: value for key, value in node.items() if value is not None}]}


def _optimizer(op: str) -> dict[str, Any]:
    lines = [
        {"id": "optimizer", "op": op, "args": [["$w"]], "kwargs": {"lr": 0.1}},
        {"id": "loss", "op": "sum", "args": ["$w"]},
        {"op": "backward", "args": ["$loss"]},
        {"op": "step", "args": ["$optimizer"]},
    ]
    return {"inputs": W, "nodes": lines, "outputs": ["w"]}


def _of_names() -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests for what is no op."""
    cube = {"id": "y", "op": "pow", "args": ["$x", 3]}
    total = {"id": "s", "op": "sum", "args": ["$y"]}
    ones = {"tensor": [1.0, 1.0, 1.0]}
    yield (
        "autograd.grad",
        {"inputs": X, "nodes": [cube, total, {"id": "g", "op": "autograd.grad", "args": ["$s", "$x"]}]},
    )
    yield "autograd.backward", {"inputs": X, "nodes": [cube, total, {"op": "autograd.backward", "args": ["$s"]}]}
    yield "backward", {"inputs": X, "nodes": [cube, {"op": "backward", "args": ["$y", ones]}]}
    for name, more in {
        "jacobian": (),
        "hessian": (),
        "vjp": (ones,),
        "jvp": (ones,),
        "vhp": (ones,),
        "hvp": (ones,),
    }.items():
        function = {"function": "sum" if name in ("hessian", "vhp", "hvp") else "exp"}
        yield f"autograd.functional.{name}", _call(f"autograd.functional.{name}", function, "$x", *more)
    for name in ("SGD", "Adam", "AdamW", "Adamax", "NAdam", "Adagrad", "Adadelta", "RMSprop"):
        yield f"optim.{name}", _optimizer(f"optim.{name}")
    step = _optimizer("optim.SGD")
    scheduler = {"id": "scheduler", "op": "optim.lr_scheduler.StepLR", "args": ["$optimizer", 1]}
    yield (
        "optim.lr_scheduler.StepLR",
        {**step, "nodes": [step["nodes"][0], scheduler, *step["nodes"][1:], {"op": "step", "args": ["$scheduler"]}]},
    )
    filled = {"op": "__setattr__", "args": ["$w", "grad", {"tensor": [3.0, 4.0]}]}
    for name, most in (("nn.utils.clip_grad_norm_", 1.0), ("nn.utils.clip_grad_value_", 2.0)):
        clip = {"op": name, "args": [["$w"], most]}
        yield name, {"inputs": W, "nodes": [filled, clip], "outputs": ["w.grad"]}
    yield "nn.Parameter", _call("nn.Parameter", {"tensor": [1.0, 2.0]}, inputs={}, name="p")
    yield "manual_seed", {"nodes": [{"op": "manual_seed", "args": [0]}, {"id": "r", "op": "rand", "args": [2]}]}
    yield (
        "Generator",
        {
            "nodes": [
                {"id": "g", "op": "Generator"},
                {"id": "r", "op": "rand", "args": [2], "kwargs": {"generator": "$g"}},
            ]
        },
    )
    yield (
        "set_default_dtype",
        {"nodes": [{"op": "set_default_dtype", "args": ["float64"]}, {"id": "o", "op": "ones", "args": [2]}]},
    )
    for name in ("set_printoptions",):
        yield name, {"nodes": [{"op": name, "kwargs": {"precision": 2}}]}
    for name in ("no_grad", "enable_grad", "inference_mode"):
        yield name, {"inputs": X, "nodes": [{name: [cube]}]}
    yield "set_grad_enabled", {"inputs": X, "nodes": [{"op": "set_grad_enabled", "args": [False]}, cube]}
    yield (
        "retain_grad",
        {
            "inputs": X,
            "nodes": [cube, {"op": "retain_grad", "args": ["$y"]}, total, {"op": "backward", "args": ["$s"]}],
            "outputs": ["y.grad"],
        },
    )
    yield (
        "requires_grad_",
        {"inputs": {"x": [1.0]}, "nodes": [{"op": "requires_grad_", "args": ["$x"]}], "outputs": ["x"]},
    )
    yield "autograd.set_grad_enabled", {"inputs": X, "nodes": [{"op": "set_grad_enabled", "args": [False]}, cube]}
    two = {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    for name in ("is_same_size", "is_set_to", "result_type"):
        yield name, _call(name, "$x", "$y", inputs=two)
    for name in ("can_cast", "promote_types"):
        yield name, _call(name, "float32", "int64", inputs={})
    for name in ("item", "is_nonzero"):
        yield name, _call(name, "$x", inputs={"x": [2.0]})
    array = {"id": "a", "op": "numpy", "args": ["$x"]}
    yield "numpy", {"inputs": {"x": [1.0, 2.0]}, "nodes": [array]}
    yield "from_numpy", {"inputs": {"x": [1.0, 2.0]}, "nodes": [array, {"id": "y", "op": "from_numpy", "args": ["$a"]}]}
    state = {"id": "state", "op": "get_rng_state"}
    yield "set_rng_state", {"nodes": [state, {"op": "set_rng_state", "args": ["$state"]}]}
    yield "float_power_", _call("float_power_", "$x", 2, inputs={"x": {"data": [1.0, 2.0], "dtype": "float64"}})
    yield "view", _call("view", "$x", 3, 1)
    yield (
        "__setitem__",
        {"inputs": {"x": [1.0, 2.0]}, "nodes": [{"op": "__setitem__", "args": ["$x", 0, 5.0]}], "outputs": ["x"]},
    )


class _Unwritable(Exception):
    """A sample that no node can spell."""


class _Writer:
    """Spells the arguments of a sample, and gathers its tensors as inputs."""

    def __init__(self, params: list[str]) -> None:
        self.params = params
        self.inputs: dict[str, Any] = {}

    def tensor(self, values: Any, requires_grad: bool) -> Any:
        return _Made(values, requires_grad)

    def written(self, value: Any, name: str) -> Any:
        if isinstance(value, _Made):
            return self._input(value, name)
        if isinstance(value, list | tuple):
            return [self.written(one, f"{name}_{i}") for i, one in enumerate(value)]
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        if value is Ellipsis:
            return {"ellipsis": True}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            finite = value == value and abs(value) != float("inf")
            return value if finite else {"float": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
        raise _Unwritable(type(value).__name__)

    def _input(self, made: _Made, name: str) -> str:
        array = made.values
        kind = array.dtype.name
        record: dict[str, Any] = {"data": _rounded(array)}
        if kind not in ("float64", "float32", "int64", "bool"):
            record["dtype"] = kind
        if array.size == 0:
            record["shape"] = list(array.shape)
        if made.requires_grad:
            record["requires_grad"] = True
        name = name if name.isidentifier() else "input"
        self.inputs[name] = record if len(record) > 1 else record["data"]
        return f"${name}"


class _Made:
    def __init__(self, values: Any, requires_grad: bool) -> None:
        self.values, self.requires_grad = values, requires_grad


def _rounded(array: Any) -> Any:
    if array.dtype.kind == "c":
        return _pairs(array)
    return array.round(ROUNDED).tolist() if array.dtype.kind == "f" else array.tolist()


def _pairs(array: Any) -> Any:
    if array.ndim == 0:
        return [round(float(array.real), ROUNDED), round(float(array.imag), ROUNDED)]
    return [_pairs(one) for one in array]


def _of_samples(name: str, samples: list[Sample], params: list[str]) -> Iterator[dict[str, Any]]:
    """Requests that may do, as the samples come."""
    for number, sample in enumerate(samples):
        writer = _Writer(params)
        built = sample.build(name, number, writer.tensor)
        try:
            args = [
                writer.written(one, params[min(i, len(params) - 1)] if params else "input")
                for i, one in enumerate(built.args)
            ]
            kwargs = {key: writer.written(one, key) for key, one in built.kwargs.items()}
        except _Unwritable:
            continue
        yield _call(name, *args, inputs=writer.inputs, name="result", **kwargs)


def _answer(evaluator: Evaluator, request: dict[str, Any]) -> dict[str, Any] | None:
    """What the service says, if it says so."""
    try:
        reply, _ = evaluator.answer(Call(json.dumps(request).encode(), None, None, None), False, _refuse)
    except Exception:
        return None
    return json.loads(reply.body)  # type: ignore[no-any-return]


def _refuse(error: Exception) -> Any:
    raise error


def _shapes(request: dict[str, Any], answer: dict[str, Any]) -> str:
    """``[2, 3], [3] -> [2, 3]``: the tensors of the example, and what it gives."""
    given = [_shape_of(one) for one in request.get("inputs", {}).values()]
    made = [one["shape"] for one in answer["outputs"].values()]
    return " -> ".join(", ".join(map(str, shapes)) or "none" for shapes in (given, made))


def _gradients(request: dict[str, Any], answer: dict[str, Any], params: list[str]) -> dict[str, Any]:
    """The node that the last call records, and the arguments that require grad."""
    names = [one["grad_fn"] for one in answer["outputs"].values() if one["grad_fn"] is not None]
    if not names:
        return {}
    inputs = request.get("inputs", {})
    given = request["nodes"][-1].get("args", [])
    asked = [
        name
        for name, one in zip(params, given, strict=False)
        for part in (one if isinstance(one, list) else [one])
        if isinstance(part, str) and isinstance(inputs.get(part[1:]), dict) and inputs[part[1:]].get("requires_grad")
    ]
    return {"grad_fn": names[0], "differentiable": list(dict.fromkeys(asked))}


def _shape_of(record: Any) -> list[int]:
    data = record["data"] if isinstance(record, dict) else record
    if isinstance(record, dict) and "shape" in record:
        return list(record["shape"])
    if isinstance(record, dict) and str(record.get("dtype", "")).startswith("complex"):
        data = _first_pairs(data)
    shape = []
    while isinstance(data, list):
        shape.append(len(data))
        data = data[0] if data else None
    return shape


def _first_pairs(data: Any) -> Any:
    return (
        0 if isinstance(data, list) and data and not isinstance(data[0], list) else [_first_pairs(one) for one in data]
    )


def main() -> int:
    evaluator, found, missing = Evaluator(Limits()), {}, []
    samples: dict[str, list[Sample]] = defaultdict(list)
    for op, _, one in all_samples():
        samples[op].append(one)
    written = dict(_of_names())
    for name in catalog.names():
        params = [param["name"] for param in catalog.parameters(name)]
        candidates = [written[name]] if name in written else list(_of_samples(name, samples[name], params))
        candidates.append(_call(name, "$x"))
        candidates.append(_call(name))
        for request in candidates:
            if len(json.dumps(request)) > LONGEST:
                continue
            answer = _answer(evaluator, request)
            if answer is not None:
                request = {key: value for key, value in request.items() if value != {}}
                found[name] = {
                    "request": request,
                    "shapes": _shapes(request, answer),
                    **_gradients(request, answer, params),
                }
                break
        else:
            missing.append(name)
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(found.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(found)} requests; none for {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
