"""``torch.utils.checkpoint``: run a function again in the backward pass, instead of keeping what it saves.

Without reentrance, what the function's nodes save are holders. The first one that a sweep asks for runs the function
again; what that saves, in the same order, goes to the holders. With reentrance the function runs unrecorded, as one
node, whose backward runs it again and sweeps through it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

from engine import modes, registry
from engine.autograd import sweep, watch
from engine.autograd.function import Function
from engine.autograd.hooks import called, check_callable
from engine.autograd.tape import edge_of, save
from engine.errors import ArgumentTypeError, ArgumentValueError, CheckpointError, OpError
from engine.tensor import Tensor

Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]

UNDECIDED = (
    "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling "
    "checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
    "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
    "differences between the two variants."
)
UNDECIDED_SEQUENCE = (
    "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In version "
    "2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is recommended, but if you "
    "need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on "
    "the differences between the two variants."
)
NO_GRADIENTS = "None of the inputs have requires_grad=True. Gradients will be None"
NOT_NECESSARY = "none of output has requires_grad=True, this checkpoint() is not necessary"
NOT_BY_GRAD = (
    "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to "
    ".backward(). To resolve this error, you can either set use_reentrant=False, or call .backward() without passing "
    "the `inputs` argument."
)
TIP = (
    "\n"
    "Tip: To see a more detailed error message, either pass `debug=True` to\n"
    "`torch.utils.checkpoint.checkpoint(...)` or wrap the code block\n"
    "with `with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):` to\n"
    "enable checkpoint\u2011debug mode globally.\n"
    "\n"
    "If this error occurs under torch.compile with automatic_dynamic_shapes enabled,\n"
    "it may be because the recomputation selected a different compiled graph than the\n"
    "forward pass (e.g., a dynamic graph instead of the original static graph).\n"
    "To fix this, either:\n"
    "  - Use torch._dynamo.mark_dynamic() to explicitly mark varying dimensions as\n"
    "    dynamic upfront, avoiding the static-to-dynamic transition.\n"
    "  - Call torch._C._dynamo.eval_frame._set_lru_cache(False) to disable LRU cache\n"
    "    reordering, which can change which graph is checked first between forward\n"
    "    and recompute.\n"
    "See https://github.com/pytorch/pytorch/issues/166926 for more details and\n"
    "workaround examples.\n"
)
MORE = (
    "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward "
    f"pass.\n{TIP}"
)
NUMBER = (
    "torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
    "Number of tensors saved during forward: {}\nNumber of tensors saved during recomputation: {}.\n" + TIP
)
OTHERS = (
    "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the "
    "forward pass.\n{}.\n" + TIP
)
OTHER = "tensor at position {}:\nsaved metadata: {}\nrecomputed metadata: {}\n"
TAKEN = (
    "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you are calling "
    "ctx.saved_tensors in backward, make sure to do so only once. Otherwise please open an issue with details on your "
    "use case."
)
CHECKS: dict[str, Callable[[Tensor], Any]] = {
    "default": lambda tensor: {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device},
    "none": lambda tensor: None,
}

_early_stop: ContextVar[bool | None] = ContextVar("gradserve_early_stop", default=None)


def noop_context_fn() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Two contexts that do nothing: for the forward and for the recomputation."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, context_fn: Contexts = noop_context_fn,
    determinism_check: str = "default", debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """What ``function`` returns; its gradient runs it again instead of keeping what it saves.

    Raises ``CheckpointError`` in the backward pass if it saves something else then. ``debug`` changes nothing.
    """
    check_callable(function)
    if use_reentrant is None:
        modes.warn(UNDECIDED)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ArgumentValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
        if context_fn is not noop_context_fn or debug is not False:
            raise ArgumentValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in CHECKS:
        raise ArgumentValueError(f"determinism_check should be one of {list(CHECKS)}, but got {determinism_check}")
    forward, again = called(context_fn)
    stops = _early_stop.get()
    stops = early_stop if stops is None else stops
    frame = Frame(function, kwargs, None if context_fn is noop_context_fn else again, determinism_check, stops)
    frame.random = modes.current().generator.state() if preserve else None
    if not modes.is_grad_enabled():
        return function(*args, **kwargs)
    frame.keep(args)
    with forward, watch.saved_tensors_hooks(frame.pack, frame):
        result = function(*args, **kwargs)
    frame.is_complete = True
    return result


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """What ``functions`` make of ``input``, one after another; all segments but the last are run again."""
    if use_reentrant is None:
        modes.warn(UNDECIDED_SEQUENCE)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ArgumentValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    chain = list(functions.children()) if hasattr(functions, "children") else functions
    if not isinstance(chain, list | tuple):
        raise ArgumentTypeError("checkpoint_sequential(): argument 'functions' must be a list of functions")
    if isinstance(segments, bool) or not isinstance(segments, int) or not 0 < segments <= max(len(chain), 1):
        raise ArgumentValueError("checkpoint_sequential(): argument 'segments' must be between 1 and their number")
    size = len(chain) // segments
    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        part = Chain(chain[start:end])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return Chain(chain[end:])(input)


class Chain:
    """Functions, one after another."""

    def __init__(self, functions: Sequence[Callable[[Any], Any]]) -> None:
        self.functions = functions

    def __call__(self, value: Any) -> Any:
        for function in self.functions:
            value = called(function, value)
        return value


class set_checkpoint_early_stop:
    """Within, functions are run to their end again, or not, whatever their calls say."""

    def __init__(self, enable: bool) -> None:
        self.enable = enable

    def __enter__(self) -> None:
        self._token = _early_stop.set(self.enable)

    def __exit__(self, *exc_info: object) -> None:
        _early_stop.reset(self._token)


class _Seeded:
    """A context with the random numbers of another time; those of now go on behind it."""

    def __init__(self, state: Any) -> None:
        self._state = state

    def __enter__(self) -> None:
        if self._state is not None:
            generator = modes.current().generator
            modes.touch(generator)
            self._now = generator.state()
            generator.restore(self._state)

    def __exit__(self, *exc_info: object) -> None:
        if self._state is not None:
            modes.current().generator.restore(self._now)


# -- without reentrance -------------------------------------------------------------------------------------------
class _Stop(BaseException):
    """All is there that was needed; no ``except`` of the function takes it for its own."""


class CheckpointedTensor:
    """In place of a tensor that a node saves: number ``place`` of those that a ``frame`` has to compute again."""

    __slots__ = ("__weakref__", "frame", "place")

    def __init__(self, frame: Any = None, place: int = 0) -> None:
        self.frame, self.place = frame, place


class _Look:
    """In place of a sweep: somebody looks at a saved tensor."""


def nobody() -> None:
    """In place of a weak reference."""


class _Recomputed:
    """What a function saved when a sweep had it run again."""

    def __init__(self) -> None:
        self.count = 0
        self.tensors: weakref.WeakKeyDictionary[CheckpointedTensor, Tensor] = weakref.WeakKeyDictionary()


class Frame:
    """One call of a function whose nodes save ``CheckpointedTensor``s. It is data, so that a session can store it.

    ``args`` are the arguments: of a tensor itself and its version, or what hooks of a checkpoint around this one made
    of it. ``check`` names how tensors are compared; ``descriptions`` say what was saved, in order.
    """

    def __init__(
        self, function: Any = None, kwargs: dict[str, Any] | None = None, context: Any = None, check: str = "default",
        stops_early: bool = True,
    ) -> None:  # fmt: skip
        self.function, self.kwargs, self.context = function, kwargs or {}, context
        self.check, self.stops_early = check, stops_early
        self.random: Any = None
        self.is_complete = self.is_lenient = False
        self.args: list[Any] = []
        self.holders: dict[int, Callable[[], CheckpointedTensor | None]] = {}
        self.count = 0  # tensors that were saved
        self.descriptions: list[Any] = []
        self.recomputed: weakref.WeakKeyDictionary[Any, _Recomputed] = weakref.WeakKeyDictionary()

    def keep(self, args: tuple[Any, ...]) -> None:
        """Keep the arguments as a node would: a checkpoint around this one may have to bring them back, too."""
        packing = watch.current().hooks
        for argument in args:
            if not isinstance(argument, Tensor):
                self.args.append(("plain", argument))
            elif packing:
                kept = save(argument, edge_of(argument)).packed_by(None, *packing[-1])  # type: ignore[arg-type]
                history = argument.requires_grad, argument.is_leaf
                self.args.append(("packed", (kept.packed, *history), kept.hook))  # type: ignore[attr-defined]
            else:
                self.args.append(("tensor", argument, argument.storage.version))

    def _argument(self, kind: str, value: Any, more: Any = None) -> Any:
        if kind == "tensor":
            kept = save(value, edge_of(value))
            kept.version = more
            return kept.unpack(None)  # type: ignore[arg-type]
        if kind == "plain":
            return value
        packed, requires_grad, is_leaf = value
        tensor = more(packed).detach().requires_grad_(requires_grad)
        with modes.enable_grad():
            return tensor if is_leaf else registry.call("clone", tensor)

    def hold(self, holder: CheckpointedTensor) -> None:
        """Let ``holder`` have its place."""
        self.holders[holder.place] = weakref.ref(holder)

    def pack(self, tensor: Tensor) -> CheckpointedTensor:
        """Keep a description instead of the tensor."""
        holder = CheckpointedTensor(self, self.count)
        self.count += 1
        self.hold(holder)
        self.descriptions.append(CHECKS[self.check](tensor))
        return holder

    def __call__(self, holder: CheckpointedTensor) -> Tensor:
        """The tensor, computed again at the first question of a sweep; it is given away once."""
        running = sweep.running() or _Look()
        found = self.recomputed.get(running)
        if found is None:
            found = self.recomputed[running] = _Recomputed()
            self._run_again(found)
        if holder not in found.tensors:
            raise CheckpointError(TAKEN)
        return found.tensors.pop(holder)

    def _run_again(self, found: _Recomputed) -> None:
        args = [self._argument(*argument) for argument in self.args]
        packing = watch.saved_tensors_hooks(lambda tensor: self._pack_again(found, tensor), lambda tensor: tensor)
        try:
            with packing, modes.enable_grad(), _Seeded(self.random), self.context or nullcontext():
                self.function(*args, **self.kwargs)
        except _Stop:
            pass
        self._compare(found)

    def _pack_again(self, found: _Recomputed, tensor: Tensor) -> Tensor:
        tensor = tensor.detach() if tensor.requires_grad else tensor
        place = found.count
        found.count += 1
        if place >= self.count:
            if self.is_complete:
                raise CheckpointError(MORE)
            self.is_lenient = True  # the function has a backward pass in it
            return tensor
        holder = self.holders.get(place, nobody)()
        if holder is not None:
            found.tensors[holder] = tensor
        if self.stops_early and found.count == self.count:
            raise _Stop
        return tensor

    def _compare(self, found: _Recomputed) -> None:
        """Refuse a function that saved something else than before."""
        if self.is_lenient:
            return
        if found.count != self.count:
            raise CheckpointError(NUMBER.format(self.count, found.count))
        describe, others = CHECKS[self.check], ""
        for place, before in enumerate(self.descriptions):
            holder = self.holders.get(place, nobody)()
            if holder is not None and (now := describe(found.tensors[holder])) != before:
                others += OTHER.format(place, before, now)
        if others:
            raise CheckpointError(OTHERS.format(others))


# -- with reentrance ----------------------------------------------------------------------------------------------
class CheckpointFunction(Function):
    """A function as one node, which runs it again."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        """What the function returns, unrecorded."""
        if not any(argument.requires_grad for argument in args if isinstance(argument, Tensor)):
            modes.warn(NO_GRADIENTS)
        ctx.run_function = run_function
        ctx.random = modes.current().generator.state() if preserve_rng_state else None
        ctx.inputs = [None if isinstance(argument, Tensor) else argument for argument in args]
        ctx.places = [place for place, argument in enumerate(args) if isinstance(argument, Tensor)]
        ctx.save_for_backward(*[argument for argument in args if isinstance(argument, Tensor)])
        return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Run the function on detached inputs, and sweep through it."""
        if sweep.running().useful is not None:
            raise OpError(NOT_BY_GRAD)
        inputs = list(ctx.inputs)
        for place, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[place] = tensor.detach().requires_grad_(tensor.requires_grad)
        with _Seeded(ctx.random), modes.enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        pairs = [
            (output, grad)
            for output, grad in zip(outputs, grads, strict=True)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not pairs:
            raise OpError(NOT_NECESSARY)
        sweep.backward([output for output, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *[one.grad if isinstance(one, Tensor) else None for one in inputs])


for _function in (checkpoint, checkpoint_sequential, noop_context_fn, set_checkpoint_early_stop, CheckpointFunction):
    registry.add_function(f"utils.checkpoint.{_function.__name__}", _function)
registry.add_function("utils.checkpoint.CheckpointError", CheckpointError)
