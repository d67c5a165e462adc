"""Layers that give an input another shape or size, and distances between inputs."""

from __future__ import annotations

from typing import Any

from engine import ops
from engine.errors import ArgumentTypeError
from engine.nn.layer import F, Layer, layer
from engine.op.signature import type_name
from engine.tensor import Tensor

UPSAMPLING = "upsampling"


@layer("flatten", "start_dim end_dim", ops.flatten)
class Flatten(Layer):
    """Makes one dimension of several."""

    start_dim: int = 1
    end_dim: int = -1


@layer("flatten", "dim unflattened_size")
class Unflatten(Layer):
    """Makes several dimensions of one."""

    dim: int
    unflattened_size: Any

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        if not isinstance(self.unflattened_size, tuple | list):
            raise ArgumentTypeError(
                f"unflattened_size must be a tuple of ints, but found type {type_name(self.unflattened_size)}"
            )
        for place, extent in enumerate(self.unflattened_size):
            if not isinstance(extent, int):
                raise ArgumentTypeError(
                    f"unflattened_size must be tuple of ints, but found element of type {type_name(extent)} at pos "
                    f"{place}"
                )

    def forward(self, input: Tensor) -> Any:
        """``input`` with ``dim`` as these dimensions."""
        return input.unflatten(self.dim, self.unflattened_size)


@layer("pixelshuffle", "upscale_factor", F.pixel_shuffle)
class PixelShuffle(Layer):
    """Makes pixels of channels (Shi et al., 2016)."""

    upscale_factor: int


@layer("pixelshuffle", "downscale_factor", F.pixel_unshuffle)
class PixelUnshuffle(Layer):
    """Makes channels of pixels."""

    downscale_factor: int


@layer("channelshuffle", "groups", F.channel_shuffle)
class ChannelShuffle(Layer):
    """Mixes the channels of groups (Zhang et al., 2017)."""

    groups: int


# -- sizes --------------------------------------------------------------------------------------------------------
@layer(UPSAMPLING, None, F.interpolate)
class Upsample(Layer):
    """Interpolates to a size, or by a factor."""

    size: Any = None
    scale_factor: Any = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        self.name, factor = self._get_name(), self.scale_factor
        if isinstance(factor, tuple):
            self.scale_factor = tuple(float(one) for one in factor)
        else:
            self.scale_factor = float(factor) if factor else None

    def extra_repr(self) -> str:
        """The factor or the size, and the mode."""
        size = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{size}, mode={self.mode!r}"


@layer(UPSAMPLING)
class UpsamplingNearest2d(Upsample):
    """``Upsample`` of images by the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


@layer(UPSAMPLING)
class UpsamplingBilinear2d(Upsample):
    """``Upsample`` of images by the four nearest pixels, corners on corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


# -- distances ----------------------------------------------------------------------------------------------------
@layer("distance")
class PairwiseDistance(Layer):
    """The norm of the difference of two inputs along the last dimension."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Any:
        """``norm(x1 - x2 + eps)``."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


@layer("distance", "", F.cosine_similarity, takes="x1 x2")
class CosineSimilarity(Layer):
    """The cosine of the angle between two inputs along ``dim``."""

    dim: int = 1
    eps: float = 1e-8
