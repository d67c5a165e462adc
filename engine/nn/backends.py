"""``torch.nn.attention``: which way of attending programs ask for. There is one here, whatever they choose."""

from __future__ import annotations

from typing import Any

from engine import registry


class SDPBackend:
    """A way of attending."""

    _path = "torch._C._SDPBackend"
    ERROR: SDPBackend
    MATH: SDPBackend
    FLASH_ATTENTION: SDPBackend
    EFFICIENT_ATTENTION: SDPBackend
    CUDNN_ATTENTION: SDPBackend
    OVERRIDEABLE: SDPBackend

    def __init__(self, name: str, value: int) -> None:
        self.name, self.value = name, value

    def __repr__(self) -> str:
        return f"<SDPBackend.{self.name}: {self.value}>"

    def __str__(self) -> str:
        return f"SDPBackend.{self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SDPBackend) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


for _value, _name in enumerate(
    ("ERROR", "MATH", "FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "OVERRIDEABLE"), -1
):
    setattr(SDPBackend, _name, SDPBackend(_name, _value))


class sdpa_kernel:
    """A context in which certain ways of attending may be taken: nothing changes."""

    def __init__(self, backends: Any, set_priority: bool = False) -> None:
        self._backends = backends

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *exc_info: object) -> None:
        """Nothing changed."""


registry.add_function("nn.attention.SDPBackend", SDPBackend)
registry.add_function("nn.attention.sdpa_kernel", sdpa_kernel)
registry.add_kind("nn.attention.SDPBackend", SDPBackend)
registry.add_kind("nn.attention.sdpa_kernel", sdpa_kernel)
