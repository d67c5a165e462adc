"""Sums of products over chosen dimensions: einsum, tensordot and their relatives, composed of the matrix products."""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.op import Array, Tensors, broadcast_pair, composite, primitive, type_name, wrap_dim
from engine.tensor import Tensor

LETTERS = string.ascii_letters
ELLIPSIS = "..."


# -- pairs --------------------------------------------------------------------------------------------------------
def contract(left: Tensor, right: Tensor, summed: Sequence[int]) -> Tensor:
    """The product of two tensors of one rank, broadcast, summed over the dimensions ``summed``, which go.

    A dimension of extent 1 on one side of a summed pair is summed on the other side first.
    """
    over = {dim for dim in summed if left.array.shape[dim] != 1 and right.array.shape[dim] != 1}
    for dim in summed:
        if left.array.shape[dim] != right.array.shape[dim]:
            left = ops.sum(left, dim, keepdim=True) if left.array.shape[dim] != 1 else left
            right = ops.sum(right, dim, keepdim=True) if right.array.shape[dim] != 1 else right
    if over:
        return _as_bmm(left, right, set(summed))
    product = left * right
    kept = [extent for dim, extent in enumerate(product.array.shape) if dim not in summed]
    return ops.view(product, kept) if summed else product


class _Roles(NamedTuple):
    """Dimensions by who has an extent other than 1: both, left alone, right alone, or to be summed."""

    both: list[int]
    left: list[int]
    right: list[int]
    summed: list[int]


def _roles(left: Tensor, right: Tensor, over: set[int]) -> _Roles:
    roles = _Roles([], [], [], sorted(over))
    for dim, (a, b) in enumerate(zip(left.array.shape, right.array.shape, strict=True)):
        if dim not in over:
            (roles.both if a != 1 and b != 1 else roles.left if a != 1 else roles.right).append(dim)
    return roles


def _as_bmm(left: Tensor, right: Tensor, over: set[int]) -> Tensor:
    roles = _roles(left, right, over)
    shape_left, shape_right = left.array.shape, right.array.shape
    batch = prod(shape_left[d] for d in roles.both)
    rows, columns = prod(shape_left[d] for d in roles.left), prod(shape_right[d] for d in roles.right)
    inner = prod(shape_left[d] for d in roles.summed)
    left = ops.permute(left, roles.both + roles.left + roles.summed + roles.right)
    right = ops.permute(right, roles.both + roles.summed + roles.right + roles.left)
    product = ops.bmm(ops.reshape(left, (batch, rows, inner)), ops.reshape(right, (batch, inner, columns)))
    order = roles.both + roles.left + roles.right
    product = ops.view(product, tuple(max(shape_left[d], shape_right[d], key=_not_one) for d in order))
    kept = sorted(order)
    product = ops.permute(product, [order.index(d) for d in kept])
    return ops.view(product, product.array.shape)


def _not_one(extent: int) -> bool:
    return extent != 1


# -- einsum -------------------------------------------------------------------------------------------------------
@composite
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sum of products of the operands over the subscripts that the output lacks, in Einstein's notation."""
    text, tensors = _equation_and_operands(equation, operands)
    inputs, output = _parse(text, tensors)
    labels = output + _summed_labels(inputs, output)
    extents = _extents(inputs, tensors)
    aligned = [_align(tensor, subs, labels) for subs, tensor in zip(inputs, tensors, strict=True)]
    if len(aligned) == 1:
        return _single(aligned[0], len(output), len(labels))
    return _contract_all(aligned, inputs, output, labels, extents)


def _equation_and_operands(equation: Any, operands: tuple[Any, ...]) -> tuple[str, list[Tensor]]:
    if not isinstance(equation, str | Tensor):
        raise ArgumentTypeError(f"einsum(): argument 'equation' (position 1) must be str, not {type_name(equation)}")
    if not isinstance(equation, str):
        return _from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    _check_operands(operands)
    if not operands:
        raise OpError("einsum(): must provide at least one operand")
    return equation, list(operands)


def _check_operands(operands: tuple[Any, ...]) -> None:
    for position, one in enumerate(operands):
        if not isinstance(one, Tensor):
            raise ArgumentTypeError(f"expected Tensor as element {position} in argument 1, but got {type_name(one)}")


def _from_sublists(parts: tuple[Any, ...]) -> tuple[str, list[Tensor]]:
    """``x, [0, 1], y, [1, 2], [0, 2]`` as an equation."""

    def spell(labels: Any) -> str:
        if not isinstance(labels, list | tuple):
            raise ArgumentTypeError(f"'{type_name(labels)}' object is not iterable")
        if not all(label is Ellipsis or (isinstance(label, int) and 0 <= label < 52) for label in labels):
            raise ArgumentValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
        return "".join(ELLIPSIS if label is Ellipsis else LETTERS[label] for label in labels)

    pairs = len(parts) // 2
    _check_operands(parts[: 2 * pairs : 2])
    text = ",".join(spell(parts[2 * i + 1]) for i in range(pairs))
    return (text + "->" + spell(parts[-1]) if len(parts) % 2 else text), [parts[2 * i] for i in range(pairs)]


def _parse(text: str, tensors: list[Tensor]) -> tuple[list[list[Any]], list[Any]]:
    """The labels of every operand and of the output; the dimensions of an ellipsis are negative numbers."""
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        few = "fewer" if len(tensors) < len(terms) else "more"
        raise OpError(f"einsum(): {few} operands were provided than specified in the equation")
    inputs = [_labels(term, tensor.array.ndim, i) for i, (term, tensor) in enumerate(zip(terms, tensors, strict=True))]
    return inputs, _explicit_output(right, inputs) if arrow else _implicit_output(inputs)


def _labels(term: str, ndim: int, operand: int) -> list[Any]:
    before, dots, after = term.partition(ELLIPSIS)
    for index, letter in enumerate(before + after):
        if letter not in LETTERS:
            raise OpError(
                f"einsum(): invalid subscript given at index {index} in the equation string, subscripts must be in "
                "[a-zA-Z]"
            )
    named = len(before) + len(after)
    if named > ndim or (not dots and named < ndim):
        raise OpError(
            f"einsum(): the number of subscripts in the equation ({named}) "
            + ("does not match" if not dots else "is more than")
            + f" the number of dimensions ({ndim}) for operand {operand}"
            + (" and no ellipsis was given" if not dots else "")
        )
    return [*before, *range(named - ndim, 0), *after]


def _dots(inputs: list[list[Any]]) -> list[int]:
    return sorted({label for labels in inputs for label in labels if isinstance(label, int)})


def _implicit_output(inputs: list[list[Any]]) -> list[Any]:
    letters = [label for labels in inputs for label in labels if isinstance(label, str)]
    return [*_dots(inputs), *sorted(letter for letter in set(letters) if letters.count(letter) == 1)]


def _explicit_output(right: str, inputs: list[list[Any]]) -> list[Any]:
    before, dots, after = right.partition(ELLIPSIS)
    known = {label for labels in inputs for label in labels}
    for letter in before + after:
        if letter not in known:
            raise OpError(f"einsum(): output subscript {letter} does not appear in the equation for any input operand")
        if (before + after).count(letter) > 1:
            raise OpError(f"einsum(): output subscript {letter} appears more than once in the output")
    return [*before, *(_dots(inputs) if dots else []), *after]


def _summed_labels(inputs: list[list[Any]], output: list[Any]) -> list[Any]:
    seen = dict.fromkeys(label for labels in inputs for label in labels)
    return [label for label in seen if label not in output]


def _extents(inputs: list[list[Any]], tensors: list[Tensor]) -> dict[Any, int]:
    extents: dict[Any, int] = {}
    for operand, (labels, tensor) in enumerate(zip(inputs, tensors, strict=True)):
        for label, extent in zip(labels, tensor.array.shape, strict=True):
            known = extents.get(label, 1)
            if extent != 1 and known not in (1, extent):
                raise OpError(
                    f"einsum(): subscript {label} has size {extent} for operand {operand} which does not broadcast "
                    f"with previously seen size {known}"
                )
            extents[label] = extent if known == 1 else known
    return extents


def _align(tensor: Tensor, labels: list[Any], order: list[Any]) -> Tensor:
    """The operand with one dimension for every label of ``order``: repeated ones on the diagonal, missing ones 1."""
    labels = list(labels)
    for label in list(dict.fromkeys(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            tensor = ops.movedim(ops.diagonal(tensor, 0, first, second), -1, first)
            del labels[second]
    for label in order:
        if label not in labels:
            tensor = ops.unsqueeze(tensor, -1)
            labels.append(label)
    return ops.permute(tensor, [labels.index(label) for label in order])


def _single(tensor: Tensor, kept: int, ndim: int) -> Tensor:
    return tensor if kept == ndim else ops.sum(tensor, list(range(kept, ndim)))


def _contract_all(
    operands: list[Tensor], inputs: list[list[Any]], output: list[Any], labels: list[Any], extents: dict[Any, int]
) -> Tensor:
    """Contract pairs, in the order of the cheapest path when there are more than two operands."""
    owners = [set(subs) for subs in inputs]
    for first, second in _path(inputs, output, extents):
        left, right = operands[first], operands[second]
        for position in sorted((first, second), reverse=True):
            del operands[position]
        joined = owners.pop(max(first, second)) | owners.pop(min(first, second))
        needed = set(output).union(*owners)
        gone = [label for label in joined if label not in needed]
        result = contract(left, right, sorted(labels.index(label) for label in gone))
        operands.append(result if not owners else _restored(result, gone, labels))
        owners.append(joined - set(gone))
    rest = operands[0]
    return _single(rest, len(output), rest.array.ndim)


def _restored(tensor: Tensor, gone: list[Any], labels: list[Any]) -> Tensor:
    """With the summed dimensions back as extents of 1."""
    for position in sorted(labels.index(label) for label in gone):
        tensor = ops.unsqueeze(tensor, position)
    return tensor


def _path(inputs: list[list[Any]], output: list[Any], extents: dict[Any, int]) -> list[tuple[int, int]]:
    if len(inputs) == 2:
        return [(0, 1)]
    names = {label: i for i, label in enumerate(extents)}
    arguments: list[Any] = []
    for labels in inputs:
        unique = list(dict.fromkeys(labels))
        arguments += [
            np.broadcast_to(np.int8(0), [extents[label] for label in unique]),
            [names[label] for label in unique],
        ]
    steps = np.einsum_path(*arguments, [names[label] for label in output], optimize="greedy")[0][1:]
    return [pair for step in steps for pair in _pairs(list(step))]


def _pairs(step: list[int]) -> list[tuple[int, int]]:
    """A step of a path as pairs; NumPy may contract the last few operands at once."""
    if len(step) <= 2:
        return [(step[0], step[1])] if len(step) == 2 else []
    count = len(step)
    return [(0, 1), *((0, count - 1 - i) for i in range(1, count - 1))]


# -- relatives ----------------------------------------------------------------------------------------------------
@composite
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over ``dims`` of ``a`` and of ``b``: a count of last and first ones, or two lists."""
    if a.dtype is not b.dtype:
        raise OpError("both inputs should have same dtype")
    over_a, over_b = _tensordot_dims(a, b, dims)
    for over, tensor in ((over_a, a), (over_b, b)):
        for dim in over:
            wrap_dim(dim, tensor.array.ndim)
    shape_a, shape_b = a.array.shape, b.array.shape
    for first, second in zip(over_a, over_b, strict=True):
        if shape_a[first] != shape_b[second] and 1 not in (shape_a[first], shape_b[second]):
            raise OpError(
                f"contracted dimensions need to match, but first has size {shape_a[first]} in dim {first} and second "
                f"has size {shape_b[second]} in dim {second}"
            )
        if shape_a[first] != shape_b[second]:
            a = ops.sum(a, first, keepdim=True, dtype=a.dtype) if shape_b[second] == 1 else a
            b = ops.sum(b, second, keepdim=True, dtype=b.dtype) if shape_a[first] == 1 else b
    return _tensordot(a, b, _apart(over_a, a), _apart(over_b, b))


def _apart(dims: list[int], tensor: Tensor) -> list[int]:
    wrapped = [dim % max(tensor.array.ndim, 1) for dim in dims]
    for dim in wrapped:
        if wrapped.count(dim) > 1:
            raise OpError(f"dim {dim} appears multiple times in the list of dims")
    return wrapped


def _tensordot(a: Tensor, b: Tensor, over_a: list[int], over_b: list[int]) -> Tensor:
    free_a = [d for d in range(a.array.ndim) if d not in over_a]
    free_b = [d for d in range(b.array.ndim) if d not in over_b]
    size_a, size_b = [a.array.shape[d] for d in free_a], [b.array.shape[d] for d in free_b]
    inner = prod(a.array.shape[d] for d in over_a)
    left, right = ops.permute(a, free_a + over_a), ops.permute(b, over_b + free_b)
    if prod(size_a) == prod(size_b) == 1:
        total = ops.dot(ops.flatten(left), ops.flatten(right))
    else:
        total = ops.mm(ops.reshape(left, (prod(size_a), inner)), ops.reshape(right, (inner, prod(size_b))))
    return ops.view(total, (*size_a, *size_b))


def _tensordot_dims(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    if isinstance(dims, int):
        if dims < 0:
            raise OpError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.array.ndim, b.array.ndim):
            raise OpError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return list(range(-dims, 0)), list(range(dims))
    if isinstance(dims, list | tuple) and len(dims) != 2:
        few = f"not enough values to unpack (expected 2, got {len(dims)})"
        raise ArgumentValueError("too many values to unpack (expected 2)" if len(dims) > 2 else few)
    if not isinstance(dims, list | tuple):
        raise OpError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, "
            f"but got dims={dims}"
        )
    for name, position, side in (("dims_self", 3, dims[0]), ("dims_other", 4, dims[1])):
        if not isinstance(side, list | tuple):
            raise ArgumentTypeError(
                f"tensordot(): argument '{name}' (position {position}) must be tuple of ints, not {type_name(side)}"
            )
    over_a, over_b = map(list, dims)
    if len(over_a) != len(over_b):
        raise OpError("both dimension lists should have same length")
    return over_a, over_b


@composite
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sum of products over the last dimension of both."""
    if input.array.ndim == 0 or other.array.ndim == 0:
        return input * other
    if input.array.shape[-1] != other.array.shape[-1]:
        raise OpError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.array.shape)} and {list(other.array.shape)}"
        )
    return tensordot(input, other, [[-1], [-1]])


@composite(out="cast")
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of one tensor times the whole other."""
    ndim = max(input.array.ndim, other.array.ndim)
    left = (1,) * (ndim - input.array.ndim) + input.array.shape
    right = (1,) * (ndim - other.array.ndim) + other.array.shape
    spread = _unsafe_view(input, tuple([extent for a in left for extent in (a, 1)]))
    tiled = _unsafe_view(other, tuple([extent for b in right for extent in (1, b)]))
    return _unsafe_view(spread * tiled, tuple(a * b for a, b in zip(left, right, strict=True)))


def _unsafe_view(input: Tensor, size: tuple[int, ...]) -> Any:
    ops.view(input, size)  # PyTorch refuses where the memory does not allow a view, although it makes none
    return ops.unsafe_view(input, size)


@composite(name="linalg.vecdot")
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The products of vectors along ``dim``, the first conjugated."""
    if not x.dtype.is_differentiable:
        raise OpError(f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype.scalar_type}")
    if x.dtype is not y.dtype:
        raise OpError(
            f"linalg.vecdot: Expected x and y to have the same dtype, but found x of type {x.dtype.scalar_type} and y "
            f"of type {y.dtype.scalar_type} instead"
        )
    if x.array.ndim == 1 and y.array.ndim == 1:
        return ops.vdot(x, y)
    return ops.sum(x.conj() * y, dim)


def _check_cross(input: Tensor, other: Tensor, dim: int) -> None:
    if input.array.ndim != other.array.ndim:
        raise OpError("linalg.cross: inputs must have the same number of dimensions.")
    axis = wrap_dim(dim, input.array.ndim)
    if not input.array.ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    extents = [tensor.array.shape[axis] for tensor in (input, other)]
    if extents != [3, 3]:
        raise OpError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {extents[0]} and {extents[1]}")
    broadcast_pair(input.array.shape, other.array.shape)
    if input.dtype is dtypes.bool_:
        raise UnsupportedError("\"cross\" not implemented for 'Bool'")
    if input.dtype is not other.dtype:
        raise OpError(f"expected scalar type {input.dtype.scalar_type} but found {other.dtype.scalar_type}")


@primitive(name="linalg.cross", grad_fn="LinalgCrossBackward0", check=_check_cross)
def linalg_cross(input: Array, other: Array, *, dim: int = -1) -> Array:
    """The cross product of 3-vectors along ``dim``."""
    a, b = (np.moveaxis(array, dim, 0) for array in np.broadcast_arrays(input, other))
    parts = [a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3] for i in range(3)]
    return np.stack(parts, axis=dim)


linalg_cross.vjp(
    input=lambda g, other, dim: linalg_cross(other.conj(), g, dim=dim),
    other=lambda g, input, dim: linalg_cross(g, input.conj(), dim=dim),
)


@composite
def cross(input: Tensor, other: Tensor, dim: Any = None) -> Tensor:
    """The cross product along ``dim``, by default the first dimension of extent 3."""
    if dim is None:
        modes.warn_once(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass the dim explicitly or "
            "simply use torch.linalg.cross.\nThe default value of dim will change to agree with that of linalg.cross "
            "in a future release."
        )
        if 3 not in input.array.shape:
            raise OpError("no dimension of size 3 in input")
        dim = input.array.shape.index(3)
    return linalg_cross(input, other, dim=dim)


@composite(name="linalg.multi_dot")
def multi_dot(tensors: Tensors) -> Tensor:
    """The product of a chain of matrices in the cheapest order; the first and the last may be vectors."""
    if len(tensors) < 2:
        raise OpError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, last = tensors[0], tensors[-1]
    _check_chain(tensors)
    chain = list(tensors)
    chain[0] = ops.unsqueeze(first, 0) if first.array.ndim == 1 else first
    chain[-1] = ops.unsqueeze(last, -1) if last.array.ndim == 1 else last
    product = _chain_product(chain, *_chain_splits([t.array.shape for t in chain]))
    rows = () if first.array.ndim == 1 else product.array.shape[:1]
    columns = () if last.array.ndim == 1 else product.array.shape[1:]
    return ops.view(product, rows + columns)


@composite(method=False)
def chain_matmul(*matrices: Tensors) -> Any:
    """The product of matrices in the cheapest order."""
    modes.warn_once(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot "
        "instead, which accepts a list of two or more tensors rather than multiple parameters."
    )
    for matrix in matrices:
        if matrix.array.ndim != 2:
            raise OpError(f"Tensor dimension is {matrix.array.ndim}, expected 2 instead.")
    if not matrices:
        raise OpError("chain_matmul(): Expected one or more matrices")
    return ops.clone(matrices[0]) if len(matrices) == 1 else multi_dot(list(matrices))


def _check_chain(tensors: list[Tensor]) -> None:
    ranks = [tensor.array.ndim for tensor in tensors]
    for name, rank in (("first", ranks[0]), ("last", ranks[-1])):
        if rank not in (1, 2):
            raise OpError(f"multi_dot(): the {name} tensor must be 1D or 2D but got {rank}D")
    for position, rank in enumerate(ranks[1:-1], 1):
        if rank != 2:
            raise OpError(f"multi_dot(): tensor {position} must be 2D but got {rank}D")
    for position, tensor in enumerate(tensors):
        if tensor.dtype is not tensors[0].dtype:
            raise OpError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {tensors[0].dtype.c_name} and "
                f"tensor {position} {tensor.dtype.c_name}"
            )
    for position, (left, right) in enumerate(pairwise(tensor.array.shape for tensor in tensors)):
        if left[-1] != right[0]:
            raise OpError(
                f"multi_dot(): tensors {position} and {position + 1} with shapes {list(left)} and {list(right)} cannot "
                "be multiplied"
            )


def _chain_splits(shapes: list[tuple[int, ...]]) -> tuple[dict[tuple[int, int], int], int, int]:
    """Where to split every part of a chain (Cormen et al., Introduction to Algorithms, matrix-chain order)."""
    sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
    count = len(shapes)
    cost = {(i, i): 0 for i in range(count)}
    split: dict[tuple[int, int], int] = {}
    budget = modes.current().budget
    for length in range(1, count):
        if budget is not None:
            budget.take(length * (count - length))
        for i in range(count - length):
            j = i + length
            options = {k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)}
            split[i, j] = min(options, key=lambda k: options[k])
            cost[i, j] = options[split[i, j]]
    return split, 0, count - 1


def _chain_product(chain: list[Tensor], split: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return chain[i]
    k = split[i, j]
    return ops.mm(_chain_product(chain, split, i, k), _chain_product(chain, split, k + 1, j))


__all__ = ["contract", "einsum"]
