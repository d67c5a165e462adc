"""The largest elements of windows, and where they stand."""

from __future__ import annotations

from typing import Any

import engine

torch: Any = engine


def test_a_window_that_sees_nothing_has_the_place_of_its_first_tap_that_is_not_padding() -> None:
    lowest = torch.full((1, 2, 1, 3), -torch.inf)
    found = torch.nn.functional.max_pool2d(lowest, (1, 4), (1, 2), (0, 2), 1, True, True)
    assert found[1].tolist() == [[[[0, 0, 2]], [[0, 0, 2]]]]  # as PyTorch says, of lowest numbers and of padding


def test_a_window_much_longer_than_its_input_takes_no_longer_than_a_short_one() -> None:
    values = torch.arange(36.0).reshape(1, 3, 3, 4)
    best, places = torch.nn.functional.max_pool3d(values, (3, 9100, 9100), 9100, 1, 1, True, True)  # 2.5e8 taps
    assert (best.flatten().tolist(), places.flatten().tolist()) == ([23.0], [23])
