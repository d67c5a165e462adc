"""Tensors made from nothing: constants, ranges, and what Python numbers and lists become.

Every op here makes a leaf. ``factory`` adds the keywords that all of them take; memory is asked for before it is used.
``empty`` and its kin are filled with zeros. Random tensors are in ``distributions``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from math import ceil, isfinite, isnan, prod
from typing import Any, overload

import ml_dtypes
import numpy as np

from engine import dtypes, memory_formats, modes, strides
from engine.dtypes import FLOATING, INTEGER, DType
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.op import Array, Extents, Index, Ints, Scalar, Size, composite, primitive
from engine.op.signature import Param, Signature, type_name
from engine.tensor import Tensor

RANGE = (
    "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
    "Python's range builtin. Instead, use torch.arange, which produces values in [start, end)."
)
LEAF_DTYPE = "Only Tensors of floating point and complex dtype can require gradients"
DEVICES = (
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


@overload
def factory(body: Callable[..., Tensor], /) -> Any: ...


@overload
def factory(
    *, name: str | None = ..., method: bool = ..., function: bool = ...
) -> Callable[[Callable[..., Tensor]], Any]: ...


def factory(
    body: Callable[..., Tensor] | None = None, /, *, name: str | None = None, method: bool = False,
    function: bool = True,
) -> Any:  # fmt: skip
    """Declare a public op that makes a leaf: ``body`` with the keywords that all such ops take.

    Static arguments reach ``body`` checked, as those of a primitive's kernel do.
    """

    def declare(body: Callable[..., Tensor]) -> Any:
        own = Signature(body, name or body.__name__)
        listed = [param for param in own.params if not param.keyword_only]
        keywords = [param for param in own.params if param.keyword_only]

        @wraps(body)
        def make(*args: Any, device: Any, requires_grad: bool, **named: Any) -> Tensor:
            check_device(device)
            values = [_checked(own.name, param, value) for param, value in zip(listed, args, strict=True)]
            chosen = {param.name: _checked(own.name, param, named[param.name]) for param in keywords}
            wanted = memory_formats.wanted(own.name, named["memory_format"])
            made = body(*values, **chosen)
            return leaf(made if wanted is None else made.contiguous(memory_format=wanted), requires_grad)

        parameters = [*inspect.signature(body).parameters.values(), *_OPTIONS]
        make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return composite(make, name=own.name, function=function, method=method)

    return declare if body is None else declare(body)


def _checked(op_name: str, param: Param, value: Any) -> Any:
    if value is param.default:
        return value
    if param.kind == "Tensor":
        if not isinstance(value, Tensor):
            raise param.reject(op_name, "Tensor", value)
        return value
    return param.static(op_name, value, -1)


def check_device(device: Any) -> None:
    if device is None:
        return
    if isinstance(device, type) or (not isinstance(device, (str, int)) and type_name(device) != "torch.device"):
        raise ArgumentTypeError(f"argument 'device' must be torch.device, not {type_name(device)}")
    kind = str(device).partition(":")[0]
    if kind == "cpu":
        return
    if kind not in DEVICES.split(", "):
        raise OpError(f"Expected one of {DEVICES} device type at start of device string: {device}")
    raise OpError(f"there is no device {device!s} here: tensors live on 'cpu'")


def leaf(tensor: Tensor, requires_grad: bool) -> Tensor:
    """``tensor``, which nobody else has yet, as a leaf that requires grad or not."""
    if requires_grad:
        if not tensor.dtype.is_differentiable:
            raise OpError(LEAF_DTYPE)
        tensor._requires_grad = True
    return tensor


def checked_size(size: tuple[int, ...]) -> tuple[int, ...]:
    """``size``, which has no negative extent. Raises ``OpError``."""
    for extent in size:
        if extent < 0:
            raise OpError(f"Trying to create tensor with negative dimension {extent}: {list(size)}")
    return size


def _default(dtype: DType | None) -> DType:
    return modes.current().default_dtype if dtype is None else dtype


# -- one value everywhere -----------------------------------------------------------------------------------------
@primitive(public=False, grows=lambda size: prod(size))
def filled(size: Size, value: Scalar, dtype: DType) -> Array:
    """``value`` everywhere."""
    if value == 0:
        return np.zeros(size, dtype.numpy)
    return np.full(size, np.asarray(as_real(value, dtype)).astype(dtype.numpy))


@factory
def zeros(size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Zeros."""
    if any(extent < 0 for extent in size):
        raise OpError("zeros: Dimension size must be non-negative.")
    return filled(size, 0, _default(dtype))


@factory
def ones(size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Ones."""
    return filled(checked_size(size), 1, _default(dtype))


@factory
def empty(size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Zeros: nobody's old memory is ever shown."""
    return filled(checked_size(size), 0, _default(dtype))


@factory
def full(size: Ints, fill_value: Scalar, *, dtype: DType | None = None) -> Tensor:
    """``fill_value`` everywhere; its type is that of the tensor unless ``dtype`` says otherwise."""
    target = dtype_of_number(fill_value) if dtype is None else dtype
    check_fits(fill_value, target)
    return filled(checked_size(size), fill_value, target)


@primitive(public=False, layout="kernel", grows=lambda size: prod(size))
def filled_strided(size: Ints, stride: Ints, value: Scalar, dtype: DType) -> Array:
    """``value`` everywhere, with the dimensions laid out at ``stride``, or in that order if it has gaps."""
    array = strides.new(size, dtype.numpy, strides.preserved(size, stride))
    array.fill(as_real(value, dtype))
    return array


@factory
def empty_strided(size: Ints, stride: Ints, *, dtype: DType | None = None) -> Tensor:
    """Zeros with the dimensions laid out in memory in the order of ``stride``."""
    return filled_strided(checked_size(size), stride, 0, _default(dtype))


@factory
def empty_permuted(size: Ints, physical_layout: Ints, *, dtype: DType | None = None) -> Tensor:
    """Zeros with the dimensions in memory in the order of ``physical_layout``, outermost first."""
    if len(size) != len(physical_layout):
        raise OpError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(size)} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    for dim in physical_layout:
        if not 0 <= dim < len(size):
            raise OpError(f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got {dim})")
    if len(set(physical_layout)) < len(size):
        raise OpError("Duplicate dim not allowed")
    steps = strides.in_order(checked_size(size), physical_layout[::-1])
    return filled_strided(size, steps, 0, _default(dtype))


@factory
def scalar_tensor(s: Scalar, *, dtype: DType | None = None) -> Tensor:
    """A 0-d tensor."""
    target = _default(dtype)
    check_fits(s, target)
    return filled((), s, target)


def dtype_of_number(value: Any) -> DType:
    """The dtype that a Python number has as a tensor."""
    default = modes.current().default_dtype
    if isinstance(value, bool):
        return dtypes.bool_
    if isinstance(value, int):
        return dtypes.int64
    return dtypes.to_complex(default) if isinstance(value, complex) else default


# -- whether a number fits a dtype --------------------------------------------------------------------------------
_C_TYPES = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t",
    "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def check_fits(value: Any, dtype: DType) -> None:
    """Refuse a number beyond the range of ``dtype``, in PyTorch's words."""
    if not fits(value, dtype):
        raise OpError(f"value cannot be converted to type {_C_TYPES[dtype.name]} without overflow")


def fits(value: Any, dtype: DType) -> bool:
    """Whether ``value`` converts to ``dtype``: fractions are cut off, negative integers wrap in unsigned types."""
    if not isinstance(value, int | float | complex):
        raise ArgumentTypeError(f"value must be Number, not {type_name(value)}")
    if dtype is dtypes.bool_:
        return True
    if dtype.is_complex:
        real = dtypes.to_real(dtype)
        return fits(value.real, real) and fits(value.imag, real)
    if isinstance(value, complex):
        return value.imag == 0 and fits(value.real, dtype)
    if dtype.is_floating_point:
        return not isfinite(value) or abs(value) <= _LARGEST[dtype]
    bounds = np.iinfo(dtype.numpy)
    if isinstance(value, float):
        return float(bounds.min) <= value <= float(bounds.max)
    return -int(bounds.max) - (bounds.min != 0) <= int(value) <= int(bounds.max)


def as_real(value: Any, dtype: DType) -> Any:
    """A number that fits ``dtype`` without the imaginary part that this has no place for."""
    has_place = dtype.is_complex or dtype is dtypes.bool_
    return value.real if isinstance(value, complex) and not has_place else value


def number_in(value: Any, array: Array) -> Array:
    """A number in the dtype of ``array``; refused if it does not fit."""
    dtype = dtypes.of(array)
    check_fits(value, dtype)
    return np.asarray(as_real(value, dtype)).astype(array.dtype)


_finfo: Any = ml_dtypes.finfo  # it knows bfloat16, and has no annotations
_LARGEST = {dtype: float(_finfo(dtype.numpy).max) for dtype in dtypes.ALL if dtype.is_floating_point}


# -- as large as another ------------------------------------------------------------------------------------------
@primitive(public=False, layout_only=("input",), layout="input")
def filled_like(input: Index, value: Scalar, dtype: DType) -> Array:
    """``value`` everywhere, in the shape of ``input`` and the order of its memory."""
    return np.full_like(input, as_real(value, dtype), dtype.numpy)


def _like(input: Tensor, value: Any, dtype: DType | None) -> Any:
    return filled_like(input, value, input.dtype if dtype is None else dtype)


@factory
def zeros_like(input: Tensor, *, dtype: DType | None = None) -> Tensor:
    """Zeros of the shape of ``input``."""
    return _like(input, 0, dtype)


@factory
def ones_like(input: Tensor, *, dtype: DType | None = None) -> Tensor:
    """Ones of the shape of ``input``."""
    return _like(input, 1, dtype)


@factory
def empty_like(input: Tensor, *, dtype: DType | None = None) -> Tensor:
    """Zeros of the shape of ``input``: nobody's old memory is ever shown."""
    return _like(input, 0, dtype)


@factory
def full_like(input: Tensor, fill_value: Scalar, *, dtype: DType | None = None) -> Tensor:
    """``fill_value`` in the shape of ``input``."""
    check_fits(fill_value, input.dtype if dtype is None else dtype)
    return _like(input, fill_value, dtype)


@factory(method=True, function=False)
def new_zeros(self: Tensor, size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Zeros of the dtype of this tensor."""
    return filled(checked_size(size), 0, dtype or self.dtype)


@factory(method=True, function=False)
def new_ones(self: Tensor, size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Ones of the dtype of this tensor."""
    return filled(checked_size(size), 1, dtype or self.dtype)


@factory(method=True, function=False)
def new_empty(self: Tensor, size: Extents, *, dtype: DType | None = None) -> Tensor:
    """Zeros of the dtype of this tensor."""
    return filled(checked_size(size), 0, dtype or self.dtype)


@factory(method=True, function=False)
def new_empty_strided(self: Tensor, size: Ints, stride: Ints, *, dtype: DType | None = None) -> Tensor:
    """Zeros of the dtype of this tensor, with the dimensions laid out in memory in the order of ``stride``."""
    return filled_strided(checked_size(size), stride, 0, dtype or self.dtype)


@factory(method=True, function=False)
def new_full(self: Tensor, size: Ints, fill_value: Scalar, *, dtype: DType | None = None) -> Tensor:
    """``fill_value`` everywhere, in the dtype of this tensor."""
    check_fits(fill_value, dtype or self.dtype)
    return filled(checked_size(size), fill_value, dtype or self.dtype)


# -- ranges -------------------------------------------------------------------------------------------------------
def _number(op_name: str, argument: str, position: int, value: Any) -> Any:
    """A Python number, also out of a 0-d tensor."""
    if isinstance(value, Tensor) and value.array.ndim == 0 and not value.requires_grad:
        return value.item()
    if not isinstance(value, int | float | complex):
        raise ArgumentTypeError(
            f"{op_name}(): argument '{argument}' (position {position}) must be Number, not {type(value).__name__}"
        )
    return value


@primitive(public=False, grows=lambda count: count, scratch=3)
def counted(start: Scalar, step: Scalar, count: int, dtype: DType) -> Array:
    """``count`` numbers from ``start`` on, ``step`` apart."""
    if dtype.category == INTEGER:
        return (np.arange(count, dtype=np.int64) * int(step) + int(start)).astype(dtype.numpy)
    return (np.arange(count) * float(step) + float(start)).astype(dtype.numpy)


@factory
def arange(start: Any = None, end: Any = None, step: Any = 1, *, dtype: DType | None = None) -> Tensor:
    """The numbers from ``start`` up to but without ``end``, ``step`` apart; with one argument from 0 up to it."""
    if start is None and end is None:
        raise ArgumentTypeError("arange() received an invalid combination of arguments - got (), but expected one of:")
    first, last = (0, start) if end is None else (0 if start is None else start, end)
    low = _number("arange", "start", 1, first)
    high = _number("arange", "end", 1 if end is None else 2, last)
    by = _number("arange", "step", 3, step)
    target = _range_dtype(low, high, by) if dtype is None else dtype
    if target.category not in (INTEGER, FLOATING):
        raise UnsupportedError(f"\"arange_cpu\" not implemented for '{target.scalar_type}'")
    if target is dtypes.int64:
        low, high, by = _whole(low), _whole(high), _whole(by)
    return counted(low, by, _range_count(low, high, by), target)


def _range_dtype(*numbers: Any) -> DType:
    for number in numbers:
        check_fits(number, dtypes.int64 if isinstance(number, int) else dtypes.float64)
    return dtypes.int64 if all(isinstance(number, int) for number in numbers) else modes.current().default_dtype


def _whole(number: Any) -> Any:
    return int(number) if isfinite(number) else number


def _range_count(start: Any, end: Any, step: Any) -> int:
    if step == 0:
        raise OpError("step must be nonzero")
    if any(isinstance(one, complex) for one in (start, end, step)):
        raise OpError("value cannot be converted to type double without overflow")
    if isnan(step):
        raise OpError(f"unsupported range: {start:g} -> {end:g}")
    if not (isfinite(start) and isfinite(end)):
        raise OpError(f"unsupported range: {start:g} -> {end:g}")
    if (end - start) * step < 0:
        raise OpError("upper bound and lower bound inconsistent with step sign")
    if isinstance(step, int) and isinstance(start, int) and isinstance(end, int):
        return -((start - end) // step)
    return ceil((end - start) / step)


@factory(name="range")
def inclusive_range(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: DType | None = None) -> Tensor:
    """The numbers from ``start`` up to and with ``end``, ``step`` apart."""
    modes.warn(RANGE)
    low, high = (0, start) if end is None else (start, end)
    for name, position, value in (("start", 1, low), ("end", 2, high), ("step", 3, step)):
        if not isinstance(value, int | float):
            raise ArgumentTypeError(
                f"range(): argument '{name}' (position {position}) must be Number, not {type_name(value)}"
            )
    if step == 0:
        raise OpError("step must be nonzero")
    if not isfinite((high - low) / step):
        raise OpError(f"unsupported range: {low:g} -> {high:g}")
    return counted(low, step, int((high - low) / step) + 1, _default(dtype))


@primitive(public=False, grows=lambda steps: steps, scratch=4)
def spaced(start: Scalar, end: Scalar, steps: int, dtype: DType) -> Array:
    """``steps`` numbers from ``start`` to ``end``, both included: the first half counted from there, the rest back."""
    if steps < 2:
        return np.full(steps, start).astype(dtype.numpy)
    compute = np.dtype(np.float64) if dtype.category == INTEGER else dtype.numpy  # 16-bit floats round at every step
    first, last = np.asarray([start, end]).astype(compute)
    step = (last - first) / compute.type(steps - 1)
    places = np.arange(steps)
    rising = first + step * places.astype(compute)
    falling = last - step * (steps - 1 - places).astype(compute)
    return np.where(places < steps // 2, rising, falling).astype(dtype.numpy)


@primitive(public=False, grows=lambda steps: steps, scratch=4)
def spaced_powers(start: Scalar, end: Scalar, steps: int, base: float, dtype: DType) -> Array:
    """``base`` to the powers that ``spaced`` gives."""
    compute = dtypes.float64 if dtype.category == INTEGER else dtype.opmath
    return np.power(compute.numpy.type(base), spaced.kernel(start, end, steps, compute)).astype(dtype.numpy)


def _spacing(name: str, start: Any, end: Any, steps: int, dtype: DType | None) -> tuple[Any, Any, DType]:
    """Both ends as numbers, and the dtype of what lies between. Raises where PyTorch does."""
    low, high = _number(name, "start", 1, start), _number(name, "end", 2, end)
    if steps < 0:
        raise OpError("number of steps must be non-negative")
    is_complex = isinstance(low, complex) or isinstance(high, complex)
    default = modes.current().default_dtype
    inferred = dtypes.to_complex(default) if is_complex else default
    target = dtype or inferred
    if is_complex and not target.is_complex:
        raise OpError(
            f"torch.{name}(): inferred dtype {_C_TYPES[inferred.name]} can't be safely cast to passed dtype "
            f"{target.scalar_type}"
        )
    if target is dtypes.bool_:
        raise UnsupportedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    return low, high, target


@factory
def linspace(start: Any, end: Any, steps: int, *, dtype: DType | None = None) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included, at equal distances."""
    low, high, target = _spacing("linspace", start, end, steps, dtype)
    return spaced(low, high, steps, target)


@factory
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: DType | None = None) -> Tensor:
    """``base`` to the power of ``steps`` numbers from ``start`` to ``end``, both included, at equal distances."""
    low, high, target = _spacing("logspace", start, end, steps, dtype)
    return spaced_powers(low, high, steps, base, target)


@primitive(public=False, grows=lambda rows, columns: rows * columns)
def identity(rows: int, columns: int, dtype: DType) -> Array:
    """Ones on the diagonal, zeros elsewhere."""
    return np.eye(rows, columns, dtype=dtype.numpy)


@factory
def eye(n: int, m: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """The identity matrix with ``n`` rows and ``m`` columns."""
    for name, extent in (("n", n), ("m", m)):
        if extent is not None and extent < 0:
            raise OpError(f"{name} must be greater or equal to 0, got {extent}")
    return identity(n, n if m is None else m, _default(dtype))


def _triangle(row: int, col: int, offset: int, lower: bool) -> int:
    """How many places of a ``row`` by ``col`` matrix lie on one side of a diagonal."""
    shift = offset + (1 if lower else 0)  # row ``i`` has ``i + shift`` places below, but at least none and at most all
    some = min(max(-shift, 0), row)
    full = min(max(col - shift, some), row)
    below = (full - some) * (some + full - 1 + 2 * shift) // 2 + (row - full) * col
    return below if lower else row * col - below


@primitive(
    public=False, grows=lambda row, col, offset, lower: 2 * _triangle(row, col, offset, lower),
    scratch=lambda row, col, offset, lower: 6 * _triangle(row, col, offset, lower) + 8 * row,
)  # fmt: skip
def triangle_indices(row: int, col: int, offset: int, lower: bool, dtype: DType) -> Array:
    """The places on one side of a diagonal: a row of row numbers, a row of column numbers."""
    first, last = (max(-offset, 0), row) if lower else (0, min(row, max(col - offset, 0)))
    rows = np.arange(min(first, last), last)  # those that have any
    edges = np.clip(rows + offset, 0, col)
    starts, stops = (
        (np.zeros_like(rows), np.clip(rows + offset + 1, 0, col)) if lower else (edges, np.full_like(rows, col))
    )
    counts = stops - starts
    before = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return np.stack([np.repeat(rows, counts), np.arange(len(before)) + before]).astype(dtype.numpy)


def _checked_matrix(row: int, col: int) -> tuple[int, int]:
    for name, extent in (("row", row), ("col", col)):
        if extent < 0:
            raise OpError(f"{name} must be non-negative, got{extent}")
    return row, col


@factory
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None) -> Tensor:
    """The places on and below a diagonal of a ``row`` by ``col`` matrix: row numbers, then column numbers."""
    return triangle_indices(*_checked_matrix(row, col), offset, True, dtype or dtypes.int64)


@factory
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None) -> Tensor:
    """The places on and above a diagonal of a ``row`` by ``col`` matrix: row numbers, then column numbers."""
    return triangle_indices(*_checked_matrix(row, col), offset, False, dtype or dtypes.int64)
