"""Values of programs: attributes by name, dotted names in a namespace, and what an answer shows of non-tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from app.limits import Allowance
from app.program import pytorch
from app.program.builtins import ATTRIBUTES, Module, Routine, get_item, type_name
from app.program.costs import ITEM_BYTES, bounded, weight
from app.program.failures import PythonError
from app.program.from_nodes import parse_reference
from app.program.names import module_attribute, object_attribute
from app.program.tree import Attribute, Constant, Expression, GraphError, Name, Subscript
from engine import Tensor, dtypes, errors, modes, refusals, registry, tape

EncodeTensor = Callable[[Tensor], object]
VALUE_DEPTH: Final = 32
_MISSING: Final = object()


# -- attributes ---------------------------------------------------------------------------------------------------
def attribute(value: Any, name: str) -> Any:
    """``value.name``. Raises ``NotAvailable``, or ``AttributeError`` in Python's words."""
    if isinstance(value, Tensor):
        return _tensor_attribute(value, name)
    if isinstance(value, Module):
        return module_attribute(value, name)
    found = _plain_attribute(value, name)
    if found is _MISSING:
        pytorch.refuse_attribute(value, name)
        raise PythonError(AttributeError, f"'{type_name(value)}' object has no attribute '{name}'")
    return found


def _tensor_attribute(tensor: Tensor, name: str) -> object:
    getter = registry.attribute(name)
    if getter is not None:
        return refusals.call(getter, (tensor,), {}, name)
    method = registry.method(name)
    if method is None:
        pytorch.refuse_attribute(tensor, name)
        raise PythonError(AttributeError, f"'{type_name(tensor)}' object has no attribute '{name}'")
    return Routine(name, partial(method, tensor), engine=True, owner=tensor)


def _plain_attribute(value: Any, name: str) -> object:
    fields = getattr(type(value), "_fields", ())
    if isinstance(value, tuple) and name in fields:
        return value[fields.index(name)]
    for kind, getters in ATTRIBUTES:
        if isinstance(value, kind):
            return getters[name](value) if name in getters else _MISSING
    return object_attribute(value, name, _MISSING)


_SETTABLE: Final = frozenset({"data", "grad", "requires_grad"})


def set_attribute(value: Any, name: str, new: Any) -> None:
    """``value.name = new``, for the few attributes of tensors that programs may set."""
    if isinstance(value, Tensor) and name in _SETTABLE:
        refusals.call(setattr, (value, name, new), {}, "__setattr__")
    elif isinstance(value, Tensor) and registry.attribute(name) is not None:
        raise PythonError(AttributeError, f"attribute '{name}' of 'torch._C.TensorBase' objects is not writable")
    elif isinstance(value, Tensor) and registry.method(name) is not None:
        raise PythonError(AttributeError, f"'{type_name(value)}' object attribute '{name}' is read-only")
    else:
        pytorch.refuse_attribute(value, name)
        raise PythonError(AttributeError, f"'{type_name(value)}' object has no attribute '{name}'")


# -- dotted names -------------------------------------------------------------------------------------------------
def lookup(namespace: Mapping[str, object], name: str) -> Any:
    """Return what ``x``, ``x.grad`` or ``q.0`` stands for. Raises ``LookupError``."""
    if name in namespace:  # names in a namespace have no dots
        return namespace[name]
    try:
        return _follow(namespace, parse_reference(name))
    except (GraphError, LookupError, PythonError, errors.EngineError):
        raise LookupError(name) from None


def _follow(namespace: Mapping[str, object], reference: Expression) -> Any:
    match reference:
        case Name(name):
            return namespace[name]
        case Attribute(value, name):
            return attribute(_follow(namespace, value), name)
        case Subscript(value, Constant(index)):
            return get_item(_follow(namespace, value), index)
    raise LookupError


# -- what an answer shows -----------------------------------------------------------------------------------------
def is_encodable(value: object) -> bool:
    """Return whether an answer has a form for ``value``: not for functions, optimisers, arrays, and what holds one."""
    return _is_encodable(bounded(value), VALUE_DEPTH)


def _is_encodable(value: object, depth: int) -> bool:
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_encodable(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return depth > 0 and all(_is_encodable(item, depth - 1) for item in value.values())
    return value is None or type(value) in _ENCODERS or isinstance(value, (Tensor, tape.Node))


def encode_value(value: Any, encode_tensor: EncodeTensor) -> object:
    """Return the JSON form of an encodable value; tensors and nodes are told apart from dicts by their single key."""
    budget = modes.current().budget
    if isinstance(budget, Allowance):
        budget.answer(ITEM_BYTES * weight(value))
    return _encoded(value, encode_tensor)


def _encoded(value: Any, encode_tensor: EncodeTensor) -> object:
    if isinstance(value, Tensor):
        return {"tensor": encode_tensor(value)}
    if isinstance(value, tape.Node):
        return {"node": value.name()}
    if isinstance(value, dict):
        return {str(key): _encoded(item, encode_tensor) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, encode_tensor) for item in value]
    return _ENCODERS[type(value)](value) if value is not None else None


def _integer(value: int) -> int | str:
    """Integers that readers of JSON cannot hold are sent as their digits."""
    return value if -(2**63) <= value < 2**64 else hex(value) if value.bit_length() > 10_000 else str(value)


def _real(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_ENCODERS: Final[dict[type, Callable[[Any], object]]] = {
    bool: bool,
    int: _integer,
    float: _real,
    complex: lambda value: [_real(value.real), _real(value.imag)],
    str: str,
    dtypes.DType: str,
}
