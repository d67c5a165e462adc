"""Layers that normalise: over batches, samples, groups of channels, or the last dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from engine import modes, ops
from engine.errors import ArgumentValueError
from engine.nn import init
from engine.nn.layer import F, Layer, layer
from engine.tensor import Tensor

BATCH, INSTANCE, OTHER = "batchnorm", "instancenorm", "normalization"


class _Affine(Layer):
    """Scales and shifts what it normalised by parameters that begin as ones and zeros, if ``_affine_field`` says so."""

    _affine_field: ClassVar[str] = "affine"

    def _scales(self, shape: tuple[int, ...], bias: bool, device: Any, dtype: Any) -> None:
        is_affine = getattr(self, self._affine_field)
        self._weights(dtype, device, weight=shape if is_affine else None, bias=shape if is_affine and bias else None)

    def reset_parameters(self) -> None:
        """Parameters that change nothing."""
        if self.weight is not None:
            init.ones_(self.weight)
        if getattr(self, "bias", None) is not None:
            init.zeros_(self.bias)


# -- by channels, with running statistics -------------------------------------------------------------------------
class _Tracking(_Affine):
    """Normalises every channel, and remembers means and variances as training goes on."""

    _version = 2
    _ranks: ClassVar[tuple[int, ...]]

    def _make(
        self, num_features: int, eps: float, momentum: float | None, affine: bool, track_running_stats: bool,
        device: Any, dtype: Any, bias: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self._scales((num_features,), bias, device, dtype)
        self._statistics(dtype)
        self.reset_parameters()

    def _statistics(self, dtype: Any) -> None:
        is_tracked, count = self.track_running_stats, self.num_features
        self.register_buffer("running_mean", ops.zeros(count, dtype=dtype) if is_tracked else None)
        self.register_buffer("running_var", ops.ones(count, dtype=dtype) if is_tracked else None)
        self.register_buffer("num_batches_tracked", ops.tensor(0) if is_tracked else None)

    def reset_running_stats(self) -> None:
        """Forget what was seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Parameters that change nothing, and no statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        """The number of channels, and the settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            ranks = " or ".join(f"{rank}D" for rank in self._ranks)
            raise ArgumentValueError(f"expected {ranks} input (got {input.ndim}D input)")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: Any, *rest: Any) -> None:
        key = f"{prefix}num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked if self.num_batches_tracked is not None else ops.tensor(0)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class BatchNorm(_Tracking):
    """Normalises over batches (Ioffe and Szegedy, 2015)."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self._make(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Any:
        """``input`` with every channel normalised by its own statistics, or after training by those remembered."""
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        is_tracking = self.training and self.track_running_stats
        if is_tracking and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the mean of all batches
                momentum = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        known = (self.running_mean, self.running_var) if not self.training or is_tracking else (None, None)
        return F.batch_norm(input, *known, self.weight, self.bias, by_batch, momentum, self.eps)


@layer(BATCH)
class BatchNorm1d(BatchNorm):
    """Over ``(N, C)`` or ``(N, C, L)``."""

    _ranks = (2, 3)


@layer(BATCH)
class BatchNorm2d(BatchNorm):
    """Over ``(N, C, H, W)``."""

    _ranks = (4,)


@layer(BATCH)
class BatchNorm3d(BatchNorm):
    """Over ``(N, C, D, H, W)``."""

    _ranks = (5,)


@layer(BATCH)
class SyncBatchNorm(BatchNorm):
    """Over ``(N, C, ...)``; in one process a batch is the whole batch, whatever group it is said to belong to."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, process_group: Any = None, device: Any = None, dtype: Any = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ArgumentValueError(f"expected at least 2D input (got {input.ndim}D input)")
        if input.shape[1] == 0:
            raise ArgumentValueError("SyncBatchNorm number of input channels should be non-zero")


class InstanceNorm(_Tracking):
    """Normalises every channel of every sample (Ulyanov et al., 2016)."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self._make(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Any:
        """``input`` with every channel of every sample normalised."""
        self._check_input_dim(input)
        without_batch = self._ranks[0]
        dim = input.ndim - without_batch
        if input.shape[dim] != self.num_features:
            self._refuse_channels(dim, input.shape[dim])
        if input.ndim == without_batch:
            return self._normalised(input.unsqueeze(0)).squeeze(0)
        return self._normalised(input)

    def _refuse_channels(self, dim: int, count: int) -> None:
        if self.affine:
            raise ArgumentValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: {count}."
            )
        modes.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing in "
            "num_features, which is not used because affine=False"
        )

    def _normalised(self, input: Tensor) -> Any:
        by_sample = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, by_sample, momentum, self.eps
        )


@layer(INSTANCE)
class InstanceNorm1d(InstanceNorm):
    """Over ``(N, C, L)`` or ``(C, L)``."""

    _ranks = (2, 3)


@layer(INSTANCE)
class InstanceNorm2d(InstanceNorm):
    """Over ``(N, C, H, W)`` or ``(C, H, W)``."""

    _ranks = (3, 4)


@layer(INSTANCE)
class InstanceNorm3d(InstanceNorm):
    """Over ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""

    _ranks = (4, 5)


# -- without statistics -------------------------------------------------------------------------------------------
def _shape(normalized_shape: Any) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


@layer(OTHER, ":normalized_shape eps elementwise_affine", F.layer_norm, passes="normalized_shape weight bias eps")
class LayerNorm(_Affine):
    """Normalises over the last dimensions (Ba et al., 2016)."""

    _affine_field = "elementwise_affine"

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self._scales(self.normalized_shape, bias, device, dtype)
        self.reset_parameters()

    def extra_repr(self) -> str:
        """The shape and the settings."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


@layer(OTHER, ":num_groups :num_channels eps affine", F.group_norm, passes="num_groups weight bias eps")
class GroupNorm(_Affine):
    """Normalises over groups of channels (Wu and He, 2018)."""

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_channels % num_groups:
            raise ArgumentValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._scales((num_channels,), bias, device, dtype)
        self.reset_parameters()

    def extra_repr(self) -> str:
        """The numbers of groups and channels, and the settings."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


@layer(OTHER, ":normalized_shape eps elementwise_affine")
class RMSNorm(_Affine):
    """Divides by the root mean square over the last dimensions (Zhang and Sennrich, 2019)."""

    _affine_field = "elementwise_affine"

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self._weights(dtype, device, weight=self.normalized_shape if elementwise_affine else None)
        self.reset_parameters()

    def forward(self, x: Tensor) -> Any:
        """``x`` over its root mean square."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


@layer(OTHER, ":size alpha beta k", F.local_response_norm)
class LocalResponseNorm(Layer):
    """Normalises over neighbouring channels (Krizhevsky et al., 2012)."""

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
