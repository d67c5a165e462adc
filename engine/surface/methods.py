"""Attaches operators, methods and attributes to Tensor, from the registry and from the tables here.

Here too the methods that are no ops: what a tensor is, its values as Python objects, its part in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite, isnan
from types import FunctionType
from typing import Any

import numpy as np

from engine import dtypes, memory_formats, modes, registry
from engine.autograd import inplace, sweep
from engine.dtypes import DType
from engine.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    DimensionError,
    MissingAttributeError,
    OpError,
    TooLargeError,
)
from engine.op.callables import Op
from engine.op.primitive import InPlace, Primitive
from engine.op.signature import type_name, wrap_dim
from engine.ops.creation.factories import check_device
from engine.printing import format_tensor, shown_size
from engine.shapes import broadcast_pair
from engine.storage import share
from engine.surface import copying
from engine.tensor import CONJ, NEG, Parameter, Size, Tensor, read

BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le",
    "gt": "gt", "ge": "ge",
}  # fmt: skip
REFLECTED_AS_IS = {"add": "add", "mul": "mul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}
REFLECTED_SWAPPED = {
    "mod": "remainder", "pow": "pow", "matmul": "matmul", "floordiv": "floor_divide", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}  # fmt: skip
UNARY = {"neg": "neg", "pos": "positive", "abs": "abs", "invert": "bitwise_not"}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
SCALAR = "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior."
NUMBERS = (bool, int, float, complex)
OPERANDS = frozenset((Tensor, *NUMBERS))
OTHER_KINDS = (
    "cuda", "ipu", "maia", "meta", "mkldnn", "mps", "mtia", "nested", "quantized", "sparse", "sparse_csr", "vulkan",
    "xla", "xpu",
)  # fmt: skip
NUMBER_BYTES = 40  # a Python number and its place in a list
CELL_BYTES, CELL_STEPS = 200, 20  # what the text of one element takes on its way beside its characters


# -- operators ----------------------------------------------------------------------------------------------------
def _operand(value: object) -> bool:
    return isinstance(value, (Tensor, *NUMBERS))


_unwritten: dict[str, Primitive | InPlace] = {}  # operators by the names of their methods


def _written_when_called(name: str, function: Primitive | InPlace) -> Callable[[Tensor, Any], Any]:
    """An operator whose text is written, and takes this one's place, when it is needed."""
    _unwritten[name] = function

    def first(self: Tensor, other: Any = None) -> Any:
        write_operator(name)
        return getattr(Tensor, name)(self, other)

    return first


def write_operator(name: str) -> None:
    """Write the operator of that method, unless it is."""
    function = _unwritten.pop(name, None)
    if function is not None:
        setattr(Tensor, name, function.write(operator=True))


def write_operators() -> None:
    """Write all operators now, for whoever is going to need them."""
    for name in list(_unwritten):
        write_operator(name)


def _binary(name: str, function: Callable[..., Any]) -> Callable[[Tensor, Any], Any]:
    if isinstance(function, Primitive | InPlace):
        return _written_when_called(name, function)
    call = _direct(function)

    def operator(self: Tensor, other: Any = None) -> Any:
        return call(self, other) if type(other) in OPERANDS or _operand(other) else NotImplemented

    return operator


def _swapped(_: str, function: Callable[..., Any]) -> Callable[[Tensor, Any], Any]:
    call = _direct(function)

    def operator(self: Tensor, other: Any = None) -> Any:
        return call(other, self) if type(other) in OPERANDS or _operand(other) else NotImplemented

    return operator


def _direct(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain function behind an op: Python calls it faster than an object, and binds it to a tensor by itself."""
    return function.direct() if isinstance(function, Op) else function


def _reflected_truediv(self: Tensor, other: Any = None) -> Any:
    """``number / tensor``, as PyTorch computes it."""
    return self.reciprocal() * other if _operand(other) else NotImplemented


def _bitwise(name: str) -> bool:
    return name in ("and", "or", "xor", "lshift", "rshift")


def operators() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every operator method whose op exists."""
    for name, op_name in BINARY.items():
        function = registry.function(op_name)
        if function is not None:
            yield f"__{name}__", _binary(f"__{name}__", function)
        written = registry.method(f"{op_name}_")
        if written is not None and name not in COMPARISONS:
            yield f"__i{name}__", _binary(f"__i{name}__", written)
    for table, wrap in ((REFLECTED_AS_IS, _binary), (REFLECTED_SWAPPED, _swapped), ({"sub": "rsub"}, _binary)):
        for name, op_name in table.items():
            function = registry.function(op_name)
            if function is not None:
                yield f"__r{name}__", wrap(f"__r{name}__", function)
    for name, op_name in UNARY.items():
        function = registry.function(op_name)
        if function is not None:
            yield f"__{name}__", (_invert if name == "invert" else _unary)(function)
    yield "__rtruediv__", _reflected_truediv
    yield "__rdiv__", _reflected_truediv


def _invert(function: Callable[..., Any]) -> Callable[[Tensor], Any]:
    def invert(self: Tensor) -> Any:
        if self.dtype.category > dtypes.INTEGER:
            raise ArgumentTypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return function(self)

    return invert


def _unary(function: Callable[..., Any]) -> Callable[[Tensor], Any]:
    return _direct(function)


# -- what a tensor is ---------------------------------------------------------------------------------------------
def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the extent of one dimension."""
    return self.shape if dim is None else self.array.shape[_own_dim("size", dim, self.array.ndim)]


def stride(self: Tensor, dim: int | None = None) -> Any:
    """The strides in elements, or that of one dimension."""
    steps = self.geometry.stride
    return steps if dim is None else steps[_own_dim("stride", dim, self.array.ndim)]


def _own_dim(name: str, dim: Any, ndim: int) -> int:
    """A dimension that is there; not, as elsewhere, the first of a 0-d tensor."""
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise ArgumentTypeError(f"{name}(): argument 'dim' (position 1) must be int, not {type(dim).__name__}")
    if not ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    return wrap_dim(dim, ndim)


def numel(self: Tensor) -> int:
    """The number of elements."""
    return self.array.size


def is_contiguous(self: Tensor, *, memory_format: Any = memory_formats.CONTIGUOUS) -> bool:
    """Whether the elements lie in C order, or in that of another memory format, without gaps."""
    if memory_format is memory_formats.CONTIGUOUS:
        return bool(self.array.flags.c_contiguous)
    wanted = memory_formats.wanted("is_contiguous", memory_format)
    return wanted is None or wanted.fits(self.geometry.size, self.geometry.stride)


def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return int(self.array.__array_interface__["data"][0])


def __len__(self: Tensor) -> int:
    if self.array.ndim == 0:
        raise ArgumentTypeError("len() of a 0-d tensor")
    return int(self.array.shape[0])


def __iter__(self: Tensor) -> Iterator[Tensor]:
    if self.array.ndim == 0:
        raise ArgumentTypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def __repr__(self: Tensor) -> str:
    state, node, array = modes.current(), self.node_name, read(self)
    if state.budget is not None:
        cells, chars = shown_size(array, state.print_options)
        state.budget.take(CELL_STEPS * cells + chars, CELL_BYTES * cells + 4 * chars)
    text = format_tensor(
        array,
        state.print_options,
        dtype=self.dtype.name,
        default_dtype=state.default_dtype.name,
        requires_grad=self.requires_grad,
        grad_fn=None if node is None else node.rpartition("::")[2],
    )
    return f"Parameter containing:\n{text}" if isinstance(self, Parameter) else text


def __format__(self: Tensor, spec: str) -> str:
    if self.array.ndim and spec:
        raise ArgumentTypeError("unsupported format string passed to Tensor.__format__")
    try:
        return str(self) if self.array.ndim else format(self.item(), spec)
    except ValueError as error:
        raise ArgumentValueError(str(error)) from None


# -- values as Python objects -------------------------------------------------------------------------------------
def item(self: Tensor) -> Any:
    """The only element as a Python number."""
    if self.array.size != 1:
        raise OpError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
    return _python(self).item()


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers, or one number."""
    budget = modes.current().budget
    if budget is not None:
        budget.take(self.array.size, NUMBER_BYTES * self.array.size)
    return _python(self).tolist()


def _python(self: Tensor) -> np.ndarray[Any, Any]:
    array = read(self)
    return array.astype(np.float32) if self.dtype is dtypes.bfloat16 else array


def numpy(self: Tensor) -> np.ndarray[Any, Any]:
    """The array itself: memory is shared."""
    if self.requires_grad and modes.is_grad_enabled():
        raise OpError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    for bit, name, resolve in ((CONJ, "conjugate", "resolve_conj"), (NEG, "negative", "resolve_neg")):
        if self.bits & bit:
            raise OpError(
                f"Can't call numpy() on Tensor that has {name} bit set. Use tensor.{resolve}().numpy() instead."
            )
    share(self.storage)
    return read(self)


def _number(self: Tensor) -> Any:
    if self.array.size != 1:
        raise ArgumentValueError("only one element tensors can be converted to Python scalars")
    return item(self)


def _warn_of_tracked(self: Tensor) -> None:
    if self.requires_grad and modes.current().grad_enabled:
        modes.warn_once(SCALAR)


def __bool__(self: Tensor) -> bool:
    if self.array.size == 0:
        raise OpError("Boolean value of Tensor with no values is ambiguous")
    if self.array.size > 1:
        raise OpError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(item(self))


def __float__(self: Tensor) -> float:
    _warn_of_tracked(self)
    number = _number(self)
    if isinstance(number, complex) and number.imag:
        raise OpError("value cannot be converted to type double without overflow")
    return float(number.real)


def __int__(self: Tensor) -> int:
    number = _number(self)
    if isinstance(number, complex):
        if number.imag:
            raise OpError("value cannot be converted to type int64_t without overflow")
        number = number.real
    if isinstance(number, float) and not isfinite(number):
        if isnan(number):
            raise ArgumentValueError("cannot convert float NaN to integer")
        raise TooLargeError("cannot convert float infinity to integer")
    return int(number)


def __complex__(self: Tensor) -> complex:
    _warn_of_tracked(self)
    return complex(_number(self))


def __index__(self: Tensor) -> int:
    if self.array.size != 1 or self.dtype.category > dtypes.INTEGER:
        raise ArgumentTypeError("only integer tensors of a single element can be converted to an index")
    return int(item(self))


def __contains__(self: Tensor, element: Any) -> bool:
    if not _operand(element):
        raise OpError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a <class '{type_name(element)}'>."
        )
    if isinstance(element, Tensor):
        broadcast_pair(self.array.shape, element.array.shape)
    try:
        return bool(np.any(read(self) == (read(element) if isinstance(element, Tensor) else element)))
    except OverflowError:
        raise OpError(f"value cannot be converted to type {self.dtype.c_name}_t without overflow") from None


# -- functions of Python numbers ----------------------------------------------------------------------------------
def __reversed__(self: Tensor) -> Any:
    return self.flip(0) if self.array.ndim else self


def _written(name: str, self: Tensor, function: Callable[..., Any], *others: Tensor) -> Tensor:
    """The elements replaced by what a function of Python numbers says of them, and of those of other tensors."""
    if self.requires_grad:
        raise OpError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    if not callable(function):
        raise ArgumentTypeError(f"{name}(): '{type(function).__name__}' object is not callable")
    for one in others:
        if not isinstance(one, Tensor):
            raise ArgumentTypeError(f"{name}(): expected a Tensor, not {type(one).__name__}")
        broadcast_pair(self.array.shape, one.array.shape)
    rows = [np.broadcast_to(read(one), self.array.shape).ravel().tolist() for one in (self, *others)]
    found = np.array([function(*numbers) for numbers in zip(*rows, strict=True)], self.array.dtype)
    written: Tensor = self.copy_(Tensor(found.reshape(self.array.shape)))
    return written


def apply_(self: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Every element replaced by what a function says of it."""
    return _written("apply_", self, callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Every element replaced by what a function says of it and of that of another tensor."""
    return _written("map_", self, callable, tensor)


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[..., Any]) -> Tensor:
    """Every element replaced by what a function says of it and of those of two other tensors."""
    return _written("map2_", self, callable, x, y)


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The dimensions from the one with the largest steps to that with the smallest."""
    steps = self.geometry.stride
    return tuple(sorted(range(len(steps)), key=lambda dim: -steps[dim]))


# -- the graph ----------------------------------------------------------------------------------------------------
def backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add the gradient of this tensor, weighted by ``gradient``, to the ``grad`` of the leaves it came from."""
    if gradient is not None and not isinstance(gradient, Tensor):
        gradient = tuple(_iterated(gradient))
    sweep.backward(self, gradient, retain_graph, create_graph, inputs)


def _iterated(gradient: Any) -> Iterator[Any]:
    try:
        return iter(gradient)
    except TypeError as error:
        raise ArgumentTypeError(str(error)) from None


def attach() -> None:
    """Give Tensor every operator, method and attribute that the registry knows."""
    for name, function in PLAIN_METHODS.items():
        registry.add_method(name, function)
    for name, getter in PLAIN_ATTRIBUTES.items():
        registry.add_attribute(name, getter)
    for name, function in operators():
        setattr(Tensor, name, function)
        registry.add_method(name, function)
    for name, function in SPECIAL.items():
        setattr(Tensor, name, function)
    for name, method in registry.methods():
        if not hasattr(Tensor, name):
            setattr(Tensor, name, _as_method(name, method))
    for name, getter in registry.attributes():
        if not hasattr(Tensor, name):
            setattr(Tensor, name, property(_plain(getter)))
    Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` as a plain function, which Python binds to its tensor."""
    call = _direct(function)
    return call if isinstance(call, FunctionType) else lambda self, *args, **kwargs: call(self, *args, **kwargs)


def _as_method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for the method of this name; an op's call is written, and takes this one's place, when it is needed."""
    if not isinstance(function, Op):
        return _plain(function)

    def first(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        call = _plain(function)
        setattr(Tensor, name, call)
        return call(self, *args, **kwargs)

    first.__name__, first.__doc__ = name, function.__doc__
    return first


def _unwritable(name: str) -> Any:
    raise MissingAttributeError(f"attribute '{name}' of 'torch._C.TensorBase' objects is not writable")


SPECIAL = {
    function.__name__: function
    for function in (
        __len__, __iter__, __repr__, __format__, __bool__, __float__, __int__, __complex__, __index__, __contains__,
        copying.__copy__, copying.__deepcopy__,
    )
}  # fmt: skip
PLAIN_METHODS: dict[str, Callable[..., Any]] = {
    "size": size, "stride": stride, "numel": numel, "nelement": numel, "is_contiguous": is_contiguous,
    "data_ptr": data_ptr, "item": item, "tolist": tolist, "numpy": numpy, "backward": backward,
    "dim": lambda self: self.array.ndim, "ndimension": lambda self: self.array.ndim,
    "element_size": lambda self: self.array.itemsize, "storage_offset": lambda self: self.geometry.offset,
    "is_floating_point": lambda self: self.dtype.is_floating_point, "is_complex": lambda self: self.dtype.is_complex,
    "_is_view": lambda self: self.base is not None,
    "detach_": inplace.detach_, "retain_grad": sweep.retain_grad, "register_hook": sweep.register_hook,
    "register_post_accumulate_grad_hook": sweep.register_post_accumulate_grad_hook,
    "requires_grad_": lambda self, requires_grad=True: self.requires_grad_(requires_grad),
    "__len__": __len__, "cpu": lambda self: self, "to_dense": lambda self: self, "share_memory_": lambda self: self,
    "is_pinned": lambda self: False, "is_shared": lambda self: False,
    "dim_order": dim_order,
    "__nonzero__": __bool__, "__long__": __int__, "__div__": lambda self, other: registry.call("div", self, other),
    "__reversed__": __reversed__, "apply_": apply_, "map_": map_, "map2_": map2_,
}  # fmt: skip
PLAIN_ATTRIBUTES: dict[str, Callable[[Tensor], Any]] = {
    "shape": lambda self: self.shape, "dtype": lambda self: self.dtype, "ndim": lambda self: self.array.ndim,
    "requires_grad": lambda self: self.requires_grad, "is_leaf": lambda self: self.is_leaf,
    "grad": lambda self: self.grad, "grad_fn": lambda self: self.grad_fn, "data": lambda self: self.data,
    "output_nr": lambda self: 0 if self.node is None else self.node.shown_number(self.output_number),
    "retains_grad": lambda self: self.retains_grad and not self.is_leaf, "_version": lambda self: self._version,
    "_base": lambda self: self.base, "itemsize": lambda self: self.array.itemsize,
    "nbytes": lambda self: self.array.nbytes, "device": lambda self: Device(), "is_cpu": lambda self: True,
    **{f"is_{kind}": lambda self: False for kind in OTHER_KINDS}, "name": lambda self: None,
    "volatile": lambda self: False, "layout": lambda self: Layout(),
    "grad_dtype": lambda self: self.dtype if self.dtype.is_differentiable else None,
}  # fmt: skip


class Device:
    """The only device there is."""

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        check_device(type)
        number = str(type).partition(":")[2]
        self.type, self.index = "cpu", int(number) if number.isdigit() else index

    def __repr__(self) -> str:
        return "device(type='cpu')" if self.index is None else f"device(type='cpu', index={self.index})"

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cpu:{self.index}"

    def __eq__(self, other: object) -> bool:
        return str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))


class Layout:
    """How the elements of all tensors lie here."""

    def __repr__(self) -> str:
        return "torch.strided"

    def __eq__(self, other: object) -> bool:
        return str(other) == "torch.strided"

    def __hash__(self) -> int:
        return hash("torch.strided")


__all__ = ["DType", "Device", "Size", "attach"]
