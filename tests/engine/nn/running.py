"""Programs that PyTorch and the engine both run, and what they note: text, numbers, tensors, errors.

A program is text that uses ``torch``, ``nn``, ``F``, ``optim``, ``data`` and ``note(name, value)``. What it notes in
PyTorch is recorded (``tests/golden/record_modules.py``); the tests compare what it notes here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

Notes = dict[str, Any]
RTOL, ATOL = {"float16": 1e-3, "bfloat16": 1e-2, "float32": 1e-5, "float64": 1e-9}, 1e-6


def run(program: str, torch: Any) -> Notes:
    """What ``program`` notes in ``torch``."""
    notes: Notes = {}
    names = {
        "torch": torch, "nn": torch.nn, "F": torch.nn.functional, "optim": torch.optim, "data": torch.utils.data,
        "note": lambda name, value: notes.__setitem__(name, plain(value, torch)), "errors": Errors(notes, torch),
    }  # fmt: skip
    exec(compile(program, "<program>", "exec"), names)
    return notes


class Errors(SimpleNamespace):
    """``with errors(name):`` notes the exception that the block raises."""

    def __init__(self, notes: Notes, torch: Any) -> None:
        super().__init__(notes=notes, name="")

    def __call__(self, name: str) -> Errors:
        self.name = name
        return self

    def __enter__(self) -> None:
        self.notes[self.name] = None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if error is None:
            return False
        self.notes[self.name] = {"error": getattr(error, "exception", kind.__name__), "message": str(error)}
        return True


def plain(value: Any, torch: Any) -> Any:
    """``value`` as JSON has it."""
    if isinstance(value, torch.Tensor):
        grad_fn = None if value.grad_fn is None else value.grad_fn.name()
        return {
            "dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "grad_fn": grad_fn,
            "requires_grad": value.requires_grad, "data": plain(value.detach().reshape(-1).tolist(), torch),
        }  # fmt: skip
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, torch) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item, torch) for item in value]
    return repr(value)


def differences(ours: Any, theirs: Any, path: str = "", loose: float = 1.0) -> list[str]:
    """Where two notes are not the same; numbers of floating dtypes may differ by rounding, ``loose`` times as much."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if ours.keys() != theirs.keys():
            return [f"{path}: {sorted(ours)} for {sorted(theirs)}"]
        if "dtype" in theirs and "data" in theirs:
            return _tensors_differ(ours, theirs, path, loose)
        return [found for key in theirs for found in differences(ours[key], theirs[key], f"{path}.{key}", loose)]
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [found for place, pair in pairs for found in differences(*pair, f"{path}[{place}]", loose)]
    if isinstance(theirs, float) and isinstance(ours, float | int):
        return [] if _close(ours, theirs, RTOL["float32"] * loose) else [f"{path}: {ours!r} for {theirs!r}"]
    return [] if ours == theirs and type(ours) is type(theirs) else [f"{path}: {ours!r} for {theirs!r}"]


def _tensors_differ(ours: Notes, theirs: Notes, path: str, loose: float) -> list[str]:
    about = [
        f"{path}.{key}: {ours[key]} for {theirs[key]}" for key in theirs if key != "data" and ours[key] != theirs[key]
    ]
    if about:
        return about
    rtol = RTOL.get(theirs["dtype"], 0.0) * loose
    pairs = list(zip(ours["data"], theirs["data"], strict=True))
    largest = max((abs(number) for number in theirs["data"] if isinstance(number, float)), default=0.0)
    atol = max(ATOL, rtol * largest / 4)  # sums of large numbers may be small
    wrong = [pair for pair in pairs if not _close(*pair, rtol, atol)]
    return [f"{path}: {len(wrong)} of {len(pairs)} differ, first {wrong[0]}"] if wrong else []


def _close(ours: Any, theirs: Any, rtol: float, atol: float = ATOL) -> bool:
    if isinstance(ours, str) or isinstance(theirs, str) or rtol == 0:
        return bool(ours == theirs)
    return bool(abs(ours - theirs) <= atol + rtol * abs(theirs))
