"""Public ops whose arguments choose between primitives: ``pow`` by a number or a tensor, ``div`` rounded or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, overload

from engine.errors import OpError
from engine.op.binding import as_method
from engine.op.composites import write_composite
from engine.op.declare import Composite, publish
from engine.tensor import Tensor

CHOSEN = "op, chosen = function({{}})\nreturn {}(*chosen)"


class Overloaded(Composite):
    """An op whose body answers which op to call and with which arguments; its in-place variant is that op's."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        super().__init__(function, name)
        self.signature.out = "cast"

    @cached_property
    def _choose_inplace(self) -> Callable[..., Any]:
        signature = self.signature.named(f"{self.signature.name}_")
        signature.takes_out, signature.out = False, ""
        return write_composite(self, signature, converts=False)

    def write(self) -> Callable[..., Any]:
        """The call as a plain function."""
        return write_composite(self, self.signature, CHOSEN.format("op"), False)

    def write_method(self) -> Callable[..., Any]:
        """The function that calls of the method take."""
        return as_method(write_composite(self, self.signature, CHOSEN.format("op.method"), False))

    def inplace(self, *args: Any, **kwargs: Any) -> Tensor:
        """The in-place variant of the op chosen. A target that would have to be cast first cannot hold the result."""
        try:
            return self._written(args, kwargs, *self._choose_inplace(*args, **kwargs))
        except TypeError as error:
            if self.listed is None:
                raise
            raise self.listed.in_place().refusal(args, kwargs, error) from error.__cause__

    def _written(self, args: tuple[Any, ...], kwargs: dict[str, Any], op: Any, chosen: tuple[Any, ...]) -> Tensor:
        target = args[0] if args else kwargs["input"]
        if not isinstance(target, Tensor):
            raise self.signature.params[0].reject(f"{self.signature.name}_", "Tensor", target)
        if chosen[0] is not target:
            raise OpError(
                f"result type {chosen[0].dtype.scalar_type} can't be cast to the desired output type "
                f"{target.dtype.scalar_type}"
            )
        return op.inplace(*chosen)  # type: ignore[no-any-return]


@overload
def overloaded(body: Callable[..., Any], /) -> Any: ...


@overload
def overloaded(
    *, name: str | None = ..., function: bool = ..., method: bool = ..., writes: bool = ...,
    aliases: tuple[str, ...] = ..., inplace_function: bool = ...,
) -> Callable[[Callable[..., Any]], Any]: ...  # fmt: skip


def overloaded(
    body: Callable[..., Any] | None = None, /, *, name: str | None = None, function: bool = True, method: bool = True,
    writes: bool = True, aliases: tuple[str, ...] = (), inplace_function: bool = False,
) -> Any:  # fmt: skip
    """Declare a public op by the function that chooses the op; the flags are those of ``composite``."""

    def declare(body: Callable[..., Any]) -> Overloaded:
        op = Overloaded(body, name or body.__name__)
        publish(
            op, op.name, function=function, method=method, writes=writes, attribute=False, aliases=aliases,
            inplace_function=inplace_function,
        )  # fmt: skip
        return op

    return declare if body is None else declare(body)
