"""Rows of a table by index: embeddings, bags of them, and one-hot rows."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.op import Array, Index, composite, extents, primitive
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.math.powers import common_dtype
from engine.ops.math.special import first_order
from engine.ops.reduce.norms import norm_of
from engine.tensor import Tensor, from_array, read

MODES = ("sum", "mean", "max")
TINY = 1e-7  # added to a norm before it divides


# -- one row for each index ---------------------------------------------------------------------------------------
def _check_indices(weight: Array, indices: Array) -> None:
    if weight.ndim != 2:
        raise OpError("'weight' must be 2-D")
    if indices.dtype not in (np.int64, np.int32):
        raise OpError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{dtypes.of(indices).scalar_type}Tensor instead (while checking arguments for embedding)"
        )
    if np.any((indices < 0) | (indices >= len(weight))):
        raise DimensionError("index out of range in self")


@primitive(
    method=False, grows=lambda weight, indices: indices.size * prod(weight.shape[1:]),
    check=lambda weight: refuse_complex_history("embedding", weight),
)  # fmt: skip
def embedding(
    weight: Array, indices: Index, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Array:
    """The rows of ``weight`` at ``indices``. The row ``padding_idx`` gets no gradient.

    Gradients are dense here, also for ``sparse``.
    """
    _check_indices(weight, indices)
    return weight[indices]


@primitive(
    public=False, linear=True, grows=lambda grad, count: count * (grad.shape or (1,))[-1],
    scratch=lambda grad, count: 2 * extents(grad) + 2 * count * max((grad.shape or (1,))[-1], 1),
)  # fmt: skip
def embedding_backward(grad: Array, indices: Index, count: int, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    """``grad`` of rows added up at their places among ``count``, over the number of uses if scaled by frequency."""
    result = np.zeros((count, grad.shape[-1]), grad.dtype)
    np.add.at(result, indices, _weighted_rows(grad, indices, count, padding_idx, scale_grad_by_freq))
    return result


@primitive(public=False, linear=True)
def embedding_scaled(grad: Array, indices: Index, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    """The rows of ``grad`` at ``indices`` with the weights of ``embedding_backward``, whose transpose it is."""
    return _weighted_rows(grad[indices], indices, len(grad), padding_idx, scale_grad_by_freq)


def _weighted_rows(rows: Array, indices: Array, count: int, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    rows = np.where((indices == padding_idx)[..., None], np.zeros((), rows.dtype), rows)
    if not scale_grad_by_freq:
        return rows
    uses = np.bincount(indices.ravel(), minlength=count)
    return rows / uses[indices][..., None].astype(rows.dtype)


embedding.vjp(
    weight=lambda g, weight_shape, indices, padding_idx, scale_grad_by_freq: embedding_backward(
        g, indices, weight_shape[0], padding_idx, scale_grad_by_freq
    )
)
embedding_backward.vjp(
    grad=lambda g, indices, padding_idx, scale_grad_by_freq: embedding_scaled(
        g, indices, padding_idx, scale_grad_by_freq
    )
)
embedding_scaled.vjp(
    grad=lambda g, grad_shape, indices, padding_idx, scale_grad_by_freq: embedding_backward(
        g, indices, grad_shape[0], padding_idx, scale_grad_by_freq
    )
)


@primitive(public=False, nondifferentiable=("weight",))
def renormed_rows(weight: Array, indices: Index, max_norm: float, norm_type: float) -> Array:
    """``weight`` with the rows at ``indices`` scaled down to ``max_norm`` where their norm is larger."""
    _check_indices(weight, indices)
    result = weight.copy()
    rows = np.unique(indices)
    norm = norm_of(weight[rows], norm_type, (1,), True)
    result[rows] = np.where(norm > max_norm, weight[rows] * (max_norm / (norm + TINY)), weight[rows])
    return result


def _renorm(weight: Tensor, indices: Tensor, max_norm: float | None, norm_type: float) -> None:
    """Shorten the rows about to be used, in place and unrecorded."""
    if max_norm is None:
        return
    if not weight.dtype.is_differentiable:
        raise OpError(
            f"norm(): input dtype should be either floating point or complex. Got {weight.dtype.scalar_type} instead."
        )
    with modes.no_grad():
        try:
            weight.copy_(renormed_rows(weight.detach(), indices, max_norm, norm_type))
        except DimensionError:
            _renorm_some(weight, np.unique(read(indices)), max_norm, norm_type)


def _renorm_some(weight: Tensor, places: Array, max_norm: float, norm_type: float) -> None:
    """Shorten the rows before the first that there is not, in their order, and refuse that one."""
    extent = weight.array.shape[0]
    fits = (places >= -extent) & (places < extent)
    if not fits.all():
        rows, version = places[: np.argmin(fits)] % max(extent, 1), weight.storage.version
        weight.copy_(renormed_rows(weight.detach(), from_array(rows), max_norm, norm_type))
        weight.storage.version = version  # counted when all is done
        raise DimensionError(
            f"select(): index {places[np.argmin(fits)]} out of range for tensor of size {list(weight.array.shape)} at "
            "dimension 0"
        )


@composite(name="nn.functional.embedding")
def _embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """The rows of ``weight`` at ``input``; with ``max_norm`` they are first shortened in place to that norm."""
    padding = -1 if padding_idx is None else _row(weight, padding_idx)
    _renorm(weight, input, max_norm, norm_type)
    return embedding(weight, input, padding, scale_grad_by_freq, sparse)


def _row(weight: Tensor, padding_idx: int) -> int:
    count = weight.array.shape[0]
    if not -count <= padding_idx < count:
        raise ArgumentValueError("Padding_idx must be within num_embeddings")
    return padding_idx % count


# -- bags of rows -------------------------------------------------------------------------------------------------
def _bags(indices: Array, offsets: Array, weight: Array, includes_last: bool) -> tuple[Array, int]:
    """The bag that each index is in, and how many there are."""
    if offsets.size and offsets[0] != 0:
        raise OpError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {offsets[0]}"
        )
    if offsets.size and offsets[-1] > len(indices):
        raise OpError(
            f"offsets[-1] can not be greater than input's length {len(indices)} but got offsets[-1] of {offsets[-1]}"
        )
    outside = np.nonzero((indices < 0) | (indices >= len(weight)))[0]
    if outside.size:
        place = outside[0]
        raise OpError(
            f"Index {place} of input takes value {indices[place]} which is not in the valid range [0, {len(weight)})"
        )
    bags = np.searchsorted(offsets, np.arange(len(indices)), side="right") - 1
    return bags, len(offsets) - includes_last


def _pooled(rows: Array, bags: Array, count: int, mode: int, sizes: Array) -> Array:
    """Sums of rows by bag, or their means."""
    result = np.zeros((count, rows.shape[1]), rows.dtype)
    np.add.at(result, bags, rows)
    return result / np.maximum(sizes, 1)[:, None].astype(rows.dtype) if mode == 1 else result


def _largest(rows: Array, places: Array, bags: Array, count: int, sizes: Array) -> tuple[Array, Array]:
    """The largest element of each column by bag, and the row of the table it stands in; 0 for empty bags."""
    values = np.zeros((count, rows.shape[1]), rows.dtype)
    sources = np.zeros(values.shape, np.int64)
    for bag in np.nonzero(sizes)[0]:
        inside = np.nonzero(bags == bag)[0]
        winners = inside[np.argmax(rows[inside], axis=0)]
        values[bag] = rows[winners, np.arange(rows.shape[1])]
        sources[bag] = places[winners]
    return values, sources


def _check_bagged(weight: Tensor) -> None:
    if not weight.dtype.is_floating_point:
        raise OpError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, "
            f"Float, Double; but got {weight.dtype.tensor_type} instead (while checking arguments for embedding_bag)"
        )


@primitive(
    method=False, outputs=("out", "offset2bag", "bag_size", "max_indices"), check=_check_bagged,
    grows=lambda weight, offsets: offsets.size * prod(weight.shape[1:]),
    scratch=4.5,
)  # fmt: skip
def embedding_bag(
    weight: Array, indices: Index, offsets: Index, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Array | None = None, include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Sums (``mode`` 0), means (1) or maxima (2) of the rows of ``weight`` at each bag of ``indices``.

    A bag goes from its offset to the next. What follows are the bag of each index, the sizes of the bags without
    padding, and for maxima the rows they come from.
    """
    bags, count = _bags(indices, offsets, weight, include_last_offset)
    kept = indices != padding_idx
    rows, places, own = weight[indices[kept]], indices[kept], bags[kept]
    sizes = np.bincount(own, minlength=count)[:count] if count else np.zeros(0, np.int64)
    if mode == 2:
        values, sources = _largest(rows, places, own, count, sizes)
        return values, bags, sizes, sources
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[kept][:, None]
    noted = sizes if mode == 1 else np.zeros_like(sizes)  # sums need no sizes
    return _pooled(rows, own, count, mode, sizes), bags, noted, noted.copy()


def _bag_weight(
    g: Any, weight_shape: Any, indices: Any, per_sample_weights: Any, offset2bag: Any, bag_size: Any,
    max_indices: Any, scale_grad_by_freq: bool, mode: int, padding_idx: int,
) -> Any:  # fmt: skip
    if mode == 2:
        filled = ops.masked_fill(g, ops.unsqueeze(bag_size == 0, 1), 0)
        return ops.scatter_add(ops.zeros(weight_shape, dtype=g.dtype), 0, max_indices, filled)
    if mode == 1:
        g = g / ops.unsqueeze(ops.clamp_min(bag_size, 1), 1)
    rows = ops.index_select(g, 0, offset2bag)
    if per_sample_weights is not None:
        rows = rows * ops.unsqueeze(per_sample_weights, 1)
    if scale_grad_by_freq:
        rows = rows / ops.unsqueeze(bag_frequencies(indices), 1)
    return embedding_backward(rows, indices, weight_shape[0], padding_idx, False)


@primitive(public=False, scratch=5)
def bag_frequencies(indices: Index) -> Array:
    """What PyTorch divides the gradient of each index by, which it takes for how often the index occurs.

    That of the n-th different index is the frequency of the n-th of all, in ascending order (``EmbeddingBag.cpp`` looks
    up ``counts[indices[i]]`` with ``i`` a number of different ones).
    """
    _, places, counts = np.unique(indices, return_inverse=True, return_counts=True)
    frequencies = np.repeat(counts, counts)[: len(counts)]
    return np.asarray(frequencies[places.reshape(indices.shape)])


def _bag_sample_weights(g: Any, weight: Any, indices: Any, offset2bag: Any, padding_idx: int) -> Any:
    products = ops.index_select(g, 0, offset2bag) * embedding(weight, indices)
    pulled = ops.masked_fill(ops.sum(products, (1,)), indices == padding_idx, 0)
    return first_order(
        pulled, weight, "derivative for aten::_embedding_bag_per_sample_weights_backward is not implemented"
    )


embedding_bag.vjp(weight=_bag_weight, per_sample_weights=_bag_sample_weights)


@composite(name="nn.functional.embedding_bag")
def _embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: Tensor | None = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Sums, means or maxima of rows of ``weight``, for each row of ``input`` or from offset to offset."""
    _check_bag(input, weight, per_sample_weights)
    if input.array.ndim == 2:
        input, offsets, per_sample_weights = _flat_bags(input, offsets, per_sample_weights)
        include_last_offset = False
    elif input.array.ndim != 1:
        raise ArgumentValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.array.ndim}")
    if offsets is None or offsets.array.ndim != 1:
        raise ArgumentValueError(f"offsets has to be a 1D Tensor{' but got None' if offsets is None else ''}")
    _check_mode(mode, scale_grad_by_freq, sparse)
    _renorm(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise UnsupportedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    padding = -1 if padding_idx is None else padding_idx % max(weight.array.shape[0], 1)
    places = common_dtype(input, offsets)
    if places not in (dtypes.int64, dtypes.int32):
        raise OpError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{places.tensor_type} instead (while checking arguments for embedding_bag)"
        )
    settings = (scale_grad_by_freq, MODES.index(mode), sparse, per_sample_weights, include_last_offset, padding)
    return embedding_bag(weight, input, offsets, *settings)[0]


def _check_bag(input: Tensor, weight: Tensor, per_sample_weights: Tensor | None) -> None:
    if per_sample_weights is not None and per_sample_weights.array.shape != input.array.shape:
        raise ArgumentValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if weight.array.ndim != 2:
        raise ArgumentValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.array.ndim}")


def _check_mode(mode: str, scale_grad_by_freq: bool, sparse: bool) -> None:
    if mode not in MODES:
        raise ArgumentValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ArgumentValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ArgumentValueError("max mode does not support sparse weights")


def _flat_bags(
    input: Tensor, offsets: Tensor | None, per_sample_weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rows as bags of equal size."""
    if offsets is not None:
        raise ArgumentValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            "sequences. However, found offsets of type <class 'torch.Tensor'>"
        )
    count, extent = input.array.shape
    starts = Tensor(np.arange(count, dtype=input.array.dtype) * extent)
    weights = None if per_sample_weights is None else ops.reshape(per_sample_weights, (-1,))
    return ops.reshape(input, (-1,)), starts, weights


# -- one-hot ------------------------------------------------------------------------------------------------------
def _classes(input: Array, num_classes: int) -> int:
    """How many there are; as many as are needed, if nobody says it."""
    return int(input.max(initial=0)) + 1 if num_classes == -1 else max(num_classes, 1)


@primitive(
    name="nn.functional.one_hot", data_dependent=True, nondifferentiable=("input",),
    grows=lambda input, num_classes: input.size * _classes(input, num_classes),
    scratch=lambda input, num_classes: (1.5 * input.size + 2) * _classes(input, num_classes),
)  # fmt: skip
def one_hot(input: Array, num_classes: int = -1) -> Array:
    """1 at the place that ``input`` says, 0 at the other ``num_classes - 1``; as many classes as needed if -1."""
    if input.dtype != np.int64:
        raise OpError("one_hot is only applicable to index tensor of type LongTensor.")
    if input.size == 0 and num_classes <= 0:
        raise OpError("Can not infer total number of classes from empty tensor.")
    if np.any(input < 0):
        raise OpError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(np.max(input)) + 1
    elif np.any(input >= num_classes):
        raise OpError("Class values must be smaller than num_classes.")
    return (input[..., None] == np.arange(num_classes)).astype(np.int64)
