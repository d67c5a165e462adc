"""``enum.Flag`` and ``IntFlag``: members that stand for bits, and those that several of them make together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classbuilding import DERIVED, FACTORIES, NAMESPACES
from app.program.classes import MISSING
from app.program.failures import PythonError, seen_as
from app.program.formatting import repr_of
from app.program.hosted import new
from app.program.instances import Instance, Special
from app.program.libraries.enum import ENUM, EnumClass, Members, class_attribute_of, derive, look_up
from app.program.libraries.natives import Native
from app.program.operations import type_name
from app.program.values import add_objects


@seen_as("EnumType")
class FlagClass(EnumClass):
    """A class whose members are combined; to call it with the sum of some gives these together."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter([one for one in super().__iter__() if _is_single(_value(one))])

    @property
    def bits(self) -> int:
        """Those that members stand for."""
        found = 0
        for one in self.members.values():
            found |= _value(one)
        return found

    @property
    def is_open(self) -> bool:
        """Whether other bits may be there as well: so it is with integers."""
        return INT_FLAG in self.mro

    def next_value(self, values: list[Any]) -> Any:
        return 1 << max([0, *(one.bit_length() for one in values if isinstance(one, int))])

    def value_at(self, start: Any, place: int) -> Any:
        return start << place

    def made_up(self, value: Any) -> Any:
        if not isinstance(value, int):
            return MISSING
        value, bits = int(value), self.bits
        if value < 0:
            room = 1 << max(bits.bit_length(), value.bit_length())
            value = (room + value) if self.is_open else bits & value
        if value & ~bits and not self.is_open:
            width = max(value.bit_length(), bits.bit_length())
            raise PythonError(
                ValueError,
                f"{self!r} invalid value {value}\n    given 0b0 {value:0{width}b}\n  allowed 0b0 {bits:0{width}b}",
            )
        known = next((one for one in self.members.values() if _value(one) == value), None)
        return known if known is not None else _together(self, value)

    def __repr__(self) -> str:
        return f"<flag {self.name!r}>"


def look_up_bits(cls: Any, /, *args: Any, **options: Any) -> Any:
    """The member of a value, or of some values together."""
    return look_up(cls, *args, **options)


def _value(member: Any) -> int:
    found = member.attributes["_value_"]
    return int(found) if isinstance(found, int) else 0


def _is_single(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def _together(cls: Any, value: int) -> Any:
    """The member of several bits, named by those."""
    member = Instance(cls) if cls.host is None else new(cls, cls.host, (value,), {})
    parts = [one for one in cls if _value(one) & value]
    rest = value
    for one in parts:
        rest &= ~_value(one)
    names = [one.attributes["_name_"] for one in parts] + [str(rest)] * (rest != 0)
    member.attributes.update(_name_="|".join(names) if parts else None, _value_=value)
    return member


def _given(self: Any, other: Any) -> Any:
    """The bits of an operand beside a member, or ``MISSING``: for those that are integers, any integer will do."""
    if isinstance(other, Special) and other.program_class is self.program_class:
        return _value(other)
    return int(other) if self.program_class.is_open and isinstance(other, int) else MISSING


def _combined(function: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any, /) -> Any:
        given = _given(self, other)
        return NotImplemented if given is MISSING else look_up(self.program_class, function(_value(self), given))

    return method


def _inverted(self: Any, /) -> Any:
    value = ~_value(self)
    return look_up(self.program_class, value if self.program_class.is_open else value & self.program_class.bits)


def _contains(self: Any, other: Any, /) -> bool:
    if not isinstance(other, Special) or other.program_class is not self.program_class:
        raise PythonError(
            TypeError,
            f"unsupported operand type(s) for 'in': '{type_name(other)}' and '{self.program_class.qualname}'",
        )
    return _value(other) & _value(self) == _value(other)


def _iter(self: Any, /) -> Any:
    return iter([one for one in self.program_class if _value(one) & _value(self)])


def _named(self: Any) -> str | None:
    name: str | None = self.attributes.get("_name_")
    return name


def _repr(self: Any, /) -> str:
    name, value = _named(self), self.attributes.get("_value_")
    return f"<{self.program_class.name}{'' if name is None else f'.{name}'}: {repr_of(value)}>"


def _str(self: Any, /) -> str:
    name = _named(self)
    return f"{self.program_class.name}({_value(self)})" if name is None else f"{self.program_class.name}.{name}"


def _same(self: Any, other: Any, /) -> Any:
    if not isinstance(other, Special) or other.program_class is not self.program_class:
        return NotImplemented
    return _value(self) == _value(other)


_OPERATORS: Final = {
    "__or__": _combined(int.__or__), "__and__": _combined(int.__and__), "__xor__": _combined(int.__xor__),
    "__invert__": _inverted, "__contains__": _contains, "__iter__": _iter, "__repr__": _repr,
}  # fmt: skip
_OF_FLAGS: Final[dict[str, Any]] = {
    **_OPERATORS, "__str__": _str, "__eq__": _same, "__hash__": lambda self: hash(_value(self)),
    "__bool__": lambda self: bool(_value(self)), "__len__": lambda self: _value(self).bit_count(),
    "__format__": lambda self, spec: format(str(self), spec),
}  # fmt: skip
_OF_NUMBERS: Final[dict[str, Any]] = {
    **_OPERATORS, "__ror__": _OPERATORS["__or__"], "__rand__": _OPERATORS["__and__"],
    "__rxor__": _OPERATORS["__xor__"], "__str__": lambda self: str(_value(self)),
    "__len__": lambda self: _value(self).bit_count(), "__format__": lambda self, spec: format(_value(self), spec),
}  # fmt: skip


def _natives(name: str, table: dict[str, Any]) -> dict[str, Any]:
    return {method: Native(f"enum.{name}.{method}", function) for method, function in table.items()}


FLAG: Final = FlagClass("Flag", "Flag", (ENUM,), _natives("Flag", _OF_FLAGS))
INT_FLAG: Final = FlagClass("IntFlag", "IntFlag", (HOSTS[int], FLAG), _natives("IntFlag", _OF_NUMBERS))
INT_FLAG.host = int
for _one in (FLAG, INT_FLAG):
    _one.module, _one.create = "enum", look_up_bits
    DERIVED[_one] = derive
    FACTORIES[_one], NAMESPACES[_one] = FlagClass, Members
add_objects(FlagClass, class_attribute_of)
FLAGS: Final[dict[str, Any]] = {"Flag": FLAG, "IntFlag": INT_FLAG}
