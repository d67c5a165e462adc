"""Statements that write into a tensor, through a view of it, or over what they read."""

from __future__ import annotations

from tests.parity import leaves
from tests.parity.operations import indices, operand
from tests.parity.scope import Guess, Scope, Shape
from tests.parity.views import expression

UNARY = (
    "exp_()", "sin_()", "tanh_()", "sigmoid_()", "relu_()", "abs_()", "neg_()", "square_()", "sqrt_()", "zero_()",
    "fill_(2)", "fill_(0.5)", "clamp_(-1, 1)", "clamp_(min=0)", "pow_(2)", "mul_(2)", "add_(1)", "sub_(0.5)", "div_(2)",
    "reciprocal_()", "floor_()", "round_()", "sign_()", "cumsum_(0)", "cumprod_(0)", "triu_()", "tril_()", "erf_()",
    "fill_diagonal_(1)", "nan_to_num_()", "log_()", "mul_(1j)", "add_(1.5)", "requires_grad_(False)",
    "conj_physical_()",
    "logical_not_()", "rsqrt_()", "cos_()", "remainder_(2)",
)  # fmt: skip
SHAPING = ("t_()", "transpose_(0, 1)", "unsqueeze_(0)", "squeeze_()", "swapaxes_(0, 1)", "resize_(2)")
BINARY = (
    "{}.add_({})", "{}.mul_({})", "{}.sub_({})", "{}.div_({})", "{}.copy_({})", "{}.copy_({})", "{}.add_({}, alpha=2)",
    "{} += {}", "{} *= {}", "{} -= {}", "{} /= {}", "{}.pow_({})", "{}.atan2_({})", "{}.lerp_({}, 0.5)", "{}.fmod_({})",
    "{}.gt_({})", "{}.logical_and_({})", "{}[:] = {}", "{}[...] = {}", "{}.fill_({})", "{}.copysign_({})", "{} **= {}",
    "{}.xlogy_({})", "{}.hypot_({})", "{}.floor_divide_({})", "{}.remainder_({})",
)  # fmt: skip
TERNARY = ("{}.addcmul_({}, {}, value=0.5)", "{}.addcdiv_({}, {})", "{}.masked_fill_({} > 0, 1.5)", "{}.lerp_({}, {})")
OVERLAPPING = (
    "{0}.mul_({0})", "{0}.add_({0})", "{0}[1:].add_({0}[:-1])", "{0}[:-1].mul_({0}[1:])", "{0}.add_({0}.t())",
    "{0}.copy_({0}.t())", "{0}.add_({0}[0])", "{0}[0].mul_({0}[-1])", "{0}.sub_({0}.mean())", "{0}[1:] = {0}[:-1]",
    "{0}.expand(2, *{0}.shape).add_(1)", "{0}.div_({0})", "{0}[1:].copy_({0}[:-1])", "{0} *= {0}",
    "{0}.mul_({0}.clone())",
    "{0}.as_strided((2, 2), (1, 1)).mul_(2)", "{0}[0] = {0}.sum(0)", "{0}.view(-1)[1:].add_({0}.view(-1)[:-1])",
    "{0}.flip(0).mul_(2)", "{0}.pow_({0})", "{0}.addcmul_({0}, {0})", "{0}.copy_({0})", "{0}.t().mul_({0})",
    "{0}.mul_({0}.detach())", "{0}.unsqueeze(0).add_({0})", "{0}.diagonal().add_({0}[0])", "{0}.detach().mul_(2)",
    "{0}.index_add_(0, torch.tensor([0]), {0}[:1])", "{0}.exp_().mul_({0})", "{0}.div_({0}[0])", "{0}.sub_({0}[:1])",
)  # fmt: skip


def statement(scope: Scope) -> str:
    """``b.mul_(c)`` and its kin."""
    target = scope.where(lambda guess: not (guess.leaf and guess.requires_grad and scope.recording))
    makers = (unary, unary, unary, binary, binary, binary, binary, overlapping, overlapping, indexed, indexed, ternary)
    return scope.rng.choice((*makers, shaping))(scope, target)


def _place(scope: Scope, target: Guess) -> tuple[str, Shape]:
    """What is written: the tensor or a view of it."""
    return expression(scope, target) if scope.chance(0.45) else (target.name, target.shape)


def unary(scope: Scope, target: Guess) -> str:
    return f"{_place(scope, target)[0]}.{scope.rng.choice(UNARY)}"


def binary(scope: Scope, target: Guess) -> str:
    text, shape = _place(scope, target)
    other, guess = operand(scope, shape, target.dtype)
    if guess is not None and guess.requires_grad and scope.recording:
        scope.update(target, requires_grad=True, leaf=False)
    form = scope.rng.choice(BINARY)
    if "=" in form and not (text.isidentifier() or text.endswith("]")):  # Python assigns to names and items only
        form = "{}.copy_({})"
    return form.format(text, other)


def ternary(scope: Scope, target: Guess) -> str:
    text, shape = _place(scope, target)
    words = [operand(scope, shape, target.dtype)[0] for _ in range(2)]
    return scope.rng.choice(TERNARY).format(text, *words)


def overlapping(scope: Scope, target: Guess) -> str:
    form = scope.rng.choice(OVERLAPPING)
    whole = form.startswith("{0} ") or scope.chance(0.85)
    return form.format(target.name if whole else expression(scope, target)[0])


def shaping(scope: Scope, target: Guess) -> str:
    return f"{target.name}.{scope.rng.choice(SHAPING)}"


def indexed(scope: Scope, target: Guess) -> str:
    extent, rest = (target.shape or (1,))[0], target.shape[1:]
    chosen = indices(scope, extent)
    index = f"torch.tensor({chosen})"
    full = f"torch.zeros({target.shape}, dtype=torch.int64)"
    value = operand(scope, rest, target.dtype)[0]
    rows = operand(scope, (2, *rest), target.dtype)[0]
    name = target.name
    choices = (
        f"{name}[0] = {value}", f"{name}[{chosen}] = {value}", f"{name}[{name} > 0] = 1.5", f"{name}[-1] += {value}",
        f"{name}[{index}] = {rows}", f"{name}.index_add_(0, {index}, {rows})",
        f"{name}.index_copy_(0, {index}, {rows})",
        f"{name}.index_fill_(0, {index}, 0.5)", f"{name}.scatter_(0, {full}, {name}.detach())", f"{name}[..., 0] *= 2",
        f"{name}.scatter_add_(0, {full}, {name}.clone())",
        f"{name}.masked_scatter_({name} > 0, {name}.detach().clone())",
        f"{name}.index_put_(({index},), {rows}, accumulate=True)",
        f"{name}[1:] = {leaves.tensor(scope, (), target.dtype)}",
        f"{name}[::2] = {value}", f"{name}.put_({index}, {index}.to({name}.dtype))", f"{name}[None] = {value}",
    )  # fmt: skip
    return scope.rng.choice(choices)
