"""Linear algebra beyond its samples: batches against single matrices, what is refused, and what has no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine.errors import LinAlgError, OpError, UnsupportedError
from engine.kernels import pivoting
from engine.tensor import Tensor
from tests.engine.checks import gradcheck, gradgradcheck

torch: Any = engine


def random(*shape: int, seed: int = 0, requires_grad: bool = False) -> Tensor:
    values = np.random.default_rng(seed).standard_normal(shape)
    made: Tensor = torch.tensor(values.tolist(), dtype=torch.float64, requires_grad=requires_grad)
    return made


def complex_random(*shape: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(1)
    return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


# -- factorisations -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (1, 1)])
def test_many_matrices_are_eliminated_with_the_pivots_that_lapack_takes(shape: tuple[int, int]) -> None:
    together = complex_random(40, *shape)
    packed, pivots, info = pivoting.lu(together)
    for place, matrix in enumerate(together):
        alone = pivoting.lu(matrix)
        np.testing.assert_allclose(packed[place], alone[0])
        np.testing.assert_array_equal(pivots[place], alone[1])
    assert not info.any()


def test_the_first_pivot_that_is_zero_is_told_of_each_matrix() -> None:
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    batch = np.stack([np.eye(2), singular, np.zeros((2, 2))] * 4)
    np.testing.assert_array_equal(pivoting.lu(batch)[2][:3], [0, 2, 1])
    np.testing.assert_array_equal([pivoting.lu(matrix)[2] for matrix in batch[:3]], [0, 2, 1])


def test_the_permutation_has_no_history() -> None:
    P, L, U = torch.linalg.lu(random(3, 3, requires_grad=True))
    assert (P.requires_grad, L.requires_grad, U.requires_grad) == (False, True, True)
    assert (L.output_nr, U.output_nr) == (0, 1)


def test_reflections_of_a_factorisation_make_its_unitary_matrix() -> None:
    A = torch.tensor(complex_random(5, 4, 3).tolist(), dtype=torch.complex128)
    packed, tau = torch.geqrf(A)
    Q = torch.orgqr(packed, tau)
    R = torch.triu(packed[..., :3, :])
    np.testing.assert_allclose((Q @ R).array, A.array, atol=1e-12)
    np.testing.assert_allclose(torch.ormqr(packed, tau, A, True, True).array[..., :3, :], R.array, atol=1e-12)


@pytest.mark.parametrize("hermitian", [False, True])
def test_factors_of_indefinite_matrices_solve_systems(hermitian: bool) -> None:
    half = complex_random(3, 4, 4)
    A = half + np.swapaxes(half.conj() if hermitian else half, -2, -1)
    B = complex_random(4, 2)
    matrices, right = (torch.tensor(one.tolist(), dtype=torch.complex128) for one in (A, B))
    factors = torch.linalg.ldl_factor(matrices, hermitian=hermitian)
    solved = torch.linalg.ldl_solve(*factors, right, hermitian=hermitian)
    np.testing.assert_allclose(A @ solved.array, np.broadcast_to(B, (3, 4, 2)), atol=1e-10)


# -- derivatives --------------------------------------------------------------------------------------------------
def test_sizes_of_complex_eigenvectors_are_differentiated_twice() -> None:
    A = torch.tensor(complex_random(3, 3).tolist(), dtype=torch.complex128, requires_grad=True)

    def sizes() -> Any:
        return torch.linalg.eig(A)[1].abs()

    gradcheck(sizes, [A])
    gradgradcheck(sizes, [A])


def test_a_loss_that_depends_on_phases_of_eigenvectors_is_refused() -> None:
    A = torch.tensor(complex_random(3, 3).tolist(), dtype=torch.complex128, requires_grad=True)
    with pytest.raises(OpError, match="specified up to multiplication by e"):
        torch.linalg.eig(A)[1].sum().abs().backward()


def test_a_pseudo_inverse_of_lower_rank_is_differentiated_along_its_rank() -> None:
    left, right = random(4, 2, requires_grad=True), random(2, 3, seed=1, requires_grad=True)
    gradcheck(lambda: torch.linalg.pinv(left @ right), [left, right])


def test_no_second_derivative_of_distances() -> None:
    x = random(3, 2, requires_grad=True)
    (first,) = torch.autograd.grad(torch.cdist(x, random(2, 2, seed=1)).sum(), [x], create_graph=True)
    with pytest.raises(UnsupportedError, match=r"the derivative for '_cdist_backward' is not implemented\."):
        first.sum().backward()


def test_distances_of_equal_rows_pull_nothing() -> None:
    for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")):
        x = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        torch.cdist(x, torch.ones(3, 2, dtype=torch.float64), p).sum().backward()
        np.testing.assert_array_equal(x.grad.array, 0, err_msg=str(p))


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, float("inf")])
def test_distances_are_norms_of_differences(p: float) -> None:
    x, y = random(2, 3, 4), random(5, 4, seed=1)
    expected = torch.linalg.vector_norm(x.unsqueeze(-2) - y, p, -1)
    np.testing.assert_allclose(torch.cdist(x, y, p).array, expected.array)


# -- refusals -----------------------------------------------------------------------------------------------------
SQUARE = "A must be batches of square matrices, but they are 2 by 3 matrices"
ZERO_PIVOT = (
    "U[1,1] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the "
    "factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)
ZEROS = torch.zeros(2, 2, 2, dtype=torch.float64)
PIVOTS = torch.ones(3, dtype=torch.int32)
REFUSED: dict[str, tuple[type[Exception], Any]] = {
    f"linalg.eig: {SQUARE}": (OpError, lambda: torch.linalg.eig(random(2, 3))),
    "torch.linalg.eig: input tensor should not contain infs or NaNs.": (
        OpError,
        lambda: torch.linalg.eig(random(2, 2) * float("nan")),
    ),
    "Unknown Complex ScalarType for Long": (OpError, lambda: torch.linalg.eigvals(torch.ones(2, 2, dtype=torch.int64))),
    f"torch.linalg.lu_factor: (Batch element 0): {ZERO_PIVOT}": (OpError, lambda: torch.linalg.lu_factor(ZEROS)),
    f"torch.linalg.lu_factor_ex: (Batch element 0): {ZERO_PIVOT}": (
        OpError,
        lambda: torch.linalg.lu_factor_ex(ZEROS, check_errors=True),
    ),
    "linalg.lu_factor: LU without pivoting is not implemented on the CPU": (
        OpError,
        lambda: torch.linalg.lu(random(2, 2), pivot=False),
    ),
    "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result of "
    "lu_factor?": (OpError, lambda: torch.lu_unpack(random(3, 3), 0 * PIVOTS)),
    "Pivots given to lu_solve must all be smaller or equal to LU.size(-2). Did you properly pass the result of "
    "lu_factor?": (OpError, lambda: torch.linalg.lu_solve(random(3, 3), 9 * PIVOTS, random(3, 1))),
    "cholesky_inverse: (Batch element 0): The diagonal element 1 is zero, the inversion could not be completed because "
    "the input matrix is singular.": (LinAlgError, lambda: torch.cholesky_inverse(ZEROS)),
    "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values.": (
        LinAlgError,
        lambda: torch.linalg.pinv(random(2, 2) * float("inf")),
    ),
    "inv: The diagonal element 1 is zero, the inversion could not be completed because the input matrix is singular.": (
        LinAlgError,
        lambda: torch.linalg.tensorinv(ZEROS.reshape(2, 4)[:, :2], 1),
    ),
    "linalg.cond got an invalid norm type: 3": (OpError, lambda: torch.linalg.cond(random(2, 2), 3)),
    "the derivative for 'geqrf' is not implemented.": (
        UnsupportedError,
        lambda: torch.geqrf(random(2, 2, requires_grad=True))[0].sum().backward(),
    ),
    "derivative for aten::linalg_ldl_factor_ex is not implemented": (
        OpError,
        lambda: torch.linalg.ldl_factor(random(2, 2, requires_grad=True))[0].sum().backward(),
    ),
    "X1 and X2 must have the same number of columns. X1: 2 X2: 3": (
        OpError,
        lambda: torch.cdist(random(2, 2), random(2, 3)),
    ),
    "foo is not a valid value for compute_mode": (
        ValueError,
        lambda: torch.cdist(random(2, 2), random(2, 2), 2.0, "foo"),
    ),
    "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)": (
        OpError,
        lambda: torch.linalg.lstsq(random(3, 2), random(3), driver="foo"),
    ),
    "linalg_eig(): argument 'input' (position 1) must be Tensor, not int": (TypeError, lambda: torch.linalg.eig(3)),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_has_the_words_of_pytorch(text: str) -> None:
    kind, call = REFUSED[text]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def test_arguments_that_fit_no_overload_are_told_all_of_them() -> None:
    with pytest.raises(TypeError, match=r"linalg_pinv\(\) received an invalid combination of arguments") as caught:
        torch.linalg.pinv(random(2, 2), rcond=0.1, rtol=0.1)
    assert "(Tensor input, float rcond, bool hermitian = False, *, Tensor out = None)" in str(caught.value)
