"""Images at the points of a grid, and the grids of affine maps (Jaderberg et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from engine import modes
from engine.errors import ArgumentValueError, OpError, UnsupportedError
from engine.kernels import grid_sampling as kernels
from engine.kernels.grid_sampling import BICUBIC, Setting
from engine.op import Array, Size, composite, extents, primitive
from engine.ops.math.complex_histories import refuse_complex_history
from engine.tensor import Tensor

MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
UNALIGNED = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
    "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details."
)
UNIT_SIZES = (
    "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not an "
    "intended use case of affine_grid. See the documentation of affine_grid for details."
)


# -- samples ------------------------------------------------------------------------------------------------------
def _sample_count(input: Array, grid: Array) -> int:
    return prod(grid.shape[:-1]) * input.shape[1]


def _taken(input: Array, grid: Array, interpolation_mode: int) -> float:
    """Matrices with all taps, and the numbers on their way into and out of rows."""
    taps, points = Setting(interpolation_mode, 0, False).taps ** grid.shape[-1], prod(grid.shape[:-1])
    pairs = points * prod(input.shape[2:])
    dense = 6 * pairs if pairs <= kernels.FEW else 0
    return dense + 6 * points * (taps + 4 * grid.shape[-1]) + 3 * (extents(input) + _sample_count(input, grid))


def _work(input: Array, grid: Array, interpolation_mode: int) -> float:
    taps = Setting(interpolation_mode, 0, False).taps ** grid.shape[-1]
    return 30 * taps * (prod(grid.shape[:-1]) + _sample_count(input, grid))


def _check_both(input: Tensor, grid: Tensor) -> None:
    image, points = input.array.shape, grid.array.shape
    if not image or not points or image[0] != points[0]:
        raise OpError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(image)} and grid with sizes {list(points)}"
        )
    if points[-1] != len(image) - 2:
        raise OpError(
            f"grid_sampler(): expected grid to have size {len(image) - 2} in last dimension, but got grid with sizes "
            f"{list(points)}"
        )
    for dim, extent in enumerate(image[2:], 2):
        if not extent:
            raise OpError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(image)} with dimension {dim} being empty"
            )


def _check_rank(dimensions: int) -> Callable[..., None]:
    def check(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int) -> None:
        _check_both(input, grid)
        rank = dimensions + 2
        if not input.array.ndim == grid.array.ndim == rank:
            raise OpError(
                f"grid_sampler(): expected {rank}D input and grid with same number of dimensions, but got input with "
                f"sizes {list(input.array.shape)} and grid with sizes {list(grid.array.shape)}"
            )
        if rank == 5 and interpolation_mode == BICUBIC:
            raise OpError("grid_sampler(): bicubic interpolation only supports 4D input")
        if input.dtype is not grid.dtype:
            raise OpError(f"expected scalar type {input.dtype.scalar_type} but found {grid.dtype.scalar_type}")
        if not input.dtype.is_floating_point:
            kernel = f"grid_sampler_{dimensions}d_cpu_kernel_impl" if rank == 4 else "grid_sampler3d_cpu"
            raise UnsupportedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_type}'")

    return check


def _declare(dimensions: int) -> tuple[Any, Any]:
    """Samples of images of so many dimensions, and their derivative."""
    name = f"grid_sampler_{dimensions}d"
    costs: dict[str, Any] = {"scratch": _taken, "work": _work}

    @primitive(
        name=name, method=False, grad_fn=f"GridSampler{dimensions}DBackward0", check=_check_rank(dimensions),
        grows=_sample_count, **costs,
    )  # fmt: skip
    def sampler(input: Array, grid: Array, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Array:
        """``input`` at the points of ``grid``: ``(N, C, *extents), (N, *points, d) -> (N, C, *points)``."""
        return kernels.forward(input, grid, Setting(interpolation_mode, padding_mode, align_corners))

    def backward(
        grad: Array, input: Array, grid: Array, interpolation_mode: int, padding_mode: int, align_corners: bool
    ) -> tuple[Array, Array]:
        """The cotangents of ``input`` and ``grid``."""
        return kernels.backward(grad, input, grid, Setting(interpolation_mode, padding_mode, align_corners))

    def backward_twice(
        of_input: Array, of_grid: Array, grad: Array, input: Array, grid: Array, interpolation_mode: int,
        padding_mode: int, align_corners: bool,
    ) -> tuple[Array, Array, Array]:  # fmt: skip
        """The cotangents of ``grad``, ``input`` and ``grid``."""
        setting = Setting(interpolation_mode, padding_mode, align_corners)
        return kernels.backward_twice(of_input, of_grid, grad, input, grid, setting)

    backward.__name__, backward_twice.__name__ = f"{name}_backward", f"{name}_backward_twice"
    costs = {
        "scratch": lambda input, grid, interpolation_mode: 2 * _taken(input, grid, interpolation_mode),
        "work": lambda input, grid, interpolation_mode: 3 * _work(input, grid, interpolation_mode),
        "grows": lambda input, grid: input.size + grid.size,
    }
    first = primitive(
        public=False, outputs=("input_grad", "grid_grad"), grad_fn=f"GridSampler{dimensions}DBackwardBackward0", **costs
    )(backward)
    second = primitive(
        public=False, outputs=("grad_grad", "input_grad", "grid_grad"), underivable=True,
        shown_as=f"{name}_double_backward", **costs,
    )(backward_twice)  # fmt: skip
    sampler.vjp_joint(
        lambda g, input, grid, interpolation_mode, padding_mode, align_corners: first(
            g, input, grid, interpolation_mode, padding_mode, align_corners
        )
    )
    first.vjp_joint(
        lambda gs, grad, input, grid, interpolation_mode, padding_mode, align_corners: second(
            *gs, grad, input, grid, interpolation_mode, padding_mode, align_corners
        )
    )
    return sampler, first


grid_sampler_2d, grid_sampler_2d_backward = _declare(2)
grid_sampler_3d, grid_sampler_3d_backward = _declare(3)


@composite(method=False)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``input`` at the points of ``grid``; interpolation and padding by their numbers."""
    _check_both(input, grid)
    sampler = grid_sampler_3d if input.array.ndim == 5 else grid_sampler_2d
    return sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composite(name="nn.functional.grid_sample")
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """``input`` at the points of ``grid``, whose coordinates go from -1 to 1."""
    if mode not in MODES:
        raise ArgumentValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ArgumentValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        modes.warn(UNALIGNED)
    return grid_sampler(input, grid, MODES[mode], PADDINGS[padding_mode], bool(align_corners))


# -- grids of affine maps -----------------------------------------------------------------------------------------
def _check_theta(theta: Tensor, size: Any) -> None:
    if len(size) not in (4, 5):
        raise OpError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.")
    batch, points, width = size[0], prod(size[2:]), len(size) - 1
    shape = theta.array.shape
    if len(shape) != 3:
        raise OpError("batch2 must be a 3D tensor")
    if (shape[0], shape[2]) != (batch, width):
        raise OpError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {width}] but got: "
            f"[{shape[0]}, {shape[2]}]."
        )
    if points < 0:
        raise OpError("Trying to create tensor with negative dimension")
    refuse_complex_history("affine_grid_generator", theta)


@primitive(
    method=False, linear=True, check=_check_theta,
    grows=lambda theta, size: theta.shape[0] * theta.shape[1] * prod(size[2:]),
    scratch=lambda theta, size: prod(size[2:]) * (3 * theta.shape[-1] + 2 * theta.shape[0] * theta.shape[1]),
)  # fmt: skip
def affine_grid_generator(theta: Array, size: Size, align_corners: bool) -> Array:
    """Where affine maps take the pixels of images of ``size``: ``(N, d, d + 1) -> (N, *extents, d)``."""
    points = kernels.theta_grid(size[2:], theta.dtype, align_corners)
    return np.matmul(points, theta.swapaxes(1, 2)).reshape(theta.shape[0], *size[2:], theta.shape[1])


@primitive(
    public=False, linear=True, grows=lambda grad: grad.shape[0] * grad.shape[-1] * (grad.shape[-1] + 1),
    scratch=lambda grad: 3 * prod(grad.shape[1:-1]) * (grad.shape[-1] + 1) + 2 * extents(grad),
)  # fmt: skip
def affine_grid_theta(grad: Array, align_corners: bool) -> Array:
    """The adjoint of ``affine_grid_generator``."""
    points = kernels.theta_grid(grad.shape[1:-1], grad.dtype, align_corners)
    return np.matmul(grad.reshape(len(grad), len(points), grad.shape[-1]).swapaxes(1, 2), points)


affine_grid_generator.vjp(theta=lambda g, align_corners: affine_grid_theta(g, align_corners))
affine_grid_theta.vjp(
    grad=lambda g, grad_shape, align_corners: affine_grid_generator(
        g, (grad_shape[0], 1, *grad_shape[1:-1]), align_corners
    )
)


@composite(name="nn.functional.affine_grid")
def affine_grid(theta: Tensor, size: Size, align_corners: bool | None = None) -> Tensor:
    """Where affine maps take the pixels of images of ``size``."""
    if align_corners is None:
        modes.warn(UNALIGNED)
    if not theta.dtype.is_floating_point:
        raise ArgumentValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise UnsupportedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{tuple(size)}."
        )
    rows, shape = len(size) - 2, theta.array.shape
    if len(shape) != 3 or shape[-2:] != (rows, rows + 1):
        raise ArgumentValueError(
            f"Expected a batch of {rows}D affine matrices of shape Nx{rows}x{rows + 1} for size {tuple(size)}. Got "
            f"torch.Size({list(shape)})."
        )
    if align_corners and min(size[2:]) == 1:
        modes.warn(UNIT_SIZES)
    elif min(size) <= 0:
        raise ArgumentValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    return affine_grid_generator(theta, size, bool(align_corners))
