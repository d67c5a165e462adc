"""Samples of the neural network ops: activations, losses, normalisations, padding, embeddings, dropout."""

from tests.engine.samples import Fixed, Leaf, Sample, first_order, fixed, leaf, sample, values_only

NO_SECOND = "PyTorch has no second derivative"

CLASSES = fixed([0, 2, 1])
SCORES = leaf(5, 2, 3)
RANDOM = "random unless nothing or everything is dropped"


def activated(*args: object, **kwargs: object) -> list[Sample]:
    """A pointwise function of matrices; 0-d, empty and strided ones."""
    return [
        sample(leaf(2, 3), *args, **kwargs), sample(leaf(), *args, **kwargs), sample(leaf(0, 2), *args, **kwargs),
        sample(leaf(3, 2, strided=True), *args, **kwargs),
    ]  # fmt: skip


def compared(target: Leaf | Fixed, low: float = -2.0, high: float = 2.0) -> list[Sample]:
    """A loss of two matrices in its three reductions."""
    return [sample(leaf(2, 3, low=low, high=high), target, reduction=kind) for kind in ("none", "mean", "sum")]


def along() -> list[Sample]:
    """A softmax along each dimension; 0-d, empty and strided input."""
    return [
        sample(leaf(2, 3), 1), sample(leaf(2, 3), 0), sample(leaf(), 0), sample(leaf(0, 3), 1),
        sample(leaf(3, 2, strided=True), -1), values_only("dtype", fixed([1, 2]), 0, dtype="float64"),
    ]  # fmt: skip


def dropped(*shape: int) -> list[Sample]:
    """Nothing dropped: not training, or with probability 0."""
    return [sample(leaf(*shape), 0.5, False), sample(leaf(*shape), 0.0, True)]


SIGNS = fixed([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])

ACTIVATIONS = {
    "relu": activated(),
    "nn.functional.relu": [*activated(), values_only("integers", fixed([-1, 2]))],
    "nn.functional.relu6": activated(),
    "nn.functional.hardtanh": [*activated(), sample(leaf(4), -0.5, 1.5)],
    "nn.functional.leaky_relu": [*activated(), sample(leaf(4), 0.2)],
    "threshold": [*activated(0.5, 3.0), values_only("integers", fixed([1, 5]), 2, 7)],
    "nn.functional.threshold": activated(0.5, 3.0),
    "nn.functional.hardsigmoid": [first_order(NO_SECOND, leaf(2, 3))],
    "nn.functional.hardswish": [*activated(), sample(leaf(2, 3, low=-5.0, high=5.0))],
    "hardshrink": [*activated(), sample(leaf(4), 1.0)],
    "nn.functional.softshrink": [*activated(), sample(leaf(4), 1.0)],
    "nn.functional.tanhshrink": activated(),
    "nn.functional.softsign": activated(),
    "nn.functional.elu": [*activated(), sample(leaf(4), 0.5)],
    "nn.functional.celu": [*activated(), sample(leaf(4), 0.5)],
    "nn.functional.selu": activated(),
    "nn.functional.celu_": [values_only("in place", fixed([-1.0, 2.0]), 0.5)],
    "nn.functional.selu_": [values_only("in place", fixed([-1.0, 2.0]))],
    "nn.functional.softplus": [*activated(), sample(leaf(4), 2.0, 3.0), sample(leaf(3, low=30.0, high=40.0))],
    "nn.functional.logsigmoid": activated(),
    "nn.functional.silu": activated(),
    "nn.functional.mish": activated(),
    "nn.functional.gelu": [*activated(), *activated(approximate="tanh")],
    "nn.functional.glu": [
        sample(leaf(2, 4)), sample(leaf(4, 3), 0), sample(leaf(0, 2)), sample(leaf(4, 2, strided=True)),
    ],
    "prelu": [sample(leaf(2, 3), leaf(1)), sample(leaf(2, 3, 2), leaf(3)), sample(leaf(3), leaf(1))],
    "rrelu": [sample(leaf(2, 3)), sample(leaf(4), 0.1, 0.3, False)],
    "nn.functional.rrelu": [sample(leaf(2, 3)), sample(leaf(4), 0.1, 0.3, False)],
    "softmax": along(),
    "log_softmax": along(),
    "nn.functional.softmax": [sample(leaf(2, 3), 1), sample(leaf(2, 3), dim=0)],
    "nn.functional.log_softmax": [sample(leaf(2, 3), 1), sample(leaf(2, 3), dim=0)],
    "nn.functional.softmin": [sample(leaf(2, 3), 1), sample(leaf(2, 3), dim=0)],
    "nn.functional.gumbel_softmax": [
        values_only("random unless there is one class", fixed([[1.0], [2.0]])),
    ],
}  # fmt: skip

LOSSES = {
    "nn.functional.mse_loss": [*compared(leaf(2, 3)), sample(leaf(), leaf())],
    "nn.functional.l1_loss": [*compared(leaf(2, 3)), sample(leaf(2, dtype="complex128"), leaf(2, dtype="complex128"))],
    "nn.functional.smooth_l1_loss": [*compared(leaf(2, 3)), sample(leaf(3), leaf(3), beta=0.5)],
    "nn.functional.huber_loss": [*compared(leaf(2, 3)), sample(leaf(3), leaf(3), delta=0.5)],
    "nn.functional.binary_cross_entropy": [
        *compared(leaf(2, 3, low=0.1, high=0.9), 0.1, 0.9),
        sample(leaf(2, 3, low=0.1, high=0.9), fixed([[0.0, 1.0, 1.0]] * 2), fixed([1.0, 2.0, 0.5])),
        values_only("logarithms of 0", fixed([0.0, 1.0]), fixed([1.0, 0.0])),
    ],
    "nn.functional.binary_cross_entropy_with_logits": [
        *compared(leaf(2, 3)),
        sample(leaf(2, 3), leaf(2, 3), fixed([1.0, 2.0, 0.5]), pos_weight=fixed([3.0, 1.0, 2.0])),
    ],
    "nn.functional.soft_margin_loss": compared(SIGNS),
    "nn.functional.kl_div": [
        sample(leaf(2, 3), leaf(2, 3, low=0.1, high=1.0), reduction=kind) for kind in ("none", "sum", "batchmean")
    ] + [sample(leaf(2, 3), leaf(2, 3), reduction="sum", log_target=True)],
    "nn.functional.poisson_nll_loss": [
        *compared(leaf(2, 3, low=0.1, high=3.0)), sample(leaf(3, low=0.5), leaf(3, low=1.5), False, True),
    ],
    "nn.functional.gaussian_nll_loss": [
        sample(leaf(2, 3), leaf(2, 3), leaf(2, 3, low=0.5)), sample(leaf(2, 3), leaf(2, 3), leaf(2, low=0.5), True),
    ],
    "nn.functional.nll_loss": [
        sample(leaf(3, 4), CLASSES), sample(leaf(3, 4), CLASSES, fixed([1.0, 2.0, 0.5, 1.5])),
        sample(leaf(3, 4), CLASSES, reduction="none"), sample(leaf(3, 4), CLASSES, ignore_index=2, reduction="sum"),
        sample(leaf(4), fixed(1)), sample(leaf(1, 3, 2, 2), fixed([[[0, 1], [2, 1]]])),
        sample(leaf(2, 3, 2), fixed([[0, 1], [2, 1]]), reduction="none"),
    ],
    "nn.functional.cross_entropy": [
        sample(leaf(3, 4), CLASSES), sample(leaf(3, 4), CLASSES, fixed([1.0, 2.0, 0.5, 1.5]), label_smoothing=0.2),
        sample(leaf(3, 4), CLASSES, reduction="none"), sample(leaf(3, 4), CLASSES, ignore_index=2),
        sample(leaf(4), fixed(1)), sample(leaf(2, 3), leaf(2, 3, low=0.1, high=1.0)),
        sample(leaf(2, 3), leaf(2, 3, low=0.1, high=1.0), reduction="sum", label_smoothing=0.1),
    ],
    "nn.functional.linear_cross_entropy": [
        sample(leaf(3, 2), leaf(4, 2), CLASSES), sample(leaf(3, 2), leaf(4, 2), CLASSES, linear_bias=leaf(4)),
    ],
    "nn.functional.ctc_loss": [
        values_only("gradient is before a log_softmax", SCORES, fixed([[1, 2], [1, 1]]), [5, 4], [2, 2], **kind)
        for kind in ({}, {"reduction": "none"}, {"reduction": "sum", "zero_infinity": True})
    ] + [values_only("targets that do not fit", SCORES, fixed([1, 2, 1]), [1, 4], [2, 1], zero_infinity=True)],
    "nn.functional.multi_margin_loss": [
        first_order(NO_SECOND, leaf(3, 4), CLASSES),
        first_order(NO_SECOND, leaf(3, 4), CLASSES, 2, 0.7, fixed([1.0, 2.0, 0.5, 1.5])),
        first_order(NO_SECOND, leaf(4), fixed(1), reduction="none"),
    ],
    "nn.functional.multilabel_margin_loss": [
        first_order(NO_SECOND, leaf(2, 3), fixed([[0, 2, -1], [1, -1, 0]])),
        first_order(NO_SECOND, leaf(3), fixed([1, -1, 2]), reduction="sum"),
    ],
    "nn.functional.multilabel_soft_margin_loss": [
        sample(leaf(2, 3), fixed([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])),
        sample(leaf(2, 3), fixed([[0.0, 1.0, 1.0]] * 2), fixed([1.0, 2.0, 0.5]), reduction="none"),
    ],
    "nn.functional.margin_ranking_loss": [
        sample(leaf(3), leaf(3), fixed([1.0, -1.0, 1.0]), margin=0.3), sample(leaf(3), leaf(3), fixed([1.0] * 3)),
    ],
    "nn.functional.hinge_embedding_loss": compared(SIGNS),
    "nn.functional.cosine_embedding_loss": [
        sample(leaf(3, 4), leaf(3, 4), fixed([1.0, -1.0, 1.0])),
        sample(leaf(4), leaf(4), fixed(-1.0), margin=-0.9, reduction="none"),
    ],
    "nn.functional.triplet_margin_loss": [
        sample(leaf(3, 4), leaf(3, 4), leaf(3, 4)), sample(leaf(3, 4), leaf(3, 4), leaf(3, 4), swap=True),
    ],
    "nn.functional.triplet_margin_with_distance_loss": [sample(leaf(3, 4), leaf(3, 4), leaf(3, 4), margin=2.0)],
}  # fmt: skip

DISTANCES = {
    "pairwise_distance": [sample(leaf(3, 4), leaf(3, 4)), sample(leaf(3, 4), leaf(4), 3.0, 1e-6, True)],
    "cosine_similarity": [
        sample(leaf(3, 4), leaf(3, 4)), sample(leaf(3, 4), leaf(4), dim=-1), sample(leaf(4), leaf(4), 0),
    ],
    "nn.functional.normalize": [sample(leaf(3, 4)), sample(leaf(3, 4), 3.0, 0), sample(leaf(4), dim=0)],
    "pdist": [
        first_order(NO_SECOND, leaf(4, 3)), first_order(NO_SECOND, leaf(4, 3), 3.0), first_order(NO_SECOND, leaf(1, 3)),
    ],
}  # fmt: skip

NORMALISATIONS = {
    "native_layer_norm": [sample(leaf(2, 3), [3], leaf(3), leaf(3), 1e-5)],
    "nn.functional.layer_norm": [
        sample(leaf(2, 3), [3]), sample(leaf(2, 3, 4), [3, 4], leaf(3, 4), leaf(3, 4), 1e-3),
        sample(leaf(2, 3, 4), [4], leaf(4)),
    ],
    "nn.functional.rms_norm": [sample(leaf(2, 3), [3]), sample(leaf(2, 3), [3], leaf(3), 1e-3)],
    "native_group_norm": [sample(leaf(2, 4, 3), leaf(4), leaf(4), 2, 4, 3, 2, 1e-5)],
    "nn.functional.group_norm": [sample(leaf(2, 4, 3), 2), sample(leaf(2, 4, 3), 2, leaf(4), leaf(4))],
    "native_batch_norm": [
        sample(leaf(4, 3), leaf(3), leaf(3), None, None, True, 0.1, 1e-5),
        sample(leaf(4, 3), leaf(3), leaf(3), fixed([0.1, 0.2, 0.3]), fixed([1.0, 2.0, 3.0]), False, 0.1, 1e-5),
    ],
    "_native_batch_norm_legit": [
        sample(leaf(4, 3), leaf(3), leaf(3), fixed([0.1, 0.2, 0.3]), fixed([1.0, 2.0, 3.0]), False, 0.1, 1e-5),
    ],
    "nn.functional.batch_norm": [
        sample(leaf(4, 3), None, None, training=True), sample(leaf(2, 3, 2), None, None, leaf(3), leaf(3), True),
        sample(leaf(4, 3), fixed([0.1, 0.2, 0.3]), fixed([1.0, 2.0, 3.0]), leaf(3), leaf(3)),
    ],
    "nn.functional.instance_norm": [
        sample(leaf(2, 3, 4)), sample(leaf(2, 3, 4), weight=leaf(3), bias=leaf(3)),
    ],
    "nn.functional.local_response_norm": [sample(leaf(2, 4, 3), 2), sample(leaf(2, 4, 3), 3, 0.5, 0.6, 2.0)],
}  # fmt: skip

OTHERS = {
    "nn.functional.pad": [
        sample(leaf(2, 3), (1, 2)), sample(leaf(2, 3), (1, -1, 0, 2), value=3.0), sample(leaf(2, 0), (1, 1)),
        sample(leaf(2, 3, dtype="complex128"), (1, 1)),
        *[sample(leaf(1, 2, 4), (1, 2), mode) for mode in ("reflect", "replicate", "circular")],
        *[sample(leaf(1, 2, 3, 4), (1, 2, 2, 1), mode) for mode in ("reflect", "replicate", "circular")],
    ],
    "embedding": [sample(leaf(4, 3), fixed([[0, 2], [2, 3]])), sample(leaf(4, 3), fixed(1))],
    "nn.functional.embedding": [
        sample(fixed([0, 2, 2]), leaf(4, 3)),
        values_only("the row of the padding gets no gradient", fixed([0, 2, 2]), leaf(4, 3), padding_idx=2),
        values_only("the gradient is scaled", fixed([0, 2, 2]), leaf(4, 3), scale_grad_by_freq=True),
    ],
    "embedding_bag": [sample(leaf(5, 3), fixed([0, 2, 2, 4]), fixed([0, 3]))],
    "nn.functional.embedding_bag": [
        *[sample(fixed([[0, 2], [3, 4]]), leaf(5, 3), mode=mode) for mode in ("sum", "mean", "max")],
        first_order(NO_SECOND, fixed([0, 2, 2, 4]), leaf(5, 3), fixed([0, 3]), mode="sum", per_sample_weights=leaf(4)),
        values_only(
            "the gradient is scaled", fixed([0, 2, 2, 4]), leaf(5, 3), fixed([0, 3]), mode="sum",
            scale_grad_by_freq=True,
        ),
    ],
    "nn.functional.one_hot": [values_only("integers", fixed([0, 2, 1])), values_only("integers", fixed([0, 2]), 4)],
    "dropout": dropped(2, 3),
    "feature_dropout": dropped(2, 3, 2),
    "nn.functional.dropout": [*dropped(2, 3), values_only(RANDOM, fixed([1.0, 2.0]), 1.0)],
    "nn.functional.alpha_dropout": dropped(2, 3),
    "nn.functional.feature_alpha_dropout": dropped(2, 3, 2),
    "nn.functional.dropout1d": dropped(2, 3, 2),
    "nn.functional.dropout2d": dropped(2, 3, 2, 2),
    "nn.functional.dropout3d": dropped(2, 3, 2, 2, 2),
}  # fmt: skip

SAMPLES = {**ACTIVATIONS, **LOSSES, **DISTANCES, **NORMALISATIONS, **OTHERS}
