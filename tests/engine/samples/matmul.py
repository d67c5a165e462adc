"""Samples of the matrix products and contractions."""

from tests.engine.samples import leaf, sample

SAMPLES = {
    "mm": [
        sample(leaf(2, 3), leaf(3, 4)),
        sample(leaf(0, 3), leaf(3, 2)),
        sample(leaf(3, 2, strided=True), leaf(2, 2)),
        sample(leaf(2, 3, dtype="complex128"), leaf(3, 2, dtype="complex128")),
    ],
    "mv": [sample(leaf(2, 3), leaf(3)), sample(leaf(3, 2, dtype="complex128"), leaf(2, dtype="complex128"))],
    "dot": [
        sample(leaf(4), leaf(4)),
        sample(leaf(0), leaf(0)),
        sample(leaf(3, dtype="complex128"), leaf(3, dtype="complex128")),
    ],
    "vdot": [sample(leaf(4), leaf(4)), sample(leaf(3, dtype="complex128"), leaf(3, dtype="complex128"))],
    "outer": [sample(leaf(3), leaf(4)), sample(leaf(2, dtype="complex128"), leaf(2, dtype="complex128"))],
    "bmm": [sample(leaf(2, 3, 4), leaf(2, 4, 2)), sample(leaf(0, 3, 4), leaf(0, 4, 2))],
    "addmm": [sample(leaf(4), leaf(2, 3), leaf(3, 4)), sample(leaf(2, 4), leaf(2, 3), leaf(3, 4), beta=0.5, alpha=2.0)],
    "addmv": [sample(leaf(2), leaf(2, 3), leaf(3)), sample(leaf(1), leaf(2, 3), leaf(3), beta=2.0, alpha=-1.0)],
    "addr": [sample(leaf(3, 4), leaf(3), leaf(4)), sample(leaf(3, 4), leaf(3), leaf(4), beta=0.2, alpha=0.6)],
    "baddbmm": [
        sample(leaf(2, 3, 2), leaf(2, 3, 4), leaf(2, 4, 2)),
        sample(leaf(2), leaf(2, 3, 4), leaf(2, 4, 2), alpha=3.0),
    ],
    "addbmm": [
        sample(leaf(3, 2), leaf(2, 3, 4), leaf(2, 4, 2)),
        sample(leaf(3, 2), leaf(2, 3, 4), leaf(2, 4, 2), beta=0.5),
    ],
    "matmul": [
        sample(leaf(3), leaf(3)),
        sample(leaf(2, 3), leaf(3)),
        sample(leaf(3), leaf(3, 2)),
        sample(leaf(2, 3), leaf(3, 2)),
        sample(leaf(2, 2, 3), leaf(3, 2)),
        sample(leaf(2, 3), leaf(2, 3, 2)),
        sample(leaf(2, 1, 2, 3), leaf(3, 3, 2)),
        sample(leaf(3), leaf(2, 3, 2)),
        sample(leaf(2, 2, 3), leaf(3)),
    ],
    "nn.functional.linear": [
        sample(leaf(2, 3), leaf(4, 3), leaf(4)),
        sample(leaf(3), leaf(4, 3)),
        sample(leaf(2, 2, 3), leaf(4, 3), leaf(4)),
    ],
    "nn.functional.bilinear": [sample(leaf(2, 3), leaf(2, 4), leaf(5, 3, 4), leaf(5))],
    "einsum": [
        sample("ij,jk->ik", leaf(2, 3), leaf(3, 4)),
        sample("ii->i", leaf(3, 3)),
        sample("ij->ji", leaf(2, 3)),
        sample("...ij,...jk->...ik", leaf(2, 2, 3), leaf(3, 2)),
        sample("i,j->ij", leaf(2), leaf(3)),
        sample("ij,ik,il->jkl", leaf(3, 2), leaf(3, 2), leaf(3, 2)),
        sample("ij,kl->il", leaf(2, 3), leaf(4, 2)),
        sample("i,i->", leaf(3, dtype="complex128"), leaf(3, dtype="complex128")),
    ],
    "tensordot": [
        sample(leaf(2, 3, 4), leaf(3, 4, 2)),
        sample(leaf(2, 3), leaf(3, 2), dims=1),
        sample(leaf(2, 3), leaf(2, 3), dims=[[0, 1], [0, 1]]),
    ],
    "inner": [sample(leaf(3), leaf(3)), sample(leaf(2, 3), leaf(4, 3)), sample(leaf(), leaf(2))],
    "kron": [sample(leaf(2, 2), leaf(3)), sample(leaf(2), leaf(2, 3))],
    "linalg.vecdot": [sample(leaf(3), leaf(3)), sample(leaf(2, 3), leaf(2, 3)), sample(leaf(2, 3), leaf(2, 3), dim=0)],
    "linalg.cross": [sample(leaf(2, 3), leaf(2, 3)), sample(leaf(3, 2), leaf(3, 1), dim=0)],
    "cross": [sample(leaf(3, 2), leaf(3, 2)), sample(leaf(2, 3), leaf(2, 3), dim=1)],
    "linalg.multi_dot": [sample([leaf(2, 3), leaf(3, 4), leaf(4, 1)]), sample([leaf(3), leaf(3, 2)])],
}
