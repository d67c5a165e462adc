"""What assignments bind: names, attributes, items, and several at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from app.program import tree
from app.program.builtins import delete_item, set_item
from app.program.classes import CHANGES, MISSING, HostMember
from app.program.compiling.arithmetic import changing, slot_of, sum_of
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import expression, load, reading, store
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, SMALL
from app.program.failures import PythonError, reraise
from app.program.functions import UNBOUND, Frame, Step
from app.program.instances import Instance
from app.program.operations import get_item, iterate, spread, type_name
from app.program.values import delete_attribute, set_attribute
from engine import Tensor

Binder = Callable[[Frame, Any], None]


def bind_target(env: Environment, target: tree.Target) -> Binder:
    """A function that binds a target to a value."""
    match target:
        case tree.Name(name):
            return store(env, name)
        case tree.Attribute(value, name):
            return _bind_attribute(expression(env, value), name)
        case tree.Subscript(value, index):
            container, key = expression(env, value), expression(env, index)
            return lambda frame, new: put_item(frame, container(frame), key(frame), new)
        case tree.Display(_, items):
            return _bind_several(env, items)
        case tree.Starred(value):
            return bind_target(env, value)  # type: ignore[arg-type]
    raise AssertionError(target)


def _bind_attribute(owner: Step, name: str) -> Binder:
    put = putting(name)
    return lambda frame, new: put(frame, owner(frame), new)


def putting(name: str) -> Callable[[Frame, Any, Any], None]:
    """``value.name = new``. Of objects of one class, which nothing changed, the class is asked once."""
    known: Any = None
    version = -1

    def put(frame: Frame, value: Any, new: Any) -> None:
        nonlocal known, version
        run = frame[0]
        if type(value) is Instance:
            cls = value.program_class
            if (cls is known and version == CHANGES[0]) or is_stored(cls, name):
                known, version = cls, CHANGES[0]
                if run.journal is not None:
                    run.journal.touch(value)
                value.attributes[name] = new
                if run.budget is not None:
                    run.budget.spent += OBJECT_BYTES + 4 * ITEM_BYTES
                return
        set_attribute(value, name, new)

    return put


def is_stored(cls: Any, name: str) -> bool:
    """Whether an attribute of a class's objects is a value of theirs, of which nobody else knows."""
    is_plain = cls.find(name) is MISSING and type(cls.find("__setattr__")) is HostMember
    return is_plain and bool(cls.has_room(name))


_KEYS = frozenset({str, int})


def put_item(frame: Frame, container: Any, key: Any, new: Any) -> None:
    """``container[key] = new``."""
    run = frame[0]
    if type(container) is dict and type(key) in _KEYS and len(container) < run.items:
        if run.journal is not None:
            run.journal.touch(container)
        container[key] = new
        if run.budget is not None:
            run.budget.spent += OBJECT_BYTES + 15 * ITEM_BYTES
    elif type(container) is list and type(key) is int:
        if run.journal is not None:
            run.journal.touch(container)
        try:
            container[key] = new
        except IndexError as error:
            reraise(error)
    else:
        set_item(container, key, new)


def _bind_several(env: Environment, items: tuple[Any, ...]) -> Binder:
    binders = [bind_target(env, item) for item in items]
    count = len(binders)
    star = next((place for place, item in enumerate(items) if isinstance(item, tree.Starred)), None)
    if star is None:

        def bind(frame: Frame, value: Any) -> None:
            parts = value if type(value) in (tuple, list) and len(value) == count else unpack(value, count)
            for binder, part in zip(binders, tuple(parts), strict=True):
                binder(frame, part)

        return bind
    place = star

    def bind_rest(frame: Frame, value: Any) -> None:
        _check_iterable(value)
        parts = list(spread(value))
        rest = len(parts) - count + 1
        if rest < 0:
            raise PythonError(
                ValueError, f"not enough values to unpack (expected at least {count - 1}, got {len(parts)})"
            )
        frame[0].keep(rest)
        parts[place : place + rest] = [parts[place : place + rest]]
        for binder, part in zip(binders, parts, strict=True):
            binder(frame, part)

    return bind_rest


def unpack(value: Any, count: int) -> list[Any]:
    """``value`` as ``count`` parts, as a tuple of targets takes it."""
    _check_iterable(value)
    parts = list(islice(iterate(value), count + 1))
    if len(parts) > count:
        raise PythonError(ValueError, f"too many values to unpack (expected {count})")
    if len(parts) < count:
        raise PythonError(ValueError, f"not enough values to unpack (expected {count}, got {len(parts)})")
    return parts


def _check_iterable(value: Any) -> None:
    if not isinstance(value, Tensor) and not hasattr(type(value), "__iter__"):
        raise PythonError(TypeError, f"cannot unpack non-iterable {type_name(value)} object")


def item_of(container: Any, key: Any) -> Any:
    """``container[key]``."""
    if (type(container) is list and type(key) is int) or (type(container) is dict and type(key) in _KEYS):
        try:
            return container[key]
        except LookupError as error:
            reraise(error)
    return get_item(container, key)


def augment(env: Environment, node: tree.Augment) -> Callable[[Frame], None]:
    """``target operator= value``."""
    value, changed = expression(env, node.value), changing(node.operator)
    match node.target:
        case tree.Name(name):
            return _augment_name(env, name, value, changed)
        case tree.Attribute(owner, name):
            return _augment_attribute(expression(env, owner), slot_of(env, owner), node, value)
        case tree.Subscript(owner, index):
            of, key = expression(env, owner), expression(env, index)

            def to_item(frame: Frame) -> None:
                found, place = of(frame), key(frame)
                put_item(frame, found, place, changed(item_of(found, place), value(frame)))

            return to_item


def _augment_attribute(
    of: Step, slot: int | None, node: tree.Augment, value: Step
) -> Callable[[Frame], None]:  # fmt: skip
    name, changed = node.target.name, changing(node.operator)  # type: ignore[union-attr]
    read, put, add = reading(name), putting(name), sum_of(node.operator)
    known: Any = None
    version = -1

    def to_attribute(frame: Frame) -> None:
        nonlocal known, version
        found = of(frame) if slot is None or frame[slot] is UNBOUND else frame[slot]
        if type(found) is Instance and found.program_class is known and version == CHANGES[0]:
            old = found.attributes.get(name, MISSING)
            run = frame[0]
            if old is not MISSING:
                right = value(frame)
                new = add(old, right) if add is not None and type(old) is int and type(right) is int else SMALL
                if not -SMALL < new < SMALL:
                    new = changed(old, right)
                if version == CHANGES[0]:
                    if run.journal is not None:
                        run.journal.touch(found)
                    found.attributes[name] = new
                    if run.budget is not None:
                        run.budget.spent += OBJECT_BYTES + 4 * ITEM_BYTES
                else:
                    put(frame, found, new)
                return
        put(frame, found, changed(read(found), value(frame)))
        if type(found) is Instance and is_stored(found.program_class, name):
            known, version = found.program_class, CHANGES[0]

    return to_attribute


def _augment_name(
    env: Environment, name: str, value: Step, changed: Callable[[Any, Any], Any]
) -> Callable[[Frame], None]:  # fmt: skip
    old, put = load(env, name), store(env, name)
    kind, place = env.place(name)
    if kind != "slot":
        return lambda frame: put(frame, changed(old(frame), value(frame)))

    def to_slot(frame: Frame) -> None:
        frame[place] = changed(old(frame), value(frame))

    return to_slot


def delete(env: Environment, target: tree.Target) -> Callable[[Frame], None]:
    """``del target``."""
    match target:
        case tree.Attribute(owner, name):
            of = expression(env, owner)
            return lambda frame: delete_attribute(of(frame), name)
        case tree.Subscript(owner, index):
            of, key = expression(env, owner), expression(env, index)
            return lambda frame: delete_item(of(frame), key(frame))
        case tree.Name(name):
            return _delete_name(env, name)
    raise AssertionError(target)


def _delete_name(env: Environment, name: str) -> Callable[[Frame], None]:
    kind, place = env.place(name)
    if kind == "global":
        return lambda frame: frame[0].unbind(name)
    read = load(env, name)
    if kind == "class":

        def of_class(frame: Frame) -> None:
            if frame[1].pop(name, UNBOUND) is UNBOUND:
                raise PythonError(NameError, f"name '{name}' is not defined")

        return of_class

    def of_frame(frame: Frame) -> None:
        read(frame)
        if kind == "cell":
            frame[place].value = UNBOUND
        else:
            frame[place] = UNBOUND

    return of_frame
