"""Which modules programs may import, and what is in them."""

from __future__ import annotations

from typing import Any, Final

from app.program import pytorch
from app.program.builtins import Module
from app.program.failures import PythonError
from app.program.names import LIBRARIES, MODULES, is_module
from app.program.pytorch import NotAvailable
from app.program.values import attribute
from engine import modes, registry

_DRAWING: Final = frozenset({"numpy", "random"})
_MODULES: Final = frozenset({"torch", *LIBRARIES}) | MODULES


def find_module(name: str) -> Module:
    """The module of that name. Raises ``ModuleNotFoundError``, or ``NotAvailable`` for one of PyTorch's."""
    if name in _MODULES or name in LIBRARIES:
        recorder = modes.current().recorder
        if recorder is not None and name.partition(".")[0] in _DRAWING:
            recorder.give_up("random numbers")  # of Python's or NumPy's, which a plan would repeat
        return Module(name)
    first, _, rest = name.partition(".")
    if first == "torch" and rest:
        if is_module(rest):
            return Module(name)
        pytorch.refuse(name)
        if any(known.startswith(f"{name}.") for known in pytorch.names()):
            raise NotAvailable(name)
    error = PythonError(ModuleNotFoundError, f"No module named '{_missing_part(name)}'")
    error.hint = f"what can be imported here: {', '.join(importable())}"
    raise error


def importable() -> list[str]:
    """The names of modules, without those inside of others."""
    return sorted({name.partition(".")[0] for name in (*_MODULES, *LIBRARIES)})


def _missing_part(name: str) -> str:
    first = name.partition(".")[0]
    return name if first in _MODULES or first in LIBRARIES else first


def member(module: Module, name: str) -> Any:
    """``from module import name``. Raises ``ImportError``."""
    try:
        return attribute(module, name)
    except AttributeError:
        pass
    try:
        return find_module(f"{module.name}.{name}")
    except ModuleNotFoundError:
        raise PythonError(ImportError, f"cannot import name '{name}' from '{module.name}'") from None


def everything(module: str) -> dict[str, Any]:
    """``from module import *``: the functions of one of Python's modules."""
    found = find_module(module)
    if module in LIBRARIES:
        return {name: value for name, value in LIBRARIES[module].items() if not name.startswith("_")}
    if found.name != "torch":
        prefix = found.name.removeprefix("torch.") + "."
        known = {name.removeprefix(prefix) for name, _ in registry.functions() if name.startswith(prefix)}
        public = sorted({name.partition(".")[0] for name in known if not name.startswith("_")})
        return {name: attribute(found, name) for name in public}
    raise PythonError(ImportError, f"import what is needed of {found.name} by name: '*' is not available here")
