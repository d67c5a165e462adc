"""LBFGS: steps along an estimate of the inverse Hessian, by a closure that evaluates again (Nocedal, 1980)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import modes, ops
from engine.errors import ArgumentValueError, AssertedError, OpError
from engine.optim.optimizer import Optimizer, check_rate, evaluated, number, publish
from engine.optim.wolfe import search
from engine.tensor import Tensor

CURVED = 1e-10  # how much of a pair of steps and changes has to agree for it to be kept


class LBFGS(Optimizer):
    """The quasi-Newton method with limited memory; ``step`` needs a closure."""

    def __init__(
        self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None, tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9, history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_rate(lr)
        own = {"lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval}
        ends = {"tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
        super().__init__(params, {**own, **ends, "history_size": history_size, "line_search_fn": line_search_fn})
        if len(self.param_groups) != 1:
            raise ArgumentValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _leaves(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Move by up to ``max_iter`` steps; returns the loss before the first."""
        return super().step(closure)

    def _run(self, closure: Any = None) -> Any:
        if len(self.param_groups) != 1:
            raise AssertedError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        with modes.no_grad():
            return _Descent(self, closure).run()


class _Descent:
    """The steps of one call; what is remembered stands in the state of the first parameter."""

    def __init__(self, optimizer: LBFGS, closure: Any) -> None:
        self.leaves, self.closure = optimizer._leaves, closure
        self.group = optimizer.param_groups[0]
        self.state = optimizer.state[self.leaves[0]]
        modes.touch(self.state)
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.evaluations = 0
        self.loss = 0.0
        self.grad: Any = None

    def evaluate(self) -> Any:
        """Loss and gradient where the parameters are."""
        loss = evaluated(self.closure)
        self.loss = float(loss)
        self.grad = ops.cat([_flat(leaf) for leaf in self.leaves])
        self.evaluations += 1
        self.state["func_evals"] += 1
        return loss

    def run(self) -> Any:
        first, group = self.evaluate(), self.group
        if self.is_flat():
            return first
        state = self.state
        direction, length = state.get("d"), state.get("t")
        previous = state.get("prev_flat_grad")
        for done in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self.direction(direction, length, previous)
            previous = self.grad.clone()
            state["prev_flat_grad"], state["prev_loss"] = previous, self.loss
            length = self.first_length() if state["n_iter"] == 1 else number(group["lr"])
            slope = self.grad.dot(direction)
            state["d"], state["t"] = direction, length
            if slope > -group["tolerance_change"]:
                break
            is_flat, length = self.move(direction, length, slope, done == group["max_iter"])
            state["t"] = length
            if done == group["max_iter"] or self.evaluations >= group["max_eval"] or is_flat:
                break
            if direction.mul(length).abs().max() <= group["tolerance_change"]:
                break
            if abs(self.loss - state["prev_loss"]) < group["tolerance_change"]:
                break
        return first

    def is_flat(self) -> bool:
        """Whether the gradient is near zero everywhere."""
        return bool(self.grad.abs().max() <= self.group["tolerance_grad"])

    def first_length(self) -> Any:
        """How far the first step goes: less where the gradient is steep."""
        return min(1.0, 1.0 / self.grad.abs().sum()) * number(self.group["lr"])

    def direction(self, last: Any, length: Any, previous: Any) -> Any:
        """Where to go: minus the inverse Hessian times the gradient, by the two loops over what is remembered."""
        state = self.state
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return self.grad.neg()
        self.remember(self.grad.sub(previous), last.mul(length))
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        along: list[Any] = [None] * len(changes)
        direction = self.grad.neg()
        for place in reversed(range(len(changes))):
            along[place] = steps[place].dot(direction) * inverses[place]
            direction.add_(changes[place], alpha=-along[place].item())
        direction = direction.mul(state["H_diag"])
        for place in range(len(changes)):
            back = changes[place].dot(direction) * inverses[place]
            direction.add_(steps[place], alpha=(along[place] - back).item())
        return direction

    def remember(self, change: Any, step: Any) -> None:
        """Keep a step and how the gradient changed by it, if they agree; the oldest pair goes."""
        state, curvature = self.state, change.dot(step)
        if not curvature > CURVED:
            return
        lists = [state["old_dirs"], state["old_stps"], state["ro"]]
        for kept, new in zip(lists, (change, step, 1.0 / curvature), strict=True):
            modes.touch(kept)
            if len(kept) == self.group["history_size"]:
                kept.pop(0)
            kept.append(new)
        state["H_diag"] = curvature / change.dot(change)

    def move(self, direction: Any, length: Any, slope: Any, is_last: bool) -> tuple[bool, Any]:
        """Go; whether the gradient is flat there, and how far it was."""
        name = self.group["line_search_fn"]
        if name is None:
            self.go(direction, length)
            if is_last:
                return False, length
            self.evaluate()
            return self.is_flat(), length
        if name != "strong_wolfe":
            raise OpError("only 'strong_wolfe' is supported")
        start = [leaf.clone() for leaf in self.leaves]

        def at(length: Any) -> tuple[float, Any]:
            self.go(direction, length)
            self.evaluate()
            for leaf, values in zip(self.leaves, start, strict=True):
                leaf.copy_(values)
            return self.loss, self.grad

        left = self.group["max_eval"] - self.evaluations
        self.loss, self.grad, length = search(at, length, direction, self.loss, self.grad, slope, left)
        self.go(direction, length)
        return self.is_flat(), length

    def go(self, direction: Any, length: Any) -> None:
        """Move every parameter by its part of the direction."""
        start = 0
        for leaf in self.leaves:
            target = ops.view_as_real(leaf) if leaf.dtype.is_complex else leaf
            end = start + target.numel()
            target.add_(direction[start:end].view_as(target), alpha=number(length))
            start = end


def _flat(leaf: Tensor) -> Any:
    grad: Any = leaf.grad
    if grad is None:
        grad = ops.zeros_like(leaf)
    return (ops.view_as_real(grad) if grad.dtype.is_complex else grad).reshape(-1)


publish(LBFGS)
