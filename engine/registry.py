"""Names to ops: what the wire, the tape and the attached methods look up.

Lower layers that need an op (the tape adds cotangents, a stale view gets its history back) ask here; nothing imports
upwards. Names are PyTorch's: a function ``linalg.solve``, a method ``add_``, an attribute ``mT``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_ops: dict[str, Any] = {}
_functions: dict[str, Callable[..., Any]] = {}
_methods: dict[str, Callable[..., Any]] = {}
_attributes: dict[str, Callable[[Any], Any]] = {}
_catalogue: dict[str, Any] = {}
_kinds: dict[str, type] = {}


def add_op(name: str, op: Any) -> None:
    """Register what the tape finds by ``name``; a second op of the same name is a mistake of the declarer."""
    if name in _ops:
        raise RuntimeError(f"op {name!r} is declared twice")
    _ops[name] = op


def add_function(name: str, function: Callable[..., Any]) -> None:
    """Make ``function`` callable as ``torch.<name>``."""
    if name in _functions:
        raise RuntimeError(f"function {name!r} is declared twice")
    _functions[name] = function


def add_method(name: str, function: Callable[..., Any]) -> None:
    """Make ``function`` callable as a Tensor method."""
    if name in _methods:
        raise RuntimeError(f"method {name!r} is declared twice")
    _methods[name] = function


def add_attribute(name: str, getter: Callable[[Any], Any]) -> None:
    """Make ``getter`` readable as a Tensor attribute."""
    _attributes[name] = getter


def add_public(name: str, entry: Any) -> None:
    """List ``entry`` (an op or a composite) in the catalogue under ``name``."""
    _catalogue[name] = entry


def add_kind(name: str, kind: type) -> None:
    """Let objects of the class ``kind`` be kept as their attributes (or the items of a dict) under ``name``."""
    if name in _kinds:
        raise RuntimeError(f"kind {name!r} is declared twice")
    _kinds[name] = kind


def op(name: str) -> Any:
    """The op that nodes of the tape call ``name``; ``KeyError`` if there is none."""
    return _ops[name]


def ops() -> Iterator[Any]:
    """Everything that nodes of the tape may name."""
    return iter(_ops.values())


def find_op(name: str) -> Any | None:
    """Like ``op``, or ``None``."""
    return _ops.get(name)


def function(name: str) -> Callable[..., Any] | None:
    """What ``torch.<name>`` is, or ``None``."""
    return _functions.get(name)


def call(name: str, *args: Any) -> Any:
    """What ``torch.<name>(*args)`` returns, for lower layers that need a composite."""
    return _functions[name](*args)


def method(name: str) -> Callable[..., Any] | None:
    """The Tensor method ``name`` as a function of the tensor first, or ``None``."""
    return _methods.get(name)


def attribute(name: str) -> Callable[[Any], Any] | None:
    """The getter of the Tensor attribute ``name``, or ``None``."""
    return _attributes.get(name)


def short_names() -> dict[str, Any]:
    """Every op by the last part of its name: how rules and composites call them.

    Of several entries with one last part a primitive wins, then a function of that very name, then a method.
    """
    names = {name.rpartition(".")[2]: function for name, function in _functions.items()}
    names |= {name.rpartition(".")[2]: method for name, method in _methods.items() if not name.endswith("_")}
    names |= {name: function for name, function in _functions.items() if "." not in name}
    return names | {
        name.rpartition(".")[2]: op for name, op in _ops.items() if name not in _functions or op is _functions[name]
    }


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every ``torch.<name>``."""
    return iter(_functions.items())


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every Tensor method."""
    return iter(_methods.items())


def attributes() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Every derived Tensor attribute."""
    return iter(_attributes.items())


def kinds() -> Iterator[tuple[str, type]]:
    """Every class whose objects are their attributes."""
    return iter(_kinds.items())


def catalogue() -> dict[str, Any]:
    """The public ops by name, in the order of their names."""
    return dict(sorted(_catalogue.items()))
