"""A session's names and tape as plain data: what is shared stays shared, and another process can walk the graph."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from app.core.interpret import run
from app.core.limits import Limits
from app.stores import records
from app.wire.code import parse_code
from engine import Tensor, modes

ROOT = Path(__file__).parent.parent.parent


def namespace_of(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    with modes.use(modes.State(warnings=[])):
        run(parse_code(code, Limits()), namespace, limits=Limits())
    return namespace


def through_bytes(namespace: dict[str, Any]) -> dict[str, Any]:
    return records.load(msgspec.msgpack.decode(msgspec.msgpack.encode(records.dump(namespace))))


def go_on(namespace: dict[str, Any], code: str) -> list[str]:
    """What the code prints in this namespace."""
    with modes.use(modes.State(warnings=[])):
        return run(parse_code(code, Limits()), namespace, limits=Limits()).prints


LEAF = "x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)\n"
CASES = {
    "a chain": (LEAF + "y = (x * x).exp().sum()", "y.backward()\nprint(x.grad)"),
    "a sweep behind it": (LEAF + "(x * x).sum().backward()", "(x * 3).sum().backward()\nprint(x.grad)"),
    "a freed graph": (LEAF + "y = (x * x).sum()\ny.backward()", "y.backward()"),
    "a kept graph": (LEAF + "y = (x * x).sum()\ny.backward(retain_graph=True)", "y.backward()\nprint(x.grad)"),
    "shared storage": (
        "a = torch.zeros(2, 3)\nb = a.view(3, 2)\nc = a.t()\nd = a.data", "b[0, 0] = 5\nd[1, 2] = 7\nprint(a, b, c, d)"
    ),
    "version counters": (LEAF + "y = x.exp()\nz = y * y\ny.add_(1)", "print(y._version)\nz.sum().backward()"),
    "versions apart": (LEAF + "y = x.exp()\nz = y.sum()\ny.data.add_(1)", "z.backward()\nprint(x.grad, y._version)"),
    "writes through views": (LEAF + "y = x * 2\nv = y[0:2]\nv.mul_(3)", "y.sum().backward()\nprint(x.grad, v)"),
    "a view of a view": (
        LEAF + "y = x * 2\nv = y[0:2]\nw = v[1:]\nw.mul_(3)",
        "print(v.grad_fn.name())\n(v * v).sum().backward()\nprint(x.grad)",
    ),
    "second order": (
        LEAF + "y = (x ** 3).sum()\ng, = torch.autograd.grad(y, x, create_graph=True)",
        "g.sum().backward()\nprint(x.grad)",
    ),
    "a grad that is shared": (LEAF + "(x * x).sum().backward()\ng = x.grad", "g.zero_()\nprint(x.grad)"),
    "retained grads": (
        LEAF + "y = x * 2\ny.retain_grad()\nz = (y * y).sum()", "z.backward()\nprint(y.grad, y.retains_grad)"
    ),
    "two names": ("a = torch.ones(2)\nb = a\nk = [a, 1]\nl = k", "k.append(2)\na.mul_(2)\nprint(b, l, b is a, l is k)"),
    "plain values": (
        "i = 2 ** 80\nt = (1.5, None, True, 'x')\nd = {'a': torch.ones(1), 1: 2j}\ns = d['a'].shape\nk = torch.int8",
        "print(i, t, d, s, k)",
    ),
    "other dtypes": (
        "a = torch.ones(3, dtype=torch.bfloat16)\nb = torch.tensor([2j], requires_grad=True)\ny = (b * b.conj()).real",
        "y.backward()\nprint(a, b.grad, a > 0)",
    ),
    "nothing": ("a = torch.zeros(0, 3)\nb = a.sum()", "print(a, b)"),
    "a node": (LEAF + "y = x * 2\nn = y.grad_fn", "print(n.name(), n is y.grad_fn, n.next_functions[0][0].name())"),
    "joined and split": (
        LEAF + "parts = torch.cat([x, x * 2]).split(3)\ny = (parts[0] * parts[1]).sum()", "y.backward()\nprint(x.grad)"
    ),
}  # fmt: skip


def outcome(namespace: dict[str, Any], code: str) -> object:
    try:
        return go_on(namespace, code)
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("name", CASES)
def test_what_was_stored_goes_on_as_if_it_never_was(name: str) -> None:
    before, after = CASES[name]
    loaded = through_bytes(namespace_of(before))
    assert outcome(loaded, after) == outcome(namespace_of(before), after)


def test_a_long_chain_is_stored_without_recursion() -> None:
    loaded = through_bytes(namespace_of(LEAF + "y = x\nfor _ in range(20000):\n    y = y * 1.0"))
    assert go_on(loaded, "y.sum().backward()\nprint(x.grad)") == ["tensor([1., 1., 1.])"]


def test_what_has_no_form_is_refused_by_its_kind() -> None:
    with pytest.raises(records.NotStorable, match="function"):
        records.dump({"f": lambda: 0})


def test_the_bytes_of_shared_storage_count_once() -> None:
    a = namespace_of("a = torch.zeros(1000)\nb = a.view(10, 100)")
    assert 4000 <= records.nbytes(a) < 8000
    y = namespace_of("x = torch.zeros(1000, requires_grad=True)\ny = x.exp().exp()")
    del y["x"]
    assert records.nbytes(y) >= 12_000


WALK = """
import sys
import msgspec
from app.stores import records
from engine import modes

names = records.load(msgspec.msgpack.decode(sys.stdin.buffer.read()))
with modes.use(modes.State()):
    node, seen = names["y"].grad_fn, []
    while node is not None:
        seen.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    names["y"].backward()
print(seen, names["x"].grad.tolist())
"""


def test_another_process_walks_a_live_graph() -> None:
    namespace = namespace_of(LEAF + "y = (x * x).exp().sum()")
    body = msgspec.msgpack.encode(records.dump(namespace))
    done = subprocess.run([sys.executable, "-c", WALK], input=body, capture_output=True, cwd=ROOT, check=True)
    x: Tensor = namespace["x"]
    expected = (2 * x.array * np.exp(x.array**2)).tolist()
    names = ["SumBackward0", "ExpBackward0", "MulBackward0", "torch::autograd::AccumulateGrad"]
    assert done.stdout.decode().strip() == f"{names} {expected}"
