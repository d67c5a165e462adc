"""``autograd.Function``: operations whose forward and backward a program defines.

A call makes one node. It is data as every node is: what was saved, what the program set on ``ctx``, and a
``Definition``, which knows the methods of the user's class. ``ctx`` is a view of the node, made for each call.

A subclass of ``engine.autograd.function.Function`` is a definition by itself. A host whose programs have classes of
their own gives ``apply`` a definition over one of these; storing that, it can store the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from engine import dtypes, modes, registry
from engine.autograd import inplace
from engine.autograd.context import Context
from engine.autograd.tape import FREED, Edge, Node, Saved, edge_of, make_node, save, unwrapped
from engine.errors import ArgumentTypeError, MissingAttributeError, OpError, UnsupportedError
from engine.tensor import CUSTOM, MULTIPLE, Spec, Tensor, from_array, spec_of

NO_BACKWARD = (
    "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
    "mode AD."
)
TWO_BACKWARDS = (
    "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of "
    "them."
)
DIRTY_LEAF = "a leaf Variable that requires grad has been used in an in-place operation."
DIRTY_NO_INPUT = (
    "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be "
    "passed to ctx.mark_dirty()."
)
DIRTY_NO_OUTPUT = (
    "Some elements marked as dirty during the forward method were not returned as output. The inputs that are modified "
    "inplace must all be outputs of the Function."
)
DIRTY_VIEW = (
    "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more "
    "than one Tensor. This is not supported by the current autograd engine. You should either make sure the input is "
    "not a view (using .clone() for example) or make your Function only return one Tensor (potentially splitting it "
    "into two Functions: one doing the inplace that returns a single Tensor and a second one that does the other "
    "operations). You can ask on the forum https://discuss.pytorch.org/ if you need help to do this change."
)
SAVED_AS_IS = (
    "An input that has been returned as-is as output is being saved for backward. This is not supported if you "
    "override setup_context. You should return and save a view of the input instead, e.g. with x.view_as(x) or setup "
    "ctx inside the forward function itself."
)
COMPLEX_GRADIENT = (
    "Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got false.  "
    "(Could this error message be improved?  If so, please report an enhancement request to PyTorch.)"
)
NOTHING: Final = ((), np.dtype(np.float32))  # the spec of an output that is no tensor: nothing arrives there


class Definition:
    """What a host says of a user's class: the base of hosts' own. To store a node, a host stores this.

    ``name`` is that of the class; ``has(method)`` says whether the class, or a user's class below it, defines the
    method, which is one of ``METHODS``; ``call(method, *args)`` calls it as a static one.
    ``bind(args, kwargs)`` gives the arguments of ``forward`` (but for ``ctx``) by position, with its defaults if there
    is a ``setup_context``; it is asked only then, or where there are keywords, and raises the ``TypeError`` of a wrong
    call.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name of the class."""
        raise NotImplementedError

    def has(self, method: str) -> bool:
        """Whether the user's class defines ``method``."""
        raise NotImplementedError

    def call(self, method: str, *args: Any) -> Any:
        """What the user's method returns."""
        raise NotImplementedError

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments of ``forward`` by position."""
        raise NotImplementedError


class FunctionNode(Node):
    """The node of a user's function. Beside what it saves, ``static`` has all that there is.

    ``function`` is the ``Definition``, ``attributes`` what was set on ``ctx``; ``tensors`` and ``outputs`` say which
    arguments and results are tensors, ``needs`` which arguments required grad; ``kept`` is how many tensors were saved.
    """

    __slots__ = ()
    takes_nothing = True  # zeros, or it is told

    def __getattr__(self, name: str) -> Any:
        attributes = self.static["attributes"]
        if name in attributes:
            return attributes[name]
        raise MissingAttributeError(f"'{self.label}' object has no attribute '{name}'")

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """Which arguments of the call required grad."""
        return self.static["needs"]  # type: ignore[no-any-return]

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved, with its history. Raises ``OpError`` once freed or changed."""
        if self.saved is None:
            raise OpError(FREED)
        kept = [self.saved[str(place)] for place in range(self.static.get("kept", 0))]
        return tuple([None if one is None else one.unpack(self) for one in kept])

    def apply(self, *cotangents: Any) -> Any:
        """What the user's backward gives."""
        return unwrapped(_checked(self, _backward(self, cotangents)))

    def __call__(self, *cotangents: Any, **named: Any) -> Any:
        raise ArgumentTypeError(f"'{self.label}' object is not callable")

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.label} object at {id(self):#x}>"


# -- forward ------------------------------------------------------------------------------------------------------
def apply(function: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the forward of a user's function, and record it as one node. Raises what that raises, or ``OpError``."""
    has_setup = function.has("setup_context")
    if has_setup or kwargs:
        args = function.bind(args, kwargs)
    needs = tuple([isinstance(argument, Tensor) and argument.requires_grad for argument in args])
    is_recorded = modes.current().grad_enabled and any(needs)
    ctx = Context(_make_node(function, args, needs, is_recorded))
    with modes.no_grad():
        if has_setup:
            output = function.call("forward", *args)
            function.call("setup_context", ctx, args, output)
        else:
            output = function.call("forward", ctx, *args)
    outputs = output if isinstance(output, tuple) else (output,)
    results = _Outputs(ctx, args, outputs, is_recorded, has_setup).wrapped()
    if is_recorded:
        _save(ctx)
        state = modes.current()
        if state.watch is not None:
            state.watch.made(ctx._node)
    return tuple(results) if isinstance(output, tuple) else results[0]


def _make_node(function: Definition, args: tuple[Any, ...], needs: tuple[bool, ...], is_recorded: bool) -> FunctionNode:
    tensors = tuple([isinstance(argument, Tensor) for argument in args])
    edges: tuple[Edge | None, ...] = ()
    if is_recorded:
        edges = tuple([edge_of(argument) for argument in args if isinstance(argument, Tensor)])
    static = {
        "grad_fn": f"{function.name}Backward", "function": function, "attributes": {}, "tensors": tensors,
        "needs": needs, "materialize": True,
    }  # fmt: skip
    state = modes.current()
    if is_recorded and state.budget is not None:
        state.budget.spent += modes.NODE_BYTES
    return make_node(OP, static, edges, {}, (), (1,) * len(edges), FunctionNode)  # type: ignore[return-value]


def _all_tensors(values: Sequence[Any], refusal: str) -> set[int]:
    if not all(isinstance(value, Tensor) for value in values):
        raise OpError(refusal)
    return {id(value) for value in values}


class _Outputs:
    """What ``forward`` returned, as outputs of the node."""

    def __init__(
        self, ctx: Context, args: tuple[Any, ...], outputs: tuple[Any, ...], is_recorded: bool, has_setup: bool
    ) -> None:
        self.node, self.outputs = ctx._node, outputs
        self.inputs = {id(argument) for argument in args if isinstance(argument, Tensor)}
        self.dirty = _all_tensors(ctx._dirty, "mark_dirty can only accept variables, but argument ")
        self.constant = _all_tensors(ctx._constant, "mark_non_differentiable only accepts variable arguments, but got ")
        self.saved_with_setup = {id(one) for one in ctx._to_save if has_setup and one is not None}
        self.is_recorded = is_recorded

    def wrapped(self) -> list[Any]:
        """The results of the call."""
        node = self.node
        node.static["outputs"] = tuple([isinstance(value, Tensor) for value in self.outputs])
        node.specs = tuple([self._spec(value) for value in self.outputs])
        if not self.dirty <= {id(value) for value in self.outputs}:
            raise OpError(DIRTY_NO_OUTPUT)
        results = [
            self._wrapped(value, number) if isinstance(value, Tensor) else value
            for number, value in enumerate(self.outputs)
        ]
        own = [value for value in results if isinstance(value, Tensor) and value.node is node]
        if len(own) > 1:
            for value in own:
                value.view_note = MULTIPLE if value.base is not None else None
        return results

    @staticmethod
    def _spec(value: Any) -> Spec:
        return spec_of(value.array) if isinstance(value, Tensor) else NOTHING

    def _wrapped(self, value: Tensor, number: int) -> Tensor:
        is_input = id(value) in self.inputs
        is_differentiable = self.is_recorded and id(value) not in self.constant and value.dtype.is_differentiable
        if id(value) in self.dirty:
            return self._written(value, number, is_input, is_differentiable)
        if is_differentiable:
            if is_input and id(value) in self.saved_with_setup:
                raise OpError(SAVED_AS_IS)
            value = _seen(value) if is_input else value
            self._give(value, number)
        elif value.requires_grad:
            if is_input:
                value = value.detach()
            elif value.base is None:
                inplace.detach_(value)
        elif is_input:
            value = _seen(value)
        if value.base is not None:
            value.view_note = CUSTOM
        return value

    def _give(self, value: Tensor, number: int) -> None:
        """Let ``value`` be an output of the node."""
        modes.touch(value)
        value.node, value.output_number, value._requires_grad = self.node, number, False
        value.seen_version = value.storage.version

    def _written(self, value: Tensor, number: int, is_input: bool, is_differentiable: bool) -> Tensor:
        """An input that was written to."""
        if value.node is None and value.requires_grad:
            raise OpError(DIRTY_LEAF)
        if not is_input:
            modes.warn(DIRTY_NO_INPUT)
        if is_differentiable and value.base is not None:
            if len(self.outputs) > 1:
                raise OpError(DIRTY_VIEW)
            inplace.check_history(value)
        inplace.count(value)
        if is_differentiable:
            inplace.rebase(value, self.node)
        if value.node is self.node:
            value.output_number = number
        return value


def _seen(value: Tensor) -> Tensor:
    """An input that is returned as it is, as a view of itself."""
    with modes.no_grad():
        return registry.op("view")(value, value.array.shape)  # type: ignore[no-any-return]


def _save(ctx: Context) -> None:
    node, kept = ctx._node, ctx._to_save
    for place, tensor in enumerate(kept):
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(
                f"save_for_backward can only save variables, but argument {place} is of type {type(tensor).__name__}"
            )
    node.static["kept"] = len(kept)
    saved = node.saved = node.saved or {}  # in a write through a view the outer node has it too
    saved["kept"] = None  # never empty, for what is empty cannot be freed
    for place, tensor in enumerate(kept):
        saved[str(place)] = None if tensor is None else _saved(node, tensor)


def _saved(node: FunctionNode, tensor: Tensor) -> Saved:
    return save(tensor, None, tensor.output_number) if tensor.node is node else save(tensor, edge_of(tensor))


# -- backward -----------------------------------------------------------------------------------------------------
def _backward(node: FunctionNode, cotangents: Sequence[Tensor | None]) -> Any:
    """What the user's method returns for ``cotangents``."""
    function: Definition = node.static["function"]
    has_backward, has_vjp = function.has("backward"), function.has("vjp")
    if has_backward and has_vjp:
        raise OpError(TWO_BACKWARDS)
    if not (has_backward or has_vjp):
        raise UnsupportedError(NO_BACKWARD)
    return function.call("vjp" if has_vjp else "backward", Context(node), *cotangents)


def _checked(node: FunctionNode, returned: Any) -> list[Tensor | None]:
    """One gradient for each tensor among the arguments. Raises ``OpError`` for what can be none."""
    gradients = list(returned) if isinstance(returned, tuple) else [returned]
    tensors, name = node.static["tensors"], node.name()
    count = len(tensors)
    if len(gradients) > count and all(gradient is None for gradient in gradients[count:]):
        gradients = gradients[:count]
    if len(gradients) != count:
        raise OpError(
            f"function {name} returned an incorrect number of gradients (expected {count}, got {len(gradients)})"
        )
    for place, (gradient, is_tensor) in enumerate(zip(gradients, tensors, strict=True)):
        if gradient is None:
            continue
        if not is_tensor:
            raise OpError(
                f"function {name} returned a gradient different than None at position {place + 1}, but the "
                "corresponding forward input was not a Variable"
            )
        if not isinstance(gradient, Tensor):
            raise OpError(f"expected Variable or None (got {type(gradient).__name__})")
    return [gradient for gradient, is_tensor in zip(gradients, tensors, strict=True) if is_tensor]


class _FunctionOp:
    """The op of all users' functions."""

    name = "custom_function"
    grad_fn = "FunctionBackward"
    node_kind = FunctionNode
    static_names: Final = ("function", "attributes", "tensors", "needs", "materialize", "outputs", "kept")
    rules: Final = ()

    @staticmethod
    def pull_back(node: FunctionNode, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """What the user's backward gives, each if it is asked for."""
        if node.static["materialize"]:
            cotangents = [
                from_array(np.zeros(*spec)) if g is None and is_tensor else g
                for g, spec, is_tensor in zip(cotangents, node.specs, node.static["outputs"], strict=True)
            ]
        gradients = _checked(node, _backward(node, cotangents))
        for edge, gradient in zip(node.edges, gradients, strict=True):
            if edge is None or gradient is None or not gradient.dtype.is_complex:
                continue
            if not dtypes.from_numpy(edge[0].specs[edge[1]][1]).is_complex:
                raise OpError(COMPLEX_GRADIENT)
        return gradients


OP: Final = _FunctionOp()
registry.add_op(OP.name, OP)


# -- nodes that refuse ----------------------------------------------------------------------------------------------
def refusing(outputs: tuple[Any, ...], message: str) -> Any:
    """The same values as outputs of a node whose rule refuses with ``message``."""
    leaves = [None if output is None else output.detach().requires_grad_() for output in outputs]
    edges = tuple([None if leaf is None else edge_of(leaf) for leaf in leaves])
    specs = tuple([NOTHING if leaf is None else spec_of(leaf.array) for leaf in leaves])
    node = make_node(ERROR, {"message": message}, edges, {}, specs, (1,) * len(edges))
    results = [None if leaf is None else leaf.detach() for leaf in leaves]
    for number, result in enumerate(results):
        if result is not None:
            result.node, result.output_number = node, number
    return unwrapped(results)


class _ErrorOp:
    """The op of nodes that refuse to be passed."""

    name = "delayed_error"
    grad_fn = "torch::autograd::Error"
    static_names: Final = ("message",)
    rules: Final = ()

    @staticmethod
    def pull_back(node: Node, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """Refuse."""
        raise OpError(node.static["message"])


ERROR: Final = _ErrorOp()
registry.add_op(ERROR.name, ERROR)
