"""What is told of every new node while somebody wants to know: anomaly detection, and hooks on saved tensors.

A ``Watch`` is immutable and belongs to a context as grad modes do (``modes.State.watch``); where there is none, a call
asks one question of its node and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from engine import modes
from engine.autograd.tape import Node, check_hooks
from engine.errors import ArgumentTypeError, OpError
from engine.tensor import Tensor, read

TRACE, PARENT = "traceback_", "parent_"  # what PyTorch calls them in a node's metadata
ENABLED = (
    "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging."
)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told: ``anomaly`` notes where the program is, the last pair of ``hooks`` packs what nodes save.

    ``refusal`` is why there may be no hooks; ``parent`` the node whose rules run.
    """

    anomaly: bool = False
    check_nan: bool = True
    hooks: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...] = ()
    refusal: str | None = None
    parent: Node | None = None

    def made(self, node: Node) -> None:
        """A node was made, and has saved what it saves."""
        if self.anomaly:
            metadata = node.attach().metadata
            state = modes.current()
            if state.trace is not None:
                lines = metadata[TRACE] = state.trace()
                if state.budget is not None:
                    state.budget.spend(sum(map(len, lines)))
            if self.parent is not None:
                metadata[PARENT] = self.parent
        if self.hooks:
            self._pack(node)

    def _pack(self, node: Node) -> None:
        saved = node.saved or {}
        for name in saving_order(node.op, saved):
            kept = saved[name]
            if isinstance(kept, list):
                saved[name] = [one.packed_by(node, *self.hooks[-1]) for one in kept]
            elif kept is not None:
                saved[name] = kept.packed_by(node, *self.hooks[-1])


def saving_order(op: Any, names: Iterable[str]) -> list[str]:
    """The names of what a node of ``op`` saves, as PyTorch goes through them: inputs by name, then outputs."""
    inputs = getattr(op, "tensor_names", None)
    if inputs is None:
        return list(names)
    return sorted(names, key=lambda name: (name not in inputs, "self" if name == "input" else name))


def current() -> Watch:
    """The watch in force, or one that is told of nothing."""
    watch: Watch = modes.current().watch or _NOBODY
    return watch


def switch(watch: Watch) -> Watch:
    """Put ``watch`` into force; returns the one before."""
    outer: Watch = modes.watch_by(None if watch == _NOBODY else watch) or _NOBODY
    return outer


_NOBODY = Watch()


class Watching:
    """A context manager that changes the watch within; ``_changed`` says how."""

    def _changed(self, outer: Watch) -> Watch:
        """The watch to be in force within."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._outer = switch(self._changed(current()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        switch(self._outer)


# -- anomaly detection --------------------------------------------------------------------------------------------
class set_detect_anomaly(Watching):
    """Switches anomaly detection at once; as a context manager, until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        if not isinstance(mode, bool):
            raise ArgumentTypeError(
                f"set_anomaly_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        self._setting = mode, check_nan
        self._before = switch(self._changed(current()))

    def _changed(self, outer: Watch) -> Watch:
        mode, check_nan = self._setting
        return replace(outer, anomaly=mode, check_nan=check_nan)

    def __enter__(self) -> None:
        self._outer = self._before


class detect_anomaly(Watching):
    """Within, backward passes name the forward call of the node that fails, or that returns NaN."""

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        modes.warn(ENABLED)

    def _changed(self, outer: Watch) -> Watch:
        return replace(outer, anomaly=True, check_nan=self._check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomalies are being detected here."""
    return current().anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether detecting anomalies includes a look for NaN."""
    return current().check_nan


def report(node: Node) -> None:
    """Tell in which forward call ``node`` was made, and what made the nodes before that."""
    text = f"Error detected in {node.name()}. "
    metadata = node.attached.metadata if node.attached is not None else {}
    if TRACE not in metadata:
        text += "No forward pass information available. Enable detect anomaly during forward pass for more information."
    else:
        text += f"Traceback of forward call that caused the error:\n{''.join(metadata[TRACE])}"
    modes.warn(text + _parents(metadata.get(PARENT), node.name()))


def _parents(node: Any, induced: str) -> str:
    text = ""
    while isinstance(node, Node):
        metadata = node.attached.metadata if node.attached is not None else {}
        text += f"\n\nPrevious calculation that induced {induced}. "
        if TRACE not in metadata:
            return text + (
                "No forward pass information available. Enable detect anomaly during forward pass for more information."
            )
        text += f"Traceback of forward call that induced the previous calculation:\n{''.join(metadata[TRACE])}"
        node, induced = metadata.get(PARENT), node.name()
    return text


def check_nan(node: Node, results: list[Tensor | None]) -> None:
    """Refuse what the rules of ``node`` gave if there is NaN among it."""
    for number, one in enumerate(results):
        if (
            one is not None
            and one.dtype.is_differentiable
            and (values := read(one)).size
            and bool((values != values).any())
        ):
            raise OpError(f"Function '{node.name()}' returned nan values in its {number}th output.")


# -- hooks on saved tensors ---------------------------------------------------------------------------------------
class saved_tensors_hooks(Watching):
    """Within, nodes keep of a tensor what ``pack_hook`` makes of it; ``unpack_hook`` makes it a tensor again."""

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def _changed(self, outer: Watch) -> Watch:
        if outer.refusal is not None:
            raise OpError(outer.refusal)
        check_hooks("_push_saved_tensors_default_hooks", self.pack_hook, self.unpack_hook)
        return replace(outer, hooks=(*outer.hooks, (self.pack_hook, self.unpack_hook)))


class save_on_cpu(saved_tensors_hooks):
    """What is saved is kept in the memory of the CPU: here, where else."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(_moved_off, _moved_back)


def _moved_off(tensor: Tensor) -> tuple[Any, Tensor]:
    return tensor.device, tensor


def _moved_back(packed: tuple[Any, Tensor]) -> Tensor:
    return packed[1]


class disable_saved_tensors_hooks(Watching):
    """Within, ``saved_tensors_hooks`` are refused with ``error_message``."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def _changed(self, outer: Watch) -> Watch:
        if outer.hooks:
            raise OpError(self.error_message)
        return replace(outer, refusal=self.error_message)
