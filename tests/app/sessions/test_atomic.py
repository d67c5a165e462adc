"""A run that fails leaves no trace, whatever it did before: names, values, versions, graphs, modes, random numbers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.evaluate.execution import prepare
from app.program.tree import ProgramError
from app.sessions.live import Live
from app.sessions.session import transaction
from app.wire.messages import RunRequest
from tests.app.session_cases import LIMITS, fresh, picture

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
    "torch.manual_seed(3)", "r = torch.rand(2)", "o = torch.optim.SGD([x], lr=0.1, momentum=0.9)", "o.step()",
    "o.param_groups[0]['lr'] = 0.5", "f = lambda t: t * x", "y = f(x)", "del x", "n = s.grad_fn",
    "c = torch.ones(5000)",
    "c[0] = 2.0", "c.mul_(x.sum().item())", "h = torch.no_grad()", "x.grad = y.detach()", "u.squeeze_()",
    "p = torch.max(y, 0)", "a = w.numpy()",
]  # fmt: skip


def run(live: Live, statements: list[str]) -> None:
    with transaction(live.state, live.names, LIMITS) as (session, _):
        session.run(prepare(RunRequest(code="\n".join(statements), outputs=[]), LIMITS), "json")
    live.names = session.namespace


@settings(max_examples=300)
@given(runs=st.lists(st.lists(st.sampled_from(STATEMENTS), max_size=4), max_size=4))
def test_a_run_that_fails_leaves_no_trace(runs: list[list[str]]) -> None:
    live = fresh()
    run(live, [START])
    for statements in runs:
        before = picture(live)
        try:
            run(live, [*statements, "nothing_of_this_name"])
        except ProgramError:
            assert picture(live) == before
        try:
            run(live, statements)
        except ProgramError:
            assert picture(live) == before
