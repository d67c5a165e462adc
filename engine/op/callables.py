"""What can be called under a name, as a function and as a method of tensors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

from engine.op.binding import as_method


class Op:
    """What can be called under a name: its call is written at the first, for rules come after the op."""

    # Python finds the function of an instance here, without a frame that would only pass the arguments on.
    __slots__ = ("__call__", "__dict__")
    __call__: Callable[..., Any]

    def __init__(self) -> None:
        self.__call__ = self._first_call

    def _first_call(self, *args: Any, **kwargs: Any) -> Any:
        return self.direct()(*args, **kwargs)

    def direct(self) -> Callable[..., Any]:
        """The call as a plain function."""
        if self.__call__ == self._first_call:
            self.__call__ = self.write()
        return self.__call__

    @abstractmethod
    def write(self) -> Callable[..., Any]:
        """The function that calls take."""

    def write_method(self) -> Callable[..., Any]:
        """The function that calls of the method take."""
        return as_method(self.direct())

    @property
    def method(self) -> Op:
        """The op as a method of tensors."""
        return Method(self)


class Method(Op):
    """An op as a method: the same, but for the places of arguments in refusals."""

    def __init__(self, op: Any) -> None:
        super().__init__()
        self.op = op
        self.name = self.__name__ = op.name
        self.__doc__ = op.__doc__

    @cached_property
    def signature(self) -> Any:
        """The op's, which does not count the tensor."""
        return self.op.signature.as_method()

    def write(self) -> Callable[..., Any]:
        """The call as a plain function."""
        return self.op.write_method()  # type: ignore[no-any-return]

    @property
    def method(self) -> Op:
        """The op itself."""
        return self
