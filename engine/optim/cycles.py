"""Schedules of rates and momentums together, up and down (Smith, 2017; Smith and Topin, 2018)."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, floor, pi
from typing import Any

from engine import modes
from engine.errors import ArgumentValueError
from engine.optim.optimizer import Group, Optimizer
from engine.optim.scheduler import LRScheduler, Rates, assign, checked, for_groups, publish

SCALES: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "triangular": ("cycle", lambda gamma, x: 1.0),
    "triangular2": ("cycle", lambda gamma, x: 1 / 2.0 ** (x - 1)),
    "exp_range": ("iterations", lambda gamma, x: gamma**x),
}


class _WithMomentum(LRScheduler):
    """A schedule that may change momentums, or the first of two betas, against the rates."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin(self, highs: Rates, lows: Rates, last_epoch: int) -> None:
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ArgumentValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in defaults
        if last_epoch == -1:
            for group, high, low in zip(self.optimizer.param_groups, highs, lows, strict=True):
                self._assign_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _assign_momentum(self, group: Group, momentum: Any) -> None:
        modes.touch(group)
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up and down between two rates (Smith, 2017)."""

    def __init__(
        self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle", cycle_momentum: bool = True,
        base_momentum: Any = 0.8, max_momentum: Any = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.optimizer = checked(optimizer)
        lows = for_groups("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, lows, strict=True):
                assign(group, "lr", low)
        self.max_lrs = for_groups("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in SCALES and scale_fn is None:
            raise ArgumentValueError("mode is invalid and scale_fn is None")
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = SCALES[mode][0] if scale_fn is None else scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = for_groups("base_momentum", optimizer, base_momentum)
            self.max_momentums = for_groups("max_momentum", optimizer, max_momentum)
            self._begin(self.max_momentums, self.base_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows

    def scale_fn(self, x: float) -> float:
        """By how much the height of a cycle, or of an iteration, is scaled."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return SCALES[self.mode][1](self.gamma, x)

    def get_lr(self) -> Rates:
        """The rates of this iteration."""
        self._warn()
        cycle = floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = cycle if self.scale_mode == "cycle" else self.last_epoch
        rates = [
            low + (high - low) * height * self.scale_fn(scale)
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._assign_momentum(group, high - (high - low) * height * self.scale_fn(scale))
        return rates

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and the function."""
        return {**super().state_dict(), "_scale_fn_custom": None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave; the function stays."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})


class OneCycleLR(_WithMomentum):
    """Up to a high rate, and down below the first one (Smith and Topin, 2018)."""

    def __init__(
        self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.optimizer = checked(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ArgumentValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _phases(pct_start, self.total_steps, three_phase)
        self._anneal_func_type = anneal_strategy
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, for_groups("max_lr", optimizer, max_lr), strict=True):
                modes.touch(group)
                group["initial_lr"] = high / div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            highs = for_groups("max_momentum", optimizer, max_momentum)
            self._begin(highs, for_groups("base_momentum", optimizer, base_momentum), last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: Any, end: Any, part: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (cos(pi * part) + 1)

    def get_lr(self) -> Rates:
        """The rates of this step."""
        self._warn()
        if self.last_epoch > self.total_steps:
            raise ArgumentValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        start, phase = self._phase()
        part = (self.last_epoch - start) / (phase["end_step"] - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
                self._assign_momentum(group, momentum)
        return rates

    def _phase(self) -> tuple[float, dict[str, Any]]:
        """Where the phase of this step began, and what it is."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                return start, phase
            start = phase["end_step"]
        return start, self._schedule_phases[-1]


def _total(steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if steps is not None:
        if steps <= 0 or not isinstance(steps, int):
            raise ArgumentValueError(f"Expected positive integer total_steps, but got {steps}")
        return int(steps)
    if epochs is None or steps_per_epoch is None:
        raise ArgumentValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if not isinstance(value, int) or value <= 0:
            raise ArgumentValueError(f"Expected positive integer {name}, but got {value}")
    return int(epochs * steps_per_epoch)


def _phases(part: float, total: int, in_three: bool) -> list[dict[str, Any]]:
    """From which setting of a group to which the rates and momentums go, and until when."""
    up, down = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
    rows: list[tuple[float, str, str, tuple[str, str]]] = [(float(part * total) - 1, "initial_lr", "max_lr", up)]
    if in_three:
        rows.append((float(2 * part * total) - 2, "max_lr", "initial_lr", down))
        rows.append((total - 1, "initial_lr", "min_lr", ("max_momentum", "max_momentum")))
    else:
        rows.append((total - 1, "max_lr", "min_lr", down))
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return [dict(zip(names, (end, first, last, *momentums), strict=True)) for end, first, last, momentums in rows]


publish(CyclicLR, OneCycleLR)
