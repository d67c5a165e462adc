"""The sweep: cotangents carried from roots back to leaves, and what users call it by, ``backward`` and ``grad``.

Nodes are numbered as they are made, which is a topological order; the sweep takes them from a heap by descending
number, so it needs no recursion and adds cotangents in one order always.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.autograd.tape import Accumulate, Edge, Node, add_to_grad, edge_of, retain
from engine.errors import ArgumentTypeError, ArgumentValueError, NotATensorError, OpError
from engine.tensor import Spec, Tensor, from_array, make_tensor

NO_GRAPH = "element {} of tensors does not require grad and does not have a grad_fn"
UNUSED = (
    "The differentiated Tensor at index {} appears to not have been used in the graph. Set allow_unused=True if this "
    "is the desired behavior."
)
NOT_DIFFERENTIABLE = "One of the differentiated Tensors does not require grad"
NO_RETAIN = "can't retain_grad on Tensor that has requires_grad=False"
INVALID = "{}invalid gradient at index {} - got {} but expected shape compatible with {}"
CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
    "which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you "
    "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break the "
    "cycle and avoid the leak."
)


class _Sweep:
    """One pass from roots to leaves: cotangents waiting at nodes, and a heap of the nodes they wait at."""

    def __init__(self, retain_graph: bool, wanted: dict[Edge, list[int]] | None, roots: Iterable[Node]) -> None:
        self.retain_graph = retain_graph
        self.waiting: dict[Node, list[Tensor | None]] = {}
        self.heap: list[tuple[int, Node]] = []
        self.wanted = wanted
        self.captured: dict[int, Tensor] = {}
        self.useful = None if wanted is None else _ancestors_of({node for node, _ in wanted}, roots)

    def deliver(self, edge: Edge, cotangent: Tensor, source: Node | None, place: int) -> None:
        """Add a cotangent to those that wait at the end of ``edge``, once it is like what the edge leads to.

        ``source`` gave it, as that of its input number ``place``.
        """
        node, number = edge
        array = cotangent.array
        if (array.shape, array.dtype) != node.specs[number]:
            shape = node.specs[number][0]
            if array.shape != shape and not _is_expanded(array.shape, shape):
                whose = "" if source is None else f"Function {source.name()} returned an "
                raise OpError(INVALID.format(whose, place, list(array.shape), list(shape)))
            cotangent = restore(cotangent, node.specs[number])
        row = self.waiting.get(node)
        if row is None:
            row = self.waiting[node] = [None] * len(node.specs)
            heappush(self.heap, (-node.sequence, node))
        seen = row[number]
        row[number] = cotangent if seen is None else registry.op("add")(seen, cotangent)

    def run(self) -> None:
        """Take nodes by descending number until none waits."""
        state = modes.current()
        budget, journal = state.budget, state.journal
        heap, waiting, deliver = self.heap, self.waiting, self.deliver
        while heap:
            if budget is not None:
                budget.check_time()
            node = heappop(heap)[1]
            cotangents = waiting.pop(node)
            if node.retained or self.wanted is not None:
                self._keep(node, cotangents)
            needs = node.edges if self.useful is None else self._needs(node)
            if needs is None:
                continue
            for place, cotangent in enumerate(node.op.pull_back(node, cotangents, needs)):
                edge = needs[place]
                if edge is not None and cotangent is not None:
                    deliver(edge, cotangent, node, place)
            if node.saved and not self.retain_graph:
                if journal is not None:
                    journal.touch(node)
                node.saved = None

    def _needs(self, node: Node) -> Sequence[Edge | None] | None:
        """The edges that lead to what is wanted; ``None`` if the node need not run at all."""
        useful = self.useful or ()
        if isinstance(node, Accumulate):
            return None
        needs = [edge if edge is not None and edge[0] in useful else None for edge in node.edges]
        return needs if any(needs) else None

    def _keep(self, node: Node, cotangents: list[Tensor | None]) -> None:
        """Capture what was asked for, and fill the ``grad`` of outputs that retain it."""
        for number, tensor in list(node.retained.items()):
            output, cotangent = tensor(), cotangents[number]
            if output is not None and cotangent is not None:
                retain(output, cotangent)
        if self.wanted is not None:
            for number, cotangent in enumerate(cotangents):
                for position in self.wanted.get((node, number), ()):
                    if cotangent is not None:
                        self.captured[position] = cotangent


def _ancestors_of(targets: set[Node], roots: Iterable[Node]) -> set[Node]:
    """The nodes reachable from ``roots`` that lead to ``targets``, and these themselves."""
    reachable: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in reachable:
            reachable.add(node)
            stack.extend(edge[0] for edge in node.edges if edge is not None)
    useful = set(targets)
    for node in sorted(reachable, key=lambda node: node.sequence):
        if any(edge is not None and edge[0] in useful for edge in node.edges):
            useful.add(node)
    return useful


def _is_expanded(shape: tuple[int, ...], original: tuple[int, ...]) -> bool:
    """Whether ``original`` broadcasts to ``shape``."""
    count = len(original)
    pairs = zip(shape[len(shape) - count :], original, strict=False)
    return len(shape) >= count and all(own in (1, extent) for extent, own in pairs)


def restore(cotangent: Tensor, spec: Spec) -> Tensor:
    """The chores of an edge: undo broadcasting, and go back to the dtype of the input."""
    shape, kind = spec
    if cotangent.array.shape != shape:
        cotangent = registry.op("sum_to")(cotangent, shape)
    dtype = dtypes.from_numpy(kind)
    if cotangent.dtype is not dtype:
        if cotangent.dtype.is_complex and not dtype.is_complex:
            cotangent = registry.call("real", cotangent)
        if cotangent.dtype is not dtype:
            cotangent = registry.op("cast")(cotangent, dtype)
    return cotangent


# -- what users call ----------------------------------------------------------------------------------------------
def _as_tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Iterable):
        raise ArgumentTypeError(f"'{type(value).__name__}' object is not iterable")
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _root_cotangents(tensors: tuple[Tensor, ...], given: Any) -> list[Tensor | None]:
    cotangents = list(_as_tuple(given)) if given is not None else [None] * len(tensors)
    if not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise NotATensorError("Expected output to be a torch.Tensor")
    if len(cotangents) != len(tensors):
        raise OpError(f"got {len(tensors)} tensors and {len(cotangents)} gradients")
    return [_root_cotangent(i, t, g) for i, (t, g) in enumerate(zip(tensors, cotangents, strict=True))]


def _root_cotangent(position: int, tensor: Tensor, given: Any) -> Tensor | None:
    if given is None:
        return _implicit(tensor) if tensor.requires_grad else None
    if not isinstance(given, Tensor):
        raise ArgumentTypeError(f"gradients can be either Tensors or None, but got {type(given).__name__}")
    if given.array.shape != tensor.array.shape:
        raise OpError(
            f"Mismatch in shape: grad_output[{position}] has a shape of {given.shape} and output[{position}] has a "
            f"shape of {tensor.shape}."
        )
    _check_complex(position, tensor, given)
    return given


def _check_complex(position: int, tensor: Tensor, given: Tensor) -> None:
    if given.dtype.is_complex != tensor.dtype.is_complex:
        raise OpError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
            f"grad_output[{position}] has a dtype of {given.dtype} and output[{position}] has a dtype of "
            f"{tensor.dtype}."
        )


def _implicit(tensor: Tensor) -> Tensor:
    if tensor.array.size != 1:
        raise OpError("grad can be implicitly created only for scalar outputs")
    if not tensor.dtype.is_floating_point:
        raise OpError(f"grad can be implicitly created only for real scalar outputs but got {tensor.dtype}")
    ones = np.empty(tensor.array.shape, tensor.array.dtype)
    ones.fill(1)
    return make_tensor(ones)


def _sweep(
    tensors: tuple[Tensor, ...], cotangents: list[Tensor | None], retain_graph: bool, create_graph: bool,
    inputs: tuple[Tensor, ...] | None, accumulate: bool,
) -> dict[int, Tensor]:  # fmt: skip
    """Carry the cotangents of ``tensors`` back; those that reach ``inputs``, by position, if there are any."""
    roots = _root_edges(tensors)
    for tensor in inputs or () if accumulate else ():
        if isinstance(tensor, Tensor) and tensor.requires_grad:
            retain_grad(tensor)
    wanted = None if inputs is None else _wanted(inputs, NO_RETAIN if accumulate else NOT_DIFFERENTIABLE)
    if accumulate and create_graph:
        modes.warn(CYCLE)
    sweep = _Sweep(retain_graph, wanted, [node for node, _ in roots])
    outer = modes.switch(create_graph)
    try:
        for place, (edge, cotangent) in enumerate(zip(roots, cotangents, strict=True)):
            is_needed = sweep.useful is None or len(roots) == 1 or edge[0] in sweep.useful
            if cotangent is not None and is_needed:  # PyTorch looks at a single root, be it needed or not
                sweep.deliver(edge, cotangent, None, place)
        sweep.run()
    finally:
        modes.switch(*outer)
    return sweep.captured


def _root_edges(tensors: tuple[Tensor, ...]) -> list[Edge]:
    edges = [edge_of(tensor) for tensor in tensors]
    for position, edge in enumerate(edges):
        if edge is None:
            raise OpError(NO_GRAPH.format(position))
    return edges  # type: ignore[return-value]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` (weighted by ``grad_tensors``) to the ``grad`` of the leaves they came from.

    With ``inputs``, only to those, which need not be leaves. Raises ``OpError`` in PyTorch's words.
    """
    roots = _as_tuple(tensors)
    if inputs is not None and not isinstance(inputs, Tensor) and len(inputs) == 0:
        raise OpError("`inputs` argument to `backward()` cannot be empty.")
    keep = create_graph if retain_graph is None else retain_graph
    targets = None if inputs is None else _as_tuple(inputs)
    captured = _sweep(roots, _root_cotangents(roots, grad_tensors), keep, create_graph, targets, accumulate=True)
    if targets is None or not captured:
        return
    with modes.enable_grad() if create_graph else modes.no_grad():
        for position, cotangent in captured.items():
            if targets[position].is_leaf:
                add_to_grad(targets[position], cotangent)


def _wanted(inputs: tuple[Tensor, ...], refusal: str) -> dict[Edge, list[int]]:
    wanted: dict[Edge, list[int]] = {}
    for position, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor):
            raise OpError(f"all inputs have to be Tensors or GradientEdges, but got {type(tensor).__name__}")
        edge = edge_of(tensor)
        if edge is not None:
            wanted.setdefault(edge, []).append(position)
        elif not tensor.requires_grad:  # else it is a view made without recording, which nothing leads to
            raise OpError(refusal)
    return wanted


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` (weighted by ``grad_outputs``) with respect to ``inputs``; no ``grad`` changes.

    Raises ``OpError`` for an input that was not used, unless ``allow_unused`` (``None``) or ``materialize_grads``
    (zeros).
    """
    roots, targets = _as_tuple(outputs), _as_tuple(inputs)
    if not targets:
        raise OpError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise ArgumentValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    keep = create_graph if retain_graph is None else retain_graph
    cotangents = _root_cotangents(roots, grad_outputs)
    captured = _sweep(roots, cotangents, keep, create_graph, targets, accumulate=False)
    results = tuple(captured.get(position) for position in range(len(targets)))
    if materialize_grads:
        return tuple(_zeros(t, create_graph) if g is None else g for t, g in zip(targets, results, strict=True))
    if not allow_unused:
        for position, gradient in enumerate(results):
            if gradient is None:
                raise OpError(UNUSED.format(position))
    return results


def _zeros(tensor: Tensor, requires_grad: bool) -> Tensor:
    array = tensor.array
    filled = strides.new(array.shape, array.dtype, strides.preserved(array.shape, strides.steps_of(array)))
    filled.fill(0)
    zeros = from_array(filled)
    zeros._requires_grad = requires_grad
    return zeros


def retain_grad(tensor: Tensor) -> None:
    """Let ``backward`` fill ``tensor.grad`` although it is not a leaf."""
    if not tensor.requires_grad:
        raise OpError(NO_RETAIN)
    if tensor.is_leaf or tensor.retains_grad:
        return
    modes.touch(tensor)
    modes.touch(tensor.grad_fn)
    tensor.retains_grad = True
    tensor.grad_fn.retained[tensor.output_nr] = weakref.ref(tensor)
