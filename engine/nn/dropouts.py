"""Dropout layers: random zeros while training."""

from __future__ import annotations

from typing import Any

from engine.errors import ArgumentValueError
from engine.nn.layer import F, Layer, layer

HOME = "dropout"


@layer(None, "p inplace")
class _Dropout(Layer):
    p: float = 0.5
    inplace: bool = False

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        if self.p < 0 or self.p > 1:
            raise ArgumentValueError(f"dropout probability has to be between 0 and 1, but got {self.p}")


@layer(HOME, calls=F.dropout, passes="training")
class Dropout(_Dropout):
    """Sets elements to zero with probability ``p``, and makes up for it."""


@layer(HOME, calls=F.dropout1d, passes="training")
class Dropout1d(_Dropout):
    """Sets channels of ``(N, C, L)`` to zero with probability ``p``, and makes up for it."""


@layer(HOME, calls=F.dropout2d, passes="training")
class Dropout2d(_Dropout):
    """Sets channels of ``(N, C, H, W)`` to zero with probability ``p``, and makes up for it."""


@layer(HOME, calls=F.dropout3d, passes="training")
class Dropout3d(_Dropout):
    """Sets channels of ``(N, C, D, H, W)`` to zero with probability ``p``, and makes up for it."""


@layer(HOME)
class AlphaDropout(_Dropout):
    """Dropout for ``SELU``: keeps mean and variance (Klambauer et al., 2017)."""

    def forward(self, input: Any) -> Any:
        """``input`` with elements at the saturation of ``SELU``; always in new memory, as in PyTorch."""
        return F.alpha_dropout(input, self.p, self.training)


@layer(HOME)
class FeatureAlphaDropout(_Dropout):
    """``AlphaDropout`` of whole channels."""

    def forward(self, input: Any) -> Any:
        """``input`` with channels at the saturation of ``SELU``; always in new memory, as in PyTorch."""
        return F.feature_alpha_dropout(input, self.p, self.training)
