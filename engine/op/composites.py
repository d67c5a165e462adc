"""The function behind each composite: binds and converts the arguments, then calls the ops that it consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import MissingAttributeError
from engine.op.binding import Form, refusing
from engine.op.calls import TEXT
from engine.op.signature import MISSING, type_name
from engine.op.text import tuple_of


def _without(value: object, attribute: str) -> MissingAttributeError:
    """What Python says of a value that has no such attribute."""
    return MissingAttributeError(f"'{type_name(value)}' object has no attribute '{attribute}'")


def write_composite(
    op: Any, signature: Any, call: str = "return function({})", converts: bool = True
) -> Callable[..., Any]:
    """The call of a function of other ops; ``call`` says what is done with the function and its arguments.

    Unless it ``converts`` static arguments, another op will.
    """
    form = Form(signature)
    body = form.lines()
    in_place = signature.name.endswith("_") and not signature.name.endswith("__")
    for param in form.params:
        if param.kind == "Tensor" and not param.variadic:
            t = form.variable[param.name]
            unless = f" and {t} is not None" if param.optional else ""
            body += [f"if not isinstance({t}, Tensor){unless}:",
                     f"    raise p{param.index}.reject(NAME, 'Tensor', {t})"]  # fmt: skip
        elif param.kind == "Masking":
            t = form.variable[param.name]
            body += [f"if not isinstance({t}, Tensor) and {t} is not None:", f"    raise without({t}, 'shape')"]
        elif param.kind == "Tensors":
            t = form.variable[param.name]
            body.append(f"{t} = p{param.index}.tensors(NAME, {t})")
        elif param.kind == "Operand" and op.listed and converts:
            t = form.variable[param.name]
            unless = f" and {t} is not None" if param.optional or param.default is None else ""
            body += [f"if not isinstance({t}, Tensor) and type({t}) not in NUMBERS{unless}:",
                     f"    raise p{param.index}.reject(NAME, 'Tensor', {t})"]  # fmt: skip
        elif signature.is_python and param.kind == "str":
            continue  # Python's functions look at words when they need them
        elif converts and param.convert is not None and not param.counts_dimensions and not param.is_starred:
            s, converted = form.variable[param.name], f"p{param.index}.static(NAME, {form.variable[param.name]}, -1)"
            unless = "" if param.default is MISSING else f"if {s} is not d{param.index}: "
            body.append(f"{unless}{s} = {converted}")
    if form.params and in_place and op.checks_history:  # before values are looked at, but not their types
        body.append(f"check_target({tuple_of(form.variable.values())})")
    passed = [form.variable[param.name] for param in form.listed]
    if form.rest is not None:
        passed.append(f"{'*' if form.rest.kind != 'Extents' else ''}{form.variable[form.rest.name]}")
    passed += [f"{param.name}={form.variable[param.name]}" for param in form.keywords]
    objects = {"function": op.function, "NAME": signature.name, "without": _without, **form.objects}
    objects |= {f"p{param.index}": param for param in form.params}
    body += call.format(", ".join(passed)).split("\n")
    return TEXT.function(form.header(), refusing(op.listed, form, body, objects), objects)
