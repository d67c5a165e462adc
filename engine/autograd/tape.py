"""The tape: nodes, edges, saved tensors, and the sweep that carries cotangents back along them.

A node is plain data: which op, its static arguments, the tensors its rules ask for, and edges to the nodes its inputs
came from. Nodes are numbered as they are made, which is a topological order; the sweep takes them from a heap by
descending number, so it needs no recursion and adds cotangents in one order always.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, TypeAlias

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.errors import ArgumentTypeError, OpError
from engine.storage import Storage
from engine.tensor import Size, Spec, Tensor, TensorSpec, copied, forward_name, is_plain, make_tensor, spec_of, weak

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved "
    "tensors after calling backward."
)
NO_GRAPH = "element {} of tensors does not require grad and does not have a grad_fn"
UNUSED = (
    "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if this is "
    "the desired behavior."
)
CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
    "which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you "
    "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break the "
    "cycle and avoid the leak."
)
INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
    "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)

_new = object.__new__
_sequence = itertools.count()


# Where a cotangent goes: the node, and which of its outputs. A plain tuple: one is made for every operand.
Edge: TypeAlias = "tuple[Node, int]"


def _nobody() -> None:
    """In place of a weak reference."""


class Saved:
    """A tensor kept for a rule: its values, the version they had, and the edge to its history.

    The tensor itself is not kept: it may get another history, and an output would keep its own node alive. A weak
    reference names its present history in the error about a changed tensor. ``output_nr`` is set when the tensor is an
    output of the node that saves it.
    """

    __slots__ = ("array", "edge", "odd", "origin", "output_nr", "storage", "version", "weak")
    array: np.ndarray[Any, Any]
    storage: Storage
    version: int
    weak: bool
    odd: bool
    edge: Edge | None
    origin: Callable[[], Tensor | None]
    output_nr: int | None

    def unpack(self, owner: Node) -> Tensor:
        """The tensor with its history. Raises ``OpError`` if it was written to since."""
        edge = self.edge if self.output_nr is None else (owner, self.output_nr)
        storage = self.storage
        if storage.version != self.version:
            raise OpError(self._modified(edge))
        if edge is None:
            tensor = make_tensor(self.array, storage)
            tensor.weak = self.weak
        elif type(edge[0]) is Node:
            tensor = make_tensor(self.array, storage, edge[0], edge[1])
        else:
            tensor = make_tensor(self.array, storage)
            tensor._requires_grad = True
            tensor.keep_accumulator(edge[0])
        tensor.odd = self.odd
        return tensor

    def _modified(self, edge: Edge | None) -> str:
        kind = f"{_type_name(self.array)} {list(self.array.shape)}"
        source, origin = "", self.origin()
        if origin is not None and self.output_nr is None:
            edge = edge_of(origin)
        if edge is not None and not isinstance(edge[0], Accumulate):
            source = f", which is output {edge[1]} of {forward_name(edge[0].name())},"
        return (
            f"one of the variables needed for gradient computation has been modified by an inplace operation: [{kind}]"
            f"{source} is at version {self.storage.version}; expected version {self.version} instead. Hint: enable "
            "anomaly detection to find the operation that failed to compute its gradient, with "
            "torch.autograd.set_detect_anomaly(True, check_nan=False)."
        )


def save(tensor: Tensor, edge: Edge | None, output_nr: int | None = None) -> Saved:
    """``tensor`` kept as it is now; raises ``OpError`` for one of inference mode."""
    if tensor.inference:
        raise OpError(INFERENCE)
    saved = _new(Saved)
    saved.array = tensor.array
    saved.weak = tensor.weak
    saved.odd = tensor.odd
    saved.storage = storage = tensor.storage
    saved.version = storage.version
    saved.edge = edge
    saved.origin = weakref.ref(tensor) if output_nr is None else _nobody
    saved.output_nr = output_nr
    return saved


class SavedNumber(Saved):
    """A Python number kept for a rule. It is given the form of a saved tensor when somebody looks at it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Any:
        saved = save(weak(self.value), None)
        for slot in Saved.__slots__:
            setattr(self, slot, getattr(saved, slot))
        self.origin = _nobody
        return getattr(self, name)

    def unpack(self, owner: Node) -> Tensor:
        """The number as an operand."""
        return weak(self.value)


def _type_name(array: np.ndarray[Any, Any]) -> str:
    return Tensor(array).dtype.tensor_type


class Node:
    """One recorded call: an op, its static arguments, saved tensors, and an edge for each differentiable input.

    ``specs`` are shape and array dtype of what came out; ``counts`` says how many edges each differentiable parameter
    has. ``saved`` is ``None`` once freed; ``is_inplace`` marks an in-place call. ``retained`` has the outputs that get
    their ``grad``.
    """

    __slots__ = (
        "__weakref__",
        "counts",
        "edges",
        "is_inplace",
        "op",
        "retained",
        "saved",
        "sequence",
        "specs",
        "static",
    )  # fmt: skip

    op: Any
    static: dict[str, Any]
    edges: tuple[Edge | None, ...]
    saved: dict[str, Any] | None
    specs: tuple[Spec, ...]
    counts: tuple[int, ...]
    is_inplace: bool
    retained: dict[int, weakref.ref[Tensor]]
    sequence: int

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Shape and dtype of what came out."""
        return tuple([TensorSpec(shape, dtypes.from_numpy(dtype)) for shape, dtype in self.specs])

    def name(self) -> str:
        """PyTorch's name of the node: ``MulBackward0``, ``torch::autograd::CopySlices``."""
        own = self.static.get("grad_fn") or (self.op.inplace_grad_fn if self.is_inplace else self.op.grad_fn)
        return str(own)

    @property
    def label(self) -> str:
        """The name without its namespace, as tensors print it."""
        return self.name().rpartition("::")[2]

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Where each input came from: ``(node or None, output number)``."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    def fetch(self, name: str) -> Any:
        """The saved tensor (or list of tensors) called ``name``. Raises ``OpError`` once freed or changed."""
        if self.saved is None:
            raise OpError(FREED)
        kept = self.saved[name]
        if isinstance(kept, Saved):
            return kept.unpack(self)
        return None if kept is None else [one.unpack(self) for one in kept]

    def free(self) -> None:
        """Let the saved tensors go; a second sweep through this node will be refused if it had any."""
        if self.saved:
            modes.touch(self)
            self.saved = None

    def memento(self) -> Callable[[], None]:
        """A function that gives the node back what it saves now, its edges and its retained outputs."""
        saved, edges, retained = self.saved, self.edges, dict(self.retained)

        def restore() -> None:
            self.saved, self.edges, self.retained = saved, edges, retained

        return restore

    def __repr__(self) -> str:
        return f"<{self.label} object at {id(self):#x}>"


def make_node(
    op: Any, static: dict[str, Any], edges: tuple[Edge | None, ...], saved: dict[str, Any] | None,
    specs: tuple[Spec, ...], counts: tuple[int, ...], kind: type[Node] = Node,
) -> Node:  # fmt: skip
    """The next node of the tape."""
    node = _new(kind)
    node.op = op
    node.static = static
    node.edges = edges
    node.saved = saved
    node.specs = specs
    node.counts = counts
    node.is_inplace = False
    node.retained = {}
    node.sequence = next(_sequence)
    return node


class _AccumulateOp:
    """The op of accumulators."""

    name = "accumulate_grad"
    grad_fn = "torch::autograd::AccumulateGrad"

    @staticmethod
    def pull_back(node: Accumulate, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """Add to ``grad`` in place, or, while a graph of the gradient is recorded, by a recorded sum."""
        if node.variable.requires_grad and cotangents[0] is not None:
            add_to_grad(node.variable, cotangents[0], node.variable)
        return ()


class Accumulate(Node):
    """The end of every path: adds what arrives to the ``grad`` of its leaf."""

    __slots__ = ("variable",)

    variable: Tensor


def make_accumulator(leaf: Tensor) -> Accumulate:
    """The node that adds to the ``grad`` of ``leaf``."""
    node = make_node(_AccumulateOp, {}, (), {}, (spec_of(leaf.array),), (), Accumulate)
    node.variable = leaf  # type: ignore[attr-defined]
    return node  # type: ignore[return-value]


def add_to_grad(variable: Tensor, cotangent: Tensor, like: Tensor | None) -> None:
    """Add ``cotangent`` to ``variable.grad``; the first one is copied, for a cotangent may be shared or expanded.

    The copy lies as ``like`` does where that leaves no gaps, else in C order.
    """
    state = modes.current()
    if state.journal is not None:
        state.journal.touch(variable)
    if variable.grad is None:
        variable.grad = _own(cotangent, like)
    elif state.grad_enabled:
        variable.grad = registry.op("add")(variable.grad, cotangent)
    else:
        registry.op("add").inplace(variable.grad, cotangent)


def _own(cotangent: Tensor, like: Tensor | None) -> Tensor:
    array, stride = cotangent.array, None
    if like is None or not is_plain(like):
        place = None if like is None else (like.array.shape, strides.steps_of(like.array))
        stride = strides.of_gradient(array.shape, strides.steps_of(array), place)
    if cotangent.requires_grad:
        shape = array.shape
        target = registry.op("filled_strided")(shape, stride or strides.contiguous(shape), 0, cotangent.dtype)
        return registry.op("copy").inplace(target, cotangent)  # type: ignore[no-any-return]
    owned = make_tensor(copied(array, stride))
    owned.odd = stride is not None
    return owned


# -- edges --------------------------------------------------------------------------------------------------------
def edge_of(tensor: Tensor) -> Edge | None:
    """Where the cotangent of ``tensor`` goes, or ``None`` if it needs none."""
    node = tensor.node if tensor.base is None else tensor.grad_fn
    if node is not None:
        return node, tensor.output_nr
    return (_accumulator_of(tensor), 0) if tensor._requires_grad else None


def _accumulator_of(leaf: Tensor) -> Node:
    node = leaf.accumulator()
    if node is None:
        node = make_accumulator(leaf)
        leaf.keep_accumulator(node)
    return node  # type: ignore[no-any-return]


# -- the sweep ----------------------------------------------------------------------------------------------------
class _Sweep:
    """One pass from roots to leaves: cotangents waiting at nodes, and a heap of the nodes they wait at."""

    def __init__(self, retain_graph: bool, wanted: dict[Edge, list[int]] | None, roots: Iterable[Node]) -> None:
        self.retain_graph = retain_graph
        self.waiting: dict[Node, list[Tensor | None]] = {}
        self.heap: list[tuple[int, Node]] = []
        self.wanted = wanted
        self.captured: dict[int, Tensor] = {}
        self.useful = None if wanted is None else _ancestors_of({node for node, _ in wanted}, roots)

    def deliver(self, edge: Edge, cotangent: Tensor) -> None:
        """Add a cotangent to those that wait at the end of ``edge``, once it is like what the edge leads to."""
        node, number = edge
        array = cotangent.array
        if (array.shape, array.dtype) != node.specs[number]:
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
            for edge, cotangent in zip(needs, node.op.pull_back(node, cotangents, needs), strict=False):
                if edge is not None and cotangent is not None:
                    deliver(edge, cotangent)
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
                add_to_grad(output, cotangent, None)
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
    return (value,) if isinstance(value, Tensor) or value is None else tuple(value)


def _root_cotangents(tensors: tuple[Tensor, ...], given: Any) -> list[Tensor | None]:
    cotangents = list(_as_tuple(given)) if given is not None else [None] * len(tensors)
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
    wanted: dict[Edge, list[int]] | None,
) -> dict[int, Tensor]:  # fmt: skip
    roots = _root_edges(tensors)
    sweep = _Sweep(retain_graph, wanted, [node for node, _ in roots])
    state = modes.current()
    outer, state.grad_enabled = state.grad_enabled, create_graph
    try:
        for edge, cotangent in zip(roots, cotangents, strict=True):
            if cotangent is not None and (sweep.useful is None or edge[0] in sweep.useful):
                sweep.deliver(edge, cotangent)
        sweep.run()
    finally:
        state.grad_enabled = outer
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
    if create_graph:
        modes.warn(CYCLE)
    wanted = None if inputs is None else _wanted(_as_tuple(inputs))
    captured = _sweep(roots, _root_cotangents(roots, grad_tensors), keep, create_graph, wanted)
    if inputs is not None:
        _accumulate_captured(_as_tuple(inputs), captured, create_graph)


def _accumulate_captured(inputs: tuple[Tensor, ...], captured: dict[int, Tensor], create_graph: bool) -> None:
    with modes.enable_grad() if create_graph else modes.no_grad():
        for position, cotangent in captured.items():
            add_to_grad(inputs[position], cotangent, inputs[position])


def _wanted(inputs: tuple[Tensor, ...]) -> dict[Edge, list[int]]:
    wanted: dict[Edge, list[int]] = {}
    for position, tensor in enumerate(inputs):
        edge = edge_of(tensor)
        if edge is None:
            raise OpError("One of the differentiated Tensors does not require grad")
        wanted.setdefault(edge, []).append(position)
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
    if materialize_grads and allow_unused is False:
        raise OpError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    keep = create_graph if retain_graph is None else retain_graph
    captured = _sweep(roots, _root_cotangents(roots, grad_outputs), keep, create_graph, _wanted(targets))
    results = tuple(captured.get(position) for position in range(len(targets)))
    if materialize_grads:
        return tuple(_zeros(t) if g is None else g for t, g in zip(targets, results, strict=True))
    if not allow_unused and any(g is None for g in results):
        raise OpError(UNUSED)
    return results


def _zeros(tensor: Tensor) -> Tensor:
    array = tensor.array
    zeros = strides.new(array.shape, array.dtype, strides.preserved(array.shape, strides.steps_of(array)))
    zeros.fill(0)
    return Tensor(zeros)


def retain_grad(tensor: Tensor) -> None:
    """Let ``backward`` fill ``tensor.grad`` although it is not a leaf."""
    if not tensor.requires_grad:
        raise OpError("can't retain_grad on Tensor that has requires_grad=False")
    if tensor.is_leaf or tensor.retains_grad:
        return
    modes.touch(tensor)
    modes.touch(tensor.grad_fn)
    tensor.retains_grad = True
    tensor.grad_fn.retained[tensor.output_nr] = weakref.ref(tensor)


__all__ = ["Accumulate", "Edge", "Node", "Saved", "Size", "backward", "grad", "retain_grad"]
