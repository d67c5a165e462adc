"""Writes down which functions of PyTorch take ``out=``: ``engine/op/outs.txt``.

They say so in their signature, in the first line of their documentation, or where they list their overloads, or they
show it when they are called. Whoever
has PyTorch runs ``python -m tests.golden.record_outs``.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "engine" / "op" / "outs.txt"
NAMESPACES = "", "fft.", "linalg.", "special.", "nn.functional."
RANDOM = re.compile(r"^(normal|rand.*|bernoulli|multinomial)$")  # they draw into ``out`` in the order of its memory


def takes_out(function: Any) -> bool:
    """Whether a function says that it writes its result into a tensor."""
    try:
        if "out" in inspect.signature(function).parameters:
            return True
    except (TypeError, ValueError):
        pass
    summary = (function.__doc__ or "").strip().split("\n\n")[0]
    if re.search(r"\bout\s*[=:]", summary):
        return True
    try:
        function()
    except Exception as error:
        if "out = None" in str(error):
            return True
    return any(accepts(function, arguments) for arguments in trials())


def trials() -> list[tuple[Any, ...]]:
    """Arguments that many functions take."""
    import torch

    x, index = torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.int64)
    return [
        (x,),
        (x, 0),
        (x, 1),
        (x, x),
        (x, 0, index),
        (x, 0, index, x),
        (x[None], 1),
        (x[None], 2),
        (x[None], [2, 2]),
    ]


def accepts(function: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether it takes them and writes what it returns without them into ``out``."""
    import torch

    try:
        result = function(*arguments)
        tensors = [result] if isinstance(result, torch.Tensor) else list(result)
        targets = [torch.empty(0, dtype=tensor.dtype) for tensor in tensors]
        function(*arguments, out=targets[0] if isinstance(result, torch.Tensor) else tuple(targets))
    except Exception:
        return False
    return all(target.shape == tensor.shape for target, tensor in zip(targets, tensors, strict=True))


def names() -> Iterator[str]:
    """All of them."""
    import torch

    for namespace in NAMESPACES:
        home: Any = torch
        for part in namespace.split(".")[:-1]:
            home = getattr(home, part)
        for name in dir(home):
            function = getattr(home, name)
            is_public = name.islower() and not name.startswith("_") and not RANDOM.match(name)
            if is_public and callable(function) and not inspect.isclass(function) and takes_out(function):
                yield namespace + name


def main() -> None:
    """Write the list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGET.write_text("".join(f"{name}\n" for name in sorted(names())))


if __name__ == "__main__":
    main()
