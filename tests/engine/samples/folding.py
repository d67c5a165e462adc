"""Samples of windows as columns, and of channels and pixels exchanged."""

from tests.engine.samples import fixed, leaf, sample, values_only

SAMPLES = {
    "nn.functional.unfold": [
        sample(leaf(1, 2, 4, 3), (2, 3)), sample(leaf(2, 4, 5), (2, 3), (2, 1), 1, 2), sample(leaf(0, 1, 3, 3), 2),
        sample(leaf(1, 3, 3, dtype="complex128"), 2), sample(leaf(4, 3, 2, strided=True), 2),
    ],
    "nn.functional.fold": [
        sample(leaf(1, 8, 6), (3, 4), 2), sample(leaf(4, 20), (3, 4), 2, 1, 1), sample(leaf(0, 4, 4), 3, 2),
        sample(leaf(1, 4, 4), (5, 5), 2, 2, 0, (2, 2)), sample(leaf(4, 4, dtype="complex128"), 3, 2),
    ],
    "pixel_shuffle": [
        sample(leaf(1, 4, 2, 3), 2), sample(leaf(9, 1, 2), 3),
        values_only("integers", fixed([[[1]], [[2]], [[3]], [[4]]]), 2),
    ],
    "pixel_unshuffle": [sample(leaf(1, 2, 2, 4), 2), sample(leaf(1, 3, 3), 3)],
    "channel_shuffle": [sample(leaf(1, 6, 2, 2), 3), sample(leaf(2, 4, 2), 2)],
}  # fmt: skip
