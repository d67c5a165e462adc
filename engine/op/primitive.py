"""Primitive: an op with a kernel of its own and rules for its derivatives; what its declaration means, sorted once.

How it is called is written in ``engine.op.calls``; what its operands' dtypes decide is a ``Decision`` made here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from typing import Any

from engine import dtypes, modes, registry
from engine.autograd import inplace
from engine.dtypes import BOOL, COMPLEX, FLOATING, INTEGER, DType
from engine.errors import OpError, UnsupportedError
from engine.op import callables, calls, outs
from engine.op.alternatives import overloads_of
from engine.op.costs import Forecast
from engine.op.dispatch import NUMBERS, Decision, Kind, NumberOverload, kind_of, promotable
from engine.op.rules import AskedByName, Rule, underivable, write_pull_back
from engine.op.signature import PYTHON_FUNCTIONS, Signature, shown_name
from engine.op.traits import sort_flags
from engine.shapes import broadcast_pair, check_broadcast
from engine.tensor import Tensor

MOST_DECISIONS = 4096  # of one op; clients choose the dtypes
_CATEGORIES = {"b": BOOL, "i": INTEGER, "f": FLOATING, "c": COMPLEX}
_NUMBER = dtypes.rank_of(0, True)
NOT_IMPLEMENTED = "torch::autograd::NotImplemented"


class Primitive(callables.Op):
    """An op with a kernel of its own. Call it with tensors; declare its rules with ``vjp``.

    ``flags`` are the fields of the groups in ``engine.op.traits``.
    """

    def __init__(self, kernel: Callable[..., Any], name: str, **flags: Any) -> None:
        super().__init__()
        self.nature, self.costs, self.dtypes, self.arguments, self.outputs, self.naming = sort_flags(flags)
        self.name = self.__name__ = name
        self.__doc__ = kernel.__doc__
        self.kernel = kernel
        self.signature = Signature(kernel, self.naming.shown_as or shown_name(name))
        self.signature.takes_out, self.signature.is_python = name in outs.NAMES, name in PYTHON_FUNCTIONS
        self.signature.out = self.outputs.out or "cast" * self.nature.pointwise
        self.grad_fn = NOT_IMPLEMENTED if self.nature.underivable else self.naming.grad_fn or derived_grad_fn(name)
        self.inplace_grad_fn = self.naming.inplace_grad_fn or self.grad_fn
        self.listed = overloads_of(self.name)
        self.gives_mask = kernel.__annotations__.get("return") == "Mask"
        self.has_many = self.outputs.many or len(self.outputs.outputs) > 1
        self.check = _asked(self.arguments.check)
        self.check_in_place = _asked(self.arguments.check_in_place)
        self._sort_parameters()
        self._sort_dtypes()
        self.layout = self.nature.layout or ("operands" if self.nature.pointwise else "contiguous")
        self.follows_operands = self.layout in ("operands", "tensors", "input") and not self.has_many
        self.forecast = Forecast(self)
        self.is_linear = self.nature.linear or self.nature.view
        self.is_total = self.nature.total or (self.is_linear and len(self.differentiable) == len(self.tensors))
        self.rules: list[Rule] = []
        if self.nature.underivable:
            self.vjp_joint(underivable(self.signature.name))
        if self.nature.steps:
            self.vjp(**{param.name: _zeros for param in self.differentiable})
        self.overloads = self._number_overloads()
        self.inplace = InPlace(self)
        self.pull_back: Callable[..., Sequence[Tensor | None]] = self._first_pull_back

    @cached_property
    def inplace_signature(self) -> Signature:
        """That of the in-place variant."""
        signature = self.signature.named(f"{self.signature.name}_")
        signature.takes_out = False
        return signature

    def _sort_parameters(self) -> None:
        params = self.signature.params
        self.tensors = [param for param in params if param.is_tensor]
        self.statics = [param for param in params if not param.is_tensor]
        self.keyword_only = [param for param in params if param.keyword_only]
        self.tensor_names = {param.name for param in self.tensors}
        self.static_names = {param.name for param in self.statics}
        self.promoted = [param for param in self.tensors if param.kind in ("Array", "Arrays")]
        without_rule = {*self.arguments.nondifferentiable, *(p.name for p in self.tensors if p not in self.promoted)}
        self.differentiable = [param for param in self.tensors if param.name not in without_rule]
        self.has_lists = any(param.is_list for param in self.tensors)
        numbers = self.arguments.numbers
        if numbers is None:
            numbers = tuple(param.name for param in self.promoted[1:]) if self.nature.pointwise else ()
        self.numbers = frozenset(numbers)

    def _sort_dtypes(self) -> None:
        """Which dtypes the kernel takes; ``plain`` are those that operands of this one dtype need no cast for."""
        supports = self.dtypes.supports
        self.promote = self.dtypes.promote or ("default" if self.nature.pointwise else None)
        self.kernel_name = self.dtypes.kernel_name or f"{self.name}_cpu"
        self._categories = frozenset(_CATEGORIES[letter.lower()] for letter in supports if letter != "h")
        self._supports_half, self._supports_complex_half = "F" not in supports, "h" in supports
        lowest = FLOATING if self.promote == "int_to_float" else BOOL
        self.plain = frozenset(
            dtype.numpy for dtype in dtypes.ALL
            if dtype.opmath is dtype and dtype.category >= lowest and dtype.category in self._categories
        )  # fmt: skip
        self.decisions: dict[tuple[Any, ...], Decision] = {}

    def _number_overloads(self) -> dict[str, NumberOverload]:
        """By the inputs that are numbers then: all of one name together, unless these are all inputs there are."""
        names = self.naming.rule_grad_fn or self.naming.number_grad_fn
        made: dict[str, NumberOverload] = {}
        for name, grad_fn in names.items():
            together = [other for other in names if names[other] == grad_fn]
            numbers = together if len(together) < len(self.differentiable) else [name]
            same = made.get(numbers[0])
            made[name] = same or NumberOverload(self, grad_fn, numbers, bool(self.naming.rule_grad_fn))
        return made

    # -- declaration ----------------------------------------------------------------------------------------------
    def vjp(self, **rules: Callable[..., Any]) -> None:
        """Declare the rule of each differentiable input, in terms of the names in the module docstring of ``ops``."""
        by_name = {param.name: param for param in self.differentiable}
        for name in rules:
            if name not in by_name:
                raise TypeError(f"{self.name!r} has no differentiable input {name!r}")
        missing = [name for name in by_name if name not in rules]
        if missing:
            raise TypeError(f"{self.name!r} has neither a rule for {missing} nor calls them nondifferentiable")
        self.rules = [Rule(self, rules[name], [by_name[name]], False) for name in by_name]

    def vjp_joint(self, function: Callable[..., Any]) -> None:
        """Declare one rule for all differentiable inputs; ``needs`` tells it which cotangents count."""
        self.rules = [Rule(self, function, self.differentiable, True)]

    # -- calls ----------------------------------------------------------------------------------------------------
    def write(self, operator: bool = False) -> Callable[..., Any]:
        """The call as a plain function; an ``operator`` answers ``NotImplemented`` to foreign operands."""
        return calls.write_call(self, operator)

    def _first_pull_back(self, *args: Any) -> Sequence[Tensor | None]:
        self.pull_back = write_pull_back(self)
        return self.pull_back(*args)  # type: ignore[no-any-return]

    def decide(self, key: tuple[Any, ...], operands: Sequence[Any]) -> Decision:
        """What follows from the kinds in ``key`` (the default dtype before them).

        Raises ``OpError`` for shapes that do not broadcast, ``UnsupportedError`` for a dtype without a kernel.
        """
        default, *kinds = key
        compute, common = None, None
        if self.promote is not None:
            common = self.common_dtype(kinds, default)
            if not self.supports(common):
                self._refuse(common, operands)
            compute = common.opmath.numpy
        elif not self.nature.view:
            common = next((dtype for dtype, _ in promotable(kinds) if dtype.is_floating_point), None)
        narrow = common if common is not None and common.opmath is not common else None
        decision = Decision(compute, narrow, self._overload_of(kinds))
        if len(self.decisions) < MOST_DECISIONS:
            self.decisions[key] = decision
        return decision

    def common_dtype(self, kinds: Sequence[Kind], default: DType) -> DType:
        """The dtype that operands of these kinds promote to."""
        common = dtypes.result_type(tuple(promotable(kinds)), default)
        return default if self.promote == "int_to_float" and common.category < FLOATING else common

    def _overload_of(self, kinds: Sequence[Kind]) -> NumberOverload | None:
        """What is recorded where a number is among the operands; of several overloads the last."""
        overload = None
        for param, kind in zip(self.promoted, kinds, strict=True):
            is_wrapped = not self.naming.rule_grad_fn and isinstance(kind, tuple) and kind[1] == _NUMBER
            if kind in NUMBERS or is_wrapped:
                overload = self.overloads.get(param.name, overload)
        return overload

    # -- refusals -------------------------------------------------------------------------------------------------
    def supports(self, dtype: DType) -> bool:
        """Whether there is a kernel for operands that promote to ``dtype``."""
        if dtype.category not in self._categories:
            return False
        if dtype is dtypes.complex_half:
            return self._supports_complex_half
        return self._supports_half or dtype.opmath is dtype

    def check_supported(self, dtype: DType) -> None:
        """Refuse a dtype the kernel does not exist for, in PyTorch's words."""
        if not self.supports(dtype):
            error = UnsupportedError(f"\"{self.kernel_name}\" not implemented for '{dtype.scalar_type}'")
            error.dtype = dtype
            raise error

    def _refuse(self, dtype: DType, operands: Sequence[Any]) -> None:
        """Refuse shapes that do not broadcast, else the dtype."""
        if self.nature.pointwise:
            result_shape(operands)
        self.check_supported(dtype)

    def check_fits(self, operands: Sequence[Any]) -> None:
        """Refuse what a pointwise op would write into its first operand if it has another shape or dtype."""
        kinds = [kind_of(operands[param.index]) for param in self.promoted]
        dtype = self.common_dtype(kinds, modes.current().default_dtype)
        target = operands[0]
        inplace.check_result(target, result_shape(operands), target.array.dtype if self.gives_mask else dtype.numpy)

    def refusal(self, error: Exception, arrays: Sequence[Any]) -> OpError:
        """What a kernel's error is to the caller; shapes that do not broadcast are refused in PyTorch's words."""
        if self.nature.pointwise:
            check_broadcast(arrays)
        if "could not be broadcast together" in str(error) or "cannot be broadcast to a single" in str(error):
            reduce(broadcast_pair, map(extents_in, re.findall(r"\(([\d, ]*)\)", str(error))))
        return OpError(f"{self.signature.name}(): {error}")

    def __repr__(self) -> str:
        return f"<op {self.name}>"


class InPlace(callables.Op):
    """The in-place variant of a primitive: computes, and writes the result into the first argument."""

    def __init__(self, op: Primitive) -> None:
        super().__init__()
        self.op = op

    def write(self, operator: bool = False) -> Callable[..., Any]:
        """The call as a plain function."""
        return calls.write_inplace(self.op, operator)


def extents_in(text: str) -> tuple[int, ...]:
    """A shape as NumPy's messages have it, without parentheses."""
    return tuple(int(extent) for extent in text.split(",") if extent)


def result_shape(operands: Sequence[Any]) -> tuple[int, ...]:
    """The shape that tensors and numbers broadcast to; ``None`` among them does not count."""
    arrays = [one.array for one in operands if isinstance(one, Tensor)]
    return check_broadcast(arrays) if arrays else ()


def _asked(function: Callable[..., Any] | None) -> AskedByName | None:
    return None if function is None else AskedByName(function)


def _zeros(g: Tensor) -> Any:
    """The cotangent of an input that the result does not change with."""
    return registry.op("zeros_of")(g)


def derived_grad_fn(name: str) -> str:
    """PyTorch's node name for an op: ``log_softmax`` -> ``LogSoftmaxBackward0``."""
    words = name.rpartition(".")[2].split("_")
    return "".join(word[:1].upper() + word[1:] for word in words) + "Backward0"
