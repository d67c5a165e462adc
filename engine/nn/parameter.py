"""Tensors that modules tell apart: buffers, and parameters whose shape is not known yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeGuard

from engine import modes, ops, registry
from engine.errors import ArgumentValueError, OpError
from engine.tensor import Parameter, Tensor

UNINITIALIZED = (
    "Attempted to use an uninitialized parameter in {}. This error happens when you are using a `LazyModule` or "
    "explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects. When using LazyModules Call "
    "`forward` with a dummy batch to initialize the parameters before calling torch functions"
)
NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` "
    "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the "
    "parameters before accessing their attributes."
)


class Buffer(Tensor):
    """A tensor that becomes a buffer when it is assigned to an attribute of a module."""

    __slots__ = ("persistent",)
    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        values = ops.empty(0) if data is None else data.detach()
        buffer: Any = super().__new__(cls, values.array, values.storage)
        buffer.bits, buffer.persistent = values.bits, persistent
        return buffer  # type: ignore[no-any-return]


_place: Any = vars(Tensor)["array"]  # the slot that every tensor has


def _refuse(tensor: Tensor) -> NoReturn:
    raise ArgumentValueError(UNINITIALIZED.format("a function"))


class _Uninitialized(Tensor):
    """A tensor without a shape: nothing can be computed with it before ``materialize``."""

    __slots__ = ()
    array = property(_refuse, _place.__set__)

    @property
    def shape(self) -> Any:
        """Not known yet."""
        raise OpError(NO_SHAPE)

    @property
    def dtype(self) -> Any:
        """What the elements are going to be."""
        return Tensor(_place.__get__(self)).dtype

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of this shape, with whatever is in its memory."""
        values = ops.empty(shape, dtype=dtype or self.dtype)
        modes.touch(self)
        self.__class__ = self._becomes()  # type: ignore[assignment]
        self.data = values

    def memento(self) -> Callable[[], None]:
        """As that of any tensor, and that its shape is not known."""
        kind: Any = type(self)
        self.__class__ = self._becomes()  # type: ignore[assignment]
        restore = self.memento()
        self.__class__ = kind

        def forget() -> None:
            restore()
            self.__class__ = kind

        return forget

    def _becomes(self) -> type[Tensor]:
        return Parameter if isinstance(self, Parameter) else Tensor

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape the first call of its module tells."""

    __slots__ = ()

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        parameter: Any = Tensor.__new__(cls, ops.empty(0, dtype=dtype).array)
        parameter._requires_grad = requires_grad is True
        return parameter  # type: ignore[no-any-return]


class UninitializedBuffer(_Uninitialized):
    """A buffer whose shape the first call of its module tells."""

    __slots__ = ()

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> UninitializedBuffer:
        buffer: Any = Tensor.__new__(cls, ops.empty(0, dtype=dtype).array)
        buffer._requires_grad = requires_grad is True
        return buffer  # type: ignore[no-any-return]


def is_lazy(tensor: Any) -> bool:
    """Whether the shape of a parameter or buffer is not known yet."""
    return isinstance(tensor, _Uninitialized)


def is_known(value: Any) -> TypeGuard[Tensor]:
    """Whether this is a tensor with a shape and values: all are but parameters and buffers that wait for theirs."""
    return isinstance(value, Tensor) and not is_lazy(value)


def set_lazy(tensor: Any, lazy: bool) -> None:
    """Let the shape of a parameter or buffer, which is none to anybody else yet, be known or not."""
    if lazy and not is_lazy(tensor):
        tensor.__class__ = UninitializedParameter if isinstance(tensor, Parameter) else UninitializedBuffer
    elif not lazy and is_lazy(tensor):
        tensor.__class__ = tensor._becomes()


for _class in (Buffer, UninitializedBuffer, UninitializedParameter):
    registry.add_function(f"nn.parameter.{_class.__name__}", _class)
    registry.add_function(f"nn.{_class.__name__}", _class)
