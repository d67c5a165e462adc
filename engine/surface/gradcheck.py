"""``gradcheck`` and ``gradgradcheck``: gradients beside finite differences.

Numerical derivatives are central differences. In the slow mode both are compared as whole Jacobians of shape
``(inputs, outputs)``; in the fast mode as ``u J v`` for one pair of random vectors, non-negative and of length 1.
A complex output is taken as two real ones; by a complex input the derivative is ``d/dx + i d/dy``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, registry
from engine.autograd import sweep
from engine.autograd.hooks import check_callable
from engine.autograd.tape import Node, edge_of, make_node
from engine.errors import (
    ArgumentValueError,
    AssertedError,
    GradcheckError,
    MissingAttributeError,
    OpError,
    UnsupportedError,
)
from engine.random import Generator
from engine.tensor import Tensor, read, spec_of

Function = Callable[..., Any]
Direction = Any  # a tensor, or a pair of them for real and imaginary parts

PRECISION = (
    "Input #{} requires gradient and is not a double precision floating point or complex. This check will likely fail "
    "if all the inputs are not of double precision floating point or complex. "
)
OVERLAP = (
    "The {}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping to be able "
    "to compute the numerical gradients correctly. You should call .contiguous on the input before passing it to "
    "gradcheck."
)
NO_INPUT = "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
NOT_REENTRANT = (
    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different "
    "values, although analytical gradient matches numerical gradient.The tolerance for nondeterminism was {}."
    "\n\nNOTE: If your op relies on non-deterministic operations i.e., it is listed here:\n"
    "https://pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html\n"
    "this failure might be expected.\n\n"
    "If you are adding a new operator, please file an issue and then use one of the\n"
    "workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck.\n"
    "If the test\n"
    "- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck\n"
    "  with `nondet_tol=<tol>` as a keyword argument.\n"
    "- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test\n"
    "  to have `gradcheck_nondet_tol=<tol>`.\n"
    "- is a Module test (e.g., in common_nn.py), then modify the corresponding\n"
    "  module_test entry to have `gradcheck_nondet_tol=<tol>`\n"
)
FAST = (
    "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
    "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
    "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
    "Numerical:\n {}\nAnalytical:\n{}\n\nThe max per-element difference (slow mode) is: {}.\n"
)
FAST_ONLY = (
    "Fast gradcheck failed but element-wise differences are small. This means that the\n"
    "test might've passed in slow_mode!\n\n"
    "If you are adding a new operator, please file an issue and then use one of the\n"
    "workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck:\n\n"
    "If the test\n"
    "- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck\n"
    "  with `fast_mode=False` as a keyword argument.\n"
    "- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test\n"
    "  to have `gradcheck_fast_mode=False`\n"
    "- is a Module test (e.g., in common_nn.py), then modify the corresponding\n"
    "  module_test entry to have `gradcheck_fast_mode=False`"
)
UNDEFINED = (
    "Backwards compatibility: New undefined gradient support checking feature is enabled by default, but it may break "
    "existing callers of this function. If this is true for you, you can call this function with "
    '"check_undefined_grad=False" to disable the feature'
)
NOTES = 'Please look at "Notes about undefined output gradients" in "tools/autograd/derivatives.yaml"'
UNDEFINED_FAILS = f"Expected backward function to handle undefined output grads. {NOTES}"
UNDEFINED_IS_SOMETHING = (
    "Expected all input grads to be undefined or zero when all output grads are undefined or zero. " + NOTES
)


# -- what users call ----------------------------------------------------------------------------------------------
def gradcheck(
    func: Function, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of ``func`` at ``inputs`` are what finite differences say.

    Raises ``GradcheckError`` if not, unless told otherwise.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertedError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertedError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertedError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    check_callable(func)
    _refuse(check_forward_ad=check_forward_ad, check_batched_grad=check_batched_grad)
    check = _Check(func, as_tuple(inputs), eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        check.run(check_undefined_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function, inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """The same of the gradients of ``func``, as functions of ``inputs`` and of ``grad_outputs`` (random ones)."""
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertedError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertedError("Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertedError("Setting check_batched_grad=True requires check_rev_over_rev to be True")
    check_callable(func)
    _refuse(check_fwd_over_rev=check_fwd_over_rev, check_batched_grad=check_batched_grad)
    given = as_tuple(inputs)
    if grad_outputs is None:
        cotangents = tuple(
            [_cotangent(output, gen_non_contig_grad_outputs) for output in _differentiable(func(*given))]
        )
    else:
        cotangents = as_tuple(grad_outputs)
    return gradcheck(
        _Gradient(func, given, cotangents), given + cotangents, eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol, check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes, fast_mode=fast_mode,
    )  # fmt: skip


def _refuse(**asked: bool) -> None:
    """What needs forward-mode derivatives or ``vmap``."""
    for name, is_asked in asked.items():
        if is_asked:
            raise UnsupportedError(f"gradcheck: {name}=True is not available")


class _Gradient:
    """The gradients of a function, as a function of its inputs and of the cotangents of its outputs."""

    def __init__(self, func: Function, inputs: tuple[Any, ...], cotangents: tuple[Any, ...]) -> None:
        self.func = func
        self.count = len(cotangents)
        self.requiring = [isinstance(one, Tensor) and one.requires_grad for one in (*inputs, *cotangents)]

    def __call__(self, *args: Any) -> tuple[Tensor, ...]:
        given = [
            one.requires_grad_() if is_requiring else one
            for one, is_requiring in zip(args, self.requiring, strict=True)
        ]
        inputs, cotangents = given[: -self.count], given[-self.count :]
        outputs = _differentiable(self.func(*inputs))
        wanted = [one for one, is_requiring in zip(inputs, self.requiring, strict=False) if is_requiring]
        gradients = sweep.grad(outputs, wanted, cotangents, create_graph=True, allow_unused=True)
        return tuple([gradient for gradient in gradients if gradient is not None])


def _cotangent(output: Tensor, is_gapped: bool) -> Tensor:
    """Random numbers between -1 and 1, in the shape of ``output``."""
    dtype = output.dtype if output.dtype.is_differentiable else dtypes.float64
    shape = (*output.shape[:-1], 2 * output.shape[-1]) if is_gapped and output.ndim else output.shape
    random = ops.empty(shape, dtype=dtype)
    registry.method("uniform_")(ops.view_as_real(random) if dtype.is_complex else random, -1, 1)  # type: ignore[misc]
    cotangent: Tensor = random[..., ::2] if is_gapped and output.ndim else random
    return cotangent.requires_grad_()


# -- functions of tensors -----------------------------------------------------------------------------------------
def as_tuple(value: Any) -> tuple[Any, ...]:
    """One value, or those of a list or tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _differentiable(outputs: Any) -> tuple[Tensor, ...]:
    for output in as_tuple(outputs):
        if not isinstance(output, Tensor):
            raise MissingAttributeError(f"'{type(output).__name__}' object has no attribute 'requires_grad'")
    return tuple([output for output in as_tuple(outputs) if output.requires_grad])


def _is_inexact(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.is_differentiable


def _part(func: Function, name: str) -> Function:
    """``func`` with the real or imaginary parts of its complex outputs."""

    def part(*inputs: Any) -> tuple[Any, ...]:
        return tuple(
            [registry.call(name, output) if output.dtype.is_complex else output for output in as_tuple(func(*inputs))]
        )

    return part


@dataclass(slots=True)
class _Check:
    """One call of ``gradcheck``."""

    func: Function
    inputs: tuple[Any, ...]
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool
    fast_mode: bool

    def run(self, check_undefined_grad: bool) -> None:
        """Raise ``GradcheckError`` for the first thing that is wrong."""
        self._check_inputs()
        result = self.func(*self.inputs)
        outputs = _differentiable(result)
        if any(output.dtype.is_complex for output in as_tuple(result)):
            complex_outputs = {number for number, output in enumerate(outputs) if output.dtype.is_complex}
            for name, shown in (("imag", "imaginary"), ("real", "real")):
                func = _part(self.func, name)
                self._compare(func, func(*self.inputs), complex_outputs, shown)
        else:
            self._compare(self.func, result, set(), "")
        self._check_is_linear(outputs)
        if check_undefined_grad:
            self._check_undefined(len(outputs))

    def _check_inputs(self) -> None:
        is_requiring = False
        for number, one in enumerate(self.inputs):
            if not (isinstance(one, Tensor) and one.requires_grad):
                continue
            if one.dtype not in (dtypes.float64, dtypes.complex128):
                modes.warn(PRECISION.format(number))
            if any(step == 0 and extent > 1 for step, extent in zip(one.array.strides, one.shape, strict=True)):
                raise OpError(OVERLAP.format(number))
            is_requiring = True
        if not is_requiring:
            raise ArgumentValueError(NO_INPUT)

    @property
    def wanted(self) -> list[Tensor]:
        """The inputs to differentiate by."""
        return [one for one in self.inputs if isinstance(one, Tensor) and one.requires_grad]

    def _compare(self, func: Function, result: Any, complex_outputs: set[int], part: str) -> None:
        outputs = _differentiable(result)
        pair = _Vectors(self.wanted, outputs) if self.fast_mode else None
        numerical = [
            self._numerical(func, as_tuple(result), wanted, pair and pair.inputs[place])
            for place, wanted in enumerate(self.wanted)
        ]
        if not outputs:
            self._check_zero(numerical)
        chosen = [number for number, output in enumerate(as_tuple(result)) if output.requires_grad]
        for number, output in enumerate(outputs):
            analytical = self._analytical(output, None if pair is None else pair.outputs[number])
            for place, found in enumerate(analytical):
                expected, atol = numerical[place][chosen[number]], self.atol
                if pair is not None:
                    found, expected = pair.projected(found, expected, place, number)
                    atol = pair.tolerance(atol, place, number)
                if not self._is_close(found, expected, atol):
                    prefix = f"While considering the {part} part of complex outputs only, "
                    text = (prefix if number in complex_outputs else "") + (
                        f"Jacobian mismatch for output {number} with respect to input {place},\n"
                        f"numerical:{expected}\nanalytical:{found}\n"
                    )
                    raise GradcheckError(text + (self._in_full(func, result, place, number) if pair else ""))

    def _is_close(self, one: Tensor, other: Tensor, atol: float) -> bool:
        dtype = dtypes.promote_types(one.dtype, other.dtype)
        return bool(registry.call("allclose", one.to(dtype), other.to(dtype), self.rtol, atol))

    def _in_full(self, func: Function, result: Any, place: int, number: int) -> str:
        """What the slow mode says where the fast one failed."""
        chosen = [position for position, output in enumerate(as_tuple(result)) if output.requires_grad]
        numerical = self._numerical(func, as_tuple(result), self.wanted[place], None)[chosen[number]]
        analytical = self._jacobian(_differentiable(result)[number])[place]
        difference = (numerical - analytical).abs().max()
        text = FAST.format(numerical, analytical, difference)
        is_close = registry.call("allclose", analytical, numerical, self.rtol, self.atol)
        return text + (FAST_ONLY if is_close else "")

    # -- numerical --------------------------------------------------------------------------------------------------
    def _numerical(
        self, func: Function, result: tuple[Any, ...], wanted: Tensor, u: Direction
    ) -> dict[int, Tensor]:  # fmt: skip
        """By position among the results of ``func``: the Jacobian, or its product with ``u``."""
        if u is not None:
            return self._along(func, wanted, wanted.data, u)
        numbers = [number for number, output in enumerate(result) if _is_inexact(output)]
        rows = [
            self._along(func, wanted, wanted.data[tuple(map(int, place))], 1.0) for place in np.ndindex(*wanted.shape)
        ]
        dtype = wanted.dtype if wanted.dtype.is_complex else None
        return {
            number: ops.stack([row[number].to(dtype or result[number].dtype) for row in rows])
            if rows else ops.zeros((0, result[number].numel()), dtype=dtype or result[number].dtype)
            for number in numbers
        }  # fmt: skip

    def _along(self, func: Function, wanted: Tensor, entry: Tensor, u: Direction) -> dict[int, Tensor]:
        """The derivative when ``entry``, part of an input, goes into the direction ``u``."""
        real, imaginary = u if isinstance(u, tuple) else (u, u)
        along = self._difference(func, entry, _shaped(real, entry) * self.eps)
        if not wanted.dtype.is_complex:
            return along
        across = self._difference(func, entry, _shaped(imaginary, entry) * self.eps * 1j)
        return {number: along[number] + across[number] * 1j for number in along}

    def _difference(self, func: Function, entry: Tensor, step: Any) -> dict[int, Tensor]:
        original, results = entry.clone(), []
        for moved in (original - step, original + step):
            entry.copy_(moved)
            results.append(tuple([one.clone() for one in as_tuple(func(*self.inputs))]))
        entry.copy_(original)
        found = {}
        for number, (below, above) in enumerate(zip(*results, strict=True)):
            for what, of_below, of_above in (("shape", below.shape, above.shape), ("dtype", below.dtype, above.dtype)):
                if of_below != of_above:
                    raise AssertedError(
                        f"Expected `func` to return outputs with the same {what} when inputs are perturbed by "
                        f"{self.eps}, but got: {what}s {of_below} and {of_above}."
                    )
            if _is_inexact(below):
                found[number] = ((above - below) / (2 * self.eps)).detach().reshape(-1)
        return found

    def _check_zero(self, numerical: list[dict[int, Tensor]]) -> None:
        for found in numerical:
            allowed = self.nondet_tol if self.fast_mode else 0
            if any(np.any(np.abs(read(jacobian)) > allowed) for jacobian in found.values()):
                raise GradcheckError("Numerical gradient for function expected to be zero")

    # -- analytical -------------------------------------------------------------------------------------------------
    def _analytical(self, output: Tensor, v: Tensor | None) -> list[Tensor]:
        """For each wanted input the Jacobian, or its product with ``v``; computed twice, for it might differ."""
        found, again = [self._jacobian(output, v, check_dtypes=self.check_grad_dtypes) for _ in range(2)]
        for one, other in zip(found, again, strict=True):
            if one.numel() and float((one - other).abs().max()) > self.nondet_tol:
                raise GradcheckError(NOT_REENTRANT.format(self.nondet_tol))
        return found

    def _jacobian(self, output: Tensor, v: Tensor | None = None, check_dtypes: bool = False) -> list[Tensor]:
        wanted = self.wanted
        if v is not None:
            rows = [self._gradients(output, v.reshape(output.shape))]
        else:
            rows = []
            for place in range(output.numel()):
                basis = ops.zeros(output.numel(), dtype=output.dtype)
                basis[place] = 1
                rows.append(self._gradients(output, basis.reshape(output.shape)))
        columns = [[_column(row[place], one, check_dtypes) for row in rows] for place, one in enumerate(wanted)]
        return [
            ops.stack(listed, 1) if listed else ops.zeros((one.numel(), 0), dtype=one.dtype)
            for listed, one in zip(columns, wanted, strict=True)
        ]

    def _gradients(self, output: Tensor, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        return sweep.grad(output, self.wanted, cotangent, retain_graph=True, allow_unused=True)

    # -- backward by itself -----------------------------------------------------------------------------------------
    def _check_is_linear(self, outputs: tuple[Tensor, ...]) -> None:
        """Zeros have to give zeros."""
        zeros = [ops.zeros(output.shape, dtype=output.dtype) for output in outputs]
        for gradient, wanted in zip(self._all_gradients(outputs, zeros), self.wanted, strict=True):
            if gradient is None:
                continue
            if np.any(read(gradient)):
                raise GradcheckError("backward not multiplied by grad_output")
            if gradient.dtype is not wanted.dtype:
                raise GradcheckError("grad is incorrect type")
            if gradient.shape != wanted.shape:
                raise GradcheckError("grad is incorrect size")

    def _all_gradients(self, outputs: Sequence[Tensor], cotangents: list[Tensor]) -> tuple[Tensor | None, ...]:
        if not outputs:
            return (None,) * len(self.wanted)
        return sweep.grad(tuple(outputs), self.wanted, cotangents, allow_unused=True)

    def _check_undefined(self, count: int) -> None:
        """Nothing at all has to give zeros or nothing; so has each output by itself."""
        self._check_without([_undefined(one) for one in _differentiable(self.func(*self.inputs))])
        for missing in range(count) if count > 1 else ():
            outputs = _differentiable(self.func(*self.inputs))
            self._check_without([_undefined(one) if n == missing else one for n, one in enumerate(outputs)])

    def _check_without(self, outputs: list[Tensor]) -> None:
        zeros = [ops.zeros(output.shape, dtype=output.dtype) for output in outputs]
        try:
            gradients = self._all_gradients(outputs, zeros)
        except RuntimeError as error:
            modes.warn(UNDEFINED)
            raise GradcheckError(UNDEFINED_FAILS) from error
        if any(gradient is not None and np.any(read(gradient)) for gradient in gradients):
            modes.warn(UNDEFINED)
            raise GradcheckError(UNDEFINED_IS_SOMETHING)


def _shaped(u: Any, entry: Tensor) -> Any:
    return u.reshape(entry.shape) if isinstance(u, Tensor) else u


def _column(gradient: Tensor | None, wanted: Tensor, check_dtypes: bool) -> Tensor:
    if gradient is None:
        return ops.zeros(wanted.numel(), dtype=wanted.dtype)  # type: ignore[no-any-return]
    if check_dtypes and gradient.dtype is not wanted.dtype:
        raise GradcheckError("Gradient has dtype mismatch")
    if gradient.shape != wanted.shape:
        raise GradcheckError("Analytical gradient has incorrect size")
    column: Tensor = gradient.reshape(-1).to(wanted.dtype)
    return column


class _Vectors:
    """The random vectors of the fast mode: one for each input, two if that is complex, and one for each output."""

    def __init__(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        generator = Generator()
        self.inputs: list[Direction] = [
            (_unit(one, generator), _unit(one, generator)) if one.dtype.is_complex else _unit(one, generator)
            for one in inputs
        ]
        self.outputs = [_unit(one, generator) for one in outputs]

    def projected(self, analytical: Tensor, numerical: Tensor, place: int, number: int) -> tuple[Tensor, Tensor]:
        """``u J v`` of both, for the input at ``place`` and the output ``number``."""
        u, v = self.inputs[place], self.outputs[number]
        column = analytical.reshape(-1)
        if isinstance(u, tuple):
            parts = registry.call("view_as_real", registry.call("resolve_conj", column))
            projected = parts.select(-1, 0).dot(u[0]) + 1j * parts.select(-1, 1).dot(u[1])
        else:
            projected = column.dot(u)
        return projected, (v * numerical).sum()

    def tolerance(self, atol: float, place: int, number: int) -> float:
        """``atol`` for a sum of all differences, each with its weight."""
        u = self.inputs[place]
        total = u[0].sum() + u[1].sum() if isinstance(u, tuple) else u.sum()
        return atol * float(total) * float(self.outputs[number].sum())


def _unit(like: Tensor, generator: Generator) -> Tensor:
    """A random vector of length 1, real, with an entry for each element."""
    dtype = {dtypes.complex128: dtypes.float64, dtypes.complex64: dtypes.float32}.get(like.dtype, like.dtype)
    vector = ops.rand(like.numel(), generator=generator).to(dtype)
    return vector / vector.norm()  # type: ignore[no-any-return]


# -- gradients that are not there ---------------------------------------------------------------------------------
class _UndefinedOp:
    """The op of nodes that pass nothing on."""

    name = "undefined_grad"
    grad_fn = "UndefinedGradBackward"
    static_names = ()
    rules = ()

    @staticmethod
    def pull_back(node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """Nothing."""
        return (None,)


UNDEFINED_OP = _UndefinedOp()
registry.add_op(UNDEFINED_OP.name, UNDEFINED_OP)


def _undefined(output: Tensor) -> Tensor:
    """The same values, with a node behind them that lets no cotangent through."""
    result: Tensor = output.detach()
    result.node = make_node(UNDEFINED_OP, {}, (edge_of(output),), {}, (spec_of(output.array),), (1,))
    return result


for _function in (gradcheck, gradgradcheck):
    registry.add_function(f"autograd.{_function.__name__}", _function)
registry.add_function("autograd.gradcheck.GradcheckError", GradcheckError)
registry.add_function("autograd.gradcheck.gradcheck", gradcheck)
registry.add_function("autograd.gradcheck.gradgradcheck", gradgradcheck)
