"""All programs by name."""

from __future__ import annotations

from tests.engine.nn import layers, modules, training

PROGRAMS: dict[str, str] = layers.programs() | modules.PROGRAMS | training.programs()
