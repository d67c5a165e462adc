"""All programs by name."""

from __future__ import annotations

from tests.engine.nn import layers, models, modules, sequences, tools, training

TRAINED: dict[str, str] = models.programs()  # five steps amplify the last bit
PROGRAMS: dict[str, str] = {
    **layers.programs(), **modules.PROGRAMS, **training.programs(), **sequences.programs(), **tools.PROGRAMS, **TRAINED,
}  # fmt: skip
