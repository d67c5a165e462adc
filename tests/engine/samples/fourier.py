"""Samples of Fourier transforms: with fewer, as many and more points than there are, in every normalisation."""

from typing import Any

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

COMPLEX: dict[str, Any] = {"dtype": "complex128"}


def along(*, real: bool = True, complex: bool = True) -> list[Sample]:
    """Transforms over one dimension."""
    return [
        *[one for dtype, wanted in (("float64", real), ("complex128", complex)) if wanted for one in (
            sample(leaf(2, 5, dtype=dtype)), sample(leaf(2, 4, dtype=dtype), 6),
            sample(leaf(5, 2, dtype=dtype), 3, 0, "ortho"), sample(leaf(3, 4, dtype=dtype), norm="forward"),
            sample(leaf(4, 3, dtype=dtype, strided=True), norm="backward"), sample(leaf(2, 3, dtype=dtype), n=1),
            sample(leaf(2, 3, 2, dtype=dtype), dim=1),
        )],
        values_only("integers", fixed([3, 1, 2], "int32")), values_only("float32", fixed([3.0, 1.0, 2.0], "float32")),
        values_only("bools", fixed([True, False, True])),
    ]  # fmt: skip


def over(*, real: bool = True, complex: bool = True, given: bool = False) -> list[Sample]:
    """Transforms over several dimensions, the last two or all of them unless they are given."""
    return [
        *[one for dtype, wanted in (("float64", real), ("complex128", complex)) if wanted for one in (
            sample(leaf(3, 4, dtype=dtype)), sample(leaf(2, 3, 5, dtype=dtype), (2, 6)),
            sample(leaf(3, 4, dtype=dtype), (5, -1), (0, 1), "ortho"), sample(leaf(2, 3, 4, dtype=dtype), dim=(2, 0)),
            sample(leaf(4, 3, dtype=dtype, strided=True), norm="forward"), sample(leaf(3, 4, dtype=dtype), dim=(1,)),
            *([] if given else [sample(leaf(2, 3, 2, 3, dtype=dtype)), sample(leaf(5, dtype=dtype))]),
        )],
        values_only("integers", fixed([[3, 1], [2, 5]])), values_only("float32", fixed([[3.0, 1.0]] * 2, "float32")),
    ]  # fmt: skip


SAMPLES = {
    "fft.fft": along(), "fft.ifft": along(), "fft.rfft": along(complex=False), "fft.ihfft": along(complex=False),
    "fft.irfft": along(), "fft.hfft": along(),
    "fft.fftn": [*over(), sample(leaf()), sample(leaf(2, 3), dim=()), sample(leaf(2, 3, **COMPLEX), (), ())],
    "fft.ifftn": over(), "fft.rfftn": over(complex=False), "fft.ihfftn": over(complex=False),
    "fft.irfftn": over(), "fft.hfftn": over(),
    "fft.fft2": over(given=True), "fft.ifft2": over(given=True),
    "fft.rfft2": over(complex=False, given=True), "fft.ihfft2": over(complex=False, given=True),
    "fft.irfft2": over(given=True), "fft.hfft2": over(given=True),
    "fft.fftfreq": [
        values_only("a constant", 5), values_only("a constant", 4, 0.3, dtype="float64"), values_only("empty", 0),
        values_only("points in one place", 4, 0),
    ],
    "fft.rfftfreq": [
        values_only("a constant", 5), values_only("a constant", 4, 0.3, dtype="float64"), values_only("no points", 0),
        values_only("fewer than none", -3),
    ],
    "fft.fftshift": [
        sample(leaf(4, 5)), sample(leaf(4, 5), 1), sample(leaf(3, 2, 3, **COMPLEX), (0, -1)),
        values_only("integers", fixed([1, 2, 3])),
    ],
    "fft.ifftshift": [
        sample(leaf(4, 5)), sample(leaf(4, 5), 1), sample(leaf(3, 2, 3, **COMPLEX), (0, -1)),
        values_only("integers", fixed([1, 2, 3])),
    ],
    "stft": [
        sample(leaf(10), 4, return_complex=True), sample(leaf(2, 9), 4, 2, 3, leaf(3), return_complex=True),
        sample(leaf(10), 5, 2, return_complex=False, normalized=True), sample(leaf(2, 8, **COMPLEX), 4),
        sample(leaf(8), 4, 1, center=False, onesided=False, return_complex=True),
        sample(leaf(8), 4, 2, 2, center=False, align_to_window=True, return_complex=True),
        sample(leaf(8), 4, pad_mode="constant", return_complex=True), sample(leaf(8), 4, 2, 4, leaf(4, **COMPLEX)),
    ],
    "istft": [
        sample(leaf(3, 5, **COMPLEX), 4), sample(leaf(2, 3, 4, **COMPLEX), 4, 2, 3, leaf(3, low=0.5)),
        sample(leaf(4, 5, **COMPLEX), 4, 1, normalized=True, onesided=False),
        sample(leaf(3, 5, **COMPLEX), 4, 2, center=False, length=7), sample(leaf(3, 4, **COMPLEX), 5, 2, length=14),
        sample(leaf(4, 5, **COMPLEX), 4, 2, return_complex=True),
    ],
}  # fmt: skip
