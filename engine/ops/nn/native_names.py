"""What PyTorch has in ``torch`` beside ``torch.nn.functional``: the same functions with the arguments of C++.

A reduction is a number there: 1 for the mean, 2 for the sum, anything else for none, which is also the default.
"""

from __future__ import annotations

from typing import Any

from engine import ops, registry
from engine.op import Array, Index, composite, primitive
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.nn.folding import channel_shuffle, check_channels
from engine.tensor import Tensor

REDUCTIONS = {1: "mean", 2: "sum"}


def _functional(name: str, *args: Any, reduction: int | None = None, **named: Any) -> Any:
    """``nn.functional.<name>`` of these arguments."""
    if reduction is not None:
        named["reduction"] = REDUCTIONS.get(reduction, "none")
    function: Any = registry.function(f"nn.functional.{name}")
    return function(*args, **named)


# -- losses -------------------------------------------------------------------------------------------------------
@composite(method=False)
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 0
) -> Tensor:
    """``binary_cross_entropy`` of ``sigmoid(input)``."""
    return _functional(
        "binary_cross_entropy_with_logits", input, target, weight, pos_weight=pos_weight, reduction=reduction
    )


@composite(method=False)
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """1 minus the cosine between the inputs where ``target`` is 1, what it is above ``margin`` where it is -1."""
    return _functional("cosine_embedding_loss", input1, input2, target, margin, reduction=reduction)


@composite(method=False)
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Minus the log-likelihood of label sequences."""
    lengths = input_lengths, target_lengths
    named = {"blank": blank, "zero_infinity": zero_infinity}
    return _functional("ctc_loss", log_probs, targets, *lengths, reduction=reduction, **named)


@composite(method=False)
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """The distance ``input`` itself where ``target`` is 1, what it misses of ``margin`` where it is -1."""
    return _functional("hinge_embedding_loss", input, target, margin, reduction=reduction)


@composite(method=False)
def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence of log-probabilities ``input`` from probabilities ``target``."""
    if reduction == 1:  # without what ``nn.functional`` says of this mean
        return ops.mean(kl_div(input, target, 0, log_target=log_target))
    return _functional("kl_div", input, target, reduction=reduction, log_target=log_target)


@composite(method=False)
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """What ``input1`` misses of being larger (``target`` 1) or smaller (-1) than ``input2`` by ``margin``."""
    return _functional("margin_ranking_loss", input1, input2, target, margin, reduction=reduction)


@composite(method=False)
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """Negative log-likelihood of counts ``target`` under rates ``input`` (or their logarithms)."""
    named = {"log_input": log_input, "full": full, "eps": eps}
    return _functional("poisson_nll_loss", input, target, reduction=reduction, **named)


@composite(method=False)
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False, reduction: int = 0,
) -> Tensor:  # fmt: skip
    """What ``negative`` misses of being further from ``anchor`` than ``positive`` by ``margin``."""
    settings = margin, p, eps, swap
    return _functional("triplet_margin_loss", anchor, positive, negative, *settings, reduction=reduction)


# -- normalisation ------------------------------------------------------------------------------------------------
@composite(method=False)
def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """Channels (dimension 1) standardised over the batch, or by running statistics, then scaled and shifted."""
    return _functional("batch_norm", input, running_mean, running_var, weight, bias, training, momentum, eps)


@composite(method=False)
def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool,
) -> Tensor:  # fmt: skip
    """Every channel of every sample standardised by itself, then scaled and shifted by channel."""
    settings = use_input_stats, momentum, eps
    return _functional("instance_norm", input, running_mean, running_var, weight, bias, *settings)


# -- dropout ------------------------------------------------------------------------------------------------------
@composite(method=False)
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout for SELU: keeps mean and variance."""
    return _functional("alpha_dropout", input, p, train)


@composite(method=False)
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``alpha_dropout`` of whole channels."""
    return _functional("feature_alpha_dropout", input, p, train)


@primitive(
    public=False, grad_fn="NativeDropoutBackward0", outputs=("out", "mask"),
    check=lambda input: refuse_complex_history("native_dropout", input),
)  # fmt: skip
def dropped_by(input: Array, noise: Index) -> tuple[Array, Array]:
    """``input`` times ``noise``, and where this is not 0."""
    return input * noise, noise != 0


dropped_by.vjp(input=lambda g, noise: ops.mul(g, noise))


@composite(method=False)
def native_dropout(input: Tensor, p: float, train: bool | None) -> Any:
    """``input`` with elements dropped with probability ``p``, the others scaled; and which are kept."""
    if train is False or p == 0 or not input.array.size:
        return dropped_by(input, ops.ones_like(input, requires_grad=False))
    if p == 1:
        return dropped_by(input, ops.zeros_like(input, requires_grad=False))
    return dropped_by(input, ops.dropout(ops.ones_like(input, requires_grad=False), p, True))


# -- others -------------------------------------------------------------------------------------------------------
@primitive(method=False, aliases=("nn.functional.native_channel_shuffle",), underivable=True, check=check_channels)
def native_channel_shuffle(input: Array, groups: int) -> Array:
    """``channel_shuffle``, which PyTorch cannot differentiate under this name."""
    return channel_shuffle.kernel(input, groups)
