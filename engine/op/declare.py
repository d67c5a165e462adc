"""Declaring ops: ``@primitive`` over a NumPy kernel, ``@composite`` over other ops, and the names they are found by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from engine import registry
from engine.autograd import inplace
from engine.op import callables, outs
from engine.op.alternatives import overloads_of
from engine.op.composites import write_composite
from engine.op.primitive import Primitive
from engine.op.signature import PYTHON_FUNCTIONS, Signature, shown_name
from engine.tensor import Tensor


class Composite(callables.Op):
    """A function of other ops under a public name; it has no rule of its own."""

    checks_history = True
    """In place: a target whose history forbids writes is refused before other arguments are looked at."""

    def __init__(self, function: Callable[..., Any], name: str, out: str = "") -> None:
        super().__init__()
        self.name = name
        self.__name__ = name
        self.__doc__ = function.__doc__
        self.function = function
        self.signature = Signature(function, shown_name(name))
        self.signature.takes_out, self.signature.out = name in outs.NAMES, out
        self.signature.is_python = name in PYTHON_FUNCTIONS
        self.listed = overloads_of(name)

    def write(self) -> Callable[..., Any]:
        """The call as a plain function."""
        return write_composite(self, self.signature)

    def inplace(self, *args: Any, **kwargs: Any) -> Tensor:
        """Compute, and copy the result into the first argument."""
        inplace.check_target((*args, *kwargs.values()))
        return inplace.overwrite(args[0], self(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<composite {self.name}>"


def publish(
    op: Primitive | Composite, name: str, *, function: bool, method: bool, writes: bool, attribute: bool,
    aliases: tuple[str, ...], inplace_function: bool = False,
) -> None:  # fmt: skip
    """Enter a public op under its names; with ``inplace_function`` its in-place variant is ``torch.sin_``, too."""
    for one in (name, *aliases):
        if attribute:
            registry.add_attribute(one, op)
            if function:
                registry.add_function(one, op)
            continue
        if function or "." in one:
            registry.add_function(one, op)
        if method and "." not in one:
            registry.add_method(one, op.method)
            if writes:
                registry.add_method(f"{one}_", op.inplace)
                if inplace_function:
                    registry.add_function(f"{one}_", op.inplace)
    registry.add_public(name, op)


@overload
def primitive(kernel: Callable[..., Any], /, **flags: Any) -> Any: ...


@overload
def primitive(
    *, name: str | None = ..., public: bool = ..., function: bool = ..., method: bool | None = ...,
    writes: bool | None = ..., attribute: bool = ..., aliases: tuple[str, ...] = ...,
    inplace_function: bool = ..., **flags: Any,
) -> Callable[[Callable[..., Any]], Any]: ...  # fmt: skip


def primitive(
    kernel: Callable[..., Any] | None = None, /, *, name: str | None = None, public: bool = True, function: bool = True,
    method: bool | None = None, writes: bool | None = None, attribute: bool = False, aliases: tuple[str, ...] = (),
    inplace_function: bool = False, **flags: Any,
) -> Any:  # fmt: skip
    """Declare an op by its kernel.

    ``name`` is the public name where it is not the function's; ``public=False`` keeps the op to rules and composites;
    ``function``/``method``/``attribute`` say how it is reached, ``aliases`` under which other names, ``writes`` whether
    it has an in-place variant, ``inplace_function`` whether that is a function, too (``torch.sin_``). The other flags
    are those of ``Primitive``.
    """

    def declare(kernel: Callable[..., Any]) -> Primitive:
        own_name = name or kernel.__name__
        op = Primitive(kernel, own_name if public else kernel.__name__, **flags)
        registry.add_op(op.name, op)
        for one in dict.fromkeys(op.overloads.values()):
            registry.add_op(one.name, one)
        if public:
            is_method = method if method is not None else "." not in own_name and bool(op.tensors)
            in_place = writes if writes is not None else op.nature.pointwise
            publish(
                op, own_name, function=function, method=is_method, writes=in_place, attribute=attribute,
                aliases=aliases, inplace_function=inplace_function,
            )  # fmt: skip
        return op

    return declare if kernel is None else declare(kernel)


class Family:
    """``primitive`` for the ops of a family, with the flags that all of them have."""

    def __init__(self, **traits: Any) -> None:
        self.traits = traits

    @overload
    def __call__(self, kernel: Callable[..., Any], /) -> Any: ...

    @overload
    def __call__(self, /, **flags: Any) -> Callable[[Callable[..., Any]], Any]: ...

    def __call__(self, kernel: Callable[..., Any] | None = None, /, **flags: Any) -> Any:
        declare = primitive(**self.traits, **flags)
        return declare if kernel is None else declare(kernel)


pointwise = Family(pointwise=True)
float_valued = Family(pointwise=True, promote="int_to_float")  # of integers, too


@overload
def composite(
    body: Callable[..., Any], /, *, name: str | None = ..., function: bool = ..., method: bool | None = ...,
    writes: bool = ..., attribute: bool = ..., aliases: tuple[str, ...] = ...,
) -> Any: ...  # fmt: skip


@overload
def composite(
    *, name: str | None = ..., function: bool = ..., method: bool | None = ..., writes: bool = ...,
    attribute: bool = ..., aliases: tuple[str, ...] = ..., checks_history: bool = ..., out: str = ...,
) -> Callable[[Callable[..., Any]], Any]: ...  # fmt: skip


def composite(
    body: Callable[..., Any] | None = None, /, *, name: str | None = None, function: bool = True,
    method: bool | None = None, writes: bool = False, attribute: bool = False, aliases: tuple[str, ...] = (),
    checks_history: bool = True, out: str = "",
) -> Any:  # fmt: skip
    """Declare a public op as a function of other ops; the flags are those of ``primitive``."""

    def declare(body: Callable[..., Any]) -> Composite:
        own_name = name or body.__name__
        op = Composite(body, own_name, out)
        op.checks_history = checks_history
        first = op.signature.params[0].name if op.signature.params else ""
        is_method = method if method is not None else "." not in own_name and first in ("input", "self")
        publish(op, own_name, function=function, method=is_method, writes=writes, attribute=attribute, aliases=aliases)
        return op

    return declare if body is None else declare(body)
