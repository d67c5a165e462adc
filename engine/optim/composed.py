"""Schedules made of others, and one that looks at how training goes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf
from typing import Any

from engine import modes
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.optim.optimizer import Optimizer
from engine.optim.scheduler import BY_EPOCH, LRScheduler, assign, checked, publish, values


class _OfOthers(LRScheduler):
    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[Any], optimizer: Any, purpose: str = "") -> None:
        name = self._get_name()
        if len(schedulers) < 1:
            raise ArgumentValueError(f"{name} expects at least one scheduler{purpose}, but got no scheduler.")
        for place, one in enumerate(schedulers):
            if not hasattr(one, "optimizer"):
                raise ArgumentTypeError(f"{name} at index {place} should have `optimizer` as its attribute.")
            if isinstance(one, ReduceLROnPlateau):
                raise ArgumentValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                    f"specified when calling `step`, but got one at index {place} in the given schedulers sequence."
                )
            expected = schedulers[0].optimizer if optimizer is None else optimizer
            if one.optimizer is not expected:
                raise ArgumentValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                    f"{one._get_name()} at index {place} has {one.optimizer}, which is different from "
                    f"{expected._get_name()}."
                )

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, with the states of the others."""
        own = {name: value for name, value in super().state_dict().items() if name != "_schedulers"}
        return {**own, "_schedulers": [one.state_dict() for one in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave, each part where it belongs."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for one, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            one.load_state_dict(state)


class SequentialLR(_OfOthers):
    """One schedule after the other, from the given epochs on."""

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch, self.optimizer = last_epoch + 1, optimizer
        for group in optimizer.param_groups:
            assign(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the first step of every schedule below."""
        scheduler = self if sched is None else sched
        if isinstance(scheduler, _OfOthers):
            for one in scheduler._schedulers:
                self.recursive_undo(one)
        else:
            modes.touch(scheduler)
            scheduler.last_epoch -= 1

    def step(self, epoch: int | None = None) -> None:
        """One epoch further."""
        modes.touch(self)
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_OfOthers):
    """Several schedules at once."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._check(schedulers, optimizer, " to be chained")
        self._schedulers = schedulers
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        self._last_lr = self._now()

    def step(self, epoch: int | None = None) -> None:
        """One epoch further, for each of them."""
        modes.touch(self)
        for one in self._schedulers:
            one.step()
        self._last_lr = self._now()


class ReduceLROnPlateau(LRScheduler):
    """Multiplies by ``factor`` when a measure stops getting better."""

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0, min_lr: Any = 0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        if factor >= 1.0:
            raise ArgumentValueError("Factor should be < 1.0.")
        self.factor, self.optimizer = factor, checked(optimizer)
        groups = optimizer.param_groups
        if isinstance(min_lr, list | tuple):
            if len(min_lr) != len(groups):
                raise ArgumentValueError(f"expected {len(groups)} min_lrs, got {len(min_lr)}")
            self.default_min_lr, self.min_lrs = None, list(min_lr)
        else:
            self.default_min_lr, self.min_lrs = min_lr, [min_lr] * len(groups)
        self.patience, self.cooldown, self.eps, self.last_epoch = patience, cooldown, eps, 0
        self._last_lr = values(optimizer, "lr")
        if mode not in ("min", "max"):
            raise ArgumentValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentValueError(f"threshold mode {threshold_mode} is unknown!")
        self.mode_worse = inf if mode == "min" else -inf
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.best, self.cooldown_counter, self.num_bad_epochs = self.mode_worse, 0, 0

    @property
    def in_cooldown(self) -> bool:
        """Whether the last reduction is so near that nothing counts."""
        return self.cooldown_counter > 0

    def _is_better(self, measure: float, best: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        relative = best * (1.0 + sign * self.threshold)
        bound = relative if self.threshold_mode == "rel" else best + sign * self.threshold
        return measure > bound if self.mode == "max" else measure < bound

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """One epoch further, in which the measure was ``metrics``."""
        modes.touch(self)
        measure = float(metrics)
        if epoch is not None:
            modes.warn(BY_EPOCH)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(measure, self.best):
            self.best, self.num_bad_epochs = measure, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._now()

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise OpError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from when "
                    f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due to a new param group "
                    "being added to the optimizer. Please modify the `min_lrs` field to match the length of the "
                    "`optimizer` param groups."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, low in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, low)
            if old - new > self.eps:
                assign(group, "lr", new)


publish(SequentialLR, ChainedScheduler, ReduceLROnPlateau)
