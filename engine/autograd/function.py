"""``autograd.Function`` as a class of Python, and what may be said of its backward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from engine import modes
from engine.autograd import custom
from engine.autograd.hooks import called
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.tensor import Tensor

NO_FORWARD = "You must implement the forward function for custom autograd.Function."
LEGACY = (
    "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
    "with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
)
INSTANCE = (
    "{} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on the "
    "class itself. Instantiating an autograd function will raise an error in a future version of PyTorch."
)
TWICE = "trying to differentiate twice a function that was marked with @once_differentiable"


class Function:
    """The base of functions with a backward of their own.

    A subclass has static methods: ``forward(ctx, *args)``, or ``forward(*args)`` and
    ``setup_context(ctx, inputs, output)``, and ``backward(ctx, *grads)``, which returns a gradient or ``None`` for each
    argument. Call it by ``apply``.
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        modes.warn(INSTANCE.format(type(self)), DeprecationWarning)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise OpError(LEGACY)

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The values; to be written by the subclass."""
        raise UnsupportedError(NO_FORWARD)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what backward needs, where ``forward`` has no ``ctx``."""
        raise UnsupportedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments; to be written by the subclass."""
        raise UnsupportedError(custom.NO_BACKWARD)

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the results; nothing asks for it."""
        raise UnsupportedError("You must implement the jvp function for custom autograd.Function to use it with "
                               "forward mode AD.")  # fmt: skip

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The values, with one node behind them."""
        return custom.apply(OfClass(cls), args, kwargs)


class OfClass(custom.Definition):
    """The definition that a subclass of ``Function`` is."""

    __slots__ = ("kind",)

    def __init__(self, kind: type[Function]) -> None:
        self.kind = kind

    @property
    def name(self) -> str:
        return self.kind.__name__

    def has(self, method: str) -> bool:
        return getattr(self.kind, method) is not getattr(Function, method)

    def call(self, method: str, *args: Any) -> Any:
        return getattr(self.kind, method)(*args)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        signature = inspect.signature(self.kind.forward)
        has_setup = self.has("setup_context")
        if not has_setup:
            _, *own = signature.parameters.values()
            signature = signature.replace(parameters=own)
            _refuse(set(kwargs) - {parameter.name for parameter in own})
        bound = signature.bind(*args, **kwargs)
        if has_setup:
            bound.apply_defaults()
        _refuse(bound.kwargs)
        return bound.args


def _refuse(names: Iterable[str]) -> None:
    for name in names:
        raise ArgumentTypeError(f"forward() got an unexpected keyword argument '{name}'")


class OnceDifferentiable:
    """A backward that is not recorded; what it returns fails when it is differentiated."""

    __slots__ = ("__dict__", "function")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        for name in ("__name__", "__doc__", "__qualname__"):
            if hasattr(function, name):
                self.__dict__[name] = getattr(function, name)

    def __call__(self, ctx: Any, *args: Any) -> Any:
        with modes.no_grad():
            outputs = called(self.function, ctx, *args)
        if not modes.is_grad_enabled():
            return outputs
        if not any(isinstance(argument, Tensor) and argument.requires_grad for argument in args):
            return outputs
        return custom.refusing(outputs if isinstance(outputs, tuple) else (outputs,), TWICE)


def once_differentiable(fn: Callable[..., Any]) -> OnceDifferentiable:
    """Mark a backward that does something which is not recorded: differentiating what it gives is refused."""
    return OnceDifferentiable(fn)
