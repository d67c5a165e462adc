"""Random programs end in what is documented, show nothing of what is inside, and what they found stays mended."""

from __future__ import annotations

import pytest

from tests.app.program.fuzz import ADDRESS, by_python, ended
from tests.app.program.program_writer import written

BATCH = 30


@pytest.mark.parametrize("batch", range(10))
def test_random_programs_end_as_documented(batch: int) -> None:
    found = []
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        text = written(f"1/{number}", portable=number % 2 == 0)
        result = ended(text)
        if result.kind in ("fault", "inner"):
            found.append(f"1/{number}: {result.kind}: {result.detail}")
    assert not found, "\n".join(found)


PRELUDE = """
import functools, itertools, dataclasses, collections, contextlib, copy
def t(f, *args):
    try:
        print(f(*args))
    except Exception as e:
        print(type(e).__name__, e)
class D(dict):
    def __missing__(self, key):
        return key
class L(list):
    pass
class E(KeyError):
    pass
class P:
    @property
    def __iter__(self):
        return 1
class N:
    def __neg__(self):
        return -self.x
def f():
    yield 1
"""
LIKE_PYTHON = {
    "a dict that makes what it lacks": "print(D()['x'], dict.__getitem__(D(), 3), D().get(3))\nt(lambda: L()['x'])",
    "classes and functions in messages": (
        "for one in (int, L, len, f, f(), L().append, functools.partial(f), property(f), functools.lru_cache(f)):\n"
        "    t(lambda: one - 1)\n    t(lambda: [1][one])\n    t(lambda: iter(one)) if one is not L else None\n"
        "    t(lambda: float(one))\n    t(lambda: 'x' in [].count(one))"
    ),
    "objects of classes in messages": (
        "for one in (L(), D(), E(1), N()):\n    t(lambda: sorted([1, one]))\n    t(format, one, '>3')\n"
        "    t(lambda: 'a' + one)\nprint(repr(E(1)), [E()])"
    ),
    "special methods that cannot be called": "t(list, P())\nt(lambda: [*P()])",
    "calls that do not fit": (
        "t(functools.partial)\nt(functools.partial, 1)\nt(contextlib.closing)\nt(lambda: int.bit_length())\n"
        "t(copy.deepcopy, {}, 'memo')\nt(collections.deque, 1.5)\nt(collections.deque, [1], 'a')\n"
        "t(contextlib.contextmanager(f)(), 1, 2)\nt(functools.reduce, True, [1, 2])"
    ),
    "deletions": "for one in ('a', (1,), 1.5, map, N()):\n    def g():\n        del one[0]\n    t(g)",
    "causes before what is raised": (
        "def g():\n    raise 1 from (1).x\nt(g)\ndef g():\n    raise 1 from None\nt(g)"
    ),
    "in-place operators": "def g(a, b):\n    a |= b\nt(g, 1.5, 2.5)\ndef g(a, b):\n    a ^= b\nt(g, 1.5, 2)",
    "unions": "t(lambda: int | 1)\nt(lambda: 'a' | int)\nprint(int | None, None | int, int | str | L is None)",
    "sequences in patterns": (
        "for one in (range(3), collections.deque([1, 2]), 'ab', {1}, L([1]), range(10**12)):\n    match one:\n"
        "        case [a, b, c]:\n            print(a, b, c)\n        case [a, b]:\n            print(a, b)\n"
        "        case [a]:\n            print(a)\n        case _:\n            print('none')"
    ),
    "frozen classes": (
        "def g():\n    @dataclasses.dataclass(frozen=True)\n    class A:\n        def __setattr__(self, n, v):\n"
        "            pass\nt(g)\ndef g():\n    @dataclasses.dataclass(frozen=True)\n    class A:\n        pass\n"
        "    @dataclasses.dataclass\n"
        "    class B(A):\n        pass\nt(g)\ndef g():\n    @dataclasses.dataclass(order=True)\n    class A:\n"
        "        def __lt__(self, other):\n            pass\nt(g)"
    ),
    "orders of a type below": "print(functools.total_ordering(L)([1]) < [2])\nt(functools.total_ordering, N)",
    "special methods that are no functions": (
        "class A:\n    __neg__ = __add__ = __eq__ = __iter__ = __contains__ = __len__ = __hash__ = None\n"
        "class B:\n    __neg__ = __add__ = __lt__ = __getitem__ = __call__ = __str__ = __iter__ = __hash__ = 5\n"
        "for a in (A(), B()):\n"
        "    for g in (lambda: -a, lambda: a + 1, lambda: a == 1, lambda: iter(a), lambda: 1 in a, lambda: len(a),\n"
        "              lambda: hash(a), lambda: a < 1, lambda: a[0], lambda: a(), lambda: str(a), lambda: [*a],\n"
        "              lambda: reversed(a), lambda: {a: 1}, lambda: sorted([a, a])):\n"
        "        t(g)"
    ),
    "spread arguments in messages": (
        "class C:\n    def m(self, *a, **k):\n        pass\n"
        "for g in (f, C().m, C.m, C, len, math.exp, functools.partial, 'a'.join, [].append, dict, 5):\n"
        "    t(lambda: g(*1)); t(lambda: g(**1)); t(lambda: g(1, *2)); t(lambda: g(a=1, **{'a': 2}))\n"
        "t(lambda: [].sort(**3)); t(lambda: {**1})\nclass K:\n    def keys(self):\n        return 5\n"
        "t(lambda: {**K()})"
    ),
    "calls that functions do not take": (
        "import operator\n"
        "for g in (hasattr, isinstance, operator.add, operator.iadd, operator.neg, operator.getitem, copy.copy,\n"
        "          copy.deepcopy, functools.reduce, functools.wraps, itertools.groupby, itertools.accumulate,\n"
        "          dataclasses.fields, contextlib.suppress, len, sum):\n"
        "    t(g); t(lambda: g(start=3))\n"
        "for g in (getattr, operator.pow, copy.copy, functools.cmp_to_key, itertools.accumulate):\n"
        "    t(g, 1, 2, 3, 4)"
    ),
    "iterators that cannot go on": (
        "t(lambda: [i for i in map(map(str, [1]), [1])])\nt(lambda: {i: 1 for i in map(5, [1])})"
    ),
    "enumerations by names": (
        "import enum\nC = enum.Enum('C', 'RED GREEN, BLUE')\nD = enum.IntEnum('D', ['A', 'B'], start=5)\n"
        "print(C, list(C), C(2), C['BLUE'].value, D.A + 1, list(D), enum.Enum('E', {'x': 'a'})('a'))\n"
        "print(list(enum.Enum('F', [('a', 1.5), ('b', 2)])))\n"
        "t(lambda: C(9)); t(C); t(enum.Enum, 1); t(lambda: C('X', 'a b')); t(C, 1, 2, 3, 4); t(lambda: C(z=1))"
    ),
    "hashes of what derives from a list": "t(lambda: {L()})\nt(hash, D())\nt(lambda: {L(): 1})",
    "sequences beside objects that have operators": (
        "class A:\n    def __radd__(self, o):\n        return 'radd', o\n    def __rmul__(self, o):\n"
        "        return 'rmul', o\nclass B:\n    def __rmul__(self, o):\n        return NotImplemented\n"
        "class I:\n    def __index__(self):\n        return 2\nclass T(int):\n    pass\n"
        "a = b = L([1])\na += [2]\na *= 2\nprint(a is b, type(b) is L, b)\n"
        "class S(set):\n    pass\nc = d = S([1])\nc |= {2}\nprint(c is d, sorted(d))\n"
        "e = g = D(x=1)\ne |= {'y': 2}\nprint(e is g, g['y'])\n"
        "def add(s, o):\n    s += o\n    return s\ndef multiply(s, o):\n    s *= o\n    return s\n"
        "for o in (A(), B(), I(), T(2)):\n    for s in ('a', [1], (1,), 3, L([1])):\n"
        "        t(lambda: s + o); t(lambda: s * o); t(lambda: o * s); t(add, s, o); t(multiply, s, o)"
    ),
    "what is no type": "t(super, 1, 2)",
}  # fmt: skip


@pytest.mark.parametrize("what", LIKE_PYTHON)
def test_programs_print_what_python_prints(what: str) -> None:
    text = PRELUDE.replace("copy\n", "copy, math\n", 1) + LIKE_PYTHON[what]
    printed = ADDRESS.sub("0x", "\n".join(ended(text).prints))
    assert printed == ADDRESS.sub("0x", "\n".join(by_python(text)))


@pytest.mark.parametrize("text", ["[*np.array(1.5)]", "a, *b = np.array(1.5)", "print(nn.Linear(1, 1)())",
                                  "list(iter(nn.Linear(1, 1), None))", "print(f'{torch.tensor(1j):!}')",
                                  "class M(nn.Linear):\n    pass\nM(1, 1).forward()"])  # fmt: skip
def test_what_cannot_be_called_so_is_refused(text: str) -> None:
    result = ended(f"import torch, torch.nn as nn, numpy as np\n{text}")
    assert result.kind == "refused", result


def test_a_fault_would_be_found() -> None:
    assert ended("print(1").kind == "outside"
    assert ended("print('<frame at 0x1>')").kind == "inner"
