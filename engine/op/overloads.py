"""Public ops whose arguments choose between primitives: ``pow`` by a number or a tensor, ``div`` rounded or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from engine.errors import ArgumentTypeError, OpError
from engine.op import calls
from engine.op.declare import Composite, publish
from engine.op.signature import Signature
from engine.tensor import Tensor


class Overloaded(Composite):
    """An op whose body answers which op to call and with which arguments; its in-place variant is that op's."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        super().__init__(function, name)
        signature = Signature(function, f"{self.signature.name}_")
        self._choose_inplace = calls.write_composite(self, signature, converts=False)

    def write(self) -> Callable[..., Any]:
        """The call as a plain function."""
        return calls.write_composite(self, self.signature, "op, chosen = function({})\nreturn op(*chosen)", False)

    def inplace(self, *args: Any, **kwargs: Any) -> Tensor:
        """The in-place variant of the op chosen. A target that would have to be cast first cannot hold the result."""
        op, chosen = self._choose_inplace(*args, **kwargs)
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


def invalid_combination(name: str, given: tuple[Any, ...], *options: str) -> ArgumentTypeError:
    """The error for arguments that no overload takes, in PyTorch's words."""
    kinds = ", ".join("Tensor" if isinstance(value, Tensor) else type(value).__name__ for value in given)
    expected = "".join(f"\n * ({option})" for option in options)
    return ArgumentTypeError(
        f"{name}() received an invalid combination of arguments - got ({kinds}), but expected one of:{expected}\n"
    )
