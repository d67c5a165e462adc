"""Weighted sums along the last dimensions, the one map that averages of windows and interpolation are."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

from engine import ops
from engine.kernels import resampling as kernels
from engine.op import Array, primitive

Lines: TypeAlias = Any  # a tuple of lines (``engine.kernels.resampling``)


def _planes(shape: Sequence[int], lines: Any) -> int:
    return prod(shape[: len(shape) - len(lines)])


def _size(shape: Sequence[int], lines: Any, adjoint: bool = False) -> int:
    return _planes(shape, lines) * prod(line[1] if adjoint else line[2] for line in lines)


def _scratch(shape: Sequence[int], lines: Any, adjoint: bool = False) -> float:
    """The largest array between two products three times, and the largest matrix with its places."""
    sizes, size = [prod(shape), _size(shape, lines, adjoint)], prod(shape)
    for line in lines:
        before, after = (line[2], line[1]) if adjoint else (line[1], line[2])
        size = size // max(before, 1) * after
        sizes.append(size)
    matrix = max(
        5.0 * kernels.taps(line) + 6.0 * max(line[1:3]) + kernels.is_dense(line) * line[1] * line[2] for line in lines
    )
    return 3.0 * max(sizes) + matrix


def _work(shape: Sequence[int], lines: Any) -> float:
    total, planes = 0.0, _planes(shape, lines)
    for place, line in enumerate(lines):
        others = prod(max(other[1:3]) for other in [*lines[:place], *lines[place + 1 :]])
        total += 4.0 * kernels.taps(line) * planes * others
    return total


@primitive(
    public=False, linear=True, grows=lambda input, lines: _size(input.shape, lines),
    scratch=lambda input, lines: _scratch(input.shape, lines), work=lambda input, lines: _work(input.shape, lines),
)  # fmt: skip
def resampled(input: Array, lines: Lines, grad_fn: str = "") -> Array:
    """What ``lines`` make of the last dimensions."""
    return kernels.apply(input, lines)


@primitive(
    public=False, linear=True, grows=lambda grad, lines: _size(grad.shape, lines, True),
    scratch=lambda grad, lines: _scratch(grad.shape, lines, True), work=lambda grad, lines: _work(grad.shape, lines),
)  # fmt: skip
def resampled_backward(grad: Array, lines: Lines, grad_fn: str = "") -> Array:
    """The adjoint of ``resampled``."""
    return kernels.apply(grad, lines, True)


@primitive(
    public=False, layout_only=("input",), grows=lambda grad, lines: _size(grad.shape, lines, True),
    scratch=lambda grad, lines: _scratch(grad.shape, lines, True), work=lambda grad, lines: _work(grad.shape, lines),
)  # fmt: skip
def averaged_backward(grad: Array, input: Array, lines: Lines, grad_fn: str = "") -> Array:
    """The adjoint of ``averaged``; that ``input`` does not matter is known to PyTorch by zeros."""
    return kernels.apply(grad, lines, True)


@primitive(
    public=False, linear=True, grows=lambda input, lines: _size(input.shape, lines),
    scratch=lambda input, lines: _scratch(input.shape, lines), work=lambda input, lines: _work(input.shape, lines),
)  # fmt: skip
def averaged(input: Array, lines: Lines, grad_fn: str = "") -> Array:
    """``resampled``, as averages are recorded: with the input saved."""
    return kernels.apply(input, lines)


def _forward(grad_fn: str) -> str:
    return grad_fn.replace("BackwardBackward", "Backward")


resampled.vjp(input=lambda g, lines, grad_fn: resampled_backward(g, lines, f"{grad_fn[:-1]}Backward0"))
resampled_backward.vjp(grad=lambda g, lines, grad_fn: resampled(g, lines, _forward(grad_fn)))
averaged.vjp(input=lambda g, input, lines, grad_fn: averaged_backward(g, input, lines, f"{grad_fn[:-1]}Backward0"))
averaged_backward.vjp(
    grad=lambda g, lines, grad_fn: averaged(g, lines, _forward(grad_fn)), input=lambda g, input: ops.zeros_of(input)
)
