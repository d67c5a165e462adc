"""Devices: there is the CPU, and what programs ask before they use another one says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import ops, registry
from engine.errors import AssertedError
from engine.surface.methods import Device

NO_CUDA = "Torch not compiled with CUDA enabled"
PRECISIONS = ("highest", "high", "medium")


def _no(*args: Any, **kwargs: Any) -> bool:
    """No."""
    return False


def _none(*args: Any, **kwargs: Any) -> int:
    """There is none."""
    return 0


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Nothing has to be done."""


def _refuse(*args: Any, **kwargs: Any) -> Any:
    """Not without such a device."""
    raise AssertedError(NO_CUDA)


def set_num_threads(int: int) -> None:
    """Nothing: how many threads there are is not up to programs."""


def get_num_threads() -> int:
    """As many as a program needs to know of."""
    return 1


def get_default_device() -> Device:
    """The CPU."""
    return Device()


def set_default_device(device: Any) -> None:
    """The CPU, whatever else is asked for is refused."""
    ops.empty(0, device=device)


def set_float32_matmul_precision(precision: str) -> None:
    """Nothing: products are exact to rounding."""


def get_float32_matmul_precision() -> str:
    """As precise as can be."""
    return PRECISIONS[0]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: all are."""


def set_flush_denormal(mode: bool) -> bool:
    """Nothing: numbers that small stay what they are, as by default."""
    return False


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "device": Device, "cuda.is_available": _no, "cuda.device_count": _none, "cuda.is_initialized": _no,
    "cuda.manual_seed": _nothing, "cuda.manual_seed_all": _nothing, "cuda.empty_cache": _nothing,
    "cuda.synchronize": _nothing, "cuda.is_bf16_supported": _no, "cuda.current_device": _refuse,
    "cuda.get_device_name": _refuse, "cuda.init": _refuse, "mps.is_available": _no, "mps.device_count": _none,
    "xpu.is_available": _no, "xpu.device_count": _none, "accelerator.is_available": _no,
    "accelerator.device_count": _none, "backends.mps.is_available": _no, "backends.mps.is_built": _no,
    "backends.cuda.is_built": _no, "backends.cudnn.is_available": _no, "backends.mkldnn.is_available": _no,
    "set_flush_denormal": set_flush_denormal, "set_num_threads": set_num_threads, "get_num_threads": get_num_threads,
    "set_num_interop_threads": set_num_threads, "get_num_interop_threads": get_num_threads,
    "get_default_device": get_default_device, "set_default_device": set_default_device,
    "set_float32_matmul_precision": set_float32_matmul_precision,
    "get_float32_matmul_precision": get_float32_matmul_precision,
    "use_deterministic_algorithms": use_deterministic_algorithms, "are_deterministic_algorithms_enabled": _no,
}  # fmt: skip
FLAGS = {
    "backends.cudnn": {"enabled": True, "benchmark": False, "deterministic": False, "allow_tf32": True},
    "backends.cuda.matmul": {"allow_tf32": False},
}

for _name, _function in FUNCTIONS.items():
    registry.add_function(_name, _function)
