"""Samples of what leaves out elements where a mask is false: without a mask, with one of all elements or of a row."""

from typing import Any

from tests.engine.samples import Sample, first_order, fixed, leaf, sample, values_only

COMPLEX: dict[str, Any] = {"dtype": "complex128"}
INF = float("inf")
MASK = fixed([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
ROW = fixed([True, False, True, True])
NONE = fixed([[True, True], [False, False]])
WHOLE = fixed([[5, 1, 4, 2], [3, 8, 6, 7], [9, 0, 2, 1]])


def reduced(*, complex: bool = True, low: float = -2.0, integers: bool = True) -> list[Sample]:
    """Over everything, a dimension, several, with and without keeping them."""
    of_all = [{"dtype": "float64"}, *([COMPLEX] if complex else [])]
    return [
        *[one for dtype in of_all for one in (
            sample(leaf(3, 4, low=low, **dtype), mask=MASK), sample(leaf(3, 4, low=low, **dtype), 1, mask=MASK),
            sample(leaf(2, 3, 4, low=low, **dtype), (0, -1), keepdim=True, mask=MASK),
        )],
        sample(leaf(3, 4, low=low)), sample(leaf(3, 4, low=low), 0, keepdim=True),
        sample(leaf(4, 3, low=low, strided=True), 0), sample(leaf(3, 4, low=low), -1, mask=ROW),
        sample(leaf(3, 4, low=low), (), mask=fixed([[1], [0], [2]])),
        values_only("another dtype", fixed([[3.0, 4.0]], "float32"), 1, dtype="float64"),
        *([values_only("integers", WHOLE, 1, mask=MASK)] if integers else []),
    ]  # fmt: skip


def spread() -> list[Sample]:
    """Variances with every way of saying what is divided by."""
    return [
        *reduced(), sample(leaf(3, 4), 1, False, mask=MASK), sample(leaf(3, 4), 1, True),
        sample(leaf(3, 4), 1, correction=0, mask=MASK), sample(leaf(3, 4), 1, correction=0.5, keepdim=True),
        values_only("more freedom than elements", leaf(3, 4), 1, correction=3, mask=MASK),
    ]  # fmt: skip


def along(*, complex: bool = False) -> list[Sample]:
    """Slices along one dimension, with and without a mask."""
    return [
        sample(leaf(3, 4), 0), sample(leaf(3, 4), 1, mask=MASK), sample(leaf(2, 3, 4), -1, mask=ROW),
        sample(leaf(4, 3, strided=True), 1), sample(leaf(), 0),
        values_only("another dtype", fixed([[3.0, 4.0]], "float32"), 1, dtype="float64"),
        *([sample(leaf(3, 4, **COMPLEX), 1, mask=MASK)] if complex else []),
    ]  # fmt: skip


PLACES = [
    values_only("a place", WHOLE, 1, mask=MASK), values_only("a place", fixed([[0.5, 2.0], [1.0, 3.0]]), mask=NONE),
    values_only("a place", fixed([[0.5, 2.0, -1.0]]), 1, keepdim=True, dtype="int64"),
]  # fmt: skip

SAMPLES = {
    "masked.sum": [*reduced(), values_only("bools", MASK), values_only("all masked out", leaf(2, 2), 1, mask=NONE)],
    "masked.prod": [
        *reduced(low=0.5), values_only("bytes", fixed([[200, 2]], "uint8"), 1),
        values_only("all masked out", leaf(2, 2), 1, mask=NONE),
    ],
    "masked.amax": [*reduced(complex=False), values_only("all masked out", leaf(2, 2), 1, mask=NONE)],
    "masked.amin": [*reduced(complex=False), values_only("all masked out", leaf(2, 2), 1, mask=NONE)],
    "masked.argmax": PLACES, "masked.argmin": PLACES,
    "masked.mean": [
        *reduced(integers=False), values_only("all masked out", leaf(2, 2), 1, mask=NONE),
        values_only("integers", WHOLE, 1, dtype="float64", mask=MASK), sample(leaf(), 0),
    ],
    "masked.median": [
        sample(leaf(3, 4), 1, mask=MASK), sample(leaf(3, 4)),
        sample(leaf(3, 5), 0, keepdim=True, mask=fixed([True] * 5)),
        values_only("integers", WHOLE, 1, mask=MASK), values_only("all masked out", leaf(2, 2), 1, mask=NONE),
    ],
    "masked.logsumexp": [*reduced(), values_only("all masked out", leaf(2, 2), 1, mask=NONE)],
    "masked.logaddexp": [
        sample(leaf(3, 4), leaf(3, 4)), sample(leaf(3, 4), leaf(4), dtype="float64", other_mask=fixed([True] * 4)),
        first_order("infinite operands have no second derivative", leaf(3, 4), leaf(3, 4), other_mask=MASK),
        first_order("infinite operands have no second derivative", leaf(3, 4), leaf(3, 4), input_mask=ROW),
    ],
    "masked.norm": [
        *[sample(leaf(3, 4), order, 1, mask=MASK) for order in (2.0, 1.5, 3, INF, -INF)],
        sample(leaf(3, 4)), sample(leaf(2, 3, 4), 2, (0, 1), keepdim=True),
        sample(leaf(3, 4, **COMPLEX), 2, 1, mask=MASK),
        values_only("a count", leaf(3, 4), 0, mask=MASK), values_only("all masked out", leaf(2, 2), -INF, 1, mask=NONE),
    ],
    "masked.var": spread(), "masked.std": spread(),
    "masked.softmax": [*along(), values_only("all masked out", leaf(2, 2), 1, mask=NONE)],
    "masked.log_softmax": [
        *[one for one in along() if "mask" not in one.kwargs], sample(leaf(3, 4), 1, mask=fixed([True] * 4)),
        values_only("infinite results", leaf(3, 4), 1, mask=MASK),
    ],
    "masked.softmin": along(),
    "masked.cumsum": [*along(complex=True), values_only("integers", WHOLE, 1, mask=MASK)],
    "masked.cumprod": [*along(complex=True), values_only("integers", WHOLE, 0, mask=MASK)],
    "masked.normalize": [
        sample(leaf(3, 4), 2, 1, mask=MASK), sample(leaf(3, 4), 3, 0), sample(leaf(2, 3), 1.0, 1, eps=10.0),
        sample(leaf(3, 4), INF, 1, mask=ROW), values_only("all masked out", leaf(2, 2), 2, 1, mask=NONE),
    ],
}  # fmt: skip
