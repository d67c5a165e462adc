"""Samples of sorting, selection, quantiles, counting and searching."""

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

NAN = float("nan")
INF = float("inf")
TIES = fixed([3.0, 5.0, 3.0, 3.0, 5.0, 1.0, 3.0])
LONG_TIES = fixed([float(i * i % 7) for i in range(40)])


def tied(*args: object, **kwargs: object) -> Sample:
    return values_only("equal elements", *args, **kwargs)


SAMPLES = {
    "sort": [
        sample(leaf(2, 4)), sample(leaf(3, 2), 0, True), sample(leaf(2, 3), stable=True), sample(leaf()),
        sample(leaf(0, 3), 0), sample(leaf(3, 2, strided=True), 0), tied(TIES, descending=True),
        tied(fixed([3.0, NAN, INF, NAN])), tied(fixed([3.0, NAN, INF, NAN]), descending=True),
        tied(fixed([True, False, True])),
    ],
    "argsort": [
        tied(TIES), tied(TIES, 0, True), tied(fixed([[3, 1], [2, 3]]), 0), tied(fixed([2.0, 2.0]), stable=True),
        tied(fixed(1.0)),
    ],
    "msort": [sample(leaf(3, 2)), tied(fixed([3, 1, 2]))],
    "topk": [
        sample(leaf(2, 4), 2), sample(leaf(3, 2), 1, 0, False), sample(leaf(), 1), tied(TIES, 4),
        tied(TIES, 4, largest=False),
        tied(LONG_TIES, 25), tied(fixed([float(i % 3) for i in range(200)]), 3), tied(fixed([NAN, 1.0, NAN, 2.0]), 3),
    ],
    "kthvalue": [
        sample(leaf(2, 4), 2), sample(leaf(3, 2), 1, 0, True), sample(leaf(), 1), tied(TIES, 3), tied(LONG_TIES, 17),
        tied(fixed([3.0, NAN, 2.0]), 3), tied(fixed([3, 1, 2]), 2),
    ],
    "median": [
        sample(leaf(2, 3)), sample(leaf(2, 4), 1), sample(leaf(3, 2), 0, True), sample(leaf(), 0), tied(TIES, 0),
        tied(LONG_TIES, 0), tied(fixed([3.0, NAN, 2.0, NAN]), 0), tied(fixed([3, 1, 2, 0])), tied(fixed([], "float64")),
    ],
    "nanmedian": [
        sample(leaf(2, 3)), sample(leaf(2, 4), 1), tied(fixed([3.0, NAN, 2.0, NAN]), 0), tied(fixed([NAN, 1.0, 4.0])),
        tied(fixed([NAN, NAN]), 0),
    ],
    "mode": [
        sample(leaf(2, 3)), sample(leaf(3, 2), 0, True), sample(leaf()), tied(TIES), tied(LONG_TIES),
        tied(fixed([NAN, NAN, 1.0, 1.0])), tied(fixed([True, False, True])),
    ],
    "quantile": [
        sample(leaf(2, 3), 0.4), sample(leaf(2, 4), 0.3, 1, True), sample(leaf(2, 4), fixed([0.1, 0.5]), 0),
        sample(leaf(5), leaf(2, low=0.1, high=0.9)), sample(leaf(), 0.5), sample(leaf(2, 3), fixed([0.2]),
        keepdim=True),
        *[sample(leaf(2, 5), 0.3, 1, interpolation=how) for how in ("lower", "higher", "midpoint", "nearest")],
        tied(fixed([[1.0, NAN], [2.0, 3.0]]), 0.5, 1),
    ],
    "nanquantile": [
        sample(leaf(2, 3), 0.4), sample(leaf(2, 4), fixed([0.1, 0.5]), 0, True),
        tied(fixed([[1.0, NAN, 2.0], [NAN, NAN, NAN]]), 0.5, 1),
    ],
    "unique": [
        tied(fixed([[1, 3], [1, 3], [0, 2]])), tied(TIES, return_inverse=True, return_counts=True),
        tied(fixed([[1, 3], [1, 3], [0, 2]]), dim=0, return_inverse=True, return_counts=True),
        tied(fixed([NAN, 1.0, NAN])),
        tied(fixed([True, False])),
    ],
    "unique_consecutive": [
        tied(fixed([1, 1, 2, 2, 1]), return_inverse=True, return_counts=True), tied(fixed([[1, 3], [1, 3], [0, 2]]),
        dim=0),
    ],
    "bincount": [
        tied(fixed([0, 1, 1, 3])), tied(fixed([0, 1, 1]), fixed([0.5, 1.0, 2.0])), tied(fixed([1]), minlength=4),
        tied(fixed([], "int64"), minlength=2),
    ],
    "histc": [
        tied(fixed([1.0, 2.0, 1.0]), 4, 0, 3), tied(fixed([1.0, 2.0, 1.0]), 3), tied(fixed([0.0, 1.0, 2.0, NAN]),
        4, 0, 2),
        tied(fixed([2.0, 2.0]), 3),
    ],
    "searchsorted": [
        tied(fixed([1.0, 3.0, 5.0]), fixed([[0.0, 3.0], [9.0, NAN]])), tied(fixed([1.0, 3.0, 5.0]), 3.0, right=True),
        tied(fixed([[1, 3, 5], [2, 4, 6]]), fixed([[3, 1], [3, 9]]), side="right", out_int32=True),
        tied(fixed([3.0, 1.0, 5.0]), fixed([2.0]), sorter=fixed([1, 0, 2])), tied(fixed([], "float64"), fixed([1.0])),
    ],
    "bucketize": [
        tied(fixed([[3.0, 6.0]]), fixed([1.0, 3.0, 5.0])), tied(4, fixed([1.0, 3.0, 5.0])),
        tied(fixed([3]), fixed([1.0, 3.0, 5.0]), right=True, out_int32=True),
    ],
}  # fmt: skip
