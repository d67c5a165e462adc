"""Writes: what an in-place op does to values, version counters and histories.

An in-place op is its out-of-place kernel, a node, a copy into the target, a new version, and a new history: the
target's own when it owns its storage, its base's (a ``CopySlices`` node over the region written) when it is a view.
Other views of the base get their history back when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.autograd.tape import FREED, Edge, Node, Saved, edge_of, make_node, save
from engine.errors import OpError
from engine.storage import UNCOUNTED
from engine.tensor import (
    CONJ,
    INFERENCE_MODE,
    LAZY,
    MULTIPLE,
    NEG,
    NO_GRAD,
    Geometry,
    Tensor,
    is_dense,
    make_tensor,
    owned_copy,
    resolved,
    spec_of,
)  # fmt: skip

LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
LEAF_VIEW = "a view of a leaf Variable that requires grad is being used in an in-place operation."
OVERLAP = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation."
)
EXPANDED = (
    "Use of {} on expanded tensors is deprecated. Please clone() the tensor before performing this operation. This "
    "also applies to advanced indexing e.g. {}"
)
PARTIAL_OVERLAP = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)
INFERENCE = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
    "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
)


def view_of(source: Tensor, array: np.ndarray[Any, Any], one_of_many: bool, reinterprets: bool = False) -> Tensor:
    """A tensor over ``array``, which looks into the storage of ``source``.

    It is a view of ``source``; of another dtype, only where the op ``reinterprets`` (``engine.op.traits.Nature``).
    """
    storage = source.storage
    memory, base = storage.array, array.base
    is_in_there = base is memory or (base is memory.base and base is not None)
    if not is_in_there and not np.may_share_memory(array, memory) and array.size:
        view = make_tensor(array)  # the kernel had to copy (it may, e.g. ``reshape``); then it is no view
        view.bits = source.bits & LAZY
        return view
    view = make_tensor(array, storage)
    view.odd = any(array.strides) or (array.size < 2 and array.ndim > 0)
    view.inference = source.inference
    if source.bits:
        view.bits = source.bits & LAZY
    if array.dtype is not source.array.dtype and not reinterprets:
        own_by_mode(view, source)
        return view  # of the same memory, but not of the tensor: a write through it is nobody's history
    if source.inference:
        if storage.version != UNCOUNTED:
            view.storage = storage.alias(UNCOUNTED)
        return view
    view.base = source if source.base is None else source.base
    view.seen_version = storage.version
    view.view_note = _view_note(source, one_of_many)
    if source.steps is not None:
        view.steps = (*source.steps, ("as_strided", *view.geometry))
    return view


def own_by_mode(view: Tensor, source: Tensor) -> None:
    """Let what shows the bytes of ``source`` be a tensor of inference mode, or none, as the mode is now."""
    view.inference = modes.current().inference
    if view.inference or source.inference:
        view.storage = source.storage.alias(UNCOUNTED if view.inference else 0)


def reinterpret(view: Tensor, source: Tensor, op: Any) -> None:
    """Let ``view`` show other numbers than ``source``, and note the step, for no strides describe it."""
    if op.nature.flips:  # over the same array
        view.bits ^= op.nature.flips
        view.odd = source.odd
    if view.base is not None:
        view.steps = (*source.steps_from_base(), (op.name,))


def _view_note(source: Tensor, one_of_many: bool) -> str | None:
    """Why a later write through the view is refused while recording, if it is."""
    state = modes.current()
    if state.inference:
        return INFERENCE_MODE
    if not state.grad_enabled:
        return NO_GRAD
    return MULTIPLE if one_of_many else source.view_note


# -- the target ---------------------------------------------------------------------------------------------------
def check_overlap(target: Tensor, others: Sequence[Any], overlap: str = "partial", repeats: bool | str = False) -> None:
    """Refuse a target that overlaps the other operands, tensors or numbers, or itself, as far as PyTorch sees it.

    ``overlap`` and ``repeats`` say which of them may overlap it (``engine.op.traits.Nature``).
    """
    if overlap == "same" and all(isinstance(other, Tensor) and _shows_same(target, other) for other in others):
        return
    if repeats is not True and overlaps_itself(target):
        if not repeats:
            raise OpError(OVERLAP)
        warn_expanded(repeats)
    if overlap != "none":
        for other in others:
            if isinstance(other, Tensor):
                _check_overlap(target, other, overlap)


def warn_expanded(name: str) -> None:
    """Tell that the op ``name`` writes one element several times."""
    modes.warn(EXPANDED.format(name, "tensor[indices] = tensor" if "put" in name else "tensor[mask] = scalar"))


def check_target(operands: Iterable[Any]) -> None:
    """Refuse a target (the first operand) whose history forbids the write, before other arguments are looked at."""
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    is_tracked = modes.current().grad_enabled and any(tensor.requires_grad for tensor in tensors)
    if is_tracked and not all(tensor.inference for tensor in tensors):
        check_history(tensors[0])


def check_history(target: Tensor) -> None:
    """Refuse a target that must not be written to by what is recorded."""
    if target.view_note is not None:
        raise OpError(target.refusal("is being"))
    if target.base is not None and target.base.is_leaf and target.requires_grad:
        raise OpError(LEAF_VIEW)
    if target.requires_grad and target.node is None:
        raise OpError(LEAF)


def count(target: Tensor) -> None:
    """Count a write; that what inference mode made counts none, PyTorch finds only here."""
    if target.storage.version != UNCOUNTED:
        target.storage.version += 1
    elif not modes.current().inference:
        raise OpError(INFERENCE)


def overlaps_itself(tensor: Tensor) -> bool:
    """Whether PyTorch sees that one place of memory is several elements."""
    array = tensor.array
    if 0 not in array.strides or not array.size:
        return False
    return any(step == 0 and extent > 1 for extent, step in zip(array.shape, array.strides, strict=True))


def _shows_same(target: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same elements of one memory."""
    if target.storage.root is not other.storage.root or target.array.dtype is not other.array.dtype:
        return False
    return target.array is other.array or target.geometry == other.geometry


def _check_overlap(target: Tensor, other: Tensor, overlap: str) -> None:
    """Refuse an operand in part of the target's memory, as far as PyTorch sees it: where both are dense."""
    mine, theirs = target.array, other.array
    if target is other:
        if overlap == "any":
            raise OpError(PARTIAL_OVERLAP)
        return
    if other.bits & LAZY and overlap != "same":
        return  # it was resolved before
    if target.storage.root is not other.storage.root or not mine.size or not theirs.size:
        return
    if not (is_dense(mine) and is_dense(theirs)):
        return
    begin, other_begin = target.geometry.offset * mine.itemsize, other.geometry.offset * theirs.itemsize
    is_same = (begin, mine.nbytes, mine.strides) == (other_begin, theirs.nbytes, theirs.strides)
    if (overlap == "any" or not is_same) and begin < other_begin + theirs.nbytes and other_begin < begin + mine.nbytes:
        raise OpError(PARTIAL_OVERLAP)


def assign(target: Tensor, array: np.ndarray[Any, Any]) -> None:
    """Write ``array`` into ``target`` (broadcast, cast) and count the write."""
    if target.bits:
        array = resolved(array, target.bits, target.array.dtype)
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.wrote(target.array, array)
    modes.overwrite(target.storage, target.array)
    np.copyto(target.array, array, casting="unsafe")
    count(target)


def check_result(target: Tensor, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse a result that does not fit into the target."""
    array = target.array
    if shape != array.shape:
        raise OpError(f"output with shape {list(array.shape)} doesn't match the broadcast shape {list(shape)}")
    result = dtypes.from_numpy(dtype)
    if dtype is not array.dtype and not dtypes.can_cast(result, target.dtype):
        raise OpError(
            f"result type {result.scalar_type} can't be cast to the desired output type {target.dtype.scalar_type}"
        )


def reshape(target: Tensor, array: np.ndarray[Any, Any], node: Node | None) -> None:
    """The in-place variant of a view op: ``target`` shows the same elements otherwise from now on."""
    modes.touch(target)
    modes.touch(target.storage)
    target.array, target.odd = array, True
    if target.steps is not None:
        target.steps = (*target.steps, ("as_strided", *target.geometry))
    count(target)
    if node is not None:  # nothing was written: the history of a view is its own
        target.move_retained(node)
        target.node, target.output_number, target._requires_grad = node, 0, False
        target.seen_version = target.storage.version


def snapshot(target: Tensor, edge: Edge | None) -> Saved:
    """What was in the target before the write, for rules that ask for it, with its history."""
    return save(owned_copy(target), edge)


def overwrite(target: Tensor, value: Tensor) -> Tensor:
    """Copy ``value`` into ``target`` as a recorded write: what a composite's in-place variant does."""
    check_result(target, value.array.shape, value.array.dtype)
    return registry.op("copy").inplace(target, value)  # type: ignore[no-any-return]


# -- histories ----------------------------------------------------------------------------------------------------
def rebase(target: Tensor, node: Node) -> None:
    """Give the target, or the base it looks into, the history of a write."""
    modes.touch(target)
    if target.base is None:
        target.move_retained(node)
        target.node, target.output_number = node, 0
        target._requires_grad = False
    else:
        modes.touch(target.base)
        _rebase_base(target.base, target, node)


def _rebase_base(base: Tensor, view: Tensor, node: Node) -> None:
    edge = edge_of(base)
    # One record of what the write saved, freed with the outer node; never empty, for an empty one cannot be freed.
    saved = node.saved = node.saved or {COPY_SLICES.name: None}
    bits = {"bits": (view.bits, base.bits)} if view.bits or base.bits else {}
    slices = make_node(
        COPY_SLICES,
        {"inner": node, "view": view.geometry, "base": base.geometry, **bits},
        (edge, *node.edges[1:]),
        saved,
        (spec_of(base.array),),
        (1,) * len(node.edges),
    )
    watch = modes.current().watch
    if watch is not None:
        watch.made(slices)
    base.node, base.output_number = slices, 0
    base._requires_grad = False
    view._regenerate(base)  # what it had when the node of the write was made is that of the old base


class CopySlices:
    """The op of a write through a view: the inner node's rules on the region written, the rest passed through.

    Static arguments: ``inner``, the node of the write as if the view had owned its storage, and the ``Geometry`` of
    view and base; their ``bits``, if there are any.
    """

    name = "copy_slices"
    grad_fn = "torch::autograd::CopySlices"

    @staticmethod
    def pull_back(node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """Cotangents of the base before the write, then of the other inputs of the write."""
        inner: Node = node.static["inner"]
        if node.saved is None:
            raise OpError(FREED)
        written = _Region(node, inner)
        g = written.spread(_contiguous(cotangents[0]))
        region = written.cut(g)
        inner_needs = (inner.edges[0] and needs[0], *needs[1:])
        through = list(inner.op.pull_back(inner, [region], inner_needs))
        if needs[0]:
            through[0] = written.gather(written.patch(g, through[0], region))
        return through


class _Region:
    """Where a write through a view took place, in a C-contiguous tensor of the shape of the base.

    A real view of a complex base (or the other way round) shows the parts of its numbers: both are then taken as real.
    What is a conjugate or an opposite is taken as what lies in memory.
    """

    def __init__(self, node: Node, inner: Node) -> None:
        self.base_is_complex = node.outputs[0].dtype.is_complex
        self.view_is_complex = inner.outputs[0].dtype.is_complex
        view, base = node.static["view"], node.static["base"]
        self.view_bits, self.base_bits = node.static.get("bits", (0, 0))
        if self.base_is_complex and not self.view_is_complex:
            base = _in_parts(base)
        if self.view_is_complex and not self.base_is_complex:
            view = _in_parts(view)
        overlaps = any(step == 0 and extent > 1 for extent, step in zip(view.size, view.stride, strict=True))
        if overlaps and 0 not in view.size:
            raise OpError(OVERLAP)
        self.place = _relative(view, base)

    def spread(self, g: Tensor) -> Tensor:
        """A cotangent of the base as the view sees it."""
        g = _flipped(g, self.base_bits)
        split = self.base_is_complex and not self.view_is_complex
        return registry.op("view_as_real")(_contiguous(g)) if split else g

    def gather(self, g: Tensor) -> Tensor:
        """The inverse of ``spread``."""
        split = self.base_is_complex and not self.view_is_complex
        return _flipped(registry.op("view_as_complex")(g) if split else g, self.base_bits)

    def cut(self, g: Tensor) -> Tensor:
        """The cotangent of the view."""
        region = registry.op("as_strided")(g, *self.place)
        joined = self.view_is_complex and not self.base_is_complex
        return _flipped(registry.op("view_as_complex")(region) if joined else region, self.view_bits)

    def patch(self, g: Tensor, replacement: Tensor | None, region: Tensor) -> Tensor:
        """``g`` with the region replaced by what the write let through."""
        if replacement is None:
            replacement = registry.op("zeros_of")(region)
        replacement = _flipped(replacement, self.view_bits)
        if self.view_is_complex and not self.base_is_complex:
            replacement = registry.op("view_as_real")(registry.call("resolve_conj", replacement))
        return registry.op("write_strided")(g, replacement, *self.place)  # type: ignore[no-any-return]


def _flipped(g: Tensor, bits: int) -> Tensor:
    """``g`` as the cotangent of a conjugate or an opposite, if ``bits`` say so."""
    if bits & CONJ:
        g = registry.call("conj", g)
    return registry.op("neg")(g) if bits & NEG else g


def _in_parts(place: Geometry) -> Geometry:
    """The geometry of complex numbers as that of their parts."""
    return Geometry((*place.size, 2), (*[2 * step for step in place.stride], 1), 2 * place.offset)


def _contiguous(g: Any) -> Tensor:
    whole = g.storage.array is g.array and g.array.flags.c_contiguous and not g.bits
    return g if whole else registry.op("clone_contiguous")(g)  # type: ignore[no-any-return]


def _relative(view: Geometry, base: Geometry) -> Geometry:
    """The view's place in a C-contiguous tensor of the base's shape."""
    if 0 in view.size:
        return Geometry(view.size, strides.contiguous(view.size), 0)
    if strides.is_contiguous(base.size, base.stride):
        return Geometry(view.size, view.stride, view.offset - base.offset)
    steps = strides.contiguous(base.size)
    order = sorted((d for d in range(len(base.size)) if base.size[d] > 1), key=lambda d: -base.stride[d])
    return _translate(view, base, steps, order)


def _translate(view: Geometry, base: Geometry, steps: tuple[int, ...], order: list[int]) -> Geometry:
    """Re-express offset and strides of ``view`` (memory order of a permuted base) in C order of the base's shape."""

    def convert(distance: int) -> int:
        total = 0
        for dim in order:
            count, distance = divmod(distance, base.stride[dim])
            total += count * steps[dim]
        return total

    return Geometry(view.size, tuple(convert(step) for step in view.stride), convert(view.offset - base.offset))


COPY_SLICES = CopySlices()
registry.add_op(CopySlices.name, COPY_SLICES)


def detach_(tensor: Tensor) -> Tensor:
    """Take ``tensor`` out of its graph, in place; in inference mode nothing happens. Raises ``OpError`` for views."""
    if modes.current().inference:
        return tensor
    if tensor.base is not None:
        raise OpError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
        )
    modes.touch(tensor)
    tensor.node, tensor.output_number, tensor._requires_grad = None, 0, False
    return tensor
