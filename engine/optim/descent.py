"""Optimisers without estimates of curvature: gradient descent, averaged, by signs, by orthogonal steps."""

from __future__ import annotations

from math import sqrt
from typing import Any

from engine import ops
from engine.errors import ArgumentValueError, OpError
from engine.optim.optimizer import (
    Group,
    Optimizer,
    State,
    buffer,
    check,
    check_rate,
    count,
    number,
    publish,
    scalar,
)
from engine.tensor import Tensor

TOO_MANY_STEPS = 100  # of Newton and Schulz


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in Sutskever et al., 2013, Nesterov's or plain."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check(momentum >= 0.0, "momentum value", momentum)
        check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentValueError("Nesterov momentum requires a momentum and zero dampening")
        own = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        rest = {"foreach": foreach, "differentiable": differentiable, "fused": fused}
        super().__init__(params, {**own, "nesterov": nesterov, "maximize": maximize, **rest})

    def _state_of(self, param: Tensor, group: Group) -> State:
        return super()._state_of(param, group) if group["momentum"] else {}

    def _remembers(self, group: Group) -> bool:
        return bool(group["momentum"])

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        momentum = group["momentum"]
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = grad.clone()
            else:
                velocity.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(velocity, alpha=momentum) if group["nesterov"] else velocity
        param.add_(grad, alpha=-number(group["lr"]))


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992)."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
        weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        own = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        rest = {"maximize": maximize, "differentiable": differentiable, "capturable": capturable}
        super().__init__(params, {**own, "foreach": foreach, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        lr, lambd = number(group["lr"]), group["lambd"]
        if not state:
            state.update(step=scalar(0), eta=scalar(lr), mu=scalar(1), ax=ops.zeros_like(param))
        step, eta, mean = count(state), state["eta"].item(), state["ax"]
        param.mul_(1 - lambd * eta).add_(grad, alpha=-eta)
        if state["mu"].item() != 1:
            mean.add_(param.sub(mean).mul_(state["mu"]))
        else:
            mean.copy_(param)
        state["eta"].copy_(ops.as_tensor(lr / ((1 + lambd * lr * step) ** group["alpha"])))
        state["mu"].copy_(ops.as_tensor(1 / max(1, step - group["t0"])))


class Rprop(Optimizer):
    """Steps of sizes that grow while signs stay (Riedmiller and Braun, 1993)."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        rest = {"differentiable": differentiable, "capturable": capturable}
        own = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize}
        super().__init__(params, {**own, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        (less, more), (low, high) = group["etas"], group["step_sizes"]
        if not state:
            state["step"] = scalar(0)
        before = buffer(state, "prev", param)
        size = buffer(state, "step_size", grad, number(group["lr"]))
        count(state)
        turned = grad.mul(before).sign()
        factor = ops.where(turned > 0, more, ops.where(turned < 0, less, 1.0)).to(grad.dtype)
        size.mul_(factor).clamp_(low, high)
        grad = grad.masked_fill(turned < 0, 0)
        param.addcmul_(grad.sign(), size, value=-1)
        before.copy_(grad)


class Muon(Optimizer):
    """Momentum made orthogonal, for matrices (Jordan et al., 2024)."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95, nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ArgumentValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not value >= 0.0:
                raise ArgumentValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ArgumentValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        own = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        steps = {"ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        super().__init__(params, {**own, **steps})
        for param, _ in self._params():
            if param.ndim != 2:
                raise ArgumentValueError(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {param.shape}"
                )

    def _move(self, param: Tensor, group: Group) -> None:
        if param.dtype.is_complex:
            raise OpError("Muon does not support complex parameters")
        super()._move(param, group | {"decoupled_weight_decay": True})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        lr, momentum = number(group["lr"]), group["momentum"]
        velocity = buffer(state, "momentum_buffer", grad).lerp_(grad, 1 - momentum)
        step = grad.lerp(velocity, momentum) if group["nesterov"] else velocity
        step = _orthogonal(step, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = param.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            factor = 0.2 * sqrt(max(rows, columns))
        else:
            factor = sqrt(max(1, rows / columns))
        param.mul_(1 - lr * group["weight_decay"])
        param.add_(step, alpha=-lr * factor)


def _orthogonal(grad: Any, coefficients: Any, steps: int, eps: float) -> Any:
    """A matrix with singular values near one: iterations of Newton and Schulz, in 16 bits as PyTorch does."""
    if steps >= TOO_MANY_STEPS:
        raise ArgumentValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ArgumentValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    is_tall = grad.shape[0] > grad.shape[1]
    step = grad.bfloat16().t() if is_tall else grad.bfloat16()
    step = step / step.norm().clamp(min=eps)
    for _ in range(steps):
        gram = step @ step.t()
        step = ops.addmm(step, ops.addmm(gram, gram, gram, beta=b, alpha=c), step, beta=a)
    return step.t() if is_tall else step


publish(SGD, ASGD, Rprop, Muon)
