"""The softmax family: exponentials that sum to one along a dimension, their logarithms, and their opposites."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.dtypes import DType
from engine.errors import UnsupportedError
from engine.kernels import softmax as kernels
from engine.kernels.rows import along
from engine.op import Array, Dim, composite, primitive
from engine.ops.creation.casts import DISCARDED
from engine.ops.math.complex_histories import refuse_complex_history
from engine.tensor import Tensor

largest: Any = np.maximum.reduce  # ``np.max`` without what wraps it, which takes longer than a short row


def check_floating(input: Array, dim: int, name: str) -> None:
    """PyTorch has two kernels, the faster one for the last dimension, and refuses in their names."""
    if input.dtype.kind != "f" and input.size:
        kernel = f"{name}_kernel_impl" if dim < input.ndim - 1 else f"{name}_lastdim_kernel_impl"
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{dtypes.of(input).scalar_type}'")


# -- softmax ------------------------------------------------------------------------------------------------------
@primitive(public=False, total=True, grad_fn="SoftmaxBackward0", shown_as="softmax", scratch=2.5)
def softmax_along(input: Array, dim: Dim) -> Array:
    """Exponentials of ``input``, divided by their sum along ``dim``."""
    check_floating(input, dim, "softmax")
    return along(kernels.softmax, dim, input)


softmax_along.vjp(input=lambda g, out, dim: ops.softmax_backward(g, out, dim))


@primitive(public=False, total=True, grad_fn="SoftmaxBackwardDataBackward0")
def softmax_backward(grad: Array, out: Array, dim: Dim) -> Array:
    """``grad`` pulled back through a softmax with value ``out``."""
    return along(kernels.softmax_adjoint, dim, out, grad)


def _softmax_backward_out(g: Any, grad: Any, out: Any, dim: int) -> Any:
    return g * (grad - (grad * out).sum(dim, True)) - grad * (g * out).sum(dim, True)


softmax_backward.vjp(grad=lambda g, out, dim: softmax_backward(g, out, dim), out=_softmax_backward_out)


# -- log_softmax --------------------------------------------------------------------------------------------------
@primitive(public=False, total=True, grad_fn="LogSoftmaxBackward0", shown_as="log_softmax", scratch=2.5)
def log_softmax_along(input: Array, dim: Dim) -> Array:
    """The logarithm of the softmax of ``input`` along ``dim``."""
    check_floating(input, dim, "log_softmax")
    return along(kernels.log_softmax, dim, input)


log_softmax_along.vjp(input=lambda g, out, dim: ops.log_softmax_backward(g, out, dim))


@primitive(public=False, total=True, grad_fn="LogSoftmaxBackwardDataBackward0")
def log_softmax_backward(grad: Array, out: Array, dim: Dim) -> Array:
    """``grad`` pulled back through a log_softmax with value ``out``."""
    return along(kernels.log_softmax_adjoint, dim, out, grad)


log_softmax_backward.vjp(
    grad=lambda g, out, dim: g - (g * out.exp()).sum(dim, True),
    out=lambda g, grad, out, dim: -(g * out.exp() * grad.sum(dim, True)),
)


# -- the public names ---------------------------------------------------------------------------------------------
def _converted(input: Tensor, dtype: Any) -> Tensor:
    if dtype is None or dtypes.by_name(str(dtype)) is input.dtype:
        return input
    if input.dtype.is_complex and not dtypes.by_name(str(dtype)).is_complex:
        modes.warn_once(DISCARDED)
    return ops.cast(input, dtype)


def _refuse_complex(name: str, input: Tensor) -> None:
    """Of no elements, for which PyTorch does not come to the kernel that there is not."""
    if not input.array.size:
        refuse_complex_history(name, input)


def _chosen_dim(name: str, dim: int | None, ndim: int) -> int:
    """``dim``, or, with a warning, the dimension that PyTorch used to guess."""
    if dim is not None:
        return dim
    modes.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument."
    )
    return 0 if ndim in (0, 1, 3) else 1


@composite(aliases=("special.softmax",))
def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """Exponentials of ``input``, divided by their sum along ``dim``; converted to ``dtype`` first."""
    given = _converted(input, dtype)
    _refuse_complex("_softmax", given)
    return softmax_along(given, dim)


@composite(aliases=("special.log_softmax",))
def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """The logarithm of ``softmax``."""
    given = _converted(input, dtype)
    _refuse_complex("_log_softmax", given)
    return log_softmax_along(given, dim)


@composite(name="nn.functional.softmax")
def _softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Exponentials of ``input``, divided by their sum along ``dim``; converted to ``dtype`` first."""
    return softmax(input, _chosen_dim("softmax", dim, input.array.ndim), dtype)


@composite(name="nn.functional.log_softmax")
def _log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """The logarithm of ``softmax``."""
    return log_softmax(input, _chosen_dim("log_softmax", dim, input.array.ndim), dtype)


@composite(name="nn.functional.softmin")
def _softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """``softmax`` of ``-input``."""
    return softmax(-input, _chosen_dim("softmin", dim, input.array.ndim), dtype)
