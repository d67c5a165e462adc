"""The factorisation by Householder reflections in its packed form, and products with the unitary matrix it means."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import ops, strides
from engine.errors import DimensionError, OpError
from engine.kernels import reflections
from engine.named_results import named_result
from engine.op import Array, composite, extents, primitive
from engine.ops.linalg.factorizations import check_kernel, cubic, identity
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.math.special import underivable_input
from engine.tensor import Tensor


# -- the factorisation --------------------------------------------------------------------------------------------
def _check_geqrf(input: Tensor) -> None:
    if input.array.ndim < 2:
        raise OpError("torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf_cpu", input)
    refuse_complex_history("geqrf", input)


@primitive(
    outputs=("a", "tau"), result=named_result("geqrf", "a", "tau"), check=_check_geqrf,
    layout=("columns", "contiguous"), scratch=3, work=lambda input: 2 * cubic(input),
)  # fmt: skip
def geqrf(input: Array) -> tuple[Array, ...]:
    """``R`` above the diagonal, the vectors of the reflections below it, and their factors ``tau``."""
    packed, tau = np.linalg.qr(input, "raw")
    return np.swapaxes(packed, -2, -1), tau


geqrf.vjp(input=underivable_input("geqrf"))


# -- the unitary matrix -------------------------------------------------------------------------------------------
def _check_reflections(name: str, input: Tensor, tau: Tensor) -> None:
    if tau.array.ndim != input.array.ndim - 1:
        raise OpError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.array.ndim} "
            f"and input.ndim is equal to {input.array.ndim}"
        )


def _check_batches(name: str, batch: tuple[int, ...], **others: tuple[int, ...]) -> None:
    for other, shape in others.items():
        if shape != batch:
            raise OpError(
                f"{name}: Expected batch dimensions of {other} to be equal to input.shape[:-2], but got {list(shape)}"
            )


def _check_factors(tau: Tensor) -> None:
    if not tau.array.ndim:
        raise DimensionError("Dimension specified as -1 but tensor has no dimensions")


def _check_product(input: Tensor, tau: Tensor) -> None:
    name = "torch.linalg.householder_product"
    if input.array.ndim < 2:
        raise OpError(f"{name}: input must have at least 2 dimensions.")
    _check_factors(tau)
    *batch, m, n = input.array.shape
    if m < n:
        raise OpError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if n < tau.array.shape[-1]:
        raise OpError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _check_reflections(name, input, tau)
    _check_batches(name, tuple(batch), tau=tau.array.shape[:-1])
    if tau.dtype is not input.dtype:
        raise OpError(f"{name}: tau dtype {tau.dtype.scalar_type} does not match input dtype {input.dtype.scalar_type}")
    check_kernel("orgqr_cpu", input)


def _reflection_scratch(input: Array, tau: Array, other: Array) -> int:
    return 4 * extents(input) + 4 * extents(other) + 4 * extents(tau) * tau.shape[-1]


@primitive(
    name="linalg.householder_product", grad_fn="LinalgHouseholderProductBackward0", check=_check_product,
    layout="columns", scratch=lambda input, tau: _reflection_scratch(input, tau, input),
    work=lambda input: 3 * cubic(input),
)  # fmt: skip
def householder_product(input: Array, tau: Array) -> Array:
    """The first columns of ``H_1 H_2 ... H_k``, as many as ``input`` has."""
    columns = np.broadcast_to(np.eye(*input.shape[-2:], dtype=input.dtype), input.shape)
    return reflections.reflected(input, tau, columns, False)


def _product_inputs(g: Any, input: Any, tau: Any, needs: Any) -> Any:
    if not input.array.size or not tau.array.size:
        return None, None
    m, n = input.array.shape[-2:]
    columns = ops.narrow(identity(m, input), -1, 0, n)
    return _reflection_inputs(g, columns if not input.dtype.is_complex else ops.cast(columns, input.dtype), input, tau)


def _reflection_inputs(g: Any, C: Any, input: Any, tau: Any, transposed: bool = False) -> Any:
    """From ``Y = C - V T V^H C``, with ``T^H`` in the place of ``T`` if ``transposed``, and ``(I + D S) T = D``."""
    count, columns = tau.array.shape[-1], input.array.shape[-1]
    eye = identity(count, input)
    V = ops.tril(ops.narrow(input, -1, 0, count), -1)
    V = V + ops.narrow(identity(input.array.shape[-2], input), -1, 0, count)
    D, S = ops.unsqueeze(tau, -1), ops.triu(ops.matmul(ops.adjoint(V), V), 1)
    coupling = eye + D * S
    T = ops.solve_triangular(coupling, ops.diag_embed(tau), upper=True, unitriangular=True)
    applied = ops.adjoint(T) if transposed else T
    seen, pulled = ops.matmul(ops.adjoint(V), C), ops.matmul(ops.adjoint(V), g)  # V^H C, V^H g
    g_V = -ops.matmul(g, ops.adjoint(ops.matmul(applied, seen)))
    g_V = g_V - ops.matmul(C, ops.adjoint(ops.matmul(ops.adjoint(applied), pulled)))
    g_T = -ops.matmul(pulled, ops.adjoint(seen))
    g_T = ops.adjoint(g_T) if transposed else g_T
    Z = ops.solve_triangular(ops.adjoint(coupling), g_T, upper=False, unitriangular=True)
    g_coupling = -ops.matmul(Z, ops.adjoint(T))
    g_tau = ops.diagonal(Z + ops.matmul(g_coupling, ops.adjoint(S)), 0, -2, -1)
    g_S = ops.triu(ops.conj(D) * g_coupling, 1)
    g_V = ops.tril(g_V + ops.matmul(V, g_S + ops.adjoint(g_S)), -1)
    return (ops.constant_pad_nd(g_V, (0, columns - count)) if columns > count else g_V), g_tau


householder_product.vjp_joint(_product_inputs)


@composite
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """``linalg.householder_product``."""
    return householder_product(input, input2)


# -- products with it ---------------------------------------------------------------------------------------------
def _check_ormqr(input: Tensor, input2: Tensor, input3: Tensor, left: bool) -> None:
    name = "torch.ormqr"
    for which, tensor in (("input", input), ("other", input3)):
        if tensor.array.ndim < 2:
            raise OpError(f"{name}: {which} must have at least 2 dimensions.")
    _check_factors(input2)
    side = -2 if left else -1
    if input2.array.shape[-1] != min(input3.array.shape[side], input.array.shape[-1]):
        raise OpError(f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    if input3.array.shape[side] != input.array.shape[-2]:
        raise OpError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    _check_reflections(name, input, input2)
    if input.array.ndim != input3.array.ndim:
        raise OpError(
            f"{name}: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
            f"{input3.array.ndim} and input.ndim is equal to {input.array.ndim}"
        )
    batch = input.array.shape[:-2]
    _check_batches(name, batch, tau=input2.array.shape[:-1], other=input3.array.shape[:-2])
    for which, tensor in (("tau", input2), ("other", input3)):
        if tensor.dtype is not input.dtype:
            raise OpError(
                f"{name}: Expected input and {which} to have the same dtype, but input has dtype"
                f"{input.dtype.scalar_type} and {which} has dtype {tensor.dtype.scalar_type}"
            )
    check_kernel("ormqr_cpu", input)


@primitive(
    check=_check_ormqr, layout="kernel",
    scratch=lambda input, input2, input3: _reflection_scratch(input, input2, input3),
    work=lambda input2, input3: 4 * input3.size * input2.shape[-1],
)  # fmt: skip
def ormqr(input: Array, input2: Array, input3: Array, left: bool = True, transpose: bool = False) -> Array:
    """``Q C``, or ``C Q`` if not ``left``, or with ``Q^H``; ``Q = H_1 H_2 ... H_k`` of ``input`` and ``input2``."""
    if left:
        return _columns(reflections.reflected(input, input2, input3, transpose))
    turned = np.conj(np.swapaxes(input3, -2, -1))
    return _columns(np.conj(np.swapaxes(reflections.reflected(input, input2, turned, not transpose), -2, -1)))


def _columns(result: Array) -> Array:
    return strides.relaid(result, strides.columns(result.shape))


def _ormqr_inputs(
    g: Any, input: Any, input2: Any, input3: Any, out: Any, left: Any, transpose: Any, needs: Any
) -> Any:  # fmt: skip
    """``out`` must not change."""
    g_other = ormqr(input, input2, g, left, not transpose) if needs[2] else None
    if not (needs[0] or needs[1]) or not input.array.size or not input2.array.size:
        return None, None, g_other
    if left:
        return *_reflection_inputs(g, input3, input, input2, transpose), g_other
    return *_reflection_inputs(ops.adjoint(g), ops.adjoint(input3), input, input2, not transpose), g_other


ormqr.vjp_joint(_ormqr_inputs)
