"""Plans: a recorded run as a graph of ops, optimised and compiled to straight-line kernel calls.

Passes in order: record (``recorder``), decompose kernels into ufuncs (``tracing``), fold constants, CSE and DCE
(``simplify``), fuse elementwise steps (``fusion``, ``blocks``), generate code (``codegen``, ``plan``).
"""

from engine.plan.plan import Eager, Plan, planned
from engine.plan.recorder import Recorder

__all__ = ["Eager", "Plan", "Recorder", "planned"]
