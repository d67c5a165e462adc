"""Hooks, handles and functions of programs in records: what a session goes on with, wherever it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

import engine
from app.limits import Limits
from app.program.tree import ProgramError
from app.sessions import schema
from app.sessions.live import Live
from app.sessions.program_kinds import kinds
from app.sessions.value_kinds import InlineKind, Malformed, NotStorable, ValueKinds
from app.sessions.vetting import vet
from app.stores.base import Block, Head, Loaded
from app.stores.memory import MemoryStore
from engine import Tensor, custom, modes
from tests.app.session_cases import directory_over, opened, run_code

torch: Any = engine
Names = dict[str, Any]
HEAD = Head("s", "o", 0, 0.0, 0.0, 0.0)


def scaled(ctx: Any, x: Tensor, k: float) -> Any:
    ctx.save_for_backward(x, None)
    ctx.k, ctx.seen = k, [1]
    return x * k


def unscaled(ctx: Any, g: Tensor) -> Any:
    x, nothing = ctx.saved_tensors
    assert nothing is None
    modes.touch(ctx.seen)
    ctx.seen.append(len(ctx.seen))
    return g * ctx.k * x.exp(), None


def doubled(ctx: Any, x: Tensor) -> Any:
    ctx.mark_dirty(x)
    return x.mul_(2)


ORDER: list[int] = []
CALLS: dict[str, Callable[..., Any]] = {
    "double": lambda g: g * 2, "square": lambda g: g * g, "post": lambda gi, go: (gi[0] + 1, *gi[1:]),
    "pre": lambda go: (go[0] * 3,), "zero": lambda leaf: leaf.grad.zero_(), "half": lambda x: x.half(),
    "float": lambda x: x.float(), "scaled": scaled, "unscaled": unscaled, "doubled": doubled,
    "sine": lambda ctx, g: g.sin(), **{f"leaf {n}": lambda g, n=n: ORDER.append(n) for n in range(5)},
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A function of a program, which a session knows by its name."""

    name: str

    def __call__(self, *args: Any) -> Any:
        return CALLS[self.name](*args)


@dataclass(frozen=True)
class Defined(custom.Definition):
    """A class of a program."""

    forward: str
    backward: str

    @property
    def name(self) -> str:
        return self.forward.capitalize()

    def has(self, method: str) -> bool:
        return method in ("forward", "backward")

    def call(self, method: str, *args: Any) -> Any:
        return CALLS[getattr(self, method)](*args)


def all_kinds() -> ValueKinds:
    known = kinds(Limits())
    own = (
        InlineKind("call", Call, lambda call: (call.name,), lambda parts: Call(*parts)),
        InlineKind("class", Defined, lambda one: (one.forward, one.backward), lambda parts: Defined(*parts)),
    )
    return ValueKinds((*known.inline, *own), known.shared)


def apply(forward: str, backward: str, *args: Any) -> Any:
    return custom.apply(Defined(forward, backward), args, {})


class Session:
    """A session that is hot here, and may be read anew from its records."""

    def __init__(self) -> None:
        self.live = Live(HEAD, all_kinds())
        self.records: list[bytes] = []
        self.blocks: list[Block] = []

    def run(self, statement: Callable[[Names], Any]) -> Any:
        journal, names = modes.Journal(), dict(self.live.names)
        self.live.state.journal = journal
        with modes.use(self.live.state):
            found = statement(names)
            modes.settle()
            draft = self.live.draft(journal, names, float("inf"))
        self.live.accept(draft, replace(HEAD, version=self.live.head.version + 1), names)
        self.records = [*([] if draft.change.whole else self.records), draft.change.record]
        self.blocks += draft.change.blocks
        return found

    def cold(self) -> Session:
        """The same, from what was stored."""
        other = Session()
        other.live = Live.load(Loaded(self.live.head, self.records, self.blocks, True), all_kinds())
        other.records, other.blocks = list(self.records), list(self.blocks)
        return other


def leaf(n: Names) -> None:
    n["x"] = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)


def hook_it(n: Names) -> None:
    n["handle"] = n["x"].register_hook(Call("double"))
    n["x"].register_hook(Call("square"))
    n["after"] = n["x"].register_post_accumulate_grad_hook(Call("zero"))


def graph(n: Names) -> None:
    n["y"] = n["x"].sin()
    n["inner"] = n["y"].register_hook(Call("square"))
    n["node"] = n["y"].grad_fn.register_hook(Call("post"))
    n["y"].grad_fn.register_prehook(Call("pre"))
    n["y"].grad_fn.metadata["noted"] = [1, "a"]
    n["y"].grad_fn.next_functions[0][0].register_prehook(Call("pre"))
    n["z"] = (n["y"] * 2).sum()


def sweep(n: Names) -> Any:
    n["x"].grad = None
    n["z"].backward(retain_graph=True)
    return n["x"].grad.tolist(), n["y"].grad_fn.metadata


def remove(*handles: str) -> Callable[[Names], Any]:
    def statement(n: Names) -> None:
        for name in handles:
            n[name].remove()

    return statement


def functions(n: Names) -> None:
    n["y"] = apply("scaled", "unscaled", n["x"] * 1, 3.0)
    n["base"] = n["x"] * 1
    n["view"] = n["base"][1:]
    apply("doubled", "sine", n["view"])
    n["z"] = n["y"].sum() + (n["base"] ** 2).sum()


def sweep_functions(n: Names) -> Any:
    n["x"].grad = None
    n["z"].backward(retain_graph=True)
    node = n["y"].grad_fn
    return n["x"].grad.tolist(), node.seen, node.k, repr(node)[:40], n["base"].grad_fn.name(), n["view"].grad_fn.name()


def leaves(n: Names) -> None:
    n["leaves"] = [torch.tensor(float(k), requires_grad=True) for k in range(5)]
    for k, one in enumerate(n["leaves"]):
        one.register_hook(Call(f"leaf {k}"))


def order(n: Names) -> list[int]:
    ORDER.clear()
    torch.stack(n["leaves"]).sum().backward()
    return list(ORDER)


def packed(n: Names) -> None:
    with torch.autograd.graph.saved_tensors_hooks(Call("half"), Call("float")):
        n["y"] = (n["x"] * 1).exp()
    n["z"] = n["y"].sum()


def checkpointed(n: Names) -> None:
    n["y"] = torch.utils.checkpoint.checkpoint(Call("square"), n["x"] * 1, use_reentrant=True)
    n["z"] = n["y"].sum()


def anomalous(n: Names) -> None:
    torch.autograd.set_detect_anomaly(True, check_nan=False)


def flags(n: Names) -> Any:
    found = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    torch.autograd.set_detect_anomaly(False)
    return found


def gradient(n: Names) -> Any:
    return [one.tolist() for one in torch.autograd.grad(n["z"], n["x"], retain_graph=True)]


def product(n: Names) -> None:
    n["z"] = (n["x"] * n["x"]).sum()


WALKS: dict[str, list[Callable[[Names], Any]]] = {
    "a hook of a leaf": [leaf, hook_it, product, gradient, remove("handle"), gradient, product, gradient],
    "hooks": [leaf, hook_it, graph, sweep, sweep, remove("handle", "inner"), sweep, remove("after", "node"), sweep],
    "hooks on a graph that is there": [leaf, graph, sweep, hook_it, sweep, remove("handle"), graph, sweep],
    "functions": [leaf, functions, sweep_functions, sweep_functions],
    "several leaves": [leaves, order, order],
    "packed tensors": [leaf, packed, gradient, gradient],
    "a checkpoint": [leaf, checkpointed, lambda n: n["z"].backward(), lambda n: n["x"].grad.tolist()],
    "anomaly detection": [leaf, anomalous, flags, flags],
}


@pytest.mark.parametrize("name", WALKS)
def test_a_session_goes_on_wherever_it_is_read(name: str) -> None:
    """Hot all the time, read anew before each statement, and caught up with: all find the same."""
    hot, cold = Session(), Session()
    for statement in WALKS[name]:
        expected = hot.run(statement)
        cold = cold.cold() if cold.records else cold
        assert cold.run(statement) == expected
        vet(whole(cold), Limits(), all_kinds())


def whole(session: Session) -> schema.Record:
    return schema.decode(session.live.export())


def test_what_has_no_form_as_data_is_refused() -> None:
    session = Session()
    session.run(leaf)
    with pytest.raises(NotStorable, match="function"):
        session.run(lambda n: n["x"].register_hook(lambda g: g))

    class Own(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Any:
            return x * 1

    other = Session()
    other.run(leaf)
    with pytest.raises(NotStorable, match="Own"):
        other.run(lambda n: n.update(y=Own.apply(n["x"])))


def test_documents_with_hooks_that_are_none_are_refused() -> None:
    session = Session()
    for statement in (leaf, hook_it, graph, packed):
        session.run(statement)

    def refused(change: Callable[[schema.Record], object]) -> None:
        record = whole(session)
        change(record)
        with pytest.raises(Malformed):
            vet(record, Limits(), all_kinds())

    def hooked(record: schema.Record) -> Any:
        return next(one for one in record.nodes if one.hooks is not None).hooks

    def kept(record: schema.Record) -> Any:
        return next(one for node in record.nodes for one in (node.saved or {}).values() if one and one.packed)

    refused(lambda record: setattr(record.tensors[0], "hooks", [3, 4]))
    refused(lambda record: setattr(hooked(record), "pre", {"shared": 999}))
    refused(lambda record: setattr(hooked(record), "pre", {"tuple": []}))
    refused(lambda record: setattr(hooked(record), "outputs", [(7, hooked(record).pre)]))
    refused(lambda record: setattr(kept(record), "packed", [None]))
    refused(lambda record: setattr(kept(record), "packed", [{"shared": 999}, None]))


def test_a_run_that_is_undone_leaves_no_hook_behind() -> None:
    session = Session()
    for statement in (leaf, graph):
        session.run(statement)
    before = session.run(sweep)
    journal = modes.Journal()
    session.live.state.journal = journal
    with modes.use(session.live.state):
        names = dict(session.live.names)
        hook_it(names)
        remove("inner", "node")(names)
        names["y"].grad_fn.register_prehook(Call("double"))
        names["y"].register_hook(Call("double"))
        names["y"].retain_grad()
        journal.rollback()
    assert session.run(sweep) == before


def test_documents_with_functions_that_cannot_be_are_refused() -> None:
    session = Session()
    for statement in (leaf, functions):
        session.run(statement)

    def vetted(**static: Any) -> schema.Record:
        record = whole(session)
        node = next(one for one in record.nodes if one.op == "custom_function")
        node.static |= static
        vet(record, Limits(), all_kinds())
        return record

    vetted()
    for static in ({"kept": 3}, {"kept": None}, {"attributes": None}, {"tensors": {"tuple": [True]}}, {"outputs": 1}):
        with pytest.raises(Malformed):
            vetted(**static)
    record = vetted(function={"call": ["sine"]})
    with pytest.raises(Malformed):
        Live.load(Loaded(HEAD, [schema.encode(record)], [], True), all_kinds())


LEAF = "x = torch.tensor([1.0, 2.0], requires_grad=True)\n"
CLASS = """
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        ctx.save_for_backward(x)
        ctx.k, ctx.seen = k, []
        return x * k

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        ctx.seen.append(len(ctx.seen))
        return g * ctx.k * x, None
"""
PROGRAMS: dict[str, list[str]] = {
    "a hook": [
        LEAF + "def f(g):\n    return g * 2\nh = x.register_hook(f)\ny = (x * x).sum()", "y.backward()\nprint(x.grad)",
        "h.remove()\n(x * x).sum().backward()\nprint(x.grad)",
    ],
    "hooks that print": [
        LEAF + "x.register_hook(lambda g: g * 3)\ny = x * 2\ny.register_hook(lambda g: print('y', g))\nz = y.sum()",
        "z.backward()\nprint(x.grad)",
    ],
    "hooks of nodes": [
        LEAF + "y = x * 2\nn = y.grad_fn\nh = n.register_hook(lambda gi, go: (gi[0] * 2, None))\nn.metadata['a'] = [3]",
        "y.sum().backward()\nprint(x.grad, n.metadata, n is y.grad_fn)\nn.metadata['a'].append(4)", "print(n.metadata)",
    ],
    "a step in a hook": [
        LEAF + "def step(p):\n    with torch.no_grad():\n        p -= 0.1 * p.grad\n    p.grad = None\n"
        "h = x.register_post_accumulate_grad_hook(step)", "(x * x).sum().backward()\nprint(x)",
        "with h:\n    (x * x).sum().backward()\n(x * x).sum().backward()\nprint(x, x.grad)",
    ],
    "a class": [
        LEAF + CLASS + "y = Scale.apply(x, 3.0)\nz = y.sum()",
        "z.backward(retain_graph=True)\nprint(x.grad, y, y.grad_fn.k, y.grad_fn.seen)",
        "z.backward(retain_graph=True)\nprint(x.grad, y.grad_fn.seen)", "print(Scale.apply(x, 2.0), y.grad_fn.seen)",
    ],
    "a class that is differentiated once": [
        LEAF + CLASS.replace("    def backward", "    @torch.autograd.function.once_differentiable\n    def backward")
        + "y = Scale.apply(x, 3.0)", "y.sum().backward()\nprint(x.grad)",
    ],
    "a packed tensor": [
        LEAF + "with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t + 1):\n    y = x.exp()",
        "y.sum().backward()\nprint(x.grad)",
    ],
    "anomaly detection": [
        "torch.autograd.set_detect_anomaly(True)",
        "print(torch.is_anomaly_enabled())\n" + LEAF + "(x - 1).sqrt().sum().mul(0).backward()",
    ],
    "a checkpoint that runs again": [
        LEAF + "import torch.utils.checkpoint as c\ntorch.manual_seed(3)\ncalls = []\n"
        "def f(x, k):\n    calls.append(k)\n"
        "    return (x.sin() * torch.rand(2) * k).exp()\ny = c.checkpoint(f, x * 1, 2.0, use_reentrant=False).sum()",
        "print(torch.rand(1))\ny.backward(retain_graph=True)\nprint(x.grad, calls)",
        "y.backward()\nprint(x.grad, calls)",
        "y.backward()",
    ],
    "checkpoints in a checkpoint": [
        LEAF + "import torch.utils.checkpoint as c\ndef g(x):\n    return x.sin().exp()\ndef f(x):\n"
        "    return c.checkpoint(g, x.cos(), use_reentrant=False).tanh()\n"
        "y = c.checkpoint(f, x, use_reentrant=False).sum()", "y.backward()\nprint(x.grad)",
    ],
    "a checkpoint whose argument is written to": [
        LEAF + "import torch.utils.checkpoint as c\nh = x * 1\n"
        "y = c.checkpoint(lambda x: x.sin(), h, use_reentrant=False).sum()",
        "h.mul_(2)", "y.backward()",
    ],
    "a checkpoint of a module": [
        LEAF + "from torch import nn\nimport torch.utils.checkpoint as c\ntorch.manual_seed(0)\n"
        "block = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))\n"
        "y = c.checkpoint_sequential(block, 2, x, use_reentrant=False)", "y.sum().backward()\nprint(x.grad)",
        "print(block[0].weight.grad)",
    ],
    "a checkpoint": [
        LEAF + "torch.manual_seed(3)\ndef f(x):\n    return x.sin() * torch.rand(2)\n"
        "y = torch.utils.checkpoint.checkpoint(f, x, use_reentrant=True).sum()", "y.backward()\nprint(x.grad)",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_go_on_wherever_their_session_is_read(name: str) -> None:
    store = MemoryStore()
    hot, sid = directory_over(MemoryStore()), opened(directory_over(store))
    same = opened(hot)
    for code in PROGRAMS[name]:
        assert outcome(lambda: run_code(directory_over(store), sid, code)) == outcome(  # noqa: B023 - called at once
            lambda: run_code(hot, same, code)  # noqa: B023
        )


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except ProgramError as error:
        return str(error)
