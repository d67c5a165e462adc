"""Samples of images at the points of a grid, as products with sparse matrices that the grid alone decides on.

A point is a weighted sum of taps, ``m`` along each of ``d`` axes, so that its row of the matrix has ``m^d`` numbers:
products of weights of one axis each. The derivative by a coordinate has the derivative of that axis' weights instead.
Images are ``(batch, channels, *extents)``, grids ``(batch, *points, d)`` from -1 to 1, the last axis first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

Array: TypeAlias = np.ndarray[Any, Any]
Orders: TypeAlias = tuple[int, ...]  # of the derivative along each axis, as the images have them

BILINEAR, NEAREST, BICUBIC = range(3)
ZEROS, BORDER, REFLECTION = range(3)
FEW = 2**14  # elements of a matrix that is written out
_all: Any = np.logical_and.reduce
_add_up: Any = np.add.reduce
SHARPNESS = -0.75  # of cubic convolution (Keys, 1981, equation 6)


class Setting(NamedTuple):
    """How points are read: the kind of interpolation, what is beyond the borders, and where -1 and 1 are."""

    mode: int
    padding: int
    align_corners: bool

    @property
    def taps(self) -> int:
        """How many there are along an axis."""
        return {NEAREST: 1, BICUBIC: 4}.get(self.mode, 2)


class _Axes(NamedTuple):
    """Along every axis: where the taps of each point are, and the derivatives of their weights by the coordinate."""

    places: Array
    weights: tuple[Array, Array, Array]


# -- along axes ---------------------------------------------------------------------------------------------------
# Coordinates are ``(axes, points)``, and extents as many numbers as broadcast to what stands behind an axis.
def _pixels(coordinates: Array, extents: Array, align_corners: bool) -> tuple[Array, Array]:
    """Coordinates in pixels, and the factor between them."""
    if align_corners:
        return (coordinates + 1) / 2 * (extents - 1), (extents - 1) / 2
    return ((coordinates + 1) * extents - 1) / 2, extents / 2


def _inside(pixels: Array, extents: Array, setting: Setting) -> tuple[Array, Array]:
    """Pixels moved into the image as the padding says, and their slopes."""
    slopes = np.ones_like(pixels)
    if setting.padding == ZEROS:
        return pixels, slopes
    if setting.padding == REFLECTION:
        low, span = (0.0, extents - 1) if setting.align_corners else (-0.5, extents)
        away = pixels - low
        slopes = np.where(away < 0, -1, 1).astype(pixels.dtype)
        turns, rest = np.divmod(np.abs(away), np.where(span == 0, 1, span))
        is_odd = turns % 2 == 1
        pixels = np.where(span == 0, 0, np.where(is_odd, span - rest, rest) + low)
        slopes = np.where(span == 0, 0, np.where(is_odd, -slopes, slopes))
    slopes = np.where((pixels > 0) & (pixels < extents - 1), slopes, 0)
    return np.fmin(np.fmax(pixels, 0), extents - 1), slopes


def _near(x: Array) -> tuple[Array, Array, Array]:
    """The weight of a tap up to one pixel away, and its derivatives (Keys, 1981, equation 15)."""
    a = SHARPNESS
    return ((a + 2) * x - (a + 3)) * x * x + 1, (3 * (a + 2) * x - 2 * (a + 3)) * x, 6 * (a + 2) * x - 2 * (a + 3)


def _far(x: Array) -> tuple[Array, Array, Array]:
    """That of a tap between one and two pixels away."""
    a = SHARPNESS
    return ((x - 5) * x + 8) * x * a - 4 * a, ((3 * x - 10) * x + 8) * a, (6 * x - 10) * a


def _cubic(t: Array) -> tuple[Array, Array, Array]:
    """The weights of four taps for a point ``t`` behind the second, and their derivatives by ``t``."""
    behind, ahead = (_far(t + 1), _near(t)), (_near(1 - t), _far(2 - t))

    def derivative(order: int) -> Array:
        sign = (-1) ** order
        return np.stack([*[one[order] for one in behind], *[one[order] * sign for one in ahead]], -1)

    return derivative(0), derivative(1), derivative(2)


def _axes(coordinates: Array, extents: Array, setting: Setting) -> _Axes:
    wide = extents[..., None]
    pixels, factor = _pixels(coordinates, extents, setting.align_corners)
    if setting.mode == BICUBIC:
        low = np.floor(pixels)
        weights = _cubic(pixels - low)
        places = _inside(low[..., None] + np.arange(-1, 3), wide, setting)[0]
        slopes = np.broadcast_to(factor, pixels.shape)
    else:
        pixels, slopes = _inside(pixels, extents, setting)
        slopes = slopes * factor
        low = np.rint(pixels) if setting.mode == NEAREST else np.floor(pixels)
        places = low[..., None] + np.arange(setting.taps)
        weights = _linear(pixels - low, setting.taps)
    is_there = (places >= 0) & (places < wide)
    scale = slopes[..., None]
    return _Axes(
        np.where(is_there, places, 0).astype(np.int64),
        (weights[0] * is_there, weights[1] * scale * is_there, weights[2] * scale * scale * is_there),
    )


def _linear(behind: Array, taps: int) -> tuple[Array, Array, Array]:
    """The weights of the taps around points, or of the next one, and their derivatives."""
    nothing = np.zeros((*behind.shape, taps), behind.dtype)
    if taps == 1:
        return nothing + 1, nothing, nothing
    weights = np.empty_like(nothing)
    np.subtract(1, behind, out=weights[..., 0])
    weights[..., 1] = behind
    return weights, nothing + np.array([-1, 1], behind.dtype), nothing


# -- few of them --------------------------------------------------------------------------------------------------
class _Few:
    """Few points over small images, bilinear: weights of all pixels, most of them 0, take fewer steps than taps."""

    def __init__(self, images: Array, grid: Array, setting: Setting) -> None:
        batch, channels, *extents = images.shape
        self.extents, self.images = extents, images.reshape(batch, channels, prod(extents))
        coordinates = grid.reshape(-1, len(extents)).T[::-1]
        wide = np.array(extents, grid.dtype)[:, None]
        pixels, self.slopes = _pixels(coordinates, wide, setting.align_corners)
        if setting.padding != ZEROS:
            pixels, slopes = _inside(pixels, wide, setting)
            self.slopes = slopes * self.slopes
        self.away = pixels[:, None] - np.arange(max(extents), dtype=grid.dtype)[:, None]  # axis, pixel, point
        self.weights = self._by_axis(np.maximum(1 - np.abs(self.away), 0))

    def _by_axis(self, numbers: Array) -> list[Array]:
        """Those of pixels that are there, for each axis."""
        return [own[:extent] for own, extent in zip(numbers, self.extents, strict=True)]

    def derivatives(self) -> list[Array]:
        """Those of the weights along each axis, by its coordinate."""
        tap = np.floor(self.away)  # 0 of the pixel before a point, -1 of the next one
        slopes = self.slopes[:, None]
        return self._by_axis(np.where(tap == -1, slopes, np.where(tap == 0, -slopes, 0)))

    def matrix(self, weights: Sequence[Array]) -> Array:
        """The products of the weights of all axes: ``(batch, pixels, points)``."""
        found = weights[0]
        for other in weights[1:]:  # rows of points, which are long
            found = (found[:, None] * other).reshape(-1, found.shape[1])
        return found.reshape(len(found), len(self.images), -1).swapaxes(0, 1)

    def at(self, weights: Sequence[Array]) -> Array:
        """The images at the points: ``(batch, channels, points)``."""
        return np.matmul(self.images, self.matrix(weights))


def _are_few(images: Array, grid: Array, setting: Setting, *others: Array) -> bool:
    """Whether weights of all pixels are worth it; zeros among them would spread what is not finite."""
    if setting.mode != BILINEAR or not 0 < prod(grid.shape[:-1]) * prod(images.shape[2:]) <= FEW:
        return False
    return all(_all(np.isfinite(one), axis=None) for one in (images, grid, *others))


# -- all of them --------------------------------------------------------------------------------------------------
class Points:
    """The points of a grid over images of one shape."""

    def __init__(self, images: Array, grid: Array, setting: Setting, *others: Array) -> None:
        self.batch, self.channels, *self.extents = images.shape
        self.places = grid.shape[1:-1]
        self.count = self.batch * prod(self.places)
        self.dtype = grid.dtype
        coordinates = np.ascontiguousarray(grid.reshape(self.count, len(self.extents)).T[::-1])
        self.axes = _axes(coordinates, np.array(self.extents, grid.dtype)[:, None], setting)
        self.setting = setting
        self.index = self._index()
        few = 0 < self.count * self.batch * prod(self.extents) <= FEW
        self.is_dense = few and all(bool(np.isfinite(one).all()) for one in (images, grid, *others))

    def _index(self) -> Array:
        index = np.repeat(np.arange(self.batch), prod(self.places))[:, None]
        for places, extent in zip(self.axes.places, self.extents, strict=True):
            index = _outer(index * extent, places, np.add)
        return index

    def weights(self, orders: Orders) -> Array:
        """Those of all taps, differentiated so often along the axes: ``(points, taps)``."""
        found: Array = self.axes.weights[orders[0]][0]
        for axis, order in enumerate(orders[1:], 1):
            found = _outer(found, self.axes.weights[order][axis], np.multiply)
        return found

    def matrix(self, weights: Array) -> Any:
        """The matrix from all pixels to all points, sparse unless it is small and meets finite numbers only."""
        pixels = self.batch * prod(self.extents)
        if self.is_dense:
            flat = self.index + np.arange(self.count)[:, None] * pixels
            dense = np.bincount(flat.reshape(-1), weights.reshape(-1), self.count * pixels)
            return dense.reshape(self.count, pixels).astype(weights.dtype)
        starts = np.arange(self.count + 1) * self.index.shape[1]
        shape = self.count, pixels
        return scipy.sparse.csr_array((weights.ravel(), self.index.ravel(), starts), shape=shape)

    def rows(self, images: Array) -> Array:
        """Pixels, or points, by their channels."""
        flat = images.reshape(len(images), self.channels, prod(images.shape[2:]))
        return flat.swapaxes(1, 2).reshape(flat.shape[0] * flat.shape[2], self.channels)

    def images(self, rows: Array) -> Array:
        """Pixels by their channels, as images."""
        return self._by_channel(rows, self.extents)

    def samples(self, rows: Array) -> Array:
        """Points by their channels, as the result lies."""
        return self._by_channel(rows, self.places)

    def _by_channel(self, rows: Array, extents: Sequence[int]) -> Array:
        turned = rows.reshape(self.batch, prod(extents), self.channels).swapaxes(1, 2)
        return np.ascontiguousarray(turned).reshape(self.batch, self.channels, *extents)

    def along(self, *axes: int) -> Orders:
        """The orders of the derivative by these coordinates of the grid."""
        last = len(self.extents) - 1
        return tuple([axes.count(last - axis) for axis in range(len(self.extents))])


def _outer(left: Array, right: Array, function: np.ufunc) -> Array:
    """``function`` of all pairs in each row."""
    pairs = function(left[:, :, None], right[:, None])
    return np.asarray(pairs).reshape(len(left), left.shape[1] * right.shape[1])


def forward(images: Array, grid: Array, setting: Setting) -> Array:
    """The images at the points."""
    if _are_few(images, grid, setting):
        few = _Few(images, grid, setting)
        return few.at(few.weights).reshape(*images.shape[:2], *grid.shape[1:-1])
    points = Points(images, grid, setting)
    matrix = points.matrix(points.weights(points.along()))
    return points.samples(matrix @ points.rows(images))


def backward(g: Array, images: Array, grid: Array, setting: Setting) -> tuple[Array, Array]:
    """The cotangents of images and grid."""
    if _are_few(images, grid, setting, g):
        return _backward_of_few(g, _Few(images, grid, setting), grid)
    points = Points(images, grid, setting, g)
    cotangents, pixels = points.rows(g), points.rows(images)
    of_images = points.images(points.matrix(points.weights(points.along())).T @ cotangents)
    of_grid = np.zeros((points.count, grid.shape[-1]), grid.dtype)
    if setting.mode != NEAREST:
        for axis in range(grid.shape[-1]):
            slopes = points.matrix(points.weights(points.along(axis))) @ pixels
            of_grid[:, axis] = np.vecdot(slopes, cotangents)
    return of_images, of_grid.reshape(grid.shape)


def _backward_of_few(g: Array, few: _Few, grid: Array) -> tuple[Array, Array]:
    """What ``backward`` gives."""
    cotangents = g.reshape(*few.images.shape[:2], prod(g.shape[2:]))
    of_images = np.matmul(cotangents, few.matrix(few.weights).swapaxes(1, 2)).reshape(
        *few.images.shape[:2], *few.extents
    )
    of_grid = np.empty((*cotangents.shape[::2], grid.shape[-1]), grid.dtype)
    for axis, slopes in enumerate(few.derivatives()):
        weights = [*few.weights[:axis], slopes, *few.weights[axis + 1 :]]
        _add_up(few.at(weights) * cotangents, axis=1, out=of_grid[..., -1 - axis])
    return of_images, of_grid.reshape(grid.shape)


def backward_twice(
    of_images: Array, of_grid: Array, g: Array, images: Array, grid: Array, setting: Setting
) -> tuple[Array, Array, Array]:
    """The cotangents of all inputs of ``backward``, from those of its results."""
    points = Points(images, grid, setting, g, of_images, of_grid)
    cotangents, pixels, moved = points.rows(g), points.rows(images), points.rows(of_images)
    steps = of_grid.reshape(points.count, grid.shape[-1])
    axes = range(grid.shape[-1])

    def stepped(*others: int) -> Any:
        """The derivative along the steps, and along ``others``."""
        parts = [steps[:, axis, None] * points.weights(points.along(axis, *others)) for axis in axes]
        return points.matrix(np.sum(parts, 0))

    along = stepped()
    of_g = points.matrix(points.weights(points.along())) @ moved + along @ pixels
    slopes = np.zeros_like(steps)
    for axis in axes:
        changed = points.matrix(points.weights(points.along(axis))) @ moved + stepped(axis) @ pixels
        slopes[:, axis] = np.vecdot(changed, cotangents)
    return points.samples(of_g), points.images(along.T @ cotangents), slopes.reshape(grid.shape)


def theta_grid(extents: Sequence[int], dtype: Any, align_corners: bool) -> Array:
    """The points of a grid that moves nothing, each with a 1 behind its coordinates: ``(points, d + 1)``."""
    axes = []
    for extent in extents:
        steps = np.linspace(-1, 1, extent, dtype=dtype) if extent > 1 else np.zeros(extent, dtype)
        axes.append(steps if align_corners else steps * dtype.type((extent - 1) / max(extent, 1)))
    mesh = np.meshgrid(*axes, indexing="ij")
    return np.stack([*mesh[::-1], np.ones(tuple(extents), dtype)], -1).reshape(prod(extents), len(extents) + 1)
