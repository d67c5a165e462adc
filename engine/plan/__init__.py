"""Plans: a recorded run as a graph of ops, optimised and compiled to straight-line kernel calls.

Passes in order: record (``recorder``), decompose kernels into ufuncs (``tracing``), fold constants, CSE and DCE
(``simplify``), fuse elementwise steps (``fusion``, ``blocks``), generate code (``codegen``, ``plan``). A small plan can
be sent to another process as data (``portable``).
"""

from engine.plan.bodies import BodyRecorder, Bystander
from engine.plan.plan import Eager, Plan, planned
from engine.plan.portable import MalformedPlan, from_data, is_small, to_data
from engine.plan.recorder import Recorder
from engine.plan.standing import StandingRecorder

__all__ = [
    "BodyRecorder", "Bystander", "Eager", "MalformedPlan", "Plan", "Recorder", "StandingRecorder", "from_data",
    "is_small", "planned", "to_data",
]  # fmt: skip
