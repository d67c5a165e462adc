"""Primitive: an op with a kernel of its own, and the one path every call of it takes.

The call path binds the arguments, promotes, runs the kernel, wraps what comes out and records a node. Nothing else
computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes
from engine.autograd import inplace
from engine.autograd.tape import Node, Saved, edge_of
from engine.dtypes import BOOL, COMPLEX, FLOATING, INTEGER, DType
from engine.errors import ArgumentTypeError, EngineError, OpError, UnsupportedError
from engine.op import dispatch
from engine.op.rules import Question, Rule, about
from engine.op.signature import Array, Param, Signature
from engine.shapes import check_broadcast
from engine.tensor import Spec, Tensor, spec_of, weak

_RANKS = {"b": BOOL, "i": INTEGER, "u": INTEGER, "f": FLOATING, "c": COMPLEX}  # by NumPy's kind
_CATEGORIES = {"b": BOOL, "i": INTEGER, "f": FLOATING, "c": COMPLEX}


class Primitive(dispatch.Op):
    """An op with a kernel of its own. Call it with tensors; declare its rules with ``vjp``."""

    def __init__(
        self, kernel: Callable[..., Any], name: str, *, pointwise: bool = False, promote: str | None = None,
        view: bool = False, linear: bool = False, grad_fn: str | None = None, inplace_grad_fn: str | None = None,
        nondifferentiable: tuple[str, ...] = (), outputs: tuple[str, ...] = ("out",), result: Any = None,
        numbers: tuple[str, ...] | None = None, supports: str = "bifch", kernel_name: str | None = None,
        grows: Callable[..., int] | None = None, data_dependent: Any = False, random: bool = False,
        many: bool = False, reads_storage: bool = False, number_grad_fn: dict[str, str] | None = None,
        check: Callable[..., None] | None = None,
        shown_as: str | None = None, idempotent: bool = False, total: bool = False,
        layout_only: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__()
        self.name = name
        self.__name__ = name
        self.__doc__ = kernel.__doc__
        self.kernel = kernel
        self.signature = Signature(kernel, shown_as or name.rpartition(".")[2])
        self.written_signature = Signature(kernel, f"{self.signature.name}_")
        self.gives_mask = kernel.__annotations__.get("return") == "Mask"
        self.pointwise, self.view = pointwise, view
        self.linear = linear or view
        self.promote = promote or ("default" if pointwise else None)
        self.grad_fn = grad_fn or derived_grad_fn(name)
        self.inplace_grad_fn = inplace_grad_fn or self.grad_fn
        self.output_names, self.result = outputs, result
        self.categories = frozenset(_CATEGORIES[letter.lower()] for letter in supports if letter != "h")
        self.supports_half = "F" not in supports
        self.supports_complex_half = "h" in supports
        self.kernel_name = kernel_name or f"{name}_cpu"
        self.grows = Question(grows) if grows else None
        self.check = Question(check) if check else None
        self.data_dependent = Question(data_dependent) if callable(data_dependent) else data_dependent
        self.random = random
        self.many, self.reads_storage = many, reads_storage
        self.idempotent = idempotent  # may write several times to one place
        self.is_total = total  # no values make the kernel raise: a plan may leave it out
        self.layout_only = layout_only  # inputs whose values do not count
        self.number_grad_fn = number_grad_fn or {}
        self._lay_out(nondifferentiable, numbers)
        self.inplace = InPlace(self)
        self.pull_back: Callable[..., Sequence[Tensor | None]] = self._first_pull_back

    def _lay_out(self, nondifferentiable: tuple[str, ...], numbers: tuple[str, ...] | None) -> None:
        """Sort the parameters into tensors and statics, once."""
        params = self.signature.params
        self.tensors = [param for param in params if param.is_tensor]
        self.statics = [param for param in params if not param.is_tensor]
        self.tensor_names = {param.name for param in self.tensors}
        self.static_names = {param.name for param in self.statics}
        self.dtype_index = next((param.index for param in self.statics if param.name == "dtype"), None)
        self.promoted = [param for param in self.tensors if param.kind in ("Array", "Arrays")]
        self.nondifferentiable = set(nondifferentiable) | {
            param.name for param in self.tensors if param.kind in ("Index", "Mask")
        }
        self.differentiable = [param for param in self.tensors if param.name not in self.nondifferentiable]
        self.numbers = set(numbers) if numbers is not None else self._default_numbers()
        self.keyword_only = [param for param in params if param.keyword_only]
        self.has_lists = any(param.is_list for param in self.tensors)
        self.is_total |= self.linear and len(self.differentiable) == len(self.tensors)
        self.rules: list[Rule] = []
        self._place_of = {param.name: param.index for param in params}
        self._unit_counts = (1,) * len(self.differentiable)
        self._unit_spans = [(i, i + 1) for i in range(len(self.differentiable))]
        self._tensor_indices = [param.index for param in self.tensors]
        self._is_simple = (
            self.pointwise and not self.has_lists and all(p.kind == "Array" and not p.optional for p in self.tensors)
        )
        lowest = FLOATING if self.promote == "int_to_float" else BOOL
        self._computable = {
            dtype.numpy for dtype in dtypes.ALL
            if dtype.opmath is dtype and dtype.category >= lowest and dtype.category in self.categories
        }  # fmt: skip

    def _default_numbers(self) -> set[str]:
        return {param.name for param in self.promoted[1:]} if self.pointwise else set()

    # -- declaration ----------------------------------------------------------------------------------------------
    def vjp(self, **rules: Callable[..., Any]) -> None:
        """Declare the rule of each differentiable input, in terms of the names in the module docstring of ``ops``."""
        by_name = {param.name: param for param in self.differentiable}
        for name in rules:
            if name not in by_name:
                raise TypeError(f"{self.name!r} has no differentiable input {name!r}")
        self.rules = [Rule(self, rules[name], [by_name[name]], False) for name in by_name if name in rules]
        self._check_rules()

    def vjp_joint(self, function: Callable[..., Any]) -> None:
        """Declare one rule for all differentiable inputs; ``needs`` tells it which cotangents count."""
        self.rules = [Rule(self, function, self.differentiable, True)]

    def _check_rules(self) -> None:
        ruled = {param.name for rule in self.rules for param in rule.params}
        missing = [param.name for param in self.differentiable if param.name not in ruled]
        if missing:
            raise TypeError(f"{self.name!r} has neither a rule for {missing} nor calls them nondifferentiable")

    # -- the call path --------------------------------------------------------------------------------------------
    def write(self, general: Callable[..., Any]) -> Callable[..., Any]:
        return dispatch.write_call(self, general)

    def _first_pull_back(self, *args: Any) -> Sequence[Tensor | None]:
        self.pull_back = dispatch.write_pull_back(self, self.general_pull_back)
        return self.pull_back(*args)  # type: ignore[no-any-return]

    def general(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self.signature.bind(dispatch.given(args), kwargs))

    def run(self, values: list[Any]) -> Any:
        """The call once every parameter has its value: the path that every call can take."""
        values = self.prepare(values)
        outputs = self.wrap(values, self.evaluate(values))
        if modes.current().grad_enabled:
            self.record(values, outputs)
        if self.result is not None:
            return self.result(*outputs)
        return outputs if self.many or len(self.output_names) > 1 else outputs[0]

    def prepare(self, values: list[Any], name: str = "") -> list[Any]:
        """Tensors where tensors belong, static arguments checked and normalised; ``name`` is for error messages."""
        name = name or self.signature.name
        for param in self.tensors:
            if type(values[param.index]) is not Tensor or self.has_lists:
                values[param.index] = self._as_tensor(param, values[param.index], name)
        if self.statics:
            self._prepare_statics(values, name)
        if self.check is not None:
            self.check({param.name: values[param.index] for param in self.signature.params})
        return values

    def _prepare_statics(self, values: list[Any], name: str) -> None:
        ndim = self._rank(values)
        for param in self.statics:
            value = values[param.index]
            if value is not param.default or param.counts_dimensions:
                values[param.index] = param.static(name, value, ndim)

    def _rank(self, values: list[Any]) -> int:
        """The rank of the first tensor that is there; of a list, the greatest."""
        for param in self.tensors:
            value = values[param.index]
            if type(value) is list:
                return max((t.array.ndim for t in value), default=0)
            if value is not None:
                return value.array.ndim  # type: ignore[no-any-return]
        return -1

    def _as_tensor(self, param: Param, value: Any, name: str) -> Any:
        if param.is_list:
            return self._as_tensors(param, value, name)
        if isinstance(value, Tensor):
            return value
        if value is None and (param.optional or param.default is None):
            return None
        if param.name in self.numbers and dtypes.python_type(value) is not None:
            return weak(value)
        raise param.reject(name, "Tensor", value)

    def _as_tensors(self, param: Param, value: Any, name: str) -> list[Tensor]:
        if not isinstance(value, list | tuple):
            raise param.reject(name, "tuple of Tensors", value)
        for position, element in enumerate(value):
            if not isinstance(element, Tensor):
                raise ArgumentTypeError(
                    f"expected Tensor as element {position} in argument {param.index}, but got {type(element).__name__}"
                )
        return list(value)

    def evaluate(self, values: list[Any]) -> tuple[Array, ...]:
        """Run the kernel on the promoted arrays; its results as arrays."""
        arrays = list(values)
        low = None if self._take_uniform(arrays) else self._promote_into(arrays, values)
        budget = modes.current().budget
        if budget is not None:
            self._reserve(budget, arrays)
        raw = results = self._run_kernel(arrays)
        if low is not None:
            results = tuple(r.astype(low.numpy) if r.dtype == low.opmath.numpy else r for r in results)
        recorder = modes.current().recorder
        if recorder is not None:
            recorder.ran(self, values, arrays, raw, results)
        if budget is not None and not self.view:
            budget.spend(sum(result.nbytes for result in results))
        return results

    def _run_kernel(self, arrays: list[Any]) -> tuple[Array, ...]:
        try:
            if self.keyword_only:
                split = len(arrays) - len(self.keyword_only)
                named = {param.name: arrays[param.index] for param in self.keyword_only}
                result = self.kernel(*arrays[:split], **named)
            else:
                result = self.kernel(*arrays)
        except (EngineError, MemoryError):
            raise
        except dispatch.FAILURES as error:
            raise self.refusal(error, arrays) from error
        if type(result) is np.ndarray:
            return (result,)
        return tuple(np.asarray(r) for r in result) if type(result) in (tuple, list) else (np.asarray(result),)

    def refusal(self, error: Exception, arrays: Sequence[Any]) -> OpError:
        """What a kernel's error is to the caller; shapes that do not broadcast are refused in PyTorch's words."""
        if self.pointwise:
            check_broadcast([array for array in arrays if isinstance(array, np.ndarray)])
        return OpError(f"{self.signature.name}(): {error}")

    def _take_uniform(self, arrays: list[Any]) -> bool:
        """The common case: single tensors of one dtype that the kernel computes in, and numbers that yield to it.

        They are replaced by arrays.
        """
        if not self._is_simple:
            return False
        common: Any = None
        for index in self._tensor_indices:
            tensor = arrays[index]
            if tensor.weak:
                continue
            dtype = tensor.array.dtype
            if (common is not None and dtype is not common) or dtype not in self._computable:
                return False
            common = dtype
        if common is None:
            return False
        rank = _RANKS[common.kind]
        if any(arrays[index].weak and _RANKS[arrays[index].array.dtype.kind] > rank for index in self._tensor_indices):
            return False
        for index in self._tensor_indices:
            array = arrays[index].array
            arrays[index] = array if array.dtype is common else array.astype(common)
        return True

    def _promote_into(self, arrays: list[Any], values: list[Any]) -> DType | None:
        """Replace tensors by arrays of the compute dtype; the 16-bit dtype to go back to, if there is one."""
        common = self.common_dtype(values) if self.promote is not None else None
        if common is not None and not self.supports(common):
            self._refuse(common, values)
        for param in self.tensors:
            value = values[param.index]
            if value is None:
                continue
            target = common if param.kind in ("Array", "Arrays") else None
            arrays[param.index] = (
                [self._array(t, target) for t in value] if param.is_list else self._array(value, target)
            )
        if self.dtype_index is not None and values[self.dtype_index] is not None:
            return None  # the caller said what comes out, and the kernel heeds it
        low = common if common is not None else self._low_dtype(values)
        return low if low is not None and low.opmath is not low else None

    def _array(self, tensor: Tensor, common: DType | None) -> Array:
        array = tensor.array
        if self.reads_storage:
            return tensor.storage.flat.view(array.dtype)
        if self.view:
            return array
        target = (dtypes.of(array) if common is None else common).opmath.numpy
        return array if array.dtype == target else array.astype(target)

    def _low_dtype(self, values: list[Any]) -> DType | None:
        if self.view:
            return None
        for param in self.promoted:
            value = values[param.index]
            for tensor in value if param.is_list else (value,):
                if tensor is not None and tensor.dtype.is_floating_point:
                    return tensor.dtype  # type: ignore[no-any-return]
        return None

    def common_dtype(self, values: list[Any]) -> DType:
        """The dtype that the operands promote to."""
        operands: list[tuple[DType, int]] = []
        for param in self.promoted:
            value = values[param.index]
            operands += [
                (dtypes.of(tensor.array), dtypes.rank_of(tensor.array.ndim, tensor.weak))
                for tensor in (value if param.is_list else (value,))
                if tensor is not None
            ]
        default = modes.current().default_dtype
        common = dtypes.result_type(tuple(operands), default)
        return default if self.promote == "int_to_float" and common.category < FLOATING else common

    def supports(self, dtype: DType) -> bool:
        """Whether there is a kernel for operands that promote to ``dtype``."""
        if dtype.category not in self.categories:
            return False
        if dtype is dtypes.complex_half:
            return self.supports_complex_half
        return self.supports_half or dtype.opmath is dtype

    def check_supported(self, dtype: DType) -> None:
        """Refuse a dtype the kernel does not exist for, in PyTorch's words."""
        if not self.supports(dtype):
            raise UnsupportedError(f"\"{self.kernel_name}\" not implemented for '{dtype.scalar_type}'")

    def _refuse(self, dtype: DType, values: list[Any]) -> None:
        """Refuse shapes that do not broadcast, else the dtype."""
        if self.pointwise:
            self.result_shape(values)
        self.check_supported(dtype)

    def result_shape(self, values: list[Any]) -> tuple[int, ...]:
        """The shape that the tensors of a pointwise op broadcast to."""
        given = [values[param.index] for param in self.tensors if values[param.index] is not None]
        return check_broadcast([tensor.array for tensor in given])

    def _reserve(self, budget: modes.Budget, arrays: list[Any]) -> None:
        """Ask the budget before an output may grow beyond the inputs."""
        if self.grows is not None:
            named = {param.name: arrays[param.index] for param in self.signature.params}
            budget.reserve(int(self.grows(named)), 0 if self.view else 8)
        elif self.pointwise and len(self.tensors) > 1:
            operands = [arrays[param.index] for param in self.tensors if arrays[param.index] is not None]
            budget.reserve(prod(check_broadcast(operands)), 8)

    # -- results --------------------------------------------------------------------------------------------------
    def wrap(self, values: list[Any], arrays: tuple[Array, ...]) -> tuple[Tensor, ...]:
        """Tensors over the results: views of the first input's storage, or owners of their own."""
        if self.view:
            return tuple(inplace.view_of(values[0], array, self.many, self.grad_fn) for array in arrays)
        outputs = tuple([Tensor(self._owned(array, values)) for array in arrays])
        if modes.current().inference:
            for output in outputs:
                output.inference = True
        return outputs

    def _owned(self, array: Array, values: list[Any]) -> Array:
        """``array``, or a copy if it looks into memory of an input or is not dense."""
        if array.base is None:
            for index in self._tensor_indices:
                if type(values[index]) is list or (values[index] is not None and values[index].array is array):
                    break
            else:
                return array
        return dispatch.owned(array, self._source_arrays(values))

    def _source_arrays(self, values: list[Any]) -> list[Array]:
        sources: list[Array] = []
        for param in self.tensors:
            value = values[param.index]
            if param.is_list:
                sources.extend(t.array for t in value)
            elif value is not None:
                sources.append(value.array)
        return sources

    def record(self, values: list[Any], outputs: Sequence[Tensor]) -> None:
        """Make the outputs parts of the graph, if an input is."""
        if not self.is_tracked(values):
            return
        node = self.node(values, tuple([spec_of(output.array) for output in outputs]), outputs)
        if node is None:
            return
        for number, output in enumerate(outputs):
            if output.dtype.is_differentiable:
                output.node, output.output_nr = node, number

    def is_tracked(self, values: list[Any]) -> bool:
        """Whether a differentiable input is part of a graph."""
        return any(tensor is not None and tensor.requires_grad for tensor in self._differentiable_tensors(values))

    def node(
        self, values: list[Any], specs: tuple[Spec, ...], outputs: Sequence[Tensor] = (),
        saved_as: dict[str, Tensor] | None = None, *, written: bool = False,
    ) -> Node | None:  # fmt: skip
        """The node of a call with these values, or ``None`` if no input needs one.

        ``saved_as`` replaces inputs where they are saved (an in-place write saves what was there before).
        """
        tensors = self._differentiable_tensors(values)
        edges = [None if tensor is None else edge_of(tensor) for tensor in tensors]
        if not any(edges) and not any(_requires_unrecorded(tensor) for tensor in tensors):
            return None
        if not any(dtypes.from_numpy(dtype).is_differentiable for _, dtype in specs):
            return None
        static = {param.name: values[param.index] for param in self.statics}
        for name, grad_fn in self.number_grad_fn.items():
            if getattr(values[self._place_of[name]], "weak", False):
                static["grad_fn"] = grad_fn
        node = Node(self, static, tuple(edges), {}, specs, self._counts(values))
        node.written = written
        self._save(node, values, outputs, saved_as or {})
        return node

    def _differentiable_tensors(self, values: list[Any]) -> list[Tensor | None]:
        tensors: list[Tensor | None] = []
        for param in self.differentiable:
            value = values[param.index]
            tensors.extend(value if param.is_list else (value,))
        return tensors

    def _counts(self, values: list[Any]) -> tuple[int, ...]:
        """How many edges each differentiable parameter has."""
        if not self.has_lists:
            return self._unit_counts
        return tuple(len(values[param.index]) if param.is_list else 1 for param in self.differentiable)

    def _save(self, node: Node, values: list[Any], outputs: Sequence[Tensor], saved_as: dict[str, Tensor]) -> None:
        """Keep what the rules of the inputs that need a cotangent ask for, and nothing else."""
        saved: dict[str, Any] = {}
        for rule, (start, stop) in zip(self.rules, self._spans(node), strict=True):
            if not (rule.shapes or rule.saves) or all(edge is None for edge in node.edges[start:stop]):
                continue
            for name in rule.shapes:
                node.static[name] = self._shape(name, values)
            for name in rule.saves:
                if name not in saved:
                    saved[name] = self._saved(name, values, outputs, saved_as)
        node.saved = saved

    def _saved(self, name: str, values: list[Any], outputs: Sequence[Tensor], saved_as: dict[str, Tensor]) -> Any:
        if name in self.output_names and name not in self.tensor_names:  # an input may be called ``out`` too
            number = self.output_names.index(name)
            return Saved(outputs[number], None, number)
        param = next(param for param in self.tensors if param.name == name)
        value = saved_as.get(name, values[param.index])
        if value is None:
            return None
        return [Saved(t, edge_of(t)) for t in value] if param.is_list else Saved(value, edge_of(value))

    def _shape(self, name: str, values: list[Any]) -> Any:
        tensor_name = about(name)
        value = next(values[param.index] for param in self.tensors if param.name == tensor_name)
        if name.endswith("_geometry"):
            return tuple(value.geometry)
        if name.endswith("_dtype"):
            return value.dtype
        return [t.array.shape for t in value] if isinstance(value, list) else value.array.shape

    def _spans(self, node: Node) -> list[tuple[int, int]]:
        """Which edges belong to each rule."""
        if self.rules and self.rules[0].is_joint:
            return [(0, len(node.edges))]
        if not self.has_lists:
            return self._unit_spans
        spans, start = [], 0
        for count in node.counts:
            spans.append((start, start + count))
            start += count
        return spans

    def general_pull_back(
        self, node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]
    ) -> Sequence[Tensor | None]:
        """Apply the rules of the inputs that need a cotangent."""
        results: list[Tensor | None] = []
        for rule, (start, stop) in zip(self.rules, self._spans(node), strict=True):
            wanted = needs[start:stop]
            if not any(wanted):
                results.extend([None] * (stop - start))
            elif rule.is_list or rule.is_joint:
                results.extend(rule(node, cotangents, wanted))
            else:
                results.append(rule(node, cotangents, wanted))
        return results

    # -- variants -------------------------------------------------------------------------------------------------
    def history(self, *args: Any) -> Node | None:
        """The node that a call would record, without running the kernel; for views whose result exists already."""
        values = self.prepare(self.signature.bind(args, {}))
        return self.node(values, ((tuple(args[1]), values[0].array.dtype),))

    def __repr__(self) -> str:
        return f"<op {self.name}>"


class InPlace(dispatch.Op):
    """The in-place variant of a primitive: computes, and writes the result into the first argument."""

    def __init__(self, op: Primitive) -> None:
        super().__init__()
        self.op = op

    def write(self, general: Callable[..., Any]) -> Callable[..., Any]:
        return dispatch.write_inplace(self.op, general)

    def general(self, *args: Any, **kwargs: Any) -> Any:
        return inplace.write(self.op, self.op.written_signature.bind(dispatch.given(args), kwargs))


def _requires_unrecorded(tensor: Tensor | None) -> bool:
    """Whether it is a view of a tracked tensor that was made without recording: it requires grad, too."""
    return tensor is not None and tensor.base is not None and tensor.requires_grad


def derived_grad_fn(name: str) -> str:
    """PyTorch's node name for an op: ``log_softmax`` -> ``LogSoftmaxBackward0``."""
    words = name.rpartition(".")[2].split("_")
    return "".join(word[:1].upper() + word[1:] for word in words) + "Backward0"
