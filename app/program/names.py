"""What ``torch.<name>`` means in a program, and the attributes of the objects it gives (nodes, optimisers, ...).

Functions come from the engine's registry; the tables here add modules, constants and second names.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from app.program import pytorch
from app.program.failures import PythonError
from app.program.hosts import host_type
from app.program.operations import Getter, Module, Routine, binary, get_item, in_place, type_name
from app.program.operators import SPECIAL_METHODS
from engine import Tensor, custom, devices, dtypes, memory_formats, methods, modes, registry, tape, tensors

MODULES: Final = frozenset({
    "torch", "torch.autograd", "torch.autograd.anomaly_mode", "torch.autograd.function", "torch.autograd.functional",
    "torch.autograd.grad_mode", "torch.autograd.graph", "torch.fft", "torch.linalg", "torch.masked", "torch.nn",
    "torch.nn.functional", "torch.nn.utils", "torch.optim", "torch.optim.lr_scheduler", "torch.random", "torch.special",
    "torch.utils", "torch.utils.checkpoint", "torch.utils.hooks",
})  # fmt: skip
ALIASES: Final = {
    f"autograd{module}.{name}": name
    for module in ("", ".grad_mode")
    for name in ("enable_grad", "inference_mode", "no_grad", "set_grad_enabled")
} | {f"random.{name}": name for name in ("get_rng_state", "initial_seed", "manual_seed", "set_rng_state")}
_NUMBERS_AND_ALIASES: Final[dict[str, object]] = {
    "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None, "pi": math.pi,
    "cdouble": dtypes.complex128, "cfloat": dtypes.complex64, "double": dtypes.float64, "float": dtypes.float32,
    "half": dtypes.float16, "int": dtypes.int32, "long": dtypes.int64, "short": dtypes.int16,
}  # fmt: skip


class Layout:
    """How a tensor lies in memory: there is one way."""

    __slots__ = ()

    def __copy__(self) -> Layout:
        return self

    def __deepcopy__(self, memo: object) -> Layout:
        return self

    def __repr__(self) -> str:
        return "torch.strided"


_NUMBERS_AND_ALIASES["strided"] = Layout()
FLAGS: Final = {f"{path}.{name}": value for path, flags in devices.FLAGS.items() for name, value in flags.items()}
VERSION: Final = f"{pytorch.version()}+cpu"
_VERSIONS: Final = {
    "__version__": VERSION, "version.__version__": VERSION, "version.cuda": None, "version.hip": None,
}  # fmt: skip
CONSTANTS: Final = (
    _NUMBERS_AND_ALIASES | _VERSIONS | memory_formats.ALL | {dtype.name: dtype for dtype in dtypes.ALL} | FLAGS
)


def function(path: str) -> Callable[..., Any] | None:
    """The function or class ``torch.<path>``, or ``None``."""
    return registry.function(path) or registry.function(ALIASES.get(path, path))


def module_attribute(module: Module, name: str) -> object:
    """``module.name``. Raises ``NotAvailable``, or ``AttributeError`` in Python's words."""
    library = LIBRARIES.get(module.name)
    if library is not None:
        return _of_library(module.name, library, name)
    full = f"{module.name}.{name}"
    path = full.removeprefix("torch.")
    if path in OF_PROGRAMS:
        return OF_PROGRAMS[path]
    found = function(path)
    if found is not None:
        kind: Any = _TYPES.get(path, found)
        return host_type(kind) if isinstance(kind, type) else Routine(name, found, engine=True, owner=module)
    if path in _TYPES:
        return host_type(_TYPES[path])
    if full in MODULES or is_module(path):
        return Module(full)
    if path in CONSTANTS:
        return CONSTANTS[path]
    pytorch.refuse(full)
    raise PythonError(AttributeError, f"module '{module.name}' has no attribute '{name}'")


_TYPES: Final[dict[str, type]] = {
    "Tensor": Tensor, "nn.Parameter": tensors.Parameter, "Size": tensors.Size, "dtype": dtypes.DType,
    "device": methods.Device, "nn.parameter.Parameter": tensors.Parameter, "tensor.Tensor": Tensor,
}  # fmt: skip


OF_PROGRAMS: Final[dict[str, Routine]] = {}
"""Functions of PyTorch's that are about values of programs, by path. Filled by ``app.program.modules.io``."""
LIBRARIES: Final[dict[str, Mapping[str, object]]] = {}
"""The modules that are none of PyTorch's, by name: what each has. Filled by ``app.program.libraries``."""


@lru_cache(maxsize=1024)
def is_module(path: str) -> bool:
    """Whether something is called ``torch.<path>.<name>``."""
    named = (*(name for name, _ in registry.functions()), *CONSTANTS)
    return any(name.startswith(f"{path}.") for name in named)


def _of_library(module: str, library: Mapping[str, object], name: str) -> object:
    if name == "__name__":
        return module
    if name in library:
        return library[name]
    if f"{module}.{name}" in LIBRARIES:
        return Module(f"{module}.{name}")
    raise PythonError(AttributeError, f"module '{module}' has no attribute '{name}'")


def path_of(routine: Routine) -> str:
    """What the catalogue calls a routine: ``linalg.solve``, ``view``."""
    module = routine.owner.name if isinstance(routine.owner, Module) else "torch"
    return f"{module}.{routine.name}".removeprefix("torch.")


# -- ops of JSON nodes --------------------------------------------------------------------------------------------
def _operators() -> dict[str, Callable[..., Any]]:
    """Operators for operands of any kind: what a Tensor's own method does not cover."""
    table: dict[str, Callable[..., Any]] = {"__getitem__": get_item}
    for name, symbol in SPECIAL_METHODS.items():
        table[f"__{name}__"] = partial(binary, symbol)
        table[f"__r{name}__"] = partial(_swapped, symbol)
        table[f"__i{name}__"] = partial(in_place, symbol)
    return table


def _swapped(symbol: str, right: Any, left: Any) -> Any:
    return binary(symbol, left, right)


_OPERATORS: Final = _operators()


@lru_cache(maxsize=4096)
def find_op(name: str) -> Callable[..., Any] | None:
    """What the op of a JSON node calls: function, else Tensor method, else attribute, else operator.

    What is none of these may be a method of its first argument: ``step`` of an optimiser.
    """
    found = function(name)
    if found is not None:
        return found
    method = registry.method(name) or registry.attribute(name)
    general = _OPERATORS.get(name)
    if method is None and general is None:
        return partial(_on_object, name) if any(name in getters for _, getters in OBJECTS) else None
    if method is None or general is None:
        return _on_tensor(method, name) if method is not None else general
    return partial(_operator, method, general)


def _on_tensor(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if not args or not isinstance(args[0], Tensor):
            got = type_name(args[0]) if args else "nothing"
            raise PythonError(TypeError, f"{name}(): the first argument must be Tensor, not {got}")
        return method(*args, **kwargs)

    return call


def _on_object(name: str, *args: Any, **kwargs: Any) -> Any:
    missing = object()
    found = object_attribute(args[0], name, missing) if args else missing
    if found is missing:
        kind = type_name(args[0]) if args else "nothing"
        raise PythonError(AttributeError, f"'{kind}' object has no attribute '{name}'")
    return found.function(*args[1:], **kwargs) if isinstance(found, Routine) else found


def _operator(method: Callable[..., Any], general: Callable[..., Any], left: Any, right: Any) -> Any:
    result = method(left, right) if isinstance(left, Tensor) else NotImplemented
    return general(left, right) if result is NotImplemented else result


# -- attributes of what the engine gives --------------------------------------------------------------------------
def _methods(*names: str) -> dict[str, Getter]:
    return {name: _method(name) for name in names}


def _method(name: str) -> Getter:
    read = operator.attrgetter(name)
    return lambda value: Routine(name, read(value), engine=True, owner=value)


def _changing(*names: str) -> dict[str, Getter]:
    """Methods that change their object, which a journal has to note."""
    return {name: _changing_method(name) for name in names}


def _changing_method(name: str) -> Getter:
    read = operator.attrgetter(name)

    def bind(value: Any) -> Routine:
        def call(*args: Any, **kwargs: Any) -> object:
            modes.touch(value)
            return read(value)(*args, **kwargs)

        return Routine(name, call, engine=True, owner=value)

    return bind


def _fields(*names: str) -> dict[str, Getter]:
    return {name: operator.attrgetter(name) for name in names}


def _kind(path: str) -> type:
    """A class of the engine, or one without instances where it has none of that name."""
    found = registry.function(path)
    return found if isinstance(found, type) else type(path, (), {})


OBJECTS: Final[tuple[tuple[type, dict[str, Getter]], ...]] = (
    (custom.FunctionNode, _methods("name", "apply", "register_hook", "register_prehook")
     | _fields("next_functions", "metadata", "requires_grad", "needs_input_grad", "saved_tensors")),
    (tape.Node, _methods("name", "register_hook", "register_prehook")
     | _fields("next_functions", "metadata", "requires_grad")),
    (_kind("utils.hooks.RemovableHandle"), _methods("remove") | _fields("id")),
    (_kind("Generator"), _changing("manual_seed", "seed") | _methods("initial_seed") | _fields("device")),
    (_kind("optim.Optimizer"), _methods("step", "zero_grad", "add_param_group") | _fields("param_groups", "defaults")),
    (_kind("optim.lr_scheduler.LRScheduler"), _methods("step", "get_last_lr") | _fields("last_epoch", "base_lrs")),
    (methods.Device, _fields("type", "index")),
)  # fmt: skip


def object_attribute(value: Any, name: str, missing: object) -> object:
    """``value.name`` for nodes, generators, optimisers and schedulers; ``missing`` if they have no such thing."""
    for kind, getters in OBJECTS:
        if isinstance(value, kind):
            if name in getters:
                return getters[name](value)
            return _node_attribute(value, name, missing) if isinstance(value, tape.Node) else missing
    return missing


def _node_attribute(node: tape.Node, name: str, missing: object) -> object:
    if isinstance(node, custom.FunctionNode):
        return node.static["attributes"].get(name, missing)
    if name == "variable":
        return getattr(node, "variable", missing)
    if not name.startswith("_saved_"):
        return missing
    wanted = name.removeprefix("_saved_")
    wanted = {"self": "input", "result": "out"}.get(wanted, wanted)
    if wanted in node.static:
        return node.static[wanted]
    if node.saved is None or wanted in node.saved:
        return node.fetch(wanted)
    return missing
