"""Losses: how far an input is from its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, field
from typing import Any

from engine.errors import ArgumentValueError
from engine.nn.layer import F, Layer, layer
from engine.nn.shapes import PairwiseDistance
from engine.ops.nn.reduction import chosen
from engine.tensor import Tensor

HOME = "loss"
BOTH = "input target"
PAIR = "input1 input2 target"
TRIPLET = "anchor positive negative"


class Loss(Layer):
    """What losses have in common: how the losses of elements become one."""

    reduction: str

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__()
        if size_average is not None or reduce is not None:
            self.reduction = chosen("mean", size_average, reduce)


@layer(None)
class _Plain(Loss):
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(None, buffers="weight")
class _Weighted(Loss):
    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(None)
class _WithMargin(Loss):
    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


# -- of numbers ---------------------------------------------------------------------------------------------------
@layer(HOME, calls=F.l1_loss, takes=BOTH)
class L1Loss(_Plain):
    """Absolute differences."""


@layer(HOME, calls=F.mse_loss, takes=BOTH)
class MSELoss(_Plain):
    """Squared differences."""


@layer(HOME, calls=F.smooth_l1_loss, takes=BOTH)
class SmoothL1Loss(_Plain):
    """Squares below ``beta``, absolute differences above (Girshick, 2015)."""

    beta: float = 1.0


@layer(HOME, calls=F.huber_loss, takes=BOTH)
class HuberLoss(Loss):
    """Squares below ``delta``, ``delta`` times absolute differences above (Huber, 1964)."""

    reduction: str = "mean"
    delta: float = 1.0


@layer(HOME, calls=F.kl_div, takes=BOTH)
class KLDivLoss(_Plain):
    """The divergence of a target from an input given as logarithms (Kullback and Leibler, 1951)."""

    log_target: bool = False


@layer(HOME)
class PoissonNLLLoss(Loss):
    """The negative log-likelihood of counts."""

    log_input: bool = True
    full: bool = False
    size_average: InitVar[bool | None] = None
    eps: float = 1e-8
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def forward(self, log_input: Tensor, target: Tensor) -> Any:
        """The loss of rates, or of their logarithms."""
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


@layer(HOME, calls=F.gaussian_nll_loss, takes="input target var")
class GaussianNLLLoss(Loss):
    """The negative log-likelihood of numbers with known variances."""

    full: bool = field(default=False, kw_only=True)
    eps: float = field(default=1e-6, kw_only=True)
    reduction: str = field(default="mean", kw_only=True)


# -- of classes ---------------------------------------------------------------------------------------------------
@layer(HOME, calls=F.nll_loss, takes=BOTH, buffers="weight")
class NLLLoss(Loss):
    """The negative of what the input, log-probabilities, has for the target class."""

    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(HOME, calls=F.cross_entropy, takes=BOTH, buffers="weight")
class CrossEntropyLoss(Loss):
    """``NLLLoss`` of the logarithm of a softmax."""

    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    label_smoothing: float = 0.0


@layer(HOME, calls=F.binary_cross_entropy, takes=BOTH)
class BCELoss(_Weighted):
    """The cross entropy of two classes, from probabilities."""


@layer(HOME, calls=F.binary_cross_entropy_with_logits, takes=BOTH, buffers="weight pos_weight")
class BCEWithLogitsLoss(_Weighted):
    """``BCELoss`` after a sigmoid."""

    pos_weight: Tensor | None = None


@layer(HOME, calls=F.multilabel_margin_loss, takes=BOTH)
class MultiLabelMarginLoss(_Plain):
    """By how much wrong classes come near to right ones, of which there may be several."""


@layer(HOME, calls=F.multilabel_soft_margin_loss, takes=BOTH)
class MultiLabelSoftMarginLoss(_Weighted):
    """The mean of ``BCEWithLogitsLoss`` over classes."""


@layer(HOME, calls=F.multi_margin_loss, takes=BOTH, buffers="weight")
class MultiMarginLoss(Loss):
    """By how much wrong classes come near to the right one."""

    p: int = 1
    margin: float = 1.0
    weight: Tensor | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        if self.p not in (1, 2):
            raise ArgumentValueError("only p == 1 and p == 2 supported")
        if self.weight is not None and self.weight.ndim != 1:
            raise ArgumentValueError("weight must be None or have 1 dimension")


@layer(HOME, calls=F.soft_margin_loss, takes=BOTH)
class SoftMarginLoss(_Plain):
    """The logistic loss of targets 1 and -1."""


@layer(HOME, calls=F.ctc_loss, takes="log_probs targets input_lengths target_lengths")
class CTCLoss(Loss):
    """The negative log-likelihood of sequences of labels, wherever they stand in the input (Graves et al., 2006)."""

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False


# -- of pairs and triplets ----------------------------------------------------------------------------------------
@layer(HOME, calls=F.hinge_embedding_loss, takes=BOTH)
class HingeEmbeddingLoss(_WithMargin):
    """Distances of what is alike, and by how much others fall short of ``margin``."""

    margin: float = 1.0


@layer(HOME, calls=F.cosine_embedding_loss, takes=PAIR)
class CosineEmbeddingLoss(_WithMargin):
    """One minus the cosine of what is alike, and by how much that of others is over ``margin``."""


@layer(HOME, calls=F.margin_ranking_loss, takes=PAIR)
class MarginRankingLoss(_WithMargin):
    """By how much the first input falls short of the second, or the other way round."""


@layer(HOME, calls=F.triplet_margin_loss, takes=TRIPLET)
class TripletMarginLoss(Loss):
    """By how much what is alike is not nearer than what is not, by ``margin``."""

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        _check_margin(self._get_name(), self.margin)


@layer(HOME, calls=F.triplet_margin_with_distance_loss, takes=TRIPLET)
class TripletMarginWithDistanceLoss(Loss):
    """``TripletMarginLoss`` by a distance of one's own."""

    distance_function: Callable[..., Any] | None = field(default=None, kw_only=True)
    margin: float = field(default=1.0, kw_only=True)
    swap: bool = field(default=False, kw_only=True)
    reduction: str = field(default="mean", kw_only=True)

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        _check_margin(self._get_name(), self.margin)
        if self.distance_function is None:
            self.distance_function = PairwiseDistance()


def _check_margin(name: str, margin: float) -> None:
    if margin <= 0:
        raise ArgumentValueError(f"{name}: expected margin to be greater than 0, got {margin} instead")
