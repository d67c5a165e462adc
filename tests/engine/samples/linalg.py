"""Samples of factorisations, systems, determinants and norms of matrices.

Positive definite and Hermitian matrices that are differentiated are 1x1: of larger ones one triangle is read and the
derivative is shared by both, which a difference quotient over all elements does not see. Singular vectors are compared
with their signs, which builds of LAPACK choose alike unless a matrix is much wider than high.
"""

from typing import Any

from tests.engine.samples import Sample, first_order, fixed, leaf, sample, values_only

INF = float("inf")
TRIANGLE = "one triangle is read, and the cotangent is shared by both"
DEFINITE = [[2.0, 0.5, -0.3], [0.5, 3.0, 0.7], [-0.3, 0.7, 1.5]]
HERMITIAN = [[2.0, 0.5 - 0.2j, -0.3j], [0.5 + 0.2j, 3.0, 0.7], [0.3j, 0.7, 1.5]]
COMPLEX: dict[str, Any] = {"dtype": "complex128"}


def _square() -> list[Sample]:
    """Matrices of one size, of all kinds."""
    return [
        sample(leaf(3, 3)),
        sample(leaf(1, 1)),
        sample(leaf(0, 0)),
        sample(leaf(2, 2, 2)),
        sample(leaf(0, 2, 2)),
        sample(leaf(3, 3, strided=True)),
        sample(leaf(2, 2, **COMPLEX)),
    ]


def _definite(**kwargs: Any) -> list[Sample]:
    return [
        sample(leaf(1, 1, low=0.5), **kwargs),
        sample(leaf(2, 1, 1, low=0.5), **kwargs),
        sample(leaf(0, 0), **kwargs),
        values_only(TRIANGLE, fixed(DEFINITE), **kwargs),
        values_only(TRIANGLE, fixed([DEFINITE, DEFINITE]), **kwargs),
        values_only(TRIANGLE, fixed(HERMITIAN, "complex128"), **kwargs),
    ]


SOLVED = [
    sample(leaf(3, 3), leaf(3, 2)),
    sample(leaf(3, 3), leaf(3)),
    sample(leaf(2, 2, 2), leaf(2, 2)),
    sample(leaf(2, 1, 2, 2), leaf(3, 2, 1)),
    sample(leaf(0, 0), leaf(0, 2)),
    sample(leaf(2, 2, **COMPLEX), leaf(2, 3, **COMPLEX)),
    sample(leaf(3, 3), leaf(2, 3), left=False),
]

SAMPLES = {
    "linalg.svd": [
        sample(leaf(3, 3)),
        sample(leaf(4, 5), False),
        sample(leaf(3, 2), False),
        sample(leaf(0, 2), False),
        sample(leaf(2, 4, 5), False),
        sample(leaf(4, 2, strided=True), False),
    ],
    "linalg.svdvals": [sample(leaf(3, 3)), sample(leaf(2, 2, 3)), sample(leaf(0, 3)), sample(leaf(2, 3, **COMPLEX))],
    "svd": [
        sample(leaf(3, 2)),
        sample(leaf(4, 5)),
        values_only("factors of zeros", leaf(2, 3), compute_uv=False),
    ],
    "linalg.cholesky": [*_definite(), values_only(TRIANGLE, fixed(DEFINITE), upper=True)],
    "linalg.cholesky_ex": [*_definite(), values_only(TRIANGLE, fixed([[1.0, 2.0], [2.0, 5.0]]), upper=True)],
    "cholesky": [*_definite(), values_only(TRIANGLE, fixed(HERMITIAN, "complex128"), upper=True)],
    "linalg.qr": [
        sample(leaf(3, 3)),
        sample(leaf(3, 2)),
        sample(leaf(2, 3)),
        sample(leaf(2, 3, 2)),
        sample(leaf(0, 2)),
        sample(leaf(2, 3), "complete"),
        sample(leaf(3, 2, **COMPLEX)),
        sample(leaf(2, 3, **COMPLEX)),
        values_only("there is no derivative without Q", leaf(3, 2), "r"),
    ],
    "qr": [sample(leaf(3, 2)), sample(leaf(2, 3), False)],
    "linalg.eigh": _definite(),
    "linalg.eigvalsh": [*_definite(), values_only(TRIANGLE, fixed(HERMITIAN, "complex128"), "U")],
    "linalg.inv": _square(),
    "linalg.inv_ex": _square(),
    "inverse": [sample(leaf(2, 2))],
    "linalg.det": _square(),
    "det": [
        sample(leaf(2, 2)),
        first_order("PyTorch has no second derivative at singular matrices", leaf(2, 2, low=1.0, high=1.0)),
    ],
    "linalg.slogdet": _square(),
    "slogdet": [sample(leaf(2, 2))],
    "logdet": [
        sample(leaf(1, 1, low=0.5)),
        sample(leaf(0, 0)),
        sample(leaf(2, 1, 1, low=0.5)),
        sample(leaf(2, 2, **COMPLEX)),
    ],
    "linalg.solve": SOLVED,
    "linalg.solve_ex": SOLVED,
    "linalg.solve_triangular": [
        sample(leaf(3, 3, low=0.5), leaf(3, 2), upper=True),
        sample(leaf(3, 3, low=0.5), leaf(3, 2), upper=False, unitriangular=True),
        sample(leaf(2, 1, 2, 2, low=0.5), leaf(3, 2, 2), upper=False, left=False),
        sample(leaf(0, 0), leaf(0, 2), upper=True),
        sample(leaf(2, 2, low=0.5, **COMPLEX), leaf(2, 2, **COMPLEX), upper=True),
    ],
    "linalg.matrix_power": [
        *(sample(leaf(2, 2), n) for n in (1, 2, 3, 4, 5, -1, -2, -3)),
        first_order("a constant", leaf(2, 2), 0),
        sample(leaf(2, 2, 2), 3),
        sample(leaf(2, 2, **COMPLEX), -2),
        values_only("integers", fixed([[1, 2], [3, 4]]), 3),
    ],
    "matrix_power": [sample(leaf(2, 2), 2)],
    "linalg.matrix_norm": [
        *(sample(leaf(3, 2), ord) for ord in ("fro", "nuc", 2, -2, 1, -1, INF, -INF)),
        *(sample(leaf(2, 3, 2), ord, (0, -1), True) for ord in ("fro", "nuc", 2, -1, INF)),
        sample(leaf(2, 3, 2), 1, (2, 0)),
        sample(leaf(2, 2, **COMPLEX), "nuc"),
        sample(leaf(0, 3), "nuc"),
    ],
    "linalg.norm": [
        sample(leaf(3)),
        sample(leaf(2, 3)),
        sample(leaf(2, 2, 3), keepdim=True),
        sample(leaf(3), 3),
        sample(leaf(2, 3), "nuc"),
        sample(leaf(2, 3), 2),
        sample(leaf(2, 3, 2), 1, (1, 2)),
        sample(leaf(2, 3), INF, 1),
        sample(leaf(2, 2, **COMPLEX), 2),
    ],
}
