"""Averages of models over training: ``torch.optim.swa_utils`` (Izmailov et al., 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from math import cos, pi
from typing import Any

from engine import modes, ops, registry
from engine.errors import ArgumentValueError, AssertedError
from engine.nn.module import Module
from engine.nn.norms import BatchNorm
from engine.optim.optimizer import Optimizer
from engine.optim.scheduler import LRScheduler, Rates, for_groups
from engine.tensor import Tensor


class Average:
    """How an average takes in one more value: equally, or with an exponential ``decay``."""

    def __init__(self, decay: float | None, is_multi: bool) -> None:
        if decay is not None and not 0.0 <= decay <= 1.0:
            raise ArgumentValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")
        self._decay, self._is_multi = decay, is_multi

    def __call__(self, averaged: Any, current: Any, num_averaged: Any) -> Any:
        with modes.no_grad():
            if not self._is_multi:
                return self._one(averaged, current, num_averaged)
            for one, other in zip(averaged, current, strict=True):
                weight = 1 / (float(num_averaged) + 1) if self._decay is None else 1 - self._decay
                if one.is_floating_point():
                    one.lerp_(other, weight)
                else:
                    one.copy_(one + (other - one) * weight)
            return None

    def _one(self, averaged: Any, current: Any, num_averaged: Any) -> Any:
        if self._decay is None:
            return averaged + (current - averaged) / (num_averaged + 1)
        return self._decay * averaged + (1 - self._decay) * current


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """An exponential average of one tensor."""
    return Average(decay, False)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Average:
    """An exponential average of lists of tensors."""
    return Average(decay, True)


def get_swa_avg_fn() -> Average:
    """The mean of one tensor."""
    return Average(None, False)


def get_swa_multi_avg_fn() -> Average:
    """The mean of lists of tensors."""
    return Average(None, True)


class AveragedModel(Module):
    """A copy of a model whose parameters are averages."""

    _path = "torch.optim.swa_utils.AveragedModel"

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., Any] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertedError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", ops.tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model returns."""
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> list[Tensor]:
        return list(chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters())

    def update_parameters(self, model: Module) -> None:
        """Take in the parameters of ``model``."""
        averaged = [one.detach() for one in self._tensors(self.module)]
        current = [one.detach() for one in self._tensors(model)]
        with modes.no_grad():
            if not self.n_averaged:
                for one, other in zip(averaged, current, strict=False):
                    one.copy_(other)
            elif self.avg_fn is None:
                (self.multi_avg_fn or get_swa_multi_avg_fn())(averaged, current, self.n_averaged)
            else:
                for one, other in zip(averaged, current, strict=False):
                    one.copy_(self.avg_fn(one, other, self.n_averaged))
            if not self.use_buffers:
                for one, other in zip(self.module.buffers(), model.buffers(), strict=True):
                    one.copy_(other)
            self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Let the statistics of a model's batch norms be those of one pass over the data."""
    momenta = {module: module.momentum for module in model.modules() if isinstance(module, BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    with modes.no_grad():
        for batch in loader:
            model(batch[0] if isinstance(batch, list | tuple) else batch)
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From each rate to the rate for averaging, along a line or a cosine."""

    def __init__(
        self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        for group, rate in zip(optimizer.param_groups, for_groups("swa_lr", optimizer, swa_lr), strict=True):
            modes.touch(group)
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """How much of the way is gone after ``t`` of the time."""
        return t if self._anneal_strategy == "linear" else (1 - cos(pi * t)) / 2

    def _part(self, step: int) -> float:
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    def get_lr(self) -> Rates:
        """The rates of this epoch."""
        self._warn()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            goal = group["swa_lr"]
            first = goal if before == 1 else (group["lr"] - before * goal) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates


registry.add_kind("optim.swa_utils.Average", Average)
for _kind in (AveragedModel, SWALR):
    registry.add_kind(f"optim.swa_utils.{_kind.__name__}", _kind)
_PUBLIC: tuple[Any, ...] = (
    AveragedModel, SWALR, update_bn, get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_avg_fn, get_swa_multi_avg_fn,
)  # fmt: skip
for _one in _PUBLIC:
    registry.add_function(f"optim.swa_utils.{_one.__name__}", _one)
