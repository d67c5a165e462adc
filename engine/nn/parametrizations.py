"""Parameters computed from others: any module as a parametrization, and three that are there.

A parametrized name is neither a parameter nor a buffer any more: ``Module`` finds it among ``parametrizations``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import Any

from engine import homes, modes, ops, registry
from engine.errors import ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.nn.containers import ModuleDict, ModuleList
from engine.nn.convolutions import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from engine.nn.layer import F
from engine.nn.module import Module
from engine.op.signature import type_name
from engine.tensor import Parameter, Tensor

MAPS = ("matrix_exp", "cayley", "householder")
FIRST_ITERATIONS = 15  # of the power method, when a spectral norm begins


_computed: ContextVar[dict[int, Any] | None] = ContextVar("computed", default=None)
"""What parametrizations gave since ``cached`` was entered, by the list that computes it."""


class cached:
    """A context in which each parametrized tensor is computed once, when it is first asked for."""

    _entered: Token[Any] | None = None

    def __enter__(self) -> None:
        if _computed.get() is None:
            self._entered = _computed.set({})

    def __exit__(self, *_: object) -> None:
        if self._entered is not None:
            _computed.reset(self._entered)
            self._entered = None


def _enter(module: Module, name: str, value: Any) -> None:
    (module.register_parameter if isinstance(value, Parameter) else module.register_buffer)(name, value)


class ParametrizationList(ModuleList):
    """The modules that compute a tensor, one after the other, and what they compute it from."""

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False) -> None:
        if not modules:
            raise ArgumentValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        with modes.no_grad():
            new = self._inverted(original, is_first=True)
        if not isinstance(new, Tensor | list | tuple):
            raise ArgumentValueError(
                f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {type_name(new)}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        shape, dtype = original.shape, original.dtype
        if isinstance(new, Tensor):
            if new.dtype is not dtype:
                raise ArgumentValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            _set(original, new)
            _enter(self, "original", original)
        else:
            for place, one in enumerate(new):
                part = Parameter(one, original.requires_grad) if isinstance(original, Parameter) else one
                _enter(self, f"original{place}", part)
        if not unsafe:
            _check_same(self(), shape, dtype, "unparametrized", "parametrized")

    def _inverted(self, value: Any, is_first: bool = False) -> Any:
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    if not is_first:
                        raise
            elif not is_first:
                raise OpError(f"parametrization {module._get_name()} does not implement right_inverse.")
        return value

    def right_inverse(self, value: Any) -> None:
        """Let the tensor be ``value``, by changing what it is computed from."""
        with modes.no_grad():
            value = self._inverted(value)
            if self.is_tensor:
                if not isinstance(value, Tensor):
                    raise ArgumentValueError(f"`right_inverse` should return a tensor. Got {type_name(value)}")
                if value.dtype is not self.original.dtype:
                    raise ArgumentValueError(
                        f"The tensor returned by `right_inverse` has dtype {value.dtype} while `original` has dtype "
                        f"{self.original.dtype}"
                    )
                _set(self.original, value)
                return
            if len(value) != self.ntensors:
                raise ArgumentValueError(
                    f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of "
                    f"length {len(value)}."
                )
            for place, one in enumerate(value):
                _set(getattr(self, f"original{place}"), one)

    def _value(self) -> Any:
        """The tensor, as it was computed before if that is kept."""
        known = _computed.get()
        if known is None:
            return self()
        if id(self) not in known:
            known[id(self)] = self()
        return known[id(self)]

    def forward(self) -> Any:
        """The tensor."""
        names = ["original"] if self.is_tensor else [f"original{place}" for place in range(self.ntensors)]
        first, *rest = self
        value = first(*(getattr(self, name) for name in names))
        for module in rest:
            value = module(value)
        return value

    def __len__(self) -> int:
        return sum(name.isdigit() for name in self._modules)


registry.add_kind("nn.utils.parametrize.ParametrizationList", ParametrizationList)


def _set(target: Any, value: Any) -> None:
    if target is not value:
        target.data = value.detach()


def _check_same(value: Any, shape: Any, dtype: Any, was: str, now: str) -> None:
    if not isinstance(value, Tensor):
        raise ArgumentValueError(f"A parametrization must return a tensor. Got {type_name(value)}.")
    for what, before, after in (("dtype", dtype, value.dtype), ("shape", shape, value.shape)):
        if before != after:
            raise ArgumentValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is "
                f"enabled.\n{was} {what}: {before}\n{now} {what}: {after}"
            )


# -- entering and removing ----------------------------------------------------------------------------------------
def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or buffer be computed by ``parametrization`` from now on."""
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        listed = module.parametrizations[tensor_name]
        if not unsafe:
            before = getattr(module, tensor_name)
            _check_same(parametrization(before), before.shape, before.dtype, f"module.{tensor_name}", "parametrization")
        listed.append(parametrization)
        listed.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.parametrizations = ModuleDict()
        modes.touch(module.parametrizations._modules)
        module.parametrizations._modules[tensor_name] = made
    else:
        raise ArgumentValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrization, on the tensor of this name if one is given."""
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Let a tensor be a parameter or buffer again: as it was computed last, or as it was given."""
    if not is_parametrized(module, tensor_name):
        raise ArgumentValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    listed = module.parametrizations[tensor_name]
    with modes.no_grad():
        value = getattr(module, tensor_name)
    if listed.is_tensor:
        original = listed.original
        if leave_parametrized:
            _set(original, value)
    elif leave_parametrized:
        requires_grad = listed.original0.requires_grad
        original = Parameter(value, requires_grad) if requires_grad else value
    else:
        raise ArgumentValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
    _enter(module, tensor_name, original)
    return module


# -- parametrizations that are there ------------------------------------------------------------------------------
class _WeightNorm(Module):
    """Direction and length apart (Salimans and Kingma, 2016)."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def _length(self, weight: Any) -> Any:
        if self.dim == -1:
            return weight.norm(2)
        kept = self.dim % weight.ndim
        others = [place for place in range(weight.ndim) if place != kept]
        return ops.vector_norm(weight, 2, others, True)

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """The direction times the length."""
        return weight_v * (weight_g / self._length(weight_v))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        """Length and direction."""
        return self._length(weight), weight


class _SpectralNorm(Module):
    """A matrix over its largest singular value, by the power method (Miyato et al., 2018)."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise DimensionError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ArgumentValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with modes.no_grad():
                matrix = self._matrix(weight)
                vectors = [matrix.new_empty(size).normal_(0, 1) for size in matrix.shape]
                for name, vector in zip(("_u", "_v"), vectors, strict=True):
                    self.register_buffer(name, F.normalize(vector, dim=0, eps=eps))
            self._iterate(matrix, FIRST_ITERATIONS)

    def _matrix(self, weight: Any) -> Any:
        if self.dim:
            weight = weight.permute(self.dim, *(place for place in range(weight.ndim) if place != self.dim))
        return weight.flatten(1)

    def _iterate(self, matrix: Any, times: int) -> None:
        with modes.no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(ops.mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(ops.mv(matrix.H, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Any) -> Any:
        """The weight over its largest singular value."""
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        return weight / ops.vdot(self._u.clone(), ops.mv(matrix, self._v.clone()))

    def right_inverse(self, value: Any) -> Any:
        """Any matrix of the same direction: the same."""
        return value


class _Orthogonal(Module):
    """A matrix with orthonormal columns, or rows, made of any other one (Lezcano-Casado, 2019)."""

    def __init__(self, weight: Any, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.dtype.is_complex and orthogonal_map == "householder":
            raise ArgumentValueError("The householder parametrization does not support complex tensors.")
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Any) -> Any:
        """The orthogonal matrix."""
        is_wide = X.shape[-2] < X.shape[-1]
        if is_wide:
            X = X.mT
        n, k = X.shape[-2:]
        if self.orthogonal_map == "householder":
            below = X.tril(diagonal=-1)
            q = ops.householder_product(below, 2.0 / (1.0 + (below * below).sum(dim=-2)))
            q = q * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            X = X.tril()
            if n != k:
                X = ops.cat([X, X.new_zeros(n, n - k).expand(*X.shape[:-2], -1, -1)], dim=-1)
            skew = X - X.mH
            if self.orthogonal_map == "matrix_exp":
                q = ops.matrix_exp(skew)
            else:
                one = ops.eye(n, dtype=skew.dtype)
                q = ops.solve(ops.add(one, skew, alpha=-0.5), ops.add(one, skew, alpha=0.5))
            q = q[..., :k] if n != k else q
        if "base" in self._buffers:
            q = self.base @ q
        return q.mT if is_wide else q

    def right_inverse(self, Q: Any) -> Any:
        """What the orthogonal matrix ``Q`` is made of."""
        with modes.no_grad():
            if Q.shape != self.shape:
                raise ArgumentValueError(
                    f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
                )
            is_wide = Q.shape[-2] < Q.shape[-1]
            q = Q.mT if is_wide else Q
            n, k = q.shape[-2:]
            if "base" not in self._buffers:
                return self._reflections(q, is_wide)
            if n != k:
                q = ops.cat([q, ops.randn(*q.shape[:-2], n, n - k, dtype=q.dtype)], dim=-1)
            self.base = q.clone() if n == k and _is_orthogonal(q) else _made_orthogonal(q)
            minus = ops.zeros_like(Q)
            minus.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
            return minus

    def _reflections(self, q: Any, is_wide: bool) -> Any:
        if self.orthogonal_map != "householder":
            raise UnsupportedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        found, tau = ops.geqrf(q)
        diagonal = found.diagonal(dim1=-2, dim2=-1)
        diagonal.copy_(ops.where(tau == 0.0, -diagonal.sign(), diagonal.sign()))
        return found.mT if is_wide else found


def _is_orthogonal(q: Any) -> bool:
    size = q.shape[-1]
    eps = 1.1920928955078125e-07 if q.element_size() <= 4 else 2.220446049250313e-16
    return bool(ops.allclose(q.mH @ q, ops.eye(size, dtype=q.dtype), atol=10 * size * eps))


def _made_orthogonal(matrix: Any) -> Any:
    found, tau = ops.geqrf(matrix)
    q = ops.householder_product(found, tau)
    return q * found.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Parametrize by direction and length."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Parametrize by a matrix over its largest singular value."""
    weight = _weight_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Parametrize by orthogonal matrices."""
    weight = _weight_of(module, name)
    if weight.ndim < 2:
        raise ArgumentValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        is_square = weight.shape[-2] == weight.shape[-1] or weight.dtype.is_complex
        orthogonal_map = "matrix_exp" if is_square else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


def _weight_of(module: Module, name: str) -> Any:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


homes.keep("torch.nn.utils.parametrize", cached)
for _kind in (_WeightNorm, _SpectralNorm, _Orthogonal):
    registry.add_kind(f"nn.utils.parametrizations.{_kind.__name__}", _kind)
_PUBLIC: tuple[Any, ...] = (
    register_parametrization, is_parametrized, remove_parametrizations, ParametrizationList, cached,
)  # fmt: skip
for _function in _PUBLIC:
    registry.add_function(f"nn.utils.parametrize.{_function.__name__}", _function)
_OURS: tuple[Any, ...] = (weight_norm, spectral_norm, orthogonal)
for _made in _OURS:
    registry.add_function(f"nn.utils.parametrizations.{_made.__name__}", _made)
