"""Mixed precision as programs ask for it: where there is no such device it is off, and says so as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from engine import dtypes, homes, modes, registry
from engine.errors import OpError, UnsupportedError
from engine.ops.creation.factories import DEVICES

NO_AUTOCAST = "CUDA is not available or torch_xla is imported. Disabling autocast."
NO_SCALER = "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling."


def _check_device(device: str) -> None:
    if device not in DEVICES.split(", "):
        raise OpError(f"Expected one of {DEVICES} device type at start of device string: {device}")


class autocast:
    """A context in which nothing changes. Raises ``UnsupportedError`` where PyTorch would cast."""

    _state: ClassVar[dict[str, type]] = {"device_type": str, "enabled": bool}

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        _check_device(device_type)
        self.device_type, self.enabled = device_type, False
        if enabled and device_type == "cpu":
            raise UnsupportedError(
                "autocast on the CPU is not available here: cast by .to(torch.bfloat16), or pass enabled=False"
            )
        if enabled:
            modes.warn(NO_AUTOCAST)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing changes back."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call


class _CudaAutocast(autocast):
    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool | None = None) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler:
    """A scaler of losses that is off: everything passes through it as it is."""

    _state: ClassVar[dict[str, type]] = {"enabled": bool}

    def __init__(
        self, device: str = "cuda", init_scale: float = 65536.0, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        _check_device(device)
        self.enabled = False
        if enabled and device == "cpu":
            raise UnsupportedError("a GradScaler on the CPU is not available here: pass enabled=False")
        if enabled:
            modes.warn(NO_SCALER)

    def scale(self, outputs: Any) -> Any:
        """The outputs."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing is scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimiser."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """There is no scale."""

    def get_scale(self) -> float:
        """One."""
        return 1.0

    def is_enabled(self) -> bool:
        """It is off."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """Nothing changes."""


class _CudaScaler(GradScaler):
    def __init__(
        self, init_scale: float = 65536.0, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """No."""
    return False


def get_autocast_dtype(device_type: str) -> Any:
    """What PyTorch would cast to."""
    return dtypes.bfloat16 if device_type == "cpu" else dtypes.float16


homes.keep("torch.amp.autocast_mode", autocast)
homes.keep("torch.amp.grad_scaler", GradScaler)
_CudaAutocast._path = "torch.cuda.amp.autocast_mode.autocast"  # type: ignore[attr-defined]
_CudaScaler._path = "torch.cuda.amp.grad_scaler.GradScaler"  # type: ignore[attr-defined]
_PUBLIC: dict[str, Any] = {
    "autocast": autocast, "amp.autocast": autocast, "amp.GradScaler": GradScaler, "GradScaler": GradScaler,
    "cuda.amp.autocast": _CudaAutocast, "cuda.amp.GradScaler": _CudaScaler,
    "is_autocast_enabled": is_autocast_enabled, "get_autocast_dtype": get_autocast_dtype,
}  # fmt: skip
for _name, _one in _PUBLIC.items():
    registry.add_function(_name, _one)
for _kind in (autocast, GradScaler, _CudaAutocast, _CudaScaler):
    registry.add_kind(f"amp.{_kind.__name__}", _kind)
