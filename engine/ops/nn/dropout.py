"""Dropout and its relatives: random zeros while training, random slopes and choices, from the state's stream."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from engine import modes, ops
from engine.errors import ArgumentValueError, OpError
from engine.op import Array, composite, pointwise, primitive
from engine.ops.creation.distributions import drawn, drawn_like, stream
from engine.tensor import Tensor

SATURATION = 1.7580993408473766  # minus what SELU tends to for negative inputs: its scale times its alpha


# -- masks --------------------------------------------------------------------------------------------------------
def _feature_size(input: Tensor) -> tuple[int, ...]:
    """One number for each channel of each sample."""
    shape = input.array.shape
    if len(shape) < 2:
        raise OpError("Feature dropout requires at least 2 dimensions in the input")
    return (*shape[:2], *(1 for _ in shape[2:]))


def _noise(input: Tensor, by_feature: bool, draw: Callable[..., Array]) -> Any:
    """A draw for each element, or for each channel."""
    if by_feature:
        return drawn(_feature_size(input), input.dtype, draw, stream(None))
    return drawn_like(input, input.dtype, draw, stream(None))


def _dropped(input: Tensor, p: float, training: bool, by_feature: bool, inplace: bool) -> Tensor:
    """``input`` times a mask that keeps what it does not drop at the same mean."""
    if not 0 <= p <= 1:
        raise OpError(f"dropout probability has to be between 0 and 1, but got {p:g}")
    if p == 0 or not training or input.array.size == 0:
        return input
    multiply = ops.mul.inplace if inplace else ops.mul
    if p == 1:
        return multiply(input, Tensor(np.zeros((), input.array.dtype)))
    if not input.dtype.is_differentiable:
        default = modes.get_default_dtype().scalar_type
        raise OpError(f"result type {default} can't be cast to the desired output type {input.dtype.scalar_type}")
    noise = _noise(input, by_feature, lambda source, shape, dtype: source.dropout_mask(shape, p, dtype))
    return multiply(input, noise)


def _alpha_dropped(input: Tensor, p: float, training: bool, by_feature: bool, inplace: bool) -> Tensor:
    """Sets to SELU's saturation instead of zero, then restores mean and variance (Klambauer et al., 2017, sec. 2)."""
    if p in (0, 1) or not training or input.array.size == 0:
        return _dropped(input, p, training, by_feature, inplace)
    kept = _noise(input, by_feature, lambda source, shape, dtype: source.bernoulli(shape, 1 - p, dtype))
    scale = 1 / sqrt((SATURATION * SATURATION * p + 1) * (1 - p))
    shift = (kept - 1) * (SATURATION * scale) + SATURATION * scale * p
    multiply, add = (ops.mul.inplace, ops.add.inplace) if inplace else (ops.mul, ops.add.inplace)
    return add(multiply(input, kept * scale), shift)


# -- dropout ------------------------------------------------------------------------------------------------------
def _check_probability(p: float) -> None:
    if p < 0 or p > 1:
        raise ArgumentValueError(f"dropout probability has to be between 0 and 1, but got {p}")


@composite(method=False)
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``input`` with elements set to zero with probability ``p``, the others over ``1 - p``."""
    return _dropped(input, p, train, False, False)


@composite(method=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``dropout`` of whole channels."""
    return _dropped(input, p, train, True, False)


@composite(name="nn.functional.dropout")
def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``input`` with elements set to zero with probability ``p``, the others over ``1 - p``."""
    _check_probability(p)
    return _dropped(input, p, training, False, inplace)


@composite(name="nn.functional.alpha_dropout")
def _alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for SELU: keeps mean and variance."""
    _check_probability(p)
    return _alpha_dropped(input, p, training, False, inplace)


@composite(name="nn.functional.feature_alpha_dropout")
def _feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """``alpha_dropout`` of whole channels."""
    _check_probability(p)
    return _alpha_dropped(input, p, training, True, inplace)


@composite(name="nn.functional.dropout1d")
def _dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``dropout`` of whole channels ``(N, C, L)`` or ``(C, L)``."""
    _check_probability(p)
    ndim = input.array.ndim
    if ndim not in (2, 3):
        raise OpError(
            f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input. Note that dropout1d exists to provide "
            "channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch "
            "dimension (i.e. 2D or 3D inputs)."
        )
    return _dropped_batch(input, p, training, inplace, ndim == 3)


@composite(name="nn.functional.dropout2d")
def _dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``dropout`` of whole channels ``(N, C, H, W)``; three dimensions are ``(N, C, L)``."""
    _check_probability(p)
    _warn_ndim("dropout2d", input.array.ndim, 2)
    if input.array.ndim == 3:
        modes.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a "
            "future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead."
        )
    return _dropped(input, p, training, True, inplace)


@composite(name="nn.functional.dropout3d")
def _dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """``dropout`` of whole channels ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""
    _check_probability(p)
    _warn_ndim("dropout3d", input.array.ndim, 3)
    return _dropped_batch(input, p, training, inplace, input.array.ndim == 5)


def _dropped_batch(input: Tensor, p: float, training: bool, inplace: bool, is_batch: bool) -> Tensor:
    """A single sample is a batch of one."""
    if is_batch:
        return _dropped(input, p, training, True, inplace)
    whole = ops.unsqueeze.inplace(input, 0) if inplace else ops.unsqueeze(input, 0)
    dropped = _dropped(whole, p, training, True, inplace)
    return ops.squeeze_dim.inplace(dropped, 0) if inplace else ops.squeeze(dropped, 0)


def _warn_ndim(name: str, ndim: int, spatial: int) -> None:
    if ndim not in (spatial + 1, spatial + 2):
        modes.warn(
            f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
            "release. To retain the behavior and silence this warning, please use dropout instead. Note that "
            f"{name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a channel "
            f"dimension, and an optional batch dimension (i.e. {spatial + 1}D or {spatial + 2}D inputs)."
        )


# -- random slopes ------------------------------------------------------------------------------------------------
@primitive(public=False, random=True, nondifferentiable=("input",))
def rrelu_noise(input: Array, lower: float, upper: float, generator: Any) -> Array:
    """A slope for each element: uniform where it is not positive, else 1."""
    bent = input <= 0
    noise = np.ones(input.shape, input.dtype)
    noise[bent] = generator.uniform((np.count_nonzero(bent),), np.dtype(np.float64), lower, upper)
    return noise


@pointwise(
    public=False, supports="f", kernel_name="rrelu_with_noise_out_cpu", numbers=(),
    inplace_grad_fn="RreluWithNoiseBackward1",
    nondifferentiable=("noise",),
)  # fmt: skip
def rrelu_with_noise(input: Array, noise: Array) -> Array:
    """``input`` above 0, ``noise * input`` below."""
    return np.where(input > 0, input, input * noise)


rrelu_with_noise.vjp(input=lambda g, input, noise: ops.prelu_backward(g, input, noise))


def _rrelu(input: Tensor, lower: float, upper: float, training: bool, inplace: bool) -> Tensor:
    if lower > upper:
        raise OpError("Lower bound should be less than or equal to the upper bound")
    if training:
        noise = rrelu_noise(input, lower, upper, stream(None))
    else:
        noise = Tensor(np.full((), (lower + upper) / 2, input.array.dtype))
    return (rrelu_with_noise.inplace if inplace else rrelu_with_noise)(input, noise)


@composite(method=False)
def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """``input`` above 0, a random multiple of it below, or while not training the mean multiple."""
    return _rrelu(input, lower, upper, training, False)


@composite(name="nn.functional.rrelu")
def _functional_rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """``input`` above 0, a random multiple of it below, or while not training the mean multiple."""
    return _rrelu(input, lower, upper, training, inplace)


# -- random choices -----------------------------------------------------------------------------------------------
@composite(name="nn.functional.gumbel_softmax")
def _gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Random points of the simplex near its corners (Jang et al., 2017), or with ``hard`` the corners themselves.

    The gradient is that of the points either way.
    """
    if eps != 1e-10:
        modes.warn("`eps` parameter is deprecated and has no effect.")
    exponential = drawn(
        logits.array.shape, logits.dtype, lambda g, shape, dtype: g.exponential(shape, dtype), stream(None)
    )
    soft: Any = ops.softmax((logits + -ops.log(exponential)) / tau, dim)
    if not hard:
        return soft
    chosen = ops.argmax(soft, dim, True)
    corners = ops.scatter(ops.zeros_like(soft), dim, chosen, 1.0)
    return corners - soft.detach() + soft
