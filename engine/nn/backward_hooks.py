"""Full backward hooks: what a module's hooks see of gradients, on their way into the module and out of it.

The tensors that go in and those that come out pass through a function that changes nothing; its two nodes tell when the
gradients are there.
"""

from __future__ import annotations

from typing import Any

from engine import modes, ops, registry
from engine.autograd import custom
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError
from engine.nn import hooks
from engine.op.signature import type_name
from engine.tensor import Tensor

NO_INPUT = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
    "gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
    "#torch.nn.Module.register_full_backward_hook for more details."
)


class PassThrough(custom.Definition):
    """What modules with backward hooks put before their inputs and behind their outputs."""

    name = "BackwardHookFunction"

    def has(self, method: str) -> bool:
        """Forward and backward are there."""
        return method in ("forward", "backward")

    def call(self, method: str, *args: Any) -> Any:
        """Whatever comes in."""
        ctx, *tensors = args
        if method == "forward":
            ctx.mark_non_differentiable(*(tensor for tensor in tensors if not tensor.requires_grad))
        return tuple(tensors)


class Watch:
    """One call of a module: which of its arguments and results are tensors, and the gradients that have come."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._grads: tuple[Any, ...] | None = None
        self._inputs: tuple[int, ...] | None = None
        self._outputs: tuple[int, ...] | None = None
        self._counts = (0, 0)
        self._constants: dict[int, tuple[tuple[int, ...], DType]] = {}  # arguments that get no gradient

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, watched."""
        passed, self._inputs = _passed(args, Arrived(self))
        self._constants = {
            place: (tuple(value.shape), value.dtype)
            for place, value in enumerate(args)
            if isinstance(value, Tensor) and not value.requires_grad
        }
        self._counts = (len(args), 0)
        return passed

    def outputs(self, output: Any) -> Any:
        """The results, watched."""
        results = output if isinstance(output, tuple) else (output,)
        passed, self._outputs = _passed(results, Begun(self))
        self._counts = (self._counts[0], len(results))
        return passed if isinstance(output, tuple) else passed[0]

    def begin(self, gradients: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The gradients of the results are there."""
        modes.touch(self)
        grads = _spread(self._outputs or (), gradients, self._counts[1])
        for hook in hooks.of(self._module, "backward_pre"):
            changed = hook(self._module, grads)
            if changed is not None:
                grads = _checked(changed, len(grads), "Backward pre hook returned an invalid number of grad_output")
        self._grads = grads
        if self._inputs is None:
            self._without_inputs()
        return tuple(grads[place] for place in self._outputs or ())

    def _without_inputs(self) -> None:
        modes.warn(NO_INPUT)
        for hook in hooks.of(self._module, "backward"):
            result = hook(self._module, (None,) * self._counts[0], self._grads)
            if result is not None and not (isinstance(result, tuple) and all(one is None for one in result)):
                raise OpError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
        self._grads = None

    def arrive(self, gradients: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The gradients of the arguments are there."""
        if self._grads is None:
            return None
        modes.touch(self)
        found = _spread(self._inputs or (), gradients, self._counts[0])
        zeros = {place: ops.zeros(shape, dtype=dtype) for place, (shape, dtype) in self._constants.items()}
        grads = tuple(zeros.get(place) if grad is None else grad for place, grad in enumerate(found))
        for hook in hooks.of(self._module, "backward"):
            changed = hook(self._module, grads, self._grads)
            if changed is not None:
                grads = _checked(changed, len(grads), "Backward hook returned an invalid number of grad_input")
        self._grads = None
        return tuple(None if grads[place] is zeros.get(place) else grads[place] for place in self._inputs or ())


class Begun:
    """The hook of the node behind the results."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    __name__ = "hook"

    def __call__(self, _: Any, gradients: tuple[Any, ...]) -> Any:
        return self._watch.begin(gradients)


class Arrived:
    """The hook of the node before the arguments."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    __name__ = "hook"

    def __call__(self, gradients: tuple[Any, ...], _: Any) -> Any:
        return self._watch.arrive(gradients)


for _kind in (PassThrough, Watch, Begun, Arrived):
    registry.add_kind(f"nn.hooks.{_kind.__name__}", _kind)


def watch(module: Any) -> Watch | None:
    """What watches a call of ``module``, if a hook asks for it."""
    tables = module._hooks
    return Watch(module) if tables.get("backward") or tables.get("backward_pre") else None


def _passed(values: tuple[Any, ...], hook: Any) -> tuple[tuple[Any, ...], tuple[int, ...] | None]:
    """The values, tensors among them behind a node with ``hook``; and their places, if there is such a node."""
    places = tuple(place for place, value in enumerate(values) if isinstance(value, Tensor))
    if not modes.is_grad_enabled() or not any(values[place].requires_grad for place in places):
        return values, None
    passed = list(values)
    results = custom.apply(PassThrough(), tuple(values[place] for place in places), {})
    for place, result in zip(places, results, strict=True):
        passed[place] = result
    next(result.grad_fn for result in results if result.grad_fn is not None).register_hook(hook)
    made = tuple(passed)
    return type(values)(*made) if hasattr(values, "_fields") else made, places


def _spread(places: tuple[int, ...], gradients: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """The gradients at their places among ``count`` values."""
    found = dict(zip(places, gradients, strict=True))
    return tuple(found.get(place) for place in range(count))


def _checked(changed: Any, count: int, refusal: str) -> Any:
    if not hasattr(changed, "__len__"):
        raise ArgumentTypeError(f"object of type '{type_name(changed)}' has no len()")
    if len(changed) != count:
        raise OpError(f"{refusal}, got {len(changed)}, but expected {count}")
    return changed
