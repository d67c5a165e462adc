"""How a layer is declared: a class, whose fields are its arguments, the function it calls, and what its text shows.

    @layer("activation", "alpha inplace?", F.elu)
    class ELU(Layer):
        alpha: float = 1.0
        inplace: bool = False

``layer`` says in which of PyTorch's modules the class is, and which attributes its text shows: a name shows
``name=value``, ``:name`` the value alone, ``name?`` only what is true, ``name!`` the value as Python writes it.
Fields become ``__init__`` (``dataclasses``); one that is an ``InitVar`` is handed to ``__post_init__`` instead of being
kept. ``forward`` gets what ``takes`` says and calls the function with it, and with the fields, by their names;
``passes`` names further attributes. Where that is not all, a class says more: an ``__init__`` that makes parameters by
``_weights``, a ``forward``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any, TypeVar, dataclass_transform

from engine import ops, registry
from engine.dtypes import DType
from engine.nn.module import Module
from engine.op.text import Text
from engine.surface import refusals
from engine.tensor import Parameter, Tensor

Class = TypeVar("Class", bound=type)
_START = "nn.functional."
_text = Text({"ERRORS": refusals.ERRORS, "fail": refusals.fail})


def _guarded(function: Any, name: str) -> Callable[..., Any]:
    """``function``, which says what is wrong with its arguments where something is."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except refusals.ERRORS as error:
            refusals.fail(error, function, args, kwargs, name)

    run.op = function  # type: ignore[attr-defined]
    return run


F: Any = SimpleNamespace(**{
    name.removeprefix(_START): _guarded(function, name)
    for name, function in registry.functions()
    if name.startswith(_START)
})  # fmt: skip


class Layer(Module):
    """A module of PyTorch's own; its text shows what its declaration says."""

    _shows: str | None = None
    _buffer_fields: tuple[str, ...] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        Module.__init__(layer)  # before fields are assigned
        return layer

    def __post_init__(self, *rest: Any) -> None:
        for name in self._buffer_fields:
            tensor = getattr(self, name)
            delattr(self, name)
            self.register_buffer(name, tensor)

    def extra_repr(self) -> str:
        """The attributes that the declaration names."""
        return shown(self, self._shows or "")

    def _weights(self, dtype: DType | None = None, device: Any = None, **shapes: tuple[int, ...] | None) -> None:
        """Make parameters of these shapes, with whatever is in their memory; ``None`` is one that is not there."""
        for name, shape in shapes.items():
            self.register_parameter(
                name, None if shape is None else Parameter(ops.empty(shape, dtype=dtype, device=device))
            )


def shown(module: Module, names: str) -> str:
    """The attributes ``names``, each in the form that its sign asks for."""
    return ", ".join(filter(None, (_shown(module, name) for name in names.split())))


def _shown(module: Module, name: str) -> str:
    bare = name.strip(":?!")
    value = getattr(module, bare)
    if name.endswith("?") and not value:
        return ""
    text = repr(value) if name.endswith("!") else str(value)
    return text if name.startswith(":") else f"{bare}={text}"


@dataclass_transform(eq_default=False)
def layer(
    home: str | None, shows: str | None = None, calls: Callable[..., Any] | None = None, *, takes: str = "input",
    passes: str = "", buffers: str = "",
) -> Callable[[Class], Class]:  # fmt: skip
    """Declare a layer of ``torch.nn.modules.<home>``, or without one what layers have in common.

    Fields that stand in ``buffers`` are registered as such.
    """

    def declare(cls: Class) -> Class:
        kind: Any = cls
        names = _initialise(kind) if _has_fields(kind) else ()
        if calls is not None:
            kind.forward = _forward(kind, calls, takes, (*names, *passes.split()))
        if shows is not None:
            kind._shows = shows
        if buffers:
            kind._buffer_fields = tuple(buffers.split())
        if home is not None:
            publish(home, kind)
        return cls

    return declare


def _has_fields(kind: Any) -> bool:
    """Whether fields say what an ``__init__`` takes: none was written, here or in what the class is made from."""
    owner = next(one for one in kind.__mro__ if "__init__" in vars(one))
    return owner is Module or "__dataclass_fields__" in vars(owner)


def _initialise(kind: Any) -> tuple[str, ...]:
    """Let ``kind`` have an ``__init__`` for its fields; returns the names of those that are kept."""
    dataclass(eq=False, repr=False, match_args=False)(kind)
    for name in kind.__dataclass_fields__:  # defaults are for ``__init__``: the class has no such attribute
        if name in vars(kind):
            delattr(kind, name)
    return tuple(field.name for field in fields(kind))


def _forward(kind: Any, function: Any, takes: str, passes: tuple[str, ...]) -> Callable[..., Any]:
    """A ``forward`` that calls ``function``; what is wrong with its arguments is said where something is."""
    given = [one.partition("=") for one in takes.split()]
    arguments = [f"{name}={name}" if default else name for name, _, default in given]
    named = [f"{name}=self.{name}" for name in passes]
    first = "".join(f"{name}, " for name, _, _ in given)
    body = [
        "try:",
        f"    return op({', '.join([*arguments, *named])})",
        "except ERRORS as error:",
        f"    fail(error, op, ({first}), dict({', '.join(named)}), op.name)",
    ]
    header = f"forward(self, {', '.join(takes.split())})"
    forward = _text.function(header, body, {"op": getattr(function, "op", function)})
    forward.__qualname__ = f"{kind.__name__}.forward"
    return forward


def publish(home: str, kind: Any) -> None:
    """Let a class be ``torch.nn.<name>``, and have the path that PyTorch gives it."""
    kind._path = f"torch.nn.modules.{home}.{kind.__name__}"
    registry.add_function(f"nn.{kind.__name__}", kind)
    registry.add_function(f"nn.modules.{home}.{kind.__name__}", kind)
    registry.add_kind(f"nn.{kind.__name__}", kind)


def is_number(value: Any) -> bool:
    """Whether an extent stands for every dimension."""
    return not isinstance(value, tuple | list | Tensor)


def extents(value: Any, count: int) -> tuple[Any, ...]:
    """``value`` once for each of ``count`` dimensions, unless it already says one for each."""
    return tuple(value) if not is_number(value) else (value,) * count
