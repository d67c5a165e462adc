"""Expressions as closures over a frame."""

from __future__ import annotations

import builtins as python_builtins
from collections.abc import Callable
from typing import Any, Final

import msgspec

from app.program import tree
from app.program.builtins import CONSTANTS, EXCEPTIONS, FUNCTIONS
from app.program.calls import PRINT
from app.program.classes import CHANGES, MISSING
from app.program.compiling.arithmetic import binary_step, comparison, comparison_step, slot_of, small, unary_step
from app.program.compiling.environment import Environment
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, bounded
from app.program.failures import PythonError, locate, python, reraise
from app.program.formatting import converted, formatted
from app.program.functions import UNBOUND, Compiled, Frame, Function, Generator, Step
from app.program.instances import Instance, is_data
from app.program.operations import (
    LIGHT,
    Module,
    get_item,
    iterate,
    spread,
    type_name,
)
from app.program.reflection import REFLECTION
from app.program.runtime import Run
from app.program.tree import Expression, GraphError
from app.program.values import attribute
from app.wire.arrays import ArrayError, decode_tensor
from engine import Tensor, dtypes, refusals

BUILTINS: Final[dict[str, object]] = {
    "torch": Module("torch"), **FUNCTIONS, **EXCEPTIONS, **CONSTANTS, **REFLECTION, "print": PRINT,
    "__name__": "__main__", "__doc__": None,
}  # fmt: skip
UNOFFERED: Final = frozenset(dir(python_builtins)) - BUILTINS.keys() - {"_"}
"""Python's other built-in names: a program that uses one is outside the language, not merely wrong."""


def missing(run: Run, name: str) -> Any:
    """A name that the module does not have: one that a loop left, a built-in one, or an error."""
    if run.watch is not None and run.watch.pending is not None:
        run.settle()
        if name in run.namespace:
            return run.namespace[name]
    found = BUILTINS.get(name, UNBOUND)
    if found is UNBOUND:
        if name in UNOFFERED:
            raise GraphError(f"{name} is outside the language of this service: nothing outside of a program is there")
        raise PythonError(NameError, f"name '{name}' is not defined")
    return found


# -- names ------------------------------------------------------------------------------------------------------------
def load(env: Environment, name: str) -> Step:
    """The value of a name."""
    kind, place = env.place(name)
    if kind == "slot":

        def of_slot(frame: Frame) -> Any:
            value = frame[place]
            if value is UNBOUND:
                raise _unbound(name)
            return value

        return of_slot
    if kind == "cell":
        is_own = env.code is None or name in env.code.bound or any(name in names for names in env.inner)

        def of_cell(frame: Frame) -> Any:
            value = frame[place].value
            if value is UNBOUND:
                raise _unbound(name, is_own)
            return value

        return of_cell

    def of_module(frame: Frame) -> Any:
        run = frame[0]
        try:
            return run.namespace[name]
        except KeyError:
            pass
        return missing(run, name)

    if kind == "global":
        return of_module

    def of_class(frame: Frame) -> Any:
        namespace = frame[1]
        return namespace[name] if name in namespace else of_module(frame)

    return of_class


def _unbound(name: str, is_own: bool = True) -> PythonError:
    if is_own:
        return PythonError(
            UnboundLocalError, f"cannot access local variable '{name}' where it is not associated with a value"
        )
    return PythonError(
        NameError, f"cannot access free variable '{name}' where it is not associated with a value in enclosing scope"
    )


def store(env: Environment, name: str) -> Callable[[Frame, Any], None]:
    """Bind a name to a value."""
    kind, place = env.place(name)
    if kind == "slot":
        return lambda frame, value: frame.__setitem__(place, value)
    if kind == "cell":

        def to_cell(frame: Frame, value: Any) -> None:
            cell = frame[place]
            run = frame[0]
            if run.journal is not None:
                run.journal.touch(cell)
            cell.value = value

        return to_cell
    if kind == "class":
        return lambda frame, value: frame[1].__setitem__(name, value)

    def to_module(frame: Frame, value: Any) -> None:
        run = frame[0]
        run.namespace[name] = value
        run.named[name] = None
        run.last = name

    return to_module


# -- values -----------------------------------------------------------------------------------------------------------
def _constant(env: Environment, node: tree.Constant) -> Step:
    value = node.value
    return lambda frame: value


def fresh_tensor(run: Run, node: tree.TensorConstant) -> Tensor:
    """A tensor of its wire spelling."""
    try:
        return decode_tensor(node.raw, run.limits, ("tensor",))
    except ArrayError as error:
        raise GraphError(f"{'.'.join(map(str, error.place))}: {error}") from None


def _name(env: Environment, node: tree.Name) -> Step:
    return load(env, node.id)


def _attribute(env: Environment, node: tree.Attribute) -> Step:
    value, name = expression(env, node.value), node.name

    read, slot = reading(name), slot_of(env, node.value)
    if slot is None:
        return lambda frame: read(value(frame))

    def read_slot(frame: Frame) -> Any:
        owner = frame[slot]
        return read(value(frame) if owner is UNBOUND else owner)

    return read_slot


def reading(name: str) -> Callable[[Any], Any]:
    """``value.name``. Of objects of one class, which nothing changed, the class is asked once."""
    known: Any = None
    version = -1

    def read(owner: Any) -> Any:
        nonlocal known, version
        if type(owner) is Instance:
            own = owner.attributes.get(name, MISSING)
            if own is not MISSING:
                cls = owner.program_class
                if cls is known and version == CHANGES[0]:
                    return own
                if not is_data(cls.find(name)):
                    known, version = cls, CHANGES[0]
                    return own
        return attribute(owner, name)

    return read


def _subscript(env: Environment, node: tree.Subscript) -> Step:
    value, index = expression(env, node.value), expression(env, node.index)

    def subscript(frame: Frame) -> Any:
        container, key = value(frame), index(frame)
        kind = type(container)
        if kind is list or kind is tuple:
            if type(key) is int:
                try:
                    return container[key]
                except LookupError as error:
                    reraise(error)
        elif kind is dict and type(key) in _KEYS:
            try:
                return container[key]
            except LookupError as error:
                reraise(error)
        return get_item(container, key)

    if not small(node.index) or type(node.index.value) is not int:  # type: ignore[union-attr]
        return subscript
    number = node.index.value  # type: ignore[union-attr]

    def numbered(frame: Frame) -> Any:
        container = value(frame)
        kind = type(container)
        if kind is list or kind is tuple or kind is dict:
            try:
                return container[number]
            except LookupError as error:
                reraise(error)
        return get_item(container, number)

    return numbered


_KEYS: Final = frozenset({str, int})


def _slice(env: Environment, node: tree.Slice) -> Step:
    start, stop, step = (expression(env, part) for part in (node.start, node.stop, node.step))
    return lambda frame: slice(start(frame), stop(frame), step(frame))


def several(env: Environment, nodes: tuple[Expression, ...]) -> Step:
    """A list of values; those that are starred give all of theirs."""
    if not any(isinstance(node, tree.Starred) for node in nodes):
        return listed([expression(env, node) for node in nodes])
    parts = [
        (expression(env, node.value), True) if isinstance(node, tree.Starred) else (expression(env, node), False)
        for node in nodes
    ]

    def spread(frame: Frame) -> list[Any]:
        found: list[Any] = []
        for step, is_starred in parts:
            if is_starred:
                found.extend(_spread(step(frame)))
            else:
                found.append(step(frame))
        return found

    return spread


def listed(steps: list[Step]) -> Step:
    """A list of the values of ``steps``."""
    match steps:
        case []:
            return lambda frame: []
        case [first]:
            return lambda frame: [first(frame)]
        case [first, second]:
            return lambda frame: [first(frame), second(frame)]
    return lambda frame: [step(frame) for step in steps]


def _spread(value: Any) -> Any:
    if not isinstance(value, Tensor) and not hasattr(type(value), "__iter__"):
        raise PythonError(TypeError, f"Value after * must be an iterable, not {type_name(value)}")
    return spread(value)


def _display(env: Environment, node: tree.Display) -> Step:
    items, kind = several(env, node.items), node.kind

    def display(frame: Frame) -> Any:
        made = items(frame)
        budget = frame[0].budget
        if budget is not None:
            budget.spent += OBJECT_BYTES + ITEM_BYTES * len(made)
        if kind == "list":
            return made
        return tuple(made) if kind == "tuple" else python(set, bounded(made))

    return display


def _dict(env: Environment, node: tree.DictDisplay) -> Step:
    parts = [(None if key is None else expression(env, key), expression(env, value)) for key, value in node.items]

    def display(frame: Frame) -> Any:
        made: dict[Any, Any] = {}
        for key, value in parts:
            if key is None:
                made.update(entries_of(value(frame)))
            else:
                found = key(frame)
                python(made.__setitem__, found if type(found) is str else bounded(found), value(frame))
        frame[0].keep(4 * len(made))
        return made

    return display


def is_mapping(value: Any) -> bool:
    """Whether a value has entries, for ``**``."""
    if isinstance(value, dict):
        return True
    if type(value) is Instance:
        return value.program_class.method("keys") is not MISSING or "keys" in value.attributes
    return hasattr(value, "keys") and hasattr(type(value), "__getitem__")


def entries_of(value: Any) -> dict[Any, Any]:
    """The entries of a mapping, for ``**``."""
    if not is_mapping(value):
        raise PythonError(TypeError, f"'{type_name(value)}' object is not a mapping")
    if isinstance(value, dict):
        return bounded(value)  # type: ignore[no-any-return]
    keys = python(attribute(value, "keys") if type(value) is Instance else value.keys)
    if not hasattr(type(keys), "__iter__"):
        raise PythonError(TypeError, f"{type_name(value)}.keys() returned a non-iterable (type {type_name(keys)})")
    return {name: get_item(value, name) for name in iterate(keys)}


def _joined(env: Environment, node: tree.Joined) -> Step:
    parts = [part if isinstance(part, str) else _field(env, part) for part in node.parts]

    def join(frame: Frame) -> str:
        texts = [part if type(part) is str else part(frame) for part in parts]  # type: ignore[operator]
        text = "".join(texts)
        frame[0].keep(len(text))
        return text

    return join


def _field(env: Environment, node: tree.Field) -> Step:
    value, conversion = expression(env, node.value), node.conversion
    spec = None if node.spec is None else _joined(env, node.spec)

    def field(frame: Frame) -> str:
        found = value(frame)
        if conversion:
            found = converted(found, conversion)
        return formatted(found, "" if spec is None else spec(frame))

    return field


# -- operators --------------------------------------------------------------------------------------------------------
def _binary(env: Environment, node: tree.Binary) -> Step:
    return binary_step(env, node, expression(env, node.left), expression(env, node.right))


def _unary(env: Environment, node: tree.Unary) -> Step:
    if node.operator == "not":
        truth = condition(env, node.operand)
        return lambda frame: not truth(frame)
    return unary_step(node.operator, expression(env, node.operand))


def _comparison(env: Environment, node: tree.Comparison) -> Step:
    first = expression(env, node.first)
    if len(node.rest) == 1:
        ((symbol, other),) = node.rest
        return comparison_step(env, symbol, first, expression(env, other), node.first, other)
    rest = [(comparison(symbol), expression(env, other)) for symbol, other in node.rest]

    def chain(frame: Frame) -> Any:
        left = first(frame)
        result: Any = True
        last = len(rest) - 1
        for place, (compared, step) in enumerate(rest):
            right = step(frame)
            result = compared(left, right)
            if place < last and not truth_of(result):
                return result
            left = right
        return result

    return chain


def truth_of(value: Any) -> bool:
    """``bool(value)``."""
    if value is True or value is False:
        return value
    return bool(value) if type(value) in LIGHT else _truth(value)


def _truth(value: Any) -> bool:
    if isinstance(value, Tensor):
        return refusals.call(bool, (value,), {}, "bool")  # type: ignore[no-any-return]
    return python(bool, value)  # type: ignore[no-any-return]


def condition(env: Environment, node: Expression) -> Callable[[Frame], bool]:
    """Whether an expression is true."""
    value = expression(env, node)

    def test(frame: Frame) -> bool:
        found = value(frame)
        return found if found is True or found is False else truth_of(found)

    return test


def _logical(env: Environment, node: tree.Logical) -> Step:
    *first, last = [expression(env, operand) for operand in node.operands]
    stops_at = node.operator == "or"

    def logical(frame: Frame) -> Any:
        for step in first:
            value = step(frame)
            if (value if value is True or value is False else truth_of(value)) is stops_at:
                return value
        return last(frame)

    return logical


def _conditional(env: Environment, node: tree.Conditional) -> Step:
    test, body, otherwise = (expression(env, one) for one in (node.test, node.body, node.otherwise))

    def choose(frame: Frame) -> Any:
        found = test(frame)
        if found is True or (found is not False and truth_of(found)):
            return body(frame)
        return otherwise(frame)

    return choose


def _binding(env: Environment, node: tree.Binding) -> Step:
    value, put = expression(env, node.value), store(env, node.name)

    def bind(frame: Frame) -> Any:
        found = value(frame)
        put(frame, found)
        return found

    return bind


def _at(env: Environment, node: tree.At) -> Step:
    value, place = expression(env, node.value), node.place

    def located(frame: Frame) -> Any:
        try:
            return value(frame)
        except Exception as error:
            locate(error, place)
            raise

    return located


# -- functions --------------------------------------------------------------------------------------------------------
BODIES: Final[list[Callable[[Environment, Compiled], None]]] = []  # how bodies are compiled: see ``statements``


def compiled_of(env: Environment, code: tree.Code) -> tuple[Compiled, tuple[int, ...]]:
    """A function's definition, and the places of the cells that it takes from the frame in which it is made."""
    inner = Environment("function", env.source, code, env)
    compiled = Compiled(code, env.source)
    BODIES[0](inner, compiled)
    compiled.blank = [UNBOUND] * (inner.size - inner.start)
    compiled.takes = len(inner.taken)
    names = code.parameters.names
    compiled.captured = tuple([inner.slots[name] for name in names if name in code.cells])
    compiled.fresh = tuple([inner.slots[name] for name in code.bound if name in code.cells and name not in names])
    compiled.has_cells = bool(compiled.captured or compiled.fresh)
    if not (compiled.blank or compiled.takes or compiled.has_cells):
        compiled.bare = compiled.expression
    return compiled, inner.taken


def _lambda(env: Environment, node: tree.Lambda) -> Step:
    compiled, taken = compiled_of(env, node.code)
    defaults = several(env, node.defaults)
    named = [(name, expression(env, value)) for name, value in node.keyword_defaults]

    def make(frame: Frame) -> Function:
        frame[0].keep(16 + len(taken))
        return Function(
            compiled, tuple(defaults(frame)), {name: step(frame) for name, step in named},
            tuple([frame[place] for place in taken]),
        )  # fmt: skip

    return make


def _generated(env: Environment, node: tree.Generated) -> Step:
    values = expression(env, node.values)
    compiled, taken = compiled_of(env, node.code)

    def make(frame: Frame) -> Generator:
        items = iterate(values(frame))
        function = Function(compiled, (), {}, tuple([frame[place] for place in taken]))
        found: Generator = function.enter(frame[0], (items,))
        return found

    return make


_DTYPE_NAMES: Final = frozenset(dtype.name for dtype in dtypes.ALL)


def dtype_named(value: Any) -> Any:
    """A JSON string that is the name of a dtype stands for it."""
    if isinstance(value, str) and value.removeprefix("torch.") in _DTYPE_NAMES:
        return dtypes.by_name(value)
    return value


def _refuse_here(what: str) -> Callable[[Environment, Any], Step]:
    def refuse(env: Environment, node: Any) -> Step:
        raise GraphError(f"{what} cannot stand here")

    return refuse


class SLOT(msgspec.Struct, frozen=True):
    """A value that was put into a place of the frame before."""

    place: int


def _slot(env: Environment, node: SLOT) -> Step:
    place = node.place
    return lambda frame: frame[place]


def expression(env: Environment, node: Expression) -> Step:
    """Compile one expression."""
    return EXPRESSIONS[type(node)](env, node)


EXPRESSIONS: Final[dict[type, Callable[[Environment, Any], Step]]] = {
    tree.Constant: _constant, tree.Name: _name, tree.Attribute: _attribute,
    tree.Subscript: _subscript, tree.Slice: _slice, tree.Display: _display, tree.DictDisplay: _dict,
    tree.Starred: _refuse_here("a starred expression"), tree.Unary: _unary,
    tree.Binary: _binary, tree.Comparison: _comparison, tree.Logical: _logical, tree.Conditional: _conditional,
    tree.Binding: _binding, tree.Joined: _joined, tree.At: _at,
    tree.Yield: _refuse_here("yield"), tree.YieldFrom: _refuse_here("yield from"), tree.Lambda: _lambda,
    tree.Generated: _generated, SLOT: _slot,
}  # fmt: skip
