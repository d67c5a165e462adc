"""Complex numbers and their parts. On real tensors ``conj`` and ``real`` are the tensor itself."""

from __future__ import annotations

import numpy as np

from engine import dtypes, ops, strides
from engine.errors import OpError
from engine.op import Array, check_broadcast, composite, primitive
from engine.tensor import Tensor


@primitive(public=False, grad_fn="ConjBackward0")
def conj_copy(input: Array) -> Array:
    """The complex conjugate. PyTorch has a lazy view here; values and gradients are the same."""
    return np.conjugate(input)


conj_copy.vjp(input=lambda g: ops.conj(g))


@primitive(public=False, grad_fn="ConjPhysicalBackward0", layout="operands")
def conjugated(input: Array) -> Array:
    """The complex conjugate, computed on the spot."""
    return np.conjugate(input)


conjugated.vjp(input=lambda g: ops.conj_physical(g))


@composite
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, computed on the spot."""
    return conjugated(input) if input.dtype.is_complex else input


@composite(function=False)
def conj_physical_(input: Tensor) -> Tensor:
    """Conjugate the tensor itself."""
    return conjugated.inplace(input) if input.dtype.is_complex else input


@composite
def conj(input: Tensor) -> Tensor:
    """The complex conjugate."""
    return conj_copy(input) if input.array.dtype.kind == "c" else input


@composite(aliases=("resolve_neg",))
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugation is never pending here."""
    return input


@primitive(view=True)
def view_as_real(input: Array) -> Array:
    """Real and imaginary parts as a last dimension of extent 2, sharing storage."""
    if not np.iscomplexobj(input):
        raise OpError("view_as_real is only supported for complex tensors")
    steps = [2 * step for step in strides.steps_of(input)]
    return strides.placed(input.real, (*input.shape, 2), (*steps, 1))


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
    target = dtypes.to_complex(dtypes.of(input)).numpy
    *steps, last = strides.steps_of(input)
    if last != 1:
        raise OpError("Tensor must have a last dimension with stride 1")
    if input.size == 0:
        return strides.placed(input[..., :0].view(target), input.shape[:-1], tuple([step // 2 for step in steps]))
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


# -- made of parts ------------------------------------------------------------------------------------------------
def _check_parts(first: Tensor, second: Tensor) -> None:
    allowed = (dtypes.float16, dtypes.float32, dtypes.float64)
    if first.dtype not in allowed or second.dtype not in allowed:
        raise OpError(
            "Expected both inputs to be Half, Float or Double tensors but got "
            f"{first.dtype.scalar_type} and {second.dtype.scalar_type}"
        )
    if first.dtype is not second.dtype:
        raise OpError(
            f"Expected object of scalar type {first.dtype.scalar_type} but got scalar type {second.dtype.scalar_type} "
            "for second argument"
        )


def _joined(real: Array, imag: Array) -> Array:
    check_broadcast([real, imag])
    target = dtypes.to_complex(dtypes.of(real)).numpy
    result = np.empty(np.broadcast_shapes(real.shape, imag.shape), target)
    result.real, result.imag = real, imag
    return result


@primitive(
    name="complex", method=False, check=lambda real, imag: _check_parts(real, imag), grad_fn="ComplexBackward0",
    layout="operands",
)  # fmt: skip
def complex_of(real: Array, imag: Array) -> Array:
    """Complex numbers of these real and imaginary parts."""
    return _joined(real, imag)


complex_of.vjp(real=lambda g: ops.real(g), imag=lambda g: ops.imag(g))


@primitive(method=False, check=lambda abs, angle: _check_parts(abs, angle), layout="operands")
def polar(abs: Array, angle: Array) -> Array:
    """Complex numbers of these absolute values and angles."""
    return _joined(abs * np.cos(angle), abs * np.sin(angle))


polar.vjp(
    abs=lambda g, angle: ops.real(g * ops.conj(ops.polar(ops.ones_like(angle), angle))),
    angle=lambda g, out: ops.real(g * ops.conj(out * 1j)),
)
