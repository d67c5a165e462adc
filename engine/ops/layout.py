"""Shapes and places: what rearranges, fills and copies elements without computing on them. Views proper are in ``views``."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError
from engine.op import Array, check_broadcast, composite, weak
from engine.tensor import Tensor


