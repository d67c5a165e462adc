"""``torch.autograd.graph``: edges without tensors, hooks on several tensors at once, versions, and mutation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine import registry
from engine.autograd import inplace, sweep
from engine.autograd.hooks import RemovableHandle, called
from engine.autograd.sweep import GradientEdge
from engine.autograd.tape import Node, edge_of
from engine.autograd.watch import saved_tensors_hooks
from engine.errors import ArgumentTypeError, ArgumentValueError, AssertedError, OpError
from engine.tensor import Tensor

NO_EDGE = "It is not possible to get the gradient edge for a Tensor that does not require gradients"
NO_NODE = "Expected gradient function to be set"
MODES = ("all", "any")
OUTSIDE = (
    "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was originally "
    "recorded."
)


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of ``tensor`` goes: ``backward`` and ``grad`` take it in place of the tensor."""
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(f"get_gradient_edge(): argument 'tensor' must be Tensor, not {type(tensor).__name__}")
    edge = edge_of(tensor)
    if edge is None:
        raise OpError(NO_EDGE)
    return GradientEdge(*edge)


def increment_version(tensor: Any) -> None:
    """Count a write to a tensor, or to each of several, that nobody else saw."""
    tensors = [tensor] if isinstance(tensor, Tensor) or not isinstance(tensor, Iterable) else list(tensor)
    for one in tensors:
        if not isinstance(one, Tensor):
            raise OpError("increment_version expect a Iterable[Tensor] as input")
    for one in tensors:
        inplace.count(one)


# -- several tensors ----------------------------------------------------------------------------------------------
class MultiHandle:
    """Takes several hooks out again, once or at the end of a ``with``."""

    __slots__ = ("handles",)

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Let none of the hooks be called any more."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> MultiHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<torch.autograd.graph._MultiHandle object at {id(self):#x}>"


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[[Any], Any], *, mode: str = "all") -> MultiHandle:
    """Call ``fn`` once in a sweep: with the gradients of all ``tensors`` that it reaches, or with the first (``any``).

    Where nothing arrives at a tensor stands ``None``.
    """
    if mode not in MODES:
        raise ArgumentValueError(f"Expects mode to be one of {MODES} but got {mode}")
    if not isinstance(tensors, tuple | list) or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise ArgumentTypeError("register_multi_grad_hook(): argument 'tensors' must be a tuple of Tensors")
    nodes = []
    for tensor in tensors:
        edge = edge_of(tensor)
        if edge is None:
            raise AssertedError(NO_NODE)
        nodes.append(edge[0])
    gathered = _Gathered(fn, nodes) if mode == "all" else _First(fn)
    return MultiHandle([sweep.register_hook(tensor, gathered.hook(place)) for place, tensor in enumerate(tensors)])


class _First:
    """Calls ``fn`` with the first gradient that arrives in a sweep."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self.fn = fn
        self.done: weakref.WeakSet[Any] = weakref.WeakSet()

    def hook(self, place: int) -> Callable[[Any], None]:
        """The hook of one of the tensors."""
        return self.arrived

    def arrived(self, gradient: Any) -> None:
        """Call ``fn`` unless it was called in this sweep."""
        running = sweep.running()
        if running not in self.done:
            self.done.add(running)
            called(self.fn, gradient)


class _Gathered:
    """Calls ``fn`` when there is a gradient for each of ``nodes`` that a sweep reaches."""

    def __init__(self, fn: Callable[[Any], Any], nodes: list[Node]) -> None:
        self.fn, self.nodes = fn, nodes
        self.arrived: weakref.WeakKeyDictionary[Any, dict[int, Any]] = weakref.WeakKeyDictionary()

    def hook(self, place: int) -> Callable[[Any], None]:
        """The hook of the tensor number ``place``."""

        def hook(gradient: Any) -> None:
            running = sweep.running()
            arrived = self.arrived.setdefault(running, {})
            arrived[place] = gradient
            if len(arrived) == sum(running.reaches(node) for node in self.nodes):
                called(self.fn, [arrived.get(number) for number in range(len(self.nodes))])

        return hook


# -- mutation -----------------------------------------------------------------------------------------------------
class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Within, tensors that were saved may be written to: nodes keep copies of them."""

    def __init__(self) -> None:
        super().__init__(self._copied, self._given_back)
        self._is_open = False

    def __enter__(self) -> Any:
        super().__enter__()
        self._is_open = True
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._is_open = False
        super().__exit__(*exc_info)

    @staticmethod
    def _copied(tensor: Tensor) -> Tensor:
        return registry.call("clone", tensor)  # type: ignore[no-any-return]

    def _given_back(self, copy: Tensor) -> Tensor:
        if not self._is_open:
            raise AssertedError(OUTSIDE)
        return copy

    def clear(self) -> None:
        """Nothing is kept here: copies belong to the nodes."""
