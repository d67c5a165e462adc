"""LRScheduler: what changes the learning rates of an optimiser's groups as epochs go by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from engine import homes, modes, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, MissingKeyError, UnsupportedError
from engine.op.signature import type_name
from engine.optim.optimizer import Group, Optimizer, number
from engine.tensor import Tensor

Rates = list[Any]
TOO_EARLY = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call "
    "them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in "
    "PyTorch skipping the first value of the learning rate schedule. See more details at "
    "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)
BY_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed "
    "form is used instead of the new chainable form, where available. Please open an issue if you are unable to "
    "replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose."
)
ASKED = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
NOT_RESUMED = (
    "param 'initial_lr' is not specified in param_groups[{}] when resuming scheduler with last_epoch >= 0.\nThis "
    "typically happens when:\n1. You're trying to resume training from a checkpoint but haven't properly loaded the "
    "optimizer state\n2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
)


# -- groups -------------------------------------------------------------------------------------------------------
def checked(optimizer: Any) -> Optimizer:
    """An optimiser; nothing else has groups."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"{type_name(optimizer)} is not an Optimizer")
    return optimizer


def values(optimizer: Optimizer, name: str) -> Rates:
    """The setting ``name`` of every group, as it is now."""
    found = [group[name] for group in optimizer.param_groups]
    return [value.clone() if isinstance(value, Tensor) else value for value in found]


def assign(group: Group, name: str, value: Any) -> None:
    """Let a setting of a group be ``value``; a tensor stays the same tensor."""
    modes.touch(group)
    if isinstance(group[name], Tensor):
        with modes.no_grad():
            group[name].fill_(number(value))
    else:
        group[name] = value


def for_groups(name: str, optimizer: Optimizer, value: Any) -> Rates:
    """``value`` for each of the groups: one for all, or a list."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise ArgumentValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {count}."
        )
    return list(value)


# -- the scheduler ------------------------------------------------------------------------------------------------
class LRScheduler:
    """Changes the learning rates of an optimiser's groups as epochs go by; a subclass says how in ``get_lr``."""

    _state: ClassVar[dict[str, type]] = {
        "optimizer": Optimizer, "_step_count": int, "_is_initial": bool, "_asks": bool,
    }  # fmt: skip
    _is_initial = False
    _asks = False  # whether ``get_lr`` is called by ``step``
    _step_count = 1

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                modes.touch(group)
                rate = group["lr"]
                group.setdefault("initial_lr", rate.clone() if isinstance(rate, Tensor) else rate)
            elif "initial_lr" not in group:
                raise MissingKeyError(NOT_RESUMED.format(place))
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        modes.touch(self)
        vars(self).update(state_dict)

    def get_last_lr(self) -> Rates:
        """The learning rate of every group."""
        return self._last_lr if "_last_lr" in vars(self) else self._now()

    def get_lr(self) -> Rates:
        """The learning rates of this epoch; subclasses say how."""
        raise UnsupportedError("")

    def step(self, epoch: int | None = None) -> None:
        """One epoch further."""
        modes.touch(self)
        if self._step_count == 1 and not self.optimizer._has_stepped:
            modes.warn(TOO_EARLY)
        self._step_count += 1
        if epoch is not None:
            modes.warn(BY_EPOCH)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        modes.touch(self)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._asks = True
        rates = self.get_lr() if epoch is None else self._closed()
        self._asks = False
        self._set(rates)

    def _closed(self) -> Rates:
        """The rates of an epoch that does not follow the one before, where they can be told."""
        return self.get_lr()

    def _set(self, rates: Rates) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            assign(group, "lr", rate)
        self._last_lr = self._now()

    def _now(self) -> Rates:
        return values(self.optimizer, "lr")

    def _times(self, factor: Any) -> Rates:
        """The rates as they are, times ``factor``."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _warn(self) -> None:
        if not self._asks:
            modes.warn(ASKED)

    def _get_name(self) -> str:
        """What texts call the class."""
        return type(self).__name__


def functions_for(optimizer: Optimizer, given: Any) -> list[Callable[[int], Any]]:
    """A function of the epoch for each group."""
    if not isinstance(given, list | tuple):
        return [given] * len(optimizer.param_groups)
    if len(given) != len(optimizer.param_groups):
        raise ArgumentValueError(f"Expected {len(optimizer.param_groups)} lr_lambdas, but got {len(given)}")
    return list(given)


def publish(*kinds: type) -> None:
    """Let classes be ``torch.optim.lr_scheduler.<name>``."""
    homes.keep("torch.optim.lr_scheduler", *kinds)
    for kind in kinds:
        registry.add_function(f"optim.lr_scheduler.{kind.__name__}", kind)
        registry.add_kind(f"optim.lr_scheduler.{kind.__name__}", kind)


publish(LRScheduler)
registry.add_function("optim.lr_scheduler._LRScheduler", LRScheduler)
