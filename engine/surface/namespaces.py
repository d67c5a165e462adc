"""PyTorch's module tree over the registry: ``torch.nn.functional.relu``, ``torch.autograd.grad``.

Entered here are the functions that are no ops: the tape's, the modes', and questions about dtypes and the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine import dtypes, homes, memory_formats, modes, registry
from engine.autograd import context, function, graph, hooks, sweep, tape, watch
from engine.nn import naming
from engine.random import Generator
from engine.surface.devices import FLAGS
from engine.tensor import Parameter, Size, Tensor

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "autograd.backward": sweep.backward, "autograd.grad": sweep.grad, "nn.Parameter": Parameter,
    "nn.parameter.Parameter": Parameter, "is_grad_enabled": modes.is_grad_enabled,
    "is_inference_mode_enabled": modes.is_inference_mode_enabled, "get_default_dtype": modes.get_default_dtype,
    "set_default_dtype": modes.set_default_dtype, "typename": naming.typename,
    "set_printoptions": modes.set_printoptions,
    "Generator": Generator, "Size": Size,
    "autograd.Function": function.Function, "autograd.function.Function": function.Function,
    "autograd.function.FunctionCtx": context.Context,
    "autograd.function.once_differentiable": function.once_differentiable,
    "autograd.graph.GradientEdge": sweep.GradientEdge, "autograd.graph.Node": tape.Node,
    "autograd.graph.allow_mutation_on_saved_tensors": graph.allow_mutation_on_saved_tensors,
    "autograd.graph.disable_saved_tensors_hooks": watch.disable_saved_tensors_hooks,
    "autograd.graph.get_gradient_edge": graph.get_gradient_edge,
    "autograd.graph.increment_version": graph.increment_version,
    "autograd.graph.register_multi_grad_hook": graph.register_multi_grad_hook,
    "autograd.graph.save_on_cpu": watch.save_on_cpu, "autograd.graph.saved_tensors_hooks": watch.saved_tensors_hooks,
    "autograd.set_multithreading_enabled": modes.set_multithreading_enabled,
    "is_anomaly_enabled": watch.is_anomaly_enabled,
    "is_anomaly_check_nan_enabled": watch.is_anomaly_check_nan_enabled,
    "utils.hooks.RemovableHandle": hooks.RemovableHandle,
}  # fmt: skip
for _name in ("detect_anomaly", "set_detect_anomaly"):
    FUNCTIONS |= {f"autograd{module}.{_name}": getattr(watch, _name) for module in ("", ".anomaly_mode")}
HOMES: dict[str, tuple[Any, ...]] = {
    "torch._C": (Generator,), "torch.autograd.function": (function.Function, context.Context),
    "torch.autograd.anomaly_mode": (watch.detect_anomaly, watch.set_detect_anomaly),
    "torch.autograd.graph": (
        graph.allow_mutation_on_saved_tensors, watch.save_on_cpu, watch.saved_tensors_hooks,
        watch.disable_saved_tensors_hooks,
    ),
}  # fmt: skip
MODES: dict[str, Callable[..., Any]] = {
    "no_grad": modes.no_grad, "enable_grad": modes.enable_grad, "set_grad_enabled": modes.set_grad_enabled,
    "inference_mode": modes.inference_mode,
}  # fmt: skip
NUMBERS: dict[str, Any] = {
    "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None, "pi": math.pi, **memory_formats.ALL,
}  # fmt: skip
NAMES = {name: dtype for dtype in dtypes.ALL for name in (dtype.name, dtype.alias)}


def enter() -> None:
    """Register the functions that are no ops, and say where PyTorch keeps their classes."""
    for module, kinds in HOMES.items():
        homes.keep(module, *kinds)
    for name, one in FUNCTIONS.items():
        if registry.function(name) is None:
            registry.add_function(name, one)
    for name, one in MODES.items():
        registry.add_function(name, one)
        registry.add_function(f"autograd.{name}", one)


def tree() -> dict[str, Any]:
    """The top level by name; dotted names become nested namespaces."""
    top: dict[str, Any] = {**NUMBERS, **NAMES, "Tensor": Tensor}
    for dotted, one in registry.functions():
        *parents, name = dotted.split(".")
        level = top
        for parent in parents:
            level = vars(level.setdefault(parent, SimpleNamespace()))
        level[name] = one
    for path, values in FLAGS.items():
        level = top
        for part in path.split("."):
            level = vars(level.setdefault(part, SimpleNamespace()))
        level.update(values)
    top["Tensor"] = Tensor  # the class; a program's ``torch.Tensor(...)`` finds the function
    return top
