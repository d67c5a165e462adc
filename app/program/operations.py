"""What programs may do with values that are no tensors: operators, subscripts, iteration; and what types are called.

Whatever takes long is paid for before it runs (``app.program.costs``). No client's string ever reaches ``getattr``. The
built-in functions and methods stand in ``app.program.builtins``.
"""

from __future__ import annotations

import operator
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from app.limits import Allowance, Limits, OverLimit
from app.program import arrays, costs
from app.program.arrays import ARRAYS
from app.program.classes import MISSING, HostType, ProgramClass
from app.program.costs import ITEM_BYTES, LITTLE, OBJECT_BYTES, Cost, CostOf, bounded, pay
from app.program.failures import PythonError, python, reraise, seen_as
from app.program.functions import Callable_
from app.program.instances import Numbered, Special, as_index, method_of
from app.program.misfits import is_misfit, words
from app.program.operators import BINARY, COMPARISON, IN_PLACE, SPECIAL_METHODS, UNARY
from engine import Tensor, errors, methods, modes, refusals, tape, tensors

Getter = Callable[[Any], object]
_DEFAULTS: Final = Limits()


@seen_as("builtin_function_or_method")
class Routine(Callable_):
    """A function that programs may call. ``engine`` ones also take Python's types as dtypes.

    It is the attribute ``name`` of ``owner`` (a module, or the value whose method it is), or a built-in function.
    """

    __slots__ = ("engine", "function", "name", "owner", "quick")
    binds = False

    def __init__(self, name: str, function: Callable[..., object], engine: bool = False, owner: object = None) -> None:
        self.name, self.function, self.engine, self.owner = name, function, engine, owner
        self.quick: Callable[[Any, Any], Any] | None = None  # see ``app.program.compiling.quick``

    def enter(self, run: Any, args: Any, kwargs: Any = None) -> Any:
        if self.engine:
            return ENGINE_CALL[0](self, args, kwargs or {})
        return self(*args, **(kwargs or {}))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if self.engine:
            return ENGINE_CALL[0](self, args, kwargs)
        try:
            return self.function(*args, **kwargs)
        except Exception as error:
            if is_misfit(error):
                module = self.owner.name if isinstance(self.owner, Module) else "builtins" * (self.owner is None)
                error.args = (words(module, self.name, self.function, str(error), len(args), kwargs),)
            reraise(error, given=(getattr(self.function, "__self__", None), *args))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Routine) or self.name != other.name:
            return False
        if self.owner is None or isinstance(self.owner, Module):
            return self.function == other.function
        return self.owner is other.owner

    def __hash__(self) -> int:
        return hash(self.name)  # its owner may be a list

    def __repr__(self) -> str:
        owner = (
            ""
            if self.owner is None or isinstance(self.owner, Module)
            else (f" method {self.name} of {type_name(self.owner)} object at {id(self.owner):#x}")
        )
        return f"<built-in{owner}>" if owner else f"<built-in function {self.name.rpartition('.')[2]}>"


@seen_as("method_descriptor")
class Unbound(Routine):
    """A method of a type that is there, taken from the type: in a class of a program's, it is a method there too."""

    __slots__ = ()
    binds = True

    def __repr__(self) -> str:
        return f"<method '{self.name}' of '{getattr(self.owner, 'name', 'object')}' objects>"


OPENED: list[Callable[[Any], bool]] = []  # whether a value is of an open class of the engine: ``app.program.hosts``
ENGINE_CALL: list[Callable[[Routine, Any, dict[str, Any]], Any]] = []
"""How the engine's functions are called: set by ``app.program.calls``, which knows what they take."""


@seen_as("module")
class Module:
    """A module that programs may import."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __copy__(self) -> Module:
        return self

    def __deepcopy__(self, memo: object) -> Module:
        return self

    def __repr__(self) -> str:
        return f"<module '{self.name}'>"


def type_name(value: object) -> str:
    """Return the name of a value's type in Python's messages."""
    if isinstance(value, Special):
        return value.program_class.name
    if isinstance(value, tape.Node):
        return str(value.name()).rpartition("::")[2]
    if isinstance(value, PythonError):
        return value.exception
    if isinstance(value, Metered):
        return value.name
    name = type(value).__name__
    if isinstance(value, ARRAYS):
        return f"numpy.{name}"
    if hasattr(type(value), "_fields"):
        return f"torch.return_types.{name}"
    return _NAMES.get(name, name)


_NAMES: Final = {
    "DType": "torch.dtype", "Device": "torch.device", "MemoryFormat": "torch.memory_format", "Size": "torch.Size",
    "Registered": "dict",
    "OrderedDict": "collections.OrderedDict", "defaultdict": "collections.defaultdict", "deque": "collections.deque",
}  # fmt: skip


# -- iteration ----------------------------------------------------------------------------------------------------
_VIEWS: Final[tuple[type, ...]] = (type({}.keys()), type({}.values()), type({}.items()))
KNOWN: Final = {list, tuple, dict, str, set, frozenset, range, np.ndarray, deque, tensors.Size, *_VIEWS,
    ChainMap, Counter, OrderedDict, defaultdict,
}  # fmt: skip
"""The containers whose length says how long it takes to walk through them."""


def iterate(value: Any) -> Iterator[Any]:
    """The items of a value, as Python walks through them."""
    if isinstance(value, Tensor):
        return iter(value)
    if hasattr(type(value), "__iter__") and not isinstance(value, type):
        return python(iter, value)  # type: ignore[no-any-return]
    if hasattr(type(value), "__getitem__") and OPENED[0](value):
        return Numbered(value)
    raise PythonError(TypeError, f"'{type_name(value)}' object is not iterable")


@seen_as("iterator")
class Metered:
    """The items of an iterator, each of which costs a step, or ``weight`` of them. ``name`` is that of its type."""

    __slots__ = ("_iterator", "_weight", "name")

    def __init__(self, iterator: Iterator[Any], name: str = "iterator", weight: int = 1) -> None:
        self._iterator, self.name, self._weight = iterator, name, weight

    def __iter__(self) -> Metered:
        return self

    def __next__(self) -> Any:
        budget = modes.current().budget
        if budget is not None:
            budget.take(self._weight, ITEM_BYTES * self._weight)
        try:
            return next(self._iterator)
        except StopIteration:
            raise
        except Exception as error:
            reraise(error)

    def __repr__(self) -> str:
        return f"<{self.name} object at {id(self):#x}>"


def _has_items(value: Any) -> bool:
    """Whether a container can be walked through: an array of no dimension cannot."""
    return type(value) is not np.ndarray or value.ndim > 0


def metered(value: Any) -> Any:
    """``value``, to be walked through by a function that does not pay for its items."""
    return value if type(value) in KNOWN and _has_items(value) else Metered(iterate(value))


def held(value: Any) -> Any:
    """``value`` itself if it is a container, else its items in a list, within the limit of one."""
    if type(value) in KNOWN and _has_items(value):
        return value
    budget = modes.current().budget
    allowed = (budget.limits if isinstance(budget, Allowance) else _DEFAULTS).list_items
    items: list[Any] = []
    for item in Metered(iterate(value)):
        items.append(item)
        if len(items) > allowed:
            raise OverLimit("list_items", allowed=allowed, asked=len(items))
    pay(Cost(0, (ITEM_BYTES + OBJECT_BYTES) * len(items)))
    return items


def spread(value: Any) -> Any:
    """All items of a value at once, paid for as a list of them."""
    found = held(iterate(value) if isinstance(value, Tensor) else value)
    pay(costs.listed(found))
    return bounded(found)


# -- operators ----------------------------------------------------------------------------------------------------
LIGHT: Final = frozenset({float, bool, complex, type(None)})  # with which no operator takes long
_NAME_OF: Final = {symbol: name for name, symbol in SPECIAL_METHODS.items() if name != "div"}
_REFLECTED: Final = {"<": "gt", "<=": "ge", ">": "lt", ">=": "le", "==": "eq", "!=": "ne"}
_COMPARING: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def binary(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``."""
    function, cost = BINARY[symbol]
    try:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            if isinstance(left, Special) or isinstance(right, Special):
                return _special_binary(symbol, left, right)
            if isinstance(left, ARRAYS) or isinstance(right, ARRAYS):
                return arrays.beside_tensors(symbol, function, function, left, right)
            return function(left, right)
        if type(left) not in LIGHT or type(right) not in LIGHT:
            if isinstance(left, Special) or isinstance(right, Special):
                return _special_binary(symbol, left, right)
            if isinstance(left, ARRAYS) or isinstance(right, ARRAYS):
                return arrays.operate(symbol, function, cost, left, right)
            _pay(cost, left, right)
        return function(left, right)
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, function), (left, right))


def _special_binary(symbol: str, left: Any, right: Any) -> Any:
    """An operator one of whose operands is an object of a program: the reflected form is asked in Python's order."""
    name = _NAME_OF[symbol]
    forms = [(left, f"__{name}__", right), (right, f"__r{name}__", left)]
    if isinstance(right, Special) and isinstance(left, Special) and left.program_class is not right.program_class:
        if left.program_class in right.program_class.mro:
            forms.reverse()
    elif isinstance(left, Special) and isinstance(right, Special):
        forms.pop()
    for owner, method, other in forms:
        if symbol in ("+", "*") and _is_sequence(owner, method):
            continue  # what sequences do with these comes after what the other operand does
        result = _ask(owner, method, other)
        if result is not NotImplemented:
            return result
    if symbol == "+" and _is_sequence(left, "__add__"):
        return _ask(left, "__add__", right)
    if symbol == "*":
        for sequence, count in ((left, right), (right, left)):
            if _is_sequence(sequence, "__mul__"):
                return _ask(sequence, "__mul__", count if isinstance(count, int) else _count(count))
    raise PythonError(
        TypeError,
        f"unsupported operand type(s) for {'** or pow()' if symbol == '**' else symbol}: "
        f"'{type_name(left)}' and '{type_name(right)}'",
    )


_SEQUENCES: Final = (str, list, tuple, deque)


def _is_sequence(value: Any, method: str) -> bool:
    """Whether a value is a sequence of Python's, whose class, if it is one of a program, says nothing of ``method``."""
    is_plain = not isinstance(value, Special)
    return isinstance(value, _SEQUENCES) and (is_plain or method_of(value, method) is MISSING)


def _count(value: Any) -> Any:
    """How often an object of a program says that a sequence is to be repeated."""
    if type(value) is int or type(value) is bool:
        return value
    if not isinstance(value, Special) or method_of(value, "__index__") is MISSING:
        raise PythonError(TypeError, f"can't multiply sequence by non-int of type '{type_name(value)}'")
    return as_index(value)


def _ask(owner: Any, method: str, other: Any) -> Any:
    """The result of a special method, or ``NotImplemented``."""
    if isinstance(owner, Special):
        found = method_of(owner, method)
        if found is not MISSING:
            return found(other)
    other = _as_seen_by(owner, other)
    function = getattr(type(owner), method, None)  # a name of ours, out of a table
    if function is None:
        return NotImplemented
    if isinstance(owner, (str, list, tuple, int)):
        symbol = SPECIAL_METHODS.get(method.strip("_"))
        if symbol is not None:
            pay(BINARY[symbol][1](owner, other))
    return python(function, owner, other)


def unary(symbol: str, operand: Any) -> Any:
    """``symbol operand``."""
    function, cost = UNARY[symbol]
    try:
        if isinstance(operand, int):
            pay(cost(operand))
        elif isinstance(operand, ARRAYS):
            return arrays.operate(symbol, function, cost, operand)
        return function(operand)
    except Exception as error:
        reraise(error, _op_of(methods.UNARY, function), (operand,))


def in_place(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol= right``: what ``left`` is bound to afterwards."""
    function, cost = IN_PLACE[symbol]
    try:
        if isinstance(left, Special):
            result = _changed_in_place(symbol, left, right)
            return _without_in_place(symbol, left, right) if result is NotImplemented else result
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            if isinstance(left, ARRAYS) or isinstance(right, ARRAYS):
                return arrays.beside_tensors(symbol, function, BINARY[symbol][0], left, right)
            return function(left, right)
        if isinstance(right, Special) and not isinstance(left, (list, set, dict, deque)):
            return _without_in_place(symbol, left, right)
        if isinstance(right, Special) and isinstance(left, (list, deque)) and symbol in ("+", "*"):
            result = _ask(right, f"__r{_NAME_OF[symbol]}__", left)
            if result is not NotImplemented:
                return result
            right = right if symbol == "+" or isinstance(right, int) else _count(right)
        if isinstance(left, (list, deque)) and symbol == "+":
            right = held(right)
        if isinstance(left, ARRAYS) or isinstance(right, ARRAYS):
            return arrays.operate(symbol, function, cost, left, right, changing=True)
        _pay(cost, left, right)
        if isinstance(left, (list, dict, set, deque)):
            modes.touch(left)
        return function(left, right)
    except Exception as error:
        reraise(error, f"{_op_of(methods.BINARY, BINARY[symbol][0])}_", (left, right))


def _changed_in_place(symbol: str, left: Any, right: Any) -> Any:
    """What an object of a program is after its own in-place operator, or that of the type beside its class."""
    method = f"__i{_NAME_OF[symbol]}__"
    if symbol == "*" and isinstance(right, Special) and _is_sequence(left, method):
        result = _ask(right, "__rmul__", left)
        if result is not NotImplemented:
            return result
    found = left._special(method)
    if found is None:
        return NotImplemented
    if method_of(left, method) is MISSING:
        if isinstance(left, (list, deque)):
            right = held(right) if symbol == "+" else right if isinstance(right, int) else _count(right)
        pay(IN_PLACE[symbol][1](left, right))
        modes.touch(left)
    return found(right)


def _without_in_place(symbol: str, left: Any, right: Any) -> Any:
    try:
        return binary(symbol, left, right)
    except TypeError as error:
        wrong = f"unsupported operand type(s) for {symbol}: "
        if str(error).startswith(wrong):
            raise PythonError(TypeError, str(error).replace(f"for {symbol}:", f"for {symbol}=:", 1)) from None
        raise


def _op_of(table: Mapping[str, str], function: Callable[..., Any]) -> str:
    """The op that an operator of tensors is."""
    name = function.__name__.strip("_")
    return table.get(name, name)


def compare(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``; ``is`` is identity, as in Python."""
    function, cost = COMPARISON[symbol]
    if symbol in ("is", "is not"):
        return function(left, right)
    if symbol in ("in", "not in") and type(right) not in KNOWN and not isinstance(right, (Tensor, Special, *_SIZED)):
        right = Metered(iterate(right)) if hasattr(type(right), "__iter__") else right
    if isinstance(left, Special) or isinstance(right, Special):
        return _compare_special(symbol, left, right)
    try:
        if isinstance(left, ARRAYS) or isinstance(right, ARRAYS):
            if not isinstance(left, Tensor) and not isinstance(right, Tensor):
                return arrays.operate(symbol, function, cost, left, right)
            return arrays.beside_tensors(symbol, function, function, left, right)
        _pay(cost, left, right)
        return function(left, right)
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, function), (left, right))


_SIZED: Final = (list, tuple, dict, str, set, frozenset, range, np.ndarray, np.generic, deque)


def _as_seen_by(owner: Any, other: Any) -> Any:
    """An operand as a tensor takes it: an object whose class derives from that of a number is the number."""
    if isinstance(owner, Tensor) and isinstance(other, Special) and isinstance(other, (int, float)):
        return float.__float__(other) if isinstance(other, float) else int.__int__(other)
    return other


def _compare_special(symbol: str, left: Any, right: Any) -> Any:
    if symbol in ("in", "not in"):
        if isinstance(right, (list, tuple, set, frozenset, dict)) and not isinstance(right, Special):
            bounded(right)
        if not (isinstance(right, Special) or hasattr(type(right), "__contains__") or hasattr(type(right), "__iter__")):
            raise PythonError(TypeError, f"argument of type '{type_name(right)}' is not iterable")
        return python(operator.contains, right, left) == (symbol == "in")
    name, reflected = _COMPARING[symbol], _REFLECTED[symbol]
    forms = [(left, f"__{name}__", right), (right, f"__{reflected}__", left)]
    are_both = isinstance(left, Special) and isinstance(right, Special)
    if are_both and left.program_class in right.program_class.mro[1:]:
        forms.reverse()
    for owner, method, other in forms:
        result = python(getattr(type(owner), method), owner, _as_seen_by(owner, other))
        if result is not NotImplemented:
            return result
    if symbol in ("==", "!="):
        return (left is right) == (symbol == "==")
    raise PythonError(
        TypeError, f"'{symbol}' not supported between instances of '{type_name(left)}' and '{type_name(right)}'"
    )


def _pay(cost: CostOf, left: Any, right: Any) -> None:
    """Pay for an operator."""
    price = cost(left, right)
    if price is not LITTLE:
        pay(price)


# -- subscripts ---------------------------------------------------------------------------------------------------
SUBSCRIPTS: Final[dict[type, tuple[Callable[..., Any], Callable[..., None], Callable[..., None]]]] = {}
"""How items of other containers are got, set and deleted: filled by the modules that have them."""


def get_item(value: Any, index: Any) -> Any:
    """``value[index]``."""
    index = as_index(index) if isinstance(value, (list, tuple, str, range, Tensor, deque)) else index
    if isinstance(value, Tensor):
        try:
            return refusals.call(operator.getitem, (value, bounded(index)), {}, "__getitem__")
        except errors.EngineError as error:
            reraise(error, given=(index,))
    if isinstance(value, Special):
        return python(operator.getitem, value, index)
    if isinstance(value, tensors.Size):
        part = python(tuple.__getitem__, value, bounded(index))
        return tensors.Size(part) if isinstance(index, slice) else part
    if isinstance(value, (list, tuple, str)) and isinstance(index, slice):
        pay(costs.sliced(value, index))
        return python(operator.getitem, value, index)
    if type(value) in SUBSCRIPTS:
        return SUBSCRIPTS[type(value)][0](value, index)
    if isinstance(value, (list, tuple, dict, str, range, deque)):
        return python(operator.getitem, value, bounded(index))
    if isinstance(value, ARRAYS):
        return arrays.get_item(value, index)
    if isinstance(value, (HostType, ProgramClass)):
        return _class_item(value, index)
    if OPENED[0](value) and hasattr(type(value), "__getitem__"):
        return ENGINE_CALL[0](Routine("__getitem__", type(value).__getitem__, True, value), (value, index), {})
    if not hasattr(type(value), "program_item"):
        raise PythonError(TypeError, f"'{type_name(value)}' object is not subscriptable")
    return value.program_item(index)


def _class_item(value: Any, index: Any) -> Any:
    """``list[int]`` is ``list``: nobody asks what stands in the brackets."""
    if isinstance(value, ProgramClass):
        found = value.find("__class_getitem__")
        if found is not MISSING:
            inner = getattr(found, "function", found)
            return inner(value, index)
        if hasattr(value, "program_item"):
            return value.program_item(index)
        raise PythonError(TypeError, f"type '{value.name}' is not subscriptable")
    if value.type in (list, dict, tuple, set, frozenset, type, deque) or value.engine:
        return value
    raise PythonError(TypeError, f"type '{value.name}' is not subscriptable")


def set_item(container: Any, index: Any, value: Any) -> None:
    """``container[index] = value``."""
    index = as_index(index) if isinstance(container, (list, Tensor, deque)) else index
    if isinstance(container, Tensor):
        try:
            refusals.call(operator.setitem, (container, bounded(index), value), {}, "__setitem__")
        except errors.EngineError as error:
            reraise(error, given=(value,))
    elif type(container) is np.ndarray:
        arrays.set_item(container, index, value)
    elif isinstance(container, Special):
        modes.touch(container)
        python(operator.setitem, container, index, value)
    elif type(container) in SUBSCRIPTS:
        SUBSCRIPTS[type(container)][1](container, index, value)
    elif isinstance(container, (list, dict)):
        if isinstance(index, slice):
            value = held(value) if hasattr(type(value), "__iter__") else value
        pay(costs.assigned(container, index, value))
        modes.touch(container)
        python(operator.setitem, container, index, value)
    elif isinstance(container, deque):
        modes.touch(container)
        python(operator.setitem, container, index, value)
    elif OPENED[0](container) and hasattr(type(container), "__setitem__"):
        setter = Routine("__setitem__", type(container).__setitem__, True, container)
        ENGINE_CALL[0](setter, (container, index, value), {})
    else:
        raise PythonError(TypeError, f"'{type_name(container)}' object does not support item assignment")


def delete_item(container: Any, index: Any) -> None:
    """``del container[index]``."""
    if isinstance(container, Special):
        modes.touch(container)
        python(operator.delitem, container, index)
        return
    if type(container) in SUBSCRIPTS:
        SUBSCRIPTS[type(container)][2](container, index)
        return
    if OPENED[0](container) and hasattr(type(container), "__delitem__"):
        ENGINE_CALL[0](Routine("__delitem__", type(container).__delitem__, True, container), (container, index), {})
        return
    if not hasattr(type(container), "__delitem__") and not isinstance(container, (Callable_, Module)):
        python(operator.delitem, container, index)  # which Python refuses in its words
    if not isinstance(container, (list, dict, deque)):
        raise PythonError(TypeError, f"'{type_name(container)}' object does not support item deletion")
    pay(costs.moved(container))
    modes.touch(container)
    python(operator.delitem, container, bounded(as_index(index) if isinstance(container, list) else index))


def priced(function: Callable[..., object], cost: CostOf) -> Callable[..., object]:
    """``function``, paid for before it runs."""

    def call(*args: Any, **kwargs: Any) -> object:
        pay(python(cost, *args, **kwargs))
        return python(function, *args, **kwargs)

    return call
