"""Calls of every op as data, of recorded cases, and as programs: operands, the call, its derivatives of both orders.

``tests/golden/conformance.jsonl.gz`` has cases of every op; ``variations`` makes others of them. No tensor library is
needed here.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.program import Program
from tests.paths import GOLDEN

RECORDED = GOLDEN / "conformance.jsonl.gz"
LARGEST = 600  # elements of an operand, which are spelled out
DTYPES = (
    "float64", "float32", "float16", "bfloat16", "complex128", "complex64", "int64", "int32", "uint8", "int8", "int16",
    "bool",
)  # fmt: skip
ATTRIBUTES = ("T", "H", "mT", "mH")
# How much of a number a dtype rounds away: what moves results by less than this says nothing.
ROUNDING = {"float64": 1e-14, "complex128": 1e-14, "float32": 2.5e-7, "complex64": 2.5e-7, "float16": 1e-3,
            "bfloat16": 8e-3}  # fmt: skip
TRACKED = "_outs = [t for t in {roots} if isinstance(t, torch.Tensor) and t.requires_grad]"
COTANGENTS = (
    "_cots = [((torch.arange(t.numel()) % 7 + 2) / 8).reshape(t.shape).to(t.dtype) * "
    "(1 - 0.5j if t.is_complex() else 1) for t in _outs]"
)
FIRST = "torch.autograd.backward(_outs, _cots, retain_graph=True)"
AGAIN = "_g = torch.autograd.grad(_outs, {leaves}, _cots, create_graph=True, allow_unused=True)"
SCALARS = "_s = [(t * t.detach()).sum().abs() for t in _g if t is not None and t.requires_grad]"
SECOND = "h = torch.autograd.grad(_s, {leaves}, allow_unused=True)"
NESTED = re.compile(r"nan|inf")
Record = dict[str, Any]


@dataclass(frozen=True)
class Operand:
    """A tensor as numbers. ``layout`` says how it lies in memory."""

    values: np.ndarray[Any, Any]
    dtype: str
    requires_grad: bool
    layout: str = "plain"

    @property
    def is_inexact(self) -> bool:
        return self.dtype in ROUNDING

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)


@dataclass(frozen=True)
class Node:
    """One call: ``args`` and ``kwargs`` as they are written in a request."""

    name: str
    op: str
    args: tuple[Any, ...]
    kwargs: Record


@dataclass(frozen=True)
class Call:
    """A call of ``op`` and what stands before and behind it; ``form``: function, method, in place, out."""

    op: str
    family: str
    operands: dict[str, Operand]
    nodes: tuple[Node, ...]
    roots: tuple[str, ...] = ()
    gauge: bool = False
    form: str = "function"
    notes: tuple[str, ...] = field(default=())  # what became of the recorded call
    shape: tuple[int, ...] = ()  # of the recorded call's first result
    dtype: str = "float64"

    @property
    def place(self) -> int:
        """Which of the nodes it is about."""
        return next(place for place, node in enumerate(self.nodes) if node.op == self.op)

    @property
    def node(self) -> Node:
        return self.nodes[self.place]

    def renamed(self, names: dict[str, str]) -> Call:
        """With other names for the operands."""
        args = tuple(_renamed(arg, names) for arg in self.node.args)
        kwargs = {name: _renamed(value, names) for name, value in self.node.kwargs.items()}
        return self.with_node(args=args, kwargs=kwargs)

    def with_node(self, **changes: Any) -> Call:
        nodes = list(self.nodes)
        nodes[self.place] = replace(self.node, **changes)
        return replace(self, nodes=tuple(nodes))


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    is_reference = isinstance(value, str) and value[1:] in names and value[0] == "$"
    return f"${names[value[1:]]}" if is_reference else value


def read(path: Path) -> Iterator[Call]:
    """The cases of a file, those of many elements left out."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        cases = [case for case in map(json.loads, lines) if "request" in case]
    for case in cases:
        call = of_case(case)
        if all(operand.values.size <= LARGEST for operand in call.operands.values()):
            yield call


def of_case(case: Record) -> Call:
    operands = {name: _operand(described) for name, described in case["request"]["inputs"].items()}
    nodes = tuple(
        Node(node.get("id", "nothing"), node["op"], tuple(node.get("args", ())), node.get("kwargs", {}))
        for node in case["request"]["nodes"]
    )
    roots = tuple(root["tensor"] for root in case["request"].get("backward", ()))
    call = Call(case["op"], case["family"], operands, nodes, roots, bool(case.get("gauge")))
    results = case["expect"].get("outputs")
    return replace(call, shape=tuple(results[0]["shape"]), dtype=results[0]["dtype"]) if results else call


def _operand(described: Record) -> Operand:
    shape, dtype = tuple(described["shape"]), described["dtype"]
    if dtype.startswith("complex"):
        pairs = np.asarray(_numbers(described["data"]), np.float64).reshape((*shape, 2))
        return Operand(pairs[..., 0] + 1j * pairs[..., 1], dtype, described["requires_grad"])
    kind: Any = np.bool_ if dtype == "bool" else np.float64 if dtype in ROUNDING else np.int64
    return Operand(np.asarray(_numbers(described["data"]), kind).reshape(shape), dtype, described["requires_grad"])


def _numbers(data: Any) -> Any:
    return (
        [_numbers(item) for item in data] if isinstance(data, list) else float(data) if isinstance(data, str) else data
    )


@cache
def public_names() -> frozenset[str]:
    lines = (GOLDEN / "public_names.tsv").read_text().splitlines()
    return frozenset(line.split("\t")[0] for line in lines)


@cache
def recorded(path: Path = RECORDED) -> dict[str, list[Call]]:
    """The calls of every op."""
    by_op: dict[str, list[Call]] = defaultdict(list)
    files = sorted(path.glob("*.jsonl.gz")) if path.is_dir() else [path]
    for call in chain.from_iterable(map(read, files)):
        by_op[call.op].append(call)
    return dict(by_op)


# -- as text ------------------------------------------------------------------------------------------------------
def program(call: Call, seed: int = 0, moved: bool = False) -> Program:
    """The call with its derivatives; ``moved``: every number a little different."""
    statements = [f"{name} = {tensor(operand, moved)}" for name, operand in call.operands.items()]
    statements += [f"{node.name} = {expression(call, place)}" for place, node in enumerate(call.nodes)]
    leaves = [name for name, operand in call.operands.items() if operand.requires_grad]
    if leaves and call.form != "out":
        statements.append(TRACKED.format(roots=_roots(call)))
        statements += [COTANGENTS, FIRST]
        if all(operand.dtype in ("float64", "complex128") for operand in call.operands.values() if operand.is_inexact):
            listed = f"[{', '.join(leaves)}]"
            statements += [AGAIN.format(leaves=listed), SCALARS, SECOND.format(leaves=listed)]
    return Program(seed, False, tuple(statements))


def _roots(call: Call) -> str:
    """What is differentiated: all results, or those that are not fixed up to a choice only."""
    if call.gauge:
        return literal([f"${root}" for root in call.roots])
    name = call.nodes[-1].name
    return f"({name} if isinstance({name}, (tuple, list)) else [{name}])"


def expression(call: Call, place: int) -> str:
    """The call at ``place`` among the nodes."""
    node = call.nodes[place]
    index = 1 if node.op in ("__getitem__", "__setitem__") else None
    args = [literal(arg, at == index) for at, arg in enumerate(node.args)]
    args += [f"{name}={literal(value)}" for name, value in node.kwargs.items()]
    form = call.form if place == call.place else "function"
    is_method = form == "method" or _is_method(node.op)
    if form == "inplace":
        return f"{args[0]}.clone().{node.op}_({', '.join(args[1:])})"
    if is_method:
        return f"{args[0]}.{node.op}" if node.op in ATTRIBUTES else f"{args[0]}.{node.op}({', '.join(args[1:])})"
    if form == "out":
        args.append("out=torch.empty(0, dtype=torch.float64)")
    return f"torch.{node.op}({', '.join(args)})"


def _is_method(op: str) -> bool:
    names = public_names()
    return op.startswith(("__", "new_")) or (f"torch.Tensor.{op}" in names and f"torch.{op}" not in names)


def literal(value: Any, is_index: bool = False) -> str:
    """A value of a request as Python writes it."""
    if isinstance(value, list):
        inner = ", ".join(literal(item, is_index) for item in value)
        plain = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
        return f"({inner},)" if is_index and not plain else f"[{inner}]"
    if isinstance(value, dict):
        return _marked(value)
    if isinstance(value, str):
        if value.startswith("$"):
            name, *places = value[1:].split(".")
            return name + "".join(f"[{place}]" for place in places)
        return f"torch.{value}" if value in DTYPES else repr(value)
    return _number(value) if isinstance(value, float) else repr(value)


def _marked(value: Record) -> str:
    if "slice" in value:
        return f"slice({', '.join(map(literal, value['slice']))})"
    if "complex" in value:
        return f"complex({', '.join(map(literal, value['complex']))})"
    if "float" in value:
        return f"float('{value['float']}')"
    return "..."


def _number(value: float) -> str:
    return repr(value) if np.isfinite(value) else f"float('{value}')"


def tensor(operand: Operand, moved: bool = False) -> str:
    """``torch.tensor(...)``, laid out as it says."""
    values = _moved(operand) if moved else operand.values
    text = _laid_out(values, operand)
    return f"{text}.requires_grad_()" if operand.requires_grad else text


def _moved(operand: Operand) -> np.ndarray[Any, Any]:
    """Numbers that are equal stay so."""
    if not operand.is_inexact:
        return operand.values
    with np.errstate(invalid="ignore"):
        return operand.values * (1 + ROUNDING[operand.dtype] * np.cos(1e4 * operand.values.real))


def _laid_out(values: np.ndarray[Any, Any], operand: Operand) -> str:
    layout, rank = operand.layout, values.ndim
    if layout == "transposed" and rank > 1:
        return f"{_plain(np.swapaxes(values, -1, -2), operand)}.transpose(-1, -2)"
    if layout == "reversed" and rank > 1:
        return f"{_plain(values.T, operand)}.permute({', '.join(map(str, reversed(range(rank))))})"
    if layout == "stepped" and rank:
        return f"{_plain(np.repeat(values, 2, -1), operand)}[..., ::2]"
    if layout == "offset" and rank and len(values):
        return f"{_plain(np.concatenate([values[-1:], values]), operand)}[1:]"
    if layout == "expanded" and rank and values.shape[-1]:
        return f"{_plain(values[..., :1], operand)}.expand({', '.join(map(str, values.shape))})"
    if layout == "channels_last" and rank == 4:
        return f"{_plain(values.transpose(0, 2, 3, 1), operand)}.permute(0, 3, 1, 2)"
    return _plain(values, operand)


def _plain(values: np.ndarray[Any, Any], operand: Operand) -> str:
    if not values.size:
        return f"torch.zeros({tuple(values.shape)}, dtype=torch.{operand.dtype})"
    rounded = _rounded(values, operand)
    if np.iscomplexobj(values) and not np.isfinite(values).all():
        text = _listed(
            [f"complex({number.real!r}, {number.imag!r})" for number in rounded.ravel().tolist()], values.shape
        )
    else:
        text = repr(rounded.tolist())
    written = NESTED.sub(lambda found: f"float('{found[0]}')", text)
    return f"torch.tensor({written}, dtype=torch.{operand.dtype})"


def _listed(words: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return words[0]
    size = len(words) // shape[0]
    return f"[{', '.join(_listed(words[at * size : (at + 1) * size], shape[1:]) for at in range(shape[0]))}]"


def _rounded(values: np.ndarray[Any, Any], operand: Operand) -> np.ndarray[Any, Any]:
    if operand.dtype in ("float16", "bfloat16", "float32"):
        with np.errstate(invalid="ignore", over="ignore"):
            return values.astype(np.float32).astype(np.float64)
    return values
