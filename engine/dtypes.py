"""Element types: names, the promotion lattice and the promotion policies of ops.

A dtype has a category (bool < integer < floating < complex). Operands promote within the highest category present;
among operands of that category tensors with dimensions outrank 0-d tensors, and those outrank Python numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from engine.errors import OpError

BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class DType:
    """An element type. Instances are unique: compare with ``is``."""

    __slots__ = (
        "alias", "category", "is_complex", "is_differentiable", "is_floating_point", "itemsize", "name", "numpy",
        "scalar_type",
    )  # fmt: skip

    def __init__(self, name: str, array_type: Any, category: int, scalar_type: str, alias: str) -> None:
        self.name = name
        self.numpy: np.dtype[Any] = np.dtype(array_type)
        self.category = category
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_differentiable = category >= FLOATING  # whether tensors of this dtype can require gradients
        self.scalar_type = scalar_type  # PyTorch's C++ name, used in its messages
        self.alias = alias
        self.itemsize = self.numpy.itemsize

    @property
    def is_signed(self) -> bool:
        """Whether there are negative numbers of it."""
        return self.category != BOOL and self.numpy.kind != "u"

    @property
    def c_name(self) -> str:
        """PyTorch's C name, which some of its messages use."""
        return _C_NAMES.get(self.name, self.alias)

    @property
    def tensor_type(self) -> str:
        """What messages of PyTorch call a tensor of this dtype."""
        late = self.category in (BOOL, COMPLEX) or self.name == "bfloat16"  # has no legacy type
        return f"CPU{self.scalar_type}Type" if late else f"torch.{self.scalar_type}Tensor"

    @property
    def opmath(self) -> DType:
        """The dtype kernels compute in: float32 for the two 16-bit floats, else the dtype itself."""
        return float32 if self in (float16, bfloat16) else self

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return by_name, (self.name,)


uint8 = DType("uint8", np.uint8, INTEGER, "Byte", "uint8")
int8 = DType("int8", np.int8, INTEGER, "Char", "int8")
int16 = DType("int16", np.int16, INTEGER, "Short", "short")
int32 = DType("int32", np.int32, INTEGER, "Int", "int")
int64 = DType("int64", np.int64, INTEGER, "Long", "long")
float16 = DType("float16", np.float16, FLOATING, "Half", "half")
bfloat16 = DType("bfloat16", ml_dtypes.bfloat16, FLOATING, "BFloat16", "bfloat16")
float32 = DType("float32", np.float32, FLOATING, "Float", "float")
float64 = DType("float64", np.float64, FLOATING, "Double", "double")
complex64 = DType("complex64", np.complex64, COMPLEX, "ComplexFloat", "cfloat")
complex128 = DType("complex128", np.complex128, COMPLEX, "ComplexDouble", "cdouble")
bool_ = DType("bool", np.bool_, BOOL, "Bool", "bool")
# Tensors do not have it: an op computes in complex64 where PyTorch does in this one, or refuses it by its name.
complex_half = DType("complex32", np.complex64, COMPLEX, "ComplexHalf", "chalf")

ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128)
_BY_NAME = {name: dtype for dtype in ALL for name in (dtype.name, dtype.alias, f"torch.{dtype.name}")}
_BY_NUMPY = {dtype.numpy: dtype for dtype in ALL}
_TO_COMPLEX = {float16: complex64, bfloat16: complex64, float32: complex64, float64: complex128}
_TO_REAL = {complex64: float32, complex128: float64}


def by_name(name: str) -> DType:
    """The dtype called ``name`` (``"float32"``, ``"torch.float32"``, ``"float"``); ``KeyError`` if there is none."""
    return _BY_NAME[name]


def of(array: np.ndarray[Any, Any]) -> DType:
    """The dtype of an array; ``KeyError`` for an array type that tensors do not have."""
    return _BY_NUMPY[array.dtype]


# The tensor dtype of a NumPy dtype; ``KeyError`` if tensors do not have it.
from_numpy: Callable[[np.dtype[Any]], DType] = _BY_NUMPY.__getitem__


def to_complex(dtype: DType) -> DType:
    """The complex dtype whose parts have ``dtype``."""
    return _TO_COMPLEX.get(dtype, dtype)


def to_real(dtype: DType) -> DType:
    """The dtype of the parts of a complex ``dtype``; a real one is itself."""
    return _TO_REAL.get(dtype, dtype)


@cache
def promote_types(left: DType, right: DType) -> DType:
    """The smallest dtype both convert to; two tensors of equal rank promote to it."""
    if left is right:
        return left
    low, high = sorted((left, right), key=lambda dtype: (dtype.category, dtype.itemsize))
    if low.category != high.category:
        return _promote_across(low, high)
    if high.category == INTEGER:
        return _promote_integers(low, high)
    return float32 if {low, high} == {float16, bfloat16} else high


def _promote_across(low: DType, high: DType) -> DType:
    if high.category == COMPLEX and low is float64:
        return complex128
    return high


def _promote_integers(low: DType, high: DType) -> DType:
    if uint8 in (low, high):
        other = high if low is uint8 else low
        return int16 if other is int8 else other
    return high


class _Rank:
    """How strongly an operand speaks: with dimensions, 0-d, or a Python number."""

    DIMENSIONED, ZERO_DIM, NUMBER = range(3)


def rank_of(ndim: int, weak: bool) -> int:
    """The rank of an operand in promotion."""
    if weak:
        return _Rank.NUMBER
    return _Rank.DIMENSIONED if ndim else _Rank.ZERO_DIM


@cache
def result_type(operands: tuple[tuple[DType, int], ...], default: DType) -> DType:
    """The common dtype of ``(dtype, rank)`` operands; ``default`` is the default floating dtype."""
    by_rank: list[DType | None] = [None, None, None]
    for dtype, rank in operands:
        if rank == _Rank.NUMBER:
            dtype = _weak(dtype, default)
        seen = by_rank[rank]
        by_rank[rank] = dtype if seen is None else promote_types(seen, dtype)
    result: DType | None = None
    for dtype_of_rank in by_rank:
        result = _outrank(result, dtype_of_rank)
    if result is None:
        raise OpError("result_type needs at least one operand")
    return result


def _weak(dtype: DType, default: DType) -> DType:
    if dtype.category == FLOATING:
        return default
    return to_complex(default) if dtype.category == COMPLEX else dtype


def _outrank(strong: DType | None, weak: DType | None) -> DType | None:
    """``weak`` only counts when its category is higher."""
    if strong is None or weak is None:
        return strong or weak
    if weak.category > strong.category:
        if strong.category == FLOATING:
            return complex_half if strong is float16 else to_complex(strong)
        return weak
    return strong


def can_cast(source: DType, target: DType) -> bool:
    """Whether a result of ``source`` may be written into a tensor of ``target`` (categories only go up)."""
    return source.category <= target.category


def python_type(value: object) -> DType | None:
    """The dtype a Python number stands for, or ``None`` if it is not a number."""
    return _PYTHON.get(type(value))


def python_dtype(kind: type) -> DType:
    """The dtype that numbers of a Python type stand for."""
    return _PYTHON[kind]


_C_NAMES = {
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int64": "long int", "float16": "c10::Half",
    "bfloat16": "c10::BFloat16", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip
_PYTHON: dict[type, DType] = {bool: bool_, int: int64, float: float64, complex: complex128}


def widest_float(dtypes: Iterable[DType], default: DType) -> DType:
    """The promoted dtype of ``dtypes``, lifted to the default floating dtype when it is integral."""
    result: DType | None = None
    for dtype in dtypes:
        result = dtype if result is None else promote_types(result, dtype)
    return default if result is None or result.category < FLOATING else result
