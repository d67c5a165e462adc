"""``out=``: a result written into a tensor that the caller has, for the functions that take one in PyTorch.

One mechanism for all: the call without ``out`` runs unrecorded, and what it gives is copied. ``outs.txt`` lists the
functions; ``tests/golden/record_outs.py`` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from engine import dtypes, modes, registry
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError, UnexpectedArgumentError, UnsupportedError
from engine.named_results import named_result
from engine.op.signature import MISSING, type_name
from engine.tensor import Tensor, from_array

NAMES: Final = frozenset(Path(__file__).with_name("outs.txt").read_text().split())
RECORDED = (
    "{}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires "
    "grad."
)
RESIZED = (
    "An output with one or more elements was resized since it had shape {}, which does not match the required output "
    "shape {}. This behavior is deprecated, and in a future PyTorch release outputs will not be resized unless they "
    "have zero elements. You can explicitly reuse an out tensor t by resizing it, inplace, to zero elements with "
    "t.resize_(0)."
)


# The functions whose tensors may be numbers to PyTorch's parser of arguments, ``out`` too.
OF_NUMBERS: Final = frozenset({"add", "sub", "mul", "div", "floor_divide", "true_divide"})


def into_out(signature: Any, call: Callable[..., Any], given: Sequence[Any], named: dict[str, Any]) -> Any:
    """What a call with ``out`` among its arguments by name returns: ``out``, with the result in it."""
    if signature.of_method or not signature.takes_out:
        raise UnexpectedArgumentError(signature.name, "out")
    arguments = [value for value in given if value is not MISSING]
    rest = {name: value for name, value in named.items() if name != "out"}
    out = named["out"]
    if out is None:
        return call(*arguments, **rest)
    if signature.name in OF_NUMBERS and isinstance(out, int | float | complex):
        out = from_array(np.asarray(out))
    targets = _targets(signature.name, out)
    if modes.is_grad_enabled() and any(one.requires_grad for one in (*targets, *_tensors((arguments, rest)))):
        raise OpError(RECORDED.format(signature.name))
    is_asked = rest.get("dtype") is not None
    if _is_of_dtype(signature, arguments, rest) and targets[0].dtype.category >= dtypes.INTEGER:
        rest.setdefault("dtype", targets[0].dtype)
    with modes.no_grad():
        try:
            result = call(*arguments, **rest)
        except UnsupportedError as error:
            if signature.out == "cast" and error.dtype is not None:
                _check_cast(error.dtype, targets[0])
            raise
        results = (result,) if isinstance(result, Tensor) else tuple(result)
        if len(results) != len(targets) or isinstance(out, Tensor) != isinstance(result, Tensor):
            expected = "Tensor" if isinstance(result, Tensor) else "tuple of Tensors"
            raise ArgumentTypeError(f"{signature.name}(): argument 'out' must be {expected}, not {type_name(out)}")
        for target, value in zip(targets, results, strict=True):
            _check_dtype(signature, target, value, is_asked)
        for target, value in zip(targets, results, strict=True):
            _write(target, value)
    if isinstance(result, Tensor):
        return out
    fields = getattr(result, "_fields", None)
    return tuple(targets) if fields is None else named_result(f"{type(result).__name__}_out", *fields)(*targets)


def _targets(name: str, out: Any) -> list[Tensor]:
    targets = [out] if isinstance(out, Tensor) else out
    if not isinstance(targets, list | tuple) or not all(isinstance(one, Tensor) for one in targets):
        raise ArgumentTypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    return list(targets)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _is_of_dtype(signature: Any, arguments: Sequence[Any], rest: dict[str, Any]) -> bool:
    """Whether the dtype of ``out`` says which dtype is computed."""
    has_dtype = any(param.name == "dtype" for param in signature.params)
    return has_dtype and (signature.out == "dtype" or not any(True for _ in _tensors((arguments, rest))))


def _check_dtype(signature: Any, target: Tensor, value: Tensor, is_asked: bool) -> None:
    """A result that may be cast loses digits at most; any other has to have the dtype."""
    if value.dtype is target.dtype:
        return
    if signature.out == "kind" and value.dtype.is_complex == target.dtype.is_complex:
        return
    if signature.out == "kind":
        kind = "complex" if value.dtype.is_complex else "floating point"
        name = signature.name.rpartition("_")[2].replace("2", "n")
        name = "fftn" if name == "ifftn" else name  # which PyTorch says of both
        raise OpError(f"{name} expects a {kind} output tensor, but got {target.dtype.scalar_type}")
    if not signature.out or is_asked:
        raise OpError(f"Expected out tensor to have dtype {value.dtype.c_name}, but got {target.dtype.c_name} instead")
    _check_cast(value.dtype, target)


def _check_cast(dtype: DType, target: Tensor) -> None:
    if not dtypes.can_cast(dtype, target.dtype):
        raise OpError(
            f"result type {dtype.scalar_type} can't be cast to the desired output type {target.dtype.scalar_type}"
        )


def _write(target: Tensor, value: Tensor) -> None:
    shape = value.array.shape
    if target.array.shape != shape:
        if target.array.size:
            modes.warn(RESIZED.format(list(target.array.shape), list(shape)))
        resize: Any = registry.method("resize_")
        before = target.storage.version
        resize(target, shape)
        target.storage.version = before  # the result counts as one write, together with its room
    registry.op("copy").inplace(target, value)
