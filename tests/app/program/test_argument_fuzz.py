"""Whatever a program passes to whatever there is, the answer is a result or an error raised on purpose, never a fault.

Calls are made of samples that are right, with arguments replaced, left out or added, and of arguments that are all
strange; in code and as nodes. ``python -m tests.app.program.test_argument_fuzz --seconds 600`` goes on for longer, and
lists each fault once, with the call; ``--kernels`` those errors that say what NumPy said, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from app.limits import Limits, OverLimit
from app.program import builtins, names, operators
from app.program.from_code import parse_code
from app.program.from_nodes import parse_nodes
from app.program.interpret import run
from app.program.tree import GraphError, ProgramError
from engine import Tensor, dtypes, errors, modes, registry, tensors
from tests.engine.samples import Fixed, Leaf, Sample, all_samples

LIMITS = Limits(tensor_elements=2**14, print_chars=2**20)
MEANT = (ProgramError, GraphError, OverLimit, errors.BudgetError)
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (3,), (2, 3), (3, 3), (0, 3), (2, 2, 2), (1, 2, 4, 4))
PLAIN: tuple[Any, ...] = (
    None, "abc", "sum", "mean", "float64", "", [], [1], [1, 2], [0, -1], [[1.0, 2.0], [3.0, 4.0]], [[1], [2, 3]],
    [None], ["a"], [True], [1.5], (), (1,), (0, 1), (2, 3), (-1,), (2**40,), {}, {"a": 1}, 0, 1, -1, 2, 3, 7, 2**31,
    2**63, -(2**70), 10**18, 0.0, 1.5, -0.5, 1e300, float("nan"), float("inf"), 1j, complex("nan"), True, False,
    slice(None), slice(0, 1), slice("a", None), ..., range(3), dtypes.float32, dtypes.int64, dtypes.complex64,
    dtypes.bool_, tensors.Size((2, 3)), builtins.FUNCTIONS["float"], builtins.FUNCTIONS["len"],
    builtins.Module("torch"),
)  # fmt: skip
FUNCTIONS = ("lambda: 1", "lambda a: a", "lambda a: (a * a).sum()", "lambda a, b: a + b", "lambda a: None")
UNUSUAL = ("bogus", "out", "dim", "input", "self", "dtype", "keepdim", "requires_grad", "size")


class Call(NamedTuple):
    """A program of one call, or a few; ``namespace`` has the values that it names."""

    text: str
    nodes: list[Any] | None
    namespace: dict[str, Any]

    def __str__(self) -> str:
        given = {name: _shown(value) for name, value in self.namespace.items()}
        return f"{self.text if self.nodes is None else self.nodes} with {given}"


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype.name}{list(value.shape)}{' requires grad' if value.requires_grad else ''}"
    return repr(value)[:60]


# -- values ---------------------------------------------------------------------------------------------------------
def a_tensor(rng: random.Random) -> Tensor:
    """Of any dtype and few elements; every third requires grad, if it can."""
    dtype, shape = rng.choice(dtypes.ALL), rng.choice(SHAPES)
    values = np.random.default_rng(rng.randrange(10)).uniform(-3, 3, shape)
    tensor = tensors.from_array(np.asarray(values).astype(dtype.numpy))
    if dtype.is_differentiable and rng.random() < 0.4:
        tensor.requires_grad_()
    return tensor


def a_value(rng: random.Random) -> Any:
    """Anything that a program can have."""
    kind = rng.random()
    if kind < 0.4:
        return a_tensor(rng)
    if kind < 0.47:
        return [a_tensor(rng) for _ in range(rng.randrange(3))]
    if kind < 0.52:
        return (a_tensor(rng), rng.choice(PLAIN))
    return FUNCTION_VALUES[rng.randrange(len(FUNCTIONS))] if kind < 0.56 else rng.choice(PLAIN)


def _functions() -> list[Any]:
    namespace: dict[str, Any] = {}
    run(parse_code("\n".join(f"f{i} = {text}" for i, text in enumerate(FUNCTIONS)), LIMITS), namespace, limits=LIMITS)
    return [namespace[f"f{i}"] for i in range(len(FUNCTIONS))]


FUNCTION_VALUES = _functions()


# -- calls ----------------------------------------------------------------------------------------------------------
def a_call(rng: random.Random, path: str, samples: list[Sample]) -> Call:
    """A call of ``torch.<path>``, or of the method ``path``, with arguments of which at least one may be strange."""
    args, kwargs = _arguments(rng, path, samples)
    named = {f"a{i}": value for i, value in enumerate(args)} | {f"k{i}": v for i, v in enumerate(kwargs.values())}
    keywords = {name: f"k{i}" for i, name in enumerate(kwargs)}
    if rng.random() < 0.5:
        listed = ", ".join([f"a{i}" for i in range(len(args))] + [f"{name}={k}" for name, k in keywords.items()])
        is_method = registry.function(path) is None or (registry.method(path) is not None and rng.random() < 0.5)
        text = f"a0.{path}({listed.partition(', ')[2]})" if is_method and args else f"torch.{path}({listed})"
        return Call(f"y = {text}", None, named)
    node = {"id": "y", "op": path, "args": [f"$a{i}" for i in range(len(args))]}
    return Call("", [node | {"kwargs": {name: f"${k}" for name, k in keywords.items()}}], named)


def _arguments(rng: random.Random, path: str, samples: list[Sample]) -> tuple[list[Any], dict[str, Any]]:
    if samples and rng.random() < 0.75:
        built = rng.choice(samples).build(path, 0, _leaf)
        args, kwargs = list(built.args), dict(built.kwargs)
        for _ in range(rng.randrange(1, 3)):
            _spoil(rng, args, kwargs)
    else:
        args, kwargs = [a_value(rng) for _ in range(rng.randrange(5))], {}
        if args and rng.random() < 0.6:
            args[0] = a_tensor(rng)
    if rng.random() < 0.2:
        kwargs[rng.choice(UNUSUAL)] = a_value(rng)
    return args, kwargs


def _spoil(rng: random.Random, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Replace, add or leave out one argument."""
    kind = rng.random()
    if kind < 0.1:
        args.append(a_value(rng))
    elif kind < 0.2 and args:
        args.pop()
    elif kind < 0.3 or not (args or kwargs):
        args.insert(rng.randrange(len(args) + 1), a_value(rng))
    elif kwargs and (not args or rng.random() < 0.4):
        kwargs[rng.choice(list(kwargs))] = a_value(rng)
    elif args:
        args[rng.randrange(len(args))] = a_value(rng)


def _leaf(values: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    return tensors.from_array(np.array(values), requires_grad=requires_grad)


def an_operation(rng: random.Random) -> Call:
    """Operators, subscripts, attributes, built-in functions and methods, over any values."""
    namespace = {name: a_value(rng) for name in "abc"}
    operator = rng.choice([*operators.BINARY, "==", "<", "in", "and"])
    attribute = rng.choice([name for name, _ in registry.attributes()])
    method = rng.choice([name for _, table in builtins.ATTRIBUTES for name in table])
    function = rng.choice(list(builtins.FUNCTIONS))
    text = rng.choice((
        f"y = a {operator} b", f"a {rng.choice(list(operators.IN_PLACE))}= b", f"y = {rng.choice(('-', '~', 'not '))}a",
        "y = a[b]", "y = a[b, c]", "a[b] = c", "a[b, c] = 1", "del a[b]", "y = a[b:c]", f"y = a.{attribute}",
        f"a.{attribute} = b", "a.data = b", "a.grad = b", "a.requires_grad = b", f"y = {function}(a)",
        f"y = {function}(a, b)", f"y = {function}(a, key=b)", f"y = a.{method}", f"y = a.{method}(b)", "print(a, b)",
        "y, z = a", "y = a(b)", "y = {a: b}", f"y = a.{method}()",
    ))  # fmt: skip
    return Call(text, None, namespace)


OPTIMIZERS = [name for name, _ in registry.functions() if name.startswith("optim.") and name.count(".") == 1]


def an_optimisation(rng: random.Random) -> Call:
    """An optimiser with strange settings, then a step, and a schedule over it."""
    namespace = {name: a_value(rng) for name in "bcde"}
    namespace["x"] = tensors.from_array(np.ones(3, np.float32), requires_grad=True)
    params = rng.choice(("[x]", "[x]", "[x]", "[{'params': [x], 'lr': b}]", "[{'params': b}]", "b", "[b]", "[{}]"))
    words = (
        "lr",
        "momentum",
        "betas",
        "eps",
        "weight_decay",
        "rho",
        "alpha",
        "amsgrad",
        "maximize",
        "centered",
        "nesterov",
    )
    chosen = rng.sample(words, rng.randrange(3))
    settings = "".join(f", {word}={rng.choice('bcd')}" for word in chosen)
    first = rng.choice(("", "", ", c"))
    lines = [
        f"o = torch.{rng.choice(OPTIMIZERS)}({params}{first}{settings})", "(x * x).sum().backward()",
        rng.choice(("o.step()", "o.step(b)", "o.zero_grad(b)", "o.add_param_group(b)", "o.param_groups[0]['lr'] = b")),
        "o.step()", rng.choice(("o.step()", "s = torch.optim.lr_scheduler.StepLR(o, b, c)", "o.zero_grad()")),
        rng.choice(("o.step()", "s.step()", "print(o)", "torch.nn.utils.clip_grad_norm_(d, e)")),
    ]  # fmt: skip
    return Call("\n".join(lines), None, namespace)


def _paths() -> list[str]:
    functions = [name for name, _ in registry.functions()]
    methods = [name for name, _ in registry.methods()]
    return sorted({*functions, *names.ALIASES, *methods})


PATHS = _paths()


def _samples() -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for op, _, sample in all_samples():
        if all(_is_small(value) for value in sample.args):
            found.setdefault(op, []).append(sample)
            found.setdefault(f"{op}_", []).append(sample)
    return found


def _is_small(value: Any) -> bool:
    return not isinstance(value, Leaf | Fixed) or value.shape is None or int(np.prod(value.shape)) < 1000


SAMPLES = _samples()


def calls(rng: random.Random) -> Iterator[Call]:
    """Every path once, in any order, then operations and optimisers; and so on."""
    while True:
        for path in rng.sample(PATHS, len(PATHS)):
            yield a_call(rng, path, SAMPLES.get(path, SAMPLES.get(path.rpartition(".")[2], [])))
            yield an_operation(rng)
            if rng.random() < 0.3:
                yield an_optimisation(rng)


# -- outcomes -------------------------------------------------------------------------------------------------------
def outcome(call: Call) -> Exception | None:
    """What ``call`` ended in. A result that requires grad is differentiated, for rules have arguments, too."""
    namespace = dict(call.namespace)
    try:
        program = parse_code(call.text, LIMITS) if call.nodes is None else parse_nodes(call.nodes, LIMITS)
        with modes.use(modes.State(warnings=[], budget=modes.Budget(2**14, 2**24, 5.0))):
            run(program, namespace, limits=LIMITS)
            result = namespace.get("y")
            if isinstance(result, Tensor) and result.requires_grad:
                run(parse_code("y.sum().backward()", LIMITS), namespace, limits=LIMITS)
    except Exception as error:
        return error
    return None


def is_fault(error: Exception | None) -> bool:
    """Whether nobody meant to raise this."""
    return error is not None and not isinstance(error, MEANT)


def is_numpys(error: Exception | None) -> bool:
    """Whether this says what NumPy said inside of a kernel."""
    cause = error.__cause__ if isinstance(error, ProgramError) else None
    return cause is not None and cause.__cause__ is not None and not isinstance(cause.__cause__, errors.EngineError)


@pytest.mark.parametrize("seed", range(4))
def test_no_argument_causes_a_fault(seed: int) -> None:
    made = calls(random.Random(seed))
    faults = []
    for _ in range(4_000):
        call = next(made)
        error = outcome(call)
        if is_fault(error):
            faults.append(f"{call}: {type(error).__name__}: {error}")
    assert not faults, "\n".join(faults)


# -- for longer -----------------------------------------------------------------------------------------------------
def _where(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.partition('/site-packages/')[2] or frame.filename}:{frame.lineno}: {frame.line}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _search(seconds: float, seed: int, is_wanted: Callable[[Exception | None], bool]) -> int:
    made, seen, count = calls(random.Random(seed)), dict[str, int](), 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        call = next(made)
        error = outcome(call)
        count += 1
        if error is None or not is_wanted(error):
            continue
        shown = error if is_fault(error) else error.__cause__.__cause__ if error.__cause__ else error
        place = _where(shown or error)
        seen[place] = seen.get(place, 0) + 1
        if seen[place] == 1:
            _say(f"{type(shown).__name__}: {str(shown)[:150]}\n  {place}\n  {str(call)[:500]}\n")
    _say(f"{count} calls, {len(seen)} places, {sum(seen.values())} times")
    return bool(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description="Calls everything with strange arguments, and lists the faults.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kernels", action="store_true", help="also what NumPy said inside of kernels")
    arguments = parser.parse_args()
    kernels = arguments.kernels
    return _search(arguments.seconds, arguments.seed, lambda error: is_fault(error) or (kernels and is_numpys(error)))


if __name__ == "__main__":
    sys.exit(main())
