"""gradserve's engine: the reference's autograd in NumPy. ``import engine as torch`` runs a tutorial unchanged.

The names are those of the declarations: every public op, and below them ``autograd``, ``nn``, ``linalg``, ``optim``.
"""

from engine import ops as ops  # the families declare themselves before anything is attached
from engine import dtypes as dtypes, errors as errors, functional as _functional, methods, modes as modes, namespaces
from engine import registry as registry
from engine import storage as storage, tape as tape, tensor as tensors
from engine.tensor import Tensor as Tensor

namespaces.enter()
methods.attach()
_names = namespaces.tree()
globals().update(_names)
__all__ = sorted(_names)
