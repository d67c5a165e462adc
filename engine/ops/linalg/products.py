"""Products of vectors, matrices and batches of them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import DimensionError, OpError, UnsupportedError
from engine.op import Array, Scalar, composite, primitive, wrap_dim
from engine.ops.creation.factories import number_in
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.math.powers import common_dtype
from engine.tensor import Tensor

LENGTHS = (
    "inconsistent tensor size, expected tensor [{0}] and src [{1}] to have the same number of elements, but got {0} "
    "and {1} elements respectively"
)


def _check_dtypes(message: str, left: Tensor, right: Tensor) -> None:
    if left.dtype is not right.dtype:
        raise OpError(message.format(left.dtype.scalar_type, right.dtype.scalar_type))


def _check_not_bool(kernel_name: str, tensor: Tensor) -> None:
    if tensor.dtype is dtypes.bool_:
        raise UnsupportedError(f"\"{kernel_name}\" not implemented for 'Bool'")


def _cotimes(g: Any, alpha: Any) -> Any:
    """``g`` times the conjugate of a number."""
    return g if alpha == 1 else g * (alpha.conjugate() if isinstance(alpha, complex) else alpha)


# -- vectors ------------------------------------------------------------------------------------------------------
def _check_vectors(input: Tensor, other: Tensor) -> None:
    if input.ndim != 1 or other.ndim != 1:
        raise OpError(f"1D tensors expected, but got {input.ndim}D and {other.ndim}D tensors")
    _check_dtypes("dot : expected both vectors to have same dtype, but found {} and {}", input, other)
    if input.shape != other.shape:
        raise OpError(LENGTHS.format(*input.shape, *other.shape))
    _check_not_bool("dot", input)


@primitive(total=True, check=lambda input, tensor: _check_vectors(input, tensor))
def dot(input: Array, tensor: Array) -> Array:
    """The sum of the products of two vectors of one length."""
    return np.dot(input, tensor)


dot.vjp(input=lambda g, tensor: g * tensor.conj(), tensor=lambda g, input: g * input.conj())


@primitive(total=True, check=_check_vectors)
def vdot(input: Array, other: Array) -> Array:
    """``dot`` with the first vector conjugated."""
    return np.asarray(np.vdot(input, other))


vdot.vjp(input=lambda g, other: g.conj() * other, other=lambda g, input: g * input)


@composite(aliases=("ger",), out="cast")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The product of every element of one vector with every element of another: ``(n,), (m,) -> (n, m)``."""
    for name, tensor in (("self", input), ("vec2", vec2)):
        if tensor.array.ndim != 1:
            raise OpError(f"outer: Expected 1-D argument {name}, but got {tensor.array.ndim}-D")
    return ops.mul(ops.reshape(input, (-1, 1) if input.array.size else (0, 1)), vec2)


# -- matrices -----------------------------------------------------------------------------------------------------
def _check_shapes(mat1: Tensor, mat2: Tensor) -> None:
    if mat1.shape[1] != mat2.shape[0]:
        left, right = "x".join(map(str, mat1.shape)), "x".join(map(str, mat2.shape))
        raise OpError(f"mat1 and mat2 shapes cannot be multiplied ({left} and {right})")


def _check_mm(input: Tensor, mat2: Tensor) -> None:
    for name, tensor in (("self", input), ("mat2", mat2)):
        if tensor.ndim != 2:
            raise OpError(f"{name} must be a matrix")
    _check_shapes(input, mat2)
    if input.dtype is not mat2.dtype:
        raise OpError(
            f"expected m1 and m2 to have the same dtype, but got: {input.dtype.c_name} != {mat2.dtype.c_name}"
        )
    if input.array.size:
        _check_not_bool("addmm_impl_cpu_", input)


@primitive(
    total=True, check=_check_mm, grows=lambda input, mat2: input.shape[0] * mat2.shape[1],
    work=lambda input, mat2: 2 * input.size * mat2.shape[1], is_product=True,
)  # fmt: skip
def mm(input: Array, mat2: Array) -> Array:
    """The product of two matrices: ``(n, k), (k, m) -> (n, m)``."""
    return np.matmul(input, mat2)


def _by_left_factor(g: Any, right: Tensor, geometry: Any) -> Any:
    """The cotangent of a left factor, laid out as that is."""
    rows, columns = geometry[0]
    if geometry[1] == (1, rows) and columns > 1:
        return ops.t(ops.mm(right.conj(), ops.t(g)))
    return ops.mm(g, right.t().conj())


def _by_right_factor(g: Any, left: Tensor, geometry: Any) -> Any:
    """The cotangent of a right factor, laid out as that is: the factor often is a weight transposed."""
    rows, columns = geometry[0]
    if geometry[1] == (1, rows) and columns > 1:
        return ops.t(ops.mm(ops.t(g), left.conj()))
    return ops.mm(left.t().conj(), g)


mm.vjp(
    input=lambda g, input_geometry, mat2: _by_left_factor(g, mat2, input_geometry),
    mat2=lambda g, input, mat2_geometry: _by_right_factor(g, input, mat2_geometry),
)


def _check_mv(input: Tensor, vec: Tensor) -> None:
    if not input.ndim:
        raise DimensionError("Dimension specified as 0 but tensor has no dimensions")
    _check_sum_of_product(vec, input, vec, input.shape[:1])


def _check_addmv(input: Tensor, mat: Tensor, vec: Tensor) -> None:
    _check_sum_of_product(input, mat, vec, input.shape)


def _check_sum_of_product(input: Tensor, mat: Tensor, vec: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a matrix, a vector, and the ``shape`` of what their product is added to."""
    if mat.ndim != 2 or vec.ndim != 1 or len(shape) > 1:
        raise OpError(f"vector + matrix @ vector expected, got {len(shape)}, {mat.ndim}, {vec.ndim}")
    if mat.shape[1] != vec.shape[0] or prod(shape) not in (1, mat.shape[0]):
        added = shape[0] if shape else 1
        raise OpError(f"size mismatch, got input ({added}), mat ({mat.shape[0]}x{mat.shape[1]}), vec ({vec.shape[0]})")
    names = [tensor.dtype.scalar_type for tensor in (input, mat, vec)]
    if len(set(names)) > 1:
        raise OpError("addmv input tensors must have the same dtype, but got {}, {}, and {}".format(*names))
    if mat.array.size:
        _check_not_bool("addmv_impl_cpu", mat)


@primitive(total=True, check=_check_mv)
def mv(input: Array, vec: Array) -> Array:
    """The product of a matrix and a vector: ``(n, k), (k,) -> (n,)``."""
    return np.matmul(input, vec)


mv.vjp(input=lambda g, vec: ops.outer(g, vec.conj()), vec=lambda g, input: ops.mv(input.t().conj(), g))


def _check_batches(batch1: Tensor, batch2: Tensor) -> None:
    for name, tensor in (("batch1", batch1), ("batch2", batch2)):
        if tensor.ndim != 3:
            raise OpError(f"{name} must be a 3D tensor")
    if batch2.shape[:2] != (batch1.shape[0], batch1.shape[2]):
        raise OpError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch1.shape[0]}, {batch1.shape[2]}] "
            f"but got: [{batch2.shape[0]}, {batch2.shape[1]}]."
        )


def _check_bmm(input: Tensor, mat2: Tensor) -> None:
    _check_batches(input, mat2)
    _check_dtypes("expected scalar type {} but found {}", input, mat2)
    if input.array.size:
        _check_not_bool("bmm", input)


@primitive(
    total=True, check=_check_bmm, grows=lambda input, mat2: prod(input.shape[:-1]) * mat2.shape[-1],
    work=lambda input, mat2: 2 * input.size * mat2.shape[-1], is_product=True,
)  # fmt: skip
def bmm(input: Array, mat2: Array) -> Array:
    """The products of two batches of matrices: ``(b, n, k), (b, k, m) -> (b, n, m)``."""
    return np.matmul(input, mat2)


def _adjoint(batch: Tensor) -> Any:
    return ops.transpose(batch, 1, 2).conj()


bmm.vjp(input=lambda g, mat2: ops.bmm(g, _adjoint(mat2)), mat2=lambda g, input: ops.bmm(_adjoint(input), g))


# -- fused with a sum ---------------------------------------------------------------------------------------------
def _plus(input: Array, product: Array, beta: Any, alpha: Any) -> Array:
    """``beta * input + alpha * product``; a ``beta`` of 0 leaves ``input`` out, NaN and all."""
    shape = product.shape
    _check_expands(input.shape, shape)
    scaled = product if alpha == 1 else product * number_in(alpha, product)
    if beta == 0:
        return scaled
    return np.add(input if beta == 1 else input * number_in(beta, input), scaled)


def _check_expands(shape: tuple[int, ...], size: tuple[int, ...]) -> None:
    missing = len(size) - len(shape)
    for dim in reversed(range(len(size))):
        own = shape[dim - missing] if dim >= missing else 1
        if own not in (1, size[dim]):
            raise OpError(
                f"The expanded size of the tensor ({size[dim]}) must match the existing size ({own}) at non-singleton "
                f"dimension {dim}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )


def _check_sum_dtypes(input: Tensor, mat1: Tensor, mat2: Tensor) -> None:
    _check_dtypes("self and mat2 must have the same dtype, but got {} and {}", input, mat2)
    _check_dtypes("mat1 and mat2 must have the same dtype, but got {} and {}", mat1, mat2)


def _check_matrices(mat1: Tensor, mat2: Tensor) -> None:
    for name, tensor in (("mat1", mat1), ("mat2", mat2)):
        if tensor.ndim != 2:
            raise OpError(f"{name} must be a matrix, got {tensor.ndim}-D tensor")
    _check_shapes(mat1, mat2)


def _check_addmm(input: Tensor, mat1: Tensor, mat2: Tensor) -> None:
    _check_matrices(mat1, mat2)
    _check_sum_dtypes(input, mat1, mat2)
    _check_expands(input.array.shape, (mat1.array.shape[0], mat2.array.shape[1]))
    if mat1.array.size:
        _check_not_bool("addmm_impl_cpu_", mat1)


def _check_size(input: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a target that a sum of ``shape`` does not fit into."""
    if input.array.shape != shape:
        raise OpError(
            f"Bad in-place call: input tensor size {list(input.array.shape)} and output tensor size {list(shape)} "
            "should match"
        )


def _check_addmm_in_place(input: Tensor, mat1: Tensor, mat2: Tensor) -> None:
    _check_matrices(mat1, mat2)
    _check_sum_dtypes(input, mat1, mat2)
    _check_size(input, (mat1.array.shape[0], mat2.array.shape[1]))
    _check_addmm(input, mat1, mat2)


@primitive(
    total=True, check=_check_addmm, check_in_place=_check_addmm_in_place, writes=True, overlap="none",
    grows=lambda mat1, mat2: mat1.shape[0] * mat2.shape[1], scratch=2,
    work=lambda mat1, mat2: 2 * mat1.size * mat2.shape[1], is_product=True,
)  # fmt: skip
def addmm(input: Array, mat1: Array, mat2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * (mat1 @ mat2)``."""
    return _plus(input, np.matmul(mat1, mat2), beta, alpha)


addmm.vjp(
    input=lambda g, beta: _cotimes(g, beta),
    mat1=lambda g, mat2, alpha: _cotimes(ops.mm(g, mat2.t().conj()), alpha),
    mat2=lambda g, mat1, mat2_geometry, alpha: _cotimes(_by_right_factor(g, mat1, mat2_geometry), alpha),
)


def _check_addmv_in_place(input: Tensor, mat: Tensor, vec: Tensor) -> None:
    _check_addmv(input, mat, vec)
    _check_size(input, mat.array.shape[:1])


@primitive(total=True, check=_check_addmv, check_in_place=_check_addmv_in_place, writes=True, overlap="none")
def addmv(input: Array, mat: Array, vec: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * (mat @ vec)``."""
    return _plus(input, np.matmul(mat, vec), beta, alpha)


addmv.vjp(
    input=lambda g, beta: _cotimes(g, beta),
    mat=lambda g, vec, alpha: _cotimes(ops.outer(g, vec.conj()), alpha),
    vec=lambda g, mat, alpha: _cotimes(ops.mv(mat.t().conj(), g), alpha),
)


def _check_addr(input: Tensor, vec1: Tensor, vec2: Tensor, beta: Any, alpha: Any) -> None:
    for name, vector in (("vec1", vec1), ("vec2", vec2)):
        if vector.array.ndim != 1:
            raise OpError(f"addr: Expected 1-D argument {name}, but got {vector.array.ndim}-D")
    if common_dtype(input, vec1, vec2).is_differentiable:
        return
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if isinstance(factor, float | complex):
            raise OpError(f"For integral input tensors, argument {name} must not be a floating point number.")


def _check_addr_inplace(input: Tensor, vec1: Tensor, vec2: Tensor, beta: Any, alpha: Any) -> None:
    _check_addr(input, vec1, vec2, beta, alpha)
    if input.array.ndim != 2:
        raise OpError(f"2D tensor expected, got {input.array.ndim}D tensor for input")
    if input.array.shape != vec1.array.shape + vec2.array.shape:
        raise OpError(
            f"size mismatch, input: {list(input.array.shape)}, v1: {list(vec1.array.shape)}, v2: "
            f"{list(vec2.array.shape)}"
        )


@primitive(
    promote="default", writes=True, total=True, grows=lambda vec1, vec2: vec1.size * vec2.size, scratch=2,
    is_product=True, check=_check_addr, check_in_place=_check_addr_inplace,
)  # fmt: skip
def addr(input: Array, vec1: Array, vec2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * outer(vec1, vec2)``."""
    return _plus(input, np.multiply(vec1[:, None], vec2), beta, alpha)


addr.vjp(
    input=lambda g, beta: _cotimes(g, beta),
    vec1=lambda g, vec2, alpha: _cotimes(ops.mv(g, vec2.conj()), alpha),
    vec2=lambda g, vec1, alpha: _cotimes(ops.mv(g.t(), vec1.conj()), alpha),
)


def _extent(tensor: Tensor, dim: int) -> int:
    return tensor.array.shape[wrap_dim(dim, tensor.array.ndim)] if tensor.array.ndim else 1


def _check_baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor) -> None:
    _check_expands(input.array.shape, (_extent(batch1, 0), _extent(batch1, 1), _extent(batch2, 2)))
    if input.dtype is not batch1.dtype:
        raise OpError(
            f"Input dtypes must be the same, got: input {input.dtype.c_name}, batch1: {batch1.dtype.c_name}, batch2: "
            f"{batch2.dtype.c_name}"
        )
    _check_batches(batch1, batch2)
    _check_dtypes("expected scalar type {} but found {}", batch1, batch2)
    if batch1.array.size:
        _check_not_bool("baddbmm", batch1)


@primitive(
    total=True, check=_check_baddbmm, writes=True, overlap="none",
    grows=lambda batch1, batch2: prod(batch1.shape[:2]) * batch2.shape[2], scratch=2,
    work=lambda batch1, batch2: 2 * batch1.size * batch2.shape[2], is_product=True,
)  # fmt: skip
def baddbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * bmm(batch1, batch2)``."""
    return _plus(input, np.matmul(batch1, batch2), beta, alpha)


baddbmm.vjp(
    input=lambda g, beta: _cotimes(g, beta),
    batch1=lambda g, batch2, alpha: _cotimes(ops.bmm(g, _adjoint(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _cotimes(ops.bmm(_adjoint(batch1), g), alpha),
)


def _check_addbmm(input: Tensor, batch1: Tensor, batch2: Tensor) -> None:
    _check_expands(input.array.shape, (_extent(batch1, 1), _extent(batch2, 2)))
    _check_batches(batch1, batch2)
    _check_sum_dtypes(input, batch1, batch2)
    if batch1.array.size:
        _check_not_bool("addmm_impl_cpu_", batch1)


@primitive(
    total=True, check=_check_addbmm, writes=True, overlap="none",
    grows=lambda batch1, batch2: batch1.shape[1] * batch2.shape[2],
    scratch=lambda batch1, batch2: (batch1.shape[0] + 2) * batch1.shape[1] * batch2.shape[2],
    work=lambda batch1, batch2: 2 * batch1.size * batch2.shape[2], is_product=True,
)  # fmt: skip
def addbmm(input: Array, batch1: Array, batch2: Array, *, beta: Scalar = 1, alpha: Scalar = 1) -> Array:
    """``beta * input + alpha * bmm(batch1, batch2).sum(0)``."""
    return _plus(input, np.matmul(batch1, batch2).sum(0), beta, alpha)


def _batched(g: Tensor, batch: Tensor) -> Any:
    return ops.expand(g, (batch.array.shape[0], *g.array.shape))


addbmm.vjp(
    input=lambda g, beta: _cotimes(g, beta),
    batch1=lambda g, batch2, alpha: _cotimes(ops.bmm(_batched(g, batch2), _adjoint(batch2)), alpha),
    batch2=lambda g, batch1, alpha: _cotimes(ops.bmm(_adjoint(batch1), _batched(g, batch1)), alpha),
)


# -- the general product ------------------------------------------------------------------------------------------
@composite(aliases=("linalg.matmul",))
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of vectors, matrices or batches of matrices, with batch dimensions broadcast."""
    left, right = input.array.ndim, other.array.ndim
    if left == 0 or right == 0:
        raise OpError(f"both arguments to matmul need to be at least 1D, but they are {left}D and {right}D")
    if left <= 2 and right <= 2:
        return _small_product(input, other, left, right)
    if _folds(input, other):
        return _folded_product(input, other)
    return _batched_product(input, other)


def _small_product(input: Tensor, other: Tensor, left: int, right: int) -> Tensor:
    if right == 1:
        return (dot if left == 1 else mv)(input, other)
    if left == 2:
        return mm(input, other)
    return ops.squeeze_dim.inplace(mm(ops.unsqueeze(input, 0), other), 0)


def _folds(input: Tensor, other: Tensor) -> bool:
    """Whether the batch dimensions of the larger operand can be rows of one product."""
    larger, smaller = (input, other) if input.array.ndim >= other.array.ndim else (other, input)
    if larger.array.ndim < 3 or smaller.array.ndim > 2:
        return False
    if smaller.requires_grad:
        return True
    if input.array.ndim == 2:
        return False
    size, stride = list(larger.array.shape), list(larger.geometry.stride)
    if larger is other:  # the product is that of the transposed matrices
        size[-2:], stride[-2:] = size[:-3:-1], stride[:-3:-1]
    return 0 in size or all(stride[dim] == stride[dim + 1] * size[dim + 1] for dim in range(len(size) - 2))


def _folded_product(input: Tensor, other: Tensor) -> Tensor:
    input_is_larger = input.array.ndim >= other.array.ndim
    larger = input if input_is_larger else ops.transpose(other, -2, -1)
    smaller = other if input_is_larger else ops.t(input)
    shape = larger.array.shape
    rows = ops.reshape(larger, (prod(shape[:-1]), shape[-1]))
    if smaller.array.ndim == 1:
        return ops.unsafe_view(mv(rows, smaller), shape[:-1])
    product = ops.unsafe_view(mm(rows, smaller), (*shape[:-1], smaller.array.shape[1]))
    return product if input_is_larger else ops.contiguous(ops.transpose(product, -2, -1))


def _batched_product(input: Tensor, other: Tensor) -> Tensor:
    left = ops.unsqueeze(input, 0) if input.array.ndim == 1 else input
    right = ops.unsqueeze(other, 1) if other.array.ndim == 1 else other
    n, k = left.array.shape[-2:]
    inner, m = right.array.shape[-2:]
    batch = _broadcast_batch(left.array.shape[:-2], right.array.shape[:-2])
    count = prod(batch)
    rows = ops.reshape(ops.expand(left, (*batch, n, k)), (count, n, k))
    columns = ops.reshape(ops.expand(right, (*batch, inner, m)), (count, inner, m))
    size = batch + ((n,) if input.array.ndim > 1 else ()) + ((m,) if other.array.ndim > 1 else ())
    return ops.unsafe_view(bmm(rows, columns), size)


def _broadcast_batch(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    ndim = max(len(left), len(right))
    pairs = zip((1,) * (ndim - len(left)) + left, (1,) * (ndim - len(right)) + right, strict=True)
    extents = []
    for dim, (a, b) in enumerate(pairs):
        if a != b and 1 not in (a, b):
            raise OpError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {dim}"
            )
        extents.append(b if a == 1 else a)
    return tuple(extents)


@composite(name="nn.functional.linear")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``: ``(*, in), (out, in), (out,) -> (*, out)``."""
    if not input.array.ndim or not weight.array.ndim:
        raise OpError(
            "both arguments to linear need to be at least 1D, but they are "
            f"{input.array.ndim}D and {weight.array.ndim}D"
        )
    if bias is None:
        return matmul(input, ops.t(weight))
    if input.array.ndim == 2:
        return addmm(bias, input, ops.t(weight))
    if not input.is_contiguous():
        return matmul(input, ops.t(weight)) + bias
    shape = input.array.shape
    rows = addmm(bias, ops.reshape(input, (prod(shape[:-1]), shape[-1])), ops.t(weight))
    return ops.view(rows, (*shape[:-1], rows.array.shape[-1]))


def _check_bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    given = {"input1": input1, "input2": input2, "weight": weight, "bias": bias}
    dtypes_given = {name: one.dtype for name, one in given.items() if one is not None}
    if len(set(dtypes_given.values())) > 1:
        listed = ", ".join(f"{name}: {dtype.c_name}" for name, dtype in dtypes_given.items())
        raise OpError(f"All tensors must have the same dtype, got {listed}")
    left, right = input1.array.shape, input2.array.shape
    if len(left) != len(right):
        raise OpError(f"bilinear(): input dimensions do not match: got {len(left)} and {len(right)}")
    for dim, (one, other) in enumerate(zip(left[:-1], right[:-1], strict=True)):
        if one != other:
            raise OpError(f"bilinear(): input batch dimensions do not match at dim {dim}: got {one} and {other}")
    out, *sizes = weight.array.shape
    for name, extent, size in zip(("input1", "input2"), (left[-1], right[-1]), sizes, strict=True):
        if extent != size:
            raise OpError(f"bilinear(): {name} size does not match weight size: got {extent} but expected {size}")
    if bias is not None and bias.array.shape[0] != out:
        raise OpError(f"bilinear(): bias size does not match weight size: got {bias.array.shape[0]} but expected {out}")


@primitive(
    public=False, grad_fn="TrilinearBackward0", total=True, is_product=True,
    grows=lambda input1, weight: input1.shape[0] * weight.shape[0],
    scratch=lambda input1, weight: input1.shape[0] * weight.shape[0] * weight.shape[2] + weight.size,
    work=lambda input1, weight: 2 * input1.shape[0] * weight.size,
)  # fmt: skip
def trilinear(input1: Array, weight: Array, input2: Array) -> Array:
    """``input1[b] @ weight[o] @ input2[b]`` for every ``b`` and ``o``."""
    out, m, n = weight.shape
    partial = np.matmul(input1, weight.transpose(1, 0, 2).reshape(m, out * n)).reshape(-1, out, n)
    return np.matmul(partial, input2[:, :, None])[..., 0]


def _pairs(left: Any, right: Any) -> Any:
    """All products of two rows, in one: ``(b, m), (b, n) -> (b, m * n)``."""
    return ops.reshape(ops.unsqueeze(left, 2) * ops.unsqueeze(right, 1), (-1, left.shape[1] * right.shape[1]))


def _trilinear_input1(g: Any, weight: Any, input2: Any) -> Any:
    out, m, n = weight.shape
    return mm(_pairs(g, input2.conj()), ops.reshape(ops.permute(weight, (0, 2, 1)).conj(), (out * n, m)))


def _trilinear_input2(g: Any, input1: Any, weight: Any) -> Any:
    out, m, n = weight.shape
    return mm(_pairs(g, input1.conj()), ops.reshape(weight.conj(), (out * m, n)))


def _trilinear_weight(g: Any, input1: Any, input2: Any, weight_shape: Any) -> Any:
    return ops.reshape(mm(g.t(), _pairs(input1, input2).conj()), tuple(weight_shape))


trilinear.vjp(input1=_trilinear_input1, weight=_trilinear_weight, input2=_trilinear_input2)


@composite(name="nn.functional.bilinear")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input1 @ weight[o] @ input2`` for every ``o``, plus ``bias``: ``(*, m), (*, n), (out, m, n) -> (*, out)``."""
    wrap_dim(2, weight.array.ndim)
    if weight.array.ndim != 3:
        raise OpError("number of dimensions must match")
    _check_bilinear(input1, input2, weight, bias)
    out, m, n = weight.array.shape
    batch = input1.array.shape[:-1]
    left, right = ops.reshape(input1, (-1, m)), ops.reshape(input2, (-1, n))
    refuse_complex_history("_trilinear", left, weight, right)
    result = ops.view(trilinear(left, weight, right), (*batch, out))
    return result if bias is None else result + bias
