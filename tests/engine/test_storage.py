"""What a run writes over: as much is kept as is written to, by pages, and it can be put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine as torch
from app.stores.base import BLOCK_BYTES
from engine import modes, storage
from engine.storage import PAGE_BYTES, Overwritten, make_storage

ELEMENTS = 6 * PAGE_BYTES // 8


@st.composite
def views(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A buffer of some pages, and elements of it as slices, transpositions and diagonals show them."""
    shape = draw(st.sampled_from([(ELEMENTS,), (12, ELEMENTS // 12), (ELEMENTS // 12, 12), (4, 3, ELEMENTS // 12)]))
    memory = np.arange(ELEMENTS, dtype=np.float64).reshape(shape)
    view = memory.transpose(draw(st.permutations(range(memory.ndim))))
    for axis in range(view.ndim):
        start, stop = draw(st.integers(0, view.shape[axis])), draw(st.integers(0, view.shape[axis]))
        step = draw(st.sampled_from([1, 1, 2, 5, 600, -1]))
        view = np.moveaxis(np.moveaxis(view, axis, 0)[start:stop:step], 0, axis)
    if view.ndim > 1 and draw(st.booleans()):
        view = np.diagonal(view)
    return memory, view


@given(both=views())
def test_the_pages_of_what_is_written_are_kept_and_no_others(
    both: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
) -> None:
    memory, view = both
    before = memory.copy()
    expected = {int(place) * 8 // PAGE_BYTES for place in view.ravel()}
    kept = Overwritten(make_storage(memory))
    for _ in range(2):
        kept.keep(view)
    pages = [page for start, part in kept.parts for page in range(start, start + part.nbytes, PAGE_BYTES)]
    assert sorted(page // PAGE_BYTES for page in pages) == sorted(expected)
    view.flags.writeable = True  # the diagonal's is not
    view[...] = -1.0
    kept()
    assert np.array_equal(memory, before)


def test_pieces_that_overlap_without_end_are_taken_as_one() -> None:
    memory = np.zeros(3 * PAGE_BYTES, np.uint8)
    many = np.lib.stride_tricks.as_strided(memory, (2, 2, 2, 2), (PAGE_BYTES + 1, PAGE_BYTES, 1, 0))
    kept = Overwritten(make_storage(memory))
    kept.keep(many)
    assert sum(part.nbytes for _, part in kept.parts) == 3 * PAGE_BYTES


def test_a_run_is_undone_through_views_and_aliases() -> None:
    x = torch.arange(100_000.0)
    versions = x._version
    before = x.clone()
    state = modes.State(journal=modes.Journal())
    with modes.use(state):
        x[70_000] = -1.0
        x.data[5:50_000:7] = 3.0
        x[70_001:].mul_(2.0)
        x.view(1000, 100).t()[3].zero_()
    assert state.journal is not None
    assert not torch.equal(x, before)
    state.journal.rollback()
    assert torch.equal(x, before)
    assert x._version == versions


@pytest.mark.parametrize(("code", "pages"), [("x[9] = 1.0", 1), ("x[4000:4200] = 1.0", 2), ("x.add_(1.0)", 25)])
def test_no_more_is_kept_than_is_written(code: str, pages: int) -> None:
    x = torch.arange(100_000.0)
    state = modes.State(journal=modes.Journal())
    with modes.use(state):
        exec(code, {"x": x})
    assert state.journal is not None
    (memory,) = state.journal.overwritten()
    assert sum(-(-part.nbytes // PAGE_BYTES) for _, part in memory.parts) == pages


def test_what_is_kept_are_the_blocks_of_stores() -> None:
    """The writer of records compares block by block what the journal kept page by page."""
    assert storage.PAGE_BYTES == BLOCK_BYTES
