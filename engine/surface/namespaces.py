"""PyTorch's module tree over the registry: ``torch.nn.functional.relu``, ``torch.autograd.grad``.

Entered here are the functions that are no ops: the tape's, the modes', and questions about dtypes and the state.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine import dtypes, modes, registry
from engine.autograd import sweep
from engine.random import Generator
from engine.tensor import Parameter, Size, Tensor

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "autograd.backward": sweep.backward, "autograd.grad": sweep.grad, "nn.Parameter": Parameter,
    "nn.parameter.Parameter": Parameter, "is_grad_enabled": modes.is_grad_enabled,
    "is_inference_mode_enabled": modes.is_inference_mode_enabled, "get_default_dtype": modes.get_default_dtype,
    "set_default_dtype": modes.set_default_dtype, "set_printoptions": modes.set_printoptions,
    "Generator": Generator, "Size": Size,
}  # fmt: skip
MODES: dict[str, Callable[..., Any]] = {
    "no_grad": modes.no_grad, "enable_grad": modes.enable_grad, "set_grad_enabled": modes.set_grad_enabled,
    "inference_mode": modes.inference_mode,
}  # fmt: skip
NAMES = {name: dtype for dtype in dtypes.ALL for name in (dtype.name, dtype.alias)}


def enter() -> None:
    """Register the functions that are no ops."""
    for name, function in FUNCTIONS.items():
        if registry.function(name) is None:
            registry.add_function(name, function)
    for name, function in MODES.items():
        registry.add_function(name, function)
        registry.add_function(f"autograd.{name}", function)


def tree() -> dict[str, Any]:
    """The top level by name; dotted names become nested namespaces."""
    top: dict[str, Any] = {**NAMES, "Tensor": Tensor}
    for dotted, function in registry.functions():
        *parents, name = dotted.split(".")
        level = top
        for parent in parents:
            level = vars(level.setdefault(parent, SimpleNamespace()))
        level[name] = function
    top["Tensor"] = Tensor  # the class; a program's ``torch.Tensor(...)`` finds the function
    return top
