"""Padding: with a constant, mirrored, with the last value, or around. ``constant_pad_nd`` is with the layout ops."""

from __future__ import annotations

from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np

from engine import ops
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.op import Array, Primitive, Size, composite, extents, primitive, type_name
from engine.tensor import Tensor


# -- mirrored and replicated --------------------------------------------------------------------------------------
def _sources(extent: int, before: int, after: int, mirrored: bool) -> Array:
    """Which element along a dimension each element of the padded one is."""
    places = np.arange(-before, extent + after)
    if not mirrored:
        return np.clip(places, 0, max(extent - 1, 0))
    places = np.abs(places)
    return np.where(places >= extent, 2 * (extent - 1) - places, places)


def _axes(ndim: int, padding: Any, shape: Any, mirrored: bool) -> list[tuple[int, Array]]:
    """For each padded dimension, from the last on, where its elements come from."""
    pairs = zip(padding[::2], padding[1::2], strict=True)
    return [
        (ndim - 1 - place, _sources(shape[ndim - 1 - place], before, after, mirrored))
        for place, (before, after) in enumerate(pairs)
    ]


def _padded(input: Array, padding: Any, mirrored: bool) -> Array:
    for axis, sources in _axes(input.ndim, padding, input.shape, mirrored):
        input = np.take(input, sources, axis)
    return input


@primitive(public=False)
def pad_backward(grad: Array, input: Array, padding: Size, mirrored: bool) -> Array:
    """``grad`` of a padded tensor added up where its elements came from."""
    for axis, sources in reversed(_axes(input.ndim, padding, input.shape, mirrored)):
        shape = (*grad.shape[:axis], input.shape[axis], *grad.shape[axis + 1 :])
        total = np.zeros(shape, grad.dtype)
        np.add.at(np.moveaxis(total, axis, 0), sources, np.moveaxis(grad, axis, 0))
        grad = total
    return grad


pad_backward.vjp(
    grad=lambda g, padding, mirrored: _OPS[mirrored, len(padding) // 2](g, padding),
    input=lambda g, input: ops.zeros_of(input),
)


def _padded_size(input: Array, padding: Any) -> int:
    added = [before + after for before, after in zip(padding[::2], padding[1::2], strict=True)]
    return prod(map(sum, zip_longest(reversed(input.shape), added, fillvalue=0)))


def _mirrored(input: Array, padding: Size) -> Array:
    """The last dimensions continued by their mirror image, without the edge itself."""
    return _padded(input, padding, True)


def _replicated(input: Array, padding: Size) -> Array:
    """The last dimensions continued by their first and last values."""
    return _padded(input, padding, False)


def _declare(kernel: Any, name: str, mirrored: bool) -> Primitive:
    def body(input: Array, padding: Size) -> Array:
        return kernel(input, padding)

    body.__name__, body.__doc__ = name, kernel.__doc__
    words = "ReflectionPad" if mirrored else "ReplicationPad"
    op: Primitive = primitive(
        public=False, grad_fn=f"{words}{name[-2]}DBackward0", grows=_padded_size,
        scratch=lambda input, padding: 3 * max(extents(input), _padded_size(input, padding)) + 6 * sum(input.shape),
    )(body)  # fmt: skip
    op.vjp(input=lambda g, input, padding: pad_backward(g, input, padding, mirrored))
    return op


_OPS: dict[tuple[bool, int], Primitive] = {
    (True, n): _declare(_mirrored, f"reflection_pad{n}d", True) for n in (1, 2, 3)
}
_OPS |= {(False, n): _declare(_replicated, f"replication_pad{n}d", False) for n in (1, 2, 3)}


# -- around -------------------------------------------------------------------------------------------------------
def _circular(input: Any, padding: Any) -> Any:
    """Written piece by piece into a new tensor, as PyTorch does: its graph shows the writes."""
    ndim, shape = input.ndim, list(input.shape)
    pairs = [(ndim - 1 - i, padding[2 * i], padding[2 * i + 1]) for i in range(len(padding) // 2)]
    for axis, before, after in pairs:
        _check_circular(shape[axis], before, after)
        shape[axis] += before + after
    out, inner = ops.zeros(shape, dtype=input.dtype), input
    target = out
    for axis, before, after in pairs:
        target = ops.narrow(target, axis, max(before, 0), shape[axis] - max(before, 0) - max(after, 0))
        start = max(-before, 0)
        inner = ops.narrow(inner, axis, start, inner.shape[axis] - start - max(-after, 0))
    target.copy_(inner)
    return _wrapped(out, pairs, shape)


def _wrapped(out: Any, pairs: list[tuple[int, int, int]], shape: list[int]) -> Any:
    for number, (axis, before, after) in enumerate(pairs):
        whole = out
        for later, first, last in pairs[number + 1 :]:
            whole = ops.narrow(whole, later, max(first, 0), shape[later] - max(first, 0) - max(last, 0))
        if before > 0:
            ops.narrow(whole, axis, 0, before).copy_(
                ops.narrow(whole, axis, shape[axis] - before - max(after, 0), before)
            )
        if after > 0:
            ops.narrow(whole, axis, shape[axis] - after, after).copy_(ops.narrow(whole, axis, max(before, 0), after))
    return out


def _check_circular(extent: int, before: int, after: int) -> None:
    if before > extent or after > extent:
        raise OpError("Padding value causes wrapping around more than once.")
    if before + after + extent < 0:
        raise OpError("Negative padding value is resulting in an empty dimension")


# -- the public op ------------------------------------------------------------------------------------------------
@composite(name="nn.functional.pad")
def _pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """The last dimensions padded; ``pad`` says by how much before and after, from the last dimension on.

    ``mode``: ``"constant"`` (with ``value``), ``"reflect"``, ``"replicate"`` or ``"circular"``.
    """
    if not isinstance(mode, str):
        raise ArgumentTypeError(f"pad(): argument 'mode' (position 3) must be str, not {type_name(mode)}")
    _check_pad(input, pad, value)
    if mode == "constant":
        return ops.constant_pad_nd(input, pad, value or 0)
    if value is not None and value != 0:
        raise OpError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise UnsupportedError(f"Unrecognised padding mode {mode}")
    count = len(pad) // 2
    if count not in (1, 2, 3) or input.array.ndim not in (count + 1, count + 2):
        raise UnsupportedError(_unsupported(len(pad), input.array.ndim))
    if mode == "circular":
        return _circular(input, pad)
    _check_room(input, pad, mode)
    return _OPS[mode == "reflect", count](input, pad)


def _unsupported(length: int, ndim: int) -> str:
    return (
        f"Padding size {length} is not supported for {ndim}D input tensor.\n"
        "Supported combinations for non-constant padding:\n"
        "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
        "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
        "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
    )


def _check_pad(input: Tensor, pad: Any, value: Any) -> None:
    if not isinstance(pad, list | tuple):
        raise ArgumentTypeError(f"pad(): argument 'pad' (position 2) must be tuple of ints, not {type(pad).__name__}")
    for place, amount in enumerate(pad):
        if not isinstance(amount, int):
            raise ArgumentTypeError(
                "pad(): argument 'pad' (position 2) must be tuple of ints, but found element of type "
                f"{type(amount).__name__} at pos {place}"
            )
    if isinstance(value, complex):
        raise ArgumentTypeError("pad(): argument 'value' (position 4) must be float, not complex")
    if len(pad) % 2:
        raise OpError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.array.ndim:
        raise OpError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.array.ndim}"
        )


def _check_room(input: Tensor, pad: Any, mode: str) -> None:
    """Mirror images are shorter than what they mirror; nothing is left out twice."""
    shape, ndim, count = input.array.shape, input.array.ndim, len(pad) // 2
    if 0 in shape[ndim - count - 1 :]:
        _refuse_empty(shape, count)
    for place in range(count):
        axis, before, after = ndim - 1 - place, pad[2 * place], pad[2 * place + 1]
        if mode == "reflect" and max(before, after) >= shape[axis]:
            raise OpError(
                f"Argument #{4 + 2 * place}: Padding size should be less than the corresponding input dimension, but "
                f"got: padding ({before}, {after}) at dimension {axis} of input {list(shape)}"
            )
    for place in range(count):
        axis = ndim - 1 - place
        if shape[axis] + pad[2 * place] + pad[2 * place + 1] < 1:
            _refuse_small(shape[ndim - count :], pad)


def _refuse_empty(shape: tuple[int, ...], count: int) -> None:
    raise OpError(
        f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
        f"dimensions for input, but got: {list(shape)}"
    )


def _refuse_small(extents: tuple[int, ...], pad: Any) -> None:
    letters = "DHW"[-len(extents) :]
    sizes = [extent + pad[2 * i] + pad[2 * i + 1] for i, extent in enumerate(reversed(extents))][::-1]
    own = " ".join(f"{letter}: {extent}" for letter, extent in zip(letters, extents, strict=True))
    result = " ".join(f"{letter}: {size}" for letter, size in zip(letters, sizes, strict=True))
    raise OpError(f"input ({own}) is too small. Calculated output {result}")
