"""The text of a tensor, as PyTorch prints it.

One pass decides how numbers are written (plain, as integers, or in scientific notation) from the elements that will be
shown; a second lays them out in lines. Both see only the shown elements: a large tensor is summarised first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_PREFIX = "tensor("
_LONGEST = 320  # characters of a number before its point


@dataclass(frozen=True, slots=True)
class PrintOptions:
    """How tensors are printed; ``sci_mode=None`` lets the values decide."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None

    def updated(
        self,
        precision: int | None = None,
        threshold: float | None = None,
        edgeitems: int | None = None,
        linewidth: int | None = None,
        profile: str | None = None,
        sci_mode: bool | None = None,
    ) -> PrintOptions:
        """The options after ``set_printoptions`` with the same arguments.

        A profile comes first and single options override it; an unknown profile changes nothing. ``sci_mode`` does not
        persist: every call sets it, to None unless given.
        """
        given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
        changes: dict[str, Any] = dict(_PROFILES.get(profile, {})) if profile is not None else {}
        changes.update((name, value) for name, value in given.items() if value is not None)
        return replace(self, sci_mode=sci_mode, **changes)


def format_tensor(
    array: Array,
    options: PrintOptions,
    *,
    dtype: str,
    default_dtype: str = "float32",
    requires_grad: bool = False,
    grad_fn: str | None = None,
) -> str:
    """The whole text, ``tensor([1., 2.], dtype=torch.float64, grad_fn=<MulBackward0>)``.

    ``dtype`` and ``default_dtype`` (the current default floating dtype) are names such as ``"float32"``; ``grad_fn`` is
    the node's name.
    """
    suffixes = _shape_and_dtype(array, options, dtype, default_dtype)
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(_PREFIX + format_values(array, options, indent=len(_PREFIX)), suffixes, options.linewidth)


def format_values(array: Array, options: PrintOptions, indent: int = 0) -> str:
    """The bracketed values alone; lines after the first are indented by ``indent`` and their depth."""
    if array.size == 0:
        return "[]"
    summarize = array.size > options.threshold
    if summarize and array.ndim and not options.edgeitems:
        return "[...]"
    layout = _Layout(array.shape, options, summarize)
    cells, width = _cells(layout.shown(array), options)
    return layout.text(cells, width, indent)


def shown_size(array: Array, options: PrintOptions) -> tuple[int, int]:
    """How many elements the text of a tensor shows, and at most how many characters they take together."""
    edges = 2 * abs(int(min(options.edgeitems, array.size)))
    extents = array.shape if array.size <= options.threshold else [min(extent, edges) for extent in array.shape]
    count = math.prod(extents)
    if array.dtype.kind in "biu":
        return count, 22 * count
    width = abs(int(options.precision)) + (_LONGEST if options.sci_mode is False else 12)
    return count, width * (2 if array.dtype.kind == "c" else 1) * count


def _shape_and_dtype(array: Array, options: PrintOptions, dtype: str, default_dtype: str) -> list[str]:
    """The suffixes for what the values do not show: the shape if none are shown, the dtype unless it is implied."""
    if array.size:
        default_complex = "complex128" if default_dtype == "float64" else "complex64"
        implied = dtype in (default_dtype, default_complex, "int64", "bool")
        sized = not options.edgeitems
    else:
        implied, sized = dtype == default_dtype, array.ndim != 1
    size = [f"size={tuple(array.shape)}"] if sized else []
    return size if implied else [*size, f"dtype=torch.{dtype}"]


def _with_suffixes(text: str, suffixes: Iterable[str], linewidth: int) -> str:
    """Append suffixes and the closing parenthesis, each suffix on a new line if it does not fit."""
    parts = [text]
    # The newline counts as a column and one more is kept free: where PyTorch breaks lines, to the character.
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > linewidth:
            parts.append(",\n" + " " * len(_PREFIX) + suffix)
            column = len(_PREFIX) + len(suffix)
        else:
            parts.append(", " + suffix)
            column += len(suffix) + 2
    return "".join(parts) + ")"


class _Layout:
    """Which elements of a shape are shown, and how their texts are arranged."""

    def __init__(self, shape: Sequence[int], options: PrintOptions, summarize: bool) -> None:
        self.edge = options.edgeitems
        self.linewidth = options.linewidth
        self.cut = [summarize and length > 2 * self.edge for length in shape]
        self.shape = [2 * self.edge if cut else length for length, cut in zip(shape, self.cut, strict=True)]

    def shown(self, array: Array) -> Array:
        """The elements that are printed; of axes that are cut only the edges."""
        if not any(self.cut):
            return array
        whole = [np.arange(length) for length in array.shape]
        kept = [
            np.concatenate((places[: self.edge], places[-self.edge :])) if cut else places
            for places, cut in zip(whole, self.cut, strict=True)
        ]
        chosen: Array = array[np.ix_(*kept)]
        return chosen

    def text(self, cells: list[str], width: int, indent: int, axis: int = 0) -> str:
        """The nested brackets from ``axis`` on over ``cells``, which are ``width`` wide unless they overflow."""
        last = len(self.shape) - 1
        if axis > last:
            return cells[0]
        if axis == last:
            return self._lines(cells, width, indent)
        step = len(cells) // self.shape[axis]
        blocks = [cells[i : i + step] for i in range(0, len(cells), step)]
        texts = [self.text(block, width, indent + 1, axis + 1) for block in blocks]
        if self.cut[axis]:
            texts.insert(self.edge, "...")
        return "[" + ("," + "\n" * (last - axis) + " " * (indent + 1)).join(texts) + "]"

    def _lines(self, cells: list[str], width: int, indent: int) -> str:
        if self.cut[-1]:
            cells = [*cells[: self.edge], " ...", *cells[self.edge :]]
        per_line = max(1, (self.linewidth - indent) // (width + 2))
        lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _cells(array: Array, options: PrintOptions) -> tuple[list[str], int]:
    """The text of every element in order, and the common width that lines are planned with."""
    if array.dtype.kind in "biu":
        return _aligned([str(value) for value in array.ravel().tolist()])
    if array.dtype.kind != "c":
        return _float_cells(array, options)
    real, real_width = _float_cells(array.real, options)
    imaginary, imaginary_width = _float_cells(array.imag, options)
    cells = [left + _signed(right.lstrip()) + "j" for left, right in zip(real, imaginary, strict=True)]
    return cells, real_width + imaginary_width + 1


def _signed(text: str) -> str:
    return text if text.startswith("-") else "+" + text


def _float_cells(array: Array, options: PrintOptions) -> tuple[list[str], int]:
    """As ``_cells`` for floating elements. Zeros, infinities and NaN have no say in notation and width."""
    values = array.astype(np.float64).ravel()
    telling = np.isfinite(values) & (values != 0)
    if not telling.any():
        return [_integral(value) for value in values.tolist()], 1
    told = values[telling]
    if _scientific(told, options):
        texts = [f"{value:.{options.precision}e}" for value in values.tolist()]
    elif np.array_equal(told, np.ceil(told)):
        texts = [_integral(value) for value in values.tolist()]
    else:
        texts = [f"{value:.{options.precision}f}" for value in values.tolist()]
    return _aligned(texts, telling.tolist())


def _scientific(told: Array, options: PrintOptions) -> bool:
    if options.sci_mode is not None:
        return options.sci_mode
    magnitudes = np.abs(told)
    low, high = float(magnitudes.min()), float(magnitudes.max())
    return high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4


def _integral(value: float) -> str:
    """A whole number as a float is written, ``3.``; infinities and NaN get no point."""
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _aligned(texts: list[str], telling: list[bool] | None = None) -> tuple[list[str], int]:
    """``texts`` filled on the left to the width of the widest telling one, and that width."""
    told = texts if telling is None else [text for text, tells in zip(texts, telling, strict=True) if tells]
    width = max(map(len, told))
    return [text.rjust(width) for text in texts], width
