"""Grids: what points beyond the borders and no points at all read, warnings, refusals in PyTorch's words."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

import engine as torch
from engine import modes
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.kernels import grid_sampling

TORCH: Any = torch
F: Any = TORCH.nn.functional
IMAGE = TORCH.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
X, G = TORCH.zeros(2, 3, 4, 5), TORCH.zeros(2, 6, 7, 2)
X3, G3 = TORCH.zeros(2, 3, 4, 5, 6), TORCH.zeros(2, 6, 7, 8, 3)
THETA = TORCH.zeros(2, 2, 3)


@pytest.mark.parametrize(
    ("mode", "padding", "expected"),
    [
        ("bilinear", "zeros", [nan, nan, nan, 0.0]), ("bilinear", "border", [2.0, 3.0, 2.0, 3.0]),
        ("bilinear", "reflection", [2.0, 2.0, 2.0, 2.0]), ("nearest", "zeros", [0.0, 0.0, 0.0, 0.0]),
        ("nearest", "border", [1.0, 2.0, 1.0, 2.0]), ("nearest", "reflection", [1.0, 1.0, 1.0, 1.0]),
        ("bicubic", "zeros", [nan, nan, nan, 0.0]), ("bicubic", "border", [nan, nan, nan, 3.0]),
    ],
)  # fmt: skip
def test_points_that_are_no_numbers(mode: str, padding: str, expected: list[float]) -> None:
    grid = TORCH.tensor([[[[value, 0.0] for value in (nan, inf, -inf, 1e9 + 1)]]])
    read = F.grid_sample(IMAGE, grid, mode, padding, True)
    np.testing.assert_array_equal(read.numpy().ravel(), expected)


def test_an_image_read_at_the_grid_of_the_identity_is_itself() -> None:
    image = TORCH.randn(2, 3, 4, 5, dtype=TORCH.float64)
    identity = TORCH.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]] * 2, dtype=TORCH.float64)
    for aligned in (True, False):
        grid = F.affine_grid(identity, image.shape, aligned)
        for mode in ("bilinear", "bicubic"):
            read = F.grid_sample(image, grid, mode, "border", aligned)
            np.testing.assert_allclose(read.numpy(), image.numpy(), rtol=1e-12, atol=1e-12)


def test_nothing_to_read_and_nothing_read() -> None:
    for image, grid in ((X[:, :0], G), (X[:0], G[:0]), (X, G[:, :0])):
        image, grid = image.clone().requires_grad_(), grid.clone().requires_grad_()
        read = F.grid_sample(image, grid, align_corners=False)
        assert tuple(read.shape) == (image.shape[0], image.shape[1], *grid.shape[1:3])
        read.sum().backward()
        assert image.grad.shape == image.shape
        assert not grid.grad.numpy().any()


def test_what_is_said_of_corners() -> None:
    call: Any
    for call, words in (
        (lambda: F.grid_sample(X, G), "Default grid_sample and affine_grid behavior has changed"),
        (lambda: F.affine_grid(THETA, (2, 1, 3, 4)), "Default grid_sample and affine_grid behavior has changed"),
        (lambda: F.affine_grid(THETA, (2, 1, 1, 4), True), "Since version 1.3.0, affine_grid behavior has changed"),
    ):
        warnings: list[str] = []
        with modes.use(modes.State(warnings=warnings)):
            call()
        assert len(warnings) == 1
        assert warnings[0].startswith(words)


REFUSED = {
    "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: 'foo'": (
        ArgumentValueError, lambda: F.grid_sample(X, G, "foo"),
    ),
    "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: 'foo'": (
        ArgumentValueError, lambda: F.grid_sample(X, G, padding_mode="foo"),
    ),
    "grid_sampler(): expected grid and input to have same batch size, but got input with sizes [2, 3, 4, 5] and grid "
    "with sizes [1, 6, 7, 2]": (OpError, lambda: F.grid_sample(X, G[:1], align_corners=True)),
    "grid_sampler(): expected grid to have size 2 in last dimension, but got grid with sizes [2, 6, 7, 1]": (
        OpError, lambda: F.grid_sample(X, G[..., :1], align_corners=True),
    ),
    "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes [2, 3, 0, 5] with "
    "dimension 2 being empty": (OpError, lambda: F.grid_sample(X[:, :, :0], G, align_corners=True)),
    "grid_sampler(): expected 4D input and grid with same number of dimensions, but got input with sizes [2, 3, 4, 5, "
    "6] and grid with sizes [2, 6, 7, 8, 3]": (OpError, lambda: TORCH.grid_sampler_2d(X3, G3, 0, 0, False)),
    "grid_sampler(): bicubic interpolation only supports 4D input": (
        OpError, lambda: F.grid_sample(X3, G3, "bicubic", align_corners=True),
    ),
    "expected scalar type Float but found Double": (
        OpError, lambda: F.grid_sample(X, G.double(), align_corners=True),
    ),
    "\"grid_sampler_2d_cpu_kernel_impl\" not implemented for 'Long'": (
        UnsupportedError, lambda: F.grid_sample(X.long(), G.long(), align_corners=True),
    ),
    'grid_sampler() missing 1 required positional arguments: "align_corners"': (
        ArgumentTypeError, lambda: TORCH.grid_sampler(X, G, 0, 0),
    ),
    "Expected theta to have floating point type, but got torch.int64": (
        ArgumentValueError, lambda: F.affine_grid(THETA.long(), (2, 3, 4, 5), True),
    ),
    "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size (2, 3, 4).": (
        UnsupportedError, lambda: F.affine_grid(THETA, (2, 3, 4), True),
    ),
    "Expected a batch of 3D affine matrices of shape Nx3x4 for size (2, 3, 4, 5, 6). Got torch.Size([2, 2, 3]).": (
        ArgumentValueError, lambda: F.affine_grid(THETA, (2, 3, 4, 5, 6), True),
    ),
    "Expected non-zero, positive output size. Got (2, 3, 0, 5)": (
        ArgumentValueError, lambda: F.affine_grid(THETA, (2, 3, 0, 5), True),
    ),
    "Expected size for first two dimensions of batch2 tensor to be: [3, 3] but got: [2, 3].": (
        OpError, lambda: F.affine_grid(THETA, (3, 3, 4, 5), True),
    ),
    "AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.": (
        OpError, lambda: TORCH.affine_grid_generator(THETA, (2, 3, 4), True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    kind: Any
    call: Any
    kind, call = REFUSED[text]
    with modes.use(modes.State(warnings=[])), pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def test_a_grid_that_is_too_large_is_refused_before_it_is_made() -> None:
    with modes.use(modes.State(budget=modes.Budget(nbytes=10**8))), pytest.raises(MemoryError):
        F.affine_grid(THETA, (2, 1, 10**5, 10**5), False)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", range(3))
@pytest.mark.parametrize(
    ("extents", "points"), [((8, 8), (5, 7)), ((3, 4), (2, 5)), ((3, 1, 2), (2, 2, 2)), ((1, 1), (1, 1))]
)
def test_few_points_read_what_many_do(
    extents: tuple[int, ...],
    points: tuple[int, ...],
    padding: int,
    align_corners: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    images, g = rng.standard_normal((2, 3, *extents)), rng.standard_normal((2, 3, *points))
    grid = rng.uniform(-1.6, 1.6, (2, *points, len(extents)))
    grid[0, 0, 0] = -1  # on a pixel, or between two
    setting = grid_sampling.Setting(grid_sampling.BILINEAR, padding, align_corners)

    def found() -> list[Any]:
        return [grid_sampling.forward(images, grid, setting), *grid_sampling.backward(g, images, grid, setting)]

    few = found()
    monkeypatch.setattr(grid_sampling, "FEW", 0)
    for one, other in zip(few, found(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
