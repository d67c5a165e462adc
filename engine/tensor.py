"""Tensor: a strided view of a Storage plus autograd metadata. No arithmetic: ops are attached from the registry."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError
from engine.storage import Storage

_new = object.__new__

MULTIPLE = (
    " This view is the output of a function that returns multiple views. Such functions do not allow the output views "
    "to be modified inplace. You should replace the inplace operation by an out-of-place one."
)
AMBIGUOUS = (
    " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
    "the view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or "
    "both outside (if you want the inplace to be tracked)."
)
NOT_A_LEAF = (
    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph "
    "that doesn't require differentiation use var_no_grad = var.detach()."
)


def forward_name(node_name: str) -> str:
    """What messages call the op of a node: ``MulBackward0`` is ``Mul``, ``SumBackward1`` is ``Sum1``."""
    return re.sub(r"Backward(?:0|([0-9]+))$", lambda found: found[1] or "", node_name)


class Size(tuple[int, ...]):
    """A shape. A tuple that prints as PyTorch's."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        count = 1
        for extent in self:
            count *= extent
        return count

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other: Any) -> Size:
        return Size(super().__add__(tuple(other)))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    __str__ = __repr__


class TensorSpec(NamedTuple):
    """What is known of a tensor without its values."""

    shape: tuple[int, ...]
    dtype: DType


Spec: TypeAlias = tuple[tuple[int, ...], np.dtype[Any]]  # what nodes keep of it: quickly made and compared


def spec_of(array: np.ndarray[Any, Any]) -> Spec:
    """Shape and array dtype."""
    return array.shape, array.dtype


class Geometry(NamedTuple):
    """Where a view lies in its storage: sizes, strides and offset, in elements."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


class Tensor:
    """A multi-dimensional array that can take part in a graph.

    ``array`` is the view of ``storage`` that holds the values. A tensor made by a recorded op has a ``node`` and is its
    output number ``output_nr``; a leaf that requires grad has an accumulator node once it was used. ``base`` is the
    tensor whose storage a view looks into; ``seen_version`` the version of that storage when ``node`` was right.
    ``weak`` marks a Python number given as an operand: its dtype yields to that of tensors of the same category.
    ``odd``: results made from ``array`` may lie otherwise than in C order (``strides.is_odd``).
    """

    __slots__ = (
        "__weakref__", "_accumulator", "_requires_grad", "array", "base", "grad", "inference", "node", "odd",
        "output_nr", "retains_grad", "seen_version", "storage", "view_note", "weak",
    )  # fmt: skip
    array: np.ndarray[Any, Any]
    storage: Storage
    node: Any
    output_nr: int
    grad: Tensor | None
    base: Tensor | None
    seen_version: int
    retains_grad: bool
    weak: bool
    inference: bool
    odd: bool
    view_note: str | None  # why writing through this view is refused while recording
    _requires_grad: bool
    _accumulator: Any  # weak reference to the accumulator of a leaf

    if TYPE_CHECKING:  # engine.surface.methods attaches these, and every op, from the registry

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __iadd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __isub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __imul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __itruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __rfloordiv__(self, other: Any) -> Any: ...
        def __ifloordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __rmod__(self, other: Any) -> Any: ...
        def __imod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __ipow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __imatmul__(self, other: Any) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __rand__(self, other: Any) -> Any: ...
        def __iand__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __ror__(self, other: Any) -> Any: ...
        def __ior__(self, other: Any) -> Any: ...
        def __xor__(self, other: Any) -> Any: ...
        def __rxor__(self, other: Any) -> Any: ...
        def __ixor__(self, other: Any) -> Any: ...
        def __lshift__(self, other: Any) -> Any: ...
        def __rlshift__(self, other: Any) -> Any: ...
        def __rshift__(self, other: Any) -> Any: ...
        def __rrshift__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __getitem__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __pos__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...

    def __new__(cls, array: np.ndarray[Any, Any], storage: Storage | None = None) -> Tensor:
        tensor = make_tensor(array, storage, kind=cls)
        tensor.odd = True
        return tensor

    # -- what it is -----------------------------------------------------------------------------------------------
    @property
    def dtype(self) -> DType:
        return dtypes.from_numpy(self.array.dtype)

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def spec(self) -> TensorSpec:
        """Shape and dtype."""
        array = self.array
        return TensorSpec(array.shape, dtypes.of(array))

    @property
    def geometry(self) -> Geometry:
        """Sizes, strides and offset in elements of the storage."""
        array, itemsize = self.array, self.array.itemsize
        offset = (array.__array_interface__["data"][0] - self.storage.address) // itemsize
        return Geometry(array.shape, tuple(step // itemsize for step in array.strides), offset)

    @property
    def _version(self) -> int:
        if self.inference:
            raise OpError("Inference tensors do not track version counter.")
        return self.storage.version

    # -- its place in the graph -----------------------------------------------------------------------------------
    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor, or ``None``.

        A view of a tensor that was written to in place since gets its history back here: it is what ``as_strided``
        would read from its base now.
        """
        if self.base is not None and self.seen_version != self.storage.version:
            self._regenerate(self.base)
        return self.node

    @property
    def node_name(self) -> str | None:
        """The name of ``grad_fn``: ``Invalid`` where asking for the node is refused."""
        try:
            node = self.grad_fn
        except OpError:
            return "Invalid"
        return None if node is None else str(node.name())

    def _regenerate(self, base: Tensor) -> None:
        modes.touch(self)
        if base.requires_grad:
            if self.view_note is not None:
                raise OpError(self.refusal("its base or another view of its base has been"))
            seen = base if self.dtype.is_complex == base.dtype.is_complex else self._reinterpreted(base)
            if seen is not base and seen.geometry == self.geometry:
                self.node, self.output_nr = seen.node, 0
            else:
                with modes.enable_grad():
                    self.node, self.output_nr = registry.op("as_strided")(seen, *self.geometry).node, 0
        self.seen_version = self.storage.version

    def refusal(self, what: str) -> str:
        """Why a write that concerns this view is refused; ``what`` is being modified."""
        if self.node is None:
            where = "A view was created in no_grad mode and"
            return f"{where} {what} modified inplace with grad mode enabled.{self.view_note}"
        function = forward_name(self.node.name())
        if self.view_note is AMBIGUOUS:
            where = f"Output {self.output_nr} of {function} is a view of a view which was created in no_grad mode and"
            return f"{where} {what} modified inplace with grad mode enabled.{self.view_note}"
        return f"Output {self.output_nr} of {function} is a view and {what} modified inplace.{self.view_note}"

    def _reinterpreted(self, base: Tensor) -> Tensor:
        """``base`` as a tensor of numbers like those that this view shows: parts of complex ones, or pairs of reals."""
        with modes.enable_grad():
            if base.dtype.is_complex:
                return registry.op("view_as_real")(base)  # type: ignore[no-any-return]
            count = base.storage.array.size // 2
            pairs = registry.op("as_strided")(base, (count, 2), (2, 1), 0)
            return registry.op("view_as_complex")(pairs)  # type: ignore[no-any-return]

    @property
    def requires_grad(self) -> bool:
        if self._requires_grad or self.node is not None:
            return True
        base = self.base  # a view made without a history, or one that has yet to get it back
        return base is not None and base.requires_grad and self.dtype.is_differentiable

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.requires_grad_(flag)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start or stop recording operations on this leaf."""
        if not isinstance(requires_grad, bool):
            raise ArgumentTypeError("requires_grad must be a bool")
        if self.grad_fn is not None:
            if not requires_grad:
                raise OpError(NOT_A_LEAF)
            return self
        self._check_can_require(requires_grad)
        modes.touch(self)
        self._requires_grad = requires_grad
        return self

    def _check_can_require(self, requires_grad: bool) -> None:
        if not requires_grad:
            return
        if not self.dtype.is_differentiable:
            raise OpError("only Tensors of floating point dtype can require gradients")
        if self.inference and not modes.current().inference:
            raise OpError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")

    @property
    def is_leaf(self) -> bool:
        """Made by the user, or not part of any graph."""
        return self.grad_fn is None

    def detach(self) -> Tensor:
        """The same values outside the graph; storage and version counter are shared."""
        result = Tensor(self.array, self.storage)
        result.inference = self.inference
        return result

    @property
    def data(self) -> Tensor:
        """The same values outside the graph; writes through it are not counted."""
        return Tensor(self.array, self.storage.alias())

    @data.setter
    def data(self, value: Tensor) -> None:
        modes.touch(self)
        if spec_of(value.array) != spec_of(self.array):
            self._accumulator = None  # it adds up gradients like the old values; the next graph gets another
        self.array, self.storage, self.odd = value.array, value.storage.alias(), True

    def memento(self) -> Callable[[], None]:
        """A function that gives this tensor back the metadata it has now."""
        attributes = [(name, getattr(self, name)) for name in Tensor.__slots__ if name != "__weakref__"]

        def restore() -> None:
            for name, value in attributes:
                setattr(self, name, value)

        return restore

    def accumulator(self) -> Any:
        """The node that adds to ``grad``, if some graph still holds it."""
        return None if self._accumulator is None else self._accumulator()

    def keep_accumulator(self, node: Any) -> None:
        """Let later graphs find ``node``, for as long as a graph holds it."""
        self._accumulator = weakref.ref(node)


class Parameter(Tensor):
    """A leaf made to be optimised; it requires grad unless told otherwise."""

    __slots__ = ()

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Parameter:
        parameter = super().__new__(cls, data.array, data.storage)
        parameter._check_can_require(requires_grad)
        parameter._requires_grad = requires_grad
        return parameter  # type: ignore[return-value]


def read(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The elements, for code outside of kernels that looks at them: a plan cannot follow it there.

    Everything else asks ``array`` for shape, dtype and layout only.
    """
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.read(tensor.array)
    return tensor.array


def copied(array: np.ndarray[Any, Any], stride: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
    """A copy made outside of a kernel, which a plan repeats: at the given strides, or in C order."""
    copy = np.array(array, order="C") if stride is None else strides.copied(array, stride)
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.copied(array, copy)
    return copy


def relaid(array: np.ndarray[Any, Any], stride: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The elements of ``array``, which nobody else has, at the given strides; a plan does the same."""
    result = strides.relaid(array, stride)
    if result is not array:
        recorder = modes.current().recorder
        if recorder is not None:
            recorder.relaid(array, result)
    return result


def is_dense(array: np.ndarray[Any, Any]) -> bool:
    """Whether the elements lie in memory without gaps or overlaps, in the order of some permutation of the axes."""
    return array.flags.forc or strides.is_dense(array.shape, strides.steps_of(array))


def is_plain(tensor: Tensor) -> bool:
    """Whether what is made from the tensor lies as new tensors do; notes it."""
    if tensor.odd:
        array = tensor.array
        tensor.odd = strides.is_odd(array.shape, array.strides, array.itemsize)
    return not tensor.odd


def make_tensor(
    array: np.ndarray[Any, Any], storage: Storage | None = None, node: Any = None, output_nr: int = 0,
    kind: type[Tensor] = Tensor,
) -> Tensor:  # fmt: skip
    """A tensor over part of a storage, by default over one of its own: what every tensor is made by.

    Every attribute is set: defaults on the class would be read much more slowly. ``odd`` is left to the caller.
    """
    tensor = _new(kind)
    tensor.array = array
    if storage is None:  # what ``make_storage`` does, without a call
        storage = _new(Storage)
        storage.array, storage._aliased, storage.version = array, None, 0
    tensor.storage = storage
    tensor.node = node
    tensor.output_nr = output_nr
    tensor.grad = tensor.base = tensor.view_note = tensor._accumulator = None
    tensor.retains_grad = tensor.weak = tensor.inference = tensor._requires_grad = tensor.odd = False
    tensor.seen_version = 0
    return tensor


def weak(value: Any) -> Tensor:
    """A Python number as a 0-d operand whose dtype yields to that of tensors."""
    python = dtypes.python_type(value)
    if python is None:
        raise ArgumentTypeError(f"expected a number, not {type(value).__name__}")
    try:
        array = np.array(value, python.numpy)
    except OverflowError:
        raise OpError("value cannot be converted to type int64_t without overflow") from None
    tensor = make_tensor(array)
    tensor.weak = True
    return tensor


def from_array(array: np.ndarray[Any, Any], requires_grad: bool = False) -> Tensor:
    """A leaf over ``array``, which it owns from now on. Raises ``OpError`` for integers that require grad."""
    result = Tensor(array if array.size else strides.relaid(array, strides.contiguous(array.shape)))
    if requires_grad:
        if not result.dtype.is_differentiable:
            raise OpError("Only Tensors of floating point and complex dtype can require gradients")
        result._requires_grad = True
    if modes.current().inference:
        result.inference = True
    return result
