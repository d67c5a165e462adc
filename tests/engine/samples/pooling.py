"""Samples of pooling: windows that overlap, stand out, or are of different lengths; places; and back."""

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

PLACES = fixed([[[0, 3], [9, 14]]])


def both(*args: object, **kwargs: object) -> list[Sample]:
    """With the places of the largest elements and without."""
    return [sample(*args, **kwargs), sample(*args, return_indices=True, **kwargs)]


HALVES = fixed([[[0.25, 0.75], [0.5, 0.125]]])
THIRDS = fixed([[[0.25, 0.75, 0.5]]])
TIES = fixed([[[1.0, float("nan"), 3.0], [float("nan"), 2.0, 3.0], [3.0, 3.0, 1.0]]])

SAMPLES = {
    "nn.functional.max_pool1d": [*both(leaf(2, 2, 5), 2), sample(leaf(2, 6), 3, 2, 1, 1, True)],
    "nn.functional.max_pool2d": [
        *both(leaf(1, 2, 5, 6), 2), *both(leaf(2, 4, 5), (3, 2), (2, 1), 1, (1, 2), True), sample(leaf(0, 2, 3, 3), 2),
        values_only("integers", fixed([[[1, 5, 3], [4, 2, 6]]]), 2, 1, 1, return_indices=True),
        values_only("ties and NaN", TIES, 2, 1, return_indices=True), sample(leaf(4, 3, 2, strided=True), 2),
        values_only("nothing but the lowest", fixed([[[-float("inf")] * 2] * 2]), 2, 1, 1, return_indices=True),
    ],
    "nn.functional.max_pool3d": [*both(leaf(1, 1, 3, 4, 3), 2), sample(leaf(1, 3, 3, 4), (3, 2, 2), 2, 1, 1, True)],
    "nn.functional.max_pool1d_with_indices": [sample(leaf(2, 2, 5), 2)],
    "nn.functional.max_pool2d_with_indices": [sample(leaf(2, 4, 5), 2)],
    "nn.functional.max_pool3d_with_indices": [sample(leaf(2, 4, 4, 3), 2)],
    "max_pool1d": [sample(leaf(2, 2, 5), 2)],
    "max_pool2d": [sample(leaf(2, 4, 5), 2)],
    "max_pool3d": [sample(leaf(2, 4, 4, 3), 2)],
    "max_pool1d_with_indices": [sample(leaf(2, 2, 5), 2, 1)],
    "nn.functional.adaptive_max_pool1d": [*both(leaf(2, 2, 5), 3), sample(leaf(2, 3), 5)],
    "nn.functional.adaptive_max_pool2d": [*both(leaf(1, 2, 5, 4), (3, 2)), sample(leaf(2, 3, 4), (None, 3))],
    "nn.functional.adaptive_max_pool3d": [*both(leaf(1, 1, 4, 3, 2), (2, 2, 3)), sample(leaf(1, 3, 2, 3), 2)],
    "nn.functional.adaptive_max_pool1d_with_indices": [sample(leaf(2, 2, 5), 3)],
    "nn.functional.adaptive_max_pool2d_with_indices": [sample(leaf(2, 4, 5), 3)],
    "nn.functional.adaptive_max_pool3d_with_indices": [sample(leaf(2, 4, 4, 3), 2)],
    "adaptive_max_pool1d": [sample(leaf(2, 2, 5), 3)],
    "nn.functional.fractional_max_pool2d": [
        *both(leaf(1, 2, 6, 5), 2, (3, 2), _random_samples=HALVES),
        sample(leaf(2, 6, 5), (3, 2), None, (0.5, 0.7), _random_samples=HALVES),
    ],
    "nn.functional.fractional_max_pool3d": both(leaf(1, 1, 5, 5, 5), 2, (2, 3, 1), _random_samples=THIRDS),
    "nn.functional.fractional_max_pool2d_with_indices": [sample(leaf(2, 6, 5), 2, 3, _random_samples=HALVES)],
    "nn.functional.fractional_max_pool3d_with_indices": [sample(leaf(1, 4, 4, 5), 2, 2, _random_samples=THIRDS)],
    "avg_pool1d": [sample(leaf(2, 2, 5), 2), sample(leaf(2, 6), 3, 2, 1, True, False)],
    "nn.functional.avg_pool2d": [
        sample(leaf(1, 2, 5, 6), 2), sample(leaf(2, 4, 5), (3, 2), (2, 1), 1, True, False),
        sample(leaf(2, 4, 5), (3, 2), (2, 1), 1, True), sample(leaf(2, 4, 5), 3, None, 1, divisor_override=-3),
        values_only("integers", fixed([[[1, 5, 3], [-4, 2, 6]]]), 2, 1, 1, count_include_pad=False),
        values_only("integers", fixed([[[1, 5, 3], [-4, 2, 6]]]), 2, 1, divisor_override=3),
        sample(leaf(0, 2, 3, 3), 2), sample(leaf(4, 3, 2, strided=True), 2),
    ],
    "nn.functional.avg_pool3d": [sample(leaf(1, 1, 3, 4, 3), 2), sample(leaf(1, 3, 3, 4), 2, 2, 1, True, False)],
    "adaptive_avg_pool1d": [sample(leaf(2, 2, 5), 3), sample(leaf(2, 3), 1)],
    "nn.functional.adaptive_avg_pool2d": [
        sample(leaf(1, 2, 5, 4), (3, 2)), sample(leaf(2, 3, 4), (None, 6)), sample(leaf(2, 3, 4), 1),
    ],
    "nn.functional.adaptive_avg_pool3d": [sample(leaf(1, 4, 3, 2), (2, 4, None)), sample(leaf(1, 2, 3, 2), 1)],
    "nn.functional.lp_pool1d": [sample(leaf(2, 2, 5), 2, 2)],
    "nn.functional.lp_pool2d": [sample(leaf(1, 4, 5, low=0.5), 1.5, (2, 3), 1, True)],
    "nn.functional.lp_pool3d": [sample(leaf(1, 2, 4, 3), 2, 2)],
    "nn.functional.max_unpool1d": [
        sample(leaf(1, 3), fixed([[1, 2, 5]]), 2), sample(leaf(1, 1, 2), fixed([[[1, 4]]]), 2, output_size=(5,)),
    ],
    "nn.functional.max_unpool2d": [
        sample(leaf(1, 2, 2), PLACES, 2), sample(leaf(1, 2, 2), PLACES, 3, 2, 1, (4, 4)),
    ],
    "nn.functional.max_unpool3d": [sample(leaf(1, 1, 2, 2), fixed([[[[0, 3], [9, 30]]]]), 2)],
}  # fmt: skip
