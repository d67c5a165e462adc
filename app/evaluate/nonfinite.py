"""``include: ["nan"]``: where a run first gave what is not finite, among values and among gradients.

The engine reports what kernels and rules give to a recorder, so this is one that records nothing; names come from the
namespace, which tells what is bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from engine import Tensor, modes, parameters, tape

Found = dict[str, str | None]


class Watch:
    """A recorder. ``value`` and ``gradient`` are what it found first of each."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._is_unnamed = self._is_in_rule = False
        self.value: Found | None = None
        self.gradient: Found | None = None

    @property
    def found(self) -> dict[str, Found | None]:
        """Both, as the wire has them."""
        return {"value": self.value, "gradient": self.gradient}

    # -- what is bound ----------------------------------------------------------------------------------------------
    def bound(self, name: str, value: object) -> None:
        """Look at a name that was bound: to the value found just now, or to one that no kernel gave."""
        is_named_now = self._is_unnamed and self.value is not None
        self._is_unnamed = False
        if parameters.is_known(value) and (self.value is None or is_named_now) and not _is_finite(value.array):
            self.value = {"name": name, "op": None if self.value is None else self.value["op"]}

    # -- what the engine reports ------------------------------------------------------------------------------------
    def ran(self, op: Any, tensors: Sequence[Any], arrays: Sequence[Any], raw: Any, results: Sequence[Any]) -> None:
        """Look at what a kernel gave; what rules do with cotangents is ``pulled``'s."""
        if self.value is None and not self._is_in_rule and not all(map(_is_finite, results)):
            self.value, self._is_unnamed = {"name": None, "op": op.signature.name}, True

    def pulling(self, node: tape.Node) -> None:
        """From here on kernels work on cotangents."""
        self._is_in_rule = True

    def pulled(self, node: tape.Node, edges: Sequence[Any], cotangents: Sequence[Tensor | None]) -> None:
        """Look at the cotangents that a node gave to what its edges lead to."""
        self._is_in_rule = False
        for edge, cotangent in zip(edges, cotangents, strict=False):
            if self.gradient is not None:
                return
            if edge is not None and cotangent is not None and not _is_finite(cotangent.array):
                self.gradient = {"name": self._name_of(*edge), "grad_fn": node.name()}

    def _name_of(self, node: tape.Node, number: int) -> str | None:
        for name, value in self._namespace.items():
            if isinstance(value, Tensor) and tape.edge_of(value) == (node, number):
                return name
        return None

    def copied(self, source: object, copy: object) -> None:
        """Of no concern here, as all that follows."""

    relaid = copied

    def applied(self, ufunc: object, source: object, result: object) -> None:
        """Of no concern here."""

    def wrote(self, target: Any, source: object) -> None:
        """Name what was found just now after the tensor that it is written into."""
        if self._is_unnamed and self.value is not None:
            self._is_unnamed = False
            owners = (name for name, one in self._namespace.items() if isinstance(one, Tensor) and one.array is target)
            self.value = {**self.value, "name": next(owners, None)}

    def read(self, array: object) -> None:
        """Of no concern here."""

    def give_up(self, reason: str) -> None:
        """Of no concern here."""


class _Watched(dict[str, Any]):
    """A namespace that says what is bound."""

    watch: Watch | None = None

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if self.watch is not None:
            self.watch.bound(name, value)


@contextmanager
def watching(namespace: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Watch]]:
    """Watch what runs within over the namespace that this gives; its names are those of ``namespace`` in the end."""
    watched = _Watched(namespace)
    watched.watch = watch = Watch(watched)
    for name, value in namespace.items():
        watch.bound(name, value)
    before = modes.current().recorder
    modes.report_to(watch)
    try:
        yield watched, watch
        namespace.clear()
        namespace.update(watched)
    finally:
        modes.report_to(before)


def _is_finite(array: Any) -> bool:
    kind = array.dtype.kind
    return kind in "biu" or bool(np.isfinite(array).all())
