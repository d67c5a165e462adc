"""Optimisers that scale each parameter's steps by the gradients that it had."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import ArgumentValueError, OpError
from engine.optim.optimizer import Group, Optimizer, State, buffer, check, check_rate, count, number, publish, scalar
from engine.tensor import Tensor


class Adagrad(Optimizer):
    """Adagrad (Duchi et al., 2011)."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check(lr_decay >= 0.0, "lr_decay value", lr_decay)
        check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        check(initial_accumulator_value >= 0.0, "initial_accumulator_value value", initial_accumulator_value)
        check(eps >= 0.0, "epsilon value", eps)
        own = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        start = {"initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize}
        super().__init__(params, {**own, **start, "differentiable": differentiable, "fused": fused})
        for param, _ in self._params():
            total = ops.full_like(
                ops.view_as_real(param) if param.dtype.is_complex else param, start["initial_accumulator_value"]
            )
            self.state[param].update(step=scalar(0), sum=total)

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        rate = number(group["lr"]) / (1 + (count(state) - 1) * group["lr_decay"])
        total = buffer(state, "sum", param, group["initial_accumulator_value"]).addcmul_(grad, grad, value=1)
        param.addcdiv_(grad, total.sqrt().add_(group["eps"]), value=-rate)


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012)."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check(0.0 <= rho <= 1.0, "rho value", rho)
        check(eps >= 0.0, "epsilon value", eps)
        check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        own = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        rest = {"capturable": capturable, "foreach": foreach, "differentiable": differentiable}
        super().__init__(params, {**own, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        count(state)
        square = buffer(state, "square_avg", param).mul_(rho).addcmul_(grad, grad, value=1 - rho)
        moved = buffer(state, "acc_delta", param)
        delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(grad)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        param.add_(delta, alpha=-number(group["lr"]))


class RMSprop(Optimizer):
    """RMSprop (Hinton, lecture notes, 2012), centred as in Graves, 2013, if asked for."""

    _is_elementwise = True

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_rate(lr)
        check(eps >= 0.0, "epsilon value", eps)
        check(momentum >= 0.0, "momentum value", momentum)
        check(weight_decay >= 0.0, "weight_decay value", weight_decay)
        check(alpha >= 0.0, "alpha value", alpha)
        own = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        rest = {"capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable}
        super().__init__(params, {**own, "weight_decay": weight_decay, **rest})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        count(state)
        square = buffer(state, "square_avg", param)
        if momentum > 0:
            buffer(state, "momentum_buffer", param)
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = buffer(state, "grad_avg", param).lerp_(grad, 1 - alpha)
            square = square.addcmul(mean, mean, value=-1)
        scale = square.sqrt().add_(group["eps"])
        if momentum > 0:
            velocity = state["momentum_buffer"].mul_(momentum).addcdiv_(grad, scale)
            param.add_(velocity, alpha=-number(group["lr"]))
        else:
            param.addcdiv_(grad, scale, value=-number(group["lr"]))


class Adafactor(Optimizer):
    """Adagrad with means of squares kept as a row and a column (Shazeer and Stern, 2018)."""

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ArgumentValueError("Tensor lr must be 1-element")
        _check(lr >= 0.0, "Learning rate should be >= 0", lr)
        _check(beta2_decay <= 0.0, "beta2_decay should be <= 0", beta2_decay)
        _check(eps[0] is None or eps[0] >= 0.0, "epsilon1 should be >= 0", eps[0])
        _check(eps[1] >= 0.0, "epsilon2 should be >= 0", eps[1])
        _check(d >= 1.0, "Clipping threshold d should be >= 1", d)
        _check(weight_decay >= 0.0, "weight_decay should be >= 0", weight_decay)
        own = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        super().__init__(params, {**own, "foreach": foreach, "maximize": maximize})

    def _move(self, param: Tensor, group: Group) -> None:
        if param.dtype.is_complex:
            raise OpError("Adafactor does not support complex parameters")
        super()._move(param, group | {"decoupled_weight_decay": True})

    def _update(self, param: Tensor, grad: Tensor, state: State, group: Group) -> None:
        lr, (eps1, eps2), size = number(group["lr"]), group["eps"], param.numel()
        if eps1 is None:
            eps1 = float(np.finfo(np.float32 if param.dtype is dtypes.float32 else np.float64).eps)
        if "step" not in state:
            state["step"] = scalar(0)
        step = count(state)
        rate = max(eps2, param.norm(2).item() / size**0.5) * min(lr, 1 / step**0.5)
        if group["weight_decay"]:
            param.mul_(1 - lr * group["weight_decay"])
        squares = _estimate(grad, state, float(step) ** group["beta2_decay"], eps1)
        update = squares.clamp_(min=eps1 * eps1).rsqrt_().mul_(grad)
        param.add_(update, alpha=-rate / max(1.0, update.norm(2).item() / (size**0.5 * group["d"])))


def _estimate(grad: Any, state: State, weight: float, eps: float) -> Any:
    """Means of squares: as they are for a vector, else from those of rows and columns."""
    if grad.ndim < 2:
        return buffer(state, "variance", grad).lerp_(grad * grad, weight).clone()
    parts = []
    for name, dim in (("row_var", -1), ("col_var", -2)):
        mean = ops.vector_norm(grad, 2, dim, True).square_().div_(grad.shape[dim])
        parts.append(buffer(state, name, mean).lerp_(mean, weight))
    rows, columns = parts
    return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_(min=eps))


def _check(is_valid: bool, rule: str, value: Any) -> None:
    if not is_valid:
        raise ArgumentValueError(f"{rule} but is: {value}")


publish(Adagrad, Adadelta, RMSprop, Adafactor)
