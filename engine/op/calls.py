"""Calls: the function behind each op, written from its declaration as straight-line Python.

A call binds its arguments, checks them, asks the op's ``Decision`` for the casts, runs the kernel, wraps what it gives
and records a node. Interpreting the declaration at each of these steps costs more than the arithmetic on small tensors
(figures: ``bench/RESULTS.md``), so the steps are written out once, with every question that the declaration answers
answered beforehand. There is no other path: what a call means is what is written here.

``t0`` is a tensor or number as given, ``a0`` its array, ``s1`` a static argument, ``d1`` its default, ``e0`` an edge.
The text consists of these, of parameter names of declarations, and of what stands here; an op's own objects are in a
closure, so ops of one form share one compiled text. Tracebacks show it (``linecache``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine import modes
from engine.autograd import inplace
from engine.autograd.tape import SavedNumber, edge_of, make_node, save
from engine.errors import EngineError
from engine.op import dispatch
from engine.op.alternatives import Overloads
from engine.op.binding import Form, refusing
from engine.op.outs import into_out
from engine.op.rules import about
from engine.op.signature import MISSING, Param
from engine.op.text import Text, indented, tuple_of
from engine.tensor import WEAK, Tensor, make_tensor, mark_inference

# What kernels raise for operands that they cannot take.
FAILURES = (ValueError, IndexError, TypeError, OverflowError, np.linalg.LinAlgError, ZeroDivisionError)

TEXT = Text({
    name: getattr(dispatch, name)
    for name in ("DIFFERENTIABLE", "NATIVE", "NUMBERS", "all_laid_out", "are_uniform", "array_of", "extent", "kind_of",
                 "kinds_of", "laid_out", "narrowed", "owned", "widened")
} | {
    "asarray": np.asarray, "assign": inplace.assign, "check_result": inplace.check_result,
    "check_history": inplace.check_history, "check_overlap": inplace.check_overlap,
    "check_target": inplace.check_target, "current": modes.current, "edge_of": edge_of, "EngineError": EngineError,
    "FAILURES": FAILURES, "into_out": into_out, "make_node": make_node, "make_tensor": make_tensor,
    "mark_inference": mark_inference, "MISSING": MISSING, "ndarray": np.ndarray, "peek": modes.peek,
    "rebase": inplace.rebase, "reinterpret": inplace.reinterpret, "reshape": inplace.reshape, "save": save,
    "SavedNumber": SavedNumber, "snapshot": inplace.snapshot, "Tensor": Tensor,
    "view_of": inplace.view_of, "weak": dispatch.as_operand,
})  # fmt: skip

WATCHED = ["if state.watch is not None:", "    state.watch.made(node)"]  # behind every node, once it has saved


def write_call(op: Any, operator: bool = False) -> Callable[..., Any]:
    """The call of a primitive; an ``operator`` answers ``NotImplemented`` to what is neither tensor nor number."""
    return _Call(op, op.signature).written(operator)


def write_inplace(op: Any, operator: bool = False) -> Callable[..., Any]:
    """The in-place call of a primitive: the result is written into the first argument, which is returned."""
    return _InPlaceCall(op, op.inplace_signature).written(operator)


class _Call:
    """The text of one primitive's call."""

    def __init__(self, op: Any, signature: Any) -> None:
        self.op = op
        self.name = signature.name
        self.listed: Overloads | None = op.listed
        self.form = Form(signature)
        self.is_promoting = op.promote is not None
        self.has_many = op.has_many
        self.has_lists = op.has_lists
        self.single = [param for param in op.tensors if not param.is_list]
        self.optional = {param.name for param in op.tensors if param.optional or param.default is None}
        self.loose = {param.name for param in op.tensors if param.name in op.numbers}  # may be numbers
        self.arrays = {p.name: f"a{p.index}" for p in op.tensors} | {p.name: f"s{p.index}" for p in op.statics}
        self.sources = self._sources()

    def written(self, operator: bool) -> Callable[..., Any]:
        """The function of this text."""
        op = self.op
        objects = {
            "op": op, "kernel": op.kernel, "decisions": op.decisions, "plain": op.plain, "NAME": self.name,
            "UNIT": (1,) * len(op.differentiable), **self.form.objects,
            **{f"p{param.index}": param for param in op.signature.params},
        }  # fmt: skip
        if op.outputs.result is not None:
            objects["result"] = op.outputs.result
        checks = {"check": op.check, "check_in_place": op.check_in_place}
        objects |= {role: asked.function for role, asked in checks.items() if asked is not None}
        objects["ask"] = op.forecast.ask
        for role in ("grows", "scratch", "work"):
            if getattr(op.forecast, role) is not None:
                objects[role] = getattr(op.forecast, role).function
        body = [
            *self.form.lines(),
            *self._operator(operator),
            "state = peek() or current()",
            *self._operands(),
            *self._target(),
        ]
        check, overlap, statics = self._check(), self._overlap(), self._statics()
        if op.nature.overlap_first:
            body += [*statics, *overlap, *check]
        elif op.check is not None and op.tensor_names.issuperset(op.check.names):  # before others are looked at
            body += [*check, *statics, *overlap]
        else:
            body += [*statics, *check, *overlap]
        body += [*self._compute(), *self._results()]
        text = refusing(None if operator else self.listed, self.form, body, objects, operator)
        return TEXT.function(self.form.header(), text, objects)

    def _operator(self, operator: bool) -> list[str]:
        if not operator:
            return []
        t = self.form.variable[self.form.params[1].name]
        return [f"if not isinstance({t}, Tensor) and type({t}) not in NUMBERS:", "    return NotImplemented"]

    def _sources(self) -> str:
        """The arrays of all operands, as a list."""
        items = [f"{'*' if param.is_list else ''}a{param.index}" for param in self.op.tensors]
        listed = f"[{', '.join(items)}]"
        return f"[one for one in {listed} if one is not None]" if self.optional else listed

    # -- arguments --------------------------------------------------------------------------------------------------
    def _operands(self) -> list[str]:
        """Tensors where tensors belong, and their arrays."""
        lines = []
        looks = "odd = " if self.op.follows_operands else ""
        for param in self.op.tensors:
            a, t, p = f"a{param.index}", f"t{param.index}", f"p{param.index}"
            if param.is_list:
                lines += [f"{t} = {p}.tensors(NAME, {t})", f"{a} = [tensor.array for tensor in {t}]"]
                lines += ["odd = True"] if looks else []
                continue
            lines += [f"if isinstance({t}, Tensor):", f"    {a} = {t}.array"]
            lines += [f"    {looks}{t}.odd"] if looks else []
            unseen = "odd = False; " if looks == "odd = " else ""
            if param.name in self.optional:
                lines += [f"elif {t} is None:", f"    {unseen}{a} = None"]
            if param.name in self.loose:
                number = f"{a} = None" if self.is_promoting else f"{t} = weak({t}); {a} = {t}.array"
                lines += [f"elif type({t}) in NUMBERS:", f"    {unseen}{number}"]
            lines += ["else:", f"    raise {p}.reject(NAME, 'Tensor', {t})"]
            looks = looks and "odd = odd or "
        return lines

    def _statics(self) -> list[str]:
        lines = []
        for param in self.op.statics:
            s = f"s{param.index}"
            convert = f"{s} = p{param.index}.static(NAME, {s}, {self._rank() if param.counts_dimensions else -1})"
            if param.convert is not None:
                always = param.counts_dimensions or param.default is MISSING
                lines += [convert] if always else [f"if {s} is not d{param.index}:", f"    {convert}"]
        return lines

    def _rank(self) -> str:
        """The rank of the first tensor that is there; of a list, the greatest."""
        if not self.op.tensors:
            return "-1"
        first = self.op.tensors[0]
        if first.is_list:
            return f"max([array.ndim for array in a{first.index}], default=0)"
        return f"(0 if a{first.index} is None else a{first.index}.ndim)" if first.name in self.loose else (
            f"a{first.index}.ndim")  # fmt: skip

    def _target(self) -> list[str]:
        """What an in-place call refuses about the history of the tensor it writes to."""
        return []

    def _overlap(self) -> list[str]:
        """What it refuses about the memory of that tensor."""
        return []

    def _check(self) -> list[str]:
        if self.op.check is None:
            return []
        return [f"check({', '.join(self._value(name) for name in self.op.check.names)})"]

    def _value(self, name: str) -> str:
        """The argument ``name``: a tensor, also where a number was given."""
        t = self.form.variable[name]
        if name not in self.loose or not self.is_promoting:
            return t
        is_right = f"isinstance({t}, Tensor)" + f" or {t} is None" * (name in self.optional)
        return f"({t} if {is_right} else weak({t}))"

    # -- the kernel -------------------------------------------------------------------------------------------------
    def _compute(self) -> list[str]:
        """Ask the budget, cast as decided, run the kernel: ``array``, or ``arrays`` if there may be several."""
        casts = self._casts()
        lines = [
            "budget = state.budget", *self._asked(), "narrow = overload = None" if casts else "narrow = None", *casts,
            "try:", f"    raw = kernel({self._passed()})", "except EngineError:", "    raise",
            "except FAILURES as error:", f"    raise op.refusal(error, {self.sources}) from error",
        ]  # fmt: skip
        lines += self._arrays() if self.has_many else self._array()
        spent = "sum([array.nbytes for array in arrays])" if self.has_many else "array.nbytes"
        times = " * len(arrays)" if self.has_many else ""
        if self.op.nature.view:  # the next result, or the next statement, finds what is too much
            return [*lines, "if budget is not None:", f"    budget.spent += {modes.VIEW_BYTES}{times}"]
        return [*lines, "if budget is not None:", f"    budget.spend({modes.TENSOR_BYTES}{times} + {spent})"]

    def _array(self) -> list[str]:
        values = f"{tuple_of(self.form.variable.values())}, {tuple_of(self.arrays[p.name] for p in self.form.params)}"
        return [
            "if type(raw) is not ndarray:", "    raw = asarray(raw)",
            "array = raw if narrow is None else narrowed(raw, narrow)",
            "if state.recorder is not None:", f"    state.recorder.ran(op, {values}, (raw,), (array,))",
        ]  # fmt: skip

    def _arrays(self) -> list[str]:
        values = f"{tuple_of(self.form.variable.values())}, {tuple_of(self.arrays[p.name] for p in self.form.params)}"
        return [
            "raw = [one if type(one) is ndarray else asarray(one) for one in raw]",
            "arrays = raw if narrow is None else [narrowed(one, narrow) for one in raw]",
            "if state.recorder is not None:", f"    state.recorder.ran(op, {values}, raw, arrays)",
        ]  # fmt: skip

    def _casts(self) -> list[str]:
        """What the decision says of the operands' dtypes; nothing where they are plain."""
        if self.op.nature.reads_storage:
            return ["a0 = t0.storage.flat.view(a0.dtype)"]
        if self.op.nature.view or not self.op.tensors:
            return []
        promoted = self.op.promoted if self.is_promoting else []
        others = [param for param in self.op.tensors if param not in promoted]
        lines = [line for param in others for line in self._widened(param)] if self.is_promoting else []
        condition = self._is_not_plain(promoted) if promoted else self._is_not_native()
        key = tuple_of(["state.shared.default_dtype", *map(self._kind, self.op.promoted)])
        operands = tuple_of(f"t{param.index}" for param in self.op.promoted)
        decided = [f"key = {key}", f"compute, narrow, overload = decisions.get(key) or op.decide(key, {operands})"]
        for param in self.op.statics:
            if param.name == "dtype":  # the caller said what comes out, and the kernel heeds it
                decided += [f"if s{param.index} is not None:", "    narrow = None"]
        for param in promoted or others:
            decided += self._cast(param) if promoted else self._widened(param)
        return [*lines, f"if {condition}:", *indented(decided)]

    def _is_not_plain(self, promoted: Sequence[Param]) -> str:
        """Whether operands have other dtypes than one common one that the kernel takes."""
        anchor = next((param for param in promoted if not param.is_list), None)
        conditions = []
        for param in promoted:
            a, t = f"a{param.index}", f"t{param.index}"
            if param.is_list:
                conditions.append(f"not are_uniform({t}, plain)")
                continue
            dtype = f"{a}.dtype not in plain" if param is anchor else f"{a}.dtype is not a{anchor.index}.dtype"  # type: ignore[union-attr]
            condition = f"{a} is None or " * (param.name in self.loose) + f"{dtype} or {t}.bits"
            conditions.append(f"({t} is not None and ({condition}))" if param.name in self.optional else condition)
        return " or ".join(conditions)

    def _is_not_native(self) -> str:
        conditions = []
        for param in self.op.tensors:
            a, t = f"a{param.index}", f"t{param.index}"
            if param.is_list:
                conditions.append(f"any([{self._is_not_taken('tensor.array', 'tensor')} for tensor in {t}])")
            else:
                there = f"{a} is not None and " * (param.name in self.optional)
                conditions.append(f"{there}({self._is_not_taken(a, t)})")
        return " or ".join(conditions)

    def _is_not_taken(self, a: str, t: str) -> str:
        """Whether kernels do not take the array of a tensor as it is."""
        return f"{a}.dtype not in NATIVE or {t}.bits > {WEAK}"

    def _kind(self, param: Param) -> str:
        a, t = f"a{param.index}", f"t{param.index}"
        if param.is_list:
            return f"kinds_of({t})"
        if param.name in self.optional:
            return f"kind_of({t})"
        plain = f"({a}.dtype if {a}.ndim and {t}.bits != {WEAK} else kind_of({t}))"
        return f"(type({t}) if {a} is None else {plain})" if param.name in self.loose else plain

    def _cast(self, param: Param) -> list[str]:
        a, t = f"a{param.index}", f"t{param.index}"
        if param.is_list:
            return [f"{a} = [array_of(tensor, compute) for tensor in {t}]"]
        cast = f"{a} = array_of({t}, compute)"
        if param.name in self.optional:
            return [f"if {t} is not None:", f"    {cast}"]
        condition = f"if {a}.dtype is not compute or {t}.bits > {WEAK}:"
        if param.name not in self.loose:
            return [condition, f"    {cast}"]
        number = f"{a} = asarray({t}, compute) if type({t}) is float else array_of({t}, compute)"
        return [f"if {a} is None:", f"    {number}", f"el{condition}", f"    {cast}"]

    def _widened(self, param: Param) -> list[str]:
        a, t = f"a{param.index}", f"t{param.index}"
        if param.is_list:
            return [f"{a} = [widened(tensor) for tensor in {t}]"]
        there = f"{a} is not None and " * (param.name in self.optional)
        return [f"if {there}({self._is_not_taken(a, t)}):", f"    {a} = widened({t})"]

    def _passed(self) -> str:
        """What the kernel is given."""
        return ", ".join(f"{p.name}=" * p.keyword_only + self.arrays[p.name] for p in self.form.params)

    def _asked(self) -> list[str]:
        """The question to the budget, if there is one. What is small is only counted, once it is there."""
        forecast = self.op.forecast
        if self.op.nature.view and forecast.grows is None:
            return []
        said = [
            f"{role}={role}({', '.join(self._measured(name) for name in asked.names)})"
            for role in ("grows", "scratch", "work") if (asked := getattr(forecast, role)) is not None
        ]  # fmt: skip
        said += [f"dtype=s{param.index}" for param in self.op.statics if param.name == "dtype"]
        items = [f"{'*' if param.is_list else ''}a{param.index}" for param in self.op.tensors]
        listed = f"[{', '.join(items)}]"
        if self.optional or self.loose:
            listed = f"[one for one in {listed} if one is not None]"
        condition = "budget is not None" + (f" and {self._is_large()}" if forecast.is_open and self.single else "")
        return [f"if {condition}:", f"    ask({', '.join(['budget', listed, *said])})"]

    def _measured(self, name: str) -> str:
        """An argument as the declaration's functions of costs get it: a number where there is no array."""
        array = self.arrays[name]
        return f"(t{array[1:]} if {array} is None else {array})" if name in self.loose else array

    def _is_large(self) -> str:
        """Whether the result may have more elements than those that need not be asked for; no elements may, too."""
        if self.has_lists:
            return "True"
        sizes = [
            f"(1 if a{param.index} is None else a{param.index}.size)"
            if param.name in self.optional or param.name in self.loose else f"a{param.index}.size"
            for param in self.op.tensors
        ]  # fmt: skip
        if self.op.nature.pointwise or self.op.costs.is_product or len(sizes) == 1:
            return f"not 0 < {' * '.join(sizes)} <= budget.unasked"
        return f"not ({' and '.join(sizes)} and {' + '.join(sizes)} <= budget.unasked)"

    # -- results ----------------------------------------------------------------------------------------------------
    def _results(self) -> list[str]:
        """Tensors over the results, as outputs of a node if an input is part of a graph."""
        lines = self._outputs() if self.has_many else self._output()
        if self.op.differentiable:
            lines += self._recorded()
        if self.op.outputs.result is not None:
            return [*lines, "return result(*outs)"]
        return [*lines, "return outs" if self.has_many else "return out"]

    def _output(self) -> list[str]:
        if self.op.nature.view:
            reinterpreted = ["reinterpret(out, t0, op)"] if self.op.nature.reinterprets else []
            return [f"out = view_of(t0, array, False, {self.op.nature.reinterprets})", *reinterpreted]
        same = "".join(f" or array is a{param.index}" for param in self.single)
        return [
            f"if array.base is not None{same}:", f"    array = owned(array, {self.sources})", *self._layout(),
            "if state.inference:", "    mark_inference(out)",
        ]  # fmt: skip

    def _outputs(self) -> list[str]:
        if self.op.nature.view:
            return ["outs = tuple([view_of(t0, array, True) for array in arrays])"]
        return [
            f"sources = {self.sources}", "arrays = [owned(array, sources) for array in arrays]",
            f"outs = all_laid_out(op, arrays, {self._given()})", "arrays = [out.array for out in outs]",
            "if state.inference:", "    for out in outs:", "        mark_inference(out)",
        ]  # fmt: skip

    def _layout(self) -> list[str]:
        """``out`` over ``array``, once that lies in memory as PyTorch has it; unless something is odd, it does."""
        laid_out = f"out = laid_out(op, array, {self._given()}); array = out.array"
        if self.op.layout in ("columns", "kernel"):
            return [laid_out]
        unless = ["odd"] if self.op.follows_operands else ["1 in array.shape", "not array.size"]
        unless += [] if self.op.nature.pointwise and self.op.follows_operands else ["not array.flags.c_contiguous"]
        return [f"if {' or '.join(unless)}:", f"    {laid_out}", "else:", "    out = make_tensor(array)"]

    def _given(self) -> str:
        """All operands, and their arrays."""
        return ", ".join(
            tuple_of(f"{'*' if param.is_list else ''}{letter}{param.index}" for param in self.op.tensors)
            for letter in "ta"
        )

    # -- recording --------------------------------------------------------------------------------------------------
    def _recorded(self) -> list[str]:
        """A node, if an input is part of a graph and an output can be."""
        make = self._node(self._specs())
        if self.has_many:
            constant = [name in self.op.outputs.constant for name in self.op.outputs.outputs]
            others = f" and number not in {[n for n, one in enumerate(constant) if one]}" * any(constant)
            make += ["for number, out in enumerate(outs):", f"    if out.array.dtype in DIFFERENTIABLE{others}:",
                     "        out.node, out.output_number = node, number"]  # fmt: skip
        else:
            make += ["out.node = node"]
        return self._if_recorded([*make, *WATCHED])

    def _if_recorded(self, make: list[str]) -> list[str]:
        differentiable = "array.dtype in DIFFERENTIABLE"
        if self.has_many:
            some = f"any([{differentiable} for array in arrays])"
            differentiable = f"(arrays and arrays[0].dtype in DIFFERENTIABLE or {some})"
        tracked = f"if ({self._is_tracked()}) and ({self._is_normal()}):"
        return [f"if state.grad_enabled and {differentiable}:", *indented([*self._edges(), tracked, *indented(make)])]

    def _specs(self) -> str:
        if self.has_many:
            return "tuple([(out.array.shape, out.array.dtype) for out in outs])"
        return "((array.shape, array.dtype),)"

    def _edges(self) -> list[str]:
        """Where the cotangent of each differentiable input goes; of what a node made and is no view, without a call."""
        lines = []
        for param in self.op.differentiable:
            e, t = f"e{param.index}", f"t{param.index}"
            if param.is_list:
                lines.append(f"{e} = [edge_of(tensor) for tensor in {t}]")
            else:
                maybe = param.name in self.loose or param.name in self.optional
                edge = f"({t}.node, {t}.output_number) if {t}.node is not None and {t}.base is None else edge_of({t})"
                lines.append(f"{e} = {edge}" if not maybe else f"{e} = ({edge}) if isinstance({t}, Tensor) else None")
        return lines

    def _has_edge(self, param: Param) -> str:
        return f"any(e{param.index})" if param.is_list else f"e{param.index} is not None"

    def _is_tracked(self) -> str:
        """Whether an input has an edge, or requires grad without one: a view that was made without recording."""
        unrecorded = []
        for param in self.op.differentiable:
            t = f"t{param.index}"
            if param.is_list:
                unrecorded.append(f"any([tensor.base is not None and tensor.requires_grad for tensor in {t}])")
            else:
                maybe = param.name in self.loose or param.name in self.optional
                unrecorded.append(
                    f"isinstance({t}, Tensor) and " * maybe + f"{t}.base is not None and {t}.requires_grad"
                )
        return " or ".join([*map(self._has_edge, self.op.differentiable), *unrecorded])

    def _is_normal(self) -> str:
        """Whether not all operands are tensors of inference mode: of these alone nothing is recorded."""
        normal = []
        for param in self.op.tensors:
            t = f"t{param.index}"
            if param.is_list:
                normal.append(f"any([not tensor.inference for tensor in {t}])")
            elif param.name in self.loose:
                normal.append(f"not isinstance({t}, Tensor) or not {t}.inference")
            else:
                normal.append(f"{t} is not None and " * (param.name in self.optional) + f"not {t}.inference")
        return " or ".join(normal)

    def _node(self, specs: str) -> list[str]:
        """The node of the call as ``node``: it keeps what the rules of inputs that need a cotangent ask for."""
        differentiable = self.op.differentiable
        edges = tuple_of(f"{'*' if param.is_list else ''}e{param.index}" for param in differentiable)
        counts = "UNIT"
        if self.op.has_lists:
            counts = tuple_of(f"len(t{param.index})" if param.is_list else "1" for param in differentiable)
        static = [(param.name, f"s{param.index}", None) for param in self.op.statics]
        lines = [*self._kept("static", static + self._shapes()), *self._kept("saved", self._saves())]
        if self.op.nature.underivable:
            edges = f"tuple([edge for edge in {edges} if edge is not None])"
        lines.append(f"node = make_node(op, static, {edges}, saved, {specs}, {counts})")
        lines += ["if budget is not None:", f"    budget.spent += {modes.NODE_BYTES}"]
        if self.op.overloads:
            where = " and state.in_rule" if self.op.naming.rule_grad_fn else ""
            lines += [
                f"if overload is not None{where}:",
                "    node.op, node.edges = overload, overload.edges(node.edges)",
            ]
        return lines

    def _kept(self, target: str, entries: list[tuple[str, str, str | None]]) -> list[str]:
        """A dictionary of entries, some of them on a condition."""
        always = [f"{name!r}: {value}" for name, value, condition in entries if condition is None]
        lines = [f"{target} = {{{', '.join(always)}}}"]
        for name, value, condition in entries:
            lines += [] if condition is None else [f"if {condition}:", f"    {target}[{name!r}] = {value}"]
        return lines

    def _wanted(self, kind: str) -> list[tuple[str, str | None]]:
        """What rules ask for, each with the condition that one of them will run; in the order of the signature."""
        asked: dict[str, list[Any]] = {}
        for rule in self.op.rules:
            for name in getattr(rule, kind):
                asked.setdefault(name, []).append(rule)
        place = {param.name: param.index for param in self.op.signature.params}
        names = sorted(asked, key=lambda name: place.get(about(name), len(place)))
        return [(name, self._condition(asked[name])) for name in names]

    def _condition(self, rules: Sequence[Any]) -> str | None:
        params = {param.name: param for rule in rules for param in rule.params}
        if len(params) == len(self.op.differentiable):
            return None  # one of them needs a cotangent, or there would be no node
        return " or ".join(map(self._has_edge, params.values()))

    def _shapes(self) -> list[tuple[str, str, str | None]]:
        return [(name, self._shape(name), condition) for name, condition in self._wanted("shapes")]

    def _shape(self, name: str) -> str:
        tensor = about(name)
        if name.endswith("_geometry"):
            return f"tuple({self._value(tensor)}.geometry)"
        if name.endswith("_dtype"):
            return f"{self._value(tensor)}.dtype"
        t = self.form.variable[tensor]
        if name.endswith("_shapes"):
            return f"[tensor.array.shape for tensor in {t}]"
        return f"{'a' if tensor in self.loose else 't'}{t[1:]}{'' if tensor in self.loose else '.array'}.shape"

    def _saves(self) -> list[tuple[str, str, str | None]]:
        return [(name, self._saved(name), condition) for name, condition in self._wanted("saves")]

    def _saved(self, name: str) -> str:
        if name in self.op.outputs.outputs and name not in self.op.tensor_names:  # an input may be called ``out`` too
            number = self.op.outputs.outputs.index(name)
            output_nr = None if name in self.op.outputs.constant else number
            return f"save({f'outs[{number}]' if self.has_many else 'out'}, None, {output_nr})"
        param = next(param for param in self.op.tensors if param.name == name)
        t = f"t{param.index}"
        if param.is_list:
            return f"[save(tensor, edge_of(tensor)) for tensor in {t}]"
        return self._saved_input(param, t)

    def _saved_input(self, param: Param, t: str) -> str:
        saved = f"save({t}, {f'e{param.index}' if param in self.op.differentiable else f'edge_of({t})'})"
        if param.name in self.loose and self.is_promoting:
            saved = f"{saved} if isinstance({t}, Tensor) else SavedNumber({t})"
        return f"None if {t} is None else {saved}" if param.name in self.optional else saved


class _InPlaceCall(_Call):
    """The text of a call that writes its result into ``t0``.

    The node is made before the write, so that what it saves has the version from before; the value of the target
    itself is kept as a copy. Only a saved output has the version from after the write.
    """

    def __init__(self, op: Any, signature: Any) -> None:
        super().__init__(op, signature)
        self.listed = op.listed and op.listed.in_place()
        self.loose = self.loose - {op.tensors[0].name} if op.tensors else self.loose  # nothing is written to a number

    def _target(self) -> list[str]:
        if not self.op.differentiable:
            return ["tracked = False"]
        tracked = f"tracked = state.grad_enabled and ({self._requires_grad()}) and ({self._is_normal()})"
        return [tracked, "if tracked:", "    check_history(t0)", *indented(self._edges())]

    def _overlap(self) -> list[str]:
        others = tuple_of(f"{'*' if param.is_list else ''}t{param.index}" for param in self.op.tensors[1:])
        is_view = self.op.nature.view  # which writes nothing
        overlap, repeats = "none" if is_view else self.op.nature.overlap, is_view or self.op.nature.repeats
        return [f"check_overlap(t0, {others}, {overlap!r}, {repeats!r})"]

    def _check(self) -> list[str]:
        own = self.op.check_in_place
        return super()._check() if own is None else [f"check_in_place({', '.join(map(self._value, own.names))})"]

    def _compute(self) -> list[str]:
        computed = super()._compute()
        if not self.op.nature.pointwise:
            return computed
        # Before the op's own refusals counts that the result would not fit.
        values = tuple_of(f"t{param.index}" for param in self.op.tensors)
        return ["try:", *indented(computed), "except EngineError:", f"    op.check_fits({values}); raise"]

    def _requires_grad(self) -> str:
        conditions = []
        for param in self.op.differentiable:
            t = f"t{param.index}"
            if param.is_list:
                conditions.append(f"any([tensor.requires_grad for tensor in {t}])")
            else:
                maybe = param.name in self.loose or param.name in self.optional
                conditions.append(f"isinstance({t}, Tensor) and " * maybe + f"{t}.requires_grad")
        return " or ".join(conditions)

    def _results(self) -> list[str]:
        if self.op.nature.view:
            make = [*self._node(self._specs()), "node.is_inplace = True", *WATCHED]
            record = self._if_recorded(make) if self.op.differentiable else []
            return ["node = None", *record, "reshape(t0, array, node)", "return t0"]
        lines = ["check_result(t0, array.shape, array.dtype)", "node = None"]
        if self.op.differentiable:
            node = [*self._node("((t0.array.shape, t0.array.dtype),)"), "node.is_inplace = True"]
            lines += ["if tracked and t0.array.dtype in DIFFERENTIABLE:", *indented(node)]
        outputs = [name for name, _ in self._wanted("saves") if name not in self.op.tensor_names]
        saves = [f"    node.saved[{name!r}] = save(t0, None, 0)" for name in outputs]
        recorded = ["if node is not None:", *saves, *indented(WATCHED), "    rebase(t0, node)"]
        return [*lines, "assign(t0, array)", *recorded, "return t0"]

    def _saves(self) -> list[tuple[str, str, str | None]]:
        return [entry for entry in super()._saves() if entry[0] in self.op.tensor_names]  # outputs after the write

    def _saved_input(self, param: Param, t: str) -> str:
        return f"snapshot(t0, e{param.index})" if param.index == 0 and param in self.op.differentiable else (
            super()._saved_input(param, t))  # fmt: skip
