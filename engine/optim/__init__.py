"""``torch.optim``: optimisers by family, and schedules of their learning rates."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # ``engine.optim`` is the namespace that ``engine`` makes of the registry

    def __getattr__(name: str) -> Any: ...


for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
