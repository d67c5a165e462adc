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
FEW = 2**14  # elements of a matrix that is written out, or of all that points see, if no matrix is made
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
    weights: tuple[Array, ...]


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


def _axes(coordinates: Array, extents: Array, setting: Setting, order: int) -> _Axes:
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
    scale, derivatives = slopes[..., None], [weights[0] * is_there]
    for one in weights[1 : order + 1]:
        derivatives.append(one * scale * is_there)
        scale = scale * slopes[..., None]
    return _Axes(np.where(is_there, places, 0).astype(np.int64), tuple(derivatives))


def _linear(behind: Array, taps: int) -> tuple[Array, Array, Array]:
    """The weights of the taps around points, or of the next one, and their derivatives."""
    nothing = np.zeros((*behind.shape, taps), behind.dtype)
    if taps == 1:
        return nothing + 1, nothing, nothing
    weights = np.empty_like(nothing)
    np.subtract(1, behind, out=weights[..., 0])
    weights[..., 1] = behind
    return weights, nothing + np.array([-1, 1], behind.dtype), nothing


# -- all of them --------------------------------------------------------------------------------------------------
class Points:
    """The points of a grid over images of one shape, and derivatives up to an order."""

    def __init__(self, images: Array, grid: Array, setting: Setting, order: int, *others: Array) -> None:
        self.batch, self.channels, *self.extents = images.shape
        self.places = grid.shape[1:-1]
        self.count = self.batch * prod(self.places)
        self.dtype = grid.dtype
        coordinates = np.ascontiguousarray(grid.reshape(self.count, len(self.extents)).T[::-1])
        self.axes = _axes(coordinates, np.array(self.extents, grid.dtype)[:, None], setting, order)
        self.setting = setting
        self.index = self._index()
        self.is_few = 0 < self.index.size * self.channels <= FEW
        if self.is_few and order < 2:
            return
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

    def gathered(self, parts: Array) -> Array:
        """What each tap of each point adds to its pixel, ``(points, taps, channels)``, as pixels by their channels."""
        pixels = self.batch * prod(self.extents)
        flat = self.index[..., None] * self.channels + np.arange(self.channels)
        sums = np.bincount(flat.reshape(-1), parts.reshape(-1), pixels * self.channels)
        return sums.reshape(pixels, self.channels).astype(parts.dtype)

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
    points = Points(images, grid, setting, 0)
    if points.is_few:
        seen = points.rows(images).take(points.index, 0)
        return points.samples(np.vecmat(points.weights(points.along()), seen))
    matrix = points.matrix(points.weights(points.along()))
    return points.samples(matrix @ points.rows(images))


def backward(g: Array, images: Array, grid: Array, setting: Setting) -> tuple[Array, Array]:
    """The cotangents of images and grid."""
    points = Points(images, grid, setting, 1, g)
    cotangents, pixels = points.rows(g), points.rows(images)
    of_grid = np.zeros((points.count, grid.shape[-1]), grid.dtype)
    if points.is_few:
        parts = points.weights(points.along())[:, :, None] * cotangents[:, None]
        of_images = points.images(points.gathered(parts))
        if setting.mode != NEAREST:
            dots = np.matvec(pixels.take(points.index, 0), cotangents)
            for axis in range(grid.shape[-1]):
                np.vecdot(points.weights(points.along(axis)), dots, out=of_grid[:, axis])
        return of_images, of_grid.reshape(grid.shape)
    of_images = points.images(points.matrix(points.weights(points.along())).T @ cotangents)
    if setting.mode != NEAREST:
        for axis in range(grid.shape[-1]):
            slopes = points.matrix(points.weights(points.along(axis))) @ pixels
            of_grid[:, axis] = np.vecdot(slopes, cotangents)
    return of_images, of_grid.reshape(grid.shape)


def backward_twice(
    of_images: Array, of_grid: Array, g: Array, images: Array, grid: Array, setting: Setting
) -> tuple[Array, Array, Array]:
    """The cotangents of all inputs of ``backward``, from those of its results."""
    points = Points(images, grid, setting, 2, g, of_images, of_grid)
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
