"""Complex numbers and their parts. On real tensors ``conj`` and ``real`` are the tensor itself.

The conjugate is a view of the same memory with one bit flipped (``engine.tensor.CONJ``); so is the opposite that the
imaginary part of a conjugate is. Calls resolve such operands.
"""

from __future__ import annotations

import numpy as np

from engine import dtypes, ops, registry, strides
from engine.errors import OpError
from engine.op import Array, check_broadcast, composite, primitive
from engine.tensor import CONJ, NEG, Tensor


@primitive(public=False, view=True, reinterprets=True, flips=CONJ, grad_fn="ConjBackward0")
def conjugate(input: Array) -> Array:
    """The complex conjugate; a view."""
    return input[...]


conjugate.vjp(input=lambda g: ops.conj(g))
registry.add_op("conj_copy", conjugate)  # its name in sessions of schema 1


@primitive(public=False, view=True, reinterprets=True, flips=NEG, grad_fn="NegViewBackward0")
def opposite(input: Array) -> Array:
    """The opposite; a view."""
    return input[...]


opposite.vjp(input=lambda g: ops.neg(g))


@primitive(public=False, grad_fn="ConjPhysicalBackward0", inplace_grad_fn="ConjPhysicalBackward1", layout="operands")
def conjugated(input: Array) -> Array:
    """The complex conjugate, computed on the spot."""
    return np.conjugate(input)


conjugated.vjp(input=lambda g: ops.conj_physical(g))


@primitive(public=False, inplace_grad_fn="ConjPhysicalBackward1", repeats=True)
def unchanged(input: Array) -> Array:
    """What conjugating real numbers on the spot gives; it counts as a write all the same."""
    return input


unchanged.vjp(input=lambda g: g)


@composite
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, computed on the spot."""
    return conjugated(input) if input.dtype.is_complex else input


@composite
def conj_physical_(input: Tensor) -> Tensor:
    """Conjugate the tensor itself."""
    return (conjugated if input.dtype.is_complex else unchanged).inplace(input)


@composite
def conj(input: Tensor) -> Tensor:
    """The complex conjugate."""
    return conjugate(input) if input.array.dtype.kind == "c" else input


@composite
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself; of a lazy conjugate a copy that holds its values."""
    return ops.clone(input) if input.bits & CONJ else input


@composite
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself; of a lazy opposite a copy that holds its values."""
    return ops.clone(input) if input.bits & NEG else input


def _check_resolved(input: Tensor) -> None:
    if input.bits & CONJ:
        raise OpError(
            "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can "
            "view it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the "
            "original."
        )


@primitive(view=True, reinterprets=True, check=_check_resolved, grows=lambda input: 2 * input.size)
def view_as_real(input: Array) -> Array:
    """Real and imaginary parts as a last dimension of extent 2, sharing storage."""
    if not np.iscomplexobj(input):
        raise OpError("view_as_real is only supported for complex tensors")
    steps = [2 * step for step in strides.steps_of(input)]
    return strides.placed(input.real, (*input.shape, 2), (*steps, 1))


view_as_real.vjp(input=lambda g: ops.view_as_complex(ops.contiguous(g)))


def _check_pairs(input: Tensor) -> None:
    """Refuse what does not begin at a number, or does not step from number to number."""
    _, stride, offset = input.geometry
    if not stride or input.array.shape[-1] != 2 or stride[-1] != 1:
        return
    if any(step % 2 and extent != 1 for extent, step in zip(input.array.shape[:-1], stride[:-1], strict=True)):
        raise OpError("Tensor must have a stride divisible by 2 for all but last dimension")
    if offset % 2:
        raise OpError("Tensor must have a storage_offset divisible by 2")


@primitive(view=True, reinterprets=True, check=_check_pairs)
def view_as_complex(input: Array) -> Array:
    """Pairs along the last dimension as complex numbers, sharing storage."""
    if not dtypes.of(input).is_floating_point or dtypes.of(input) is dtypes.bfloat16:
        raise OpError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{dtypes.of(input).scalar_type}"
        )
    if input.ndim == 0:
        raise OpError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise OpError("Tensor must have a last dimension of size 2")
    target = dtypes.to_complex(dtypes.of(input)).numpy
    *steps, last = strides.steps_of(input)
    if last != 1:
        raise OpError("Tensor must have a last dimension with stride 1")
    if input.size == 0:
        return strides.placed(input[..., :0].view(target), input.shape[:-1], tuple([step // 2 for step in steps]))
    return input.view(target)[..., 0]


view_as_complex.vjp(input=lambda g: ops.view_as_real(ops.resolve_conj(ops.contiguous(g))))


@composite(attribute=True)
def real(input: Tensor) -> Tensor:
    """The real part; a view of a complex tensor."""
    if not input.dtype.is_complex:
        return input
    return ops.select(view_as_real(conjugate(input) if input.bits & CONJ else input), -1, 0)


@composite(attribute=True)
def imag(input: Tensor) -> Tensor:
    """The imaginary part of a complex tensor; a view."""
    if not input.dtype.is_complex:
        raise OpError("imag is not implemented for tensors with non-complex dtypes.")
    parts = opposite(view_as_real(conjugate(input))) if input.bits & CONJ else view_as_real(input)
    return ops.select(parts, -1, 1)


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


complex_of.vjp(real=lambda g, real: ops.real(g), imag=lambda g, imag: ops.imag(g))  # kept for their dtypes there


@primitive(method=False, check=lambda abs, angle: _check_parts(abs, angle), layout="operands", scratch=2.5)
def polar(abs: Array, angle: Array) -> Array:
    """Complex numbers of these absolute values and angles."""
    return _joined(abs * np.cos(angle), abs * np.sin(angle))


polar.vjp(
    abs=lambda g, angle: ops.real(g * ops.conj(ops.polar(ops.ones_like(angle), angle))),
    angle=lambda g, out: ops.real(g * ops.conj(out * 1j)),
)
