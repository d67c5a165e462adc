"""Containers: modules and parameters in a row, a list or a dict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from operator import index as as_index
from typing import Any

from engine import modes
from engine.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    AssertedError,
    DimensionError,
    MissingKeyError,
    OpError,
)
from engine.nn import naming
from engine.nn.layer import layer
from engine.nn.module import Module
from engine.op.signature import type_name
from engine.tensor import Parameter, Tensor

HOME = "container"


def _pairs(entries: Any, owner: str) -> Iterator[tuple[Any, Any]]:
    """The items of a mapping, or of an iterable of pairs."""
    if isinstance(entries, Mapping | ModuleDict | ParameterDict):
        yield from entries.items()
        return
    for place, entry in enumerate(entries):
        if not isinstance(entry, Iterable):
            raise ArgumentTypeError(
                f"{owner} update sequence element #{place} should be Iterable; is{type_name(entry)}"
            )
        pair = list(entry)
        if len(pair) != 2:
            raise ArgumentValueError(
                f"{owner} update sequence element #{place} has length {len(pair)}; 2 is required"
            )  # fmt: skip
        yield pair[0], pair[1]


# -- in a row -----------------------------------------------------------------------------------------------------
@layer(HOME)
class Sequential(Module):
    """Modules of which each gets what the one before returns."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for place, module in enumerate(args):
                self.add_module(str(place), module)

    def _key(self, idx: Any) -> str:
        place, size = as_index(idx), len(self)
        if not -size <= place < size:
            raise DimensionError(f"index {place} is out of range")
        names: list[str] = list(self._modules)
        return names[place]

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            chosen = Sequential()
            for name, module in list(self._modules.items())[idx]:
                chosen.add_module(name, module)
            return chosen
        return self._modules[self._key(idx)]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._key(idx), module)

    def __delitem__(self, idx: Any) -> None:
        names = list(self._modules)[idx] if isinstance(idx, slice) else [self._key(idx)]
        for name in names:
            delattr(self, name)
        _renumber(self, list(self))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise ArgumentValueError(
                "add operator supports only objects of Sequential class, but " + naming.class_text(other) + " is given."
            )
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise ArgumentValueError(
                "add operator supports only objects of Sequential class, but " + naming.class_text(other) + " is given."
            )
        return self.extend(other)

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*(module for _ in range(_times(other, len(self))) for module in self))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Sequential:
        once = list(self)
        for _ in range(_times(other, len(once)) - 1):
            self.extend(once)
        return self

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, sequential: Iterable[Module]) -> Sequential:
        """Add modules at the end."""
        for module in list(sequential):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Sequential:
        """Add a module before the place ``index``."""
        if not isinstance(module, Module):
            raise AssertedError("module should be of type: <class 'torch.nn.modules.module.Module'>")
        size = len(self)
        if not -size <= index <= size:
            raise DimensionError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        _renumber(self, modules)
        return self

    def pop(self, key: int | slice) -> Module:
        """Take a module out, and return it."""
        module = self[key]
        del self[key]
        return module  # type: ignore[no-any-return]

    def forward(self, input: Any) -> Any:
        """What the last module returns."""
        for module in self:
            input = module(input)
        return input


def _renumber(container: Module, modules: Iterable[Any]) -> None:
    """Let the children be these, named by their places."""
    entries = {str(place): module for place, module in enumerate(modules)}
    modes.touch(container._modules)
    container._modules.clear()
    container._modules.update(entries)


_PLACE_BYTES = 128  # of a module that is in a container once more: its number as text, and a place in a dict


def _times(count: Any, size: int) -> int:
    """How often ``size`` modules are to be repeated, for which there has to be room."""
    if not isinstance(count, int):
        raise ArgumentTypeError(
            f"unsupported operand type(s) for *: {naming.class_text(Sequential())} and {naming.class_text(count)}"
        )
    if count <= 0:
        raise ArgumentValueError(f"Non-positive multiplication factor {count} for {naming.class_text(Sequential())}")
    budget = modes.current().budget
    if budget is not None:
        budget.take(count * size, _PLACE_BYTES * count * size)
    return count


# -- in a list ----------------------------------------------------------------------------------------------------
def _place(idx: Any, size: int) -> int:
    place = as_index(idx)
    if not -size <= place < size:
        raise DimensionError(f"index {place} is out of range")
    return place % size


@layer(HOME)
class ModuleList(Module):
    """A list of modules, which are children."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return ModuleList(list(self._modules.values())[idx])
        return self._modules[str(_place(idx, len(self)))]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, str(_place(idx, len(self))), module)

    def __delitem__(self, idx: Any) -> None:
        modules = list(self)
        del modules[idx if isinstance(idx, slice) else _place(idx, len(self))]
        _renumber(self, modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def insert(self, index: int, module: Module) -> None:
        """Add a module before the place ``index``."""
        modules = list(self)
        modules.insert(index, module)
        _renumber(self, modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key: int | slice) -> Module:
        """Take a module out, and return it."""
        module = self[key]
        del self[key]
        return module  # type: ignore[no-any-return]

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                f"ModuleList.extend should be called with an iterable, but got {type_name(modules)}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def __repr__(self) -> str:
        return naming.bracketed(self._get_name(), "", _runs([repr(module) for module in self]))


def _runs(texts: list[str]) -> list[str]:
    """The texts of modules with their places: those that are alike and next to each other on one line."""
    starts = [place for place, text in enumerate(texts) if not place or texts[place - 1] != text]
    lines = []
    for start, end in pairwise([*starts, len(texts)]):
        text = f"({start}): {texts[start]}"
        if end - start > 1:
            text = f"({start}-{end - 1}): {end - start} x {texts[start]}"
        lines.append(naming.indented(text))
    return lines


@layer(HOME)
class ModuleDict(Module):
    """A dict of modules, which are children."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return _entry(self._modules, key)  # type: ignore[no-any-return]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        _entry(self._modules, key)
        modes.touch(self._modules)
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take everything out."""
        modes.touch(self._modules)
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out, and return it."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def items(self) -> Any:
        """The names, with their modules."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Take over the entries of a mapping, or pairs of a name and a module."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got " + type_name(modules)
            )
        for name, module in list(_pairs(modules, "ModuleDict")):
            self[name] = module


def _entry(table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise MissingKeyError(key)
    return table[key]


# -- parameters ---------------------------------------------------------------------------------------------------
def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _described(value: Any, dtype: Callable[[Tensor], str]) -> str:
    """How a container shows an entry."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type_name(value)}"
    kind = "Parameter containing" if isinstance(value, Parameter) else "Tensor containing"
    return f"{kind}: [{dtype(value)} of size {'x'.join(map(str, value.shape))}]"


def _dtype_text(tensor: Tensor) -> str:
    return str(tensor.dtype)


@layer(HOME)
class ParameterList(Module):
    """A list of parameters; tensors that are put into it become such."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return ParameterList([self[place] for place in range(*idx.indices(len(self)))])
        return getattr(self, str(_place(idx, len(self))))

    def __setitem__(self, idx: int, param: Any) -> None:
        setattr(self, str(_place(idx, len(self))), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[place] for place in range(len(self))])

    def __iadd__(self, parameters: Iterable[Any]) -> ParameterList:
        return self.extend(parameters)

    def append(self, value: Any) -> ParameterList:
        """Add a value at the end."""
        place = len(self)
        self._size += 1
        self[place] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add values at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise ArgumentTypeError(
                f"ParameterList.extend should be called with an iterable, but got {type_name(values)}"
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """The entries, with dtypes and sizes."""
        return "\n".join(f"  ({place}): {_described(value, _dtype_text)}" for place, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise OpError("ParameterList should not be called.")


@layer(HOME)
class ParameterDict(Module):
    """A dict of parameters; tensors that are put into it become such."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise ArgumentTypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string (type is "
                f"'{type_name(key)}'). Open an issue on github if you need non-string keys."
            )
        modes.touch(self._keys)
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        self[key]
        modes.touch(self._keys)
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._keys))

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other)
        return both

    def __ior__(self, other: ParameterDict) -> ParameterDict:
        self.update(other)
        return self

    def copy(self) -> ParameterDict:
        """A dict of the same parameters."""
        return ParameterDict(dict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The entry ``key``, made if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take everything out."""
        for key in list(self):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take an entry out, and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last entry out, and return it with its name."""
        if not self._keys:
            raise MissingKeyError("dictionary is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The entry ``key``, or ``default``."""
        return getattr(self, key) if key in self._keys else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dict with ``default`` under each of ``keys``."""
        return ParameterDict(dict.fromkeys(keys, default))

    def keys(self) -> Any:
        """The names."""
        return self._keys.keys()

    def items(self) -> Any:
        """The names, with their values."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Any:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Take over the entries of a mapping, or pairs of a name and a value."""
        if not isinstance(parameters, Iterable):
            raise ArgumentTypeError(
                "ParametersDict.update should be called with an iterable of key/value pairs, but got "
                + type_name(parameters)
            )
        for key, value in list(_pairs(parameters, "ParameterDict")):
            self[key] = value

    def extra_repr(self) -> str:
        """The entries, with dtypes and sizes."""
        return "\n".join(f"  ({key}): {_described(value, naming.typename)}" for key, value in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise OpError("ParameterDict should not be called.")
