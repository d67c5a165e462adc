"""Public ops whose arguments choose between primitives: ``pow`` by a number or a tensor, ``div`` rounded or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from engine.errors import OpError
from engine.op import Composite, publish
from engine.tensor import Tensor


class Overloaded(Composite):
    """An op whose body answers which op to call and with which arguments; its in-place variant is that op's."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        op, chosen = super().__call__(*args, **kwargs)
        return op(*chosen)

    def inplace(self, *args: Any, **kwargs: Any) -> Tensor:
        """The in-place variant of the op chosen. A target that would have to be cast first cannot hold the result."""
        op, chosen = super().__call__(*args, **kwargs)
        if chosen[0] is not args[0]:
            raise OpError(
                f"result type {chosen[0].dtype.scalar_type} can't be cast to the desired output type "
                f"{args[0].dtype.scalar_type}"
            )
        return op.inplace(*chosen)  # type: ignore[no-any-return]


@overload
def overloaded(body: Callable[..., Any], /) -> Any: ...


@overload
def overloaded(
    *, name: str | None = ..., function: bool = ..., method: bool = ..., writes: bool = ...,
    aliases: tuple[str, ...] = ...,
) -> Callable[[Callable[..., Any]], Any]: ...  # fmt: skip


def overloaded(
    body: Callable[..., Any] | None = None, /, *, name: str | None = None, function: bool = True, method: bool = True,
    writes: bool = True, aliases: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """Declare a public op by the function that chooses the op; the flags are those of ``composite``."""

    def declare(body: Callable[..., Any]) -> Overloaded:
        op = Overloaded(body, name or body.__name__)
        publish(op, op.name, function=function, method=method, writes=writes, attribute=False, aliases=aliases)
        return op

    return declare if body is None else declare(body)
