"""Samples of window functions."""

from tests.engine.samples import values_only

MADE = "made from nothing"

SAMPLES = {
    **{
        f"{name}_window": [
            *[values_only(MADE, length, dtype="float64") for length in (0, 1, 2, 7)],
            values_only(MADE, 6, False, dtype="float64"),
        ]
        for name in ("bartlett", "blackman", "hamming", "hann", "kaiser")
    },
    **{
        f"signal.windows.{name}": [
            *[values_only(MADE, length, dtype="float64") for length in (0, 1, 2, 7)],
            values_only(MADE, 6, sym=False, dtype="float64"),
        ]
        for name in (
            "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_hamming", "hamming", "hann", "kaiser",
            "nuttall",
        )
    },
    "signal.windows.general_cosine": [
        values_only(MADE, 7, a=[0.4, 0.3, 0.2], dtype="float64"),
        values_only(MADE, 7, a=[0.5], sym=False, dtype="float64"),
    ],
}  # fmt: skip
