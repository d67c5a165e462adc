"""What modules keep, and values that they give, in sessions: nothing in memory between two statements."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from app.program.modules import kept
from app.program.tree import ProgramError
from app.sessions import schema
from app.sessions.value_kinds import Malformed
from app.sessions.vetting import vet
from app.stores.memory import MemoryStore
from tests.app.session_cases import KINDS, LIMITS, directory_over, fresh, opened, run_warned, statements_of

PROGRAMS = {
    "random": "import random\nrandom.seed(3)\nprint(random.random())\nrandom.gauss(0, 1)\nprint(random.gauss(0, 1))\n"
    "x = [1, 2, 3]\nrandom.shuffle(x)\nprint(x, random.choice(x))",
    "a generator of one's own": "import random\nr = random.Random(1)\ns = r\nr.random()\n"
    "print(s.random(), r.randint(1, 9))",
    "numpy.random": "import numpy as np\nnp.random.seed(3)\nprint(np.random.randn())\nprint(np.random.randn(3))\n"
    "np.random.shuffle(a := np.arange(5))\nprint(a, np.random.rand())",
    "generators of numpy's": "import numpy as np\ng = np.random.default_rng(1)\nh = g\nr = np.random.RandomState(2)\n"
    "print(g.normal(), r.randn())\nprint(h.integers(9, size=3), r.randn(2))",
    "printing": "import numpy as np\nnp.set_printoptions(precision=2, suppress=True)\nprint(np.array([1.2345, 1e-9]))",
    "errors": "import numpy as np\nnp.seterr(divide='raise')\ntry:\n    np.ones(1) / 0\n"
    "except FloatingPointError as e:\n    print(e)",
    "warnings": "import warnings\nwarnings.filterwarnings('ignore', 'never')\nwarnings.warn('never mind')\n"
    "warnings.warn('but this')",
    "time": "import time\nt = time.time()\nprint(time.time() - t)\nprint(time.perf_counter_ns())",
    "collections": "from collections import ChainMap, Counter, OrderedDict, defaultdict, deque\nc = Counter('abca')\n"
    "d = defaultdict(list)\nd['a'].append(1)\nq = deque([1], maxlen=2)\no = OrderedDict(b=1, a=2)\no.move_to_end('b')\n"
    "m = ChainMap({'a': 1}, {'b': 2})\nprint(c.most_common(1), d, q, o, m)\nc.update('cc')\nd['b'].append(2)\n"
    "q.append(3)\n"
    "q.append(4)\nm['z'] = 5\nprint(c, d, q, o, m)",
    "arrays": "import numpy as np\na = np.arange(6.0)\nb = a[2:]\nc = [a]\na[3] = 9\na *= 2\nb[0] = -1\n"
    "print(a, b, c)\n"
    "c[0].sort()\nprint(a, b)\ns = np.array(['x', 'yy'])\nu = np.zeros(2, np.uint16)\ndt = u.dtype\nprint(s, u, dt)",
    "arrays of tensors": "import torch\nimport numpy as np\nt = torch.zeros(3)\nn = t.numpy()\nn[0] = 5\n"
    "print(t)\nt.add_(1)\nprint(n)\n"
    "a = np.zeros(2)\nw = torch.from_numpy(a)\na += 1\nprint(w)\nw.mul_(3)\nprint(a)",
    "lazy modules": "import torch\nfrom torch import nn\nm = nn.LazyLinear(3)\nprint(m, m.weight)\n"
    "n = nn.Sequential(nn.LazyConv2d(2, 3), nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(1))\n"
    "print(m(torch.ones(2, 4)).shape, m, m.weight.is_leaf)\nn(torch.ones(2, 1, 4, 4)).sum().backward()\n"
    "print(n, n[0].weight.grad.shape)\nw = nn.UninitializedParameter(requires_grad=False)\nprint(w, w.requires_grad)",
    "a large array": "import numpy as np\na = np.zeros(100000)\na[5] = 1\na[99999] = 2\nprint(a.sum(), a[5])",
}  # fmt: skip


def told(statements: list[str]) -> tuple[list[str], list[str]]:
    """Prints and warnings of statements, each of which finds the session in the store."""
    store = MemoryStore()
    sid = opened(directory_over(store))
    prints: list[str] = []
    warned: list[str] = []
    for statement in statements:
        printed, warnings = run_warned(directory_over(store), sid, statement)
        prints += printed
        warned += warnings
    return prints, warned


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_goes_on_where_its_session_was_stored(name: str) -> None:
    code = PROGRAMS[name]
    assert told(statements_of(code)) == told([code])


@pytest.mark.parametrize("ask", ["np.set_printoptions(precision=2)", "quieten()"])
def test_what_a_program_sets_holds_in_its_session_and_nowhere_else(ask: str) -> None:
    """Whether or not a text says that NumPy is meant: other owners' programs run in the same process."""
    directory, before = directory_over(MemoryStore()), np.get_printoptions()
    sid = opened(directory)
    run_warned(directory, sid, "import numpy as np\ndef quieten():\n    np.set_printoptions(precision=2)")
    run_warned(directory, sid, ask)
    assert np.get_printoptions() == before
    assert run_warned(directory, sid, "print(np.array([1.2345]))")[0] == ["[1.23]"]


def test_what_a_failing_run_drew_is_there_again() -> None:
    directory = directory_over(MemoryStore())
    sid = opened(directory)
    run_warned(directory, sid, "import random\nimport numpy as np\nimport time\nrandom.seed(1)\nnp.random.seed(1)")
    with pytest.raises(ProgramError):
        run_warned(directory, sid, "random.random()\nnp.random.rand()\ntime.time()\nnp.seterr(all='raise')\n1 / 0")
    prints, _ = run_warned(
        directory, sid, "print(random.random(), np.random.rand(), time.time(), np.geterr()['divide'])"
    )
    assert prints == ["0.13436424411240122 0.417022004702574 1700000000.001 warn"]


SPOILED: list[Any] = [
    {"random": [b"", 0, None]}, {"random": [b"\x00" * 2496, 0, None]}, {"random": [b"\x01" * 2496, 700, None]},
    {"random": [b"\x01" * 2496, 0, "x"]}, {"numpy.random": ["PCG64", "0x1", "0x2", 0, 0]}, {"numpy.random": ["SFC64"]},
    {"numpy.random": ["MT19937", b"\x01" * 2496, 0, 2, 0.0]}, {"time": -1}, {"time": "1"}, {"strange": 1},
    {"numpy.printing": [["formatter", 1]]}, {"numpy.printing": [["precision", 10**9]]},
    {"numpy.errors": [["divide", "call"]]}, {"warnings": [["ignore", "object", ""]]},
    {"warnings": [["ignore", "UserWarning", "(a+)+$"]]}, {"random": 3}, {"warnings": [["drop", "UserWarning", ""]]},
]  # fmt: skip


@pytest.mark.parametrize("modules", SPOILED, ids=str)
def test_a_document_that_claims_what_no_module_keeps_is_refused(modules: Any) -> None:
    with pytest.raises(kept.Unusable):
        kept.load(modules)
    record = schema.decode(fresh().export())
    assert record.settings is not None
    spoiled = msgspec.structs.replace(record.settings, modules=modules)
    with pytest.raises(Malformed):
        vet(msgspec.structs.replace(record, settings=spoiled), LIMITS, KINDS)
