"""Complex numbers and their parts. On real tensors ``conj`` and ``real`` are the tensor itself."""

from __future__ import annotations

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError
from engine.op import Array, composite, primitive
from engine.tensor import Tensor


@primitive(public=False, grad_fn="ConjBackward0")
def conj_copy(input: Array) -> Array:
    """The complex conjugate. The reference has a lazy view here; values and gradients are the same."""
    return np.conjugate(input)


conj_copy.vjp(input=lambda g: ops.conj(g))


@composite(aliases=("conj_physical",))
def conj(input: Tensor) -> Tensor:
    """The complex conjugate."""
    return conj_copy(input) if input.dtype.is_complex else input


@composite(aliases=("resolve_neg",))
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugation is never pending here."""
    return input


@primitive(view=True)
def view_as_real(input: Array) -> Array:
    """Real and imaginary parts as a last dimension of extent 2, sharing storage."""
    if not np.iscomplexobj(input):
        raise OpError("view_as_real is only supported for complex tensors")
    part = input.real
    steps = (*part.strides, part.itemsize)
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), steps)


view_as_real.vjp(input=lambda g: ops.view_as_complex(ops.contiguous(g)))


@primitive(view=True)
def view_as_complex(input: Array) -> Array:
    """Pairs along the last dimension as complex numbers, sharing storage."""
    if not dtypes.of(input).is_floating_point:
        raise OpError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{dtypes.of(input).scalar_type}"
        )
    if input.ndim == 0 or input.shape[-1] != 2:
        raise OpError("Tensor must have a last dimension of size 2")
    if input.strides[-1] != input.itemsize:
        raise OpError("Tensor must have a last dimension with stride 1")
    target = dtypes.to_complex(dtypes.of(input)).numpy
    return input.view(target)[..., 0]


view_as_complex.vjp(input=lambda g: ops.view_as_real(g))


@composite(attribute=True)
def real(input: Tensor) -> Tensor:
    """The real part; a view of a complex tensor."""
    return ops.select(view_as_real(input), -1, 0) if input.dtype.is_complex else input


@composite(attribute=True)
def imag(input: Tensor) -> Tensor:
    """The imaginary part of a complex tensor; a view."""
    if not input.dtype.is_complex:
        raise OpError("imag is not implemented for tensors with non-complex dtypes.")
    return ops.select(view_as_real(input), -1, 1)
