"""Weights normalised before every call, by a hook: the older form of ``parametrizations``."""

from __future__ import annotations

from typing import Any

from engine import modes, ops, registry
from engine.errors import ArgumentValueError, OpError
from engine.nn import hooks
from engine.nn.convolutions import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from engine.nn.layer import F
from engine.nn.module import Module
from engine.tensor import Parameter


class _Hook:
    """Computes the tensor ``name`` of a module before it is called."""

    def __init__(self, name: str, dim: int) -> None:
        self.name, self.dim = name, dim

    def compute_weight(self, module: Module, is_training: bool) -> Any:
        """The tensor."""
        raise NotImplementedError

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))

    def _own(self, module: Module, *ends: str) -> list[Any]:
        return [getattr(module, f"{self.name}_{end}") for end in ends]


class WeightNorm(_Hook):
    """Direction and length apart (Salimans and Kingma, 2016)."""

    def length(self, weight: Any) -> Any:
        """The norm over all dimensions but one, or over all."""
        if self.dim == -1:
            return weight.norm(2)
        others = [place for place in range(weight.ndim) if place != self.dim % weight.ndim]
        return ops.vector_norm(weight, 2, others, True)

    def compute_weight(self, module: Module, is_training: bool) -> Any:
        """The direction times the length."""
        g, v = self._own(module, "g", "v")
        return v * (g / self.length(v))


class SpectralNorm(_Hook):
    """A matrix over its largest singular value, by the power method (Miyato et al., 2018)."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__(name, dim)
        if n_power_iterations <= 0:
            raise ArgumentValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.n_power_iterations, self.eps = n_power_iterations, eps

    def matrix(self, weight: Any) -> Any:
        """The weight with ``dim`` as rows."""
        if self.dim:
            weight = weight.permute(self.dim, *(place for place in range(weight.ndim) if place != self.dim))
        return weight.reshape(weight.shape[0], -1)

    def compute_weight(self, module: Module, is_training: bool) -> Any:
        """The weight over its largest singular value."""
        weight, u, v = self._own(module, "orig", "u", "v")
        matrix = self.matrix(weight)
        if is_training:
            with modes.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(ops.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(ops.mv(matrix, v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()
        return weight / ops.dot(u, ops.mv(matrix, v))


def _check_alone(module: Module, kind: type[WeightNorm | SpectralNorm], name: str, what: str) -> None:
    if any(isinstance(hook, kind) and hook.name == name for hook in hooks.of(module, "forward_pre")):
        raise OpError(f"Cannot register two {what} hooks on the same parameter {name}")


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Have a weight computed from a direction and a length before every call."""
    _check_alone(module, WeightNorm, name, "weight_norm")
    hook = WeightNorm(name, -1 if dim is None else dim)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(hook.length(weight).detach()))
    module.register_parameter(f"{name}_v", Parameter(weight.data))
    setattr(module, name, hook.compute_weight(module, module.training))
    module.register_forward_pre_hook(hook)
    return module


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Have a weight divided by its largest singular value before every call."""
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0
    _check_alone(module, SpectralNorm, name, "spectral_norm")
    hook, weight = SpectralNorm(name, n_power_iterations, dim, eps), module._parameters[name]
    if weight is None:
        raise ArgumentValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with modes.no_grad():
        drawn = [weight.new_empty(size).normal_(0, 1) for size in hook.matrix(weight).shape]
        vectors = [F.normalize(one, dim=0, eps=eps) for one in drawn]
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.data)
    for end, vector in zip(("u", "v"), vectors, strict=True):
        module.register_buffer(f"{name}_{end}", vector)
    module.register_forward_pre_hook(hook)
    return module


def _removed(
    module: Module, kind: type[WeightNorm | SpectralNorm], name: str, ends: tuple[str, ...], what: str
) -> Module:
    table = module._hooks.get("forward_pre", {})
    for number, hook in tuple(table.items()):
        if isinstance(hook, kind) and hook.name == name:
            with modes.no_grad():
                weight = hook.compute_weight(module, False)
            for end in ends:
                delattr(module, f"{name}_{end}")
            delattr(module, name)
            module.register_parameter(name, Parameter(weight.detach()))
            modes.touch(table)
            del table[number]
            return module
    raise ArgumentValueError(f"{what} of '{name}' not found in {module}")


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Let a weight be a parameter again."""
    return _removed(module, WeightNorm, name, ("g", "v"), "weight_norm")


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Let a weight be a parameter again."""
    return _removed(module, SpectralNorm, name, ("orig", "u", "v"), "spectral_norm")


for _kind in (WeightNorm, SpectralNorm):
    registry.add_kind(f"nn.utils.{_kind.__name__}", _kind)
_PUBLIC: tuple[Any, ...] = (weight_norm, spectral_norm, remove_weight_norm, remove_spectral_norm)
for _function in _PUBLIC:
    registry.add_function(f"nn.utils.{_function.__name__}", _function)
