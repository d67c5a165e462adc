"""Optimisers: steps of the engine's own ops, unrecorded, with PyTorch's formulas, defaults and refusals.

An optimiser's state is plain data: for each parameter a dict of numbers and tensors. Papers are cited for the formulas;
the order of operations is PyTorch's, for results to agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf, sqrt
from typing import Any

from engine import modes, ops, registry
from engine.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    DivisionError,
    MissingAttributeError,
    MissingKeyError,
    OpError,
)
from engine.op.signature import type_name
from engine.tensor import Tensor

State = dict[str, Any]
Group = dict[str, Any]
NUMBERS = frozenset({
    "alpha", "dampening", "eps", "initial_accumulator_value", "initial_lr", "lr", "lr_decay", "momentum",
    "momentum_decay", "rho", "weight_decay",
})  # fmt: skip


def _check(is_valid: bool, what: str, value: Any) -> None:
    if not is_valid:
        raise ArgumentValueError(f"Invalid {what}: {value}")


def _check_betas(betas: Any) -> None:
    if not isinstance(betas, list | tuple):
        raise ArgumentTypeError(f"'{type_name(betas)}' object is not subscriptable")
    if len(betas) != 2:
        raise ArgumentValueError(f"betas are two numbers, not {len(betas)}")
    for index, beta in enumerate(betas):
        _check_number(f"beta parameter at index {index}", beta)
        _check(0.0 <= beta < 1.0, f"beta parameter at index {index}", beta)


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, int | float | Tensor):
        raise ArgumentTypeError(f"{name} must be a number, not {type_name(value)}")


def _check_settings(group: Group) -> None:
    """Refuse settings that no step can compute with: a program may have put anything there."""
    for name in NUMBERS & group.keys():
        _check_number(name, group[name])
    if "betas" in group:
        _check_betas(group["betas"])


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, Iterable):
        raise ArgumentTypeError(f"'{type_name(values)}' object is not iterable")
    return list(values)


class Optimizer:
    """Parameters in groups that share settings. ``step`` moves them along their gradients, ``zero_grad`` resets these.

    ``params`` is an iterable of leaves, or of dicts with ``params`` and settings of their own.
    """

    def __init__(self, params: Any, defaults: Group) -> None:
        if not isinstance(defaults, dict):
            raise ArgumentTypeError(f"'{type_name(defaults)}' object has no attribute 'get'")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}  # tensors hash by identity
        _check_settings(defaults)
        for group in _as_groups(params):
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Optimise further parameters; settings not given are the defaults."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(f"param_group must be a dict, but got {type(param_group)}")
        if "params" not in param_group:
            raise MissingKeyError("params")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else _listed(given)
        _check_settings(param_group)
        for param in params:
            _check_param(param)
        known = {id(param) for group in self.param_groups for param in group["params"]}
        if known & {id(param) for param in params}:
            raise ArgumentValueError("some parameters appear in more than one parameter group")
        modes.touch(self.param_groups)
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or with ``set_to_none=False`` fill them with zeros."""
        for param, _ in self._params():
            if param.grad is None:
                continue
            if set_to_none:
                modes.touch(param)
                param.grad = None
            else:
                with modes.no_grad():
                    param.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; ``closure`` computes the loss first, which is returned."""
        loss = None
        if closure is not None:
            if not callable(closure):
                raise ArgumentTypeError(f"'{type_name(closure)}' object is not callable")
            with modes.enable_grad():
                loss = closure()
        for group in self.param_groups:
            _check_settings(group)
        with modes.no_grad():
            for param, group in self._params():
                if param.grad is not None:
                    grad = _gradient(param, group)
                    self._update(_real(param), _real(grad), self._state_of(param), group)
        return loss

    def _params(self) -> Iterator[tuple[Tensor, Group]]:
        return ((param, group) for group in self.param_groups for param in group["params"])

    def _state_of(self, param: Tensor) -> State:
        if param not in self.state:
            modes.touch(self.state)
            self.state[param] = {}
        state = self.state[param]
        modes.touch(state)
        return state

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        """Move one parameter; subclasses say how."""
        raise ArgumentTypeError(f"{type(self).__name__} has no step")

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines += [""] * (number > 0) + [f"Parameter Group {number}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _as_groups(params: Any) -> list[Group]:
    if isinstance(params, Tensor):
        raise ArgumentTypeError(
            "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
            f"torch.{params.dtype.scalar_type}Tensor"
        )
    listed = _listed(params)
    if not listed:
        raise ArgumentValueError("optimizer got an empty parameter list")
    return listed if isinstance(listed[0], dict) else [{"params": listed}]


def _check_param(param: Any) -> None:
    if not isinstance(param, Tensor):
        raise ArgumentTypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
    if not param.is_leaf:
        raise ArgumentValueError("can't optimize a non-leaf Tensor")


def _real(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, which are optimised independently."""
    return ops.view_as_real(tensor) if tensor.dtype.is_complex else tensor


def _gradient(param: Tensor, group: Group) -> Tensor:
    """The gradient to descend along: negated to maximise, with the weights' decay where it is not decoupled."""
    grad: Any = param.grad
    if group.get("maximize"):
        grad = -grad
    if group.get("weight_decay") and not group.get("decoupled_weight_decay"):
        grad = grad.add(param, alpha=group["weight_decay"])
    return grad  # type: ignore[no-any-return]


def _decay(param: Tensor, group: Group) -> None:
    """Decoupled weight decay (Loshchilov and Hutter, 2019)."""
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        param.mul_(1 - group["lr"] * group["weight_decay"])


def _buffer(state: State, name: str, like: Tensor, value: float = 0.0) -> Any:
    """The state tensor ``name``, made at its first use."""
    if name not in state:
        state[name] = ops.full_like(like, value)
    return state[name]


def _count(state: State) -> int:
    state["step"] = state.get("step", 0) + 1
    return int(state["step"])


def _rounded(product: float, factor: float) -> float:
    """``product * factor`` in the default dtype, in which PyTorch keeps it."""
    kind = modes.get_default_dtype().numpy.type
    return float(kind(product) * kind(factor))


def _settings(maximize: bool) -> Group:
    """Settings of PyTorch that choose among its implementations; there is one here."""
    return {"maximize": maximize, "foreach": None, "capturable": False, "differentiable": False}


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in Sutskever et al., 2013, Nesterov's or plain."""

    def __init__(
        self, params: Any, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(momentum >= 0.0, "momentum value", momentum)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentValueError("Nesterov momentum requires a momentum and zero dampening")
        own = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        fixed = {"foreach": None, "differentiable": False, "fused": None}
        super().__init__(params, {**own, "nesterov": nesterov, "maximize": maximize, **fixed})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        momentum = group["momentum"]
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = grad.clone()
            else:
                velocity.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(velocity, alpha=momentum) if group["nesterov"] else velocity
        param.add_(grad, alpha=-group["lr"])


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), with AMSGrad (Reddi et al., 2018) if asked for."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(eps >= 0.0, "epsilon value", eps)
        _check_betas(betas)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        own = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        fixed = {"fused": None, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {**own, **_settings(maximize), **fixed})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2) = _count(state), group["betas"]
        _decay(param, group)
        mean = _buffer(state, "exp_avg", param).lerp_(grad, 1 - beta1)
        square = _buffer(state, "exp_avg_sq", param).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            square = ops.maximum(_buffer(state, "max_exp_avg_sq", param), square)
            state["max_exp_avg_sq"] = square
        scale = (square.sqrt() / sqrt(1 - beta2**step)).add_(group["eps"])
        param.addcdiv_(mean, scale, value=-group["lr"] / (1 - beta1**step))


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma and Ba, 2015, algorithm 2)."""

    def __init__(
        self, params: Any, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(eps >= 0.0, "epsilon value", eps)
        _check_betas(betas)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        own = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**own, **_settings(maximize)})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2) = _count(state), group["betas"]
        mean = _buffer(state, "exp_avg", param).lerp_(grad, 1 - beta1)
        norm = _buffer(state, "exp_inf", param)
        norm.copy_(ops.maximum(norm * beta2, grad.abs() + group["eps"]))
        param.addcdiv_(mean, norm, value=-group["lr"] / (1 - beta1**step))


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    def __init__(
        self, params: Any, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(eps >= 0.0, "epsilon value", eps)
        _check_betas(betas)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        _check(momentum_decay >= 0.0, "momentum_decay value", momentum_decay)
        own = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        decay = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {**own, **decay, **_settings(maximize)})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2), lr = _count(state), group["betas"], group["lr"]
        _decay(param, group)
        now, coming = (beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = state["mu_product"] = _rounded(state.get("mu_product", 1.0), now)
        mean = _buffer(state, "exp_avg", param).lerp_(grad, 1 - beta1)
        square = _buffer(state, "exp_avg_sq", param).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        scale = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        param.addcdiv_(grad, scale, value=-lr * (1.0 - now) / (1.0 - product))
        param.addcdiv_(mean, scale, value=-lr * coming / (1.0 - product * coming))


class Adagrad(Optimizer):
    """Adagrad (Duchi et al., 2011)."""

    def __init__(
        self, params: Any, lr: float = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(lr_decay >= 0.0, "lr_decay value", lr_decay)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        _check(initial_accumulator_value >= 0.0, "initial_accumulator_value value", initial_accumulator_value)
        _check(eps >= 0.0, "epsilon value", eps)
        own = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        start = {"initial_accumulator_value": initial_accumulator_value}
        fixed = {"maximize": maximize, "foreach": None, "differentiable": False, "fused": None}
        super().__init__(params, {**own, **start, **fixed})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        rate = group["lr"] / (1 + (_count(state) - 1) * group["lr_decay"])
        total = _buffer(state, "sum", param, group["initial_accumulator_value"]).addcmul_(grad, grad, value=1)
        param.addcdiv_(grad, total.sqrt().add_(group["eps"]), value=-rate)


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012)."""

    def __init__(
        self, params: Any, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0, *,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(0.0 <= rho <= 1.0, "rho value", rho)
        _check(eps >= 0.0, "epsilon value", eps)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        own = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**own, **_settings(maximize)})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        _count(state)
        square = _buffer(state, "square_avg", param).mul_(rho).addcmul_(grad, grad, value=1 - rho)
        moved = _buffer(state, "acc_delta", param)
        delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(grad)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-group["lr"])


class RMSprop(Optimizer):
    """RMSprop (Hinton, lecture notes, 2012), centred as in Graves, 2013, if asked for."""

    def __init__(
        self, params: Any, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        _check(lr >= 0.0, "learning rate", lr)
        _check(eps >= 0.0, "epsilon value", eps)
        _check(momentum >= 0.0, "momentum value", momentum)
        _check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        _check(alpha >= 0.0, "alpha value", alpha)
        own = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        super().__init__(params, {**own, "weight_decay": weight_decay, **_settings(maximize)})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        _count(state)
        square = _buffer(state, "square_avg", param).mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = _buffer(state, "grad_avg", param).lerp_(grad, 1 - alpha)
            square = square.addcmul(mean, mean, value=-1)
        scale = square.sqrt().add_(group["eps"])
        if momentum > 0:
            velocity = _buffer(state, "momentum_buffer", param).mul_(momentum).addcdiv_(grad, scale)
            param.add_(velocity, alpha=-group["lr"])
        else:
            param.addcdiv_(grad, scale, value=-group["lr"])


# -- schedules and clipping ---------------------------------------------------------------------------------------
class LRScheduler:
    """Changes the learning rates of an optimiser's groups as epochs go by."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ArgumentTypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        self.last_epoch = 0
        for group in optimizer.param_groups:
            modes.touch(group)
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The learning rate of every group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """One epoch further."""
        modes.touch(self)
        self.last_epoch += 1
        for group in self.optimizer.param_groups:
            modes.touch(group)
            group["lr"] = self._next(group)

    def memento(self) -> Callable[[], None]:
        """A function that goes back to the present epoch."""
        epoch = self.last_epoch
        return lambda: setattr(self, "last_epoch", epoch)

    def _next(self, group: Group) -> float:
        """The learning rate of this epoch; subclasses say how."""
        return float(group["lr"])


class StepLR(LRScheduler):
    """Multiplies learning rates by ``gamma`` every ``step_size`` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        _check_number("step_size", step_size)
        _check_number("gamma", gamma)
        self.step_size, self.gamma = step_size, gamma

    def _next(self, group: Group) -> float:
        if not self.step_size:
            raise DivisionError("integer modulo by zero")
        return group["lr"] * self.gamma if self.last_epoch % self.step_size == 0 else group["lr"]  # type: ignore[no-any-return]


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    listed = [parameters] if isinstance(parameters, Tensor) else _listed(parameters)
    for one in listed:
        if not isinstance(one, Tensor):
            raise MissingAttributeError(f"'{type_name(one)}' object has no attribute 'grad'")
    return [param.grad for param in listed if param.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Any:
    """Scale all gradients together so that their norm is at most ``max_norm``; returns the norm they had."""
    gradients = _gradients(parameters)
    if not gradients:
        return ops.tensor(0.0)
    with modes.no_grad():
        norms = [ops.vector_norm(g, norm_type) for g in gradients]
        total = ops.vector_norm(ops.stack(norms), norm_type)
        if error_if_nonfinite and not (abs(total.item()) < inf):
            raise OpError(
                f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
                "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
                "`error_if_nonfinite=False`"
            )
        factor = ops.clamp(max_norm / (total + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every element of the gradients to ``[-clip_value, clip_value]``."""
    with modes.no_grad():
        for gradient in _gradients(parameters):
            gradient.clamp_(-clip_value, clip_value)


for _class in (Optimizer, SGD, Adam, AdamW, Adamax, NAdam, Adagrad, Adadelta, RMSprop):
    registry.add_function(f"optim.{_class.__name__}", _class)
for _schedule in (LRScheduler, StepLR):
    registry.add_function(f"optim.lr_scheduler.{_schedule.__name__}", _schedule)
registry.add_function("nn.utils.clip_grad_norm_", clip_grad_norm_)
registry.add_function("nn.utils.clip_grad_value_", clip_grad_value_)
