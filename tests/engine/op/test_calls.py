"""Calls as written: arguments by place and by name, numbers, what is saved, budgets, what a traceback shows."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import engine
from engine import modes, registry
from engine.autograd.tape import Node
from engine.errors import ArgumentTypeError, BudgetError, EngineError, OpError
from engine.op import Array
from engine.op.callables import Op
from engine.op.primitive import Primitive
from engine.op.rules import write_pull_back
from engine.tensor import WEAK, Parameter, Tensor, weak

torch: Any = engine
OPS = [op for op in {*dict(registry.functions()).values(), *registry._ops.values()} if isinstance(op, Op)]


@pytest.fixture(autouse=True)
def state() -> Iterator[modes.State]:
    with modes.use(modes.State(warnings=[])) as state:
        yield state


def described(output: Tensor) -> Any:
    """Everything about a result and the graph behind it but the names of objects."""
    return output.array.tobytes(), output.array.strides, output.dtype, output.base is None, graph(output.grad_fn)


def graph(root: Node | None) -> list[Any]:
    nodes = [root] if root is not None else []
    for node in nodes:
        nodes += [one for one, _ in node.next_functions if one is not None and one not in nodes]
    places = {None: None} | {node: place for place, node in enumerate(nodes)}
    return [
        (node.name(), static(node), node.specs, node.counts, node.is_inplace, saved(node),
         [(places[one], number) for one, number in node.next_functions])
        for node in nodes
    ]  # fmt: skip


def static(node: Node) -> str:
    return re.sub(" at 0x[0-9a-f]+", "", repr(node.static))  # a write through a view has the node of the write in it


def saved(node: Node) -> list[Any]:
    def one(kept: Any) -> Any:
        if kept is None or isinstance(kept, list):
            return [one(part) for part in kept or ()]
        return kept.array.tobytes(), kept.array.dtype, kept.bits, kept.edge is None, kept.output_nr

    return [(name, one(kept)) for name, kept in (node.saved or {}).items()]


def attempt(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return described(function(*args, **kwargs))
    except EngineError as error:
        return type(error), re.sub(r" \(position \d+\)", "", str(error))  # which is not said of what has a name


def positionally(signature: Any, function: Any) -> Callable[..., Any]:
    """``function`` called with all that ``Signature.bind`` makes of the arguments, each in its own place."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            values = signature.bind(args, kwargs)
        except ArgumentTypeError as error:
            listed = getattr(function, "listed", None)
            raise (error if listed is None else listed.refusal(args, kwargs, error)) from None
        named = {param.name: values[param.index] for param in signature.params if param.keyword_only}
        return function(*values[: len(values) - len(named)], **named)

    return call


def test_every_call_can_be_written() -> None:
    for op in OPS:
        assert callable(op.direct())
        if isinstance(op, Primitive):
            assert callable(op.inplace.direct())
            assert callable(write_pull_back(op))


def test_a_traceback_shows_the_text_of_a_call() -> None:
    def broken(input: Array) -> Array:
        raise KeyError("a fault of a kernel")

    op = Primitive(broken, "broken_op")
    with pytest.raises(KeyError) as caught:
        op(torch.ones(2))
    assert "raw = kernel(a0)" in "".join(traceback.format_exception(caught.value))


def test_operands_of_several_dtypes_promote() -> None:
    x = torch.ones(2, dtype=torch.float32)
    assert (x + torch.ones(2, dtype=torch.float64)).dtype is torch.float64
    assert (x * torch.ones((), dtype=torch.float64)).dtype is torch.float32
    assert (x.half() * 2).dtype is torch.float16
    assert (torch.tensor([1, 2]) * 1.5).dtype is torch.float32
    assert (x * (1 + 2j)).dtype is torch.complex64


@pytest.mark.parametrize("value", [-0.0, 0.0, float("nan"), 2**53 + 1, True, 1e300])
def test_a_number_is_what_promotion_makes_of_it(value: Any) -> None:
    x = torch.ones(2, requires_grad=True)
    op = registry.op("mul")
    assert described(op(x, value)) == described(op(x, weak(value)))


def test_an_operator_leaves_what_is_no_operand_to_python() -> None:
    x = torch.ones(2)
    assert x.__mul__("a") is NotImplemented
    with pytest.raises(TypeError, match="unsupported operand"):
        x - "a"


def test_what_is_missing_or_too_much_is_refused_in_the_references_words() -> None:
    x = torch.ones(2)
    with pytest.raises(ArgumentTypeError, match=r'mul\(\) missing 1 required positional arguments: "other"'):
        torch.mul(x)
    with pytest.raises(ArgumentTypeError, match=r"sin\(\) takes 1 positional argument but 2 were given"):
        torch.sin(x, x)
    with pytest.raises(ArgumentTypeError, match=r"multiple values for argument 'input'"):
        torch.sin(x, input=x)


def test_a_parameter_is_an_operand_like_others() -> None:
    weight = Parameter(torch.ones(2))
    assert (weight * 2).grad_fn.label == "MulBackward0"


def test_a_number_is_saved_for_its_rule() -> None:
    x = torch.ones(2, requires_grad=True)
    node = (x * 3).grad_fn
    assert node.fetch("other").item() == 3
    assert (node.saved["other"].bits, node.saved["other"].array.dtype) == (WEAK, np.int64)


def test_inference_tensors_are_refused_where_they_would_be_saved() -> None:
    with torch.inference_mode():
        seen = torch.ones(2)
        assert (seen * 2).is_inference()
    with pytest.raises(OpError, match="Inference tensors cannot be saved for backward"):
        torch.ones(2, requires_grad=True) * seen


def test_a_view_made_without_recording_is_still_part_of_the_graph() -> None:
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        view = x[:1]
    assert (view * 2).requires_grad


def test_the_budget_is_asked_before_and_charged_after(state: modes.State) -> None:
    x, row = torch.ones(100, 1), torch.ones(100)
    state.budget = modes.Budget(elements=1000, nbytes=10_000)
    torch.sin(row)
    assert state.budget.spent == 400 + modes.TENSOR_BYTES
    with pytest.raises(BudgetError):
        x * row  # 10 000 elements
    with pytest.raises(BudgetError):
        x.expand(100, 100)
    with pytest.raises(BudgetError):
        torch.cat([row] * 11)
    with pytest.raises(BudgetError):
        torch.zeros(1001)
    with pytest.raises(OpError, match="doesn't match the broadcast shape"):
        x.mul_(row)  # that it would not fit is said first
    torch.cat([row, row])
    row.mul_(2)
    assert state.budget.spent == 400 + 800 + 400 + 3 * modes.TENSOR_BYTES
    state.budget = modes.Budget(seconds=-1)
    with pytest.raises(BudgetError):
        torch.sin(row)


def test_refusals_say_where_an_argument_stands_unless_it_has_a_name() -> None:
    x = torch.ones(2, 2)
    with pytest.raises(
        ArgumentTypeError, match=r"^cumsum\(\): argument 'dim' \(position 2\) must be int, not NoneType$"
    ):
        torch.cumsum(x, None)
    with pytest.raises(ArgumentTypeError, match=r"^cumsum\(\): argument 'dim' must be int, not NoneType$"):
        torch.cumsum(x, dim=None)


def test_arguments_that_are_missing_are_named_as_pythons_functions_and_cs_do() -> None:
    with pytest.raises(
        ArgumentTypeError, match=r"^rms_norm\(\) missing 1 required positional argument: 'normalized_shape'$"
    ):
        torch.nn.functional.rms_norm(torch.ones(2))
    with pytest.raises(
        ArgumentTypeError, match=r"^nll_loss\(\) missing 2 required positional arguments: 'input' and 'target'$"
    ):
        torch.nn.functional.nll_loss()
    with pytest.raises(ArgumentTypeError, match=r'^gelu\(\) missing 1 required positional arguments: "input"$'):
        torch.nn.functional.gelu()


def test_arguments_given_by_name_lead_to_the_same_node() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    named, plain = torch.cumsum(input=x, dim=-1), torch.cumsum(x, -1)
    assert described(named) == described(plain)
    assert torch.add(x, x, alpha=2).grad_fn.static == {"alpha": 2}


BY_NAME: list[tuple[str, int, dict[str, Any]]] = [
    ("add", 2, {"alpha": 2}), ("add", 2, {"alpha": True}), ("add", 2, {"alpha": "x"}), ("add", 2, {"beta": 2}),
    ("add", 1, {"alpha": 2}), ("add", 1, {"alpha": 2, "other": 3}), ("add", 3, {"alpha": 2}), ("add", 0, {"alpha": 2}),
    ("cumsum", 1, {"dim": 1}), ("cumsum", 1, {"axis": 1}), ("cumsum", 1, {"dim": 9}), ("cumsum", 1, {"dim": None}),
    ("cumsum", 1, {"dim": 0, "dtype": torch.float32}), ("cumsum", 1, {"dtype": torch.float32}), ("cumsum", 1, {}),
    ("cumsum", 2, {"dim": 0}), ("sum_dim", 1, {"dim": 1}), ("sum_dim", 1, {"keepdim": True}),
    ("sum_dim", 1, {"dims": 1}), ("sum_dim", 1, {"keepdim": True, "axis": 0}), ("sum_dim", 1, {"keepdim": 1, "dim": 0}),
    ("expand", 1, {"size": (2, 2)}), ("expand", 1, {"sizes": (2, 2)}), ("softmax_along", 1, {"dim": 0}),
    ("softmax_along", 1, {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "count", "kwargs"), BY_NAME)
def test_names_mean_what_the_signature_says(name: str, count: int, kwargs: dict[str, Any]) -> None:
    op = registry.op(name)
    x = torch.ones(2, 2, requires_grad=True)
    args = (x, x if name == "add" else 0, 3)[:count]
    assert attempt(op, args, kwargs) == attempt(positionally(op.signature, op), args, kwargs)
    with torch.no_grad():
        targets = [(x.clone(), *args[1:]) if args else () for _ in range(2)]
        expected = attempt(positionally(op.inplace_signature, op.inplace), targets[0], kwargs)
        assert attempt(op.inplace, targets[1], kwargs) == expected


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("sum", "x0", {"dim": 1}), ("sum", "x", {"dim": 0, "dtype": "float64"}), ("sum", "x", {"axis": 0}),
        ("sum", "", {"dim": 0}), ("zeros", "", {"dtype": "int32"}), ("zeros", "00", {"dtype": "int32"}),
        ("zeros", "0", {"dtype": "nothing"}), ("zeros", "", {"size": (2,)}), ("zeros", "0", {"device": "cuda"}),
        ("full", "", {"size": (2,), "fill_value": 1.5}), ("full", "0", {}), ("softmax", "x", {"dtype": "float64"}),
        ("nn.functional.cross_entropy", "x", {"target": 1}), ("nn.functional.cross_entropy", "xx", {"weight": None}),
        ("nn.functional.cross_entropy", "xx", {"reduction": "sum"}), ("nn.functional.linear", "xx", {"bias": 3}),
        ("nn.functional.linear", "xx", {}), ("nn.functional.linear", "x", {}), ("nn.functional.linear", "xx0", {}),
        ("clamp", "x", {"min": 2}), ("clamp", "x", {"low": 2}), ("arange", "", {"end": 4, "requires_grad": True}),
    ],
)  # fmt: skip
def test_names_mean_the_same_in_functions_of_other_ops(name: str, args: str, kwargs: dict[str, Any]) -> None:
    op: Any = registry.function(name)
    given = tuple(torch.ones(2, 2) if letter == "x" else int(letter) for letter in args)
    assert attempt(op, given, kwargs) == attempt(positionally(op.signature, op), given, kwargs)


def test_what_moves_in_steps_gives_zeros_without_a_rule() -> None:
    def stairs(input: Array) -> Array:
        return np.floor(input)

    stairs.__annotations__ = {"input": "Array", "return": "Array"}
    op = Primitive(stairs, "stairs", pointwise=True, steps=True)
    x = torch.ones(2, requires_grad=True)
    op(x).sum().backward()
    assert x.grad.tolist() == [0, 0]
    with pytest.raises(TypeError, match="no op has flags"):
        Primitive(stairs, "stairs", leaps=True)
