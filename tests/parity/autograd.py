"""Statements about gradients: several ways to ask for them, and what is done to tensors between two of them."""

from __future__ import annotations

from tests.parity import leaves
from tests.parity.scope import Guess, Scope
from tests.parity.views import expression

FLAGS = ("", "", "retain_graph=True", "retain_graph=True", "create_graph=True")
ON_ANY = (
    "{0}.retain_grad()", "{0}.retain_grad()", "{0}.detach_()", "{0}.requires_grad_()", "{0}.requires_grad_(False)",
    "{0}.requires_grad = True", "{0}.data.mul_(2)", "{0}.data = {0}.data * 2", "{0}.data = {0}.detach().clone()",
    "{0}.data = {0}.data.t()", "{0}.data = {0}.data.double()", "{0}.data = {0}.data[:1]", "{0}.grad = None",
    "{0}.grad = torch.ones_like({0})", "{0}.grad = {0}.detach().clone()", "{0}.data = torch.tensor([1, 2])",
    "{0}.grad = torch.tensor(1.0)", "{0}.data.copy_({0}.data.flip(0))", "{0}.data[0] = 1.5", "{0}.data.zero_()",
    "{0}.grad = {0}", "{0}.data = {0}.data.contiguous()",
)  # fmt: skip
ON_LEAF = (
    "with torch.no_grad(): {0} -= 0.5 * {0}.grad", "with torch.no_grad(): {0}.sub_({0}.grad)", "{0}.grad.zero_()",
    "{0}.grad = None", "{0}.grad.mul_(2)", "{0}.grad = {0}.grad.clone()", "{0}.data -= {0}.grad", "{0}.grad += 1",
    "with torch.no_grad(): {0}.copy_({0} * 2)", "with torch.no_grad(): {0}.mul_(2)", "{0}.grad.data.zero_()",
    "{0}.grad.detach_()", "{0}.grad.requires_grad_()", "with torch.no_grad(): {0}.add_({0}.grad, alpha=-0.1)",
)  # fmt: skip


def statement(scope: Scope) -> str:
    """``b.backward()``, ``b.detach_()`` and their kin."""
    makers = (backward, backward, gradient, gradient, on_any, on_any, on_any, on_leaf, detached, moved)
    return scope.rng.choice(makers)(scope)


def ending(scope: Scope) -> str:
    """What asks for gradients when all is done."""
    return scope.rng.choice((backward, backward, backward, gradient, on_leaf))(scope)


def _output(scope: Scope) -> Guess:
    return scope.where(lambda guess: guess.requires_grad and not guess.leaf)


def _leaf(scope: Scope) -> Guess:
    return scope.where(lambda guess: guess.requires_grad and guess.leaf)


def _flags(scope: Scope, *more: str) -> str:
    return ", ".join(word for word in (*more, scope.rng.choice(FLAGS)) if word)


def backward(scope: Scope) -> str:
    output = _output(scope)
    text, shape = expression(scope, output) if scope.chance(0.15) else (output.name, output.shape)
    if scope.chance(0.08):
        return f"torch.autograd.backward([{text}.sum(), {_output(scope).name}.sum()])"
    if scope.chance(0.1):
        return f"{text}.backward({_flags(scope, f'inputs=[{_leaf(scope).name}]')})"
    if scope.chance(0.45):
        return f"{text}.sum().backward({_flags(scope)})"
    return f"{text}.backward({_flags(scope, cotangent(scope, text, Guess('', shape, output.dtype)))})"


def cotangent(scope: Scope, text: str, output: Guess) -> str:
    """What an output's gradient is asked for with; left out for a scalar."""
    choices = [
        f"torch.ones_like({text})", f"torch.ones_like({text})", f"torch.ones({output.shape})", f"{text}.detach()",
        leaves.tensor(scope, output.shape, output.dtype), f"torch.ones({output.shape}, dtype=torch.{output.dtype})",
        f"{text}.detach() * 2", f"torch.ones((), dtype=torch.{output.dtype}).expand({output.shape})",
    ]  # fmt: skip
    return scope.rng.choice(["", "", "", *choices[:2]] if not output.shape else choices)


def gradient(scope: Scope) -> str:
    output, source = _output(scope), _leaf(scope) if scope.chance(0.75) else scope.any()
    name = scope.new()
    flags = _flags(scope, scope.rng.choice(("", "", "allow_unused=True", "materialize_grads=True")))
    asked = f"{output.name}.sum()" if scope.chance(0.6) else output.name
    more = "" if asked != output.name else cotangent(scope, output.name, output)
    arguments = ", ".join(word for word in (asked, source.name, more, flags) if word)
    recorded = "create_graph" in flags
    scope.bind(Guess(name, source.shape, source.dtype, recorded and scope.recording))
    return f"{name}, = torch.autograd.grad({arguments})"


def on_any(scope: Scope) -> str:
    target = scope.where(lambda guess: guess.is_float or guess.is_complex)
    text = scope.rng.choice(ON_ANY).format(target.name)
    if "requires_grad" in text and "False" not in text:
        scope.update(target, requires_grad=True)
    return text


def on_leaf(scope: Scope) -> str:
    return scope.rng.choice(ON_LEAF).format(_leaf(scope).name)


def detached(scope: Scope) -> str:
    source = scope.any()
    name = scope.new()
    form = scope.rng.choice(("{}.detach()", "{}.data", "{}.detach().requires_grad_()", "{}.detach().clone()"))
    scope.bind(Guess(name, source.shape, source.dtype, "requires" in form, "requires" in form))
    return f"{name} = {form.format(source.name)}"


def moved(scope: Scope) -> str:
    """One tensor's data or gradient given to another."""
    target, source = scope.any(), scope.any()
    attribute = scope.rng.choice(("data", "data", "grad", "grad"))
    return f"{target.name}.{attribute} = {source.name}{scope.rng.choice(('', '.data', '.detach()', '.grad'))}"
