"""Tensors made from nothing: constants, ranges, and what Python numbers and lists become.

Every op here makes a leaf. ``factory`` adds the keywords that all of them take; memory is asked for before it is used.
``empty`` and its kin are filled with zeros.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from itertools import chain
from math import ceil, isfinite, prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.binding import Signature
from engine.dtypes import COMPLEX, FLOATING, INTEGER, DType
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.op import Array, Extents, Scalar, Size, composite, primitive
from engine.tensor import Tensor, from_array

LEAF_DTYPE = "Only Tensors of floating point and complex dtype can require gradients"
_DEVICES = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, meta, hpu, mtia, "
    "privateuseone"
)


# -- declaring ----------------------------------------------------------------------------------------------------
def _keyword(name: str, kind: str, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


_OPTIONS = (
    _keyword("layout", "Any", None), _keyword("device", "Any", None), _keyword("pin_memory", "bool", False),
    _keyword("memory_format", "Any", None), _keyword("requires_grad", "bool", False),
)  # fmt: skip


def factory(
    body: Callable[..., Tensor] | None = None, /, *, method: bool = False, function: bool = True,
    aliases: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """Declare a public op that makes a leaf: ``body`` with the keywords that all such ops take.

    Static arguments reach ``body`` checked; a ``dtype`` reaches it as ``None`` unless it was given.
    """

    def declare(body: Callable[..., Tensor]) -> Any:
        own = Signature(body, body.__name__)
        checked = [param for param in own.params if not param.is_tensor]

        @wraps(body)
        def make(*args: Any, device: Any, requires_grad: bool, **kwargs: Any) -> Tensor:
            check_device(device)
            for param in checked:
                values: Any = kwargs if param.keyword_only else args
                key: Any = param.name if param.keyword_only else param.index
                if param.keyword_only:
                    kwargs[key] = param.static(own.name, values[key], -1)
            positional = [
                value if param.is_tensor else param.static(own.name, value, -1)
                for param, value in zip(own.params, args, strict=False)
            ]
            for unused in ("layout", "pin_memory", "memory_format"):
                kwargs.pop(unused)
            return leaf(body(*positional, **kwargs), requires_grad)

        parameters = [*inspect.signature(body).parameters.values(), *_OPTIONS]
        make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return composite(make, function=function, method=method, aliases=aliases)

    return declare if body is None else declare(body)
