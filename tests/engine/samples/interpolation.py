"""Samples of interpolation: every mode, larger and smaller, by sizes and by scales."""

from tests.engine.samples import leaf, sample

SAMPLES = {
    "nn.functional.interpolate": [
        sample(leaf(1, 2, 4), 7), sample(leaf(1, 2, 3, 4), scale_factor=1.7),
        sample(leaf(1, 1, 2, 3, 2), (3, 2, 3)), sample(leaf(0, 2, 3), 5),
        sample(leaf(1, 2, 4), 7, mode="nearest-exact"),
        sample(leaf(1, 1, 3, 4), scale_factor=0.7, mode="nearest-exact"),
        *[sample(leaf(1, 2, 4), size, mode="linear", align_corners=True) for size in (7, 3, 1)],
        *[sample(leaf(1, 2, 4), size, mode="linear") for size in (7, 3)],
        sample(leaf(1, 2, 3, 4), (5, 2), mode="bilinear"), sample(leaf(1, 2, 3, 4), scale_factor=1.6, mode="bilinear"),
        sample(leaf(4, 3, 1, 2, strided=True), (5, 2), mode="bilinear", align_corners=True),
        sample(leaf(1, 1, 3, 4), (5, 3), mode="bicubic"),
        sample(leaf(1, 1, 3, 4), (5, 1), mode="bicubic", align_corners=True),
        sample(leaf(1, 1, 2, 3, 2), (3, 2, 4), mode="trilinear"),
        sample(leaf(1, 1, 6, 5), (3, 4), mode="bilinear", antialias=True),
        sample(leaf(1, 1, 6, 5), (3, 7), mode="bicubic", antialias=True, align_corners=True),
        sample(leaf(1, 1, 6, 5), (3, 7), mode="lanczos", antialias=True),
        sample(leaf(1, 2, 4), 3, mode="area"), sample(leaf(1, 2, 4, 3), scale_factor=1.5, mode="area"),
        sample(leaf(1, 1, 4, 3, 2), 2, mode="area"),
        sample(leaf(1, 2, 4), scale_factor=1.6, mode="linear", recompute_scale_factor=True),
    ],
    "nn.functional.upsample": [sample(leaf(1, 2, 4), 7, mode="linear")],
    "nn.functional.upsample_nearest": [sample(leaf(1, 2, 4, 3), scale_factor=2)],
    "nn.functional.upsample_bilinear": [sample(leaf(1, 2, 4, 3), (3, 5))],
}  # fmt: skip
