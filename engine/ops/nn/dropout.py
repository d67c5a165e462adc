"""Dropout and its relatives: random zeros while training. Masks come from the generator of the state."""

from __future__ import annotations

from typing import Any

from engine import modes, ops
from engine.errors import ArgumentValueError, OpError, UnsupportedError
from engine.op import composite
from engine.ops.draws import stream
from engine.tensor import Tensor

ALPHA = 1.7580993408473766  # SELU's limit for large negative inputs, with the sign changed
