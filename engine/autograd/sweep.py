"""The sweep: cotangents carried from roots back to leaves, and what users call it by, ``backward`` and ``grad``.

Nodes are numbered as they are made, which is a topological order; the sweep takes them from a heap by descending
number, so it needs no recursion and adds cotangents in one order always.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from math import inf
from typing import Any, NamedTuple

import numpy as np

from engine import dtypes, modes, registry
from engine.autograd import hooks, results_of, reuse, watch
from engine.autograd.hooks import Hook
from engine.autograd.tape import Accumulate, Edge, Node, edge_of, retain
from engine.errors import ArgumentTypeError, ArgumentValueError, NotATensorError, OpError
from engine.tensor import Spec, Tensor, make_tensor

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
    "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break the"
    " cycle and avoid the leak."
)


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes, for whoever wants to do without the tensor."""

    node: Node
    output_nr: int
    ownership_token: Any = None


_ROOTS = (Tensor, GradientEdge)
_running: ContextVar[Any] = ContextVar("gradserve_sweep", default=None)


def running() -> Any:
    """The sweep that is under way here, or ``None``."""
    return _running.get()


class _Sweep:
    """One pass from roots to leaves: cotangents waiting at nodes, and a heap of the nodes they wait at.

    ``wanted`` are the edges whose cotangents are captured, ``targets`` the nodes that have to run for what they keep
    (``backward`` with inputs). A sweep is careful where more is to do at each node than to run its rules.
    """

    def __init__(
        self, retain_graph: bool, wanted: dict[Edge, list[int]] | None, targets: set[Node], roots: Iterable[Node]
    ) -> None:
        self.retain_graph = retain_graph
        self.waiting: dict[Node, list[Tensor | None]] = {}
        self.heap: list[tuple[int, Node]] = []
        self.wanted: dict[Node, list[tuple[int, int]]] = {}
        for (node, number), positions in (wanted or {}).items():
            self.wanted.setdefault(node, []).extend([(number, position) for position in positions])
        self.targets = targets
        self.captured: dict[int, Tensor] = {}
        self.roots = list(roots)
        self._reached: set[Node] | None = None
        goals = None if wanted is None else targets or set(self.wanted)
        self.useful = None if goals is None else _ancestors_of(goals, self.roots)
        self.watch = watch.current()
        self.is_careful = self.watch.anomaly

    def deliver(self, edge: Edge, cotangent: Tensor, source: Node | None, place: int) -> None:
        """Add a cotangent to those that wait at the end of ``edge``, once it is like what the edge leads to.

        ``source`` gave it, as that of its input number ``place``.
        """
        (node, number), array = edge, cotangent.array
        if (array.shape, array.dtype) != node.specs[number]:
            cotangent = _fitted(edge, cotangent, source, place)
        if (row := self.waiting.get(node)) is None:
            row = self.waiting[node] = [None] * len(node.specs)
            heappush(self.heap, (-node.sequence, node))
        if row[number] is None:
            row[number] = cotangent
        else:
            reuse.add(row, number, cotangent)

    def run(self) -> None:
        """Take nodes by descending number until none waits."""
        state = modes.current()
        budget, journal, recorder = state.budget, state.journal, state.recorder
        heap, waiting, deliver, useful, wanted = self.heap, self.waiting, self.deliver, self.useful, self.wanted
        while heap:
            if budget is not None:
                budget.check_time()
            node = heappop(heap)[1]
            cotangents = waiting.pop(node)
            if self.is_careful or node.attached is not None or recorder is not None:
                self.visit(node, cotangents)
                continue
            needs = node.edges if useful is None else self._needs(node)
            if wanted and node in wanted:
                self._capture(node, cotangents)
            if needs is None:
                continue
            results = list(node.op.pull_back(node, cotangents, needs))
            for place, cotangent in enumerate(results):
                edge = needs[place]
                if edge is not None:
                    results[place] = None  # nobody has it but who gets it
                    if cotangent is not None:
                        deliver(edge, cotangent, node, place)
                    else:
                        self._wait(edge[0])
            cotangent = None
            if node.saved and not self.retain_graph:
                if journal is not None:
                    journal.touch(node)
                node.saved = None

    def _wait(self, node: Node) -> None:
        """Let ``node`` have its turn although no cotangent may arrive."""
        self.is_careful = True
        if node not in self.waiting:
            self.waiting[node] = [None] * len(node.specs)
            heappush(self.heap, (-node.sequence, node))

    def visit(self, node: Node, cotangents: list[Tensor | None]) -> None:
        """What is to do at one node, with its hooks; a failure is reported where anomalies are being detected."""
        if not self.watch.anomaly:
            self._pass_through(node, cotangents)
            return
        outer = watch.switch(replace(self.watch, parent=node))
        try:
            self._pass_through(node, cotangents)
        except Exception:
            watch.report(node)
            raise
        finally:
            watch.switch(outer)

    def reaches(self, node: Node) -> bool:
        """Whether the sweep has come to ``node``, or will."""
        if self.useful is not None:
            return node in self.useful
        self._reached = self._reached or {*_count_edges(self.roots), *self.roots}
        return node in self._reached

    def _pass_through(self, node: Node, cotangents: list[Tensor | None]) -> None:
        needs = node.edges if self.useful is None else self._needs(node)
        if needs is None:
            self._capture(node, _hooked(node, cotangents))
            return
        self._capture(node, cotangents)
        cotangents = _hooked(node, cotangents)
        attached = node.attached
        if attached is not None and attached.pre:
            cotangents = list(hooks.all_filtered(attached.pre, cotangents))
        recorder = modes.current().recorder
        if recorder is not None:
            recorder.pulling(node)
        results = self._pulled_back(node, cotangents, needs)
        if recorder is not None:
            recorder.pulled(node, needs, results)
        if attached is not None and attached.post:
            results = list(hooks.all_filtered(attached.post, results, tuple(cotangents)))
        if self.watch.anomaly and self.watch.check_nan:
            watch.check_nan(node, results)
        for place, (edge, cotangent) in enumerate(zip(needs, results, strict=True)):
            if edge is not None:
                self.is_careful = self.is_careful or cotangent is None
                if cotangent is not None:
                    self.deliver(edge, cotangent, node, place)
                else:
                    self._wait(edge[0])

    def _pulled_back(
        self, node: Node, cotangents: list[Tensor | None], needs: Sequence[Edge | None]
    ) -> list[Tensor | None]:
        """What the rules give for the edges that need it, as these deliver it."""
        results: list[Tensor | None] = [None] * len(needs)
        if node.takes_nothing or any(cotangent is not None for cotangent in cotangents):
            for place, cotangent in enumerate(node.op.pull_back(node, cotangents, needs)):
                edge = needs[place]
                if edge is not None and cotangent is not None:
                    results[place] = _fitted(edge, cotangent, node, place)
        if not self.retain_graph:
            node.free()
        return results

    def _needs(self, node: Node) -> Sequence[Edge | None] | None:
        """The edges that lead to what is wanted; ``None`` if the node need not run at all."""
        useful = self.useful or ()
        needs = [edge if edge is not None and edge[0] in useful else None for edge in node.edges]
        return needs if any(needs) or node in self.targets else None

    def _capture(self, node: Node, cotangents: list[Tensor | None]) -> None:
        """Keep what was asked for."""
        for number, position in self.wanted.get(node, ()):
            cotangent = cotangents[number]
            if cotangent is not None:
                self.captured[position] = cotangent


class _Ordered(_Sweep):
    """A sweep that reaches leaves in PyTorch's order, which only hooks of leaves can tell from another.

    Nodes wait in a queue once all that lead to them have run, leaves ahead of all others.
    """

    def __init__(
        self, retain_graph: bool, wanted: dict[Edge, list[int]] | None, targets: set[Node], roots: Iterable[Node]
    ) -> None:
        super().__init__(retain_graph, wanted, targets, roots)
        self._missing = _count_edges(self.roots)

    def run(self) -> None:
        """Take nodes that nothing is missing for until there is none."""
        budget, missing, queue = modes.current().budget, self._missing, ReadyQueue()
        for node in dict.fromkeys(self.roots):
            if node not in missing and (self.useful is None or len(self.roots) == 1 or node in self.useful):
                queue.push(_priority(node), node)
        while queue:
            if budget is not None:
                budget.check_time()
            node = queue.pop()
            self.visit(node, self.waiting.pop(node, []) or [None] * len(node.specs))
            for edge in node.edges:
                if edge is None:
                    continue
                missing[edge[0]] -= 1
                if not missing[edge[0]] and (self.useful is None or edge[0] in self.useful):
                    queue.push(_priority(edge[0]), edge[0])


def _priority(node: Node) -> float:
    return inf if isinstance(node, Accumulate) else node.sequence


def _count_edges(roots: Iterable[Node]) -> dict[Node, int]:
    """How many edges lead to each node that is reached from ``roots``; roots to which none leads are not in it."""
    counts: dict[Node, int] = {}
    stack = list(dict.fromkeys(roots))
    seen = set(stack)
    while stack:
        for edge in stack.pop().edges:
            if edge is None:
                continue
            counts[edge[0]] = counts.get(edge[0], 0) + 1
            if edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    return counts


class ReadyQueue:
    """A binary heap, the greatest first, in which equals leave as from the heap of the C++ library that PyTorch uses.

    There the last element is not sifted down from the top: the hole goes to the bottom, always to the greater child
    (of equals the second), and the element rises from there.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, Any]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, priority: float, item: Any) -> None:
        """Add ``item``."""
        self._entries.append((priority, item))
        self._rise(len(self._entries) - 1, (priority, item))

    def pop(self) -> Any:
        """Take out one of the highest priority."""
        entries = self._entries
        last = entries.pop()
        if not entries:
            return last[1]
        top, hole, count = entries[0][1], 0, len(entries)
        while (child := 2 * hole + 2) < count:
            child -= entries[child][0] < entries[child - 1][0]
            entries[hole], hole = entries[child], child
        if child == count:
            entries[hole], hole = entries[child - 1], child - 1
        self._rise(hole, last)
        return top

    def _rise(self, hole: int, entry: tuple[float, Any]) -> None:
        entries = self._entries
        while hole and entries[parent := (hole - 1) // 2][0] < entry[0]:
            entries[hole], hole = entries[parent], parent
        entries[hole] = entry


def _hooked(node: Node, cotangents: list[Tensor | None]) -> list[Tensor | None]:
    """What the hooks of the tensors that a node made, or of its leaf, make of their gradients; some are retained."""
    attached = node.attached
    if attached is None:
        return cotangents
    cotangents = list(cotangents)
    if isinstance(node, Accumulate) and node.variable.hooks is not None:
        cotangents[0] = hooks.filtered(node.variable.hooks.before, cotangents[0])
    for number, table in list(attached.outputs.items()):
        cotangents[number] = hooks.filtered(table, cotangents[number])
    for number, tensor in list(attached.retained.items()):
        output, cotangent = tensor(), cotangents[number]
        if output is not None and cotangent is not None:
            retain(output, cotangent)
    return cotangents


def _fitted(edge: Edge, cotangent: Tensor, source: Node | None, place: int) -> Tensor:
    """A cotangent as ``edge`` delivers it. Raises ``OpError`` if no broadcasting leads to it."""
    node, number = edge
    array, spec = cotangent.array, node.specs[number]
    if (array.shape, array.dtype) == spec:
        return cotangent
    if array.shape != spec[0] and not _is_expanded(array.shape, spec[0]):
        whose = "" if source is None else f"Function {source.name()} returned an "
        raise OpError(INVALID.format(whose, place, list(array.shape), list(spec[0])))
    return restore(cotangent, spec)


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
    lead = len(shape) - len(original)
    return lead >= 0 and all(own in (1, extent) for extent, own in zip(shape[lead:], original, strict=True))


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
    if isinstance(value, _ROOTS):
        return (value,)
    if type(value) is not list and not isinstance(value, Iterable):
        raise ArgumentTypeError(f"'{type(value).__name__}' object is not iterable")
    return tuple(value)


def _root_cotangents(tensors: tuple[Tensor, ...], given: Any) -> list[Tensor | None]:
    cotangents = list(_as_tuple(given)) if given is not None else [None] * len(tensors)
    for tensor in tensors:
        if not isinstance(tensor, _ROOTS):
            raise NotATensorError("Expected output to be a torch.Tensor")
    made = [_root_cotangent(i, *pair) for i, pair in enumerate(zip(tensors, cotangents, strict=False))]
    if len(cotangents) == len(tensors):
        return made
    raise OpError(f"got {len(tensors)} tensors and {len(cotangents)} gradients")


def _root_cotangent(position: int, tensor: Tensor | GradientEdge, given: Any) -> Tensor | None:
    if isinstance(tensor, GradientEdge):
        tensor = _placeholder(tensor)
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


def _checked(edge: GradientEdge) -> Edge:
    """An edge that a program may have made itself."""
    node, number = edge.node, edge.output_nr
    if not isinstance(node, Node) or not isinstance(number, int) or not 0 <= number < len(node.specs):
        raise ArgumentTypeError("a GradientEdge has a node and the number of one of its outputs")
    return node, number


def _placeholder(edge: GradientEdge) -> Tensor:
    """A tensor like the one whose gradient goes along ``edge``."""
    node, number = _checked(edge)
    shape, dtype = node.specs[number]
    tensor = make_tensor(np.empty(shape, dtype))
    tensor._requires_grad = True
    return tensor


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
    targets = {node for node, _ in wanted} if wanted is not None and accumulate else set()
    kind = _Ordered if modes.current().shared.observed else _Sweep
    sweep = kind(retain_graph, wanted, targets, [node for node, _ in roots])
    token = _running.set(sweep)
    outer = modes.switch(create_graph)
    try:
        for place, (edge, cotangent) in enumerate(zip(roots, cotangents, strict=True)):
            is_needed = sweep.useful is None or len(roots) == 1 or edge[0] in sweep.useful
            if cotangent is not None and is_needed:  # PyTorch looks at a single root, be it needed or not
                sweep.deliver(edge, cotangent, None, place)
        sweep.run()
    finally:
        modes.switch(*outer)
        _running.reset(token)
    return sweep.captured


def _root_edges(tensors: tuple[Tensor, ...]) -> list[Edge]:
    edges = [_checked(tensor) if isinstance(tensor, GradientEdge) else edge_of(tensor) for tensor in tensors]
    if None in edges:
        raise OpError(NO_GRAPH.format(edges.index(None)))
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
    _sweep(roots, _root_cotangents(roots, grad_tensors), keep, create_graph, targets, accumulate=True)


def _wanted(inputs: tuple[Any, ...], refusal: str) -> dict[Edge, list[int]]:
    wanted: dict[Edge, list[int]] = {}
    for position, tensor in enumerate(inputs):
        if isinstance(tensor, GradientEdge):
            wanted.setdefault(_checked(tensor), []).append(position)
            continue
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
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` (weighted by ``grad_outputs``) with respect to ``inputs``; no ``grad`` changes.

    ``is_grads_batched``: one for each row of the weights. Raises ``OpError`` for an input that is unused, unless told.
    """
    roots, targets = _as_tuple(outputs), _as_tuple(inputs)
    if not targets:
        raise OpError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise ArgumentValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    keep = create_graph if retain_graph is None else retain_graph
    captured = partial(_captured, roots, create_graph, targets)
    rows = _as_tuple(grad_outputs) if is_grads_batched else ()
    results = results_of.rows(captured, rows, keep) if is_grads_batched else captured(grad_outputs, keep)
    if materialize_grads:
        pairs = zip(targets, results, strict=True)
        return tuple([results_of.zeros(target, create_graph) if g is None else g for target, g in pairs])
    if not allow_unused:
        for position, gradient in enumerate(results):
            if gradient is None:
                raise OpError(UNUSED.format(position))
    return results


def _captured(roots: Any, create_graph: bool, targets: Any, weights: Any, keep: bool) -> tuple[Tensor | None, ...]:
    found = _sweep(roots, _root_cotangents(roots, weights), keep, create_graph, targets, accumulate=False)
    return tuple(map(found.get, range(len(targets))))


def retain_grad(tensor: Tensor) -> None:
    """Let ``backward`` fill ``tensor.grad`` although it is not a leaf."""
    if not tensor.requires_grad:
        raise OpError(NO_RETAIN)
    if tensor.is_leaf or tensor.retains_grad:
        return
    modes.touch(tensor)
    modes.touch(tensor.grad_fn)
    tensor.retains_grad = True
    tensor.grad_fn.attach().retained[tensor.output_number] = weakref.ref(tensor)


# -- hooks of tensors ---------------------------------------------------------------------------------------------
def register_hook(tensor: Tensor, hook: Hook) -> hooks.RemovableHandle:
    """Call ``hook`` with the gradient of ``tensor`` when one is there; a tensor that it returns replaces it."""
    if not tensor.requires_grad:
        raise OpError(hooks.NO_GRADIENT)
    node = tensor.grad_fn
    if node is not None:
        attached = node.attach()
        table = attached.outputs.setdefault(tensor.output_number, {})
    else:
        table = _leaf_hooks(tensor).before
    return hooks.enter(table, hook)


def register_post_accumulate_grad_hook(tensor: Tensor, hook: Hook) -> hooks.RemovableHandle:
    """Call ``hook`` with the leaf ``tensor`` each time a gradient was added to its ``grad``."""
    if not tensor.requires_grad:
        raise OpError(hooks.NO_GRADIENT)
    if tensor.grad_fn is not None:
        raise OpError(hooks.NOT_A_LEAF)
    return hooks.enter(_leaf_hooks(tensor).after, hook)


def _leaf_hooks(leaf: Tensor) -> hooks.LeafHooks:
    modes.touch(leaf)
    if leaf.hooks is None:
        leaf.hooks = hooks.LeafHooks()
        modes.current().observe(leaf.hooks)
        if (node := leaf.accumulator()) is not None:
            node.attach()
    return leaf.hooks  # type: ignore[no-any-return]
