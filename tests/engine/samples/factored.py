"""Samples of factorisations with exchanged rows or reflections, of systems that come factored, of least squares, of
eigenvalues of matrices that are not Hermitian, and of distances between all rows.

Eigenvectors are differentiated where they are real: those of complex pairs have a phase that LAPACK chooses.
"""

from typing import Any

from tests.engine.samples import Sample, first_order, fixed, leaf, sample, values_only

INF = float("inf")
COMPLEX: dict[str, Any] = {"dtype": "complex128"}
SYMMETRIC = [[0.5, 2.0, 3.0], [2.0, 0.1, 1.0], [3.0, 1.0, -0.7]]
HERMITIAN = [[0.5, 2.0 - 1.0j, 3.0j], [2.0 + 1.0j, 0.1, 1.0], [-3.0j, 1.0, -0.7]]
ROOT = [[2.0, 1.0 - 0.5j], [0.0, 1.5]]
UNDERIVABLE = "PyTorch records it and has no derivative"
PHASES = "eigenvectors are free up to their phases"
SHARED = "one triangle is read, and the cotangent is of the whole matrix"


def _pivots(*rows: int) -> Any:
    return fixed(list(rows), "int32")


def _oblong(**kwargs: Any) -> list[Sample]:
    """Matrices of all forms."""
    return [
        sample(leaf(3, 3), **kwargs),
        sample(leaf(3, 2), **kwargs),
        sample(leaf(2, 4), **kwargs),
        sample(leaf(2, 3, 3), **kwargs),
        sample(leaf(10, 2, 2), **kwargs),
        sample(leaf(0, 0), **kwargs),
        sample(leaf(3, 3, strided=True), **kwargs),
        sample(leaf(3, 2, **COMPLEX), **kwargs),
        sample(leaf(2, 3, **COMPLEX), **kwargs),
    ]


LU_SOLVED = [
    sample(leaf(3, 3, low=0.5), _pivots(2, 3, 3), leaf(3, 2)),
    sample(leaf(3, 3, low=0.5), _pivots(2, 3, 3), leaf(3, 2), adjoint=True),
    sample(leaf(3, 3, low=0.5), _pivots(3, 2, 3), leaf(2, 3), left=False),
    sample(leaf(2, 2, low=0.5, **COMPLEX), _pivots(2, 2), leaf(2, 2, **COMPLEX), left=False, adjoint=True),
    sample(leaf(2, 2, low=0.5, **COMPLEX), _pivots(2, 2), leaf(3, 2, 2, **COMPLEX), adjoint=True),
    sample(leaf(0, 0), fixed([], "int32"), leaf(0, 2)),
]
REFLECTIONS = [
    sample(leaf(3, 2), leaf(2)),
    sample(leaf(3, 3), leaf(2)),
    sample(leaf(2, 3, 2), leaf(2, 2)),
    sample(leaf(3, 2, **COMPLEX), leaf(2, **COMPLEX)),
    values_only("nothing to differentiate", leaf(3, 0), leaf(0)),
]

SAMPLES = {
    "linalg.lu_factor": _oblong(),
    "linalg.lu_factor_ex": [*_oblong(), values_only("singular", fixed([[1.0, 2.0], [2.0, 4.0]]))],
    "lu": [sample(leaf(3, 3)), sample(leaf(2, 3), get_infos=True)],
    "linalg.lu": _oblong(),
    "lu_unpack": [
        sample(leaf(3, 3), _pivots(2, 3, 3)),
        sample(leaf(3, 2), _pivots(3, 2)),
        sample(leaf(2, 3), _pivots(2, 2), unpack_pivots=False),
        sample(leaf(2, 2, 2), fixed([[1, 2], [2, 2]], "int32")),
        values_only("empty without data", leaf(2, 2), _pivots(2, 2), False),
    ],
    "linalg.lu_solve": LU_SOLVED,
    "lu_solve": [sample(leaf(3, 2), leaf(3, 3, low=0.5), _pivots(2, 3, 3))],
    "geqrf": [
        values_only(UNDERIVABLE, leaf(3, 2)),
        values_only(UNDERIVABLE, leaf(2, 2, 3)),
        values_only(UNDERIVABLE, fixed(HERMITIAN, "complex128")),
    ],
    "linalg.householder_product": REFLECTIONS,
    "orgqr": [sample(leaf(3, 2), leaf(2))],
    "ormqr": [
        sample(leaf(3, 2), leaf(2), leaf(3, 3)),
        sample(leaf(3, 2), leaf(2), leaf(3, 1), transpose=True),
        sample(leaf(3, 2), leaf(2), leaf(2, 3), False),
        sample(leaf(2, 4), leaf(2), leaf(2, 3)),
        sample(leaf(3, 2, **COMPLEX), leaf(2, **COMPLEX), leaf(3, 2, **COMPLEX), True, True),
        sample(leaf(2, 3, 2, **COMPLEX), leaf(2, 2, **COMPLEX), leaf(2, 2, 3, **COMPLEX), False, True),
    ],
    "linalg.eig": [
        sample(leaf(2, 2, low=0.5)),
        values_only(PHASES, leaf(4, 4)),
        values_only(PHASES, leaf(2, 3, 3, **COMPLEX)),
        sample(leaf(0, 0)),
        sample(leaf(2, 0, 0, **COMPLEX)),
    ],
    "linalg.eigvals": [sample(leaf(3, 3)), sample(leaf(2, 2, 2, low=0.5)), sample(leaf(2, 2, **COMPLEX))],
    "linalg.matrix_exp": [
        sample(leaf(3, 3)),
        sample(leaf(2, 2, 2)),
        sample(leaf(0, 0)),
        sample(leaf(2, 2, **COMPLEX)),
        sample(leaf(18, 2, 2)),
        values_only("large norms", leaf(18, 2, 2, low=-9.0, high=9.0, **COMPLEX)),
        values_only("single precision", leaf(3, 3, dtype="float32")),
    ],
    "matrix_exp": [sample(leaf(2, 2))],
    "linalg.pinv": [
        sample(leaf(3, 2)),
        sample(leaf(2, 3)),
        sample(leaf(2, 3, 3)),
        sample(leaf(3, 2, **COMPLEX)),
        sample(leaf(0, 2)),
        sample(leaf(3, 2), atol=1e-3),
        values_only("a rank that is cut", fixed([[3.0, 1.0], [1.0, 0.5]]), rtol=0.5),
        values_only("a tensor of bounds", fixed([SYMMETRIC, SYMMETRIC]), rtol=fixed([0.1, 0.6])),
        values_only("one triangle is read", fixed(HERMITIAN, "complex128"), hermitian=True),
    ],
    "pinverse": [sample(leaf(3, 2)), sample(leaf(2, 2), 1e-3)],
    "linalg.matrix_rank": [
        values_only("integers", fixed([[1.0, 2.0], [2.0, 4.0]])),
        values_only("integers", fixed(SYMMETRIC), atol=1.0),
        values_only("integers", fixed([SYMMETRIC, SYMMETRIC]), hermitian=True),
        values_only("integers", fixed([], shape=(2, 0, 0))),
        values_only("integers", leaf(3, 2), 0.5),
    ],
    "linalg.lstsq": [
        sample(leaf(4, 2), leaf(4, 3)),
        sample(leaf(4, 2), leaf(4), driver="gels"),
        sample(leaf(4, 2), leaf(4, 1), driver="gelsd"),
        sample(leaf(2, 3), leaf(2, 2), driver="gelss"),
        sample(leaf(2, 3, 2), leaf(2, 3), driver="gels"),
        sample(leaf(1, 3, 2), leaf(2, 3, 1), driver="gelsd"),
        sample(leaf(10, 3, 2), leaf(10, 3, 1), driver="gelsd"),
        sample(leaf(3, 2, **COMPLEX), leaf(3, 2, **COMPLEX), driver="gelss"),
        values_only("nothing to differentiate", leaf(0, 3, 2), leaf(0, 3, 2)),
    ],
    "linalg.cond": [
        *(sample(leaf(3, 3), p) for p in (None, 2, -2, "fro", "nuc", 1, -1, INF, -INF)),
        sample(leaf(2, 3)),
        sample(leaf(2, 2, 2, **COMPLEX), "fro"),
        values_only("no inverse", leaf(2, 2, low=1.0, high=1.0), 1),
        values_only("nothing to differentiate", leaf(2, 0, 0)),
    ],
    "nuclear_norm": [sample(leaf(3, 2)), sample(leaf(2, 2, 3), (1, 2), True)],
    "cholesky_inverse": [
        sample(leaf(1, 1, low=0.5)),
        sample(leaf(0, 0)),
        values_only(SHARED, leaf(3, 3, low=0.5)),
        values_only(SHARED, fixed([ROOT, ROOT], "complex128"), upper=True),
    ],
    "cholesky_solve": [
        sample(leaf(1, 2), leaf(1, 1, low=0.5)),
        values_only(SHARED, leaf(3, 2), leaf(3, 3, low=0.5)),
        values_only(SHARED, leaf(2, 2, 1, **COMPLEX), leaf(2, 2, low=0.5, **COMPLEX), True),
    ],
    "triangular_solve": [
        sample(leaf(3, 2), leaf(3, 3, low=0.5)),
        sample(leaf(3, 2), leaf(3, 3, low=0.5), False, True),
        sample(leaf(2, 3, 2), leaf(3, 3), unitriangular=True),
        sample(leaf(2, 2, **COMPLEX), leaf(2, 2, low=0.5, **COMPLEX), transpose=True),
    ],
    "linalg.ldl_factor": [
        values_only(UNDERIVABLE, fixed(SYMMETRIC)),
        values_only(UNDERIVABLE, fixed([HERMITIAN, HERMITIAN], "complex128"), hermitian=True),
        values_only(UNDERIVABLE, leaf(2, 2)),
        values_only(UNDERIVABLE, leaf(0, 0)),
    ],
    "linalg.ldl_factor_ex": [values_only(UNDERIVABLE, fixed([[0.0, 0.0], [0.0, 0.0]]))],
    "linalg.ldl_solve": [
        values_only(UNDERIVABLE, leaf(3, 3, low=0.5), fixed([1, 2, 3], "int32"), leaf(3, 2)),
        values_only(UNDERIVABLE, leaf(3, 3, low=0.5), fixed([-3, -3, 3], "int32"), leaf(2, 3, 2)),
        values_only(
            UNDERIVABLE, leaf(2, 2, low=0.5, **COMPLEX), fixed([1, 2], "int32"), leaf(2, 1, **COMPLEX), hermitian=True
        ),
    ],
    "linalg.diagonal": [sample(leaf(2, 3, 4)), sample(leaf(2, 3, 4), offset=1, dim1=0, dim2=2)],
    "linalg.tensorinv": [sample(leaf(4, 2, 2), 1), sample(leaf(2, 2, 4, 1))],
    "linalg.tensorsolve": [sample(leaf(2, 3, 6), leaf(2, 3)), sample(leaf(2, 6, 3), leaf(2, 3), dims=(1,))],
    "linalg.vander": [
        sample(leaf(3)),
        sample(leaf(2, 3), N=2),
        sample(leaf(2, **COMPLEX), N=4),
        values_only("integers", fixed([1, 2, 3])),
    ],
    "vander": [
        sample(leaf(3)),
        sample(leaf(3), 2, True),
        sample(leaf(2, **COMPLEX), N=4),
        values_only("integers", fixed([1, 2, 3], "int32")),
        values_only("ones", leaf(2), 1),
    ],
    "cdist": [
        *(first_order("PyTorch has no second derivative", leaf(3, 2), leaf(2, 2), p) for p in (1, 2, 3, 1.5, 0.5, INF)),
        first_order("PyTorch has no second derivative", leaf(2, 3, 2), leaf(2, 2)),
        first_order("PyTorch has no second derivative", leaf(2, 1, 3, 2), leaf(3, 2, 2), 3.0),
        values_only("counts", leaf(3, 2), leaf(2, 2), 0),
        values_only("nothing to differentiate", leaf(3, 0), leaf(2, 0)),
        sample(leaf(3, 2), leaf(2, 2), 2.0, "use_mm_for_euclid_dist"),
        sample(leaf(2, 3, 2), leaf(2, 2), 2.0, "use_mm_for_euclid_dist"),
        sample(leaf(26, 2), leaf(2, 2)),
        values_only("single precision", leaf(3, 2, dtype="float32"), leaf(2, 2, dtype="float32")),
    ],
}
