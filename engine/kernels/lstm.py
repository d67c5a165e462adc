"""A layer of long short-term memory over whole sequences, and its adjoint: one product for all steps if possible.

``(time, batch, features)`` and gates in the order input, forget, cell, output. Of the steps only the products with the
state before have to wait for each other; all else is done for all steps at once.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]


def _squash(gates: Array, hidden: int) -> None:
    """Sigmoids, and the hyperbolic tangent of the cell gate, in place: ``sigmoid(x) = (1 + tanh(x / 2)) / 2``."""
    half = gates.dtype.type(0.5)
    sigmoids = gates[:, : 2 * hidden], gates[:, 3 * hidden :]
    for part in sigmoids:
        part *= half
    np.tanh(gates, out=gates)
    for part in sigmoids:
        part *= half
        part += half


def forward(
    input: Array, w_ih: Array, w_hh: Array, bias: Array, hx: Array, cx: Array, reverse: bool
) -> tuple[Array, Array, Array, Array]:
    """Outputs of all steps, the final output and cells; and gates, cells and their tangents, for ``backward``."""
    time, batch, features = input.shape
    hidden = w_hh.shape[1]
    kept = np.empty((time, batch, 6 * hidden), np.result_type(input, w_ih))
    gates = (input.reshape(-1, features) @ w_ih.T + bias).reshape(time, batch, 4 * hidden)
    output = np.empty((time, batch, hidden), kept.dtype)
    turned = np.ascontiguousarray(w_hh.T)
    state, cells = hx, cx
    for t in _order(time, reverse):
        now = gates[t]
        now += state @ turned
        _squash(now, hidden)
        entering, forget, new, leaving = np.split(now, 4, 1)
        cells = forget * cells
        cells += entering * new
        squashed = np.tanh(cells)
        state = np.multiply(leaving, squashed, out=output[t])
        kept[t, :, 4 * hidden : 5 * hidden] = cells
        kept[t, :, 5 * hidden :] = squashed
    kept[..., : 4 * hidden] = gates
    return output, state.copy(), cells, kept


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
    of_hidden, of_cells = g_hidden, g_cells
    wide = slopes.reshape(time, batch, 4, hidden)
    for t in reversed(_order(time, reverse)):
        of_hidden = of_hidden + g[t]
        of_cells = of_cells + of_hidden * through[t]
        wide[t, :, :3] *= of_cells[:, None]
        wide[t, :, 3] *= of_hidden
        of_cells = of_cells * forget[t]
        of_hidden = slopes[t] @ w_hh
    rows = slopes.reshape(time * batch, 4 * hidden)
    return (
        (rows @ w_ih).reshape(input.shape), rows.T @ input.reshape(-1, features),
        rows.T @ states_before.reshape(-1, hidden), rows.sum(0), of_hidden, of_cells,
    )  # fmt: skip


def _before(states: Array, initial: Array, reverse: bool) -> Array:
    """The state before each step."""
    initial = initial[None]
    return np.concatenate((states[1:], initial) if reverse else (initial, states[:-1]))
