# ruff: noqa: E501, ISC004 - an attempt is a line
"""What is known against sandboxes of Python, tried on programs: each attempt, and what it is answered."""

from __future__ import annotations

import gc
import sys
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from app.limits import Allowance, Limits, OverLimit
from app.program.from_code import parse_code
from app.program.interpret import run
from app.program.tree import GraphError, ProgramError
from engine import errors, modes

Answer = tuple[str, str]


def attempt(text: str) -> Answer:
    """What a program is answered: what it printed last, or the class of its refusal and the beginning of that."""
    limits = Limits(seconds=10, steps=10**6, loop_iterations=10**5, intermediate_bytes=2**28)
    names: dict[str, Any] = {}
    try:
        with modes.use(modes.State(warnings=[], budget=Allowance(limits))):
            outcome = run(parse_code(text, limits), names, limits=limits)
    except ProgramError as error:
        return error.exception, error.detail
    except GraphError as error:
        return error.exception or "refused", error.detail
    except (OverLimit, errors.BudgetError) as error:
        return "limit", error.limit
    for value in names.values():
        assert not isinstance(value, (type, ModuleType, FunctionType, CodeType, FrameType)), text
    return "printed", outcome.prints[-1] if outcome.prints else ""


CLASS = "class A:\n    def __init__(self):\n        self.x = 1\n    def f(self):\n        return self.x\n"
UNREADABLE = [
    "().__class__.__bases__[0].__subclasses__()", "''.__class__.__mro__[1]", "object.__subclasses__()",
    "type.__subclasses__(object)", "(lambda: 0).__globals__", "(lambda: 0).__code__", "(lambda: 0).__closure__",
    "(lambda: 0).__func__.__globals__", "print.__self__", "len.__module__.__dict__", "torch.__dict__", "torch.__loader__",
    "torch.nn.Module.__init__.__globals__", "torch.nn.Linear.__dict__", "torch.ones(1).__reduce_ex__(2)",
    "torch.ones(1).__array_interface__", "torch.sum.__wrapped__.__globals__", "__builtins__", "__import__('os')",
    "__loader__", "__spec__", "[].__class__.__base__", "{}.__init_subclass__.__self__", "x = (i for i in ())\nx.gi_frame.f_back",
    "x = (i for i in ())\nx.gi_code", "def f():\n    yield\nf().gi_frame.f_globals", "int.__class__.__call__(int, 1).__dir__()",
    "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__.tb_frame", "f = lambda: 0\nf.__defaults__",
    "class A:\n    pass\nA.__dict__", "class A:\n    pass\ndel A().__dict__", "class A:\n    __dict__ = 1", "A.__qualname__.__class__.__weakref__",
    "class A:\n    def __getattribute__(self, n):\n        return 1\nA().x.__base__", "super().__self_class__", "x = 1\nx.__self__",
    "match 1:\n    case object(__dict__=d):\n        print(d)", "getattr(1, '__class__').__bases__", "import os", "from os import path",
    "import sys", "import builtins", "import subprocess", "import importlib", "import ctypes", "import inspect", "import gc",
    "import types\ntypes.FunctionType", "import types\ntypes.CodeType", "import io\nio.FileIO", "import io\nio.open('/etc/passwd')", "import io\nio.BytesIO().__reduce__",
    "import re\nre._compiler", "import re\nre.compile('a').scanner", "import json\njson.codecs", "import json\njson.load",
    "import heapq\nheapq._heapify_max", "import unicodedata\nunicodedata.ucd_3_2_0", "import pickle", "import socket", "import threading", "import torch._C", "import numpy.ctypeslib",
    "from torch import _C", "from torch.nn import sys", "import torch.os", "from typing import sys", "from collections import _sys",
    "from functools import _make_key", "import math as m\nm.__spec__.loader", "import random\nrandom._os", "import random\nrandom._inst",
    "from enum import sys", "import dataclasses\ndataclasses.sys", "import dataclasses\ndataclasses._create_fn('f', [], ['1'])",
    "import typing\ntyping.get_type_hints.__globals__", "import numpy\nnumpy.load('/etc/passwd')", "import numpy\nnumpy.f2py",
    "import numpy\nnumpy.fromfile('/etc/passwd')", "import numpy\nnumpy.memmap('/etc/passwd')", "import numpy\nnumpy.os",
    "import numpy as np\nnp.ctypeslib", "import numpy as np\nnp.ones(1).ctypes", "import numpy as np\nnp.ones(1).base.__class__",
    "import numpy as np\nnp.ones(1).tofile('/tmp/x')", "import numpy as np\nnp.ones(1).dump('/tmp/x')", "open('/etc/passwd')",
    "import numpy as np\nnp.ones(1).data.obj", "torch.load('/etc/passwd')", "torch.ops.load_library('x')",
    "torch.jit.script(lambda: 0)", "torch.hub.load('a', 'b')", "torch.utils.cpp_extension.load('a', 'b')", "eval('1')",
    "exec('x = 1')", "compile('1', '', 'eval')", "globals()", "locals()", "vars()", "dir(1)", "breakpoint()", "input()",
    "memoryview(1)", "help(1)", "exit()", "quit()", "bytes(3)", "bytearray(3)",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE)
def test_nothing_of_pythons_inside_is_reached(text: str) -> None:
    kind, detail = attempt(text)
    assert kind in ("refused", "AttributeError", "ModuleNotFoundError", "ImportError", "NameError", "RuntimeError"), (
        detail
    )


def test_a_module_that_must_not_be_reached_does_not_exist() -> None:
    for name in ("os", "sys", "subprocess", "importlib", "pathlib", "pandas"):
        assert attempt(f"import {name}") == ("ModuleNotFoundError", f"No module named '{name}'")


BY_NAME = [
    "getattr((), '__class__').__name__ + str(getattr((), '__bases__', 0))", "hasattr(print, '__self__')",
    "hasattr(lambda: 0, '__globals__')", "hasattr(torch, '__dict__')", "hasattr(int, '__subclasses__')",
    "hasattr(torch.nn.Linear(1, 1), '__dict__')", "hasattr(torch.nn.Linear(1, 1), '_hooks')",
    "hasattr((i for i in ()), 'gi_frame')", "hasattr(ValueError(), '__traceback__')", "hasattr(type, '__subclasses__')",
]  # fmt: skip


def test_getattr_and_its_kin_see_what_an_attribute_sees() -> None:
    assert attempt(f"print({BY_NAME[0]})") == ("printed", "tuple0")
    for text in BY_NAME[1:]:
        assert attempt(f"print({text})") == ("printed", "False"), text
    assert attempt("setattr(1, '__class__', int)")[0] == "AttributeError"
    assert attempt(CLASS + "setattr(A(), '__class__', int)")[0] == "TypeError"
    assert attempt(CLASS + "setattr(A, '__bases__', (int,))")[0] == "AttributeError"
    assert attempt("setattr(lambda: 0, '__code__', 1)")[0] == "AttributeError"
    assert attempt("delattr(torch, 'sum')")[0] == "AttributeError"


FORMATS = [
    "'{0.__class__.__mro__}'.format(1)", "'{0.__globals__}'.format(lambda: 0)", "'{a.__init__.__globals__}'.format(a=print)",
    "'{0.f.__func__.__globals__}'.format(A())", "'{0[__class__]}'.format(1)", "'{0.__dict__}'.format(A())",
    "'{:{0.__class__.__base__}}'.format(1, 2)", "'{x.__class__.__base__}'.format_map({'x': 1})", "f'{().__class__.__base__}'",
    "'%(__class__)s' % A()", "format(A(), '{0.__class__}')", "'{0.__reduce__}'.format(A())", "'{.__base__}'.format(int)",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMATS)
def test_formats_see_no_more_than_programs(text: str) -> None:
    kind, _ = attempt(CLASS + text)
    assert kind in ("AttributeError", "TypeError", "refused", "ValueError")


def test_a_format_reads_what_an_attribute_reads() -> None:
    assert attempt(CLASS + "print('{0.x} {0.__class__.__name__} {1[0]} {1[-1]}'.format(A(), {'-1': 2, 0: 3}))") == (
        "printed",
        "1 A 3 2",
    )


CLASSES = [
    ("type('X', (), {'__annotations__': {'a': 'int'}})", "TypeError"), ("type('X', (object,), {})", "TypeError"),
    ("class M(type):\n    pass", "refused"), ("class A(metaclass=type):\n    pass", "printed"),
    ("class A(metaclass=lambda *a: 1):\n    pass", "refused"), ("class A(type(int)):\n    pass", "refused"),
    ("class A(bool):\n    pass", "TypeError"), ("class A(type(print)):\n    pass", "TypeError"),
    ("class A(type(lambda: 0)):\n    pass", "TypeError"), ("class A(torch.Tensor):\n    pass", "TypeError"),
    ("class A(type(torch)):\n    pass", "TypeError"), ("class A(type((i for i in ()))):\n    pass", "TypeError"),
    ("type(lambda: 0)(1, 2)", "TypeError"), ("type((i for i in ()))()", "TypeError"), ("type(torch)('x')", "TypeError"),
    ("type(type)('x', (), {})", "TypeError"), ("from abc import ABCMeta\nABCMeta('X', (), {'__annotations__': {}})", "TypeError"),
    ("from abc import ABCMeta\nclass M(ABCMeta):\n    pass", "TypeError"), ("class A(ValueError, KeyError):\n    pass", "TypeError"),
    ("class A:\n    def __init_subclass__(cls, **k):\n        print(cls.__subclasses__())\nclass B(A):\n    pass", "refused"),
    ("class A(int, str):\n    pass", "TypeError"), ("class A:\n    def __class_getitem__(cls, i):\n        return i\nprint(A[1])", "printed"),
    ("import dataclasses\nclass A:\n    __annotations__ = {'x=print(1)': 'int'}\ndataclasses.dataclass(A)", "refused"),
    ("import dataclasses\nclass A:\n    x: 'print(1)' = 1\nprint(dataclasses.dataclass(A)())", "printed"),
    ("import dataclasses\ndataclasses.make_dataclass('X', [('x', 'int', 1)])", "AttributeError"),
    ("from collections import namedtuple\nnamedtuple('X', ['a=print(1)'])", "ValueError"),
    ("from collections import namedtuple\nnamedtuple('X', ['__class__'])", "ValueError"),
    ("from collections import namedtuple\nnamedtuple('X); import os; (', ['a'])", "ValueError"),
    ("import functools\nclass A:\n    def __getattr__(self, n):\n        return {'__annotations__': 1}\n"
     "@functools.wraps(A())\ndef f():\n    pass\nprint(f())", "printed"),
    ("import functools\nclass A:\n    pass\nfunctools.update_wrapper(A, print)\nprint(A.__name__)", "printed"),
    ("import enum\nclass E(enum.Enum):\n    __bases__ = 1", "refused"), ("import enum\nenum.EnumMeta('X', (), {})", "AttributeError"),
    ("import typing\ntyping.NamedTuple('X', [('a', int)])", "TypeError"), ("object.__new__(int)", "TypeError"),
    ("object.__init__.__globals__", "refused"), ("int.__new__(bool)", "TypeError"), ("torch.nn.Module.__new__(int)", "TypeError"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), CLASSES)
def test_classes_are_never_made_of_a_programs_names(text: str, kind: str) -> None:
    got, detail = attempt(text)
    assert got == kind, detail


DESCRIPTORS = [
    (CLASS + "print(A.f.__get__(A(), A)())", "AttributeError"), (CLASS + "A.f.__code__ = 1", "refused"),
    ("class D:\n    def __get__(self, o, t):\n        return (o, t.__name__)\nclass A:\n    d = D()\na = A()\nprint(a.d[0] is a, a.d[1])",
     "True A"),
    ("class D:\n    def __set__(self, o, v):\n        o.seen = v\n    def __get__(self, o, t):\n        return 5\nclass A:\n    d = D()\n"
     "a = A()\na.d = 7\nprint(a.seen, a.d)", "7 5"),
    ("class D:\n    def __set_name__(self, c, n):\n        self.n = c.__name__ + n\nclass A:\n    d = D()\nprint(A.d.n)", "Ad"),
    ("p = property(lambda s: s)\nprint(p.fget(3))", "3"), ("print(property(print).__class__.__name__)", "property"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer"), DESCRIPTORS)
def test_descriptors_are_the_programs_own(text: str, answer: str) -> None:
    assert answer in attempt(text)


HUGE = [
    ("def f():\n    return f()\nf()", "RecursionError"), ("class A:\n    def __repr__(self):\n        return repr(self)\nrepr(A())", "RecursionError"),
    ("class A:\n    def __eq__(self, o):\n        return self == o\nA() == A()", "RecursionError"),
    ("class A:\n    def __getattr__(self, n):\n        return self.y\nA().x", "RecursionError"),
    ("class A:\n    def __len__(self):\n        return len(self)\nlen(A())", "RecursionError"),
    ("f = lambda x: sum(map(f, [x]))\nf(1)", "RecursionError"), ("f = lambda x: sorted([1, 2], key=f)\nf(1)", "RecursionError"),
    ("f = lambda x: max([1, 2], key=f)\nf(1)", "RecursionError"), ("class A:\n    def __hash__(self):\n        return hash(self)\n{A(): 1}", "RecursionError"),
    ("def g():\n    yield from g()\nlist(g())", "RecursionError"), ("class A:\n    def __add__(self, o):\n        return self + o\nA() + A()", "RecursionError"),
    ("class A:\n    def __iter__(self):\n        return iter(self)\nlist(A())", "RecursionError"),
    ("import functools\n@functools.lru_cache\ndef f(n):\n    return f(n + 1)\nf(1)", "RecursionError"),
    ("class A:\n    def __str__(self):\n        return f'{self}'\nprint(A())", "RecursionError"),
    ("class A:\n    def __format__(self, s):\n        return f'{self:{s}}'\nf'{A():5}'", "RecursionError"),
    ("class A:\n    def __call__(self):\n        return self()\nA()()", "RecursionError"),
    ("class M(torch.nn.Module):\n    def forward(self, x):\n        return self(x)\nM()(1)", "RecursionError"),
    ("x = torch.ones(1, requires_grad=True)\nf = torch.enable_grad()(lambda g: (x * 1).backward())\nx.register_hook(f)\n(x * 1).backward()", "RecursionError"),
    ("l = []\nfor i in range(5000):\n    l = [l]\nprint(l)", "limit"), ("l = ()\nfor i in range(5000):\n    l = (l,)\nhash(l)", "limit"),
    ("l = []\nl.append(l)\nl == l", "limit"), ("[0] * 10 ** 10", "limit"), ("'a' * 10 ** 10", "limit"), ("range(10 ** 18)[0:10 ** 17].index(5.5)", "limit"),
    ("class A:\n    def __index__(self):\n        return 10 ** 9\n[0] * A()", "limit"),
    ("class A:\n    def __index__(self):\n        return 10 ** 9\n'a'.ljust(A())", "TypeError"),
    ("class A:\n    def __len__(self):\n        return 10 ** 15\nlist(A())", "TypeError"),
    ("class A:\n    def __length_hint__(self):\n        return 10 ** 15\n    def __iter__(self):\n        return iter(())\nlist(A())", "printed"),
    ("class A:\n    def __index__(self):\n        return 10 ** 6\nimport math\nmath.factorial(A())", "TypeError"),
    ("def f():\n    try:\n        f()\n    finally:\n        f()\nf()", "limit"), ("def f():\n    try:\n        f()\n    except RecursionError:\n        f()\nf()", "limit"),
    ("while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass", "limit"),
    ("while True:\n    try:\n        [0] * 10 ** 10\n    except:\n        pass", "limit"),
    ("try:\n    [0] * 10 ** 10\nfinally:\n    print('seen')\n    while True:\n        pass", "limit"),
    ("class C:\n    def __enter__(self):\n        return 1\n    def __exit__(self, *a):\n        return True\nwhile True:\n    with C():\n        [0] * 10 ** 10", "limit"),
    ("def g():\n    try:\n        yield\n    finally:\n        while True:\n            pass\nx = g()\nnext(x)\nx = None\nprint('on')", "printed"),
    ("def g():\n    while True:\n        try:\n            yield\n        except GeneratorExit:\n            pass\nx = g()\nnext(x)\nx.close()", "RuntimeError"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), HUGE)
def test_nothing_is_huge_or_endless(text: str, kind: str) -> None:
    got, detail = attempt(text)
    assert got == kind, detail
    gc.collect()


def test_what_no_program_may_catch_runs_none_of_its_code() -> None:
    seen: list[str] = []
    for text in (
        "try:\n    [0] * 10 ** 10\nexcept BaseException:\n    print('caught')",
        "try:\n    [0] * 10 ** 10\nfinally:\n    print('finally')",
        "class C:\n    def __enter__(self):\n        return 1\n    def __exit__(self, *a):\n        print('exit')\nwith C():\n    [0] * 10 ** 10",
    ):
        limits = Limits()
        with modes.use(modes.State(warnings=[], budget=Allowance(limits))), pytest.raises(OverLimit):
            run(parse_code(text, limits), {"print": seen.append}, limits=limits)
    assert seen == []


def test_the_limit_of_python_itself_stays_above_programs() -> None:
    attempt("x = 1")
    assert sys.getrecursionlimit() >= 12_000
