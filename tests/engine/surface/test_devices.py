"""The one device there is, and what programs ask of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import engine
from engine.errors import AssertedError, EngineError

torch: Any = engine


def test_a_program_that_asks_for_another_device_gets_the_cpu() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = torch.nn.Linear(2, 2, device=device).to(device)
    assert (device.type, device.index, repr(device), str(device)) == ("cpu", None, "device(type='cpu')", "cpu")
    assert net.weight.device == device == torch.ones(1, device=device).to("cpu").device
    assert torch.cuda.device_count() == 0
    assert torch.cuda.manual_seed_all(0) is None


def test_devices_have_numbers() -> None:
    assert repr(torch.device("cpu:1")) == repr(torch.device("cpu", 1)) == "device(type='cpu', index=1)"
    assert torch.device("cpu:1") != torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda", "tpu", "cuda:0"])
def test_other_devices_are_refused(device: str) -> None:
    makes: tuple[Callable[[], Any], ...] = (
        lambda: torch.device(device),
        lambda: torch.nn.Linear(1, 1, device=device),
        lambda: torch.nn.Linear(1, 1).to(device),
    )
    for make in makes:
        with pytest.raises(EngineError):
            make()
    with pytest.raises(AssertedError, match="not compiled with CUDA"):
        torch.cuda.current_device()


def test_flags_of_devices_can_be_set() -> None:
    torch.backends.cudnn.deterministic = True
    assert torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = False
