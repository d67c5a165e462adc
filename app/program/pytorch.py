"""Which names are PyTorch's: what a name that the service lacks is told by.

The names stand in ``pytorch.txt``, which ``tests/golden/record_names.py`` writes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from app.program.tree import GraphError
from engine import Tensor, dtypes, methods, registry, tape, tensors

FILE: Final = Path(__file__).with_name("pytorch.txt")


class NotAvailable(GraphError):
    """A name that PyTorch has and this service has not; ``name`` is the whole of it.

    No exception of PyTorch's, and nothing that a program may handle: PyTorch would not have come to that branch.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is in PyTorch {version()} but not in this service; GET /v1/ops lists what is")
        self.name = name
        self.op = name.rpartition(" ")[2].removeprefix("torch.")


def version() -> str:
    """The version whose names these are."""
    return FILE.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# PyTorch ")


@cache
def _arguments() -> dict[str, frozenset[str]]:
    """The names of arguments that are known, by name of what takes them."""
    parts = (line.partition("(") for line in FILE.read_text(encoding="utf-8").splitlines()[1:])
    return {name: frozenset(rest.removesuffix(")").split(",")) for name, _, rest in parts}


def names() -> frozenset[str]:
    """Every name that is known."""
    return frozenset(_arguments())


def refuse(*names: str) -> None:
    """Raise ``NotAvailable`` for the first of ``names`` that PyTorch has."""
    for name in names:
        if name in _arguments():
            raise NotAvailable(name)


def refuse_op(op: str) -> None:
    """Raise ``NotAvailable`` if PyTorch has a function or a Tensor method of that name."""
    refuse(f"torch.{op}", f"torch.Tensor.{op}")


def refuse_attribute(value: Any, name: str) -> None:
    """Raise ``NotAvailable`` if values of this kind have such an attribute in PyTorch."""
    refuse(*(f"torch.{path}.{name}" for kind, path in _classes() if isinstance(value, kind)))


def refuse_argument(op: str, argument: str) -> None:
    """Raise ``NotAvailable`` if PyTorch's function or method ``op`` takes ``argument``."""
    for name in (f"torch.{op}", f"torch.Tensor.{op}"):
        if argument in _arguments().get(name, ()):
            raise NotAvailable(f"the argument {argument} of {name}")


@cache
def _classes() -> tuple[tuple[type, str], ...]:
    """Classes whose attributes are in the table."""
    entered = ("Generator", "optim.Optimizer", "optim.lr_scheduler.LRScheduler", "nn.Module")
    found = ((registry.function(path), path) for path in entered)
    return (
        (Tensor, "Tensor"), (tensors.Size, "Size"), (dtypes.DType, "dtype"), (methods.Device, "device"),
        (tape.Node, "autograd.graph.Node"), *((kind, path) for kind, path in found if isinstance(kind, type)),
    )  # fmt: skip
