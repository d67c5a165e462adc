"""Which nodes ops make: their names, and which operands have an edge, as PyTorch 2.13 shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine import modes
from engine.autograd.tape import Node
from engine.errors import OpError

torch: Any = engine
F: Any = engine.nn.functional
END = "DivBackward1(SubBackward0(SliceBackward0, SliceBackward0))"


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    with modes.use(modes.State(warnings=[])):
        yield


def graph(node: Node | None, depth: int = 4) -> str:
    """``MulBackward0(x, -)``: a node and those behind it; leaves are ``x``."""
    if node is None:
        return "-"
    name = node.label
    if name == "AccumulateGrad":
        return "x"
    if depth == 1 or not node.next_functions:
        return name
    return f"{name}({', '.join(graph(following, depth - 1) for following, _ in node.next_functions)})"


def made(code: str) -> str:
    names = {
        "torch": torch, "F": F, "x": torch.tensor([1.0, 2.0], requires_grad=True),
        "y": torch.tensor([3.0, 1.0], requires_grad=True), "c": torch.tensor([3.0, 1.0]),
        "m": torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), "i": torch.tensor([0]),
    }  # fmt: skip
    return graph(eval(code, names).grad_fn)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("3 - x", "RsubBackward1(x)"), ("torch.rsub(x, y)", "RsubBackward0(x, x)"), ("x % 2", "RemainderBackward0(x)"),
        ("x % y", "RemainderBackward1(x, x)"), ("torch.xlogy(x, 3)", "XlogyBackward2(x)"),
        ("torch.xlogy(3, x)", "XlogyBackward1(x)"), ("torch.special.zeta(3, x)", "SpecialZetaBackward1(x)"),
        ("x.clamp(0, 1)", "ClampBackward1(x)"), ("x.clamp(max=0)", "ClampBackward1(x)"),
        ("x.clamp(min=y)", "ClampBackward0(x, x, -)"), ("x.clamp_min(0)", "ClampMinBackward0(x)"),
        ("x.fmod(2)", "FmodBackward0(x)"), ("x.copysign(2)", "CopysignBackward1(x)"),
        ("x.clone().eq_(2)", "EqBackward0(CloneBackward0(x))"), ("x * 2", "MulBackward0(x, -)"),
        ("x.clone().remainder_(3)", "RemainderBackward0(CloneBackward0(x))"), ("x + 2", "AddBackward0(x, -)"),
    ],
)  # fmt: skip
def test_a_number_has_no_edge_where_there_is_an_overload_for_it(code: str, expected: str) -> None:
    assert made(code) == expected


@pytest.mark.parametrize("code", ["x.clamp(0, 1.5)", "torch.xlogy(3, x)", "torch.xlogy(x, 3)", "5 - x", "x % 3"])
def test_gradients_of_number_overloads_are_those_of_the_op_with_a_tensor(code: str) -> None:
    with_number, with_tensor = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    eval(code, {"torch": torch, "x": with_number}).sum().backward()
    number = next(number for number in ("0, 1.5", "3", "5") if number in code)
    full = ", ".join(f"torch.full((2,), {part}.)" if "." not in part else f"torch.full((2,), {part})"
                     for part in number.split(", "))  # fmt: skip
    eval(code.replace(number, full), {"torch": torch, "x": with_tensor}).sum().backward()
    assert with_number.grad.tolist() == with_tensor.grad.tolist()


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ("x // 2", "floor_divide", "NotImplemented(x)"), ("x // c", "floor_divide", "NotImplemented(x)"),
        ("c // x", "floor_divide", "NotImplemented(x)"), ("x // y", "floor_divide", "NotImplemented(x, x)"),
        ("2 % x", "remainder", "NotImplemented(x)"), ("x.heaviside(c)", "heaviside", "NotImplemented(x)"),
        ("x.scatter(0, i, c, reduce='add')", "scatter", "NotImplemented(x)"),
        ("x.clone().floor_divide_(c)", "floor_divide_", "NotImplemented(CloneBackward0(x))"),
        ("torch.bernoulli(x, 0.5)", "bernoulli", "NotImplemented(x)"),
    ],
)  # fmt: skip
def test_what_cannot_be_differentiated_has_edges_that_lead_somewhere(code: str, name: str, expected: str) -> None:
    assert made(code) == expected
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    total = eval(code, {"torch": torch, "x": x, "y": x, "c": x.detach(), "i": torch.tensor([0])}).sum()
    with pytest.raises(OpError, match=f"derivative for aten::{name} is not implemented"):
        total.backward()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("F.pairwise_distance(m, m)", "NormBackward1(AddBackward1(SubBackward0(x, x)))"),
        ("F.margin_ranking_loss(x, y, c)", "MeanBackward0(ClampMinBackward0(AddBackward1(MulBackward0)))"),
        ("F.rms_norm(x, (2,))", "MulBackward0(x, RsqrtBackward0(AddBackward1(MeanBackward1)))"),
        ("torch.gradient(x)[0]", f"CatBackward0({END}, DivBackward1(DivBackward1(SubBackward0)), {END})"),
        ("torch.kron(m, x)", "UnsafeViewBackward0(MulBackward0(UnsafeViewBackward0(x), UnsafeViewBackward0(x)))"),
    ],
)  # fmt: skip
def test_composites_use_the_number_overloads_of_pytorchs_own(code: str, expected: str) -> None:
    assert made(code) == expected


def test_kron_refuses_memory_that_allows_no_view() -> None:
    m = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(OpError, match="view size is not compatible with input tensor's size and stride"):
        torch.kron(m.t(), m)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("unsqueeze_(0)", "UnsqueezeBackward1"), ("transpose_(0, 1)", "TransposeBackward1"), ("t_()", "TBackward1"),
        ("swapaxes_(0, 1)", "TransposeBackward1"), ("squeeze_()", "SqueezeBackward3"),
        ("squeeze_(0)", "SqueezeBackward4"), ("squeeze_((0, 1))", "SqueezeBackward5"),
        ("as_strided_((2,), (1,))", "AsStridedBackward1"), ("conj_physical_()", "ConjPhysicalBackward1"),
    ],
)  # fmt: skip
def test_in_place_shape_ops_have_nodes_of_their_own(code: str, expected: str) -> None:
    assert made(f"m.clone().{code}") == f"{expected}(CloneBackward0(x))"


@pytest.mark.parametrize(
    "norm", ["torch.linalg.norm(x)", "x.norm()", "torch.linalg.vector_norm(x)", "torch.dist(x, 0 * x)"]
)
def test_the_curvature_of_a_euclidean_norm_at_zero_is_not_a_number(norm: str) -> None:
    x = torch.zeros(2, requires_grad=True)
    (slope,) = torch.autograd.grad(eval(norm, {"torch": torch, "x": x}), x, create_graph=True)
    assert slope.tolist() == [0, 0]
    assert torch.autograd.grad(slope.sum(), x)[0].isnan().all()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x.relu()", "ThresholdBackwardBackward0(x, ReluBackward0(x))"),
        ("F.leaky_relu(x)", "LeakyReluBackwardBackward0(x, x)"), ("x[0]", "SelectBackwardBackward0(x)"),
        ("x[1:]", "SliceBackwardBackward0(x)"), ("m.diagonal()", "DiagonalBackwardBackward0(x)"),
        ("x.expand(3, 2)", "ViewBackward0(SumBackward1(x))"), ("x[:1].squeeze().expand(2)", "SumBackward0(x)"),
        ("m.sum(0)", "ExpandBackward0(UnsqueezeBackward0(x))"), ("x.sum()", "ExpandBackward0(x)"),
        ("torch.linalg.vector_norm(m, 1, 0)", "MulBackward0(SgnBackward0(x), UnsqueezeBackward0(x))"),
    ],
)  # fmt: skip
def test_cotangents_have_the_nodes_of_pytorchs_formulas(code: str, expected: str) -> None:
    leaves = {"x": torch.tensor([1.0, 2.0], requires_grad=True), "m": torch.ones(2, 2, requires_grad=True)}
    out = eval(code, {"torch": torch, "F": F, **leaves})
    leaf = leaves["m" if "m." in code or "(m" in code else "x"]
    (slope,) = torch.autograd.grad(out, leaf, torch.ones_like(out, requires_grad=True), create_graph=True)
    node = slope.grad_fn
    if "squeeze" in code:
        node = node.next_functions[0][0].next_functions[0][0]  # behind the views
    assert graph(node) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("F.mse_loss(x, c)", "MseLossBackwardBackward0"), ("F.smooth_l1_loss(x, c)", "SmoothL1LossBackwardBackward0"),
        ("F.huber_loss(x, c)", "HuberLossBackwardBackward0"), ("F.gelu(x).sum()", "GeluBackwardBackward0"),
        ("F.soft_margin_loss(x, c)", "SoftMarginLossBackwardBackward0"),
        ("F.logsigmoid(x).sum()", "LogSigmoidBackwardBackward0"),
        ("F.binary_cross_entropy(x, c)", "BinaryCrossEntropyBackwardBackward0"),
        ("F.hardsigmoid(x).sum()", "NotImplemented"), ("x.rsqrt().sum()", "MulBackward0"),
    ],
)  # fmt: skip
def test_recorded_gradients_are_one_node_where_pytorch_has_a_kernel(code: str, expected: str) -> None:
    x = torch.tensor([0.25, 0.75], requires_grad=True)
    out = eval(code, {"torch": torch, "F": F, "x": x, "c": torch.tensor([1.0, 0.0])})
    (slope,) = torch.autograd.grad(out, x, create_graph=True)
    assert slope.grad_fn.name() == expected


def test_numbers_in_rules_are_those_of_c_and_have_no_edge() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    g = torch.ones(2, requires_grad=True)
    (slope,) = torch.autograd.grad(x**2, x, g, create_graph=True)
    assert graph(slope.grad_fn) == "MulBackward0(x, MulBackward1(PowBackward0(x)))"
    (slope,) = torch.autograd.grad(x * 2, x, g, create_graph=True)
    assert graph(slope.grad_fn) == "MulBackward0(x, -)"  # the number was an operand of Python's
    assert graph((x * 2).grad_fn) == "MulBackward0(x, -)"


def test_every_number_overload_pulls_back_to_the_operand_that_is_left() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (slope,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    assert slope.tolist() == [6, 12]
    assert torch.autograd.grad(slope.sum(), x)[0].tolist() == [6, 6]
