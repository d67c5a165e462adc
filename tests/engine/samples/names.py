"""Samples of what PyTorch has under other names and arguments too, and of histograms and factors of low rank."""

from __future__ import annotations

from tests.engine.samples import Leaf, Sample, fixed, leaf, sample, values_only
from tests.engine.samples.nn import CLASSES, SIGNS

POINTS = [[0.1, 1.5], [0.7, 0.2], [1.9, 1.0], [-3.0, 0.4]]
RANDOM = "random unless nothing is dropped"
DIAGONAL = fixed([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]])


def _reduced(*args: object) -> list[Sample]:
    """A loss unreduced, as a mean and as a sum."""
    return [sample(*args), sample(*args, reduction=1), sample(*args, reduction=2)]


def _rows() -> Leaf:
    return leaf(3, 4, low=0.1, high=0.9)


SAMPLES = {
    "binary_cross_entropy_with_logits": _reduced(leaf(3, 4), _rows()),
    "cosine_embedding_loss": _reduced(leaf(3, 4), leaf(3, 4), fixed([1.0, -1.0, 1.0])),
    "ctc_loss": [
        values_only("gradient is before a log_softmax", leaf(5, 2, 3), fixed([[1, 2], [1, 1]]), [5, 4], [2, 2], 0, 1),
    ],
    "hinge_embedding_loss": _reduced(leaf(2, 3), SIGNS),
    "kl_div": _reduced(leaf(3, 4), _rows()),
    "margin_ranking_loss": _reduced(leaf(3), leaf(3), fixed([1.0, -1.0, 1.0])),
    "poisson_nll_loss": [sample(leaf(3, 4), _rows(), True, False, 1e-8, kind) for kind in (0, 1, 2)],
    "triplet_margin_loss": _reduced(leaf(3, 4), leaf(3, 4), leaf(3, 4)),
    "batch_norm": [sample(leaf(4, 3), leaf(3), leaf(3), None, None, True, 0.1, 1e-5, False)],
    "instance_norm": [sample(leaf(2, 3, 4), leaf(3), leaf(3), None, None, True, 0.1, 1e-5, False)],
    "alpha_dropout": [sample(leaf(2, 3), 0.5, False)],
    "feature_alpha_dropout": [sample(leaf(2, 3, 2), 0.5, False)],
    "native_dropout": [
        values_only(RANDOM, leaf(2, 3), 0.5, False), values_only(RANDOM, leaf(2, 3), 0.0, True),
        values_only("nothing is kept", leaf(2, 3), 1.0, True),
    ],
    "native_channel_shuffle": [values_only("PyTorch cannot differentiate it", leaf(2, 4, 2, 2), 2)],
    "frobenius_norm": [
        sample(leaf(3, 4), [0, 1]), sample(leaf(3, 4), [1], True), sample(leaf(2, 3, 2), []),
        sample(leaf(3, 4, dtype="complex128"), [0]),
    ],
    "norm_except_dim": [
        sample(leaf(3, 4)), sample(leaf(2, 3, 4), 2, 1), sample(leaf(2, 3, 4), 3, 2), sample(leaf(3, 4), 2, -1),
    ],
    "chain_matmul": [sample(leaf(2, 3), leaf(3, 4), leaf(4, 2)), sample(leaf(2, 3))],
    "lobpcg": [
        values_only("signs are free", DIAGONAL, 1, X=fixed([[0.0], [0.0], [1.0]])),
        values_only("empty", fixed([], shape=(0, 3, 3), dtype="float64"), 1),
    ],
    "svd_lowrank": [values_only("random but for zeros", fixed([[0.0] * 3] * 4), 2)],
    "pca_lowrank": [values_only("random but for zeros", fixed([[0.0] * 3] * 4), 2)],
    "histogram": [
        values_only("counts", leaf(3, 4), 5), values_only("counts", leaf(9), 3, range=[-1.0, 1.0], density=True),
        values_only("counts", fixed([0.0, 1.0, 2.0, 2.5]), fixed([0.0, 1.0, 2.5]), weight=fixed([1.0, 2.0, 3.0, 4.0])),
        values_only("counts", fixed([], shape=(0,), dtype="float64"), 2), values_only("counts", fixed([1.0, 1.0]), 2),
    ],
    "histogramdd": [
        values_only("counts", fixed(POINTS), [2, 3]),
        values_only(
            "counts", fixed(POINTS), 2, range=[0.0, 2.0, 0.0, 2.0], weight=fixed([1.0, 2.0, 3.0, 4.0]), density=True
        ),
        values_only("counts", fixed(POINTS), [fixed([0.0, 1.0, 2.0]), fixed([0.0, 1.0])]),
    ],
    "binomial": [
        values_only("random but for certain outcomes", fixed([3.0, 5.0, 0.0, 2.0]), fixed([1.0, 0.0, 0.5, 1.5])),
    ],
    "unravel_index": [
        values_only("indices", fixed([[3, 23], [0, 7]]), [2, 3, 4]), values_only("indices", fixed(5), [2, 3]),
        values_only("indices", CLASSES, 3),
    ],
    "nonzero_static": [
        values_only("places", fixed([[0.0, 1.0], [2.0, 0.0]]), size=3), values_only("places", fixed([1, 0, 2]), size=1),
        values_only("places", fixed([1, 0]), size=2, fill_value=7),
    ],
    "detach_copy": [values_only("PyTorch cannot differentiate it", leaf(2, 3))],
    "view_as_complex_copy": [values_only("it refuses a graph", fixed([[1.0, 2.0], [3.0, 4.0]]))],
    "set_": [
        values_only("writes", fixed([1.0, 2.0]), fixed([[3.0, 4.0]])), values_only("writes", fixed([1.0, 2.0])),
    ],
}  # fmt: skip
