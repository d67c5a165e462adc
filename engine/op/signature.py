"""Signatures: what a declaration's parameters are, and how a call's arguments are bound to them.

The signature of a kernel (or composite) is the schema of its op. An annotation names a kind:

    Array, Index, Mask     a tensor; the last two take no part in promotion and are never differentiable
    Arrays                 a list of tensors
    Dim, NewDim, Dims      dimensions, counted from the end when negative; bound as non-negative, checked numbers.
                           ``NewDim`` may be one past the last; ``Dims`` is a tuple without repetitions, or ``None``
    AskedDims              the same, for ops whose refusals show dimensions as they were asked for
    Size                   a tuple of integers, or one for all of it
    Ints                   a tuple of integers
    Extents                the same; methods, and functions of nothing else, take separate arguments: ``x.view(2, 3)``
    Scalar, int, float, bool, str, DType
                           static values of these types

Parameters of composites, which are held against these only where a call has failed:

    Tensor, Tensors        a tensor; a list of tensors, or separate ones: ``*tensors: Tensors``
    Masking                a tensor, for functions that are Python's: they ask whatever they get for its shape
    Operand, Real          a tensor or a number; a tensor or a real number
    Function               what can be called

``| None`` makes any of them optional. Unknown annotations are passed through as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from operator import index as as_index
from pathlib import Path
from types import FunctionType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from engine import dtypes
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, DimensionError, OpError, UnexpectedArgumentError
from engine.named_results import NamedResult
from engine.tensor import Tensor

Array: TypeAlias = np.ndarray[Any, Any]
Index: TypeAlias = Array
Mask: TypeAlias = Array
Arrays: TypeAlias = list[Array]
Dim: TypeAlias = int
NewDim: TypeAlias = int
Dims: TypeAlias = tuple[int, ...]
AskedDims: TypeAlias = tuple[int, ...]
Size: TypeAlias = tuple[int, ...]
Ints: TypeAlias = tuple[int, ...]
Extents: TypeAlias = tuple[int, ...]
Scalar: TypeAlias = Any  # a Python number; which, the op says
Tensors: TypeAlias = Any
Masking: TypeAlias = Tensor
Operand: TypeAlias = Any
Real: TypeAlias = Any

PYTHON_FUNCTIONS: Final = frozenset(Path(__file__).with_name("python_functions.txt").read_text().split())
TENSOR_KINDS = ("Array", "Index", "Mask", "Arrays")
_ALIASES = {"self": "input", "axis": "dim", "keepdims": "keepdim", "x": "input", "dims": "dim", "dim": "dims"}
_INTEGERS = {int}
_STARRED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
MISSING = inspect.Parameter.empty  # the default of what has none, and the value of what was not given
ANY_RANK = 2**31  # of a tensor whose rank is not known: every dimension is one of it


def type_name(value: object) -> str:
    """The name of a value's type in PyTorch's messages."""
    name = type(value).__name__
    return f"torch.return_types.{name}" if isinstance(value, NamedResult) else _TYPE_NAMES.get(name, name)


_TYPE_NAMES = {
    "DType": "torch.dtype", "Device": "torch.device", "Generator": "torch._C.Generator", "Module": "module",
    "Size": "torch.Size", "ndarray": "numpy.ndarray", "partial": "function",
    **dict.fromkeys(("Composite", "Overloaded", "Primitive"), "builtin_function_or_method"),
}  # fmt: skip


_IN_C = ("fft.", "linalg.", "special.")  # namespaces that are part of what their functions are called


def shown_name(name: str) -> str:
    """What PyTorch's messages call a function: ``linalg.inv`` is ``linalg_inv``, ``nn.functional.pad`` is ``pad``."""
    return name.replace(".", "_") if name.startswith(_IN_C) else name.rpartition(".")[2]


def wrap_dim(dim: int, ndim: int) -> int:
    """``dim`` counted from the front. A 0-d tensor has the dimensions -1 and 0, as in PyTorch."""
    extent = max(ndim, 1)
    try:
        is_inside = -extent <= dim < extent
    except TypeError:
        raise ArgumentTypeError(f"dim must be int, not {type_name(dim)}") from None
    if not is_inside:
        raise DimensionError(
            f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but got {dim})"
        )
    return dim % extent


class Declared(NamedTuple):
    """What the text of a function says of one of its parameters."""

    name: str
    annotation: object
    default: object
    keyword_only: bool = False
    is_starred: bool = False


def parameters_of(function: Callable[..., Any]) -> list[Declared]:
    """The parameters of a function: thousands are asked at each start, and ``inspect`` makes objects of all."""
    if not _is_plain(function):
        kinds = inspect.Parameter
        return [
            Declared(
                one.name, one.annotation, one.default, one.kind is kinds.KEYWORD_ONLY, one.kind is kinds.VAR_POSITIONAL
            )
            for one in inspect.signature(function).parameters.values()
        ]  # fmt: skip
    said, code = function.__annotations__.get, function.__code__
    positional, named = code.co_varnames[: code.co_argcount], names_of(function)[code.co_argcount :]
    last, of_named = function.__defaults__ or (), function.__kwdefaults__ or {}
    defaults = (*[MISSING] * (len(positional) - len(last)), *last)
    listed = [Declared(name, said(name, MISSING), one) for name, one in zip(positional, defaults, strict=True)]
    return listed + [Declared(name, said(name, MISSING), of_named.get(name, MISSING), True) for name in named]


def names_of(function: Callable[..., Any]) -> list[str]:
    """The parameters of a function by name."""
    if not _is_plain(function):
        return list(inspect.signature(function).parameters)
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _is_plain(function: Callable[..., Any]) -> bool:
    """Whether its code says everything: it takes no others than it names, and nothing says that it is like another."""
    return isinstance(function, FunctionType) and not function.__dict__ and not function.__code__.co_flags & _STARRED


class Param:
    """One parameter of an op: its kind, default, and how a value is checked and normalised."""

    __slots__ = (
        "convert",
        "counts_dimensions",
        "default",
        "index",
        "is_list",
        "is_starred",
        "is_tensor",
        "keyword_only",
        "kind",
        "name",
        "of_method",
        "optional",
        "variadic",
    )

    def __init__(self, index: int, declared: Declared) -> None:
        annotation = str(declared.annotation)
        self.index = index
        self.name, self.default = declared.name, declared.default
        self.optional = annotation.endswith(" | None")
        self.kind = annotation.removesuffix(" | None")
        self.is_tensor = self.kind in TENSOR_KINDS  # takes a tensor or a list of tensors
        self.is_list = self.kind == "Arrays"
        self.keyword_only, self.is_starred = declared.keyword_only, declared.is_starred
        self.variadic = self.is_starred or self.kind == "Extents"
        self.counts_dimensions = self.kind in ("Dim", "NewDim", "Dims", "AskedDims")
        self.convert: Callable[..., Any] | None = _CONVERTERS.get(self.kind)
        self.of_method = False

    def as_method(self) -> Param:
        """The same parameter of a method, which does not count its tensor."""
        method = copy(self)
        method.of_method = True
        return method

    @property
    def position(self) -> int:
        """The place in refusals."""
        return self.index + (not self.of_method)

    def reject(self, op_name: str, expected: str, value: object) -> ArgumentTypeError:
        """The error for a value of the wrong type, in PyTorch's words. In-place variants are methods."""
        position = self.index if op_name.endswith("_") else self.position
        return ArgumentTypeError(
            f"{op_name}(): argument '{self.name}' (position {position}) must be {expected}, not {type_name(value)}"
        )

    def static(self, op_name: str, value: Any, ndim: int) -> Any:
        """``value`` checked and normalised; ``ndim`` is the rank of the op's first tensor."""
        if value is None and (self.optional or self.default is None):
            return None
        if self.convert is None:
            return value
        try:
            return self.convert(value, ndim)
        except TypeError as error:
            if isinstance(error, ArgumentTypeError):
                raise
            raise self._reject_static(op_name, value) from None

    def check(self, op_name: str, value: Any, ndim: int) -> None:
        """Raise if ``value`` is none that this parameter takes, for an op that has not looked at it."""
        if value is None and self.optional:
            return
        if self.kind == "Tensor" and not isinstance(value, Tensor):
            raise self.reject(op_name, "Tensor", value)
        if self.kind == "Operand" and not isinstance(value, Tensor | int | float | complex):
            raise self.reject(op_name, "Tensor", value)
        if self.kind == "Real" and not isinstance(value, Tensor | int | float):
            raise self.reject(op_name, "Tensor", value)
        if self.kind == "Function" and not callable(value):
            raise ArgumentTypeError(f"'{type_name(value)}' object is not callable")
        if self.kind == "Tensors":
            self.tensors(op_name, value)
        self.static(op_name, value, ndim)

    def tensors(self, op_name: str, value: Any) -> list[Tensor]:
        """The tensors of a list. Raises ``ArgumentTypeError`` for anything else."""
        if not isinstance(value, list | tuple):
            raise self.reject(op_name, "tuple of Tensors", value)
        for position, one in enumerate(value):
            if not isinstance(one, Tensor):
                raise ArgumentTypeError(
                    f"expected Tensor as element {position} in argument {self.position - 1}, but got {type_name(one)}"
                )
        return list(value)

    def _reject_static(self, op_name: str, value: Any) -> ArgumentTypeError:
        expected = _EXPECTED.get(self.kind, self.kind)
        if not isinstance(value, list | tuple) or self.convert not in (_size, _ints):
            return self.reject(op_name, expected, value)
        if len(value) == 1 and self.variadic and self.of_method:
            return self.reject(op_name, expected, value[0])
        place = next(i for i, extent in enumerate(value) if not _is_integer(extent))
        kind = type_name(value[place])
        if place:
            return ArgumentTypeError(
                f"{op_name}(): argument '{self.name}' failed to unpack the object at pos {place + 1} with error "
                f'"type must be {expected},but got {kind}"'
            )
        return ArgumentTypeError(
            f"{op_name}(): argument '{self.name}' (position {self.position}) must be {expected}, but found element of "
            f"type {kind} at pos 0"
        )


class Signature:
    """The parameters of one callable, bound fast."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.name = name
        self.params = [Param(i, one) for i, one in enumerate(parameters_of(function))]
        self.of_method = False
        self.is_python = False  # whether what it says of arguments that are missing or too many are Python's words
        self.takes_out, self.out = False, ""  # whether there is ``out=``, and what it may be (``traits.Outputs``)
        self._by_name = {param.name: param for param in self.params}
        self._plain = not any(param.variadic or param.keyword_only for param in self.params)
        self._count = len(self.params)
        self._defaults = [param.default for param in self.params]
        self._needs_all = any(default is MISSING for default in self._defaults)
        self._positional = sum(not param.keyword_only for param in self.params)
        self._has_variadic = any(param.variadic for param in self.params)
        self._fixed = next((i for i, default in enumerate(self._defaults) if default is not MISSING), self._count)

    @property
    def gathers(self) -> bool:
        """Whether extents may be given one by one: there is nothing else to give."""
        return self.of_method or self.params[0].variadic

    def named(self, name: str) -> Signature:
        """The same parameters under another name."""
        other = copy(self)
        other.name = name
        return other

    def as_method(self) -> Signature:
        """The same of a method, which does not count its tensor."""
        method = copy(self)
        method.of_method = True
        method.params = [param.as_method() for param in self.params]
        return method

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The value of every parameter. Raises ``ArgumentTypeError`` in PyTorch's words."""
        given = len(args)
        if self._plain and given == self._count and not kwargs:
            return list(args)
        if self._has_variadic:
            args = self._gather(args)
            given = len(args)
        elif not kwargs and self._fixed <= given <= self._positional:
            return [*args, *self._defaults[given:]]
        if given > self._positional:
            raise self._too_many(given)
        values = list(args) + self._defaults[given:]
        for name, value in kwargs.items():
            values[self._place(name, given)] = value
        self._check_complete(values)
        return values

    def bind_given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """``bind`` of those of ``args`` before the first that was not given."""
        missing = next((place for place, value in enumerate(args) if value is MISSING), len(args))
        return self.bind(args[:missing], kwargs)

    def refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise what is wrong with the number, the names or the types of these arguments, if anything is."""
        values = self.bind(args, kwargs)
        rank = next((value.array.ndim for value in values if isinstance(value, Tensor)), ANY_RANK)
        for param in self.params:
            if values[param.index] is not param.default:
                param.check(self.name, values[param.index], rank)

    def _gather(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Separate arguments of a variadic parameter as one tuple."""
        for param in self.params:
            if param.variadic:
                rest = args[param.index :]
                is_one = len(rest) == 1 and isinstance(rest[0], list | tuple)
                if not is_one and param.kind == "Extents" and not self.gathers:
                    return args
                if len(rest) == 1 and isinstance(rest[0], list | tuple):
                    rest = tuple(rest[0])
                return (*args[: param.index], rest) if rest or len(args) > param.index else args
        return args

    def _place(self, name: str, given: int) -> int:
        param = self._by_name.get(name) or self._by_name.get(_ALIASES.get(name, ""))
        if param is None:
            raise UnexpectedArgumentError(self.name, name)
        if param.index < given and not param.keyword_only:
            raise ArgumentTypeError(f"{self.name}() got multiple values for argument '{name}'")
        return param.index

    def _slot_refusal(self, given: int) -> ArgumentTypeError:
        """What Python says of a number of arguments that ``__getitem__`` and its like do not take."""
        count = self._positional - 1
        words = f"expected {count} argument{'' if count == 1 else 's'}, got {given - 1}"
        return ArgumentTypeError(f" {words}" if self.name == "__setitem__" else words)  # so it is in Python

    def _too_many(self, given: int) -> ArgumentTypeError:
        count = self._positional
        if self.name.startswith("__"):
            return self._slot_refusal(given)
        if self.of_method:
            count, given = count - 1, given - 1
            if self._count == 1:
                return ArgumentTypeError(f"TensorBase.{self.name}() takes no arguments ({given} given)")
        plural, verb = ("" if count == 1 else "s"), ("was" if given == 1 else "were")
        return ArgumentTypeError(f"{self.name}() takes {count} positional argument{plural} but {given} {verb} given")

    def _missing_in_python(self, missing: list[str]) -> ArgumentTypeError:
        quoted = [f"'{name}'" for name in missing]
        listed = " and ".join(quoted) if len(quoted) < 3 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
        plural = "" if len(missing) == 1 else "s"
        return ArgumentTypeError(f"{self.name}() missing {len(missing)} required positional argument{plural}: {listed}")

    def _check_complete(self, values: list[Any]) -> None:
        missing = [
            param.name for param, value in zip(self.params, values, strict=True)
            if value is MISSING and not (param.variadic and param.kind != "Extents")
        ]  # fmt: skip
        if missing and self.name.startswith("__"):
            raise self._slot_refusal(self._positional - len(missing))
        if missing and self.is_python:
            raise self._missing_in_python(missing)
        if missing:
            names = ", ".join(f'"{name}"' for name in missing)
            plural = "s" if len(missing) == 1 else ""  # so it is in PyTorch
            raise ArgumentTypeError(
                f"{self.name}() missing {len(missing)} required positional argument{plural}: {names}"
            )
        for param in self.params:
            if param.variadic and values[param.index] is MISSING:
                values[param.index] = ()

    def __str__(self) -> str:
        return ", ".join(_describe(param) for param in self.params)


def _describe(param: Param) -> str:
    star = "*" if param.variadic else ""
    kind = {"Array": "Tensor", "Index": "Tensor", "Mask": "Tensor", "Arrays": "Tensor[]"}.get(param.kind, param.kind)
    optional = "?" if param.optional else ""
    default = "" if param.default is MISSING else f"={param.default!r}"
    return f"{star}{param.name}: {kind}{optional}{default}" if kind != str(MISSING) else f"{star}{param.name}{default}"


# -- static kinds -------------------------------------------------------------------------------------------------
def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, Tensor):
        return int(value.item())
    return as_index(value)


def _is_integer(value: Any) -> bool:
    try:
        _integer(value)
    except TypeError:
        return False
    return True


def _dim(value: Any, ndim: int) -> int:
    return wrap_dim(_integer(value), ndim)


def _new_dim(value: Any, ndim: int) -> int:
    return wrap_dim(_integer(value), ndim + 1)


def _dims(value: Any, ndim: int) -> tuple[int, ...]:
    listed = value if isinstance(value, list | tuple) else (value,)
    dims = tuple(wrap_dim(_integer(dim), ndim) for dim in listed)
    for dim in dims:
        if dims.count(dim) > 1:
            raise OpError(f"dim {dim} appears multiple times in the list of dims")
    return dims


def _asked_dims(value: Any, ndim: int) -> tuple[int, ...]:
    _dims(value, ndim)
    return tuple(map(_integer, value)) if isinstance(value, list | tuple) else (_integer(value),)


def _size(value: Any, ndim: int) -> tuple[int, ...]:
    if type(value) is tuple and {*map(type, value)} <= _INTEGERS:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    return _ints(value, ndim)


def _ints(value: Any, ndim: int) -> tuple[int, ...]:
    if type(value) is tuple and {*map(type, value)} <= _INTEGERS:
        return value
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError
    return tuple(_integer(extent) for extent in value)


def _int(value: Any, ndim: int) -> int:
    return _integer(value)


def _float(value: Any, ndim: int) -> float:
    if isinstance(value, Tensor):
        value = value.item()
    if not isinstance(value, int | float):
        raise TypeError
    return value


def _bool(value: Any, ndim: int) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _str(value: Any, ndim: int) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _scalar(value: Any, ndim: int) -> Any:
    if isinstance(value, Tensor) and value.array.ndim == 0 and not value.requires_grad:
        value = value.item()
    if not isinstance(value, int | float | complex):
        raise TypeError
    return value


def _dtype(value: Any, ndim: int) -> DType:
    if isinstance(value, DType):
        return value
    if not isinstance(value, str):
        raise TypeError
    try:
        return dtypes.by_name(value)
    except KeyError:
        raise ArgumentTypeError(f"{value!r} is not the name of a dtype") from None


_CONVERTERS: dict[str, Callable[..., Any]] = {
    "Dim": _dim, "NewDim": _new_dim, "Dims": _dims, "AskedDims": _asked_dims,
    "Size": _size, "Ints": _ints, "Extents": _ints, "int": _int, "float": _float,
    "bool": _bool, "str": _str, "Scalar": _scalar, "DType": _dtype,
}  # fmt: skip
_EXPECTED = {
    "Dim": "int", "NewDim": "int", "Dims": "tuple of ints", "AskedDims": "tuple of ints", "Size": "tuple of ints",
    "Ints": "tuple of ints", "Extents": "tuple of ints", "Scalar": "Number", "DType": "torch.dtype",
}  # fmt: skip
