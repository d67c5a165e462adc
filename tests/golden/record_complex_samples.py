"""Record what PyTorch does with complex samples: ``python -m tests.golden.record_complex_samples`` where it is there.

A line for each: its name, and whether PyTorch *refused* the call, gives *values* alone, or finds derivatives that its
own ``gradcheck`` confirms *once* or *twice*.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.engine.complexified import complexified_samples
from tests.engine.samples import Sample
from tests.golden.record_samples import flat, resolve, static, tensor

TARGET = Path(__file__).parent / "complex_samples.tsv"


def _tensor(values: np.ndarray[Any, Any], requires_grad: bool) -> Any:
    """A tensor; without elements at the strides that PyTorch gives such, for ``gradcheck`` looks at these."""
    return (
        tensor(values, requires_grad)
        if values.size
        else torch.empty(values.shape, dtype=tensor(values, False).dtype, requires_grad=requires_grad)
    )


def outcome(op: str, number: int, sample: Sample) -> str:
    """What PyTorch does with a sample."""
    call = sample.build(op, number, _tensor)
    args, kwargs = [static(arg) for arg in call.args], {name: static(value) for name, value in call.kwargs.items()}
    leaves = [one for one in flat([*args, list(kwargs.values())]) if one.requires_grad]

    def function(*_: Any) -> Any:
        return tuple(one for one in flat(resolve(op)(*args, **kwargs)) if one.requires_grad)

    try:
        tracked = function()
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError):
        return "refused"
    if not (sample.gradient and tracked and leaves):
        return "values"
    if not _holds(torch.autograd.gradcheck, function, leaves):
        return "values"
    return "twice" if sample.second_order and _holds(torch.autograd.gradgradcheck, function, leaves) else "once"


def _holds(check: Any, function: Any, leaves: list[Any]) -> bool:
    try:
        return bool(check(function, leaves, raise_exception=False, check_undefined_grad=False))
    except RuntimeError:  # no derivative
        return False


def main() -> None:
    """Write the table."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    found = [f"{op}/{number}\t{outcome(op, number, sample)}\n" for op, number, sample in complexified_samples()]
    TARGET.write_text("".join(found))


if __name__ == "__main__":
    main()
