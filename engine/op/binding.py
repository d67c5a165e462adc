"""The text that binds arguments: every parameter of a signature as a variable, given by place, name or default."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import CellType, FunctionType
from typing import Any

from engine.errors import ArgumentTypeError
from engine.op.alternatives import Overloads
from engine.op.signature import MISSING, Param, Signature, type_name
from engine.op.text import indented, tuple_of

_FIRST = re.compile(r", but found element of type [\w.]+ at pos 0$")  # said of arguments that are given by place
_PLACED = re.compile(r"argument '(\w+)' \(position \d+\)")


def as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A written call for a method: its refusals do not count the tensor among the arguments."""
    cells = []
    for cell in function.__closure__ or ():
        content = cell.cell_contents
        counts = isinstance(content, Param | Signature | Overloads)
        cells.append(CellType(content.as_method()) if counts else cell)
    written: Any = function
    return FunctionType(written.__code__, written.__globals__, written.__name__, written.__defaults__, tuple(cells))


class Form:
    """How a signature is called: every parameter as a variable, and the lines that give it a value."""

    def __init__(self, signature: Any) -> None:
        self.params: list[Param] = signature.params
        self.takes_out: bool = signature.takes_out
        self.variable = {p.name: f"t{p.index}" if p.is_tensor else f"s{p.index}" for p in self.params}
        self.listed = [param for param in self.params if not param.keyword_only and not param.variadic]
        self.keywords = [param for param in self.params if param.keyword_only]
        self.rest = next((param for param in self.params if param.variadic), None)
        self.nameable = [p for p in (*self.listed, *self.keywords) if not p.is_tensor and p.kind != "Tensor"]
        self.objects = {f"d{param.index}": param.default for param in self.params if param.default is not MISSING}
        self.objects |= {"NAMES": frozenset(param.name for param in self.nameable), "signature": signature}

    def header(self) -> str:
        """Positional parameters; whatever else is given shows."""
        positional = [f"{self.variable[param.name]}=MISSING" for param in self.listed]
        return f"call({', '.join([*positional, '/', '*rest'] if positional else ['*rest'])}, **named)"

    def lines(self) -> list[str]:
        """A value for every parameter: static arguments by name here, what is unusual by ``Signature.bind``."""
        positional = ", ".join([*(self.variable[param.name] for param in self.listed), "*rest"])
        out = []
        if self.takes_out:
            given = ", ".join([*(self.variable[param.name] for param in self.listed), "*rest"])
            out = ["if 'out' in named:", f"    return into_out(signature, call, ({given},), named)"]
        bind = f"{tuple_of(self.variable.values())} = signature.bind_given(({positional},), named)"
        if any(param.default is MISSING for param in self.keywords) or (self.rest and self.rest.kind != "Extents"):
            return [*out, bind]
        defaults = [param for param in self.listed if param.default is not MISSING]
        fill = [f"if {self.variable[p.name]} is MISSING: {self.variable[p.name]} = d{p.index}" for p in defaults]
        fill += [f"{self.variable[param.name]} = d{param.index}" for param in self.keywords]
        fill += self._gathered()
        return [
            "if named:",
            *indented([*out, f"if {self._is_unusual()}:", f"    {bind}", "else:", *indented(self._named())]),
            f"elif {self._is_surprising()}:", f"    {bind}", *(["else:", *indented(fill)] if fill else []),
        ]  # fmt: skip

    def _is_surprising(self) -> str:
        """Whether more or less is given by position than the values without default."""
        required = [self.variable[param.name] for param in self.listed if param.default is MISSING]
        surprising = [f"{required[-1]} is MISSING"] if required else []  # then so are those behind it
        if self.rest is None:
            return " or ".join(["rest", *surprising])
        surprising += ["not rest"] if self.rest.default is MISSING else []
        apart = "not signature.gathers and (len(rest) != 1 or not isinstance(rest[0], (tuple, list)))"
        return " or ".join([*surprising, f"({apart})"])

    def _is_unusual(self) -> str:
        """Whether other arguments are named than static ones that were not given, or one is missing."""
        unusual = ["rest", "not named.keys() <= NAMES"]
        unusual += ["True"] if self.rest is not None and self.rest.default is MISSING else []
        for param in self.listed:
            v = self.variable[param.name]
            if param in self.nameable:
                unusual.append(f"{v} is not MISSING and {param.name!r} in named")
            if param.default is MISSING:
                unusual.append(f"{v} is MISSING" + f" and {param.name!r} not in named" * (param in self.nameable))
        return f"({' or '.join(unusual)})"

    def _named(self) -> list[str]:
        """Static arguments by name, as variables."""
        lines = []
        for param in (*self.listed, *self.keywords):
            v, default = self.variable[param.name], "MISSING" if param.default is MISSING else f"d{param.index}"
            unless = "" if param.keyword_only else f"if {v} is MISSING: "
            value = f"named.get({param.name!r}, {default})" if param in self.nameable else default
            lines += [f"{unless}{v} = {value}"] if value != "MISSING" else []
        if self.rest is not None and self.rest.default is not MISSING:
            lines.append(f"{self.variable[self.rest.name]} = d{self.rest.index}")
        return lines or ["pass"]

    def _gathered(self) -> list[str]:
        """Extents, which come as one sequence or separately."""
        if self.rest is None:
            return []
        s = self.variable[self.rest.name]
        gathered = "tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest"
        unless = "" if self.rest.default is MISSING else f" if rest else d{self.rest.index}"
        return [f"{s} = ({gathered}){unless}"]


def without_place(error: ArgumentTypeError, named: Mapping[str, Any]) -> ArgumentTypeError:
    """The refusal, which does not say where an argument stands that was given by name."""
    found = _PLACED.search(str(error)) if named else None
    if found is not None and found[1] in named:
        text = _PLACED.sub(r"argument '\1'", str(error))
        error.args = (_FIRST.sub(f", not {type_name(named[found[1]])}", text),)
    return error


def refusing(
    overloads: Overloads | None, form: Form, body: list[str], objects: dict[str, Any], operator: bool = False
) -> list[str]:  # fmt: skip
    """The lines, with refusals that list the overloads, if there are several; an ``operator`` leaves them to Python."""
    if overloads is None:
        objects |= {"ArgumentTypeError": ArgumentTypeError, "without_place": without_place}
        failed = ["except ArgumentTypeError as error:", "    raise without_place(error, named) from error.__cause__"]
        failed = ["except ArgumentTypeError:", "    return NotImplemented"] if operator else failed
        return ["try:", *indented(body), *failed]
    objects["overloads"] = overloads
    given = tuple_of([*[form.variable[param.name] for param in form.listed], "*rest"])
    return [
        f"given = {given}", "try:", *indented(body), "except TypeError as error:",
        "    raise overloads.refusal([one for one in given if one is not MISSING], named, error) from error.__cause__",
    ]  # fmt: skip
