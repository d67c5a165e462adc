"""``copy``: shallow and deep copies."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import Routine
from app.program.copying import copy, deepcopy


def _deepcopy(x: Any, memo: Any = None) -> Any:
    return deepcopy(x, memo)


COPY: Final[dict[str, Any]] = {"copy": Routine("copy", copy), "deepcopy": Routine("deepcopy", _deepcopy)}
