"""gradserve's engine: PyTorch's autograd in NumPy. ``import engine as torch`` runs a tutorial unchanged.

The names are those of the declarations: every public op, and below them ``autograd``, ``nn``, ``linalg``, ``optim``.
"""

from typing import TYPE_CHECKING, Any

from engine import data as _data  # noqa: F401 - enters data sets and their loader
from engine import dtypes as dtypes
from engine import errors as errors
from engine import homes as homes
from engine import memory_formats as memory_formats
from engine import modes as modes
from engine import nn as _layers  # noqa: F401 - enters the layers
from engine import ops as ops  # the families declare themselves before anything is attached
from engine import optim as _optim  # noqa: F401 - enters the optimisers
from engine import plan as plan
from engine import registry as registry
from engine import storage as storage
from engine import strides as strides
from engine import tensor as tensors  # noqa: F401 - torch.tensor is a function, so the module goes by the plural
from engine.autograd import custom as custom
from engine.autograd import function as functions  # noqa: F401 - the definitions that classes of Python are
from engine.autograd import hooks as hooks
from engine.autograd import sweep as sweep
from engine.autograd import tape as tape
from engine.autograd import watch as watch
from engine.named_results import NamedResult as NamedResult
from engine.named_results import named_result as named_result
from engine.nn import parameter as parameters  # noqa: F401 - a parameter of a function is another thing
from engine.surface import checkpoint as checkpoints  # noqa: F401 - enters them; the name is a function of theirs
from engine.surface import devices as devices
from engine.surface import functional as functional
from engine.surface import gradcheck as _gradcheck  # noqa: F401 - enters the checks
from engine.surface import methods as methods
from engine.surface import mixed_precision as _mixed_precision  # noqa: F401 - enters autocast
from engine.surface import namespaces
from engine.surface import numbers as _numbers  # noqa: F401 - enters finfo and iinfo
from engine.surface import refusals as refusals
from engine.surface import storages as _storages  # noqa: F401 - enters memories as objects
from engine.surface import testing as _testing  # noqa: F401 - enters assert_close
from engine.tensor import Tensor as Tensor

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


namespaces.enter()
methods.attach()
_names = namespaces.tree()
globals().update(_names)
__all__ = sorted(_names)
