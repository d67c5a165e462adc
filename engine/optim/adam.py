"""Adam and its relatives: means of gradients over the root of means of their squares."""

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
    check_betas,
    check_rate,
    count,
    decay,
    number,
    publish,
    scalar,
)
from engine.tensor import Tensor

Betas = tuple[float, float]
UNRECTIFIED = 5.0  # length of the average up to which its variance has no use


def _check(lr: Any, betas: Any, eps: Any, weight_decay: Any) -> None:
    check_rate(lr)
    check(eps >= 0.0, "epsilon value", eps)
    check_betas(betas)
    check(weight_decay >= 0.0, "weight_decay value", weight_decay)


def _averages(param: Tensor, grad: Tensor, state: State, group: Group) -> tuple[Any, Any]:
    """Means of gradients and of their squares, one step further."""
    beta1, beta2 = group["betas"]
    mean = buffer(state, "exp_avg", param)
    square = buffer(state, "exp_avg_sq", param)
    return mean.lerp_(grad, 1 - beta1), square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), with AMSGrad (Reddi et al., 2018) if asked for."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        _check(lr, betas, eps, weight_decay)
        betas = (number(betas[0]), number(betas[1]))
        if not all(isinstance(beta, float) for beta in betas):
            raise ArgumentValueError("betas must be either both floats or both Tensors")
        own = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        rest = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused}
        last = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {**own, "maximize": maximize, **rest, **last})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2) = count(state), group["betas"]
        decay(param, group)
        mean, square = _averages(param, grad, state, group)
        if group["amsgrad"]:
            largest = buffer(state, "max_exp_avg_sq", param)
            square = largest.copy_(ops.maximum(largest, square))
        scale = (square.sqrt() / sqrt(1 - beta2**step)).add_(group["eps"])
        param.addcdiv_(mean, scale, value=-number(group["lr"]) / (1 - beta1**step))


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2,
        amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma and Ba, 2015, algorithm 2)."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        _check(lr, betas, eps, weight_decay)
        own = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach}
        rest = {"maximize": maximize, "differentiable": differentiable, "capturable": capturable}
        super().__init__(params, {**own, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2) = count(state), group["betas"]
        mean = buffer(state, "exp_avg", param).lerp_(grad, 1 - beta1)
        norm = buffer(state, "exp_inf", param)
        norm.copy_(ops.maximum(norm * beta2, grad.abs() + group["eps"]))
        param.addcdiv_(mean, norm, value=-number(group["lr"]) / (1 - beta1**step))


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        _check(lr, betas, eps, weight_decay)
        check(momentum_decay >= 0.0, "momentum_decay value", momentum_decay)
        own = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        more = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        rest = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, {**own, **more, "maximize": maximize, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2), lr = count(state), group["betas"], number(group["lr"])
        decay(param, group)
        now, coming = (beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        if not isinstance(state.get("mu_product"), Tensor):
            state["mu_product"] = scalar(state.get("mu_product", 1.0))
        product = state["mu_product"].mul_(now).item()
        mean, square = _averages(param, grad, state, group)
        scale = square.div(1 - beta2**step).sqrt_().add_(group["eps"])
        param.addcdiv_(grad, scale, value=-lr * (1.0 - now) / (1.0 - product))
        param.addcdiv_(mean, scale, value=-lr * coming / (1.0 - product * coming))


class RAdam(Optimizer):
    """Adam with a rectified variance (Liu et al., 2020)."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        _check(lr, betas, eps, weight_decay)
        own = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        rest = {"decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable}
        super().__init__(params, {**own, "foreach": foreach, "capturable": capturable, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        step, (beta1, beta2), lr = count(state), group["betas"], number(group["lr"])
        decay(param, group)
        mean, square = _averages(param, grad, state, group)
        corrected = mean / (1 - beta1**step)
        limit = 2 / (1 - beta2) - 1  # of the length of the average
        length = limit - 2 * step * beta2**step / (1 - beta2**step)
        if length > UNRECTIFIED:
            adapted = sqrt(1 - beta2**step) / square.sqrt().add_(group["eps"])
            rectified = sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))
            param.add_(corrected * lr * adapted * rectified, alpha=-1.0)
        else:
            param.add_(corrected * lr, alpha=-1.0)


class SparseAdam(Optimizer):
    """Adam for sparse gradients: there are none, so its steps are refused."""

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Betas = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
    ) -> None:
        check(lr > 0.0, "learning rate", lr)
        check(eps > 0.0, "epsilon value", eps)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        raise OpError("SparseAdam does not support dense gradients, please consider Adam instead")


publish(Adam, AdamW, Adamax, NAdam, RAdam, SparseAdam)
