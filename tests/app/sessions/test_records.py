"""A session as records: what is shared stays shared, and a change holds what changed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.errors import InvalidRequest, Unreadable
from app.limits import Limits, OverLimit
from app.program.tree import ProgramError
from app.sessions import renames, schema
from app.sessions.directory import Precondition
from app.stores.base import Block, Change
from app.stores.memory import MemoryStore
from app.stores.sqlite import SqliteStore
from app.wire.reply import Reply
from tests.app.session_cases import OWNER, directory_over, opened, picture_in, run_code
from tests.app.sessions.test_atomic import START, STATEMENTS
from tests.golden.freeze_session import Frozen, fields, grown, names
from tests.paths import ROOT

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
    "places of views without elements": (
        "a = torch.zeros(3, 2)\nb = a[3:].t()\nc = torch.zeros(0, 2).t()\nd = torch.zeros(1, 3).t().long()",
        "print(b.stride(), b.storage_offset(), c.stride(), c[1:].storage_offset(), d.stride())",
    ),
    "why a view is not writable": (
        LEAF + "y = x * 1\nwith torch.no_grad():\n    v = y.view(3, 1)\nw = y.unbind()[0]", "w.mul_(2)"
    ),
    "a view of the parts of numbers": (
        LEAF + "y = x * 1j\nv = torch.view_as_real(y[1:])\nw = v[0]",
        "y.mul_(2)\nprint(w.grad_fn.next_functions[0][0].name())\n(w * w).sum().backward()\nprint(x.grad)",
    ),
    "a conjugate": (
        LEAF + "y = x * (1 + 2j)\nv = y.conj()\nw = v.imag\nz = (v * v).sum() + w.sum()\nd = v.detach()",
        "z.backward(torch.tensor(1j))\nprint(x.grad, v, w, d, v._base is y)\nd[0] = 5j\nprint(y, v, w)",
    ),
    "a write through a conjugate": (
        LEAF + "y = x * (1 + 2j)\nv = y.conj().imag\nv.mul_(x)",
        "print(y, v.is_neg())\ny.mul_(2)\nprint(v)\n(v * v).sum().backward()\nprint(x.grad)",
    ),
    "second order": (
        LEAF + "y = (x ** 3).sum()\ng, = torch.autograd.grad(y, x, create_graph=True)",
        "g.sum().backward()\nprint(x.grad)",
    ),
    "grads with a graph": (
        LEAF + "y = (x ** 3).sum()\ny.backward(create_graph=True)", "x.grad.sum().backward()\nprint(x.grad)"
    ),
    "a grad that is shared": (LEAF + "(x * x).sum().backward()\ng = x.grad", "g.zero_()\nprint(x.grad)"),
    "retained grads": (
        LEAF + "y = x * 2\ny.retain_grad()\nz = (y * y).sum()", "z.backward()\nprint(y.grad, y.retains_grad)"
    ),
    "a saved leaf": (
        LEAF + "y = x.exp() * x\ns = y.grad_fn._saved_other", "(s * s).sum().backward()\nprint(x.grad, s.grad)"
    ),
    "another value for a leaf": (
        LEAF + "y = (x * x).sum()\nx.data = torch.ones(2)", "(x * x).sum().backward()\nprint(x.grad)\ny.backward()"
    ),
    "two names": ("a = torch.ones(2)\nb = a\nk = [a, 1]\nl = k", "k.append(2)\na.mul_(2)\nprint(b, l, b is a, l is k)"),
    "plain values": (
        "i = 2 ** 80\nt = (1.5, None, True, 'x')\nd = {'a': torch.ones(1), 1: 2j}\ns = d['a'].shape\nk = torch.int8",
        "print(i, t, d, s, k)",
    ),
    "arrays": (
        "x = torch.zeros(4)\na = x.numpy()\nb = a[1:3]\nc = a[0]\ne = torch.ones(2).numpy()",
        "x.add_(1)\nprint(a, b, c, e)",
    ),
    "named results": (LEAF + "m = torch.max(x.view(3, 1), 1)", "print(m, m.indices)\nm.values.sum().backward()"),
    "functions": (
        LEAF + "f = lambda a, b: a * b + x\ng = torch.sin\nh = x.mul\np = print\nn = torch.nn.functional\nk = [1]\n"
        "q = k.append\nr = len",
        "p(f(x, 2.0), g(x), h(2.0), n.relu(x), r(k))\nq(5)\nprint(k)",
    ),
    "an optimiser": (
        LEAF + "o = torch.optim.Adam([{'params': [x], 'lr': 0.1}], amsgrad=True)\n(x * x).sum().backward()\no.step()\n"
        "s = torch.optim.lr_scheduler.StepLR(o, 2)\ns.step()\nstep = o.step",
        "(x * x).sum().backward()\nstep()\ns.step()\nprint(x, o, s.last_epoch, x.grad)",
    ),
    "random numbers": (
        "g = torch.manual_seed(3)\na = torch.randn(3)\nh = torch.Generator().manual_seed(4)\nb = torch.randn(())",
        "print(torch.randn(2), torch.rand(2, generator=h), torch.randn(()), torch.rand(2, generator=g))",
    ),
    "settings": (
        "torch.set_default_dtype(torch.float64)\ntorch.set_printoptions(precision=2)\ntorch.set_grad_enabled(False)",
        "a = torch.tensor([1.5], requires_grad=True)\nprint(a * 2, torch.is_grad_enabled())",
    ),
    "large memory": (
        "a = torch.arange(10000.0)\nb = a.view(100, 100)\nb[3, 5] = -1\nc = a.data",
        "c[9999] = 7\nprint(a.sum(), b[3, 5])",
    ),
    "other dtypes": (
        "a = torch.ones(3, dtype=torch.bfloat16)\nb = torch.tensor([2j], requires_grad=True)\ny = (b * b.conj()).real",
        "y.backward()\nprint(a, b.grad, a > 0)",
    ),
    "functions with state": (
        (
            "def counter(step=1, *, seen=[]):\n    n = 0\n    def tick(k=2):\n        'Counts.'\n        nonlocal n\n"
            "        n += step * k\n"
            "        seen.append(n)\n        return n, seen\n    return tick\nt = counter()\nu = counter(5)\nt()\n"
            "u.note = t"
        ),
        "print(t(), u(3), t.__name__, t.__qualname__, t.__doc__, u.note is t, counter(1)())",
    ),
    "classes and objects": (
        (
            "class A:\n    'Doc.'\n    count = 0\n    def __init__(self, x):\n        self.x = x\n"
            "        A.count += 1\n"
            "    @property\n    def double(self):\n        return 2 * self.x\n    @double.setter\n"
            "    def double(self, v):\n        self.x = v / 2\n"
            "    @staticmethod\n    def s(a):\n        return a\n    @classmethod\n    def make(cls, x):\n"
            "        return cls(x)\n"
            "class B(A):\n    def __init__(self, x):\n        super().__init__(x)\n        self.me = self\n"
            "    def __add__(self, o):\n        return B(self.x + o.x)\na = A(torch.ones(2))\nb = B.make(3)\n"
            "m = b.__add__"
        ),
        (
            "b.double = 10\n"
            "print(a.double, b.x, b.me is b, (b + b).x, m(b).x, A.count, A.__doc__, A.s(4), isinstance(b, A))\n"
            "A.count = 10\nc = type(b)(1)\nprint(B.count, c.x)"
        ),
    ),
    "data classes, enumerations and named tuples": (
        (
            "from dataclasses import dataclass, field, replace\nfrom enum import Enum\n"
            "from collections import namedtuple\n"
            "@dataclass(order=True, frozen=True)\nclass P:\n    x: int\n"
            "    y: list = field(default_factory=list, compare=False)\n"
            "class C(Enum):\n    RED = 1\n    BLUE = 'b'\nN = namedtuple('N', 'a b', defaults=[2])\np = P(1)\n"
            "c = C.RED\nn = N(1)"
        ),
        "print(p, p < P(2), replace(p, x=5), c is C.RED, C('b'), list(C), N(3)._asdict())",
    ),
    "exceptions and sets": (
        (
            "class E(ValueError):\n    def __init__(self, x):\n        super().__init__('no', x)\n        self.x = x\n"
            "try:\n    raise E(3)\nexcept ValueError as caught:\n    e = caught\ntry:\n    [][1]\n"
            "except IndexError as caught:\n    f = caught\n"
            "s = {1, 2}\nz = frozenset(s)\nclass L(list):\n    def total(self):\n        return sum(self)\n"
            "l = L([1, 2])"
        ),
        "s.add(3)\nl.append(4)\nprint(repr(e), e.x, e.args, f, s, z, l.total(), type(e).__name__)\nraise e",
    ),
    "wrapped functions": (
        (
            "import functools\n@functools.lru_cache\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n"
            "def twice(g):\n    @functools.wraps(g)\n    def run(*args, **kwargs):\n"
            "        return 2 * g(*args, **kwargs)\n    return run\n"
            "@twice\ndef h(x, y=1):\n    return x + y\n@torch.no_grad()\ndef k(x):\n    return (x * 2).requires_grad\n"
            "p = functools.partial(h, y=4)\nimport math as mm\nfrom math import sqrt"
        ),
        "print(f(20), h(1), h.__name__, p(2), k(torch.ones(1, requires_grad=True)), mm.floor(2.5), sqrt(4))",
    ),
    "modules": (
        (
            "import torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 2)\n        self.bn = nn.BatchNorm1d(2)\n        self.k = 3\n"
            "    def forward(self, x):\n        return self.bn(self.fc(x)) * self.k\n"
            "torch.manual_seed(0)\nnet = Net()\n"
            "seq = nn.Sequential(net, nn.ReLU(), nn.CrossEntropyLoss(torch.ones(2)))\n"
            "seen = []\nh = net.fc.register_forward_hook(lambda m, a, o: seen.append(m is net.fc))\n"
            "opt = torch.optim.Adam(net.parameters(), lr=0.1)\n"
            "s = torch.optim.lr_scheduler.LambdaLR(opt, lambda e: 0.9**e)\n"
            "x = torch.randn(4, 2)\nnet(x).sum().backward()\nopt.step()\nsd = net.state_dict()"
        ),
        (
            "print(seq, net(x), net.k, seen, opt, list(sd), net.bn.running_mean)\ns.step()\nh.remove()\n"
            "net(x).pow(2).sum().backward()\nopt.step()\n"
            "print(net.fc.weight, len(seen), s.get_last_lr(), net.eval()(x))\n"
            "print(opt.state[torch.ones(1)], net.load_state_dict(sd), type(net).__name__, isinstance(net, nn.Module))"
        ),
    ),
    "data": (
        (
            "from torch.utils.data import DataLoader, TensorDataset, Dataset, random_split\n"
            "torch.manual_seed(1)\nclass D(Dataset):\n    def __len__(self):\n        return 5\n"
            "    def __getitem__(self, i):\n        return i * 2\n"
            "d = D()\nt = TensorDataset(torch.arange(6))\na, b = random_split(t, [4, 2])\n"
            "loader = DataLoader(t, 2, shuffle=True)\n"
            "mine = DataLoader(d, batch_size=2)"
        ),
        "print([x.tolist() for x, in loader], list(mine), len(d), a.indices, d[1])",
    ),
    "nothing": ("a = torch.zeros(0, 3)\nb = a.sum()\nc = torch.tensor(5.0)", "c.add_(1)\nprint(a, b, c)"),
    "a node": (LEAF + "y = x * 2\nn = y.grad_fn", "print(n.name(), n is y.grad_fn, n.next_functions[0][0].name())"),
    "joined and split": (
        LEAF + "parts = torch.cat([x, x * 2]).split(3)\ny = (parts[0] * parts[1]).sum()", "y.backward()\nprint(x.grad)"
    ),
    "a list that holds itself": ("k = [1]\nk.append(k)", "print(len(k[1][1]), k[1] is k)"),
    "memory order": ("a = torch.ones(2, 3).t().contiguous().t()\nb = a.t().clone()", "print(a.stride(), b.stride())"),
}  # fmt: skip


def outcome(run: Callable[[], object]) -> object:
    try:
        return run()
    except (ProgramError, InvalidRequest) as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("name", CASES)
def test_what_was_stored_goes_on_as_if_it_never_was(name: str) -> None:
    before, after = CASES[name]
    store, hot = MemoryStore(), directory_over(MemoryStore())
    sid, same = opened(directory_over(store)), opened(hot)
    for code in (before, ""):  # the empty run has nothing to write, and reads what was written
        run_code(directory_over(store), sid, code)
        run_code(hot, same, code)
    assert outcome(lambda: run_code(directory_over(store), sid, after)) == outcome(lambda: run_code(hot, same, after))


@settings(max_examples=300)
@given(runs=st.lists(st.lists(st.sampled_from(STATEMENTS), max_size=4), max_size=8), seed=st.integers(0, 2**20))
def test_changes_add_up_to_the_session(runs: list[list[str]], seed: int) -> None:
    """Three processes in turn: where the session is hot, where it catches up, and where it is read anew, it is one."""
    store = MemoryStore()
    one, other = directory_over(store), directory_over(store)
    sid = opened(one)
    run_code(one, sid, START)
    for number, statements in enumerate(runs):
        here, there = (one, other) if seed >> number & 1 else (other, one)
        outcome(lambda: run_code(here, sid, "\n".join(statements)))  # noqa: B023 - called at once
        expected = picture_in(here, sid)
        assert picture_in(directory_over(store), sid) == expected
        assert picture_in(there, sid) == expected


def test_a_change_holds_what_changed() -> None:
    store = MemoryStore()
    directory = directory_over(store)
    sid = opened(directory)
    run_code(directory, sid, "a = torch.zeros(3_000_000)\ns = torch.tensor(1.0)")
    first = store.head(sid)
    assert first is not None
    for code, most in (("s.add_(1)", 200), ("a[7] = 1.0", 17_000), ("k = 3", 100), ("b = a.view(-1)", 200)):
        since = store.head(sid)
        assert since is not None
        run_code(directory, sid, code)
        loaded = store.load(sid, since.version)
        assert loaded is not None
        assert sum(map(len, loaded.records)) + sum(len(block.data) for block in loaded.blocks) <= most, code


SPANS = st.tuples(st.integers(0, 160), st.integers(0, 160), st.integers(-3, 3), st.integers(-3, 3))


@settings(max_examples=25)
@given(size=st.sampled_from([5_000, 262_144, 655_361]), runs=st.lists(st.lists(SPANS, max_size=3), max_size=4))
def test_large_memory_is_what_was_written_wherever_that_was(size: int, runs: list[list[tuple[int, ...]]]) -> None:
    store = MemoryStore()
    directory, other = directory_over(store), directory_over(store)
    sid = opened(directory)
    run_code(directory, sid, f"a = torch.arange({size}.0)")
    for number, spans in enumerate(runs, 1):
        slices = [(first * 4096 + left, last * 4096 + right) for first, last, left, right in spans]
        writes = [f"a[{max(start, 0)}:{max(stop, 0)}] = {-number}.0" for start, stop in slices]
        run_code(directory, sid, "\n".join(writes))
        if number % 2:
            run_code(other, sid, "k = 1")  # it catches up with half of them
    expected = picture_in(directory, sid)
    for one in (other, directory_over(store)):
        assert picture_in(one, sid) == expected


def test_changes_gather_only_so_far() -> None:
    store = MemoryStore()
    directory = directory_over(store)
    sid = opened(directory)
    run_code(directory, sid, "x = torch.ones(3, requires_grad=True)")
    for _ in range(300):
        run_code(directory, sid, "y = (x * 2).sum()\ny.backward()")
    loaded = store.load(sid)
    assert loaded is not None
    assert len(loaded.records) < 150
    assert sum(map(len, loaded.records)) < 100_000
    assert run_code(directory_over(store), sid, "print(x.grad)") == ["tensor([600., 600., 600.])"]


def test_memory_that_nothing_reaches_goes() -> None:
    store = MemoryStore()
    directory = directory_over(store)
    sid = opened(directory)
    for number in range(40):
        run_code(directory, sid, f"a = torch.full((100_000,), {number}.0)")
    loaded = store.load(sid)
    assert loaded is not None
    assert sum(len(block.data) for block in loaded.blocks) < 5_000_000
    assert loaded.head.nbytes < 2_000_000


def test_what_a_run_replaces_does_not_count_against_the_limit() -> None:
    directory = directory_over(MemoryStore(), Limits(session_bytes=1_000_000))
    sid = opened(directory)
    for _ in range(3):
        run_code(directory, sid, "a = torch.zeros(200_000)")


@pytest.mark.parametrize(
    "code",
    [
        "l = [[0.5] * 900_000 for i in range(3)]",
        "l = ['a' * 900_000] * 90_000",
        "l = [(0,) * 999] * 900_000",
        "t = (0,)\nfor i in range(60):\n    t = (t, t)",
        "t = ((1.5,) * 900_000,)",
    ],
)
def test_values_that_are_too_much_are_refused_before_they_are_written(code: str) -> None:
    """Some of them would be a record of terabytes."""
    directory = directory_over(MemoryStore(), Limits(session_bytes=1_000_000))
    sid = opened(directory)
    with pytest.raises(OverLimit, match="session_bytes"):
        run_code(directory, sid, code)
    run_code(directory, sid, "a = [0.5] * 1000")


def test_a_long_chain_is_stored_without_recursion() -> None:
    store = MemoryStore()
    sid = opened(directory_over(store))
    run_code(directory_over(store), sid, LEAF + "y = x\nfor _ in range(20000):\n    y = y * 1.0")
    assert run_code(directory_over(store), sid, "y.sum().backward()\nprint(x.grad)") == ["tensor([1., 1., 1.])"]


@pytest.mark.parametrize("raw", [b"", b"\xc1", msgspec.msgpack.encode([99, True]), msgspec.msgpack.encode({"a": 1})])
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(schema.SchemaError):
        schema.decode(raw)


WALK = """
import sys
from pathlib import Path
from app.sessions.directory import Directory
from app.limits import Limits
from app.stores.sqlite import SqliteStore
from app.wire.reply import Reply

store = SqliteStore(Path(sys.argv[1]))
store.open()
live = Directory(store, Limits())._current(sys.argv[2], sys.argv[3])
node, seen = live.names["y"].grad_fn, []
while node is not None:
    seen.append(node.name())
    node = node.next_functions[0][0] if node.next_functions else None
live.names["y"].backward()
print(seen, live.names["x"].grad.tolist())
"""


def test_another_process_walks_a_live_graph(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.open()
    directory = directory_over(store)
    sid = opened(directory)
    run_code(directory, sid, LEAF + "y = (x * x).exp().sum()")
    command = [sys.executable, "-c", WALK, str(tmp_path), OWNER, sid]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True, timeout=60)
    x = np.array([1.0, 2.0, 3.0], np.float32)
    names = ["SumBackward0", "ExpBackward0", "MulBackward0", "torch::autograd::AccumulateGrad"]
    assert done.stdout.decode().strip() == f"{names} {(2 * x * np.exp(x**2)).tolist()}"
    store.close()


GOLDEN = ROOT / "tests" / "golden"
FROZEN = sorted(GOLDEN.glob("session_*.msgpack"))


def stored(frozen: Frozen) -> tuple[MemoryStore, str]:
    """A store with a session of other records."""
    store = MemoryStore()
    sid = opened(directory_over(store))
    blocks = [Block(*block) for block in frozen.blocks]
    first, *later = frozen.records
    head = store.head(sid)
    assert head is not None
    store.commit(replace(head, version=1), 0, Change(first, True, blocks), None)
    for version, record in enumerate(later, 2):
        store.commit(replace(head, version=version), version - 1, Change(record, False), None)
    return store, sid


@pytest.mark.parametrize("file", FROZEN, ids=[file.stem for file in FROZEN])
def test_sessions_of_every_released_schema_and_of_a_later_version_are_read(file: Path) -> None:
    frozen = msgspec.msgpack.decode(file.read_bytes(), type=Frozen)
    store, sid = stored(frozen)
    assert run_code(directory_over(store), sid, frozen.program) == frozen.prints


def test_a_process_catches_up_with_a_later_version_that_runs_beside_it() -> None:
    store = MemoryStore()
    here, sid = directory_over(store), opened(directory_over(store))
    run_code(here, sid, LEAF + "y = (x * x).sum()")
    run_code(directory_over(store), sid, "y.backward()\nk = [x]\nz = x.exp()")
    session = store._sessions[sid]
    session.records[2] = grown(session.records[2])
    assert run_code(here, sid, "print(x.grad, k[0] is x)\nz.sum().backward()") == ["tensor([2., 4., 6.]) True"]
    assert here.events["catch_ups"] == 1
    for directory in (here, directory_over(store)):
        assert len(run_code(directory, sid, "print(x.grad)")) == 1


def test_the_version_before_finds_every_field_where_it_was() -> None:
    known = json.loads((GOLDEN / "stored_fields.json").read_text())
    now = fields()
    assert {name: listed[: len(known[name])] for name, listed in now.items()} == known
    assert now == known, "write what was added with tests.golden.freeze_session"
    assert schema.SCHEMA <= schema.READS


def test_every_name_that_may_be_stored_is_known_by_itself_or_by_another() -> None:
    known, now = json.loads((GOLDEN / "stored_names.json").read_text()), names()
    for stored_name, parameters in known.items():
        name = renames.op_name(stored_name)
        assert name in now, f"{stored_name} is in records: app.sessions.renames has to say what it is called now"
        lost = set(renames.parameters(name, dict.fromkeys(parameters))) - set(now[name])
        assert not lost, f"parameters of {name} that are in records, but not in app.sessions.renames"
    assert set(now) <= {renames.op_name(name) for name in known}, "add new names with tests.golden.freeze_session"


def test_names_of_old_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    sid = opened(directory_over(store))
    run_code(directory_over(store), sid, LEAF + "y = (x * x).sum(0)\nn = torch.view_as_real(x * 1j)\nv = n[0]")
    session = store._sessions[sid]
    for version, raw in session.records.items():
        for now, old in ((b"mul", b"mal"), (b"\xa3dim", b"\xa3dom"), (b"view_as_real", b"shown_as_real")):
            text = bytes([0xA0 + len(now)]) + now if now[0] < 0x80 else now
            other = bytes([0xA0 + len(old)]) + old if old[0] < 0x80 else old
            raw = raw.replace(text, other)
        session.records[version] = raw
    monkeypatch.setitem(renames.OPS, "mal", "mul")
    monkeypatch.setitem(renames.OPS, "shown_as_real", "view_as_real")
    monkeypatch.setitem(renames.PARAMETERS, "sum_dim", {"dom": "dim"})
    program = "y.backward()\nprint(x.grad)\nn._base.mul_(2)\nprint(v.grad_fn.next_functions[0][0].name())"
    assert run_code(directory_over(store), sid, program) == ["tensor([2., 4., 6.])", "ViewAsRealBackward0"]


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize(("damage", "words"), [
    (lambda raw: msgspec.msgpack.encode([schema.READS + 1, *msgspec.msgpack.decode(raw)[1:]]), "a later version"),
    (lambda raw: raw[:-3], "damaged"),
    (lambda raw: raw.replace(b"float32", b"float31"), "damaged"),
])  # fmt: skip
def test_what_cannot_be_read_is_said_to_be_so(is_live: bool, damage: Callable[[bytes], bytes], words: str) -> None:
    store = MemoryStore()
    directory, other = directory_over(store), directory_over(store)
    sid = opened(directory)
    run_code(other, sid, LEAF)
    run_code(directory if is_live else other, sid, "y = x * 2")
    run_code(other, sid, "z = x.exp()")
    session = store._sessions[sid]
    session.records[3] = damage(session.records[3])
    for _ in range(2):
        with pytest.raises(Unreadable, match=words):
            run_code(directory, sid, "print(x)")
    directory.remove(OWNER, sid, Precondition(), Reply(204))
    assert store.head(sid) is None


def test_views_of_parts_of_schema_1_find_their_history() -> None:
    store = MemoryStore()
    sid = opened(directory_over(store))
    run_code(
        directory_over(store), sid, "y = torch.ones(4, 2, requires_grad=True) * 1\nz = torch.view_as_complex(y[1:])"
    )
    run_code(directory_over(store), sid, "a = z * 1j\nr = a.real")
    loaded = store.load(sid)
    assert loaded is not None
    old = MemoryStore()
    second = opened(directory_over(old))
    head = old.head(second)
    assert head is not None
    for version, raw in enumerate(loaded.records, 1):
        record = schema.decode(raw)
        record.schema = 1
        for tensor in record.tensors:
            tensor.steps = None
        old.commit(replace(head, version=version), version - 1, Change(schema.encode(record), False, []), None)
    program = (
        "y.mul_(2)\na.mul_(2)\nprint(z.detach(), r.detach())\n"
        "print(z.grad_fn.next_functions[0][0].name(), r.grad_fn.next_functions[0][0].name())"
    )
    assert run_code(directory_over(old), second, program) == [
        "tensor([2.+2.j, 2.+2.j, 2.+2.j]) tensor([-2., -2., -2.])",
        "ViewAsComplexBackward0 ViewAsRealBackward0",
    ]


def test_there_is_a_frozen_session_of_the_present_schema() -> None:
    numbers = range(1, schema.SCHEMA + 1)
    assert [file.stem for file in FROZEN] == ["session_later", *[f"session_schema{number}" for number in numbers]]


def test_sessions_leave_memory_when_they_are_too_many_bytes() -> None:
    store = MemoryStore()
    directory = directory_over(store, cache_bytes=1_500_000)
    sids = [opened(directory) for _ in range(3)]
    for sid in sids:
        run_code(directory, sid, "x = torch.ones(250_000, requires_grad=True)")
        assert directory.cache.nbytes <= 1_500_000
    assert len(directory.cache) < 3
    for sid in sids:
        assert run_code(directory, sid, "x.sum().backward()\nprint(x.grad.sum())") == ["tensor(250000.)"]


def test_an_owner_is_held_to_its_bytes() -> None:
    directory = directory_over(MemoryStore(), Limits(owner_bytes=1_500_000))
    first, second = opened(directory), opened(directory)
    run_code(directory, first, "x = torch.zeros(250_000)")
    with pytest.raises(OverLimit, match="owner_bytes"):
        run_code(directory, second, "x = torch.zeros(250_000)")
    run_code(directory, first, "del x")
    run_code(directory, first, "")  # now it is seen that the tensor is gone
    run_code(directory, second, "x = torch.zeros(250_000)")
