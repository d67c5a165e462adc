"""Samples of the scans, differences and integrals."""

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

COMPLEX = "complex128"
NAN = float("nan")
INF = float("inf")


def scanned(*, has_complex: bool = True) -> list[Sample]:
    """Along a dimension; 0-d, empty and strided input."""
    return [
        sample(leaf(4), 0), sample(leaf(2, 3), 1), sample(leaf(2, 3), -2), sample(leaf(), 0), sample(leaf(0, 3), 0),
        sample(leaf(3, 2, strided=True), 1), *([sample(leaf(2, 3, dtype=COMPLEX), 1)] if has_complex else []),
    ]  # fmt: skip


SAMPLES = {
    "cumsum": [
        *scanned(), values_only("bytes", fixed([200, 100], "uint8"), 0), values_only("dtype", fixed([1, 2]),
        0, dtype="float64"),
    ],
    "cumprod": [*scanned(), sample(leaf(9), 0), values_only("bools", fixed([True, False]), 0)],
    "cumsum_": [values_only("in place", fixed([1.0, 2.0]), 0), values_only("in place", fixed([1, 2], "int32"), 0)],
    "cumprod_": [values_only("in place", fixed([3.0, 2.0]), 0), values_only("in place", fixed([3, 2], "int32"), 0)],
    "cummax": [
        *scanned(has_complex=False), values_only("equal elements", fixed([1.0, 3.0, 2.0, 3.0, NAN, 5.0]), 0),
        values_only("bools", fixed([False, True, False]), 0),
    ],
    "cummin": [
        *scanned(has_complex=False), values_only("equal elements", fixed([3.0, 1.0, 2.0, 1.0, NAN, 0.0]), 0),
        values_only("integers", fixed([3, 1, 2]), 0),
    ],
    "logcumsumexp": [
        *scanned(), values_only("infinite", fixed([-INF, -INF, 1.0, INF, 2.0]), 0),
        values_only("large", fixed([1000.0, -1000.0, 1000.0]), 0), values_only("NaN", fixed([1.0, NAN, 1.0]), 0),
    ],
    "diff": [
        sample(leaf(4)), sample(leaf(2, 4), 2), sample(leaf(3, 2), 1, 0), sample(leaf(2, 3), 0), sample(leaf(3), 5),
        sample(leaf(2, 3), 1, -1, leaf(2, 1), leaf(2, 2)), sample(leaf(3, dtype=COMPLEX)),
        values_only("bools", fixed([True, False, False])), values_only("empty", fixed([], "float64", (0, 2)), dim=0),
    ],
    "gradient": [
        sample(leaf(3, 4)), sample(leaf(3, 4), spacing=2.0), sample(leaf(3, 4), dim=1, edge_order=2),
        sample(leaf(4), spacing=[fixed([0.0, 1.0, 3.0, 7.0])], dim=0, edge_order=2),
        sample(leaf(3, 3), spacing=[fixed([0.0, 1.0, 3.0]), fixed([0.0, 2.0, 3.0])]), sample(leaf(3, dtype=COMPLEX)),
        values_only("integers", fixed([1, 2, 4])),
    ],
    "trapezoid": [
        sample(leaf(4)), sample(leaf(2, 3), dx=2.5, dim=0), sample(leaf(2, 3), leaf(3)), sample(leaf(2, 3),
        leaf(2, 3), dim=0),
        sample(leaf(3, dtype=COMPLEX), leaf(3)), values_only("integers", fixed([1, 2, 4])),
        values_only("empty", fixed([], "float64", (0, 2)), dim=0),
    ],
    "trapz": [sample(leaf(4), dx=0.5), sample(leaf(2, 3), leaf(3))],
    "cumulative_trapezoid": [
        sample(leaf(4)), sample(leaf(2, 3), dx=2.5, dim=0), sample(leaf(2, 3), leaf(3)),
        sample(leaf(3, dtype=COMPLEX), leaf(3)),
        values_only("integers", fixed([1, 2, 4])),
    ],
}  # fmt: skip
