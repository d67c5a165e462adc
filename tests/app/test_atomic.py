"""A run that fails leaves no trace, whatever it did before: names, values, versions, graphs, modes, random numbers."""

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.execution import fresh_state
from app.core.interpret import ProgramError
from app.core.limits import Limits
from app.core.session import transaction
from app.stores import records
from app.stores.base import Head, Stored
from app.wire.messages import RunRequest

LIMITS = Limits()
START = """
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * 2
z = y.view(-1)
v = y[0:1]
w = y.detach()
k = [x, y]
d = {'a': y}
u = (x * 1).view(3, 1)
s = (y * y).sum()
s.backward(retain_graph=True)
g = x.grad
"""
STATEMENTS = [
    "y = x * 2", "y = y + x", "z = y.view(-1)", "v = y[0:1]", "v.mul_(3)", "y.add_(1)", "s = (y * y).sum()",
    "s.backward(retain_graph=True)", "s.backward()", "x.grad.zero_()", "x.grad = None", "x.data.mul_(2)",
    "y.retain_grad()", "w = y.detach()", "w.add_(1)", "k.append(y)", "k[0] = 1", "del d", "x = x.clone()",
    "u[0] = 5.0", "g = x.grad", "g.add_(1)", "d['b'] = x", "with torch.no_grad():\n    x.mul_(2)",
    "x.data = torch.ones(3)", "y = y.exp()", "y.exp_()", "torch.set_default_dtype(torch.float64)",
    "torch.set_grad_enabled(False)", "torch.set_printoptions(precision=2)", "y.grad_fn",
    "torch.autograd.grad(s, x, create_graph=True)[0].sum().backward()", "x.requires_grad_(False)", "y.detach_()",
]  # fmt: skip


def snapshot(stored: Stored) -> bytes:
    """All that a session is."""
    state = stored.state
    settings_in_force = [state.grad_enabled, state.inference, state.default_dtype.name, str(state.print_options)]
    return msgspec.msgpack.encode([records.dump(stored.namespace), settings_in_force, state.generator.state()])


def run(stored: Stored, statements: list[str]) -> Stored:
    with transaction(stored, LIMITS) as session:
        session.run(RunRequest(code="\n".join(statements), outputs=[]), "json")
        return replace(stored, namespace=session.namespace)


@settings(max_examples=300)
@given(runs=st.lists(st.lists(st.sampled_from(STATEMENTS), max_size=4), max_size=4))
def test_a_run_that_fails_leaves_no_trace(runs: list[list[str]]) -> None:
    stored = run(Stored(Head("id", "owner", 0, 0.0, 0.0, 1.0), {}, fresh_state()), [START])
    for statements in runs:
        before = snapshot(stored)
        try:
            run(stored, [*statements, "nothing_of_this_name"])
        except ProgramError:
            assert snapshot(stored) == before
        try:
            stored = run(stored, statements)
        except ProgramError:
            assert snapshot(stored) == before
