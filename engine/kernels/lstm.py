"""A layer of long short-term memory over whole sequences, and its adjoint: one product for all steps if possible.

``(time, batch, features)`` and gates in the order input, forget, cell, output. Of the steps only the products with the
state before have to wait for each other; all else is done for all steps at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


def _halves(batch: int, hidden: int, dtype: Any) -> tuple[Array, Array]:
    """What gates are multiplied by before and after a hyperbolic tangent, and what is added to them then.

    ``sigmoid(x) = (1 + tanh(x / 2)) / 2``, and the cell gate is the tangent itself. They are written out for a batch:
    NumPy takes arrays that need not be broadcast in one go.
    """
    scale, shift = np.full((batch, 4 * hidden), 0.5, dtype), np.full((batch, 4 * hidden), 0.5, dtype)
    scale[:, 2 * hidden : 3 * hidden], shift[:, 2 * hidden : 3 * hidden] = 1, 0
    return scale, shift


def _parts(kept: Array, time: int, batch: int, hidden: int) -> tuple[Array, Array, Array]:
    """Gates, cells, and the tangents of these, each for all steps, in one memory."""
    numbers = time * batch * hidden
    gates, cells, squashed = kept[: 4 * numbers], kept[4 * numbers : 5 * numbers], kept[5 * numbers :]
    shape = (time, batch, hidden)
    return gates.reshape(time, batch, 4 * hidden), cells.reshape(shape), squashed.reshape(shape)


def _gates(gates: Array, hidden: int) -> list[Array]:
    return [gates[:, :, start : start + hidden] for start in range(0, 4 * hidden, hidden)]


def forward(
    input: Array, w_ih: Array, w_hh: Array, bias: Array, hx: Array, cx: Array, reverse: bool
) -> tuple[Array, Array, Array, Array]:
    """Outputs of all steps, the final output and cells; and gates, cells and their tangents, for ``backward``."""
    time, batch, features = input.shape
    hidden = w_hh.shape[1]
    kept = np.empty(6 * time * batch * hidden, np.result_type(input, w_ih))
    output = np.empty((time, batch, hidden), kept.dtype)
    gates, cells, squashed = _parts(kept, time, batch, hidden)
    scales, shifts = _halves(batch, hidden, kept.dtype)
    scale = np.full(4 * hidden, 0.5, kept.dtype)
    scale[2 * hidden : 3 * hidden] = 1
    rows = gates.reshape(-1, 4 * hidden)
    np.matmul(input.reshape(-1, features), w_ih.T * scale, rows)
    rows += bias * scale
    turned, product, entered = _turned(w_hh, scale), np.empty((batch, 4 * hidden), kept.dtype), np.empty_like(cx)
    state, before = hx, cx
    steps = _ordered(reverse, gates, *_gates(gates, hidden), cells, squashed, output)
    for now, entering, forget, new, leaving, after, tangent, out in steps:
        now += np.matmul(state, turned, product)
        np.tanh(now, now)
        now *= scales
        now += shifts
        np.multiply(forget, before, after)
        after += np.multiply(entering, new, entered)
        np.tanh(after, tangent)
        state, before = np.multiply(leaving, tangent, out), after
    return output, state.copy(), before.copy(), kept


def _turned(weight: Array, scale: Array) -> Array:
    """A weight to multiply by from the right, in the order in which BLAS is quickest."""
    return np.multiply(weight.T, scale, order="C")


def _ordered(reverse: bool, *arrays: Array) -> Iterable[Any]:
    """What arrays have for each step, in the order of the steps."""
    return zip(*[one[::-1] for one in arrays] if reverse else arrays, strict=True)


def backward(
    g: Array, g_hidden: Array, g_cells: Array, input: Array, w_ih: Array, w_hh: Array, hx: Array, cx: Array,
    output: Array, kept: Array, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The cotangents of input, both weights, either bias, and the state before."""
    time, batch, features = input.shape
    hidden = w_hh.shape[1]
    gates, cells, squashed = _parts(kept, time, batch, hidden)
    states_before, cells_before = _before(output, hx, reverse), _before(cells, cx, reverse)
    entering, forget, new, leaving = _gates(gates, hidden)
    # What of_cells and of_hidden are multiplied by to give the cotangents of the gates.
    slopes = np.empty_like(gates)
    by_entering, by_forget, by_new, by_leaving = _gates(slopes, hidden)
    np.multiply(new * entering, 1 - entering, out=by_entering)
    np.multiply(cells_before * forget, 1 - forget, out=by_forget)
    np.multiply(entering, 1 - new * new, out=by_new)
    np.multiply(squashed * leaving, 1 - leaving, out=by_leaving)
    through = leaving * (1 - squashed * squashed)
    by_cells = slopes.reshape(time, batch, 4, hidden)[:, :, :3]
    of_hidden, of_cells, added = g_hidden.copy(), g_cells.copy(), np.empty_like(g_cells)
    spread = of_cells[:, None]
    steps = _ordered(not reverse, g, through, by_cells, by_leaving, forget, slopes)
    for given, slope, of_three, of_leaving, kept_share, of_all in steps:
        of_hidden += given
        of_cells += np.multiply(of_hidden, slope, added)
        of_three *= spread
        of_leaving *= of_hidden
        of_cells *= kept_share
        np.matmul(of_all, w_hh, of_hidden)
    rows = slopes.reshape(time * batch, 4 * hidden)
    return (
        (rows @ w_ih).reshape(input.shape), rows.T @ input.reshape(-1, features),
        rows.T @ states_before.reshape(-1, hidden), rows.sum(0), of_hidden, of_cells,
    )  # fmt: skip


def _before(states: Array, initial: Array, reverse: bool) -> Array:
    """The state before each step."""
    initial = initial[None]
    return np.concatenate((states[1:], initial) if reverse else (initial, states[:-1]))
