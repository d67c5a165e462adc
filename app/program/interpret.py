"""Walks a program over a namespace. The one place where programs run.

Values are the engine's and Python's own; expressions raise what PyTorch and Python raise, and the statement they stand
in turns that into a ``ProgramError`` with its place. Temporaries die with the expression that made them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, NoReturn, TypeVar

from app.limits import Limits, OverLimit
from app.program import builtins, names, pytorch
from app.program import tree as tree
from app.program.builtins import FUNCTIONS, Function, Module, Routine, type_name
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, bounded
from app.program.failures import PythonError, python
from app.program.from_nodes import check_references
from app.program.tree import Expression, GraphError, Place, Program, ProgramError, Statement, quoted
from app.program.values import attribute, set_attribute
from app.wire.arrays import ArrayError, decode_tensor
from engine import Tensor, dtypes, errors, modes, refusals

Scope = dict[str, Any]
Misplaced = TypeVar("Misplaced", GraphError, OverLimit)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves beside its namespace: a text per print, the names bound in order, and the last one bound."""

    prints: list[str]
    named: list[str]
    last: str | None


def check(program: Program, namespace: Scope) -> None:
    """Raise ``GraphError`` for references and ops of a nodes program that do not exist."""
    check_references(program, namespace)
    for op, place in program.ops:
        if names.find_op(op) is None:
            try:
                pytorch.refuse_op(op)
            except GraphError as error:
                raise _placed(error, place) from None
            unknown = GraphError(f"unknown op {quoted(op)}", node_id=place.node_id, node_index=place.node_index)
            unknown.op = op
            raise unknown


def run(program: Program, namespace: Scope, *, limits: Limits) -> Outcome:
    """Run ``program`` over ``namespace``, which it changes.

    Raises ``GraphError`` where the program is outside the language and ``ProgramError`` where PyTorch would raise;
    limits (``OverLimit``, ``BudgetError``) pass through.
    """
    check(program, namespace)
    interpreter = Interpreter(namespace, limits)
    interpreter.block(program.statements)
    named = list(interpreter.named)
    return Outcome(interpreter.prints, named, interpreter.last)


class Interpreter:
    """One run: the namespace, what was printed and bound, and how much was repeated."""

    def __init__(self, namespace: Scope, limits: Limits) -> None:
        self.namespace = namespace
        self.limits = limits
        self.prints: list[str] = []
        self.printed = 0
        self.named: dict[str, None] = {}
        self.last: str | None = None
        self.calls = 0
        self.budget = modes.current().budget

    # -- statements -----------------------------------------------------------------------------------------------
    def block(self, block: tuple[Statement, ...]) -> None:
        for statement in block:
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        if self.budget is not None:
            self.budget.spend(0)
        try:
            _EXECUTE[type(statement)](self, statement)
        except errors.BudgetError as error:
            error.place = error.place or statement.place
            raise
        except OverLimit as error:
            raise _placed(error, statement.place) from None
        except MemoryError:
            raise
        except errors.UnexpectedArgumentError as error:
            self._refuse_argument(error, statement.place)
        except (errors.EngineError, PythonError) as error:
            raise self._refusal(error, statement.place) from error
        except GraphError as error:
            raise _placed(error, statement.place) from None

    def _refuse_argument(self, error: errors.UnexpectedArgumentError, place: Place) -> NoReturn:
        """An argument that PyTorch takes is not available; any other is the program's mistake."""
        try:
            pytorch.refuse_argument(error.op or "", error.argument)
        except GraphError as refusal:
            raise _placed(refusal, place) from None
        raise self._refusal(error, place) from error

    def _refusal(self, error: errors.EngineError | PythonError, place: Place) -> ProgramError:
        return ProgramError(error.exception, str(error), place, self.prints, getattr(error, "op", None))

    def assign(self, statement: tree.Assign) -> None:
        value = self.evaluate(statement.value, None)
        for target in statement.targets:
            if type(target) is tree.Name:
                self.bind_name(target.id, value)
            else:
                self.bind(target, value)

    def bind(self, target: tree.Target, value: object) -> None:
        match target:
            case tree.Name(name):
                self.bind_name(name, value)
            case tree.Attribute(owner, name):
                set_attribute(self.evaluate(owner, None), name, value)
            case tree.Subscript(container, index):
                builtins.set_item(self.evaluate(container, None), self.evaluate(index, None), value)
            case tree.Display(_, targets):
                for one, part in zip(targets, unpack(value, len(targets)), strict=True):
                    self.bind(one, part)  # type: ignore[arg-type]

    def bind_name(self, name: str, value: object) -> None:
        self.namespace[name] = value
        self.named[name] = None
        self.last = name

    def augment(self, statement: tree.Augment) -> None:
        match statement.target:
            case tree.Name(name):
                old = self.name(name, None)
                self.bind_name(name, self._augmented(statement, old))
            case tree.Attribute(owner, name):
                value = self.evaluate(owner, None)
                set_attribute(value, name, self._augmented(statement, attribute(value, name)))
            case tree.Subscript(owner, key):
                value, index = self.evaluate(owner, None), self.evaluate(key, None)
                builtins.set_item(value, index, self._augmented(statement, builtins.get_item(value, index)))

    def _augmented(self, statement: tree.Augment, old: object) -> object:
        return builtins.in_place(statement.operator, old, self.evaluate(statement.value, None))

    def perform(self, statement: tree.Evaluate) -> None:
        self.evaluate(statement.value, None)

    def delete(self, statement: tree.Delete) -> None:
        for target in statement.targets:
            if isinstance(target, tree.Subscript):
                builtins.delete_item(self.evaluate(target.value, None), self.evaluate(target.index, None))
                continue
            if target.id not in self.namespace:
                raise PythonError(NameError, f"name '{target.id}' is not defined")
            del self.namespace[target.id]
            self.named.pop(target.id, None)
            self.last = next(reversed(self.named), None) if self.last == target.id else self.last

    def within(self, statement: tree.With) -> None:
        with ExitStack() as stack:
            for mode in statement.modes:
                given = () if mode.enabled is None else (self.evaluate(mode.enabled, None),)
                stack.enter_context(_MODES[mode.name](*given))
            self.block(statement.body)

    def loop(self, statement: tree.For) -> None:
        for value in statement.values:
            self.bind_name(statement.target.id, value)
            self.block(statement.body)

    # -- expressions ----------------------------------------------------------------------------------------------
    def evaluate(self, expression: Expression, scope: Scope | None) -> Any:
        """The value of ``expression``; ``scope`` holds the parameters of the lambda it stands in."""
        return _EVALUATE[type(expression)](self, expression, scope)

    def name(self, name: str, scope: Scope | None) -> Any:
        if scope is not None and name in scope:
            return scope[name]
        if name in self.namespace:
            return self.namespace[name]
        if name in _GLOBALS:
            return _GLOBALS[name]
        if name == "print":
            return builtins.PRINT
        if name in builtins.UNOFFERED:
            raise GraphError(f"{name} is outside the language of this service: its functions are {_OFFERED}")
        raise PythonError(NameError, f"name '{name}' is not defined")

    def _name(self, expression: tree.Name, scope: Scope | None) -> Any:
        return self.name(expression.id, scope)

    def _constant(self, expression: tree.Constant, scope: Scope | None) -> Any:
        return expression.value

    def _tensor(self, expression: tree.TensorConstant, scope: Scope | None) -> Tensor:
        try:
            return decode_tensor(expression.raw, self.limits, ("tensor",))
        except ArrayError as error:
            raise GraphError(f"{'.'.join(map(str, error.place))}: {error}") from None

    def _attribute(self, expression: tree.Attribute, scope: Scope | None) -> Any:
        return attribute(self.evaluate(expression.value, scope), expression.name)

    def _subscript(self, expression: tree.Subscript, scope: Scope | None) -> Any:
        return builtins.get_item(self.evaluate(expression.value, scope), self.evaluate(expression.index, scope))

    def _slice(self, expression: tree.Slice, scope: Scope | None) -> slice:
        return slice(*(self.evaluate(part, scope) for part in (expression.start, expression.stop, expression.step)))

    def _display(self, expression: tree.Display, scope: Scope | None) -> Any:
        items = [self.evaluate(item, scope) for item in expression.items]
        self.keep(len(items))
        return items if expression.kind == "list" else tuple(items)

    def _dict(self, expression: tree.DictDisplay, scope: Scope | None) -> Any:
        made: dict[Any, Any] = {}
        for key, value in expression.items:
            python(made.__setitem__, bounded(self.evaluate(key, scope)), self.evaluate(value, scope))
        self.keep(4 * len(made))
        return made

    def keep(self, count: int) -> None:
        """Count the memory of a new container; the next statement asks whether there is as much."""
        if self.budget is not None:
            self.budget.spent += OBJECT_BYTES + ITEM_BYTES * count

    def _unary(self, expression: tree.Unary, scope: Scope | None) -> Any:
        return builtins.unary(expression.operator, self.evaluate(expression.operand, scope))

    def _binary(self, expression: tree.Binary, scope: Scope | None) -> Any:
        left, right = self.evaluate(expression.left, scope), self.evaluate(expression.right, scope)
        return builtins.binary(expression.operator, left, right)

    def _comparison(self, expression: tree.Comparison, scope: Scope | None) -> Any:
        left = self.evaluate(expression.first, scope)
        *before, (_, _) = expression.rest
        for symbol, operand in expression.rest:
            right = self.evaluate(operand, scope)
            result = builtins.compare(symbol, left, right)
            if before and not result:
                return result
            before, left = before[1:], right
        return result

    def _logical(self, expression: tree.Logical, scope: Scope | None) -> Any:
        *first, last = expression.operands
        for operand in first:
            value = self.evaluate(operand, scope)
            if python(bool, value) == (expression.operator == "or"):
                return value
        return self.evaluate(last, scope)

    def _lambda(self, expression: tree.Lambda, scope: Scope | None) -> Function:
        captured = dict(scope or {})
        self.keep(8 * len(captured))
        return Function(expression.parameters, expression.body, captured, expression.source)

    # -- calls ----------------------------------------------------------------------------------------------------
    def _call(self, expression: tree.Call, scope: Scope | None) -> Any:
        function = self.evaluate(expression.function, scope)
        args = [self.evaluate(argument, scope) for argument in expression.args]
        kwargs = {name: self.evaluate(argument, scope) for name, argument in expression.kwargs}
        return self.call(function, args, kwargs)

    def call(self, function: object, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if function is builtins.PRINT:
            return self.print(*args, **kwargs)
        if isinstance(function, Routine):
            if function.engine:
                args, kwargs = self.for_engine(args, kwargs)
                return refusals.call(function.function, args, kwargs, names.path_of(function))
            if "key" in kwargs:
                kwargs["key"] = self._adapted(kwargs["key"])
            return python(function.function, *args, **kwargs)
        if isinstance(function, Function):
            return self.apply(function, *args, **kwargs)
        raise PythonError(TypeError, f"'{type_name(function)}' object is not callable")

    def for_engine(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments as the engine takes them: lambdas as Python callables, Python's types as dtypes."""
        return [self._adapted(value) for value in args], {name: self._adapted(value) for name, value in kwargs.items()}

    def _adapted(self, value: Any) -> Any:
        if type(value) in _PLAIN or isinstance(value, Tensor):
            return value
        if isinstance(value, Function):
            return partial(self.apply, value)
        if value is builtins.PRINT:
            return self.print
        if isinstance(value, Routine):
            is_type = value.owner is None and value.name in builtins.PYTHON_TYPES
            return dtypes.python_type(value.function()) if is_type else partial(self._called, value)
        return bounded(value)

    def _called(self, routine: Routine, *args: Any, **kwargs: Any) -> Any:
        return self.call(routine, list(args), kwargs)

    def apply(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """Call a lambda. Every call counts as an iteration: lambdas can call each other exponentially often."""
        if self.budget is not None:
            self.budget.take(1 + len(function.captured))
        self.calls += 1
        if self.calls > self.limits.loop_iterations:
            raise OverLimit("loop_iterations", allowed=self.limits.loop_iterations, asked=self.calls)
        scope = {**function.captured, **_parameters(function, args, kwargs)}
        try:
            return self.evaluate(function.body, scope)
        except RecursionError:  # lambdas are the only way of a program to nest calls without end
            raise PythonError(RecursionError, "maximum recursion depth exceeded") from None

    def _op_call(self, expression: tree.OpCall, scope: Scope | None) -> Any:
        function = names.find_op(expression.op)
        if function is None:  # checked before the run
            raise GraphError(f"unknown op {quoted(expression.op)}")
        args = [
            value if type(value := _EVALUATE[type(one)](self, one, scope)) in _PLAIN else _dtype(self._adapted(value))
            for one in expression.args
        ]
        kwargs = {name: self._adapted(self.evaluate(argument, scope)) for name, argument in expression.kwargs}
        return refusals.call(function, args, kwargs, expression.op)

    def print(self, *values: Any, sep: Any = None, end: Any = None, **others: Any) -> None:
        """One text a call, without the newline at its end."""
        if others:
            raise PythonError(TypeError, f"'{next(iter(others))}' is an invalid keyword argument for print()")
        for name, given in (("sep", sep), ("end", end)):
            if given is not None and not isinstance(given, str):
                raise PythonError(TypeError, f"{name} must be None or a string, not {type_name(given)}")
        parts = [self._text(value) for value in values]
        self._count(len(sep or " ") * max(len(parts) - 1, 0) + len(end or "\n"))
        text = (" " if sep is None else sep).join(parts) + ("\n" if end is None else end)
        self.prints.append(text.removesuffix("\n"))
        if len(self.prints) > self.limits.prints:
            raise OverLimit("prints", allowed=self.limits.prints, asked=len(self.prints))

    def _text(self, value: Any) -> str:
        text = str(value) if isinstance(value, Tensor) else str(python(_STR, value))
        self._count(len(text))
        return text

    def _count(self, chars: int) -> None:
        self.printed += chars
        if self.printed > self.limits.print_chars:
            raise OverLimit("print_chars", allowed=self.limits.print_chars, asked=self.printed)


def unpack(value: Any, count: int) -> list[Any]:
    """``value`` as ``count`` parts, as a tuple of targets takes it."""
    parts = list(islice(_iterate(value), count + 1))
    if len(parts) > count:
        raise PythonError(ValueError, f"too many values to unpack (expected {count})")
    if len(parts) < count:
        raise PythonError(ValueError, f"not enough values to unpack (expected {count}, got {len(parts)})")
    return parts


def _iterate(value: Any) -> Iterator[Any]:
    if isinstance(value, Tensor) or hasattr(type(value), "__iter__"):
        return iter(value)
    raise PythonError(TypeError, f"cannot unpack non-iterable {type_name(value)} object")


def _parameters(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Scope:
    """Arguments by the names of a lambda's parameters."""
    names = function.parameters
    if len(args) > len(names):
        given = f"{len(args)} {'was' if len(args) == 1 else 'were'} given"
        raise PythonError(
            TypeError, f"<lambda>() takes {len(names)} positional argument{'s' * (len(names) != 1)} but {given}"
        )
    scope: Scope = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise PythonError(TypeError, f"<lambda>() got an unexpected keyword argument '{name}'")
        if name in scope:
            raise PythonError(TypeError, f"<lambda>() got multiple values for argument '{name}'")
        scope[name] = value
    missing = [repr(name) for name in names if name not in scope]
    if missing:
        raise _missing(missing)
    return scope


def _missing(names: list[str]) -> PythonError:
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}{',' * (len(names) > 2)} and {names[-1]}"
    return PythonError(
        TypeError, f"<lambda>() missing {len(names)} required positional argument{'s' * (len(names) > 1)}: {listed}"
    )


def _dtype(value: Any) -> Any:
    """A JSON string that is the name of a dtype stands for it."""
    if isinstance(value, str) and value.removeprefix("torch.") in _DTYPE_NAMES:
        return dtypes.by_name(value)
    return value


def _placed(error: Misplaced, place: Place) -> Misplaced:
    """``error`` with the place of its statement, unless it names one itself."""
    if error.line is None and error.node_index is None:
        error.line, error.column = place.line, place.column
        error.node_id, error.node_index = place.node_id, place.node_index
    return error


_STR: Final = FUNCTIONS["str"].function
_PLAIN: Final = frozenset({Tensor, bool, complex, float, int, type(None)})  # what the engine takes as it is
_DTYPE_NAMES: Final = frozenset(dtype.name for dtype in dtypes.ALL)
_GLOBALS: Final[dict[str, object]] = {"torch": Module("torch"), **FUNCTIONS}
_OFFERED: Final = ", ".join(sorted((*FUNCTIONS, "print")))
_MODES: Final[dict[str, Callable[..., Any]]] = {
    "no_grad": modes.no_grad,
    "enable_grad": modes.enable_grad,
    "inference_mode": modes.inference_mode,
    "set_grad_enabled": modes.set_grad_enabled,
}
_EXECUTE: Final[dict[type, Callable[[Interpreter, Any], None]]] = {
    tree.Assign: Interpreter.assign,
    tree.Augment: Interpreter.augment,
    tree.Evaluate: Interpreter.perform,
    tree.Delete: Interpreter.delete,
    tree.With: Interpreter.within,
    tree.For: Interpreter.loop,
}
_EVALUATE: Final[dict[type, Callable[[Interpreter, Any, Scope | None], Any]]] = {
    tree.Constant: Interpreter._constant,
    tree.TensorConstant: Interpreter._tensor,
    tree.Name: Interpreter._name,
    tree.Attribute: Interpreter._attribute,
    tree.Subscript: Interpreter._subscript,
    tree.Slice: Interpreter._slice,
    tree.Display: Interpreter._display,
    tree.DictDisplay: Interpreter._dict,
    tree.Call: Interpreter._call,
    tree.OpCall: Interpreter._op_call,
    tree.Unary: Interpreter._unary,
    tree.Binary: Interpreter._binary,
    tree.Comparison: Interpreter._comparison,
    tree.Logical: Interpreter._logical,
    tree.Lambda: Interpreter._lambda,
}
