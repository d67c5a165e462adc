"""A layer of long short-term memory over whole sequences, and its adjoint: one product for all steps if possible.

``(time, batch, features)`` and gates in the order input, forget, cell, output. Of the steps only the products with the
state before have to wait for each other; all else is done for all steps at once.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


def _halves(hidden: int, dtype: Any) -> tuple[Array, Array]:
    """What gates are multiplied by before and after a hyperbolic tangent, and what is added to them then.

    ``sigmoid(x) = (1 + tanh(x / 2)) / 2``, and the cell gate is the tangent itself.
    """
    scale, shift = np.full(4 * hidden, 0.5, dtype), np.full(4 * hidden, 0.5, dtype)
    scale[2 * hidden : 3 * hidden], shift[2 * hidden : 3 * hidden] = 1, 0
    return scale, shift


def forward(
    input: Array, w_ih: Array, w_hh: Array, bias: Array, hx: Array, cx: Array, reverse: bool
) -> tuple[Array, Array, Array, Array]:
    """Outputs of all steps, the final output and cells; and gates, cells and their tangents, for ``backward``."""
    time, batch, features = input.shape
    hidden = w_hh.shape[1]
    kept = np.empty((time, batch, 6 * hidden), np.result_type(input, w_ih))
    output = np.empty((time, batch, hidden), kept.dtype)
    scale, shift = _halves(hidden, kept.dtype)
    gates, cells, squashed = np.split(kept, (4 * hidden, 5 * hidden), 2)
    np.add(
        input.reshape(-1, features) @ (w_ih.T * scale), bias * scale, out=kept.reshape(-1, 6 * hidden)[:, : 4 * hidden]
    )
    entering, forget, new, leaving = np.split(gates, 4, 2)
    turned, product, entered = _turned(w_hh, scale), np.empty((batch, 4 * hidden), kept.dtype), np.empty_like(cx)
    state, before = hx, cx
    for t in _order(time, reverse):
        now, after, tangent = gates[t], cells[t], squashed[t]
        now += np.matmul(state, turned, out=product)
        np.tanh(now, out=now)
        now *= scale
        now += shift
        np.multiply(forget[t], before, out=after)
        after += np.multiply(entering[t], new[t], out=entered)
        np.tanh(after, out=tangent)
        state, before = np.multiply(leaving[t], tangent, out=output[t]), after
    return output, state.copy(), before.copy(), kept


def _turned(weight: Array, scale: Array) -> Array:
    """A weight to multiply by from the right, in the order in which BLAS is quickest."""
    return np.multiply(weight.T, scale, order="C")


def _order(time: int, reverse: bool) -> range:
    return range(time - 1, -1, -1) if reverse else range(time)


def backward(
    g: Array, g_hidden: Array, g_cells: Array, input: Array, w_ih: Array, w_hh: Array, hx: Array, cx: Array,
    output: Array, kept: Array, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The cotangents of input, both weights, either bias, and the state before."""
    time, batch, features = input.shape
    hidden = w_hh.shape[1]
    gates, cells, squashed = np.split(kept, (4 * hidden, 5 * hidden), 2)
    states_before, cells_before = _before(output, hx, reverse), _before(cells, cx, reverse)
    entering, forget, new, leaving = np.split(gates, 4, 2)
    # What of_cells and of_hidden are multiplied by to give the cotangents of the gates.
    slopes = np.empty_like(gates)
    by_entering, by_forget, by_new, by_leaving = np.split(slopes, 4, 2)
    np.multiply(new * entering, 1 - entering, out=by_entering)
    np.multiply(cells_before * forget, 1 - forget, out=by_forget)
    np.multiply(entering, 1 - new * new, out=by_new)
    np.multiply(squashed * leaving, 1 - leaving, out=by_leaving)
    through = leaving * (1 - squashed * squashed)
    wide = slopes.reshape(time, batch, 4, hidden)
    by_cells, by_hidden = wide[:, :, :3], wide[:, :, 3]
    of_hidden, of_cells = g_hidden.copy(), g_cells[:, None].copy()
    for t in reversed(_order(time, reverse)):
        of_hidden += g[t]
        of_cells[:, 0] += of_hidden * through[t]
        now = by_cells[t]
        now *= of_cells
        now = by_hidden[t]
        now *= of_hidden
        of_cells[:, 0] *= forget[t]
        np.matmul(slopes[t], w_hh, out=of_hidden)
    of_cells = of_cells[:, 0]
    rows = slopes.reshape(time * batch, 4 * hidden)
    return (
        (rows @ w_ih).reshape(input.shape), rows.T @ input.reshape(-1, features),
        rows.T @ states_before.reshape(-1, hidden), rows.sum(0), of_hidden, of_cells,
    )  # fmt: skip


def _before(states: Array, initial: Array, reverse: bool) -> Array:
    """The state before each step."""
    initial = initial[None]
    return np.concatenate((states[1:], initial) if reverse else (initial, states[:-1]))
