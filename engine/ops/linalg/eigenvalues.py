"""Eigenvalues of square matrices that need not be Hermitian, and the exponential of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import modes, ops
from engine.errors import OpError
from engine.kernels.exponential import exponential
from engine.named_results import named_result
from engine.op import Array, composite, primitive
from engine.ops.linalg.factorizations import check_floating, check_kernel, check_square, cubic, inverse_gaps
from engine.tensor import Tensor

PHASES = (
    "linalg_eig_backward: The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. The "
    "specified loss function depends on this quantity, so it is ill-defined."
)


# -- eigenvalues and eigenvectors ---------------------------------------------------------------------------------
def _check_eig(input: Tensor, name: str) -> None:
    check_square(name, input)
    if not input.dtype.is_differentiable:
        raise OpError(f"Unknown Complex ScalarType for {input.dtype.scalar_type}")
    check_kernel("linalg_eig_out_cpu", input)


@primitive(
    public=False, grad_fn="LinalgEigBackward0", outputs=("eigenvalues", "eigenvectors"), check=_check_eig,
    layout=("contiguous", "columns"), scratch=8, work=lambda input: 100 * cubic(input),
)  # fmt: skip
def eigenpairs(input: Array, name: str) -> tuple[Array, ...]:
    """Complex eigenvalues, and eigenvectors of length 1 as columns: ``A V = V diag(w)``."""
    if not np.isfinite(input).all():
        raise OpError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    values, vectors = np.linalg.eig(input)
    dtype = np.result_type(input.dtype, np.complex64)
    return values.astype(dtype, copy=False), vectors.astype(dtype, copy=False)


def _eig_input(cotangents: Any, input_dtype: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    """``V^-H (diag(g_w) + (V^H g_V - V^H V diag(Re V^H g_V)) / E^*) V^H``, ``E[i, j] = w[j] - w[i]`` (C. Boeddeker et
    al., "On the computation of complex-valued gradients with application to statistically optimum beamforming", 2017,
    equation 4.77).
    """
    g_values, g_vectors = cotangents
    back = ops.adjoint(eigenvectors)
    if g_vectors is None:
        if g_values is None:
            return None
        return _matching(ops.solve(back, ops.unsqueeze(g_values, -1) * back), input_dtype)
    turned = ops.matmul(back, g_vectors)
    diagonal = ops.diagonal(turned, 0, -2, -1)
    if input_dtype.is_complex:
        diagonal = ops.free_of_phases(diagonal)
    turned = turned - ops.matmul(back, eigenvectors * ops.unsqueeze(ops.real(diagonal), -2))
    core = turned * ops.conj(inverse_gaps(eigenvalues))
    if g_values is not None:
        core = core + ops.diag_embed(g_values)
    return _matching(ops.solve(back, ops.matmul(core, back)), input_dtype)


def _matching(cotangent: Any, dtype: Any) -> Any:
    return cotangent if dtype.is_complex else ops.real(cotangent)


eigenpairs.vjp(input=_eig_input)


@primitive(public=False)
def free_of_phases(input: Array) -> Array:
    """``input``, whose imaginary parts have to vanish: they tell how a loss depends on phases of eigenvectors."""
    if not np.allclose(input.imag, 0, rtol=1e-2, atol=1e-2):
        raise OpError(PHASES)
    return input.copy()


free_of_phases.vjp(input=lambda g: g)
EIG = named_result("linalg_eig", "eigenvalues", "eigenvectors")


@composite(name="linalg.eig")
def eig(input: Tensor) -> Any:
    """Eigenvalues, in LAPACK's order, and eigenvectors as columns; both complex."""
    return EIG(*eigenpairs(input, "linalg.eig"))


@composite(name="linalg.eigvals")
def eigvals(input: Tensor) -> Tensor:
    """The eigenvalues, complex, in LAPACK's order."""
    is_recorded = input.requires_grad and modes.is_grad_enabled()  # then PyTorch asks for vectors, too
    return eigenpairs(input, "linalg.eig" if is_recorded else "linalg.eigvals")[0]


# -- exponential --------------------------------------------------------------------------------------------------
def _check_exponent(input: Tensor) -> None:
    check_square("linalg.matrix_exp", input)
    check_floating("linalg.matrix_exp", input)


@primitive(
    name="linalg.matrix_exp", grad_fn="LinalgMatrixExpBackward0", check=_check_exponent, scratch=10,
    work=lambda input: 40 * cubic(input),
)  # fmt: skip
def linalg_matrix_exp(input: Array) -> Array:
    """The exponential of square matrices; NaN where one is not finite."""
    is_finite = np.isfinite(input).all((-2, -1))
    if is_finite.all():
        return exponential(input)
    result = np.full_like(input, np.nan)
    result[is_finite] = exponential(input[is_finite])
    return result


def _exponent_input(g: Any, input: Any) -> Any:
    """The upper right block of ``exp([[A^H, g], [0, A^H]])`` (R. Mathias, "A chain rule for matrix functions and
    applications", 1996, theorem 2.1).
    """
    n = input.array.shape[-1]
    back = ops.adjoint(input)
    above = ops.cat([back, g], -1)
    below = ops.cat([ops.zeros_like(back), back], -1)
    return ops.narrow(ops.narrow(linalg_matrix_exp(ops.cat([above, below], -2)), -2, 0, n), -1, n, n)


linalg_matrix_exp.vjp(input=_exponent_input)


@composite
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices."""
    return linalg_matrix_exp(input)
