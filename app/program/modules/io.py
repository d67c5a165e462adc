"""``io.BytesIO`` and what goes into it: values that ``torch.save`` puts there and ``torch.load`` takes out again.

A buffer holds copies of the values themselves, each at the place where it was written. No text is ever read as a value,
so a load makes nothing that a program had not made before. There are no files.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any, Final

from app.program.builtins import Getter, Routine, type_name
from app.program.costs import Cost, length, pay
from app.program.failures import PythonError, seen_as
from app.program.modules.calls import bound, host
from app.program.modules.copy import Memo, deepcopy
from app.program.names import OF_PROGRAMS
from app.program.operations import Module
from app.program.pytorch import NotAvailable
from app.program.tree import GraphError
from engine import Tensor, dtypes, methods, modes, tensors

HEAD_BYTES: Final = 1024  # that a value takes beside its tensors, as far as places in a buffer tell
NO_FILES: Final = "there are no files here: torch.save and torch.load take an io.BytesIO()"
_CONTAINERS: Final[dict[type, Any]] = {dict: dict, OrderedDict: OrderedDict, list: list, tuple: tuple, set: set}
_WEIGHTS: Final = frozenset({
    *_CONTAINERS, Counter, Tensor, bool, complex, dtypes.DType, float, int, methods.Device, str, tensors.Parameter,
    tensors.Size, type(None),
})  # fmt: skip
UNSAFE: Final = (
    "Weights only load failed. This file can still be loaded, to do so you have two options, "
    "do those steps only if you trust the source of the checkpoint.\n"
    "\t(1) In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` from `False` to "
    "`True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed.\n"
    "\t(2) Alternatively, save what is of these types only.\n"
    "\tWeightsUnpickler error: Unsupported global: GLOBAL {name} was not an allowed global by default."
)


class UnpicklingError(Exception):
    """A value that is more than weights."""


@seen_as("BytesIO", "_io")
class Buffer:
    """Values by their places, in the order of these; ``place`` is where the next one is read or written."""

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}
        self.place, self.size, self.closed = 0, 0, False

    def __enter__(self) -> Buffer:
        return self

    def __exit__(self, *_: object) -> None:
        _close(self)


def _open(buffer: Buffer) -> None:
    if buffer.closed:
        raise PythonError(ValueError, "I/O operation on closed file.")
    modes.touch(buffer)


def _seek(buffer: Buffer, pos: Any, whence: Any = 0, /) -> int:
    _open(buffer)
    if not isinstance(pos, int) or not isinstance(whence, int):
        raise PythonError(TypeError, f"'{type_name(pos)}' object cannot be interpreted as an integer")
    if whence not in (0, 1, 2):
        raise PythonError(ValueError, f"invalid whence ({whence}, should be 0, 1 or 2)")
    if whence == 0 and pos < 0:
        raise PythonError(ValueError, f"negative seek value {pos}")
    buffer.place = max(0, pos + (0, buffer.place, buffer.size)[whence])
    return buffer.place


def _tell(buffer: Buffer) -> int:
    _open(buffer)
    return buffer.place


def _truncate(buffer: Buffer, size: Any = None, /) -> int:
    _open(buffer)
    size = buffer.place if size is None else size
    buffer.values = {place: one for place, one in buffer.values.items() if place < size}
    buffer.size = min(buffer.size, size)
    return int(size)


def _close(buffer: Buffer) -> None:
    modes.touch(buffer)
    buffer.values, buffer.size, buffer.closed = {}, 0, True


def _made(*initial: Any) -> Buffer:
    if initial:
        raise PythonError(TypeError, "io.BytesIO() begins empty here: there are no bytes that could be in it")
    pay(Cost(1, HEAD_BYTES))
    return Buffer()


_BUFFER: Final[dict[str, Getter]] = {
    "closed": lambda buffer: buffer.closed,
    **{
        name: bound(name, call)
        for name, call in (("close", _close), ("seek", _seek), ("tell", _tell), ("truncate", _truncate))
    },
}


class NoFiles(NotAvailable):
    """A file where a program may only name a buffer."""

    def __init__(self, name: str) -> None:
        GraphError.__init__(self, NO_FILES)
        self.name, self.op = name, name


def _no_files(*_: Any, **__: Any) -> Any:
    raise NoFiles("open")


# -- save and load ------------------------------------------------------------------------------------------------
def _kept(value: Any, known: dict[int, Any]) -> Any:
    """A value as it is to be stored: tensors without a history and a grad."""
    if isinstance(value, Tensor):
        if isinstance(value, tensors.Parameter):
            return value
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = value.detach().requires_grad_(value.requires_grad)
        return found
    if type(value) not in _CONTAINERS:
        return value
    pay(Cost(1 + length(value)))
    if id(value) in known:
        return known[id(value)]
    if type(value) in (list, tuple, set):
        return type(value)([_kept(one, known) for one in value])
    return type(value)((key, _kept(one, known)) for key, one in value.items())


def _nbytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return int(value.array.nbytes)
    if type(value) in (list, tuple, set):
        return sum(map(_nbytes, value))
    return sum(map(_nbytes, value.values())) if isinstance(value, dict) else 0


def _copied(value: Any) -> Any:
    return deepcopy(_kept(value, {}), Memo())


def save(obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: Any = 2, **_: Any) -> None:
    """Put a copy of ``obj`` into the buffer ``f``."""
    if not isinstance(f, Buffer):
        raise NoFiles("save")
    _open(f)
    f.values = {place: one for place, one in f.values.items() if place < f.place}
    made = _copied(obj)
    f.values[f.place] = made
    f.place += HEAD_BYTES + _nbytes(made)
    f.size = f.place


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: Any = None, mmap: Any = None
) -> Any:
    """Return a copy of what was saved at the place of the buffer ``f``."""
    if not isinstance(f, Buffer):
        raise NoFiles("load")
    _open(f)
    if map_location is not None:
        methods.Device(str(map_location)) if not callable(map_location) else None
    if f.place not in f.values:
        raise PythonError(EOFError, "Ran out of input" if f.values else "")
    found = f.values[f.place]
    if weights_only or weights_only is None:
        _check_weights(found)
    f.place += HEAD_BYTES + _nbytes(found)
    return _copied(found)


def _check_weights(value: Any) -> None:
    pending = [value]
    while pending:
        one = pending.pop()
        kind = type(one)
        if kind not in _WEIGHTS:
            raise PythonError(UnpicklingError, UNSAFE.format(name=type_name(one)))
        if kind in _CONTAINERS:
            pay(Cost(1 + length(one)))
            pending += [*one, *(one.values() if isinstance(one, dict) else ())]


IO: Final[dict[str, Any]] = {
    "BytesIO": host(Buffer, "_io.BytesIO", _made, _BUFFER), "open": Routine("open", _no_files),
}  # fmt: skip
OF_PROGRAMS.update(
    {name: Routine(name, function, owner=Module("torch")) for name, function in (("load", load), ("save", save))}
)
