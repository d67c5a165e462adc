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


LAYERS: Final = {  # by class: how one is made
    **{f"BatchNorm{n}d": "2" for n in (1, 2, 3)}, "Bilinear": "2, 3, 2",
    **{f"ConstantPad{n}d": "1, 0.5" for n in (1, 2, 3)}, **{f"Conv{n}d": "1, 2, 2" for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": "1, 2, 2" for n in (1, 2, 3)},
    **{f"Lazy{kind}{n}d": "2, 2" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)},
    "AdaptiveLogSoftmaxWithLoss": "4, 6, [2]", "Embedding": "4, 2", "EmbeddingBag": "4, 2",
    "Fold": "(2, 2), 1", "FractionalMaxPool2d": "2, output_size=2", "FractionalMaxPool3d": "2, output_size=2",
    "GRU": "2, 3", "GRUCell": "2, 3", "GroupNorm": "1, 2", **{f"LPPool{n}d": "2, 2" for n in (1, 2, 3)},
    "LSTM": "2, 3", "LSTMCell": "2, 3", "Linear": "2, 3", "MultiheadAttention": "2, 1", "RNN": "2, 3",
    "RNNCell": "2, 3", "Threshold": "0.1, 20.0",
    "TransformerDecoder": "torch.nn.TransformerDecoderLayer(2, 1, 4), 1", "TransformerDecoderLayer": "2, 1, 4",
    "TransformerEncoder": "torch.nn.TransformerEncoderLayer(2, 1, 4), 1", "TransformerEncoderLayer": "2, 1, 4",
    "Unflatten": "1, (1, 2)",
}  # fmt: skip
SCHEDULES: Final = {
    "ChainedScheduler": "[torch.optim.lr_scheduler.StepLR(optimizer, 1)]", "ConstantLR": "optimizer",
    "CosineAnnealingLR": "optimizer, 10", "CosineAnnealingWarmRestarts": "optimizer, 10",
    "CyclicLR": "optimizer, 0.01, 0.1", "ExponentialLR": "optimizer, 0.9",
    "LambdaLR": "optimizer, lambda epoch: 0.9 ** epoch", "LinearLR": "optimizer",
    "MultiStepLR": "optimizer, [2, 4]", "MultiplicativeLR": "optimizer, lambda epoch: 0.9",
    "OneCycleLR": "optimizer, 0.1, total_steps=10", "PolynomialLR": "optimizer",
    "SequentialLR": "optimizer, [torch.optim.lr_scheduler.ConstantLR(optimizer), "
                    "torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)], [2]",
}  # fmt: skip
TUNED: Final = "w = torch.ones(2, 2, requires_grad=True)\n"
STEP: Final = "(w * w).sum().backward()\noptimizer.step()\n"
SGD: Final = f"{TUNED}optimizer = torch.optim.SGD([w], lr=0.1)\n"
LEAF: Final = "x = torch.ones(2, dtype=torch.float64, requires_grad=True)\n"
SEQUENCES: Final = "a, b = torch.ones(3, 2), torch.ones(2, 2)\n"
PACKED: Final = f"{SEQUENCES}packed = torch.nn.utils.rnn.pack_sequence([a, b])\n"


def _as_code() -> Iterator[tuple[str, str]]:
    """Programs for what takes functions, or objects that no node makes."""
    for name, made in LAYERS.items():
        yield f"nn.{name}", f"layer = torch.nn.{name}({made})\nprint(layer)\n"
    for name in ("ASGD", "Adafactor", "Muon", "RAdam", "Rprop"):
        yield f"optim.{name}", f"{TUNED}optimizer = torch.optim.{name}([w], lr=0.1)\n{STEP}"
    yield (
        "optim.LBFGS",
        (
            f"{TUNED}optimizer = torch.optim.LBFGS([w], lr=0.1)\ndef closure():\n    optimizer.zero_grad()\n"
            "    loss = (w * w).sum()\n    loss.backward()\n    return loss\noptimizer.step(closure)\n"
        ),
    )
    for name, made in SCHEDULES.items():
        yield (
            f"optim.lr_scheduler.{name}",
            (f"{SGD}scheduler = torch.optim.lr_scheduler.{name}({made})\n{STEP}scheduler.step()\n"),
        )
    yield (
        "optim.lr_scheduler.ReduceLROnPlateau",
        (f"{SGD}scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)\n{STEP}scheduler.step(1.0)\n"),
    )
    for name in ("constant_", "dirac_", "eye_", "kaiming_normal_", "orthogonal_"):
        yield f"nn.init.{name}", f"w = torch.empty(3, 3)\ntorch.nn.init.{name}(w)\n"
    yield "nn.init.calculate_gain", "gain = torch.nn.init.calculate_gain('relu')\n"
    linear = "layer = torch.nn.Linear(2, 2)\n"
    for name in ("orthogonal", "spectral_norm", "weight_norm"):
        yield f"nn.utils.parametrizations.{name}", f"{linear}torch.nn.utils.parametrizations.{name}(layer)\n"
    yield (
        "nn.utils.parametrize.is_parametrized",
        (f"{linear}found = torch.nn.utils.parametrize.is_parametrized(layer)\nprint(found)\n"),
    )
    yield "nn.utils.skip_init", "layer = torch.nn.utils.skip_init(torch.nn.Linear, 2, 3)\n"
    yield (
        "nn.utils.vector_to_parameters",
        (f"{linear}torch.nn.utils.vector_to_parameters(torch.ones(6), layer.parameters())\nprint(layer.weight)\n"),
    )
    yield "nn.utils.parameters_to_vector", f"{linear}v = torch.nn.utils.parameters_to_vector(layer.parameters())\n"
    yield (
        "func.functional_call",
        (
            f"{linear}values = dict(layer.named_parameters())\n"
            "y = torch.func.functional_call(layer, values, (torch.ones(1, 2),))\n"
        ),
    )
    for check in ("gradcheck", "gradgradcheck"):
        yield f"autograd.{check}", f"{LEAF}passed = torch.autograd.{check}(torch.sin, (x,))\n"
    yield "autograd.set_detect_anomaly", f"torch.autograd.set_detect_anomaly(True)\n{LEAF}x.sin().sum().backward()\n"
    yield (
        "autograd.graph.saved_tensors_hooks",
        (
            f"{LEAF}with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t):\n    y = x.sin()\n"
            "y.sum().backward()\n"
        ),
    )
    yield (
        "autograd.graph.register_multi_grad_hook",
        (
            f"{LEAF}torch.autograd.graph.register_multi_grad_hook((x,), lambda grads: print(grads))\n"
            "x.sin().sum().backward()\n"
        ),
    )
    yield "register_hook", f"{LEAF}x.register_hook(lambda grad: grad * 2)\nx.sum().backward()\n"
    yield (
        "register_post_accumulate_grad_hook",
        (f"{LEAF}x.register_post_accumulate_grad_hook(lambda leaf: print(leaf.grad))\nx.sum().backward()\n"),
    )
    yield "apply_", "x = torch.ones(2)\nx.apply_(lambda value: value + 1)\n"
    yield "map_", "x = torch.ones(2)\nx.map_(x, lambda a, b: a + b)\n"
    yield "map2_", "x = torch.ones(2)\nx.map2_(x, x, lambda a, b, c: a + b + c)\n"
    yield (
        "utils.checkpoint.checkpoint",
        (f"{LEAF}y = torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=False)\ny.sum().backward()\n"),
    )
    yield (
        "utils.checkpoint.checkpoint_sequential",
        (
            f"{LEAF}fs = [torch.sin, torch.cos]\n"
            "y = torch.utils.checkpoint.checkpoint_sequential(fs, 2, x, use_reentrant=False)\n"
        ),
    )
    yield (
        "nn.utils.clip_grads_with_norm_",
        (f"{TUNED}(w * w).sum().backward()\ntorch.nn.utils.clip_grads_with_norm_([w], 1.0, torch.tensor(4.0))\n"),
    )
    yield "nn.utils.rnn.pack_sequence", PACKED
    yield "nn.utils.rnn.pad_sequence", f"{SEQUENCES}padded = torch.nn.utils.rnn.pad_sequence([a, b])\n"
    yield (
        "nn.utils.rnn.pack_padded_sequence",
        ("packed = torch.nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 2), torch.tensor([3, 2]))\n"),
    )
    yield (
        "nn.utils.rnn.pad_packed_sequence",
        f"{PACKED}padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(packed)\n",
    )
    yield "nn.utils.rnn.unpack_sequence", f"{PACKED}parts = torch.nn.utils.rnn.unpack_sequence(packed)\n"
    yield (
        "nn.utils.rnn.unpad_sequence",
        ("parts = torch.nn.utils.rnn.unpad_sequence(torch.ones(3, 2, 2), torch.tensor([3, 2]))\n"),
    )
    yield (
        "nn.functional.multi_head_attention_forward",
        (
            "q, w, b = torch.ones(3, 1, 2), torch.ones(6, 2), torch.zeros(6)\n"
            "y, weights = torch.nn.functional.multi_head_attention_forward(\n"
            "    q, q, q, 2, 1, w, b, None, None, False, 0.0, torch.eye(2), torch.zeros(2))\n"
        ),
    )
    yield (
        "grid_sampler_3d",
        "y = torch.grid_sampler_3d(torch.ones(1, 1, 2, 2, 2), torch.zeros(1, 2, 2, 2, 3), 0, 0, False)\n",
    )
    data = "data = torch.utils.data.TensorDataset(torch.arange(4))\n"
    yield "utils.data.Subset", f"{data}part = torch.utils.data.Subset(data, [0, 2])\nprint(len(part))\n"
    yield "utils.data.ConcatDataset", f"{data}both = torch.utils.data.ConcatDataset([data, data])\nprint(len(both))\n"
    yield "utils.data.random_split", f"{data}first, second = torch.utils.data.random_split(data, [3, 1])\n"
    yield (
        "utils.data.WeightedRandomSampler",
        ("sampler = torch.utils.data.WeightedRandomSampler([0.5, 0.5], 3)\nprint(len(list(sampler)))\n"),
    )
    yield (
        "utils.data.BatchSampler",
        (
            f"{data}sampler = torch.utils.data.SequentialSampler(data)\n"
            "print(list(torch.utils.data.BatchSampler(sampler, 2, False)))\n"
        ),
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
    given = request["nodes"][-1].get("args", []) if "nodes" in request else []
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
    written = dict(_of_names()) | {name: {"code": code} for name, code in _as_code()}
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
