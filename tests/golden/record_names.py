"""Writes down PyTorch's public names, with the names of arguments where they are known: ``app/program/pytorch.txt``.

One name a line, sorted: ``torch.add(alpha,input,other,out)``. What a module has only because it imported it is none of
its names. The service asks it whether a name that it does not have
is one of PyTorch's or nobody's. Needs PyTorch: ``make golden PYTHON=<one that has it>``, or
``python -m tests.golden.record_names``.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.func
import torch.nn.utils.parametrizations
import torch.optim.swa_utils
import torch.utils.checkpoint
import torch.utils.data

FILE = Path(__file__).parents[2] / "app" / "program" / "pytorch.txt"
MODULES = (
    "amp", "autograd", "autograd.forward_ad", "autograd.function", "autograd.functional", "autograd.grad_mode",
    "autograd.graph", "autograd.profiler", "backends", "compiler", "cpu", "cuda", "distributed", "distributions", "fft",
    "func", "futures", "fx", "jit", "linalg", "masked", "mps", "nested", "nn", "nn.attention", "nn.functional",
    "nn.init", "nn.parallel", "nn.parameter", "nn.utils", "nn.utils.parametrizations",
    "nn.utils.parametrize", "nn.utils.rnn", "nn.utils.stateless", "optim", "optim.lr_scheduler", "optim.swa_utils",
    "overrides", "profiler", "random", "signal", "signal.windows", "sparse", "special", "testing", "utils",
    "utils.checkpoint", "utils.data", "xpu",
)  # fmt: skip
CLASSES = (
    "Generator", "Size", "Tensor", "autograd.Function", "autograd.graph.Node", "device", "dtype", "finfo", "iinfo",
    "nn.Module", "optim.Optimizer", "optim.lr_scheduler.LRScheduler",
)  # fmt: skip
WITH_ARGUMENTS = ("", "Tensor", "autograd", "fft", "func", "linalg", "masked", "nn", "optim", "special")
FACTORY = frozenset({"layout", "device", "pin_memory"})


def main() -> None:
    schemas = _schemas()
    lines = sorted({_line(path, value, schemas) for path, value in _names()})
    FILE.write_text(f"# PyTorch {torch.__version__.partition('+')[0]}\n" + "\n".join(lines) + "\n")


def _names() -> Iterator[tuple[str, Any]]:
    """Every public name of the modules and classes above."""
    for module_path in ("", *MODULES):
        module = _at(module_path)
        yield _full(module_path), module
        for name in _public(module):
            value = getattr(module, name, None)
            if _is_pytorchs(value, _full(module_path, name)):
                yield _full(module_path, name), value
    for class_path in CLASSES:
        owner = _at(class_path)
        yield from ((_full(class_path, name), getattr(owner, name, None)) for name in _public(owner))


def _at(path: str) -> Any:
    value: Any = torch
    for part in filter(None, path.split(".")):
        value = getattr(value, part)
    return value


def _full(*parts: str) -> str:
    return ".".join(("torch", *filter(None, parts)))


def _public(owner: Any) -> list[str]:
    return [name for name in {*dir(owner), *getattr(owner, "__all__", ())} if not name.startswith("_")]


def _is_pytorchs(value: Any, path: str) -> bool:
    """Whether a module's attribute is more than something that it imported from elsewhere."""
    if isinstance(value, ModuleType):
        return value.__name__ == path
    home = getattr(value, "__module__", None)
    return not isinstance(home, str) or home.startswith("torch")


def _schemas() -> dict[str, set[str]]:
    """The arguments of native functions, over all their overloads."""
    found: dict[str, set[str]] = defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():
        namespace, _, name = schema.name.partition("::")
        if namespace == "aten" and any("Tensor" in str(one.type) for one in (*schema.arguments, *schema.returns)):
            names = {"input" if argument.name == "self" else argument.name for argument in schema.arguments}
            found[name] |= names | ({"requires_grad"} if names >= FACTORY else set())
    return found


def _line(path: str, value: Any, schemas: dict[str, set[str]]) -> str:
    arguments = _arguments(path, value, schemas) if callable(value) else set()
    return f"{path}({','.join(sorted(arguments))})" if arguments else path


def _arguments(path: str, value: Any, schemas: dict[str, set[str]]) -> set[str]:
    module, _, name = path.removeprefix("torch").removeprefix(".").rpartition(".")
    if module.partition(".")[0] not in WITH_ARGUMENTS:
        return set()
    prefix = {"linalg": "linalg_", "fft": "fft_", "special": "special_"}.get(module, "")
    known = schemas.get(prefix + name, set()) if module in ("", "Tensor", "nn.functional") or prefix else set()
    return (_written(value) or known) - ({"input", "out", "self"} if module == "Tensor" else {"self"})


def _written(function: Any) -> set[str]:
    """The parameters of what is written in Python."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()
    named = (p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return {name for name in named if not name.startswith("_")}


if __name__ == "__main__":
    main()
