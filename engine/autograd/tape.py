"""The tape: nodes, edges, and saved tensors.

A node is plain data: which op, its static arguments, the tensors its rules ask for, and edges to the nodes its inputs
came from. Nodes are numbered as they are made, which is a topological order. ``engine.autograd.sweep`` walks them.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from copy import copy
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from engine import dtypes, modes, registry, strides
from engine.autograd.hooks import Attached, Hook, RemovableHandle, call_after, enter
from engine.autograd.reuse import is_alone
from engine.errors import ArgumentTypeError, MissingAttributeError, OpError
from engine.storage import Storage
from engine.tensor import (
    Spec,
    Tensor,
    TensorSpec,
    forward_name,
    is_dense,
    is_plain,
    make_tensor,
    owned_copy,
    spec_of,
    weak,
)

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved "
    "tensors after calling backward."
)
DETECT = (
    "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)
SEE_ABOVE = (
    "Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable in "
    "question was changed in there or anywhere later. Good luck!"
)
PACK_WRITES = (
    "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
    "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to "
    "perform in-place operations on the input to a pack hook."
)
ALREADY_PACKED = (
    "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
    "allowed at a time."
)
INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
    "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
    "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
)

_new = object.__new__
_sequence = itertools.count(1)
# PyTorch has a lock in each AccumulateGrad. Here a few serve all leaves, for an accumulator goes with its last graph.
_grad_locks = tuple(Lock() for _ in range(64))
_accumulator_lock = Lock()


# Where a cotangent goes: the node, and which of its outputs. A plain tuple: one is made for every operand.
Edge: TypeAlias = "tuple[Node, int]"


def _nobody() -> None:
    """In place of a weak reference."""


class Saved:
    """A tensor kept for a rule: its values, the version they had, and the edge to its history.

    The tensor itself is not kept: it may get another history, and an output would keep its own node alive. A weak
    reference names its present history in the error about a changed tensor, and finds the values that ``.data =`` has
    given it since, which count. ``output_nr`` is set when the tensor is an
    output of the node that saves it.
    """

    __slots__ = ("array", "bits", "edge", "odd", "origin", "output_nr", "storage", "version")
    array: np.ndarray[Any, Any]
    storage: Storage
    version: int
    bits: int
    odd: bool
    edge: Edge | None
    origin: Callable[[], Tensor | None]
    output_nr: int | None

    def unpack(self, owner: Node) -> Tensor:
        """The tensor with its history. Raises ``OpError`` if it was written to since."""
        edge = self.edge if self.output_nr is None else (owner, self.output_nr)
        storage = self.storage
        if storage.left and (now := self.now()) is not self:
            return now.unpack(owner)
        if storage.version != self.version:
            raise OpError(self._modified(edge))
        if edge is None:
            tensor = make_tensor(self.array, storage)
            tensor.bits, tensor.odd = self.bits, self.odd
            return tensor
        node, number = edge
        if type(node) is not Accumulate:
            tensor = make_tensor(self.array, storage, node, number)
        else:
            tensor = make_tensor(self.array, storage)
            tensor._requires_grad = True
            tensor.keep_accumulator(node)
        tensor.bits, tensor.odd = self.bits, self.odd
        return tensor

    def now(self) -> Saved:
        """Itself, or with the values that ``.data =`` has given the tensor since, if that lives."""
        tensor = self.origin() if self.storage.left and self.output_nr is None else None
        if tensor is None or tensor.storage is self.storage:
            return self
        now = copy(self)
        now.array, now.storage, now.bits, now.odd = tensor.array, tensor.storage, tensor.bits, True
        return now

    def packed_by(self, owner: Node, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> Saved:
        """What is kept instead where hooks say how: what ``pack`` makes of the tensor."""
        tensor = self.origin() if self.output_nr is None else None
        given = self.unpack(owner) if tensor is None else tensor
        with modes.no_grad():
            result = pack(given)
        if self.storage.version != self.version:
            raise OpError(PACK_WRITES)
        if result is given and tensor is None:
            result = given.detach()  # no node keeps itself alive
        return packed(result, unpack, self.edge, self.output_nr)

    def _modified(self, edge: Edge | None) -> str:
        source, origin = "", self.origin()
        array = self.array if origin is None else origin.array
        kind = f"{_type_name(array)} {list(array.shape)}"
        if origin is not None and self.output_nr is None:
            edge = edge_of(origin)
        is_tracked = edge is not None and dtypes.from_numpy(self.array.dtype).is_differentiable
        if edge is not None and is_tracked and not isinstance(edge[0], Accumulate):
            is_lost_view = origin is None and self.output_nr is None and edge[0].is_of_view
            name = "AsStrided" if is_lost_view else forward_name(edge[0].name())  # what its history would be now
            source = f", which is output {edge[1]} of {name},"
        return (
            f"one of the variables needed for gradient computation has been modified by an inplace operation: [{kind}]"
            f"{source} is at version {self.storage.version}; expected version {self.version} instead. "
            + (SEE_ABOVE if (watch := modes.current().watch) is not None and watch.anomaly else DETECT)
        )


def save(tensor: Tensor, edge: Edge | None, output_nr: int | None = None) -> Saved:
    """``tensor`` kept as it is now; raises ``OpError`` for one of inference mode."""
    if tensor.inference:
        raise OpError(INFERENCE)
    saved = _new(Saved)
    saved.array = tensor.array
    saved.bits = tensor.bits
    saved.odd = tensor.odd
    saved.storage = storage = tensor.storage
    saved.version = storage.version
    saved.edge = edge
    is_known = output_nr is None or tensor.array.dtype.kind in "biu"  # which are no outputs of the node
    saved.origin = weakref.ref(tensor) if is_known else _nobody
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

    def packed_by(self, owner: Node, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> Saved:
        """The number: hooks are for tensors."""
        return self


class Packed(Saved):
    """A tensor kept as what a pack hook made of it, ``packed``; ``hook`` makes a tensor of that again.

    Nobody can tell whether the tensor was written to since: there is no version to look at.
    """

    __slots__ = ("hook", "packed")
    packed: Any
    hook: Callable[[Any], Any]

    def packed_by(self, owner: Node, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]) -> Saved:
        """Itself: it is packed already."""
        return self

    def unpack(self, owner: Node) -> Tensor:
        """The tensor that the hook gives, with the history of the one that was saved."""
        given = self.hook(self.packed)
        if not isinstance(given, Tensor):
            raise ArgumentTypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(given).__name__}"
            )
        saved = save(given, self.edge if self.output_nr is None else (owner, self.output_nr))
        return saved.unpack(owner)


def packed(value: Any, hook: Callable[[Any], Any], edge: Edge | None, output_nr: int | None) -> Packed:
    """What a pack hook made of a tensor, as nodes keep it."""
    kept = _new(Packed)
    kept.packed, kept.hook, kept.edge, kept.output_nr = value, hook, edge, output_nr
    return kept


class SavedTensor:
    """What a node saves under ``name``, as users see it who want to pack it by hooks of its own."""

    __slots__ = ("name", "node")

    def __init__(self, node: Node, name: str) -> None:
        self.node, self.name = node, name

    def register_hooks(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        """Keep what ``pack_hook`` makes of the tensor, and use what ``unpack_hook`` makes of that."""
        check_hooks("register_hooks", pack_hook, unpack_hook)
        if self.node.saved is None:
            raise OpError(FREED)
        kept = self.node.saved[self.name]
        if isinstance(kept, Packed):
            raise OpError(ALREADY_PACKED)
        modes.touch(self.node.saved)
        self.node.saved[self.name] = kept.packed_by(self.node, pack_hook, unpack_hook)

    def __repr__(self) -> str:
        return f"<torch._C._autograd.SavedTensor object at {id(self):#x}>"


def check_hooks(function: str, pack: Any, unpack: Any) -> None:
    """Refuse what ``function`` cannot take for a pair of hooks."""
    if not (callable(pack) and callable(unpack)):
        raise ArgumentTypeError(
            f"{function}(): incompatible function arguments. The following argument types are supported:\n"
            f"    1. (arg0: collections.abc.Callable, arg1: collections.abc.Callable) -> None\n\n"
            f"Invoked with: {pack!r}, {unpack!r}"
        )


def _type_name(array: np.ndarray[Any, Any]) -> str:
    return Tensor(array).dtype.tensor_type


class Node:
    """One recorded call: an op, its static arguments, saved tensors, and an edge for each differentiable input.

    ``specs`` are shape and array dtype of what came out; ``counts`` says how many edges each differentiable parameter
    has. ``saved`` is ``None`` once freed; ``is_inplace`` marks an in-place call. ``attached`` has hooks and the outputs
    that retain their ``grad``, if there are any.
    """

    __slots__ = (
        "__weakref__",
        "attached",
        "counts",
        "edges",
        "is_inplace",
        "op",
        "saved",
        "sequence",
        "specs",
        "static",
    )  # fmt: skip
    takes_nothing = False  # whether it has something to do where no cotangent arrives at all

    op: Any
    static: dict[str, Any]
    edges: tuple[Edge | None, ...]
    saved: dict[str, Any] | None
    specs: tuple[Spec, ...]
    counts: tuple[int, ...]
    is_inplace: bool
    attached: Attached | None
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
    def is_of_view(self) -> bool:
        """Whether a view op made it."""
        return bool(getattr(getattr(self.op, "nature", None), "view", False))

    @property
    def label(self) -> str:
        """The name without its namespace, as tensors print it."""
        return self.name().rpartition("::")[2]

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Where each input came from: ``(node or None, output number)``."""
        return tuple((None, 0) if edge is None else (edge[0], edge[0].shown_number(edge[1])) for edge in self.edges)

    def shown_number(self, output_nr: int) -> int:
        """The number of an output as PyTorch has it, which counts none that never has a history."""
        outputs = getattr(self.op, "outputs", None)
        if outputs is None or not outputs.constant:
            return output_nr
        return output_nr - sum(name in outputs.constant for name in outputs.outputs[:output_nr])

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
        """A function that gives the node back what it saves now, its edges and what is attached to it."""
        saved, edges, attached = self.saved, self.edges, self.attached and self.attached.copy()

        def restore() -> None:
            self.saved, self.edges, self.attached = saved, edges, attached

        return restore

    # -- what hangs on it ---------------------------------------------------------------------------------------------
    def attach(self) -> Attached:
        """What is attached to it: nothing at first."""
        modes.touch(self)
        if self.attached is None:
            self.attached = Attached()
        return self.attached

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` behind each pass through the node; a tuple replaces the former."""
        return enter(self.attach().post, hook)

    def register_prehook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` ahead of each pass through the node; a tuple replaces them."""
        return enter(self.attach().pre, hook)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dict for whatever users want to note; anomaly detection keeps the lines of the program here."""
        return self.attach().metadata

    @property
    def retained(self) -> dict[int, weakref.ref[Tensor]]:
        """The outputs that get their ``grad``, by number."""
        return {} if self.attached is None else self.attached.retained

    @retained.setter
    def retained(self, outputs: dict[int, weakref.ref[Tensor]]) -> None:
        if outputs or self.attached is not None:
            self.attach().retained = outputs

    @property
    def requires_grad(self) -> bool:
        """Nodes are made only of what requires grad."""
        return True

    def __getattr__(self, name: str) -> Any:
        """``_saved_<name>``: what the node keeps of the call, as users ask for it; ``_raw_saved_<name>`` to pack it."""
        if name.startswith(("_saved_", "_raw_saved_")):
            wanted = name.partition("saved_")[2]
            wanted = {"self": "input", "result": "out"}.get(wanted, wanted)
            if name.startswith("_raw") and isinstance((self.saved or {}).get(wanted), Saved):
                return SavedTensor(self, wanted)
            if wanted in self.static:
                return self.static[wanted]
            if self.saved is None or wanted in self.saved:
                return self.fetch(wanted)
        raise MissingAttributeError(f"'{self.label}' object has no attribute '{name}'")

    def _sequence_nr(self) -> int:
        return self.sequence

    def __call__(self, *cotangents: Any, **named: Any) -> Any:
        """The cotangents of the inputs for those of the outputs, as the rules give them: edges and hooks do nothing."""
        if named:
            raise ArgumentTypeError("keyword arguments are not supported")
        if len(cotangents) != len(self.specs):
            raise ArgumentTypeError(f"expected {len(self.specs)} arguments, got {len(cotangents)} instead")
        for place, cotangent in enumerate(cotangents):
            if cotangent is not None and not isinstance(cotangent, Tensor):
                raise ArgumentTypeError(f"argument {place} is not a Variable")
        return unwrapped(self.pulled_back(list(cotangents)))

    def pulled_back(self, cotangents: list[Tensor | None]) -> list[Tensor | None]:
        """What the rules give for each edge, where there is one."""
        if not self.takes_nothing and all(cotangent is None for cotangent in cotangents):
            return [None] * len(self.edges)
        results = self.op.pull_back(self, cotangents, self.edges)
        return [None if edge is None else one for one, edge in zip(results, self.edges, strict=True)]

    def __repr__(self) -> str:
        return f"<{self.label} object at {id(self):#x}>"


def unwrapped(results: Sequence[Any]) -> Any:
    """The only one, or all of them as a tuple."""
    return results[0] if len(results) == 1 else tuple(results)


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
    node.attached = None
    node.sequence = next(_sequence)
    return node


class _AccumulateOp:
    """The op of accumulators."""

    name = "accumulate_grad"
    grad_fn = "torch::autograd::AccumulateGrad"

    @staticmethod
    def pull_back(node: Accumulate, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """Add to ``grad`` in place, or, while a graph of the gradient is recorded, by a recorded sum."""
        variable = node.variable
        if variable.requires_grad and cotangents[0] is not None:
            add_to_grad(variable, cotangents)
        if variable.hooks is not None:
            call_after(variable.hooks.after, variable)
        return ()


class Accumulate(Node):
    """The end of every path: adds what arrives to the ``grad`` of its leaf."""

    __slots__ = ("variable",)
    takes_nothing = True  # its leaf's hooks are called anyhow

    variable: Tensor

    def attach(self) -> Attached:
        """What is attached to it; others may tell from it in which order leaves are reached."""
        attached = super().attach()
        modes.current().observe(attached)
        return attached


def next_number() -> int:
    """A number below those of all nodes to come, and above those of all that are there."""
    return next(_sequence)


def make_accumulator(leaf: Tensor) -> Accumulate:
    """The node that adds to the ``grad`` of ``leaf``."""
    node = make_node(_AccumulateOp, {}, (), {}, (spec_of(leaf.array),), (), Accumulate)
    node.variable = leaf  # type: ignore[attr-defined]
    if leaf.hooks is not None:
        node.attached = Attached()  # so that sweeps stop to look
    return node  # type: ignore[return-value]


def add_to_grad(variable: Tensor, cotangents: list[Any]) -> None:
    """Add the only one of ``cotangents`` to the gradient of a leaf.

    The first becomes the gradient, as in PyTorch, where nobody else has it; else it is copied, for it may be shared or
    expanded.
    """
    state = modes.current()
    is_recorded = state.grad_enabled
    with _lock_of(variable):
        if state.journal is not None:
            state.journal.touch(variable)
        if variable._grad is None:
            fits = not is_recorded and cotangents[0].array.shape == variable.array.shape and is_plain(variable)
            if fits and is_alone(cotangents, 0, state):
                variable._grad = cotangents[0]
            else:
                variable._grad = _own(cotangents[0], variable, is_recorded)
        elif is_recorded:
            variable._grad = registry.op("add")(variable._grad, cotangents[0])
        else:
            registry.op("add").inplace(variable._grad, cotangents[0])


def retain(output: Tensor, cotangent: Tensor) -> None:
    """Add ``cotangent`` to the gradient that an output of a node retains, by a new tensor each time."""
    modes.touch(output)
    with _lock_of(output):
        seen = output._grad
        output._grad = registry.op("clone_contiguous")(cotangent) if seen is None else seen + cotangent


def _lock_of(tensor: Tensor) -> Lock:
    """Sweeps of two threads may end at one tensor."""
    return _grad_locks[id(tensor) // 16 % len(_grad_locks)]


def _lies_like(variable: Tensor, cotangent: Tensor) -> bool:
    """Whether a gradient of the leaf ``variable`` lies as it should, where it has no gaps."""
    return cotangent.array.shape == variable.array.shape and is_plain(variable) and is_plain(cotangent)


def _own(cotangent: Tensor, variable: Tensor, is_recorded: bool) -> Tensor:
    """A copy for the leaf ``variable``, laid out like it where that leaves no gaps, else in C order.

    PyTorch takes an unrecorded gradient over as it is if it lies so, and copies others into a tensor of that layout.
    """
    if not is_recorded and _lies_like(variable, cotangent):
        return owned_copy(cotangent)
    own, like = cotangent.array, variable.array
    is_alike = own.shape == like.shape
    steps, has_gaps = strides.steps_of(own), not is_dense(like)
    wanted = strides.contiguous(own.shape) if has_gaps else strides.steps_of(like)
    if not is_recorded and strides.is_laid_out(own.shape, steps, wanted):
        return owned_copy(cotangent, steps)
    if is_alike and not is_recorded:
        return owned_copy(cotangent, wanted, is_lazy=False)
    if has_gaps:
        return registry.op("clone_contiguous")(cotangent)  # type: ignore[no-any-return]
    target = registry.op("filled_strided")(like.shape, wanted, 0, cotangent.dtype)
    return registry.op("copy").inplace(target, cotangent)  # type: ignore[no-any-return]


# -- edges --------------------------------------------------------------------------------------------------------
def edge_of(tensor: Tensor) -> Edge | None:
    """Where the cotangent of ``tensor`` goes, or ``None`` if it needs none."""
    node = tensor.node if tensor.base is None else tensor.grad_fn
    if node is not None:
        return node, tensor.output_number
    return (_accumulator_of(tensor), 0) if tensor._requires_grad else None


def _accumulator_of(leaf: Tensor) -> Node:
    kept = leaf._accumulator
    node = None if kept is None else kept()
    if node is None:
        with _accumulator_lock:  # two for one leaf, and `grad` would find one of them only
            node = leaf.accumulator()
            if node is None:
                node = make_accumulator(leaf)
                leaf.keep_accumulator(node)
    return node
