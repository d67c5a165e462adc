"""Tensor: a strided view of a Storage plus autograd metadata. No arithmetic: ops are attached from the registry."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, DimensionError, MissingAttributeError, OpError
from engine.storage import UNCOUNTED, Storage

_new = object.__new__

# What makes a tensor not plain: the bits of ``Tensor.bits``.
WEAK = 1  # a Python number given as an operand: its dtype yields to that of tensors of its category; the only bit set
CONJ = 2  # the values are the conjugates of what is in memory
NEG = 4  # the values are the opposites of what is in memory
LAZY = CONJ | NEG
_SHOWN_BY = ((CONJ, np.conjugate), (NEG, np.negative))

MULTIPLE = (
    " This view is the output of a function that returns multiple views. Such functions do not allow the output views "
    "to be modified inplace. You should replace the inplace operation by an out-of-place one."
)
AMBIGUOUS = (
    " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
    "the view and the inplace either both inside the {0} block (if you don't want the inplace to be tracked) or both "
    "outside (if you want the inplace to be tracked)."
)
CUSTOM = (
    " This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic "
    "to handle view+inplace would override the custom backward associated with the custom Function, leading to "
    "incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function."
)
NO_GRAD, INFERENCE_MODE = AMBIGUOUS.format("no_grad"), AMBIGUOUS.format("inference_mode")
NOT_A_LEAF = "you can only change requires_grad flags of leaf variables."
DETACH_IT = (
    " If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = "
    "var.detach()."
)
GRAD_OF_NON_LEAF = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
    "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
    "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the "
    "leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information."
)
GRAD_DTYPE = (
    "attempting to assign a gradient with dtype '{}' to a tensor with grad_dtype '{}'. The gradient must match the "
    "tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's grad_dtype attribute with a "
    "specific dtype, or None to allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its "
    "gradient may break downstream systems that assume they match."
)


def forward_name(node_name: str) -> str:
    """What messages call the op of a node: ``MulBackward0`` is ``Mul``, ``SumBackward1`` is ``Sum1``."""
    return re.sub(r"Backward(?:0|([0-9]+))?$", lambda found: found[1] or "", node_name)


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
        try:
            part = super().__getitem__(index)
        except IndexError as error:  # of whoever reads a shape: what is wrong with it is the caller's
            raise DimensionError(str(error)) from None
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other: Any) -> Size:
        if not isinstance(other, tuple):
            raise ArgumentTypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return Size(super().__add__(other))

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

    ``array`` is the view of ``storage`` that holds the values, or what ``values`` makes them of, as ``bits`` say.
    A tensor made by a recorded op has a ``node`` and is its output ``output_number``; a leaf that requires grad has an
    accumulator node once it was used. ``base`` is the tensor whose storage a view looks into; ``seen_version`` the
    version of that storage when ``node`` was right. ``steps`` are the view ops (a name and static arguments each) that
    lead here from the base, where sizes and strides alone do not: on the way there are other numbers than those of the
    base.
    ``odd``: results made from ``array`` may lie otherwise than in C order (``strides.is_odd``).
    Of a plain tensor ``bits`` are zero, so that calls have one thing to ask.
    """

    __slots__ = (
        "__weakref__", "_accumulator", "_grad", "_requires_grad", "array", "base", "bits", "hooks", "inference", "node",
        "odd", "output_number", "retains_grad", "seen_version", "steps", "storage", "view_note",
    )  # fmt: skip
    array: np.ndarray[Any, Any]
    storage: Storage
    node: Any
    output_number: int
    _grad: Tensor | None
    base: Tensor | None
    seen_version: int
    steps: tuple[tuple[Any, ...], ...] | None
    retains_grad: bool
    bits: int
    inference: bool
    odd: bool
    hooks: Any  # of a leaf, if there are any (``engine.autograd.hooks.LeafHooks``)
    view_note: str | None  # why writing through this view is refused while recording
    _requires_grad: bool
    _accumulator: Any  # weak reference to the accumulator of a leaf

    if TYPE_CHECKING:  # engine.surface.methods attaches these, and every op, from the registry

        def __getattr__(self, name: str) -> Any: ...
        def _unary(self) -> Any: ...
        def _binary(self, other: Any) -> Any: ...

        __neg__ = __pos__ = __abs__ = __invert__ = _unary
        __add__ = __radd__ = __iadd__ = __sub__ = __rsub__ = __isub__ = __mul__ = __rmul__ = __imul__ = _binary
        __truediv__ = __rtruediv__ = __itruediv__ = __floordiv__ = __rfloordiv__ = __ifloordiv__ = _binary
        __mod__ = __rmod__ = __imod__ = __pow__ = __rpow__ = __ipow__ = _binary
        __matmul__ = __rmatmul__ = __imatmul__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _binary
        __and__ = __rand__ = __iand__ = __or__ = __ror__ = __ior__ = __xor__ = __rxor__ = __ixor__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _binary

        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...

    def __new__(cls, array: np.ndarray[Any, Any], storage: Storage | None = None) -> Tensor:
        if not isinstance(array, (np.ndarray, np.generic)):  # who calls whatever they are given may be given this class
            raise ArgumentTypeError(f"new(): data must be a sequence (got {type(array).__name__})")
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
    def is_weak(self) -> bool:
        """Whether it stands for a Python number."""
        return self.bits == WEAK

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
        if self.storage.version == UNCOUNTED:
            raise OpError("Inference tensors do not track version counter.")
        recorder = modes.current().recorder
        if recorder is not None:
            recorder.asked_version()
        return self.storage.version

    # -- its place in the graph -----------------------------------------------------------------------------------
    @property
    def grad_fn(self) -> Any:
        """The node that made this tensor, or ``None``.

        A view of a tensor that was written to in place since gets its history back here: it is what the same view of
        its base would show now, mostly by ``as_strided``.
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

    def steps_from_base(self) -> tuple[tuple[Any, ...], ...]:
        """The view ops that lead from the base to this view; none if there is no base."""
        if self.steps is not None or self.base is None:
            return self.steps or ()
        return (("as_strided", *self.geometry),)

    def _regenerate(self, base: Tensor) -> None:
        modes.touch(self)
        if base.requires_grad or self.node is not None:
            if self.view_note is not None:
                raise OpError(self.refusal("its base or another view of its base has been"))
            node = self._node_from_base(base)
            self.move_retained(node)
            self.node, self.output_number = node, 0
        self.seen_version = self.storage.version

    def move_retained(self, node: Any) -> None:
        """A tensor that retains its gradient goes on to do so by the ``node`` that it gets."""
        if self.retains_grad and self.node is not None:
            modes.touch(self.node)
            retained = self.node.retained.pop(self.output_number, None)
            if retained is not None:
                node.attach().retained[0] = retained

    def _node_from_base(self, base: Tensor) -> Any:
        """The node that reading this view from its base would record; the way ends where the base needs none."""
        source = base
        if not base.requires_grad:
            source = base.detach()
            source._requires_grad = True
        first = None
        with modes.enable_grad():
            for name, *arguments in self.steps_from_base():
                source = registry.op(name)(source, *arguments)
                first = first or source.node
        if first is not None and not base.requires_grad:
            first.edges = (None,)
        return source.node

    def refusal(self, what: str) -> str:
        """Why a write that concerns this view is refused; ``what`` is being modified."""
        output = (
            "" if self.node is None else f"Output {self.output_number} of {forward_name(self.node.name())} is a view"
        )
        if self.node is not None and self.view_note in (MULTIPLE, CUSTOM):
            return f"{output} and {what} modified inplace.{self.view_note}"
        where = f"{output} of a view which was created in" if output else "A view was created in"
        if self.view_note is INFERENCE_MODE:
            return f"{where} inference mode and {what} modified inplace in normal mode.{self.view_note}"
        return f"{where} no_grad mode and {what} modified inplace with grad mode enabled.{self.view_note}"

    @property
    def requires_grad(self) -> bool:
        if self._requires_grad or self.node is not None:
            return True
        base = self.base  # a view made without a history, or one that has yet to get it back
        return base is not None and base.requires_grad and self.dtype.is_differentiable

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if not isinstance(flag, bool):
            raise OpError("requires_grad must be a bool")
        if self.grad_fn is not None:
            raise OpError(NOT_A_LEAF if flag else NOT_A_LEAF + DETACH_IT)
        self._check_can_require(flag, "floating point and complex")
        modes.touch(self)
        self._requires_grad = flag

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start or stop recording operations on this leaf."""
        if not isinstance(requires_grad, bool):
            raise ArgumentTypeError(
                "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not "
                f"{type(requires_grad).__name__}"
            )
        if self.grad_fn is not None:
            if not requires_grad:
                raise OpError(NOT_A_LEAF + DETACH_IT)
            return self
        self._check_can_require(requires_grad)
        modes.touch(self)
        self._requires_grad = requires_grad
        return self

    def _check_can_require(self, requires_grad: bool, dtypes_allowed: str = "floating point") -> None:
        if not requires_grad:
            return
        if not self.dtype.is_differentiable:
            raise OpError(f"only Tensors of {dtypes_allowed} dtype can require gradients")
        if self.inference and not modes.current().inference:
            raise OpError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")

    @property
    def is_leaf(self) -> bool:
        """Made by the user, or not part of any graph."""
        return self.grad_fn is None

    def detach(self) -> Tensor:
        """The same values outside the graph; storage and version counter are shared, if there is one."""
        counts = not self.inference or modes.current().inference
        result = Tensor(self.array, self.storage if counts else self.storage.alias())
        result.inference, result.bits = self.inference, self.bits & LAZY
        return result

    @property
    def data(self) -> Tensor:
        """The same values outside the graph; writes through it are not counted."""
        counts = not self.inference or not modes.current().inference
        result = Tensor(self.array, self.storage.alias(0 if counts else UNCOUNTED))
        result.inference, result.bits = self.inference, self.bits & LAZY
        return result

    @data.setter
    def data(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self.requires_grad and not value.dtype.is_differentiable:
            raise OpError("data set to a tensor that requires gradients must be floating point or complex dtype")
        modes.touch(self)
        if value.array.dtype is not self.array.dtype:
            self._accumulator = None  # it adds up gradients like the old values; the next graph gets another
        self.storage.left = True
        storage = value.storage.alias(self.storage.version)  # the counter is the tensor's, not the values'
        self.array, self.storage, self.inference = value.array, storage, value.inference
        self.odd = True
        self.bits = value.bits & LAZY

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` has added up, or ``None``."""
        grad = self._grad
        if grad is None and self.node is not None and not self.retains_grad:
            modes.warn(GRAD_OF_NON_LEAF)
        return grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            self._check_grad(value)
        modes.touch(self)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def _check_grad(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value is self:
            raise OpError("can't assign Variable as its own grad")
        if value.dtype is not self.dtype:
            raise OpError(GRAD_DTYPE.format(value.dtype.c_name, self.dtype.scalar_type))
        if value.array.shape != self.array.shape:
            raise OpError(
                f"attempting to assign a gradient of size '{list(value.array.shape)}' to a tensor of size "
                f"'{list(self.array.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )

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

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = Tensor(np.empty(0, modes.get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise MissingAttributeError(f"'{type(data).__name__}' object has no attribute 'detach'")
        if not isinstance(requires_grad, bool):
            raise ArgumentTypeError(
                "_make_subclass(): argument 'require_grad' (position 3) must be bool, not "
                f"{type(requires_grad).__name__}"
            )
        if requires_grad and not data.dtype.is_differentiable:
            raise OpError("Only Tensors of floating point and complex dtype can require gradients")
        parameter = super().__new__(cls, data.array, data.storage)
        parameter._check_can_require(requires_grad)
        parameter._requires_grad, parameter.bits = requires_grad, data.bits & LAZY
        return parameter  # type: ignore[return-value]


def read(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The values, for code outside of kernels that looks at them: a plan cannot follow it there.

    Everything else asks ``array`` for shape, dtype and layout only.
    """
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.read(tensor.array)
    return values(tensor)


def values(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The values as an array: the tensor's own, or one that a plan computes, too."""
    array = tensor.array
    return resolved(array, tensor.bits, array.dtype) if tensor.bits & LAZY else array


def resolved(array: np.ndarray[Any, Any], bits: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The values that a tensor with these ``bits`` has over ``array``, or what to keep so that it has these values."""
    recorder = modes.current().recorder
    for bit, ufunc in _SHOWN_BY:
        if bits & bit:
            source, array = array, np.asarray(ufunc(array, dtype=dtype))
            if recorder is not None:
                recorder.applied(ufunc, source, array)
    return array


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


def owned_copy(tensor: Tensor, stride: tuple[int, ...] | None = None, is_lazy: bool = True) -> Tensor:
    """The same values in memory of their own, at the given strides or in C order.

    Unless told otherwise, lazy where a dense ``tensor`` is.
    """
    bits = tensor.bits & LAZY if is_lazy and is_dense(tensor.array) else 0
    copy = make_tensor(copied(tensor.array if bits else values(tensor), stride))
    copy.bits, copy.odd = bits, stride is not None
    if modes.current().inference:
        mark_inference(copy)
    return copy


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
        storage.array, storage._aliased, storage.version, storage.left = array, None, 0, False
    tensor.storage = storage
    tensor.node = node
    tensor.output_number = output_nr
    tensor._grad = tensor.base = tensor.steps = tensor.view_note = tensor._accumulator = tensor.hooks = None
    tensor.retains_grad = tensor.inference = tensor._requires_grad = tensor.odd = False
    tensor.seen_version = tensor.bits = 0
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
    tensor.bits = WEAK
    return tensor


def from_array(array: np.ndarray[Any, Any], requires_grad: bool = False) -> Tensor:
    """A leaf over ``array``, which it owns from now on. Raises ``OpError`` for integers that require grad."""
    result = Tensor(array if array.size else strides.relaid(array, strides.contiguous(array.shape)))
    if requires_grad:
        if not result.dtype.is_differentiable:
            raise OpError("Only Tensors of floating point and complex dtype can require gradients")
        result._requires_grad = True
    if modes.current().inference:
        mark_inference(result)
    return result


def mark_inference(tensor: Tensor) -> None:
    """Note of a new tensor that it is made in inference mode: nothing records it, and nobody counts writes to it."""
    tensor.inference = True
    tensor.storage.version = UNCOUNTED
