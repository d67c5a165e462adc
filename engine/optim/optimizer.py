"""Optimizer: parameters in groups that share settings, what is remembered of each, and the step.

An optimiser's state is plain data: for each parameter a dict of numbers and tensors. Papers are cited for the formulas;
the order of operations is PyTorch's, for results to agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from engine import dtypes, homes, modes, ops, registry
from engine.autograd.hooks import RemovableHandle
from engine.errors import ArgumentTypeError, ArgumentValueError, MissingKeyError, OpError
from engine.nn import hooks, naming
from engine.op.signature import type_name
from engine.optim.joining import move_joined
from engine.tensor import Tensor, read

State = dict[str, Any]
Group = dict[str, Any]
NUMBERS = frozenset({
    "alpha", "beta2_decay", "d", "dampening", "initial_accumulator_value", "initial_lr", "lambd", "lr", "lr_decay",
    "momentum", "momentum_decay", "rho", "t0", "weight_decay",
})  # fmt: skip


class States(dict[Any, State]):
    """What is remembered, by parameter; tensors hash by identity."""

    def __missing__(self, param: Any) -> State:
        modes.touch(self)
        state: State = {}
        self[param] = state
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over attributes, as a copy does; a subclass may add to them what older copies have not."""
        modes.touch(self)
        vars(self).update({name: value for name, value in state.items() if name in vars(self)})

    def __repr__(self) -> str:
        return f"defaultdict(<class 'dict'>, {super().__repr__()})"


# -- settings -----------------------------------------------------------------------------------------------------
def check(is_valid: bool, what: str, value: Any) -> None:
    """Refuse a setting."""
    if not is_valid:
        raise ArgumentValueError(f"Invalid {what}: {value}")


def check_rate(lr: Any) -> None:
    """Refuse a learning rate that is none."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ArgumentValueError("Tensor lr must be 1-element")
    check(lr >= 0.0, "learning rate", lr)


def check_betas(betas: Any) -> None:
    """Refuse what is no pair of numbers between 0 and 1."""
    if not isinstance(betas, list | tuple):
        raise ArgumentTypeError(f"'{type_name(betas)}' object is not subscriptable")
    if len(betas) != 2:
        raise ArgumentValueError(f"betas are two numbers, not {len(betas)}")
    for index, beta in enumerate(betas):
        check_number(f"beta parameter at index {index}", beta)
        check(bool(0.0 <= beta < 1.0), f"beta parameter at index {index}", beta)


def check_number(name: str, value: Any) -> None:
    """Refuse what is no number."""
    if not isinstance(value, int | float | Tensor):
        raise ArgumentTypeError(f"{name} must be a number, not {type_name(value)}")


def check_settings(group: Group) -> None:
    """Refuse settings that no step can compute with: a program may have put anything there."""
    for name in NUMBERS & group.keys():
        check_number(name, group[name])
    if "betas" in group:
        check_betas(group["betas"])


def listed(values: Any) -> list[Any]:
    """The items of an iterable."""
    if not isinstance(values, Iterable):
        raise ArgumentTypeError(f"'{type_name(values)}' object is not iterable")
    return list(values)


def number(value: Any) -> Any:
    """A setting as a Python number."""
    return value.item() if isinstance(value, Tensor) else value


# -- state --------------------------------------------------------------------------------------------------------
def buffer(state: State, name: str, like: Tensor, value: float = 0.0) -> Any:
    """The state tensor ``name``, made at its first use."""
    if name not in state:
        state[name] = ops.full_like(like, value)
    return state[name]


def scalar(value: float) -> Any:
    """A number of the state, as PyTorch keeps it."""
    wide = modes.get_default_dtype() is dtypes.float64
    return ops.tensor(float(value), dtype=dtypes.float64 if wide else dtypes.float32)


def count(state: State) -> int:
    """One step more; returns how many there were."""
    step = state.get("step", 0)
    if not isinstance(step, Tensor):
        step = state["step"] = scalar(step)
    modes.overwrite(step.storage, step.array)
    values = read(step)
    values += 1
    return int(values)


# -- the optimiser ------------------------------------------------------------------------------------------------
class Optimizer:
    """Parameters in groups that share settings. ``step`` moves them along their gradients, ``zero_grad`` resets these.

    ``params`` is an iterable of leaves, of names with leaves, or of dicts with ``params`` and settings of their own.
    """

    _state: ClassVar[dict[str, type]] = {
        "defaults": dict, "param_groups": list, "state": dict, "_hooks": dict, "_has_stepped": bool,
    }  # fmt: skip
    _is_elementwise: ClassVar[bool] = False  # whether each element moves by itself, wherever it stands
    _hooks: Any = hooks.NO_HOOKS
    _has_stepped = False

    def __init__(self, params: Any, defaults: Group) -> None:
        if not isinstance(defaults, dict):
            raise ArgumentTypeError(f"'{type_name(defaults)}' object has no attribute 'get'")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Any, State] = States()
        self._has_stepped = False  # stored with the object, so it is there from the beginning
        check_settings(defaults)
        for group in _as_groups(params):
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Optimise further parameters; settings not given are the defaults."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(f"param_group must be a dict, but got {naming.class_text(param_group)}")
        if "params" not in param_group:
            raise MissingKeyError("params")
        modes.touch(param_group)
        names, params = _named(param_group["params"])
        check_settings(param_group)
        for param in params:
            _check_param(param)
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for name, default in self.defaults.items():
            param_group.setdefault(name, default)
        self._check_new(param_group)
        modes.touch(self.param_groups)
        self.param_groups.append(param_group)

    def _check_new(self, group: Group) -> None:
        if len(group["params"]) != len(set(group["params"])):
            modes.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information"
            )
        is_named = "param_names" in group
        for other in self.param_groups:
            if ("param_names" in other) != is_named:
                raise ArgumentValueError(
                    "all optimizer param groups should be with/without names. cannot add param group "
                    f"{'with' if is_named else 'without'} names to the optimizer"
                )
        known = {id(param) for other in self.param_groups for param in other["params"]}
        if known & {id(param) for param in group["params"]}:
            raise ArgumentValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or with ``set_to_none=False`` fill them with zeros."""
        for param, _ in self._params():
            if param.grad is None:
                continue
            if set_to_none:
                modes.touch(param)
                param.grad = None
            else:
                if param.grad.grad_fn is not None:
                    param.grad.detach_()
                else:
                    param.grad.requires_grad_(False)
                with modes.no_grad():
                    param.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; ``closure`` computes the loss first, which is returned."""
        state, is_plain = modes.current(), closure is None and not self._hooks
        if state.recorder is not None:
            with state.recorder.stepping(self, is_plain) as is_taken:
                return self._step(closure) if is_taken else None
        if state.journal is None or not is_plain:
            return self._step(closure)
        with state.journal.stepping():
            return self._step(closure)

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        if not self._has_stepped:
            modes.touch(self)
            self._has_stepped = True
        if not self._hooks:
            return self._run(closure)
        args: Any = (self,) if closure is None else (self, closure)
        kwargs: dict[str, Any] = {}
        for hook in hooks.of(self, "step_pre"):
            result = hook(self, args, kwargs)
            if result is not None:
                if not isinstance(result, tuple) or len(result) != 2:
                    raise OpError(f"step must return None or a tuple of (new_args, new_kwargs), but got {result}.")
                args, kwargs = result
        loss = self._run(*args[1:], **kwargs)
        for hook in hooks.of(self, "step_post"):
            hook(self, args, kwargs)
        return loss

    def _run(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None if closure is None else evaluated(closure)
        for group in self.param_groups:
            check_settings(group)
        with modes.no_grad():
            for group in self.param_groups:
                moving = [param for param in group["params"] if param.grad is not None]
                for param in move_joined(self, group, moving) if self._is_elementwise else moving:
                    self._move(param, group)
        return loss

    def _move(self, param: Tensor, group: Group) -> None:
        state = self._state_of(param, group)
        modes.touch(state)
        self._move_with(param, state, group)

    def _move_with(self, param: Tensor, state: State, group: Group) -> None:
        self._update(_real(param), _real(_gradient(param, group)), state, group)

    def _remembers(self, group: Group) -> bool:
        """Whether something is remembered of parameters."""
        return True

    def _state_of(self, param: Tensor, group: Group) -> State:
        """What is remembered of a parameter, if anything is."""
        return self.state[param]

    def _params(self) -> Iterator[tuple[Tensor, Group]]:
        return ((param, group) for group in self.param_groups for param in group["params"])

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        """Move one parameter; subclasses say how."""
        raise ArgumentTypeError(f"{self._get_name()} has no step")

    # -- hooks ----------------------------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before every step."""
        return hooks.register(self, "step_pre", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after every step."""
        return hooks.register(self, "step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict``."""
        return hooks.register(self, "state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after ``state_dict``; what it returns, if anything, is the result."""
        return hooks.register(self, "state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before ``load_state_dict``."""
        return hooks.register(self, "load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict``."""
        return hooks.register(self, "load_state_dict_post", hook, prepend)

    # -- its state as a dict --------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """State and groups, with numbers in the place of parameters."""
        for hook in hooks.of(self, "state_dict_pre"):
            hook(self)
        numbers = {id(param): place for place, (param, _) in enumerate(self._unique())}
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            | {"params": [numbers[id(param)] for param in group["params"]]}
            for group in self.param_groups
        ]
        state = {numbers.get(id(key), key) if isinstance(key, Tensor) else key: s for key, s in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in hooks.of(self, "state_dict_post"):
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def _unique(self) -> Iterator[tuple[Tensor, Group]]:
        seen: set[int] = set()
        for param, group in self._params():
            if id(param) not in seen:
                seen.add(id(param))
                yield param, group

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over what ``state_dict`` gave; the parameters stay."""
        state_dict = state_dict.copy()
        for hook in hooks.of(self, "load_state_dict_pre"):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = [dict(group) for group in state_dict["param_groups"]]
        _check_alike(self.param_groups, saved)
        by_number = {
            number: param
            for ours, theirs in zip(self.param_groups, saved, strict=True)
            for param, number in zip(ours["params"], theirs["params"], strict=True)
        }
        for ours, theirs in zip(self.param_groups, saved, strict=True):
            theirs["params"] = ours["params"]
            if "param_names" in ours:
                theirs.setdefault("param_names", ours["param_names"])
        modes.touch(self)
        state = States()
        for key, value in state_dict["state"].items():
            state[by_number.get(key, key)] = _cast(by_number[key], value) if key in by_number else value
        self.state, self.param_groups = state, saved
        for hook in hooks.of(self, "load_state_dict_post"):
            hook(self)

    def _get_name(self) -> str:
        """What texts call the class."""
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"{self._get_name()} ("]
        for place, group in enumerate(self.param_groups):
            lines += [""] * (place > 0) + [f"Parameter Group {place}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def evaluated(closure: Any) -> Any:
    """What a closure returns, recorded."""
    if not callable(closure):
        raise ArgumentTypeError(f"'{type_name(closure)}' object is not callable")
    with modes.enable_grad():
        return closure()


# -- parameters ---------------------------------------------------------------------------------------------------
def _as_groups(params: Any) -> list[Group]:
    if isinstance(params, Tensor):
        raise ArgumentTypeError(
            "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
            f"{naming.typename(params)}"
        )
    given = listed(params)
    if not given:
        raise ArgumentValueError("optimizer got an empty parameter list")
    return given if isinstance(given[0], dict) else [{"params": given}]


def _named(params: Any) -> tuple[list[str], list[Any]]:
    """The names of parameters, if they have some, and the parameters."""
    if isinstance(params, set):
        raise ArgumentTypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    given = [params] if isinstance(params, Tensor) else listed(params)
    names = [one[0] for one in given if isinstance(one, tuple) and len(one) == 2]
    if names and len(names) != len(given):
        raise ArgumentValueError("all optimizer params should be with/without names. Some param names are missing")
    return names, [one[1] for one in given] if names else given


def _check_param(param: Any) -> None:
    if not isinstance(param, Tensor):
        raise ArgumentTypeError(
            f"optimizer can only optimize Tensors, but one of the params is {naming.typename(param)}"
        )
    if not param.is_leaf and not param.retains_grad:
        raise ArgumentValueError("can't optimize a non-leaf Tensor")


def _check_alike(ours: list[Group], theirs: list[Group]) -> None:
    if len(ours) != len(theirs):
        raise ArgumentValueError("loaded state dict has a different number of parameter groups")
    if any(len(one["params"]) != len(other["params"]) for one, other in zip(ours, theirs, strict=True)):
        raise ArgumentValueError(
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
        )


def _cast(param: Tensor, value: Any, name: Any = None) -> Any:
    """State of another optimiser, in the dtype of the parameter that it is now of."""
    if isinstance(value, Tensor):
        is_cast = name != "step" and param.dtype.is_floating_point
        return value.to(param.dtype) if is_cast else value
    if isinstance(value, dict):
        return {key: _cast(param, entry, key) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cast(param, entry) for entry in value)
    return value


def _real(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, which are optimised independently."""
    return ops.view_as_real(tensor) if tensor.dtype.is_complex else tensor


def _gradient(param: Tensor, group: Group) -> Tensor:
    """The gradient to descend along: negated to maximise, with the weights' decay where it is not decoupled."""
    grad: Any = param.grad
    if group.get("maximize"):
        grad = -grad
    if group.get("weight_decay") and not group.get("decoupled_weight_decay"):
        grad = grad.add(param, alpha=number(group["weight_decay"]))
    return grad  # type: ignore[no-any-return]


def decay(param: Tensor, group: Group) -> None:
    """Decoupled weight decay (Loshchilov and Hutter, 2019)."""
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        param.mul_(1 - number(group["lr"]) * group["weight_decay"])


_FILES = {"Adafactor": "_adafactor", "Muon": "_muon", "SparseAdam": "sparse_adam"}


def publish(*kinds: type) -> None:
    """Let classes be ``torch.optim.<name>``."""
    for kind in kinds:
        homes.keep(f"torch.optim.{_FILES.get(kind.__name__, kind.__name__.lower())}", kind)
        registry.add_function(f"optim.{kind.__name__}", kind)
        registry.add_kind(f"optim.{kind.__name__}", kind)


publish(Optimizer)
registry.add_kind("optim.state", States)
