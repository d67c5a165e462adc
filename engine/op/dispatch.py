"""Writes straight-line functions for the usual calls of an op, from its declaration.

The general path (``primitive``) takes whatever may be given. Most calls give tensors of one dtype, perhaps with a
Python number among them, positionally. For those a function is written in which every question that the declaration
answers is answered beforehand: no loops over parameters, no lists of values. Whatever it does not expect it hands to
the general path, before anything has happened. It means the same; it only costs less.

The text consists of positions, of parameter names that stand in declarations, and of what is here. The op's own
objects are bound in a closure, so that ops of one form share one compiled text.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cache
from inspect import Parameter
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes
from engine.autograd import inplace
from engine.autograd.tape import Saved, SavedNumber, edge_of, kept, recorded
from engine.errors import EngineError
from engine.op.rules import Rule, about
from engine.op.signature import Param
from engine.shapes import check_broadcast
from engine.tensor import Tensor, copied, result, weak

MISSING = Parameter.empty
# What kernels raise for operands that they cannot take.
FAILURES = (ValueError, IndexError, TypeError, OverflowError, np.linalg.LinAlgError, ZeroDivisionError)
EXACT = 2**53  # integers up to this are floats, too
INT64 = dtypes.int64.numpy
NATIVE = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.opmath is dtype)
DIFFERENTIABLE = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.is_differentiable)
INEXACT = NATIVE & DIFFERENTIABLE
_CATEGORY = {dtype.numpy: dtype.category for dtype in dtypes.ALL}


def given(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those of ``args`` before the first that is missing."""
    for place, value in enumerate(args):
        if value is MISSING:
            return args[:place]
    return args


class Op:
    """What can be called under a name: its call is written at the first, for rules come after the op."""

    # Python finds the function of an instance here, without a frame that would only pass the arguments on.
    __slots__ = ("__call__", "__dict__")
    __call__: Callable[..., Any]

    def __init__(self) -> None:
        self.__call__ = self._first_call

    def _first_call(self, *args: Any, **kwargs: Any) -> Any:
        return self.direct()(*args, **kwargs)

    def direct(self) -> Callable[..., Any]:
        """The call as a plain function."""
        if self.__call__ == self._first_call:
            self.__call__ = self.write(self.general)
        return self.__call__

    def write(self, general: Callable[..., Any]) -> Callable[..., Any]:
        """The function that usual calls take, and that hands all others to ``general``."""
        return general

    @abstractmethod
    def general(self, *args: Any, **kwargs: Any) -> Any:
        """The call of whatever may be given. Arguments from the first ``MISSING`` on were not given."""


# -- what the written functions call ------------------------------------------------------------------------------
def number(value: Any, dtype: np.dtype[Any]) -> Any:
    """A Python number as an array of ``dtype``, or ``None`` if that is not plainly what promotion makes of it."""
    kind = type(value)
    if kind is float:
        return np.array(value, dtype) if dtype in INEXACT else None
    if kind is int and (dtype in INEXACT or dtype is INT64) and -EXACT <= value <= EXACT:
        return np.array(value, dtype)
    return None


def yielding(tensor: Tensor, dtype: np.dtype[Any]) -> Any:
    """The array of an operand that stands for a Python number in ``dtype``; ``None`` if it does not yield to that."""
    array = tensor.array
    if not tensor.weak or _CATEGORY[array.dtype] > _CATEGORY[dtype]:
        return None
    return array if array.dtype is dtype else array.astype(dtype)


def extent(arrays: tuple[Any, ...]) -> int:
    """How many elements the result of a pointwise op will have."""
    first = arrays[0]
    shape = check_broadcast(arrays)
    return first.size if shape == first.shape else prod(shape)


def owned(array: Any, sources: Sequence[Any]) -> np.ndarray[Any, Any]:
    """What a kernel gave as a dense array that looks into the memory of no operand."""
    dense: np.ndarray[Any, Any] = np.asarray(array)
    if dense.base is None and not any(dense is source for source in sources):
        return dense
    if any(np.may_share_memory(dense, source) for source in sources) or not dense.flags.forc:
        return copied(dense)
    return dense


def arrays_of(tensors: Sequence[Any], computable: Container[np.dtype[Any]]) -> list[Any] | None:
    """The arrays of tensors that all have one dtype, among ``computable``; ``None`` if that is not so."""
    arrays = [tensor.array for tensor in tensors if isinstance(tensor, Tensor) and not tensor.weak]
    if not arrays or len(arrays) != len(tensors):
        return None
    dtype = arrays[0].dtype
    return arrays if dtype in computable and all(array.dtype is dtype for array in arrays) else None


_NAMES = {
    "arrays_of": arrays_of, "asarray": np.asarray, "CAUGHT": (EngineError, *FAILURES), "copyto": np.copyto,
    "DIFFERENTIABLE": DIFFERENTIABLE, "edge_of": edge_of, "EngineError": EngineError, "extent": extent,
    "FAILURES": FAILURES, "fits": inplace.fits, "kept": kept, "LISTS": (list, tuple), "MISSING": MISSING,
    "NATIVE": NATIVE, "ndarray": np.ndarray, "number": number, "owned": owned, "peek": modes.peek, "recorded": recorded,
    "result": result, "Saved": Saved, "SavedNumber": SavedNumber, "Tensor": Tensor, "view_of": inplace.view_of,
    "weak": weak, "yielding": yielding,
}  # fmt: skip


@cache
def _compiled(text: str) -> Any:
    names = dict(_NAMES)
    exec(compile(text, "<written call>", "exec"), names)
    return names["bind"]


def _bound(header: str, body: Iterable[str], objects: dict[str, Any]) -> Callable[..., Any]:
    """The function of this text, with ``objects`` in its closure."""
    lines = [f"def bind({', '.join(objects)}):", f"    def {header}:", *(f"        {line}" for line in body)]
    name = header.partition("(")[0]
    return _compiled("\n".join([*lines, f"    return {name}"]))(**objects)  # type: ignore[no-any-return]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _display(name: str, entries: Iterable[tuple[str, str]]) -> str:
    return f"{name} = {{{', '.join(f'{key!r}: {value}' for key, value in entries)}}}"


class _Form:
    """How a signature is called: every parameter as a variable, and the header that gives it a value."""

    def __init__(self, params: Sequence[Param]) -> None:
        self.params = params
        rest = [param for param in params if param.variadic]
        self.variadic = bool(rest)
        self.has_extents = bool(rest) and rest[0].kind == "Extents"
        self.listed = [param for param in params if not param.keyword_only and not param.variadic]
        self.keywords = [param for param in params if param.keyword_only]
        self.variable = {param.name: f"t{param.index}" if param.is_tensor else f"s{param.index}" for param in params}
        self.objects = {f"d{param.index}": param.default for param in params if param.default is not MISSING}
        self.nameable = [p for p in (*self.listed, *self.keywords) if not p.is_tensor and p.kind != "Tensor"]
        self.objects["NAMES"] = frozenset(param.name for param in self.nameable)

    def value(self, param: Param) -> str:
        """The value of a static parameter, given or not."""
        s = self.variable[param.name]
        return s if param.default is MISSING else f"(d{param.index} if {s} is MISSING else {s})"

    def header(self) -> str:
        """Positional parameters; whatever else is given shows."""
        given = [f"{self.variable[param.name]}=MISSING" for param in self.listed]
        return f"call({', '.join([*given, '/', '*rest'] if given else ['*rest'])}, **named)"

    def fallback(self) -> str:
        """Handing everything on."""
        keywords = "".join(f"{param.name}={self.variable[param.name]}, " for param in self.keywords)
        return (
            f"return general({', '.join([self.variable[p.name] for p in self.listed] + ['*rest'])}, {keywords}**named)"
        )

    def named(self) -> list[str]:
        """Values that are given by name, as variables. Tensors by name, and second names, are left to ``general``."""
        given = [self.variable[param.name] for param in self.listed]
        tensors = [param for param in self.listed if param not in self.nameable]
        unusual = [f"{self.variable[p.name]} is MISSING" for p in tensors if p.default is MISSING]
        unusual += ["not named.keys() <= NAMES", *([] if self.has_extents else ["rest"])]
        lines = [f"if {' or '.join(unusual)}:", f"    return general({', '.join([*given, '*rest'])}, **named)"]
        for param in self.nameable:
            s, default = self.variable[param.name], "MISSING" if param.default is MISSING else f"d{param.index}"
            unless = "" if param.keyword_only else f"if {s} is MISSING: "
            lines += [f"{unless}{s} = named.pop({param.name!r}, {default})"]
        defaults = [f"{self.variable[param.name]} = d{param.index}" for param in self.keywords]
        optional = [param for param in tensors if param.default is not MISSING]
        left_out = [f"if {self.variable[p.name]} is MISSING: {self.variable[p.name]} = d{p.index}" for p in optional]
        return [*defaults, "if named:", *_indented(lines), *left_out]

    def surprises(self) -> list[str]:
        """Conditions under which more or less is given than one value for each positional parameter."""
        missing = [
            f"{self.variable[p.name]} is MISSING"
            for p in self.listed if not p.is_tensor and p.default is MISSING
        ]  # fmt: skip
        return ["not rest or named" if self.has_extents else "rest or named", *missing]

    def gathered(self) -> list[str]:
        """A variable for extents, which come as one sequence or separately."""
        s = f"s{len(self.listed)}"
        is_one = "len(rest) == 1 and isinstance(rest[0], (tuple, list))"
        return [f"{s} = tuple(rest[0]) if {is_one} else rest"] if self.has_extents else []


# -- composites ---------------------------------------------------------------------------------------------------
def write_composite(op: Any, general: Callable[..., Any], chooses: bool = False) -> Callable[..., Any]:
    """The call of a function of other ops. With ``chooses`` it answers which op to call, and with what."""
    form = _Form(op.signature.params)
    tensors = [param for param in form.params if param.kind == "Tensor"]
    if form.variadic > form.has_extents or any(
        param.keyword_only and (param in tensors or param.default is MISSING) for param in form.params
    ):
        return general
    refused = [
        f"not isinstance({form.variable[p.name]}, Tensor)"
        + (f" and {form.variable[p.name]} is not None" if p.optional else "")
        for p in tensors
    ]
    given = [form.variable[param.name] if param in tensors else form.value(param) for param in form.listed]
    given += [f"s{len(given)}"] if form.has_extents else []
    given += [f"{param.name}={form.variable[param.name]}" for param in form.keywords]
    call = f"function({', '.join(given)})"
    body = [*form.named(), f"if {' or '.join([*form.surprises(), *refused])}:", f"    {form.fallback()}"]
    body += form.gathered()
    body += [f"op, chosen = {call}", "return op(*chosen)"] if chooses else [f"return {call}"]
    return _bound(form.header(), body, {"function": op.function, "general": general, **form.objects})


# -- primitives ---------------------------------------------------------------------------------------------------
def is_usual(op: Any) -> bool:
    """Whether a call of ``op`` may be written down: single tensors, of which the first is there, and one result."""
    return not op.has_lists and _has_usual_form(op)


def takes_one_list(op: Any) -> bool:
    """Whether ``op`` is over a list of tensors, and may be written down: no other tensors, and none that are kept."""
    return (
        len(op.tensors) == 1 and op.tensors[0].is_list and op.tensors[0].index == 0 and op.promote is not None
        and not op.view and _has_usual_form(op) and len(op.rules) == 1 and not op.rules[0].saves
        and all(name.endswith("_shapes") for name in op.rules[0].shapes)
    )  # fmt: skip


def _has_usual_form(op: Any) -> bool:
    return (
        not op.many and not op.reads_storage and op.result is None
        and len(op.output_names) == 1 and (len(op.tensors) == 1 or not op.view)
        and not any(param.variadic and param.kind != "Extents" for param in op.statics)
        and not any(param.default is None or param.keyword_only for param in op.tensors)
        and not any(param.optional and (param is anchor_of(op) or param not in op.promoted) for param in op.tensors)
        and (op.promote is not None or not any(param.optional for param in op.tensors))
        and not any(param.default is MISSING or param.counts_dimensions for param in op.statics if param.keyword_only)
        and bool(op.rules) == bool(op.differentiable)
    )  # fmt: skip


def write_call(op: Any, general: Callable[..., Any]) -> Callable[..., Any]:
    """The call of a primitive; ``general`` takes what is not usual."""
    if takes_one_list(op):
        return _ListCall(op).written(general)
    return _Call(op).written(general) if is_usual(op) else general


def write_inplace(op: Any, general: Callable[..., Any]) -> Callable[..., Any]:
    """The in-place call of a primitive; ``general`` takes what is not usual, and what is recorded."""
    can_be_repeated = not op.random  # for a kernel that fails is run again by ``general``, which says what is wrong
    is_first = bool(op.tensors) and anchor_of(op) is op.signature.params[0]
    is_written = is_usual(op) and can_be_repeated and is_first and not op.view
    return _InPlaceCall(op).written(general) if is_written else general


def anchor_of(op: Any) -> Param | None:
    """The operand that the others have to agree with, if there are any."""
    promoted = op.promoted if op.promote is not None else []
    return next(iter(promoted or op.tensors), None)


class _Call:
    """The text of one primitive's call: ``t0`` is a tensor, ``a0`` its array, ``s1`` a static value, ``e0`` an edge."""

    def __init__(self, op: Any) -> None:
        self.op = op
        self.name = op.signature.name
        self.form = _Form(op.signature.params)
        self.rank = f"a{op.tensors[0].index}.ndim" if op.tensors else "-1"
        self.anchor = anchor_of(op)
        self.numbers = {p.name for p in op.tensors if p.name in op.numbers and p is not self.anchor}
        self.optional = {param.name for param in op.tensors if param.optional}
        self.loose = self.numbers | self.optional  # may be something else than tensors
        listed = f"({''.join(f'a{param.index}, ' for param in op.tensors)})"
        self.all_arrays = f"[one for one in {listed} if one is not None]" if self.optional else listed
        self.arrays = {p.name: f"a{p.index}" for p in op.tensors} | {p.name: f"s{p.index}" for p in op.statics}

    def written(self, general: Callable[..., Any]) -> Callable[..., Any]:
        op = self.op
        objects = {
            "op": op, "general": general, "kernel": op.kernel, "computable": op._computable, "NAME": self.name,
            "UNIT": op._unit_counts, **self.form.objects,
            **{f"p{param.index}": param.static for param in op.statics},
        }  # fmt: skip
        for role in ("check", "grows"):
            if getattr(op, role) is not None:
                objects[role] = getattr(op, role).function
        body = [*self._guard(), *self._operands(), *self._statics(), *self._check(), *self._run(), *self._record()]
        return _bound(self.form.header(), body, objects)

    def _unless(self, condition: str) -> list[str]:
        return [f"if {condition}:", f"    {self.form.fallback()}"]

    def _guard(self) -> list[str]:
        state = ["state is None", "state.recorder is not None", "state.inference"]
        strict = [param for param in self.op.tensors if param.name not in self.numbers]
        refused = [f"not isinstance(t{p.index}, Tensor)" + f" and t{p.index} is not None" * p.optional for p in strict]
        guard = self._unless(" or ".join([*self.form.surprises(), *state, *refused]))
        return [*self.form.named(), "state = peek()", *guard, *self.form.gathered()]

    def _operands(self) -> list[str]:
        """Arrays of a dtype that the kernel computes in."""
        anchor = self.anchor
        if anchor is None:
            return []
        if self.op.view:
            return [f"a{anchor.index} = t{anchor.index}.array"]
        lines = [f"a{anchor.index} = t{anchor.index}.array", f"dtype = a{anchor.index}.dtype"]
        if self.op.promote is None:
            lines += self._unless("dtype not in NATIVE")
        else:
            lines += self._unless(f"dtype not in computable or t{anchor.index}.weak")
        for param in self.op.tensors:
            if param is not anchor:
                lines += self._operand(param)
        return lines

    def _operand(self, param: Param) -> list[str]:
        a, t = f"a{param.index}", f"t{param.index}"
        if self.op.promote is None or param not in self.op.promoted:
            return [f"{a} = {t}.array", *self._unless(f"{a}.dtype not in NATIVE")]
        refusal = self._unless(f"{a} is None")
        tensor = [
            f"{a} = {t}.array", f"if {a}.dtype is not dtype or {t}.weak:",
            f"    {a} = yielding({t}, dtype)", *_indented(refusal),
        ]  # fmt: skip
        if param.name not in self.loose:
            return tensor
        lines = [f"if isinstance({t}, Tensor):", *_indented(tensor)]
        lines += [f"elif {t} is None:", f"    {a} = None"] if param.optional else []
        return [*lines, "else:", f"    {a} = number({t}, dtype)", *_indented(refusal)]

    def _statics(self) -> list[str]:
        lines = []
        for param in self.op.statics:
            s = f"s{param.index}"
            if param.keyword_only:
                lines += [f"if {s} is not d{param.index}:", f"    {s} = p{param.index}(NAME, {s}, {self.rank})"]
            elif param.counts_dimensions or param.default is MISSING:
                lines += [f"{s} = p{param.index}(NAME, {self.form.value(param)}, {self.rank})"]
            else:
                lines += [f"if {s} is MISSING:", f"    {s} = d{param.index}", f"elif {s} is not d{param.index}:",
                          f"    {s} = p{param.index}(NAME, {s}, {self.rank})"]  # fmt: skip
        return lines

    def _check(self) -> list[str]:
        if self.op.check is None:
            return []
        return [f"check({', '.join(self._value(name) for name in self.op.check.names)})"]

    def _value(self, name: str) -> str:
        """The argument ``name``: a tensor, where it may be a number too."""
        t = self.form.variable[name]
        is_right = f"isinstance({t}, Tensor)" + f" or {t} is None" * (name in self.optional)
        return f"({t} if {is_right} else weak({t}))" if name in self.numbers else t

    def _run(self) -> list[str]:
        """Ask the budget, run the kernel, and wrap what it gives."""
        reserve = self._reserve()
        lines = ["budget = state.budget", "if budget is not None:", f"    {reserve}"] if reserve else []
        lines += [
            "try:", f"    array = kernel({self._given()})", "except EngineError:", "    raise",
            "except FAILURES as error:", f"    raise op.refusal(error, {self.all_arrays}) from error",
        ]  # fmt: skip
        if self.op.view:
            wrap = f"out = view_of(t{self.op.tensors[0].index}, array, False, op.grad_fn)"
            return [*lines, "if type(array) is not ndarray:", "    array = asarray(array)", wrap]
        same = "".join(f" or array is a{param.index}" for param in self.op.tensors)
        spend = ["if state.budget is not None:", "    state.budget.spend(array.nbytes)"]
        return [
            *lines, f"if type(array) is not ndarray or array.base is not None{same}:",
            f"    array = owned(array, {self.all_arrays})", *spend, "out = result(array)",
        ]  # fmt: skip

    def _given(self) -> str:
        """What the kernel is given."""
        return ", ".join(f"{p.name}=" * p.keyword_only + self.arrays[p.name] for p in self.form.params)

    def _reserve(self) -> str:
        if self.op.grows is not None:
            names = (self.arrays[name] for name in self.op.grows.names)
            return f"budget.reserve(int(grows({', '.join(names)})), {0 if self.op.view else 8})"
        if self.op.pointwise and len(self.op.tensors) > 1:
            return f"budget.reserve(extent({self.all_arrays}), 8)"
        return ""

    # -- recording ----------------------------------------------------------------------------------------------------
    def _record(self) -> list[str]:
        places = [param.index for param in self.op.differentiable]
        if not places:
            return ["return out"]
        edges = [self._edge(param) for param in self.op.differentiable]
        node = f"recorded(op, static, ({', '.join(f'e{i}' for i in places)},), saved, ((array.shape, dtype),), UNIT)"
        values = ", ".join(self._value(param.name) for param in self.form.params)
        return [
            "if state.grad_enabled:",
            *_indented(edges),
            f"    if {' or '.join(f'e{i} is not None' for i in places)}:",
            "        dtype = array.dtype",
            "        if dtype in DIFFERENTIABLE:",
            *_indented(_indented(_indented([*self._kept(), f"out.node = {node}"]))),
            f"    elif {' or '.join(self._is_view(param) for param in self.op.differentiable)}:",
            f"        op.record([{values}], (out,))",  # one made without recording may require grad all the same
            "return out",
        ]

    def _edge(self, param: Param) -> str:
        i = param.index
        unless_number = f" if isinstance(t{i}, Tensor) else None" if param.name in self.loose else ""
        return f"e{i} = edge_of(t{i}){unless_number}"

    def _is_view(self, param: Param) -> str:
        is_view = f"t{param.index}.base is not None"
        return f"isinstance(t{param.index}, Tensor) and {is_view}" if param.name in self.loose else is_view

    def _kept(self) -> list[str]:
        """Static arguments, and what the rules of the inputs that need a cotangent ask for."""
        static = [(param.name, f"s{param.index}") for param in self.op.statics]
        asked = [
            (f"e{rule.params[0].index}", [(name, self._shape(name)) for name in rule.shapes],
             [(name, self._saved(name)) for name in rule.saves])
            for rule in self.op.rules
        ]  # fmt: skip
        if len(asked) == 1:
            return [_display("static", static + asked[0][1]), _display("saved", asked[0][2]), *self._named()]
        lines = [_display("static", static), "saved = {}", *self._named()]
        for edge, shapes, saves in asked:
            kept = [f"static[{name!r}] = {value}" for name, value in shapes]
            kept += [f"saved[{name!r}] = {value}" for name, value in saves]
            lines += [f"if {edge} is not None:", *_indented(kept)] if kept else []
        return lines

    def _named(self) -> list[str]:
        """The name of the node, where a number among the operands changes it."""
        lines = []
        for name, grad_fn in self.op.number_grad_fn.items():
            t = self.form.variable[name]
            is_there = f"{t} is not None and " * (name in self.optional)
            lines += [
                f"if {is_there}(not isinstance({t}, Tensor) or {t}.weak):",
                f"    static['grad_fn'] = {grad_fn!r}",
            ]
        return lines

    def _shape(self, name: str) -> str:
        tensor = about(name)
        if name.endswith("_geometry"):
            return f"tuple({self._value(tensor)}.geometry)"
        return f"{self._value(tensor)}.dtype" if name.endswith("_dtype") else f"a{self.form.variable[tensor][1:]}.shape"

    def _saved(self, name: str) -> str:
        if name not in self.op.tensor_names:
            return "Saved(out, None, 0)"
        t = self.form.variable[name]
        differentiable = any(param.name == name for param in self.op.differentiable)
        saved = f"kept({t}, {f'e{t[1:]}' if differentiable else f'edge_of({t})'})"
        saved += f" if isinstance({t}, Tensor) else SavedNumber({t})" if name in self.numbers else ""
        return f"None if {t} is None else {saved}" if name in self.optional else saved


class _InPlaceCall(_Call):
    """The text of a call that writes its result into ``t0``, as far as nothing is recorded."""

    def __init__(self, op: Any) -> None:
        super().__init__(op)
        self.name = op.written_signature.name

    def _guard(self) -> list[str]:
        """What ``inplace.check_writable`` may refuse, and what has a history, is left to it."""
        tracked = [
            f"isinstance({t}, Tensor) and ({t}._requires_grad or {t}.node is not None or {t}.base is not None"
            f" and {t}.base.requires_grad)"
            for t in (f"t{param.index}" for param in self.op.tensors)
        ]
        lines = super()._guard()
        lines += self._unless("t0.inference or 0 in t0.array.strides")
        return [*lines, "if state.grad_enabled:", *_indented(self._unless(" or ".join(tracked)))]

    def _run(self) -> list[str]:
        """Ask the budget, run the kernel, and write what it gives."""
        reserve = self._reserve()
        asked = ["    if budget is not None:", f"        {reserve}"] if reserve else []
        return [
            "budget, journal = state.budget, state.journal",
            "try:", *asked, f"    array = kernel({self._given()})", "except CAUGHT:", f"    {self.form.fallback()}",
            "if type(array) is not ndarray:", "    array = asarray(array)",
            "if (array.shape != a0.shape or array.dtype is not dtype) and not fits(t0, array):",
            f"    {self.form.fallback()}",
            "if budget is not None:", "    budget.spend(array.nbytes)",
            "if journal is not None:", "    journal.touch(t0.storage)",
            "copyto(a0, array, 'unsafe')", "t0.storage.version += 1",
        ]  # fmt: skip

    def _record(self) -> list[str]:
        return ["return t0"]


class _ListCall(_Call):
    """The text of a call over a list of tensors, all of one dtype: ``a0`` are their arrays."""

    def __init__(self, op: Any) -> None:
        super().__init__(op)
        self.rank = "max([array.ndim for array in a0])"

    def _guard(self) -> list[str]:
        state = ["state is None", "state.recorder is not None", "state.inference"]
        guard = self._unless(" or ".join([*self.form.surprises(), *state, "type(t0) not in LISTS"]))
        return [*self.form.named(), "state = peek()", *guard]

    def _operands(self) -> list[str]:
        return ["a0 = arrays_of(t0, computable)", *self._unless("a0 is None")]

    def _run(self) -> list[str]:
        reserve = self._reserve()
        asked = ["if budget is not None:", f"    {reserve}"] if reserve else []
        return [
            "budget = state.budget", *asked,
            "try:", f"    array = kernel({self._given()})", "except EngineError:", "    raise",
            "except FAILURES as error:", "    raise op.refusal(error, a0) from error", "array = owned(array, a0)",
            "if budget is not None:", "    budget.spend(array.nbytes)", "out = result(array)",
        ]  # fmt: skip

    def _record(self) -> list[str]:
        static = [(param.name, f"s{param.index}") for param in self.op.statics]
        static += [(name, "[array.shape for array in a0]") for name in self.op.rules[0].shapes]
        values = ", ".join(["list(t0)", *[f"s{param.index}" for param in self.op.statics]])
        return [
            "if state.grad_enabled:",
            "    edges = tuple([edge_of(tensor) for tensor in t0])",
            "    if any(edges):",
            "        if array.dtype in DIFFERENTIABLE:",
            f"            {_display('static', static)}",
            "            specs, counts = ((array.shape, array.dtype),), (len(edges),)",
            "            out.node = recorded(op, static, edges, {}, specs, counts)",
            "    elif any([tensor.base is not None for tensor in t0]):",
            f"        op.record([{values}], (out,))",
            "return out",
        ]


# -- rules --------------------------------------------------------------------------------------------------------
def write_pull_back(op: Any, general: Callable[..., Any]) -> Callable[..., Any]:
    """How the cotangent of an op's one result becomes those of its inputs."""
    if not is_usual(op) or not op.rules or not all(_is_plain(op, rule) for rule in op.rules):
        return general
    saves = any(rule.saves for rule in op.rules)
    freed = " or node.saved is None" if saves else ""
    results = [f"rule{i}({', '.join(_asked(op, name) for name in rule.names)})" for i, rule in enumerate(op.rules)]
    if len(results) > 1:
        results = [f"{given} if needs[{i}] is not None else None" for i, given in enumerate(results)]
    body = [
        "g = cotangents[0]", f"if g is None{freed}:", "    return general(node, cotangents, needs)",
        f"return ({', '.join(results)},)",
    ]  # fmt: skip
    objects = {"general": general} | {f"rule{i}": rule.function for i, rule in enumerate(op.rules)}
    return _bound("pull_back(node, cotangents, needs)", body, objects)


def _is_plain(op: Any, rule: Rule) -> bool:
    return not rule.is_joint and not rule.is_list and not {"gs", "cotangents", "needs"} & set(rule.names)


def _asked(op: Any, name: str) -> str:
    if name in ("g", "written"):
        return {"g": "g", "written": "node.written"}[name]
    if any(param.optional and param.name == name for param in op.tensors):
        return f"node.fetch({name!r})"
    if name in op.output_names or name in op.tensor_names:
        return f"node.saved[{name!r}].unpack(node)"
    return f"node.static[{name!r}]"
