"""Modules as programs use them: what is printed is what Python prints of the same text."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pytest

from app.evaluate.run import fresh
from app.limits import Limits, OverLimit, over_budget
from app.program import interpret
from app.program.from_code import parse_code
from app.program.tree import AbsentError, GraphError, ProgramError
from engine import errors, modes
from tests.app.program.modules.using import SMALL

PROGRAMS = {
    "counters": """
from collections import Counter
c = Counter('abracadabra', z=2)
print(c, c.most_common(2), c['x'], c.total(), list(c.elements())[:3], sorted(c), isinstance(c, dict), type(c).__name__)
c.update('aa'); c.subtract({'a': 1})
print(c['a'], c + Counter(a=1), c - Counter(a=9), c & Counter(b=1), c | Counter(q=3), +c)
d = c.copy(); d['a'] = 0
print(c['a'], d['a'], Counter([1, 1, 2]) == {1: 2, 2: 1}, dict(Counter('a')), len(c), 'b' in c)
del c['z']
print(c.get('z'), c.pop('b'), [k for k in c], Counter(a=1) == Counter({'a': 1}))
""",
    "ordered and default dicts": """
from collections import OrderedDict, defaultdict, ChainMap
o = OrderedDict([('a', 1), ('b', 2)]); o.move_to_end('a')
print(o, list(o.items()), o.popitem(last=False), list(reversed(o)))
print(OrderedDict(a=1) == OrderedDict(a=1), OrderedDict.fromkeys('ab', 0), list(o.keys()), list(o.values()), {**o})
d = defaultdict(lambda: [0]); d['x'].append(1); d.update(y=[2])
print(dict(d), 'q' in d, d.default_factory is None, len(d))
n = defaultdict(int)
for ch in 'hello': n[ch] += 1
print(n, sorted(n.items()), n.get('zz'), defaultdict(list, {'a': [1]})['a'])
m = ChainMap({'a': 1}, {'a': 2, 'b': 3}); m['c'] = 4
print(m['b'], m['c'], len(m), m.maps[0], m.new_child({'z': 0})['z'], dict(m))
try: ChainMap()['q']
except KeyError as e: print(repr(e))
""",
    "deques": """
from collections import deque
q = deque([1, 2, 3], maxlen=3); q.append(4); q.appendleft(0); print(q, q.maxlen, q[0], q[-1], len(q), 2 in q)
q.rotate(1); print(q, q.pop(), q.popleft(), list(q), q.count(2), q + deque([9]), q * 2, deque('ab') == deque('ab'))
q.extend([7, 8]); q.extendleft([5]); q.insert(1, 6) if len(q) < 3 else q.reverse(); print(q); q[0] = 'x'; del q[1]
print(q, bool(q))
try: deque().pop()
except IndexError as e: print(e)
print(deque(x * 2 for x in range(3)), sum(deque([1, 2])), sorted(deque([3, 1])), [*deque('ab')], deque([1]).copy())
""",
    "copies": """
import copy
a = [1, [2, 3], {'k': (4, [5])}, {6}]; b = copy.deepcopy(a); c = copy.copy(a)
a[1].append(9); a[2]['k'][1].append(8); print(b, c)
s = [1]; s.append(s); t = copy.deepcopy(s); print(t[1] is t, t is s, copy.deepcopy((1, 2)), copy.copy(3))
x = [1]; y = copy.deepcopy([x, x]); print(y[0] is y[1])
class A:
    def __init__(self): self.items = [1]; self.me = self
    def __copy__(self): return 'shallow'
class B(A):
    def __deepcopy__(self, memo): return 'deep'
p = copy.deepcopy(A()); print(p.me is p, copy.copy(A()), copy.deepcopy(B()), copy.deepcopy([B()]))
print(copy.deepcopy(len) is len, copy.deepcopy(A) is A, copy.copy(range(3)), copy.deepcopy({1: {2: [3]}}))
""",
    "operators": """
import operator
from operator import itemgetter, attrgetter, methodcaller
print(operator.add(1, 2), operator.mul('a', 3), operator.truediv(1, 4), operator.neg(3), operator.not_([]),
    operator.contains([1], 1))
print(itemgetter(1)([4, 5]), itemgetter('a', 'b')({'a': 1, 'b': 2}), attrgetter('real')(3),
    methodcaller('split', ',')('a,b'))
print(sorted([(2, 'a'), (1, 'b')], key=itemgetter(0)), operator.lt(1, 2), operator.xor(5, 1),
    operator.indexOf([1, 2], 2))
l = [1]; m = operator.iadd(l, [2])
print(l is m, l, operator.countOf([1, 1], 1), operator.concat([1], [2]), operator.index(3))
operator.setitem(l, 0, 9); operator.delitem(l, 1)
print(l, operator.getitem(l, 0), operator.is_(l, m), operator.pow(2, 5))
class P:
    def __init__(self, x): self.x = x
print(attrgetter('x.real')(P(3)), itemgetter(slice(1, None))('abc'))
try: attrgetter('y')(P(1))
except AttributeError as e: print(e)
""",
    "texts": """
import string
print(string.ascii_lowercase, string.digits, string.punctuation, string.hexdigits,
    string.whitespace == ' \\t\\n\\r\\x0b\\x0c')
t = string.Template('$who likes ${what}, $$5')
print(t.substitute(who='tim', what=[1]), t.safe_substitute(who=1), t.template)
try: t.substitute({})
except KeyError as e: print(repr(e))
try: string.Template('$').substitute()
except ValueError as e: print(e)
print(string.capwords('hello  big world'), string.capwords('a-b', '-'))
""",
    "statistics": """
import statistics as st
from statistics import mean, median, stdev
d = [2.5, 3.25, 5.5, 11.0, 1.5]
print(mean(d), median(d), stdev(d), st.pstdev(d), st.variance(d), st.pvariance(d), st.fmean(d),
    st.harmonic_mean([1, 2]))
print(st.mode('aabb'), st.multimode('aabb'), st.quantiles(d, n=4), st.median_low([1, 2]), st.median_high([1, 2]),
    mean([1, 2]))
print(st.geometric_mean([1, 4]), st.correlation([1, 2, 3], [1, 2, 4]), mean(x for x in (1, 2, 6)),
    st.covariance([1, 2], [3, 5]))
for f in (mean, median, st.mode):
    try: f([])
    except st.StatisticsError as e: print(type(e).__name__, e)
""",
    "random": """
import random
random.seed(42)
print(random.random(), random.randint(1, 6), random.choice('abc'), random.sample(range(100), 3), random.uniform(1, 2))
x = list(range(8)); random.shuffle(x); print(x, random.gauss(0, 1), random.choices([1, 2, 3], weights=[1, 1, 8], k=5))
r = random.Random(7); print(r.random(), [r.randrange(10) for _ in range(3)])
""",
    "itertools": """
import itertools as it
from itertools import chain, product, groupby
print(list(chain([1], (2, 3), 'a')), list(product('ab', repeat=2)), list(it.islice(it.count(1, 3), 4)),
    list(it.accumulate([1, 2, 3])))
print([(k, list(g)) for k, g in groupby('aabbc')], list(it.zip_longest([1], [2, 3], fillvalue=0)),
    list(it.pairwise('abc')))
print(list(it.combinations(range(4), 2))[:3], list(it.permutations('ab')), list(it.starmap(pow, [(2, 3)])),
    list(it.repeat(1, 2)))
print(list(it.takewhile(lambda v: v < 3, it.count())), list(it.dropwhile(lambda v: v < 3, range(5))),
    list(it.compress('abc', [1, 0, 1])))
a, b = it.tee(iter([1, 2])); print(list(a), list(b), list(chain.from_iterable(['ab', 'c'])), it.count(3), it.repeat(2))
c = it.cycle('xy'); print([next(c) for _ in range(3)], list(zip(it.count(), 'ab')), list(it.filterfalse(None, [0, 1])))
def gen():
    yield from it.islice(it.cycle([1, 2]), 5)
print(sum(gen()), max(it.chain([1], gen())), list(it.accumulate(gen(), lambda p, q: p * q)))
""",
    "math": """
import math, cmath
from math import sqrt, pi
print(sqrt(2), pi, math.floor(-1.5), math.ceil(1.2), math.gcd(12, 18), math.comb(5, 2), math.factorial(6),
    math.hypot(3, 4))
print(math.isclose(0.1 + 0.2, 0.3), math.prod([1, 2, 3]), math.log(8, 2), math.atan2(1, 1), math.inf, -math.inf,
    math.nan, math.e)
print(cmath.exp(1j * cmath.pi), cmath.polar(1 + 1j), math.fsum([.1] * 10), math.modf(2.5), math.frexp(8),
    math.trunc(-2.7))
for f in (lambda: math.sqrt(-1), lambda: math.log(0), lambda: math.factorial(-1), lambda: math.exp(1000),
    lambda: math.sqrt('a')):
    try: f()
    except Exception as e: print(type(e).__name__, e)
""",
    "numpy": """
import numpy as np
from numpy import linalg as la
a = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
print(a, a.shape, a.dtype, a.ndim, a.size, a.T, a.sum(), a.mean(axis=0), a.max(axis=1, keepdims=True), a[0], a[:, 1],
    a[a > 2])
a[0, 1] = 9; a[:, 2] *= 2; a += 1
print(a, repr(a), a.reshape(3, -1), a.astype(int), a.tolist(), a.flatten(), a @ a.T, -a)
b = np.linspace(0, 1, 5)
print(b, np.arange(0, 1, .3), np.zeros((2, 2)), np.ones(2, dtype=int), np.eye(2), np.full((2,), 7.))
print(np.where(b > .5, b, 0), np.concatenate([b, b[:1]]), np.stack([b, b]).shape, np.argmax(b), np.sort([3, 1, 2]),
    np.unique([1, 1, 2]))
print(la.norm([3, 4]), la.inv(np.array([[2., 0], [0, 4]])), np.dot([1, 2], [3, 4]), np.einsum('i,i', b, b),
    np.allclose(b, b + 1e-9))
for row in a: print(row, end=';')
for i, v in enumerate(b): print(i, v, type(v).__name__)
print(f'{b[1]:.3f} {a[0, 0]}', np.round(np.pi, 2), np.float32(1) / 3, np.int64(7) // 2, 5 % np.int32(3), float(b[1]),
    int(a[0, 0]))
x, y = np.meshgrid([1, 2], [3, 4])
print(x, y, np.outer([1, 2], [1, 2]), np.cumsum([1, 2]), np.diff([1, 4]), np.clip([1, 5], 2, 3))
np.random.seed(0); print(np.random.rand(2), np.random.randint(0, 9, 3), np.random.default_rng(1).standard_normal(2))
print(np.isnan(np.nan), np.nan_to_num(np.array([np.nan])), np.array(['a', 'bb']), np.array([True, False]).any(),
    np.array([1 + 2j]).imag)
for f in (lambda: np.zeros(2) + np.zeros(3), lambda: b[9], lambda: np.array([[1], [1, 2]]),
    lambda: la.inv(np.zeros((2, 2))),
          lambda: a.reshape(4,
              4), lambda: bool(a > 1), lambda: np.concatenate([a, b]), lambda: b['x'], lambda: a.foo, lambda: np.foo):
    try: f()
    except Exception as e: print(type(e).__name__, e)
c = b.copy(); c[0] = 5; d = b[1:3]; d[:] = 0
print(b, c, d.base is None if False else d, b.argsort(), np.vstack([b, b])[:, 0])
print(np.sin(b).sum().round(4), np.maximum(b, .3), np.percentile(b, 50), np.var(b), (b == 0).sum(), np.median(b),
    b.std().item())
print(len(a), list(map(float, b[:2])), sum(b), max(b), sorted(np.array([2, 1])), 2 in np.array([1, 2]),
    isinstance(b, np.ndarray), [*b[:2]])
print(np.dtype('float32'), b.dtype == np.float64, b.dtype == 'float64', np.float64, np.finfo(np.float32).eps,
    np.iinfo(np.int8).max)
f = np.vectorize(lambda p, q: p + q)
print(f([1, 2], 3), np.apply_along_axis(sum, 0, a), np.fromiter((k for k in range(3)), int))
with np.printoptions(precision=2): print(b / 3)
np.set_printoptions(precision=3, suppress=True); print(np.array([1e-8, 1 / 3]))
print(np.array2string(b, separator=', '))
""",
    "warnings": """
import warnings
import numpy as np
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter('always')
    warnings.warn('one'); warnings.warn('two', DeprecationWarning); np.log(np.zeros(1)); np.mean([])
    print(len(w), [str(m.message) for m in w], [m.category.__name__ for m in w])
with warnings.catch_warnings():
    warnings.simplefilter('error')
    try: warnings.warn('three', RuntimeWarning)
    except RuntimeWarning as e: print('raised', e)
class Mine(UserWarning): pass
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter('always'); warnings.filterwarnings('ignore', category=Mine)
    warnings.filterwarnings('ignore', message='no.*')
    warnings.warn('four', Mine); warnings.warn('nothing'); warnings.warn(Mine('five')); warnings.warn('six')
    print([str(m.message) for m in w])
try: warnings.warn('x', int)
except TypeError as e: print(e)
with np.errstate(divide='ignore'): print(np.ones(1) / 0)
with np.errstate(all='raise'):
    try: np.ones(1) / 0
    except FloatingPointError as e: print(e)
""",
}  # fmt: skip


def printed(text: str, limits: Limits | None = None) -> list[str]:
    limits = limits or Limits()
    with fresh(limits, None):
        return interpret.run(parse_code(text, limits), {}, limits=limits).prints


def pythons(text: str) -> str:
    found = io.StringIO()
    with contextlib.redirect_stdout(found), warnings.catch_warnings(), np.printoptions():
        warnings.simplefilter("ignore")
        exec(compile(text, "program", "exec"), {"__name__": "__main__"})
    return found.getvalue()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_python_prints(name: str) -> None:
    text = "import numpy\nwith numpy.printoptions():\n" + "".join(
        f"    {line}\n" for line in PROGRAMS[name].splitlines()
    )
    ends = "".join(f"{one}\n" for one in printed(PROGRAMS[name]))
    assert ends.replace(";\n", ";") == pythons(text)


def told(text: str) -> list[str]:
    with fresh(Limits(), None) as state:
        interpret.run(parse_code(text, Limits()), {}, limits=Limits())
        return list(state.warnings or ())


def test_warnings_of_all_go_through_the_filters_of_the_program() -> None:
    assert told("import warnings\nwarnings.warn('a')\nwarnings.warn('a')\nimport numpy as np\nnp.ones(1) / 0") == [
        "a", "a", "divide by zero encountered in divide",
    ]  # fmt: skip
    assert told("import warnings\nwarnings.filterwarnings('ignore')\ntorch.ones(2, 3).T.data\nwarnings.warn('a')") == []
    ones = "torch.nn.functional.mse_loss(torch.ones(2), torch.ones(1))"
    assert len(told(ones)) == 1
    assert told(f"import warnings\nwarnings.simplefilter('ignore')\n{ones}") == []
    assert (
        told(f"import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    {ones}") == []
    )


def test_the_clock_is_the_same_in_every_run() -> None:
    text = "import time\na = time.time()\ntime.sleep(2)\nb = time.perf_counter()\nprint(a, time.monotonic_ns())"
    assert printed(text) == printed(text) == ["1700000000.001 2003000000"]


MISSING = {
    "os": "No module named 'os'", "matplotlib.pyplot": "No module named 'matplotlib'", "d2l": "No module named 'd2l'",
    "numpy.ctypeslib": "No module named 'numpy.ctypeslib'", "subprocess": "No module named 'subprocess'",
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_another_module_does_not_exist(name: str) -> None:
    with pytest.raises(ProgramError) as caught:
        printed(f"import {name}")
    assert (caught.value.exception, str(caught.value)) == ("ModuleNotFoundError", MISSING[name])
    assert isinstance(caught.value, AbsentError)
    assert caught.value.hint is not None
    assert "itertools, math, numpy, operator, random, statistics, string, time, torch, typing" in caught.value.hint


def test_what_a_program_raises_of_modules_itself_is_its_own() -> None:
    with pytest.raises(ProgramError) as caught:
        printed("raise ModuleNotFoundError('mine')")
    assert not isinstance(caught.value, AbsentError)
    assert caught.value.hint is None


def test_all_of_a_module_comes_over_what_was_there() -> None:
    assert printed("pi = 3\nfrom math import *\nprint(pi > 3)") == ["True"]


HOSTILE = {
    "list(itertools.count())": "list_items", "set(itertools.count())": "list_items",
    "sum(itertools.count())": "steps", "dict.fromkeys(itertools.count())": "list_items",
    "10**9 in itertools.cycle([1])": "steps", "max(itertools.repeat(1))": "list_items",
    "sorted(itertools.count())": "list_items", "deque(itertools.count(), maxlen=0)": "list_items",
    "''.join(itertools.repeat('a'))": "list_items", "[*itertools.count()]": "list_items",
    "a, *b = itertools.count()": "list_items", "print(*itertools.count())": "list_items",
    "for _ in itertools.count(): pass": "loop_iterations", "any(itertools.repeat(0))": "steps",
    "list(map(abs, itertools.count()))": "list_items", "next(filter(None, itertools.repeat(0)))": "steps",
    "list(zip(itertools.count()))": "list_items", "Counter(itertools.count())": "list_items",
    "sum(x for x in itertools.count())": "steps", "[x for x in itertools.count()]": "loop_iterations",
    "deque([0]) * 10**9": "list_items",
    "Counter(a=10**18).elements().__class__; list(Counter(a=10**18).elements())": "list_items",
    "q = deque()\nwhile True: q.append(q)": "loop_iterations", "Counter('a' * 10**7)": "list_items",
    "statistics.mean(range(10**9))": "list_items",
    "statistics.quantiles([1, 2], n=10**9)": "list_items",
    "string.Template('$a' * 999).substitute(a='b' * 9999)": "list_items",
    "random.sample(range(10**9), 10**8)": "list_items", "math.factorial(10**7)": "integer_bits",
    "operator.mul('a', 10**9)": "list_items", "operator.pow(2, 10**9)": "integer_bits",
    "operator.countOf(itertools.repeat(1), 1)": "steps", "reduce(max, itertools.count())": "steps",
    "itemgetter(*range(10**9))": "list_items", "methodcaller('zfill', 10**9)('a')": "list_items",
    "np.zeros(10**10)": "tensor_elements", "np.array([0] * 10**7)": "list_items", "[0] * np.int64(10**9)": "list_items",
    "a = np.ones(1000)\nwhile True: a = np.concatenate([a, a])": "intermediate_bytes",
    "s = ''\nfor w in itertools.repeat('ab'): s += w": "loop_iterations",
    "str(np.broadcast_to(0.5, (10**4, 10**4)).tolist())": "intermediate_bytes",
}  # fmt: skip
IMPORTS = (
    "import copy, itertools, math, operator, random, statistics, string\nimport numpy as np\n"
    "from collections import *\nfrom functools import reduce\nfrom operator import itemgetter, methodcaller\n"
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_not_end_or_takes_too_much_is_refused(text: str) -> None:
    with pytest.raises((OverLimit, errors.BudgetError)) as caught:
        printed(IMPORTS + text, SMALL)
    error: Any = caught.value
    found = over_budget(error) if isinstance(error, errors.BudgetError) else error
    assert found.limit in (HOSTILE[text], "steps", "intermediate_bytes", "list_items")


ESCAPES = {
    "operator.attrgetter('__class__.__mro__')(1)": "AttributeError",
    "operator.attrgetter('__globals__')(math.sqrt)": "AttributeError",
    "operator.attrgetter('function')(math.sqrt)": "AttributeError",
    "operator.methodcaller('__reduce__')([])": "AttributeError",
    "operator.methodcaller('__subclasses__')(object)": "AttributeError",
    "string.Template('$a').source": "AttributeError", "string.Template('${a.__class__}').substitute(a=1)": "ValueError",
    "random.Random(1).source": "AttributeError", "random.Random(1).__reduce__()": "AttributeError",
    "np.zeros(1).__array_interface__": "AttributeError", "np.zeros(1).ctypes": "AttributeError",
    "np.zeros(1).dtype.type.__subclasses__()": "AttributeError", "np.sin.reduce": "AttributeError",
    "np.core": "AttributeError", "np.lib": "AttributeError", "np.__builtins__": "AttributeError",
    "np.random._rand": "AttributeError", "np.random.mtrand": "AttributeError",
    "itertools.count().__reduce__()": "AttributeError",
    "collections_abc": "NameError", "copy.copyreg": "AttributeError", "warnings.sys": "AttributeError",
    "statistics.Fraction": "AttributeError", "math.__loader__": "AttributeError",
    "itertools.chain([1])._iterator": "AttributeError",
    "np.vectorize(len).function": "AttributeError",
    "np.errstate(call=print)": "TypeError", "np.seterrcall(print)": "AttributeError",
    "np.array([1]).astype(object)": "TypeError", "np.array([print])": "TypeError", "np.dtype(object)": "TypeError",
    "np.sum([1], dtype='O')": "TypeError", "np.random.default_rng(1).bit_generator": "AttributeError",
    "copy.deepcopy(torch.ones(1, requires_grad=True).exp().grad_fn)": "TypeError",
    "np.set_printoptions(formatter={'all': print})": "TypeError",
}  # fmt: skip


@pytest.mark.parametrize("text", ESCAPES)
def test_what_is_behind_a_value_is_not_reached(text: str) -> None:
    with pytest.raises((ProgramError, GraphError)) as caught:
        printed(IMPORTS + "import warnings\n" + text, SMALL)
    if isinstance(caught.value, ProgramError):
        assert caught.value.exception == ESCAPES[text]
    assert modes.current() is not None
