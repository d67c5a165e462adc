"""What pooling refuses, in the words of PyTorch, and how its arguments for several dimensions are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from engine.errors import ArgumentTypeError, ArgumentValueError, DimensionError, OpError
from engine.kernels import windows
from engine.tensor import Tensor

WORDS = {1: "one", 2: "two", 3: "three"}
LETTERS = {2: "HW", 3: "THW"}
SIDES = {2: ("height", "width"), 3: ("time", "height", "width")}
Sizes = Sequence[int]
KNOWN = 256  # of how many calls it is remembered that there is nothing to refuse


def by_cross(extents: Sizes) -> str:
    """``(1x5x5)``."""
    return f"({'x'.join(map(str, extents))})"


def lettered(prefix: str, values: Sizes) -> str:
    """``kH: 2 kW: 2``."""
    return " ".join(f"{prefix}{letter}: {value}" for letter, value in zip(LETTERS[len(values)], values, strict=True))


def check_sizes(name: str, value: Any, allowed: tuple[type, ...] = (int,)) -> None:
    """Refuse what is neither a number nor a list of numbers."""
    items = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(item, allowed) for item in items):
        raise ArgumentTypeError(f"{name}(): sizes must be tuple of ints, not {type(value).__name__}")


def each(values: Sizes, ndim: int) -> tuple[int, ...]:
    """One number for all dimensions as one for each."""
    return tuple(values) * ndim if len(values) == 1 else tuple(values)


@lru_cache(KNOWN)
def pool_settings(
    op: str, ndim: int, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes = (1,)
) -> tuple[tuple[int, ...], ...]:
    """Kernel, stride, padding and dilation with a number for each dimension; no stride is the kernel's."""
    word, kind = WORDS[ndim], "max" if op.startswith("max") else "avg"
    stride = () if stride is None else stride
    allowed = {
        "kernel_size": (kernel, (1, ndim), "must either be a single int, or a tuple of"),
        "stride": (stride, (0, 1, ndim), "must either be omitted, a single int, or a tuple of"),
        "padding": (padding, (1, ndim), "must either be a single int, or a tuple of"),
        "dilation": (dilation, (1, ndim), "must be either a single int, or a tuple of"),
    }
    for name, (values, counts, words) in allowed.items():
        if len(values) not in counts:
            words = words.replace("either ", "") if op == "avg_pool3d" else words
            raise OpError(f"{kind}_pool{ndim}d: {name} {words} {word} ints")
    return each(kernel, ndim), each(stride or kernel, ndim), each(padding, ndim), each(dilation, ndim)


def check_pool(
    input: Tensor, op: str, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> None:
    """Refuse windows that cannot be, or that none of fits into ``input``."""
    _check_windows(input.array.shape, op, kernel, stride, padding, dilation, ceil_mode)


@lru_cache(KNOWN)
def _check_windows(
    shape: tuple[int, ...], op: str, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> None:
    """The same for an input of that shape."""
    ndim = len(kernel)
    if op == "avg_pool2d" and len(shape) < ndim + 1:
        raise DimensionError(
            f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got -3)"
        )
    if len(shape) not in (ndim + 1, ndim + 2):
        raise OpError(f"non-empty {ndim + 1}D or {ndim + 2}D (batch mode) tensor expected for input")
    if ndim == 3 and 0 in shape[len(shape) - 4 :]:
        name = "max_pool3d_with_indices_out_cpu_template" if op == "max_pool3d" else "avg_pool3d"
        raise OpError(
            f"{name}(): Expected input's non-batch dimensions to have positive length, but input has a shape of "
            f"{list(shape)} and non-batch dimension 0 has length zero!"
        )
    _check_numbers(kernel, stride, padding, dilation)
    if ndim == 2 and 0 in shape[len(shape) - 3 :]:
        raise OpError(
            f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(shape)}"
        )
    own = shape[len(shape) - ndim :]
    if op == "avg_pool3d" and any(extent < taps for extent, taps in zip(own, kernel, strict=True)):
        raise OpError(f"input image ({lettered('', own)}) smaller than kernel size ({lettered('k', kernel)})")
    counts = windows.pooled(own, kernel, stride, padding, dilation, ceil_mode)
    if any(count < 1 for count in counts):
        planes = shape[len(shape) - ndim - 1]
        raise OpError(
            f"Given input size: {by_cross([planes, *own])}. Calculated output size: {by_cross([planes, *counts])}. "
            "Output size is too small"
        )


def _check_numbers(kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> None:
    for taps, step, pad, apart in zip(kernel[::-1], stride[::-1], padding[::-1], dilation[::-1], strict=True):
        if step == 0:
            raise OpError("stride should not be zero")
        if pad < 0:
            raise OpError(f"pad must be non-negative, but got pad: {pad}")
        if pad > int(windows.span(taps, apart) / 2):  # of a negative size rounded towards zero, as C does
            raise OpError(
                f"pad should be at most half of effective kernel size, but got pad={pad}, kernel_size={taps} and "
                f"dilation={apart}"
            )
    if any(taps <= 0 for taps in kernel):
        raise OpError(f"kernel size should be greater than zero, but got {lettered('k', kernel)}")
    if any(step <= 0 for step in stride):
        raise OpError(f"stride should be greater than zero, but got {lettered('d', stride)}")
    if any(apart <= 0 for apart in dilation):
        raise OpError(f"dilation should be greater than zero, but got {lettered('dilation', dilation)}")


def check_max_pool1d(
    input: Tensor, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> None:
    """The refusals of ``max_pool1d``, which has words of its own."""
    shape = input.array.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise OpError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{list(shape)}"
        )
    named = {"kernel_size": kernel, "stride": stride or kernel, "padding": padding, "dilation": dilation}
    for name, values in named.items():
        if len(values) != 1:
            optional = "None, an int, list of ints, or" if name == "stride" else "an int, list of ints or"
            raise OpError(f"max_pool1d() {name} must be {optional} tuple of ints of size 1 but got size {len(values)}")
    (taps,), (step,), (pad,), (apart,) = named.values()
    for name, value in (("kernel_size", taps), ("stride", step)):
        if value <= 0:
            raise OpError(f"max_pool1d() {name} must be greater than zero, but got {value}")
    if pad < 0:
        raise OpError(f"max_pool1d() padding must be non-negative, but got {pad}")
    if pad > taps // 2:
        raise OpError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={pad} and kernel_size={taps}"
        )
    if apart <= 0:
        raise OpError(f"max_pool1d() dilation must be greater than zero, but got {apart}")
    count = windows.pooled(shape[-1:], (taps,), (step,), (pad,), (apart,), ceil_mode)[0]
    if count < 1:
        raise OpError(f"max_pool1d() Invalid computed output size: {count}")


# -- one-dimensional and adaptive ---------------------------------------------------------------------------------
def check_lone_dimension(input: Tensor, op: str, **sizes: Sizes) -> None:
    """Refuse what cannot be seen as a plane of one row."""
    ndim = input.array.ndim
    if ndim not in (2, 3):
        raise OpError(
            f"Expected 2 to 3 dimensions, but got {ndim}-dimensional tensor for argument #1 'self' (while checking "
            f"arguments for {op})"
        )
    for name, values in sizes.items():
        if len(values) > 1:
            raise OpError(f"{op}() argument '{name}' should contain one int (got {len(values)})")


def adaptive_size(input: Tensor, output_size: Any, ndim: int) -> tuple[int, ...]:
    """The extents asked for; ``None`` is the input's own."""
    if isinstance(output_size, int):
        return (output_size,) * ndim
    if not isinstance(output_size, list | tuple):
        raise ArgumentTypeError(f"object of type '{type(output_size).__name__}' has no len()")
    check_sizes(f"adaptive_pool{ndim}d", output_size, (int, type(None)))
    own = input.array.shape
    if len(own) <= len(output_size):
        raise ArgumentValueError(f"Input dimension should be at least {len(output_size) + 1}")
    last = own[len(own) - len(output_size) :]
    return tuple(extent if size is None else int(size) for size, extent in zip(output_size, last, strict=True))


def check_adaptive(input: Tensor, op: str, ndim: int, colon: str = "") -> None:
    """Refuse an input of another rank, or with nothing in a plane."""
    shape = input.array.shape
    if len(shape) not in (ndim + 1, ndim + 2):
        raise OpError(f"{op}(): Expected {ndim + 1}D or {ndim + 2}D tensor, but got{colon} {list(shape)}")
    for axis in range(len(shape) - 2 if op == "adaptive_avg_pool2d" else 1, len(shape)):
        if shape[axis] == 0:
            raise OpError(
                f"{op}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{list(shape)} with dimension {axis} being empty"
            )
