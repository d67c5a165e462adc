"""Samples of reading and writing by position."""

from tests.engine.samples import Sample, first_order, fixed, leaf, sample, values_only

COMPLEX = "complex128"
ROWS = fixed([0, 2, 0], "int64")
MASK = fixed([[True, False, True], [False, True, False]])
PLACES = fixed([[0, 1, 0], [2, 0, 1]], "int64")
WRITES = "writes into a constant"


def at(*key: object) -> Sample:
    """A read with a key of several entries."""
    return sample(leaf(2, 3, 4), key)


def reductions(reduce: str, source: str) -> list[Sample]:
    """Into positions that occur several times, once and never; with and without what was there."""
    whole = {
        "scatter": (leaf(3, 3, low=0.5), 0, PLACES, leaf(2, 3, low=0.5), reduce),
        "index": (leaf(3, 2, low=0.5), 0, ROWS, leaf(3, 2, low=0.5), reduce),
    }[source]
    along = {
        "scatter": (leaf(2, 3), 1, PLACES, leaf(2, 3), reduce),
        "index": (leaf(2, 3), 1, ROWS, leaf(2, 3), reduce),
    }[source]
    zero_dim = {
        "scatter": (leaf(), 0, fixed(0, "int64"), leaf(), reduce),
        "index": (leaf(), 0, fixed([0], "int64"), leaf(), reduce),
    }[source]
    integers = (fixed([1, 2, 3], "int64"), 0, ROWS, fixed([4, 5, 6], "int64"), reduce)
    return [
        sample(*whole),
        sample(*whole, include_self=False),
        sample(*along),
        sample(*zero_dim),
        values_only("integers", *integers),
        values_only("integers", *integers, include_self=False),
    ]


SAMPLES = {
    "__getitem__": [
        sample(leaf(3), 1),
        sample(leaf(3), -1),
        sample(leaf(4), slice(1, None, 2)),
        sample(leaf(3), None),
        sample(leaf(3), ...),
        sample(leaf(), ()),
        sample(leaf(), None),
        sample(leaf(3), True),
        sample(leaf(3), False),
        sample(leaf(3), []),
        sample(leaf(3), [2, 0, 2]),
        sample(leaf(3), ROWS),
        sample(leaf(2, 3), MASK),
        sample(leaf(3), [True, False, True]),
        sample(leaf(2, 3), fixed(1, "int64")),
        sample(leaf(3), fixed([-1, -3], "int32")),
        sample(leaf(), fixed(True)),
        at(0),
        at(slice(None), 1),
        at(..., 0),
        at(1, ..., slice(0, 2)),
        at(None, 0, None),
        at(slice(None), slice(None)),
        at([0, 1], [1, 2]),
        at([0, 1], slice(None), [1, 2]),
        at(0, slice(None), [1, 2]),
        at(slice(None), [[0], [2]], [1, 3]),
        at(MASK),
        at(MASK, slice(1, 3)),
        at(MASK, 0),
        at(0, [True, False, True]),
        at(..., [3, 0]),
        at(None, [1, 0], ...),
        at(True, 0),
        at([1], None, [0]),
        sample(leaf(3, 2, strided=True), (slice(1, None), 0)),
        sample(leaf(3, dtype=COMPLEX), ROWS),
        values_only("integers", fixed([1, 2, 3], "int64"), slice(0, 2)),
    ],
    "__setitem__": [
        values_only(WRITES, fixed([[1.0, 2.0], [3.0, 4.0]]), key, value)
        for key, value in (
            ((0, 1), 5),
            (slice(None), leaf(2)),
            (..., 0.5),
            ([1, 0], leaf(2, 2)),
            ((slice(None), [1]), leaf(2, 1)),
        )
    ],
    "index_put": [
        sample(leaf(3, 2), (ROWS,), leaf(3, 2), True),
        sample(leaf(3, 2), (fixed([2, 0], "int64"),), leaf(2)),
        sample(leaf(2, 3), (MASK,), leaf(3)),
        sample(leaf(2, 3), (MASK,), leaf()),
        sample(leaf(2, 3), (fixed([0, 1], "int64"), fixed([2, 0], "int64")), leaf(2)),
        sample(leaf(3, dtype=COMPLEX), (ROWS,), leaf(3, dtype=COMPLEX), accumulate=True),
    ],
    "_unsafe_masked_index": [
        sample(
            leaf(2, 2),
            fixed([[True, False], [True, True]]),
            [fixed([[0], [1]], "int64"), fixed([[0, 5]], "int64")],
            0.5,
        ),
    ],
    "_unsafe_masked_index_put_accumulate": [
        sample(
            leaf(2, 2),
            fixed([[True, False], [True, True]]),
            [fixed([[0], [0]], "int64"), fixed([[0, 5]], "int64")],
            leaf(2, 2),
        ),
    ],
    "gather": [
        sample(leaf(3, 3), 0, PLACES),
        sample(leaf(2, 3), 1, PLACES),
        sample(leaf(2, 3), -1, fixed([[1]], "int64")),
        sample(leaf(), 0, fixed(0, "int64")),
        sample(leaf(2, 3), 0, fixed([], "int64", (0, 3))),
        sample(leaf(3, dtype=COMPLEX), 0, ROWS),
        sample(leaf(3, 2, strided=True), 1, fixed([[1], [0], [0]], "int64")),
    ],
    "index_select": [
        sample(leaf(3, 2), 0, ROWS),
        sample(leaf(2, 3), 1, ROWS),
        sample(leaf(3), 0, fixed(1, "int64")),
        sample(leaf(), 0, fixed([0], "int64")),
        sample(leaf(3, 2), 0, fixed([], "int64")),
        sample(leaf(3, dtype=COMPLEX), 0, ROWS),
    ],
    "take": [
        sample(leaf(2, 3), fixed([[0, 5], [2, -1]], "int64")),
        sample(leaf(2, 3), fixed(3, "int64")),
        sample(leaf(), fixed([0, 0], "int64")),
        sample(leaf(0), fixed([], "int64")),
        sample(leaf(3, 2, strided=True), ROWS),
    ],
    "take_along_dim": [
        sample(leaf(2, 3), PLACES, 1),
        sample(leaf(2, 3), fixed([[1]], "int64"), 1),
        sample(leaf(2, 3), fixed([0, 5, 0], "int64")),
    ],
    "masked_select": [
        sample(leaf(2, 3), MASK),
        sample(leaf(2, 3), fixed([True, False, True])),
        sample(leaf(3), MASK),
        sample(leaf(), fixed(True)),
        sample(leaf(2, 3, dtype=COMPLEX), MASK),
    ],
    "nonzero": [
        values_only("positions", fixed([[0.0, 1.0], [2.0, 0.0]])),
        values_only("positions", fixed(3.0)),
        values_only("positions", fixed(0)),
        values_only("positions", fixed([[0.0, 1.0], [2.0, 0.0]]), as_tuple=True),
        values_only("positions", fixed(3.0), as_tuple=True),
    ],
    "argwhere": [
        values_only("positions", fixed([[0, 1], [2, 0]], "int64")),
        values_only("positions", fixed([], shape=(0, 2))),
    ],
    "scatter": [
        sample(leaf(3, 3), 0, fixed([[0, 1, 2], [2, 0, 1]], "int64"), leaf(2, 3)),
        sample(leaf(3, 3), 1, fixed([[2], [0]], "int64"), 1.5),
        sample(leaf(3, 3), 0, fixed([[0, 1, 2], [2, 0, 1]], "int64"), value=-1.0),
        sample(leaf(), 0, fixed(0, "int64"), leaf()),
        sample(leaf(3, dtype=COMPLEX), 0, fixed([2, 0], "int64"), leaf(2, dtype=COMPLEX)),
        values_only("no gradient in PyTorch", leaf(3), 0, ROWS, 2.0, reduce="multiply"),
        values_only("no gradient in PyTorch", leaf(3), 0, ROWS, leaf(3), reduce="add"),
    ],
    "scatter_add": [
        sample(leaf(3, 3), 0, PLACES, leaf(2, 3)),
        sample(leaf(3), 0, ROWS, leaf(3)),
        sample(leaf(), 0, fixed(0, "int64"), leaf()),
        sample(leaf(3), 0, fixed([], "int64"), leaf(0)),
        sample(leaf(3, dtype=COMPLEX), 0, ROWS, leaf(3, dtype=COMPLEX)),
    ],
    "scatter_reduce": [
        one for reduce in ("sum", "mean", "prod", "amax", "amin") for one in reductions(reduce, "scatter")
    ],
    "index_reduce": [one for reduce in ("mean", "prod", "amax", "amin") for one in reductions(reduce, "index")],
    "index_add": [
        sample(leaf(3, 2), 0, ROWS, leaf(3, 2)),
        sample(leaf(2, 3), 1, ROWS, leaf(2, 3), alpha=-2.0),
        sample(leaf(), 0, fixed([0], "int64"), leaf()),
        sample(leaf(3, dtype=COMPLEX), 0, ROWS, leaf(3, dtype=COMPLEX), alpha=2j),
    ],
    "index_copy": [
        sample(leaf(3, 2), 0, fixed([2, 0], "int64"), leaf(2, 2)),
        sample(leaf(2, 3), 1, fixed([1], "int64"), leaf(2, 1)),
        sample(leaf(), 0, fixed([0], "int64"), leaf()),
    ],
    "index_fill": [
        sample(leaf(3, 2), 0, fixed([2, 0], "int64"), 1.5),
        sample(leaf(2, 3), -1, fixed([-1, 2], "int64"), leaf()),
        sample(leaf(), 0, fixed([0], "int64"), 2.0),
        values_only("integers", fixed([1, 2, 3], "int64"), 0, ROWS, 2.7),
    ],
    "put": [
        sample(leaf(2, 3), fixed([0, 5, -2], "int64"), leaf(3)),
        sample(leaf(2, 3), ROWS, leaf(3), True),
        sample(leaf(3, 2, strided=True), fixed([1, 4], "int64"), leaf(2)),
        sample(leaf(), fixed([0], "int64"), leaf(1)),
    ],
    "masked_scatter": [
        sample(leaf(2, 3), MASK, leaf(4)),
        sample(leaf(2, 3), fixed([True, False, True]), leaf(2, 2)),
        sample(leaf(3), MASK, leaf(3)),
        sample(leaf(), fixed(False), leaf(1)),
    ],
    "select_scatter": [sample(leaf(2, 3), leaf(3), 0, 1), sample(leaf(2, 3), leaf(2), 1, -1)],
    "slice_scatter": [
        sample(leaf(2, 3), leaf(1, 3), 0, 1),
        sample(leaf(4, 2), leaf(2, 2), 0, 0, 4, 2),
        sample(leaf(2, 3), leaf(2, 2), 1, -2),
    ],
    "diagonal_scatter": [
        sample(leaf(3, 3), leaf(3)),
        sample(leaf(2, 3), leaf(2), 1),
        sample(leaf(2, 3, 3), leaf(2, 3), 0, 1, 2),
    ],
    "as_strided_scatter": [
        first_order(
            "PyTorch's cotangent of the input is not the derivative",
            fixed([1.0, 2.0, 3.0, 4.0]),
            leaf(2),
            (2,),
            (2,),
            1,
        ),
    ],
}
