"""Plans: a run that was recorded, as a graph of ops, simplified, fused, and replayed as straight-line kernel calls."""

from engine.plan.plan import Eager, Plan, planned
from engine.plan.recorder import Recorder

__all__ = ["Eager", "Plan", "Recorder", "planned"]
