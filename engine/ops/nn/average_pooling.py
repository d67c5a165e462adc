"""Means of windows: regular ones, adaptive ones, and power means."""

from __future__ import annotations

from typing import Any

from engine import dtypes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, DivisionError, OpError, UnsupportedError
from engine.kernels import windows
from engine.op import Size, composite
from engine.ops.nn import window_checks as checks
from engine.ops.nn.resampling import averaged
from engine.tensor import Tensor

KERNELS = {2: "avg_pool2d", 3: "avg_pool3d_out_frame"}


# -- regular windows ----------------------------------------------------------------------------------------------
def _averages(
    ndim: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
    divisor_override: int | None,
) -> Any:  # fmt: skip
    """Means of windows in two or three dimensions."""
    name = f"avg_pool{ndim}d"
    kernel, steps, pads, _ = checks.pool_settings(name, ndim, kernel_size, stride, padding)
    if divisor_override == 0:
        raise OpError("divisor must be not zero")
    checks.check_pool(input, name, kernel, steps, pads, (1,) * ndim, ceil_mode)
    is_narrow = ndim == 3 and input.dtype.opmath is not input.dtype
    if is_narrow or not (input.dtype.is_floating_point or input.dtype is dtypes.int64):
        raise UnsupportedError(f"\"{KERNELS[ndim]}\" not implemented for '{input.dtype.scalar_type}'")
    own = input.array.shape[-ndim:]
    counts = windows.pooled(own, kernel, steps, pads, (1,) * ndim, ceil_mode)
    sizes = list(zip(own, counts, kernel, steps, pads, strict=True))
    grad_fn = f"AvgPool{ndim}DBackward0"
    divisors = [-1.0 if count_include_pad else 0.0] * ndim
    if divisor_override is not None:
        divisors = [float(divisor_override), *[1.0] * (ndim - 1)]
    lines = tuple(("average", *size, divisor) for size, divisor in zip(sizes, divisors, strict=True))
    if input.dtype is not dtypes.int64:
        return averaged(input, lines, grad_fn)
    sums = averaged(input.double(), tuple(("average", *size, 1.0) for size in sizes), grad_fn)
    if divisor_override is None:
        ones = ops.ones(input.shape, dtype=dtypes.float64)
        sizes_of_windows = averaged(ones, tuple(("average", *size, 1.0) for size in sizes), grad_fn)
        weights = averaged(ones, lines, grad_fn)
        return ops.div(sums, ops.round(sizes_of_windows / weights), rounding_mode="trunc").long()
    return ops.div(sums, divisor_override, rounding_mode="trunc").long()


@composite(aliases=("nn.functional.avg_pool1d",), method=False)
def avg_pool1d(
    input: Tensor, kernel_size: Size, stride: Size = (), padding: Size = (0,), ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:  # fmt: skip
    """Means of windows of the last dimension; padding counts as zeros unless ``count_include_pad`` is off."""
    checks.check_lone_dimension(input, "avg_pool1d", kernel_size=kernel_size, stride=stride, padding=padding)
    settings = ((1, *kernel_size), (1, *(stride or kernel_size)), (0, *padding))
    rows = _averages(2, ops.unsqueeze(input, -2), *settings, ceil_mode, count_include_pad, None)
    return ops.squeeze(rows, -2)


@composite(name="nn.functional.avg_pool2d")
def avg_pool2d_of(
    input: Tensor, kernel_size: Size, stride: Size | None = (), padding: Size = (0,), ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """Means of windows of the last two dimensions; sums over ``divisor_override``, if that is given."""
    return _averages(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@composite(name="nn.functional.avg_pool3d")
def avg_pool3d_of(
    input: Tensor, kernel_size: Size, stride: Size | None = (), padding: Size = (0,), ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """Means of windows of the last three dimensions; sums over ``divisor_override``, if that is given."""
    return _averages(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


# -- adaptive -----------------------------------------------------------------------------------------------------
def _adaptive(ndim: int, input: Tensor, sizes: tuple[int, ...]) -> Any:
    name = f"adaptive_avg_pool{ndim}d"
    if len(sizes) != ndim:
        raise OpError(f"{name}: output_size must be {ndim}")
    if any(size < 0 for size in sizes):
        shown = ", ".join(map(str, sizes)) if ndim == 2 else f"{sizes[0]}, {sizes[1]},{sizes[2]}"
        raise OpError(f"{name}: elements of output_size must be greater than or equal to 0 but received {{{shown}}}")
    if all(size == 1 for size in sizes):
        return ops.mean(input, tuple(range(-ndim, 0)), True)
    checks.check_adaptive(input, name, ndim)
    if not input.dtype.is_floating_point and (input.array.size or ndim == 3):
        kernel = name if ndim == 2 else f"{name}_cpu"
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_type}'")
    pairs = zip(input.array.shape[-ndim:], sizes, strict=True)
    return averaged(input, tuple(("adaptive", *pair) for pair in pairs), f"AdaptiveAvgPool{ndim}DBackward0")


@composite(aliases=("nn.functional.adaptive_avg_pool1d",), method=False)
def adaptive_avg_pool1d(input: Tensor, output_size: Size) -> Any:
    """Means of ``output_size`` windows that share the last dimension evenly."""
    checks.check_lone_dimension(input, "adaptive_avg_pool1d", output_size=output_size)
    return ops.squeeze(_adaptive(2, ops.unsqueeze(input, -2), (1, *output_size)), -2)


@composite(name="nn.functional.adaptive_avg_pool2d")
def adaptive_avg_pool2d_to(input: Tensor, output_size: Any) -> Any:
    """Means of ``output_size`` windows that share the last two dimensions evenly; ``None`` is the input's own size."""
    return _adaptive(2, input, checks.adaptive_size(input, output_size, 2))


@composite(name="nn.functional.adaptive_avg_pool3d")
def adaptive_avg_pool3d_to(input: Tensor, output_size: Any) -> Any:
    """Means of ``output_size`` windows that share the last three dimensions evenly; ``None`` is the input's own."""
    return _adaptive(3, input, checks.adaptive_size(input, output_size, 3))


# -- power means --------------------------------------------------------------------------------------------------
def _power_mean(mean: Any, norm_type: float, count: int) -> Any:
    """The root of a sum of powers, from their mean."""
    if norm_type == 0:
        raise DivisionError("float division by zero")
    return (ops.sign(mean) * ops.relu(ops.abs(mean)) * count).pow(1.0 / norm_type)


def _declare_lp_pool(ndim: int) -> None:
    def function(
        input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> Any:
        """The ``norm_type``-th roots of sums of that power over windows."""
        if not isinstance(norm_type, int | float):
            raise ArgumentTypeError(f"unsupported operand type(s) for /: 'float' and '{type(norm_type).__name__}'")
        kernel = checks.each(kernel_size, ndim)
        powers = input.pow(norm_type)
        if ndim == 1:
            mean = avg_pool1d(powers, kernel_size, stride or (), 0, ceil_mode)
        else:
            mean = _averages(ndim, powers, kernel, stride, (0,), ceil_mode, True, None)
        count = 1
        for taps in kernel:
            count *= taps
        return _power_mean(mean, float(norm_type), count)

    composite(name=f"nn.functional.lp_pool{ndim}d", method=False)(function)


for _ndim in (1, 2, 3):
    _declare_lp_pool(_ndim)


# -- neighbouring channels ----------------------------------------------------------------------------------------
@composite(name="nn.functional.local_response_norm")
def _local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """``input`` over a power of the mean square of ``size`` neighbouring channels (Krizhevsky et al., 2012, 3.3)."""
    shape = input.array.shape
    if len(shape) < 3:
        raise ArgumentValueError(
            f"Expected 3D or higher dimensionality                          input (got {len(shape)} dimensions)"
        )
    if input.array.size == 0:
        return input
    return input / (_neighbour_mean(input * input, size) * alpha + k) ** beta


def _neighbour_mean(squares: Any, size: int) -> Any:
    """The mean of ``size`` neighbours along dimension 1, zeros beyond its ends counted."""
    shape, around = squares.array.shape, (size // 2, (size - 1) // 2)
    if len(shape) == 3:
        padded = ops.constant_pad_nd(ops.unsqueeze(squares, 1), (0, 0, *around))
        return ops.squeeze(avg_pool2d_of(padded, (size, 1), 1), 1)
    planes = ops.view(squares, (shape[0], 1, shape[1], shape[2], -1))
    padded = ops.constant_pad_nd(planes, (0, 0, 0, 0, *around))
    return ops.view(ops.squeeze(avg_pool3d_of(padded, (size, 1, 1), 1), 1), shape)
