"""Random programs of the whole language, by its grammar, from a seed: what is called comes from the language's tables.

Most statements are written into ``try``, so that one program tries much. ``portable`` programs have nothing of torch or
NumPy, nothing random, and end soon: Python itself runs them, too.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable
from typing import Final

from app.program import builtins, names
from engine import registry

PORTABLE: Final = (
    "cmath", "collections", "contextlib", "copy", "dataclasses", "enum", "functools", "itertools", "math", "operator",
    "statistics", "string",
)  # fmt: skip
_OWN: Final = ("random", "numpy", "numpy.linalg", "numpy.random", "numpy.fft", "typing", "time", "warnings")
_UNENDING: Final = frozenset({"itertools.count", "itertools.cycle", "itertools.repeat"})
_ATOMS: Final = (
    "0", "1", "-1", "2", "3", "7", "-3", "1.5", "-0.5", "0.0", "1e300", "2j", "True", "False", "None", "''", "'a'",
    "'abc'", "'a,b c'", "'%s'", "'{}'", "'{0!r:>5}'", "'12'", "[]", "[1]", "[1, 2, 3]", "[3, 1, 2]", "['b', 'a']",
    "[[1, 2], [3]]", "[None]", "()", "(1,)", "(1, 2)", "('a', 1)", "{}", "{'a': 1}", "{1: 'x', 2: 'y'}", "set()",
    "{1, 2}", "{3}", "range(3)", "range(5, 0, -2)", "slice(1)", "frozenset([1])", "...", "NotImplemented", "2**70",
    "float('nan')", "float('inf')", "iter([1, 2])", "(i for i in range(3))", "lambda: 1", "lambda *a: a", "lambda a: a",
    "lambda a, b: a", "lambda a=1, *, b=2: (a, b)", "int", "str", "list", "dict", "object", "type", "ValueError",
    "ValueError('v')", "len", "print", "[].append", "'x'.join", "object()", "zip([1], [2])", "enumerate('ab')",
    "map(str, [1])", "{1: 2}.items()", "{1: 2}.keys()", "True", "10**6", "-(2**63)", "'\\u00e9'", "'x' * 40",
)  # fmt: skip
_TENSORS: Final = (
    "torch.ones(3)", "torch.ones(2, 3, requires_grad=True)", "torch.tensor(2.0, requires_grad=True)", "torch.arange(4)",
    "torch.tensor([True, False])", "torch.zeros(0)", "torch.eye(3)", "torch.tensor(1j)", "torch.float64", "torch.int64",
    "torch.device('cpu')", "torch.Size([2])", "torch.Generator()", "(torch.ones(2, requires_grad=True) * 2).grad_fn",
    "np.ones(3)", "np.arange(6).reshape(2, 3)", "np.float64(1.5)", "np.array(['a'])", "np.array(True)", "np.nan",
    "nn.Linear(3, 2)", "nn.ReLU()", "nn.Sequential(nn.Linear(3, 3), nn.Tanh())", "nn.Parameter(torch.ones(3))",
    "torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)", "torch.no_grad()", "nn", "torch", "np", "F",
    "nn.Module",
    "torch.Tensor", "torch.utils.data.DataLoader([1, 2, 3], batch_size=2)", "torch.nn.functional.relu",
    "random.Random(1)",
)  # fmt: skip
_SPECIAL: Final = (
    ("__init__", 1), ("__repr__", 0), ("__str__", 0), ("__format__", 1), ("__eq__", 1), ("__ne__", 1), ("__lt__", 1),
    ("__le__", 1), ("__gt__", 1), ("__hash__", 0), ("__bool__", 0), ("__len__", 0), ("__iter__", 0), ("__next__", 0),
    ("__contains__", 1), ("__getitem__", 1), ("__setitem__", 2), ("__delitem__", 1), ("__reversed__", 0), ("__int__",
    0),
    ("__float__", 0), ("__complex__", 0), ("__index__", 0), ("__abs__", 0), ("__round__", 0), ("__call__", 0),
    ("__call__", 1), ("__enter__", 0), ("__exit__", 3), ("__add__", 1), ("__radd__", 1), ("__iadd__", 1), ("__mul__",
    1),
    ("__rmul__", 1), ("__sub__", 1), ("__rsub__", 1), ("__truediv__", 1), ("__mod__", 1), ("__rmod__", 1), ("__pow__",
    1),
    ("__neg__", 0), ("__invert__", 0), ("__and__", 1), ("__matmul__", 1), ("__divmod__", 1), ("__getattr__", 1),
    ("__setattr__", 2), ("__delattr__", 1), ("__get__", 2), ("__set__", 2), ("__missing__", 1), ("__copy__", 0),
    ("__deepcopy__", 1), ("__post_init__", 0), ("__set_name__", 2), ("m", 0), ("m", 1), ("n", 2), ("forward", 1),
    ("__length_hint__", 0), ("__trunc__", 0), ("__floor__", 0), ("__ceil__", 0), ("__pos__", 0), ("__ge__", 1),
    ("__new__", 0), ("__class_getitem__", 1), ("__init_subclass__", 0), ("keys", 0), ("__array__", 0),
    ("__rtruediv__", 1),
)  # fmt: skip
_BASES: Final = (
    "list",
    "dict",
    "str",
    "int",
    "float",
    "tuple",
    "set",
    "Exception",
    "ValueError",
    "KeyError",
    "frozenset",
)
_TORCH_BASES: Final = ("nn.Module", "torch.utils.data.Dataset", "nn.Linear", "torch.optim.SGD", "nn.Sequential")
_BINARY: Final = ("+", "-", "*", "/", "//", "%", "@", "&", "|", "^")
_COMPARED: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")
_SPECS: Final = (
    "",
    ">5",
    "<8",
    "^6",
    "05",
    "+",
    ",",
    "_",
    ".2f",
    ".3e",
    "e",
    "g",
    "x",
    "#b",
    "s",
    "d",
    "n",
    "%",
    "c",
    "{1}",
    "!",
    "q",
)
_FIELDS: Final = ("s", "r", "d", "5.1f", "x", "c", "(a)s", "*d", "e", "i", "a", "%")
_CAUGHT: Final = ("Exception", "ValueError", "(KeyError, TypeError)")
_RAISED: Final = (
    "ValueError(1)", "StopIteration", "KeyError(0)", "IndexError", "AttributeError(9)", "TypeError()", "GeneratorExit",
)  # fmt: skip
_ATTRIBUTES: Final = (
    "a", "b", "x", "m", "name", "args", "real", "__class__", "__name__", "__doc__", "__dict__", "__module__", "__mro__",
    "__len__", "__add__", "__init__", "__qualname__", "__func__", "__self__", "__code__", "__globals__", "__wrapped__",
    "__subclasses__", "__bases__", "gi_frame", "value", "fget", "T", "grad", "data", "shape", "weight", "_parameters",
    "state", "training", "function", "owner", "program_class", "type", "mro", "call", "engine", "compiled", "cells",
)  # fmt: skip


class Writer:
    """Writes one program."""

    def __init__(self, rng: random.Random, *, portable: bool) -> None:
        self.rng, self.portable = rng, portable
        self.names = ["v0", "v1"]
        self.classes: list[str] = []
        self.functions: list[str] = []
        self.depth = 0

    def program(self) -> str:
        """A whole program."""
        lines = [f"import {name}" for name in PORTABLE]
        if not self.portable:
            lines += [
                "import torch, random, warnings, typing, time", "import numpy as np", "import torch.nn as nn",
                "import torch.nn.functional as F", "torch.manual_seed(0)",
            ]  # fmt: skip
        lines += [f"v0 = {self.atom()}", f"v1 = {self.atom()}"]
        for _ in range(self.rng.randrange(1, 4)):
            lines += self.one(self.definitions)
        for _ in range(self.rng.randrange(4, 14)):
            lines += self.one(self.statements)
        return "\n".join(lines) + "\n"

    def one(self, kinds: tuple[Callable[[], list[str]], ...] | Callable[[], list[str]]) -> list[str]:
        """Statements, mostly where what they raise is printed."""
        lines = kinds() if callable(kinds) else self.rng.choice(kinds)()
        if self.rng.random() < 0.9:
            return ["try:", *indented(lines), "except Exception as e:", "    print(type(e).__name__, e)"]
        return lines

    # -- expressions ----------------------------------------------------------------------------------------------
    def atom(self) -> str:
        """A value written out."""
        if self.portable or self.rng.random() < 0.6:
            return self.rng.choice(_ATOMS)
        return self.rng.choice(_TENSORS)

    def value(self) -> str:
        """Any expression, with brackets where it needs any."""
        self.depth += 1
        try:
            kind = self.rng.random()
            if self.depth > 3 or kind < 0.3:
                return f"({self.atom()})"
            if kind < 0.5:
                return self.rng.choice(self.names)
            if kind < 0.65 and self.classes:
                return self.instance()
            if kind < 0.7 and self.functions:
                return self.rng.choice(self.functions)
            return f"({self.expression()})"
        finally:
            self.depth -= 1

    def instance(self) -> str:
        name = self.rng.choice(self.classes)
        if self.rng.random() < 0.15:
            return name
        return f"{name}({self.arguments(self.rng.choice((0, 0, 0, 1, 1, 2)))})"

    def arguments(self, count: int | None = None) -> str:
        """What stands between the brackets of a call."""
        count = self.rng.choice((0, 1, 1, 1, 2, 2, 3)) if count is None else count
        given = [self.value() for _ in range(count)]
        if self.rng.random() < 0.1:
            given.append(f"*{self.value()}")
        if self.rng.random() < 0.1:
            given.append(
                f"{self.rng.choice(('key', 'default', 'a', 'b', 'start', 'reverse', 'sep', 'dim'))}={self.value()}"
            )
        if self.rng.random() < 0.05:
            given.append(f"**{self.value()}")
        return ", ".join(given)

    def expression(self) -> str:
        """An expression of any kind."""
        kinds = [
            self.builtin, self.builtin, self.method, self.method, self.of_module, self.of_module, self.operator,
            self.operator,
            self.comparison, self.subscript, self.comprehension, self.text, self.attribute, self.call, self.display,
            self.condition, self.instance_asked,
        ]  # fmt: skip
        if not self.portable:
            kinds += [self.of_torch] * 5
        return self.rng.choice(kinds)()

    def builtin(self) -> str:
        name = self.rng.choice(
            [*builtins.FUNCTIONS, "isinstance", "issubclass", "type", "super", "getattr", "hasattr", "print"]
        )
        while name in ("id", "hash") and self.portable:
            name = self.rng.choice(list(builtins.FUNCTIONS))
        return f"{name}({self.arguments()})"

    def method(self) -> str:
        kind, table = self.rng.choice(
            [(kind, table) for kind, table in builtins.ATTRIBUTES if kind.__module__ == "builtins"]
        )
        name = self.rng.choice(list(table))
        owner = self.value()
        if self.rng.random() < 0.7:
            fitting = [
                one
                for one in _ATOMS
                if one[:1] == {"list": "[", "dict": "{", "str": "'", "tuple": "("}.get(kind.__name__, "0")
            ]
            owner = f"({self.rng.choice(fitting)})"
        if self.rng.random() < 0.1:
            return f"{kind.__name__ if kind.__name__ in builtins.FUNCTIONS else 'str'}.{name}({self.arguments()})"
        return f"{owner}.{name}({self.arguments()})"

    def of_module(self) -> str:
        module = self.rng.choice(PORTABLE if self.portable else (*PORTABLE, *_OWN))
        name = self.rng.choice(list(names.LIBRARIES[module]))
        while self.portable and f"{module}.{name}" in _UNENDING:
            name = self.rng.choice(list(names.LIBRARIES[module]))
        path = f"{module.replace('numpy', 'np')}.{name}"
        call = f"{path}({self.arguments()})"
        return f"list({call})" if module == "itertools" and self.rng.random() < 0.6 else call

    def of_torch(self) -> str:
        kind = self.rng.random()
        if kind < 0.5:
            return f"torch.{self.rng.choice(_FUNCTIONS)}({self.arguments()})"
        if kind < 0.7:
            return f"({self.rng.choice(_TENSORS[:8])}).{self.rng.choice(_METHODS)}({self.arguments()})"
        return f"torch.{self.rng.choice(_CLASSES)}({self.arguments()})({self.arguments()})"

    def operator(self) -> str:
        if self.rng.random() < 0.15:
            return f"{self.rng.choice(('-', '~', 'not ', '+'))}{self.value()}"
        return f"{self.value()} {self.rng.choice(_BINARY)} {self.value()}"

    def comparison(self) -> str:
        return f"{self.value()} {self.rng.choice(_COMPARED)} {self.value()}"

    def subscript(self) -> str:
        index = self.rng.choice(
            (self.value(), self.value(), f"{self.value()}:", f"::{self.value()}", "0", "-1", "'a'", "0, 1")
        )
        return f"{self.value()}[{index}]"

    def comprehension(self) -> str:
        inner = f"{self.rng.choice(('i', 'str(i)', '(i, 1)', self.value()))} for i in {self.value()}"
        if self.rng.random() < 0.3:
            inner += f" if {self.rng.choice(('i', self.value()))}"
        return self.rng.choice(
            (f"[{inner}]", f"{{{inner}}}", f"list({inner})", f"sum({inner})", f"{{i: i for i in {self.value()}}}")
        )

    def text(self) -> str:
        spec = self.rng.choice(_SPECS)
        return self.rng.choice((
            f"f'{{{self.rng.choice(self.names)}{self.rng.choice(('', '!r', '!s', '!a'))}:{spec}}}'",
            f"format({self.value()}, '{spec}')", f"'{{:{spec}}} {{}}'.format({self.arguments(2)})",
            f"'%{self.rng.choice(_FIELDS)}' % {self.value()}",
            f"'{{0.{self.rng.choice(_ATTRIBUTES)}}}'.format({self.value()})",
            f"'{{0[{self.rng.choice('ab01')}]}}'.format({self.value()})",
            f"f'{{{self.rng.choice(self.names)}=}}'",
        ))  # fmt: skip

    def attribute(self) -> str:
        name = self.rng.choice(_ATTRIBUTES)
        if self.portable:
            name = self.rng.choice(("a", "b", "x", "m", "name", "args", "real", "value", "n"))
        if name.startswith("_"):
            return f"getattr({self.value()}, '{name}')" if self.rng.random() < 0.5 else f"{self.value()}.{name}"
        return f"{self.value()}.{name}"

    def call(self) -> str:
        return f"{self.rng.choice([*self.functions, self.value()])}({self.arguments()})"

    def display(self) -> str:
        return self.rng.choice((
            f"[{self.value()}, *{self.value()}]", f"{{**{self.value()}, 'k': {self.value()}}}",
            f"({self.value()}, {self.value()})",
            f"{{{self.value()}: {self.value()}}}", f"{{{self.value()}}}", f"[{self.value()}]",
        ))  # fmt: skip

    def condition(self) -> str:
        return self.rng.choice((
            f"{self.value()} if {self.value()} else {self.value()}", f"{self.value()} and {self.value()}",
            f"{self.value()} or {self.value()}",
        ))  # fmt: skip

    def instance_asked(self) -> str:
        kind = self.rng.choice(("int", "(list, str)", "object", *self.classes, self.value()))
        return f"isinstance({self.value()}, {kind})"

    # -- statements -----------------------------------------------------------------------------------------------
    @property
    def statements(self) -> tuple[Callable[[], list[str]], ...]:
        return (self.shown, self.shown, self.shown, self.shown, self.bound, self.bound, self.looped, self.matched,
        self.entered,
                self.raised, self.changed, self.augmented, self.unpacked, self.deleted,
                *self.definitions[:2])  # fmt: skip

    @property
    def definitions(self) -> tuple[Callable[[], list[str]], ...]:
        return (self.function, self.klass, self.klass, self.klass)

    def shown(self) -> list[str]:
        return [f"print({self.expression()})"]

    def bound(self) -> list[str]:
        name = f"v{self.rng.randrange(6)}"
        line = f"{name} = {self.rng.choice((self.expression, self.value))()}"
        self.names = sorted({*self.names, name})
        return [line]

    def looped(self) -> list[str]:
        body = self.rng.choice((self.shown, self.bound, self.changed))()
        return [f"for i, n in zip(range(4), {self.value()}):", *indented(body), "else:", "    print('else')"]

    def matched(self) -> list[str]:
        kind = self.rng.choice([*self.classes, "int", "str", "list", "dict"])
        return [
            f"match {self.value()}:", f"    case {kind}(a=x):", "        print('class', x)", "    case [a, *b]:",
            "        print('sequence', a, b)", "    case {'a': a, **rest}:", "        print('mapping', a, rest)",
            f"    case {kind}():", "        print('kind')", "    case 1 | 'a' as x:", "        print('value', x)",
            "    case x if x:", "        print('any')",
        ]  # fmt: skip

    def entered(self) -> list[str]:
        return [f"with {self.rng.choice((self.value, self.expression))()} as w:", *indented(self.shown())]

    def raised(self) -> list[str]:
        tail = self.rng.choice(("", f" from {self.value()}"))
        return ["try:", f"    raise {self.value()}{tail}",
        f"except {self.rng.choice((*_CAUGHT, *self.classes, self.value()))} as x:",
                "    print('caught', x)", "finally:", *indented(self.shown())]  # fmt: skip

    def changed(self) -> list[str]:
        owner = self.rng.choice(self.names)
        name = self.rng.choice(("a", "b", "x") if self.portable else _ATTRIBUTES)
        return self.rng.choice(
            (
                [f"{owner}[{self.value()}] = {self.value()}"],
                [f"{owner}.{name} = {self.value()}"],
                [f"setattr({owner}, '{name}', {self.value()})"],
            )
        )

    def augmented(self) -> list[str]:
        name = self.rng.choice(self.names)
        return [f"{name} {self.rng.choice(_BINARY)}= {self.value()}", f"print({name})"]

    def unpacked(self) -> list[str]:
        return [f"{self.rng.choice(('a, b', 'a, *b', '*a, b', '(a, b), c'))} = {self.value()}", "print(a, b)"]

    def deleted(self) -> list[str]:
        owner = self.rng.choice(self.names)
        return [self.rng.choice((f"del {owner}[{self.value()}]", f"del {owner}.a"))]

    def body(self, own: tuple[str, ...]) -> list[str]:
        """What a function does, with its parameters ``own``."""
        before = self.names
        self.names = sorted({*before, *own})
        self.depth += 1
        try:
            first = own[0] if own else "v0"
            wanted = self.rng.choice((
                f"return {self.atom()}", f"return {self.atom()}", f"return {self.value()}",
                f"return {self.expression()}", f"return {first}",
                f"raise {self.rng.choice((*_RAISED, self.value()))}",
                f"yield {self.value()}", f"yield from {self.value()}", f"v0.append({first})", "v1.clear()",
                "return NotImplemented",
                "return 'text'", "return 1", "return iter([1, 2])", "pass", f"return {first}.a", f"return {first}()",
                f"print({first})",
                "return super().m()", f"return len({first})",
            ))  # fmt: skip
            return [wanted] if self.rng.random() < 0.8 else [*self.rng.choice((self.shown, self.bound))(), wanted]
        finally:
            self.depth -= 1
            self.names = before

    def function(self) -> list[str]:
        name = f"f{len(self.functions)}"
        params = self.rng.choice(("", "a", "a, b=1", "*a", "a, /, b", "a, *, b=2", "**a", "a, *b, **c"))
        own = tuple(part for part in ("a", "b") if part in params.replace("**", "").replace("*", ""))
        decorator = self.rng.choice(
            (
                [],
                [],
                [],
                ["@functools.lru_cache"],
                ["@functools.wraps(len)"],
                ["@contextlib.contextmanager"],
                [f"@{self.value()}"],
            )
        )
        lines = [*decorator, f"def {name}({params}):", *indented(self.body(own))]
        self.functions.append(name)
        return lines

    def klass(self) -> list[str]:
        name = f"C{len(self.classes)}"
        kind = self.rng.random()
        base = "" if kind < 0.4 else self.rng.choice(_BASES)
        if not self.portable and kind > 0.7:
            base = self.rng.choice(_TORCH_BASES)
        if self.classes and kind > 0.9:
            base = self.rng.choice(self.classes)
        decorator = self.rng.choice(
            (
                [],
                [],
                [],
                [],
                ["@dataclasses.dataclass"],
                ["@functools.total_ordering"],
                ["@dataclasses.dataclass(frozen=True)"],
            )
        )
        if self.rng.random() < 0.08:
            base, decorator = "enum.Enum", []
        lines = [*decorator, f"class {name}({base}):"]
        fields = {"@dataclasses.dataclass": ["a: int = 1", "b: list = dataclasses.field(default_factory=list)"]}.get(
            "".join(decorator)[:22], []
        )
        body = fields or self.rng.choice((["a = 1"], ["a = 1", "b = 'x'"], [f"a = {self.value()}"]))
        for special, count in self.rng.sample(_SPECIAL, self.rng.randrange(1, 6)):
            own = ("self", *"abc"[:count])
            mark = (
                self.rng.choice(("@property", "@staticmethod", "@classmethod", "@functools.cached_property"))
                if self.rng.random() < 0.08
                else ""
            )
            body += [*([mark] if mark else []), f"def {special}({', '.join(own)}):", *indented(self.body(own))]
        self.classes.append(name)
        return [*lines, *indented(body)]


def _torch_names() -> tuple[list[str], list[str], list[str]]:
    found = sorted(name for name, _ in registry.functions() if not name.startswith("cuda"))
    classes = [
        name
        for name, one in registry.functions()
        if isinstance(one, type) and name.startswith(("nn.", "optim.", "utils."))
    ]
    return found, sorted(name for name, _ in registry.methods()), sorted(classes)


_FUNCTIONS, _METHODS, _CLASSES = _torch_names()


def indented(lines: list[str]) -> list[str]:
    """The lines within a block."""
    return textwrap.indent("\n".join(lines), "    ").split("\n")


def written(seed: int | str, *, portable: bool = False) -> str:
    """The program of a seed."""
    return Writer(random.Random(f"{seed}"), portable=portable).program()
