"""Samples of the reductions."""

from tests.engine.samples import Sample, first_order, fixed, leaf, sample, values_only

COMPLEX = "complex128"
NAN = float("nan")
INF = float("inf")
PIECEWISE = "the gradient is piecewise constant"


def reduced(*, dims: bool = True, low: float = -2.0, has_complex: bool = True) -> list[Sample]:
    """Everything, a dimension, several, with and without keeping them; 0-d, empty and strided input."""
    return [
        sample(leaf(2, 3, low=low)), sample(leaf(2, 3, low=low), 1), sample(leaf(2, 3, low=low), -2, True),
        sample(leaf(low=low)), sample(leaf(low=low), 0), sample(leaf(3, 2, low=low, strided=True), 0),
        *([sample(leaf(2, 3, 2, low=low), (0, 2)), sample(leaf(2, 1, 2, low=low), (0, -1),
        keepdim=True)] if dims else []),
        *([sample(leaf(2, 3, low=low, dtype=COMPLEX)), sample(leaf(2, 3, dtype=COMPLEX), 1)] if has_complex else []),
    ]  # fmt: skip


DISTINCT = [[3.0, -1.0, 2.5], [0.5, 4.0, -2.0]]


def extreme(*, dims: bool) -> list[Sample]:
    """Extrema of distinct elements are differentiable; of equal ones only values count."""
    return [
        sample(leaf(2, 3)), sample(leaf(2, 3), 1), sample(leaf(2, 3), -2, keepdim=True), sample(leaf()),
        sample(leaf(), 0), sample(leaf(3, 2, strided=True), 0), sample(leaf(0, 3), 1),
        *([sample(leaf(2, 3, 2), (0, 2))] if dims else []),
        values_only("NaN", fixed([1.0, NAN, 3.0])), values_only("integers", fixed([3, 1, 2], "int32")),
        values_only("bools", fixed([True, False])),
    ]  # fmt: skip


def spread() -> list[Sample]:
    """Variances with every way of saying what is divided by; of one element they are NaN."""
    return [
        *[one for one in reduced() if one.args[0].shape], values_only("one element", fixed([2.0])),
        sample(leaf(2, 3), unbiased=False), sample(leaf(2, 3), 1, False, True), sample(leaf(), 0, correction=0),
        sample(leaf(2, 3), dim=0, correction=0), sample(leaf(2, 3), (0, 1), correction=0.5, keepdim=True),
        sample(leaf(2, 4, dtype=COMPLEX), 1, correction=0),
    ]  # fmt: skip


def with_ties(*args: object) -> Sample:
    return values_only("equal elements", *args)


SAMPLES = {
    "sum": [
        *reduced(), sample(leaf(0, 3)), sample(leaf(0, 3), 0), sample(leaf(2, 3), ()), sample(leaf(2, 3), None, True),
        values_only("bools", fixed([True, True, False])), values_only("bytes", fixed([200, 100], "uint8")),
        values_only("dtype", fixed([1.5, 2.5]), dtype="int32"), values_only("float16", fixed([1.5, 2.5], "float16"), 0),
    ],
    "mean": [*reduced(), sample(leaf(2, 3), ()), values_only("dtype", fixed([1, 2]), dtype="float64")],
    "nansum": [*reduced(has_complex=False), values_only("NaN", fixed([[1.0, NAN], [2.0, 3.0]]), 1)],
    "nanmean": [*reduced(has_complex=False), values_only("NaN", fixed([[1.0, NAN], [NAN, NAN]]), 1)],
    "sum_to_size": [
        sample(leaf(2, 3), 1, 3), sample(leaf(2, 3), (3,)), sample(leaf(2, 3), ()), sample(leaf(2, 3), 2, 3),
        sample(leaf(2, 3, dtype=COMPLEX), (2, 1)),
    ],
    "prod": [
        *reduced(dims=False), sample(leaf(0, 3), 1), values_only("integers", fixed([2, 3], "uint8")),
        sample(leaf(4, low=0.0)), first_order("one zero", leaf(2, 3)),
    ],
    "logsumexp": [
        *[one for one in reduced() if len(one.args) > 1], values_only("integers", fixed([1, 2, 3]), 0),
        values_only("infinite", fixed([-INF, -INF]), 0), values_only("large", fixed([1000.0, 1000.0]), 0),
        sample(leaf(0, 3), 1),
    ],
    "any": [
        values_only("a mask", fixed([[0.0, NAN], [0.0, 0.0]]), 1), values_only("a byte", fixed([0, 2], "uint8")),
        values_only("a mask", fixed([[0, 1], [0, 0]]), (0, 1), True), values_only("empty", fixed([], "float64")),
    ],
    "all": [
        values_only("a mask", fixed([[1.0, NAN], [0.0, 1.0]]), 1), values_only("a byte", fixed([1, 2], "uint8")),
        values_only("a mask", fixed([[2, 1], [1, 0]]), (0, 1), True), values_only("empty", fixed([], "float64")),
    ],
    "count_nonzero": [
        values_only("a count", fixed([[0.0, NAN], [0.0, 2.0]])), values_only("a count", fixed([[0, 1], [0, 0]]), 1),
        values_only("a count", fixed([[0, 1], [0, 0]]), (0, 1)),
    ],
    "amax": [*extreme(dims=True), with_ties(fixed([[1.0, 2.0, 2.0]]), 1), with_ties(fixed([1.0, NAN]))],
    "amin": [*extreme(dims=True), with_ties(fixed([[1.0, 1.0, 2.0]]), 1), with_ties(fixed([1.0, NAN]))],
    "max": [*extreme(dims=False), sample(leaf(2, 3), leaf(3)), with_ties(fixed([3.0, 1.0, 3.0]), 0)],
    "min": [*extreme(dims=False), sample(leaf(2, 3), leaf(3)), with_ties(fixed([3.0, 1.0, 1.0]), 0)],
    "aminmax": [
        sample(leaf(2, 3)), sample(leaf(2, 3), dim=1), sample(leaf(2, 3), dim=0, keepdim=True), sample(leaf(), dim=0),
        values_only("integers", fixed([3, 1, 2])),
    ],
    "argmax": [
        values_only("a place", fixed([[1.0, 3.0, 3.0], [NAN, 1.0, NAN]]), 1), values_only("a place", fixed([1, 3, 2])),
        values_only("a place", fixed([[1.0, 3.0]]), None, True), values_only("a place", fixed(1.0), 0),
    ],
    "argmin": [
        values_only("a place", fixed([[1.0, 3.0, 1.0], [NAN, 1.0, NAN]]), 1), values_only("a place", fixed([2, 1, 3])),
        values_only("a place", fixed([[1.0, 3.0]]), 0, True),
    ],
    "var": spread(), "std": spread(),
    "var_mean": spread(), "std_mean": spread(),
    "cov": [
        sample(leaf(2, 3)), sample(leaf(4)), sample(leaf(2, 3, dtype=COMPLEX)), sample(leaf(2, 3), correction=0),
        sample(leaf(2, 3), fweights=fixed([1, 2, 1]), aweights=leaf(3, low=0.5)),
    ],
    "corrcoef": [sample(leaf(3, 4)), sample(leaf(2, 4, dtype=COMPLEX)), values_only("integers", fixed([[1, 2],
    [4, 3]]))],
    "linalg.vector_norm": [
        sample(leaf(2, 3)), sample(leaf(2, 3), 2, 1), sample(leaf(2, 3), 3, (0, 1), True), sample(leaf(2, 3), 1.5, 0),
        sample(leaf(2, 3, low=0.5), 0.5), sample(leaf(2, 3), 1), sample(leaf(2, 3), INF, 1), sample(leaf(2, 3),
        -INF, 0),
        sample(leaf(2, 3, dtype=COMPLEX)), sample(leaf(2, 3, dtype=COMPLEX), 3, 1), sample(leaf(2, 3, dtype=COMPLEX),
        1),
        values_only("a count", fixed([1.0, 0.0]), 0), sample(leaf(0, 3), 2, 0), sample(leaf(low=0.5), 2),
        values_only("dtype", fixed([3.0, 4.0], "float32"), dtype="float64"),
    ],
    "norm": [
        sample(leaf(2, 3)), sample(leaf(2, 3), 3), sample(leaf(2, 3), 2, 1, True), sample(leaf(2, 3), "fro", (0, 1)),
        sample(leaf(3, dtype=COMPLEX), 1),
    ],
    "dist": [
        sample(leaf(2, 3), leaf(2, 3)), sample(leaf(2, 3), leaf(3), 3), sample(leaf(2), leaf(2), 1),
        sample(leaf(4), leaf(4), INF), sample(leaf(), leaf(3)), sample(leaf(2, dtype=COMPLEX), leaf(2, dtype=COMPLEX)),
    ],
    "renorm": [
        sample(leaf(3, 4), 2, 0, 1.0), sample(leaf(3, 4), 1, 1, 2.0), sample(leaf(2, 3, 2), 3, -1, 0.5),
        sample(leaf(3, 2, dtype=COMPLEX), 2, 0, 1.0),
    ],
    "segment_reduce": [
        first_order("PyTorch has none", leaf(5), reduce, lengths=fixed([2, 0, 3]), initial=initial)
        for reduce in ("sum", "mean", "prod", "max", "min") for initial in (1.5, 0.5)
    ] + [
        first_order("PyTorch has none", leaf(2, 4, 2), "sum", lengths=fixed([[1, 3], [4, 0]]), axis=1),
        first_order("PyTorch has none", leaf(5), "prod", offsets=fixed([0, 2, 5])),
    ],
}  # fmt: skip
