"""Samples of convolutions: strides, padding, dilation, groups, without a batch, complex."""

from tests.engine.samples import leaf, sample

SAMPLES = {
    "conv1d": [
        sample(leaf(2, 3, 6), leaf(4, 3, 2), leaf(4)), sample(leaf(3, 6), leaf(2, 3, 3), stride=2, padding="valid"),
        sample(leaf(1, 2, 5), leaf(2, 2, 2), padding="same"), sample(leaf(0, 2, 5), leaf(2, 2, 2), leaf(2)),
        sample(leaf(2, 4, dtype="complex128"), leaf(3, 2, 2, dtype="complex128"), leaf(3, dtype="complex128")),
    ],
    "conv2d": [
        sample(leaf(2, 2, 4, 5), leaf(3, 2, 3, 2), leaf(3), (2, 1), (1, 2), (1, 2)),
        sample(leaf(1, 4, 3, 4), leaf(6, 2, 2, 2), groups=2),
        sample(leaf(4, 3, 4), leaf(8, 1, 2, 2), leaf(8), groups=4),
        sample(leaf(1, 2, 3, 3), leaf(2, 2, 3, 3), padding="same"), sample(leaf(2, 3, 2, 2), leaf(4, 3, 1, 1)),
        sample(leaf(3, 3, 2, 1, strided=True), leaf(2, 3, 2, 1, strided=True)),
    ],
    "conv3d": [
        sample(leaf(1, 2, 3, 2, 3), leaf(2, 2, 2, 1, 2), leaf(2), (1, 2, 1), 1),
        sample(leaf(1, 2, 2, 2), leaf(1, 1, 1, 2, 1)),
    ],
    "conv_transpose1d": [
        sample(leaf(2, 2, 4), leaf(2, 3, 3), leaf(3), 3, 1, 2), sample(leaf(2, 3), leaf(2, 1, 2)),
        sample(leaf(2, 4, dtype="complex128"), leaf(2, 1, 2, dtype="complex128")),
    ],
    "conv_transpose2d": [
        sample(leaf(1, 4, 2, 3), leaf(4, 3, 3, 2), leaf(6), 3, 1, (2, 1), 2, 2),
        sample(leaf(2, 3, 2), leaf(2, 1, 3, 2), None, 1, 0, 2, 1, 3),
    ],
    "conv_transpose3d": [sample(leaf(1, 2, 2, 2, 3), leaf(2, 1, 2, 1, 2), leaf(1), 2)],
    "convolution": [
        sample(leaf(1, 2, 3, 3), leaf(2, 2, 2, 2), leaf(2), [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
        sample(leaf(1, 2, 3, 3), leaf(2, 2, 2, 2), None, [1, 2], [1], [1], True, [0, 1], 1),
    ],
    "conv_tbc": [sample(leaf(4, 2, 3), leaf(2, 3, 2), leaf(2), 1)],
}  # fmt: skip
