"""Programs in Python: to leave the language, to outgrow it, or to cost more than they say."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import LATE, MALFORMED, OK, OVER, REFUSED, STOPPED, Family, Weight

FAMILY: Final = Family("language", kills=True)
slow: Final = {"weight": Weight.SLOW}
heavy: Final = {"weight": Weight.HEAVY}
code = FAMILY.code

# -- out of it ------------------------------------------------------------------------------------------------------
for name, text in {
    "import of os": "import os\nos.system('true')",
    "import of a builtin module by torch": "import torch.os",
    "__import__": "__import__('os').system('true')",
    "eval": "eval('1')",
    "exec": "exec('x = 1')",
    "open": "open('/etc/passwd').read()",
    "compile": "compile('1', 'f', 'eval')",
    "globals": "globals()",
    "the bases of a class": "x = (1).__class__.__base__",
    "all subclasses": "x = ().__class__.__bases__[0].__subclasses__()",
    "the globals of a lambda": "x = (lambda: 0).__globals__",
    "getattr with a made-up name": "x = getattr(torch, '__' + 'builtins' + '__')",
    "an attribute in a format field": "x = '{0.__class__.__mro__}'.format(1)",
    "an index in a format field": "x = '{0[__class__]}'.format(torch)",
    "an attribute in an f-string": "x = f'{torch.__dict__}'",
    "a name in other letters": "x = \uff45\uff56\uff41\uff4c('1')",
    "a name that folds to dunder": "x = (1).\uff3f\uff3fclass\uff3f\uff3f",
    "the frame of a generator": "g = (i for i in [1])\nx = g.gi_frame.f_globals",
    "the code of a function": "def f():\n    pass\nx = f.__code__",
    "a metaclass": "class M(type):\n    pass\nclass A(metaclass=M):\n    pass",
    "a class that hooks attributes": "class A:\n    def __getattribute__(self, n):\n        return self.a\nx = A().b",
    "torch.load": "x = torch.load('/etc/passwd')",
    "torch.save": "torch.save(torch.ones(1), '/tmp/x')",
    "torch.hub": "x = torch.hub.load('a/b', 'c')",
    "torch.ops": "x = torch.ops.aten.add",
    "torch.utils.cpp_extension": "x = torch.utils.cpp_extension.load('a', ['b'])",
    "torch.jit": "x = torch.jit.script(lambda t: t)",
    "tensor.__reduce_ex__": "x = torch.ones(1).__reduce_ex__(2)",
    "tensor.numpy's base": "x = torch.ones(2).numpy().base.__class__",
    "numpy's file readers": "x = torch.ones(2).numpy().tofile('/tmp/x')",
    "numpy's ctypes": "x = torch.ones(2).numpy().ctypes.data",
    "a data pointer that is written to": "x = torch.ones(2).data_ptr()\nx.write(1)",
    "an async function": "async def f():\n    pass\nawait f()",
    "a type alias": "type X = int",
    "a builtin deleted": "del print",
    "exit": "exit()",
    "raise SystemExit": "raise SystemExit(1)",
    "input": "x = input()",
    "breakpoint": "breakpoint()",
    "id of an object, called": "x = id(torch)()",
    "vars of a module": "x = vars(torch)",
    "the module behind a function": "x = torch.sum.__module__.__class__",
    "sys by torch": "x = torch.sys.modules",
    "a warning's registry": "x = torch.warnings.sys",
}.items():
    code(name, text, REFUSED)

# -- texts that are hard to read ------------------------------------------------------------------------------------
for name, text in {
    "90 nested lambdas": "f = " + "lambda x: (" * 90 + "x" + ")" * 90,
    "a thousand nested lambdas": "f = " + "lambda: " * 1000 + "1",
    "lambdas beside lambdas, each nested": "\n".join("f = " + "lambda x: (" * 60 + "x" + ")" * 60 for _ in range(100)),
    "3,000 times .T": "x = torch.ones(2, 2)\ny = x" + ".T" * 3000,
    "tuples nested 5,000 deep": "x = " + "(" * 5000 + "1," + ")" * 5000,
    "lists nested 5,000 deep": "x = " + "[" * 5000 + "]" * 5000,
    "90,000 open brackets": "x = " + "(" * 90_000,
    "90,000 minus signs": "x = " + "-" * 90_000 + "1",
    "20,000 nots": "x = " + "not " * 20_000 + "1",
    "a sum of 45,000 ones": "x = " + "+".join(["1"] * 45_000),
    "a chain of 20,000 comparisons": "x = " + "<".join(["1"] * 20_000),
    "a power of powers": "x = " + "**".join(["2"] * 5000),
    "subscripts in subscripts": "x = [0]\ny = " + "x[" * 3000 + "0" + "]" * 3000,
    "calls in calls": "x = " + "abs(" * 3000 + "1" + ")" * 3000,
    "conditions in conditions": "x = " + "1 if 1 else " * 15_000 + "1",
    "a call of calls": "f = abs" + "()" * 10_000,
    "blocks in blocks": "\n".join(" " * depth + "if 1:" for depth in range(99)) + "\n" + " " * 99 + "x = 1",
    "dictionaries in dictionaries": "x = " + "{1:" * 3000 + "1" + "}" * 3000,
    "f-strings in f-strings": "x = " + "f'{" * 4 + "1" + "}'" * 4,
    "a format spec in a format spec": "x = f'{1:{1:{1:{1}}}}'",
    "with in with": "\n".join(" " * depth + "with torch.no_grad():" for depth in range(99)) + "\n" + " " * 99 + "x = 1",
    "starred targets": "(" + "*a, " * 5000 + ") = [1]",
    "targets in targets": "(" * 3000 + "x," + ",)" * 3000 + " = 1",
    "20,000 targets": "x = " * 20_000 + "1",
    "a keyword given 5,000 times": "x = torch.ones(" + "size=1," * 5000 + ")",
    "255 keywords": "x = torch.ones(1, " + ",".join(f"k{i}=1" for i in range(255)) + ")",
    "a digit 90,000 times": "x = " + "9" * 90_000,
    "an imaginary number of 90,000 digits": "x = " + "9" * 90_000 + "j",
    "unclosed quotes": "x = '" + "a" * 90_000,
    "a NUL in the text": "x = 1\0y = 2",
    "half a surrogate pair, unescaped": "x = '\ud800'",
    "an escape that names a character": "x = '\\N{NO SUCH CHARACTER}'",
    "form feeds and tabs": "if 1:\n\tx = 1\n        y = 2",
    "a coding cookie": "# -*- coding: utf-7 -*-\nx = +AGEAYg-",
    "a program that is too long": "x = 1\n" * 20_000,
    "a line of 99,000 commas": "x = (" + "1," * 49_000 + ")",
    "30,000 statements": "x=1;" * 24_000,
}.items():
    code(name, text, REFUSED | STOPPED | OK | (MALFORMED if "surrogate" in name else frozenset()))
code("an expression of 90,000 brackets on the loop", "x = torch.ones(1)\n" + "(" * 90_000, REFUSED | OVER)

# -- numbers and texts that grow ------------------------------------------------------------------------------------
for name, text in {
    "a wide field with a name": "x = '%(a)1000000000d' % {'a': 1}",
    "a wide field": "x = '%1000000000d' % 1",
    "a wide field by a star": "x = '%*d' % (1000000000, 1)",
    "a precise field": "x = '%.1000000000f' % 1.0",
    "a wide field of format": "x = '{:1000000000}'.format(1)",
    "a precise field of format": "x = '{:.1000000000f}'.format(1.0)",
    "a wide field of an f-string": "x = f'{1:1000000000}'",
    "a computed width": "w = 10**9\nx = f'{1:{w}}'",
    "a thousand fields of a thousand": "x = '%999d' * 1000 % ((1,) * 1000)",
    "format of a tensor with a width": "x = f'{torch.ones(1):1000000000}'",
    "ljust": "x = 'a'.ljust(10**9)",
    "center": "x = 'a'.center(10**9)",
    "zfill": "x = 'a'.zfill(10**9)",
    "expandtabs": "x = ('\\t' * 10**5).expandtabs(10**5)",
    "repetition of a text": "x = 'a' * 10**10",
    "repetition of a list": "x = [0] * 10**10",
    "repetition by a huge number": "x = 'ab' * (1 << 70)",
    "a text that doubles": "x = 'a'\nfor i in range(60):\n    x = x + x",
    "a list that doubles": "x = [0]\nfor i in range(60):\n    x = x + x",
    "a list that extends itself": "x = [0]\nfor i in range(60):\n    x.extend(x)",
    "a list that adds itself in place": "x = [0]\nfor i in range(60):\n    x += x",
    "replace that doubles": "x = 'a'\nfor i in range(60):\n    x = x.replace('a', 'aa')",
    "join that squares": "x = 'a' * 10**5\ny = x.join([x] * 10**5)",
    "a power of 10**9 digits": "x = 10 ** 10 ** 9",
    "a shift by 10**12": "x = 1 << 10**12",
    "pow with a huge exponent": "x = pow(3, 10**9)",
    "a factorial by hand": "x = 1\nfor i in range(1, 90000):\n    x = x * i",
    "squares of squares": "x = 3\nfor i in range(60):\n    x = x * x",
    "a fraction of huge numbers": "x = 10**15000 // 7\nfor i in range(90000):\n    x = 10**15000 // (x + 1)",
    "text of a huge number": "x = str(10**15000)",
    "a number of a long text": "x = int('9' * 900000)",
    "a number of a long text in base 32": "x = int('v' * 900000, 32)",
    "round to a billion digits": "x = round(1, -10**9)",
    "sum of lists": "x = sum([[0] * 1000] * 1000, [])",
    "sum of tuples": "x = sum([(0,) * 1000] * 1000, ())",
    "split of many": "x = ('a ' * 500000).split()\ny = [x.copy() for i in range(1000)]",
    "a dictionary of many": "d = {}\nfor i in range(99000):\n    d[i] = 'a' * 10000 + str(i)",
    "a list of long texts": "l = []\nfor i in range(9000):\n    l.append('a' * 900000 + str(i))",
    "list of a range": "x = list(range(10**18))",
    "max of a range": "x = max(range(10**18))",
    "sum of a range": "x = sum(range(10**18))",
    "a missing value in a range": "x = 0.5 in range(10**18)",
    "sorted range": "x = sorted(range(10**18))",
    "reversed range": "x = list(reversed(range(10**18)))",
    "enumerate of a range": "x = list(enumerate(range(10**18)))",
    "zip of ranges": "x = list(zip(range(10**18), range(10**18)))",
    "a range of huge numbers": "x = len(range(10**100))",
    "a tensor of a range": "x = torch.tensor(range(10**12))",
    "star of a range": "x = max(*range(10**12))",
    "unpacking of a range": "a, *b = range(10**12)",
    "any of a range": "x = any(range(0, -10**18, -1))",
    "a comprehension over a range": "x = [i for i in range(10**12)]",
    "comprehensions in comprehensions": (
        "x = [[[i * j * k for i in range(1000)] for j in range(1000)] for k in range(1000)]"
    ),
    "a loop of 10**12": "for i in range(10**12):\n    x = i",
    "loops in loops": (
        "for i in range(10000):\n    for j in range(10000):\n        for k in range(10000):\n            x = 1"
    ),
    "a generator without end": "def g():\n    while True:\n        yield 1\nx = sum(g())",
    "a loop without end": "while True:\n    pass",
    "a loop that catches its end": (
        "while True:\n    try:\n        x = torch.zeros(10**12)\n    except Exception:\n        pass"
    ),
    "a loop that catches everything": "while True:\n    try:\n        x = 1\n    except BaseException:\n        pass",
    "finally in a loop": (
        "def f():\n    while True:\n        try:\n            return 1\n        finally:\n            continue\nf()"
    ),
    "recursion": "def f():\n    return f()\nf()",
    "mutual recursion": "def f():\n    return g()\ndef g():\n    return f()\nf()",
    "recursion by a lambda": "f = lambda g: g(g)\nf(f)",
    "recursion by a property": "class A:\n    @property\n    def a(self):\n        return self.a\nA().a",
    "recursion by __repr__": "class A:\n    def __repr__(self):\n        return repr(self)\nrepr(A())",
    "recursion by __eq__": "class A:\n    def __eq__(self, o):\n        return self == o\nA() == A()",
    "two calls in each call": "def f(n):\n    return f(n - 1) + f(n - 1) if n else 1\nf(60)",
    "two calls in each lambda": "f = lambda g, n: g(g, n - 1) + g(g, n - 1) if n else 1\nf(f, 60)",
    "a list of itself, printed": "l = []\nl.append(l)\nprint(l)",
    "a list of itself, compared": "l = []\nl.append(l)\nm = []\nm.append(m)\nx = l == m",
    "a dictionary of itself": "d = {}\nd['d'] = d\nprint(str(d))",
    "a list shared 60 times over": "l = [0]\nfor i in range(60):\n    l = [l, l]\nprint(l)",
    "shared lists, compared": "a = [0]\nb = [0]\nfor i in range(60):\n    a = [a, a]\n    b = [b, b]\nx = a == b",
    "shared tuples as a key": "t = (0,)\nfor i in range(60):\n    t = (t, t)\nd = {t: 1}",
    "shared tuples in a tensor": "t = [0.0]\nfor i in range(60):\n    t = [t, t]\nx = torch.tensor(t)",
    "shared tuples as sizes": "t = (1,)\nfor i in range(60):\n    t = (t, t)\nx = torch.zeros(t)",
    "a search in long lists": "l = [0] * 900000\nfor i in range(90000):\n    x = 1 in l",
    "count in long texts": "s = 'a' * 900000\nfor i in range(90000):\n    x = s.count('b')",
    "find of a bad pattern": (
        "s = 'a' * 900000\nx = s.find('a' * 400000 + 'b')\nfor i in range(9000):\n    x = s.find('a' * 400000 + 'b')"
    ),
    "inserting at the front": "l = []\nfor i in range(99000):\n    l.insert(0, i)",
    "slices of a long list, kept": "l = [0] * 900000\nk = []\nfor i in range(9000):\n    k.append(l[1:])",
    "copies of a long dictionary": (
        "d = {}\nfor i in range(50000):\n    d[i] = i\nk = []\nfor i in range(5000):\n    k.append(d.copy())"
    ),
    "keys that collide": "d = {}\nfor i in range(90000):\n    d[i * (2**61 - 1)] = i",
    "a flood of prints": "for i in range(90000):\n    print(i)",
    "long prints": "for i in range(9000):\n    print('a' * 900000)",
    "prints of a large tensor in full": "torch.set_printoptions(threshold=10**9)\nprint(torch.zeros(10000000))",
    "prints with many digits": "torch.set_printoptions(precision=1000000000)\nprint(torch.rand(3))",
    "prints in long lines": "torch.set_printoptions(linewidth=10**12, edgeitems=10**9)\nprint(torch.zeros(1000, 1000))",
    "warnings without end": "for i in range(90000):\n    x = torch.ones(2, requires_grad=True) * 1\n    x.grad",
}.items():
    code(name, text, REFUSED | STOPPED | OK, weight=Weight.SLOW)

# -- lately built, and thinly covered ----------------------------------------------------------------------------
FUNCTIONAL: Final = "import torch.nn.functional as F\nt = torch.ones(1, 1, 2, 2)\n"
NUMPY: Final = "import numpy as np\n"
SHARED: Final = "t = (ValueError,)\nfor i in range(60):\n    t = (t, t)\n"
for name, text in {
    "a scale that is infinite": FUNCTIONAL + "F.interpolate(t, scale_factor=float('inf'))",
    "a scale that is no number": FUNCTIONAL + "F.interpolate(t, scale_factor=float('nan'), mode='area')",
    "a scale that no float holds": FUNCTIONAL + "F.interpolate(t, scale_factor=10**400, mode='bilinear')",
    "extents whose product no float holds": FUNCTIONAL + "F.interpolate(t, size=10**400)",
    "a ratio that is no number": FUNCTIONAL + "F.fractional_max_pool2d(t, 2, output_ratio=(0.5, float('nan')))",
    "a rate that is infinite": "torch.poisson(torch.full((10,), float('inf')))",
    "a layer of 10**24 weights": "torch.nn.Linear(10**12, 10**12)",
    "a layer of 10**60 weights": "torch.nn.Linear(10**30, 10**30)",
    "an array that broadcasting makes": NUMPY + "np.broadcast_to(np.ones(1), (10**6, 10**6)).copy()",
    "an order of 3,000 matrices": NUMPY + "np.linalg.multi_dot([np.ones((3, 3))] * 3000)",
    "90 groups at 900,000 places": "import re\nre.findall('()' * 90, 'a' * 900000)",
}.items():
    code(name, text, REFUSED | OVER | LATE)
for name, text in {
    "an order of 5,000 matrices": "torch.linalg.multi_dot([torch.ones(3, 3)] * 5000)",
    "2,000 bases of a class": (
        "".join(f"class A{i}: pass\n" for i in range(2000)) + f"class B({','.join(f'A{i}' for i in range(2000))}): pass"
    ),
    "a lattice of classes": (
        "class A: pass\nclass B: pass\nfor i in range(500):\n    class C(A, B): pass\n    class D(A, B): pass\n"
        "    A, B = C, D"
    ),
    "a type among 2**60": SHARED + "isinstance(1, t)",
    "an exception among 2**60": SHARED + "try:\n    {}[1]\nexcept t:\n    pass",
    "copies of a set": "s = set(range(900000))\nl = [s | {i} for i in range(1000)]",
    "copies of a dictionary": (
        "import copy\nd = dict.fromkeys(range(900000))\nl = [copy.copy(d) for i in range(1000)]"
    ),
    "a module that is its own, 2**60 times": (
        "m = torch.nn.Linear(1, 1)\nfor i in range(60):\n    m = torch.nn.Sequential(m, m)\nm(torch.ones(1))"
    ),
    "layers without end": "torch.nn.LSTM(1, 1, num_layers=10**12)",
    "data without end": (
        "from torch.utils.data import DataLoader, IterableDataset\nclass D(IterableDataset):\n    def __iter__(self):\n"
        "        while True:\n            yield 1\nnext(iter(DataLoader(D(), batch_size=10**12)))"
    ),
    "a search for a minimum without end": (
        "x = torch.nn.Parameter(torch.ones(9))\no = torch.optim.LBFGS([x], max_iter=10**9, max_eval=10**9, "
        "tolerance_grad=0, tolerance_change=-1)\ndef c():\n    l = torch.rand(9) @ x\n    l.backward()\n    return l\n"
        "o.step(c)"
    ),
    "hooks that add hooks": (
        "x = torch.ones(1, requires_grad=True)\ndef h(g):\n    x.register_hook(h)\nx.register_hook(h)\n"
        "for i in range(60):\n    (x * 2).backward()"
    ),
    "a function whose backward calls itself": (
        "class A(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x * 2\n"
        "    @staticmethod\n    def backward(ctx, g):\n        with torch.enable_grad():\n"
        "            A.apply(torch.ones(1, requires_grad=True)).backward()\n        return g\n"
        "A.apply(torch.ones(1, requires_grad=True)).backward()"
    ),
}.items():
    code(name, text, REFUSED | STOPPED, **slow)
