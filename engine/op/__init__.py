"""What a declaration is made of: kinds of parameters, and the decorators that turn kernels and bodies into ops.

``signature`` binds arguments, ``rules`` holds derivatives, ``primitive`` and ``dispatch`` are the path of a call,
``declare`` and ``overloads`` enter ops under their names.
"""

from engine.dtypes import DType
from engine.op.declare import Composite, composite, float_valued, pointwise, primitive, publish
from engine.op.overloads import overloaded
from engine.op.primitive import Primitive
from engine.op.signature import (
    Array,
    Arrays,
    AskedDims,
    Dim,
    Dims,
    Extents,
    Index,
    Ints,
    Mask,
    Masking,
    NewDim,
    Operand,
    Real,
    Scalar,
    Size,
    Tensors,
    type_name,
    wrap_dim,
)
from engine.shapes import broadcast_pair, check_broadcast, extents
from engine.tensor import weak

__all__ = [
    "Array", "Arrays", "AskedDims", "Composite", "DType", "Dim", "Dims", "Extents", "Index", "Ints", "Mask", "Masking",
    "NewDim", "Operand", "Primitive", "Real", "Scalar", "Size", "Tensors", "broadcast_pair", "check_broadcast",
    "composite", "extents", "float_valued", "overloaded", "pointwise", "primitive", "publish", "type_name", "weak",
    "wrap_dim",
]  # fmt: skip
