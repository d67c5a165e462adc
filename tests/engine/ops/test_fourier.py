"""Fourier transforms: where results lie in memory, what they are refused for, and that refusals come first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import BudgetError, EngineError

torch: Any = engine
F: Any = engine.fft


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    with modes.use(modes.State(warnings=[])):
        yield


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("F.fft(x, dim=0)", (1, 15, 3)), ("F.fft(x.mT)", (20, 4, 1)), ("F.fft(x.mT, dim=0)", (1, 3, 15)),
        ("F.fftn(x, dim=(0, 2))", (5, 15, 1)), ("F.fftn(x, dim=(2, 0))", (5, 15, 1)),
        ("F.rfftn(x, dim=(0, 2))", (3, 9, 1)), ("F.rfftn(x, dim=(2, 0))", (1, 10, 2)),
        ("F.irfftn(x, dim=(0, 2))", (8, 24, 1)), ("F.irfft(x.mT, dim=1)", (32, 1, 8)),
        ("F.ihfftn(x)", (4, 1, 12)), ("x[0].stft(2, 1, return_complex=True)", (12, 1, 2)),
    ],
)  # fmt: skip
def test_results_lie_in_memory_as_pytorchs_do(code: str, expected: tuple[int, ...]) -> None:
    assert eval(code, {"F": F, "x": torch.ones(3, 4, 5)}).stride() == expected


NOT_ONE = "When given, dim and shape arguments must have the same length"
NOTHING = "MKL FFT error: Intel oneMKL DFTI ERROR: Inconsistent configuration parameters"
OF_STFT = (
    "stft(torch.FloatTensor[2, 6], n_fft={}, hop_length={}, win_length={}, window={}, normalized=0, onesided=None, "
    "return_complex=1, align_to_window=None) : {}"
)
OF_ISTFT = (
    "istft(CPUComplexFloatType[3, 5], n_fft=4, hop_length={}, win_length=4, window={}, center=1, normalized=0, "
    "onesided=None, length=None, return_complex=0)"
)


@pytest.mark.parametrize(
    ("code", "exception", "text"),
    [
        ("F.fft(x, n=0)", "RuntimeError", "Invalid number of data points (0) specified"),
        ("F.irfft(x[:, :1])", "RuntimeError", "Invalid number of data points (0) specified"),
        ("F.fft(x, norm='bad')", "RuntimeError", 'Invalid normalization mode: "bad"'),
        ("F.fft(x[0, 0])", "IndexError", "Dimension specified as -1 but tensor has no dimensions"),
        ("F.fft(x[:0])", "RuntimeError", NOTHING),
        ("F.rfft(c)", "RuntimeError", "rfft expects a real input tensor, but got ComplexFloat"),
        ("F.rfftn(c)", "RuntimeError", "rfftn expects a real-valued input tensor, but got ComplexFloat"),
        ("F.ihfft2(c)", "RuntimeError", "Only supports floating-point dtypes, but found: ComplexFloat"),
        ("F.fft(x.half())", "RuntimeError", "Unsupported dtype Half"),
        ("F.fft2(x, (3,))", "RuntimeError", NOT_ONE),
        ("F.fft2(x, dim=(0, 0))", "RuntimeError", "FFT dims must be unique"),
        ("F.fftn(x, (1, 2, 3))", "RuntimeError", "Got shape with 3 values but input tensor only has 2 dimensions."),
        ("F.irfftn(x, dim=())", "RuntimeError", "irfftn must transform at least one axis"),
        ("F.fftfreq(4, dtype=torch.int64)", "RuntimeError", "fftfreq requires a floating point or complex dtype"),
        ("F.fft(x, 'a')", "TypeError", "fft_fft(): argument 'n' (position 2) must be int, not str"),
        ("F.fft([1.0])", "TypeError", "fft_fft(): argument 'input' (position 1) must be Tensor, not list"),
        ("x.stft(7, center=False, return_complex=True)", "RuntimeError",
         OF_STFT.format(7, 1, 7, None, "expected 0 < n_fft < 6, but got n_fft=7")),
        ("x.stft(4, 0, center=False, return_complex=True)", "RuntimeError",
         OF_STFT.format(4, 0, 4, None, "expected hop_length > 0, but got hop_length=0")),
        ("x.stft(3, 1, 5, center=False, return_complex=True)", "RuntimeError",
         OF_STFT.format(3, 1, 5, None, "expected 0 < win_length <= n_fft, but got win_length=5")),
        ("x.stft(3, 1, window=torch.ones(2), center=False, return_complex=True)", "RuntimeError",
         OF_STFT.format(3, 1, 3, "torch.FloatTensor{[2]}", "expected a 1D window tensor of size equal to win_length=3, "
                        "but got window with size [2]")),
        ("x.stft(4, align_to_window=True)", "RuntimeError",
         "stft align_to_window should only be set when center = false"),
        ("c.stft(4, onesided=True)", "RuntimeError",
         "Cannot have onesided output if window or input is complex"),
        ("h.istft(4, 5)", "RuntimeError", OF_ISTFT.format(5, None) + " : expected 0 < hop_length <= win_length"),
        ("h.istft(4, window=torch.zeros(4))", "RuntimeError",
         OF_ISTFT.format(1, "torch.FloatTensor{[4]}") + " window overlap add min: 1\n[ CPUBoolType{} ]"),
        ("x.istft(4)", "RuntimeError",
         "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."),
    ],
)  # fmt: skip
def test_what_is_refused(code: str, exception: str, text: str) -> None:
    x = torch.ones(2, 6)
    names = {"torch": torch, "F": F, "x": x, "c": torch.complex(x, x), "h": torch.complex(x, x).reshape(3, 4)[:, :1]}
    names["h"] = names["h"].expand(3, 5)
    with pytest.raises(EngineError) as caught:
        eval(code, names)
    assert (caught.value.exception, str(caught.value)) == (exception, text)


@pytest.mark.parametrize(
    "code",
    [
        "F.fft(x, 10**12)", "F.irfft(x, 10**12)", "F.rfftn(x, (10**6, 10**6), (0, 1))", "F.fftfreq(10**12)",
        "x.stft(4, center=False, align_to_window=True, win_length=-10**12, return_complex=True)",
    ],
)  # fmt: skip
def test_what_grows_beyond_the_budget_is_refused_before_it_is_made(code: str) -> None:
    budget = modes.Budget(10**7, 10**9, 60.0)
    with modes.use(modes.State(warnings=[], budget=budget)), pytest.raises(BudgetError):
        eval(code, {"F": F, "x": torch.ones(2, 6)})


def test_a_transform_of_many_points_is_refused_by_its_time() -> None:
    with modes.use(modes.State(budget=modes.Budget(seconds=20))), pytest.raises(BudgetError) as caught:
        F.fft(torch.ones(1).expand(2**36))
    assert (caught.value.limit, caught.value.op) == ("seconds", "fft_r2c")


def test_a_signal_comes_back_from_its_pieces() -> None:
    signal = torch.arange(12.0, dtype=torch.float64)
    window = torch.tensor([0.5, 1.0, 1.0, 0.5], dtype=torch.float64)
    pieces = signal.stft(4, 2, window=window, return_complex=True)
    assert torch.allclose(pieces.istft(4, 2, window=window), signal)
    assert pieces.istft(4, 2, window=window, length=20)[14:].tolist() == [0] * 6
