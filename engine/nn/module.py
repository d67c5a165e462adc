"""Module: parameters, buffers and children under names, a forward, and hooks around it.

What a module is made of stands in dicts among its attributes, as in PyTorch; everything else that a program assigns is
a plain attribute. Methods that a subclass may have of its own are called through ``self``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, TypeVar

from engine import dtypes, modes, ops, registry
from engine.autograd.hooks import RemovableHandle
from engine.dtypes import DType
from engine.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    Ended,
    MissingAttributeError,
    MissingKeyError,
    OpError,
    UnsupportedError,
)
from engine.nn import backward_hooks, hooks, naming, stored
from engine.nn.parameter import Buffer, is_lazy
from engine.ops.creation.factories import check_device
from engine.tensor import Parameter, Tensor

Self = TypeVar("Self", bound="Module")
PARAMETRIZATIONS = "parametrizations"
_TABLES = ("_parameters", "_buffers", "_modules")


class Module:
    """A function with parameters: assign these and other modules to attributes, and compute in ``forward``."""

    _hooks: Any = hooks.NO_HOOKS
    _version: int | None = 1  # of what state_dict writes; a subclass counts up when that changes
    _path = "torch.nn.modules.module.Module"
    _state: ClassVar[dict[str, type]] = {
        "training": bool, "_parameters": dict, "_buffers": dict, "_modules": dict, "_non_persistent": tuple,
        "_hooks": dict,
    }  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = f"{self._get_name()}.__init__()"
        if kwargs:
            raise ArgumentTypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
        if args:
            raise ArgumentTypeError(f"{name} takes 1 positional argument but {len(args) + 1} were given")
        modes.touch(self)
        self.__dict__.update(
            training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent=()
        )  # fmt: skip

    # -- what it computes -----------------------------------------------------------------------------------------
    def forward(self, *input: Any) -> Any:
        """What a call computes; a subclass has to say so."""
        raise UnsupportedError(f'Module [{self._get_name()}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks:
            return hooks_around(self, args, kwargs)
        try:
            return self.forward(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__.tb_next is None:  # type: ignore[union-attr] # of the very call: about its arguments
                raise ArgumentTypeError(str(error)) from None
            raise

    # -- attributes -----------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__
        for table in _TABLES:
            if table in attributes and name in attributes[table]:
                return attributes[table][name]
        computed = attributes.get("_modules", {}).get(PARAMETRIZATIONS)
        if computed is not None and name in computed._modules:
            return computed._modules[name]._value()
        raise MissingAttributeError(f"'{self._get_name()}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        modes.touch(self)
        if isinstance(value, Parameter):
            _require_init(attributes, "parameters")
            _forget(self, name, but="_parameters")
            self.register_parameter(name, value)
        elif name in attributes.get("_parameters", ()):
            _replace(attributes, "_parameters", name, value)
        elif isinstance(value, Module):
            _require_init(attributes, "module")
            _forget(self, name, but="_modules")
            _enter(attributes["_modules"], name, value)
        elif name in attributes.get("_modules", ()):
            _replace(attributes, "_modules", name, value)
        elif isinstance(value, Buffer):
            _require_init(attributes, "buffer")
            _forget(self, name, but="_buffers")
            self.register_buffer(name, value.detach(), value.persistent)
        elif name in attributes.get("_buffers", ()):
            _replace(attributes, "_buffers", name, value)
        elif PARAMETRIZATIONS in attributes.get("_modules", ()) and name in attributes["_modules"][PARAMETRIZATIONS]:
            attributes["_modules"][PARAMETRIZATIONS][name].right_inverse(value)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in _TABLES:
            entries = self.__dict__.get(table, {})
            if name in entries:
                modes.touch(entries)
                del entries[name]
                self._forget_persistence(name)
                return
        if name not in self.__dict__:
            raise MissingAttributeError(f"'{self._get_name()}' object has no attribute '{name}'")
        modes.touch(self)
        object.__delattr__(self, name)

    def _holds(self, name: str) -> bool:
        """Whether ``name`` stands for a parameter, a buffer or a child."""
        return any(name in self.__dict__.get(table, ()) for table in _TABLES)

    def _takes(self, name: str, value: Any) -> bool:
        """Whether ``value`` is entered among these when it is assigned; names of our own stay what they are."""
        if name in self.__dict__ or hasattr(type(self), name):
            return False
        return isinstance(value, Parameter | Module | Buffer) or self._holds(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under ``name``."""
        _require_init(self.__dict__, "parameter")
        _check_name(self, name, "parameter", self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentTypeError(
                f"cannot assign '{naming.typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and not param.is_leaf:
            raise ArgumentValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        _enter(self._parameters, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is no parameter; ``state_dict`` has it if it is ``persistent``."""
        _require_init(self.__dict__, "buffer")
        _check_name(self, name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(
                f"cannot assign '{naming.typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        _enter(self._buffers, name, tensor)
        self._forget_persistence(name)
        if not persistent:
            modes.touch(self)
            self.__dict__["_non_persistent"] = (*self._non_persistent, name)

    def _forget_persistence(self, name: str) -> None:
        if name in self._non_persistent:
            modes.touch(self)
            self.__dict__["_non_persistent"] = tuple(one for one in self._non_persistent if one != name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a child under ``name``."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under ``name``."""
        if module is not None and not isinstance(module, Module):
            raise ArgumentTypeError(f"{naming.typename(module)} is not a Module subclass")
        _check_name(self, name, "module", self._modules)
        _enter(self._modules, name, module)

    # -- what it is made of ---------------------------------------------------------------------------------------
    def _named(self, table: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else iter([(prefix, self)])
        for path, module in modules:
            for name, value in list(getattr(module, table).items()):
                if value is None or id(value) in seen:
                    continue
                if unique:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name, those of children included if ``recurse``."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter, those of children included if ``recurse``."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name, those of children included if ``recurse``."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer, those of children included if ``recurse``."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Every direct child with its name, once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Every direct child, once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, and everything below it, with dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in list(self._modules.items()):
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module, and everything below it, once."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> Module:
        """The module of the dotted name ``target``."""
        module = self
        for part in target.split(".") if target else ():
            if not hasattr(module, part):
                raise MissingAttributeError(f"{module._get_name()} has no attribute `{part}`")
            module = getattr(module, part)
            if not isinstance(module, Module):
                raise MissingAttributeError(f"`{part}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` in the place of the dotted name ``target``."""
        if not target:
            raise ArgumentValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        if not isinstance(module, Module):
            raise ArgumentValueError(f"`module` is not an nn.Module, found {naming.class_text(module)}")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise MissingAttributeError(f"{parent._get_name()} has no attribute `{name}`")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of the dotted name ``target``."""
        return self._get(target, "_parameters", "an nn.Parameter")  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of the dotted name ``target``."""
        return self._get(target, "_buffers", "a buffer")  # type: ignore[no-any-return]

    def _get(self, target: str, table: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise MissingAttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in getattr(module, table):
            raise MissingAttributeError(f"`{name}` is not {what}")
        return getattr(module, name)

    # -- changing all of it ---------------------------------------------------------------------------------------
    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` with every module below, children first, and with this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Behave as in training, or not; so do all modules below."""
        if not isinstance(mode, bool):
            raise ArgumentValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Behave as after training."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Let all parameters require grad, or none."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with ``set_to_none=False`` fill them with zeros."""
        for param in self.parameters():
            if param.grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                with modes.no_grad():
                    param.grad.zero_()

    def _apply(self: Self, change: Callable[[Tensor], Any]) -> Self:
        """Put ``change`` of its values in the place of every parameter, gradient and buffer."""
        for module in self.children():
            module._apply(change)
        with modes.no_grad():
            for param in self._parameters.values():
                if param is None or is_lazy(param):
                    continue
                grad = param.grad
                param.data = change(param)
                if grad is not None:
                    param.grad = change(grad)
            for name, buffer in self._buffers.items():
                if buffer is not None and not is_lazy(buffer):
                    _enter(self._buffers, name, change(buffer))
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Cast parameters and buffers of floating dtypes, in place."""
        memory_format = kwargs.pop("memory_format", None)
        if memory_format is not None:
            self._apply(lambda tensor: tensor.to(memory_format=memory_format) if tensor.ndim in (4, 5) else tensor)
        dtype = _dtype_of(*args, **kwargs)
        if dtype is None:
            return self
        if not dtype.is_floating_point and not dtype.is_complex:
            raise ArgumentTypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        return self._apply(lambda tensor: tensor.to(dtype) if _is_continuous(tensor) else tensor)

    def type(self: Self, dst_type: DType) -> Self:
        """Cast every parameter and buffer to ``dst_type``."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _cast(self: Self, dtype: DType) -> Self:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.dtype.is_floating_point else tensor)

    def float(self: Self) -> Self:
        """Cast parameters and buffers of floating dtypes to float32."""
        return self._cast(dtypes.float32)

    def double(self: Self) -> Self:
        """Cast parameters and buffers of floating dtypes to float64."""
        return self._cast(dtypes.float64)

    def half(self: Self) -> Self:
        """Cast parameters and buffers of floating dtypes to float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self: Self) -> Self:
        """Cast parameters and buffers of floating dtypes to bfloat16."""
        return self._cast(dtypes.bfloat16)

    def cpu(self: Self) -> Self:
        """This module: it is on the CPU."""
        return self

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:
        """Give every parameter and buffer new memory, with whatever is in it."""
        return self._apply(ops.empty_like)

    def share_memory(self: Self) -> Self:
        """This module: nobody else sees its memory."""
        return self

    # -- hooks ----------------------------------------------------------------------------------------------------
    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns, if anything, takes the arguments' place."""
        return hooks.register(self, "forward_pre", hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns, if anything, is the output."""
        return hooks.register(self, "forward", hook, prepend, with_kwargs, always_call)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the results are there, before they go on."""
        return hooks.register(self, "backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the arguments are there."""
        return hooks.register(self, "backward", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` gathers what is in this module."""
        return hooks.register(self, "state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict`` gathered."""
        return hooks.register(self, "state_dict", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook`` before this module takes what is its own from a ``state_dict``."""
        return hooks.register(self, "load_state_dict_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after ``load_state_dict``."""
        return hooks.register(self, "load_state_dict", hook)

    # -- its state as a dict --------------------------------------------------------------------------------------
    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Parameters and persistent buffers by their dotted names, detached unless ``keep_vars``."""
        for name, value in zip(("destination", "prefix", "keep_vars"), args, strict=False):
            destination = value if name == "destination" else destination
            prefix = value if name == "prefix" else prefix
            keep_vars = value if name == "keep_vars" else keep_vars
        return stored.gather(self, destination, prefix, keep_vars)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy parameters and buffers from ``state_dict``; tells which names were missing, and which unexpected."""
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(f"Expected state_dict to be dict-like, got {naming.class_text(state_dict)}.")
        return stored.load(self, state_dict, strict, assign)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Enter what is this module's own; a subclass may have more."""
        stored.save_own(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool,
        missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Take what is this module's own; a subclass may know older forms of it."""
        stored.load_own(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def get_extra_state(self) -> Any:
        """What else ``state_dict`` is to have of this module; a subclass may say."""
        raise OpError(
            "Reached a code path in Module.get_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take what ``get_extra_state`` gave."""
        raise OpError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def _overrides(self, name: str) -> bool:
        """Whether a subclass has a method ``name`` of its own."""
        return getattr(type(self), name) is not getattr(Module, name)

    # -- its text -------------------------------------------------------------------------------------------------
    def _get_name(self) -> str:
        """What texts call the class."""
        name = type(self).__name__
        return f"Parametrized{name}" if PARAMETRIZATIONS in self.__dict__.get("_modules", ()) else name

    def extra_repr(self) -> str:
        """What stands between the brackets beside the children; a subclass may say."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"({name}): {naming.indented(repr(module))}" for name, module in self._modules.items()
        ]  # fmt: skip
        return naming.bracketed(self._get_name(), self.extra_repr(), children)


# -- assignments --------------------------------------------------------------------------------------------------
def _require_init(attributes: dict[str, Any], what: str) -> None:
    if "_modules" not in attributes:
        raise MissingAttributeError(f"cannot assign {what} before Module.__init__() call")


def _check_name(module: Module, name: Any, what: str, table: dict[str, Any]) -> None:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"{what} name should be a string. Got {naming.typename(name)}")
    if hasattr(module, name) and name not in table and what == "module":
        raise MissingKeyError(f"attribute '{name}' already exists")
    if "." in name:
        raise MissingKeyError(f'{what} name can\'t contain "."' + (f", got: {name}" if what == "module" else ""))
    if not name:
        raise MissingKeyError(f'{what} name can\'t be empty string ""')
    if hasattr(module, name) and name not in table:
        raise MissingKeyError(f"attribute '{name}' already exists")


def _enter(table: dict[str, Any], name: str, value: Any) -> None:
    modes.touch(table)
    table[name] = value


def _forget(module: Module, name: str, but: str) -> None:
    """A name stands for one thing: what it was elsewhere is gone."""
    attributes = module.__dict__
    attributes.pop(name, None)
    for table in _TABLES:
        if table != but and name in attributes[table]:
            modes.touch(attributes[table])
            del attributes[table][name]


_EXPECTED = {
    "_parameters": ("parameter", "torch.nn.Parameter or None"),
    "_modules": ("child module", "torch.nn.Module or None"),
    "_buffers": ("buffer", "torch.nn.Buffer, torch.Tensor or None"),
}


def _replace(attributes: dict[str, Any], table: str, name: str, value: Any) -> None:
    """Let a parameter, child or buffer be ``value``, if that may be: None, or a tensor for a buffer."""
    if value is not None and not (table == "_buffers" and isinstance(value, Tensor)):
        what, expected = _EXPECTED[table]
        raise ArgumentTypeError(f"cannot assign '{naming.typename(value)}' as {what} '{name}' ({expected} expected)")
    _enter(attributes[table], name, value)


def _dtype_of(*args: Any, **kwargs: Any) -> DType | None:
    """The dtype among the arguments of ``to``: a dtype, or that of a tensor."""
    for value in chain(args, kwargs.values()):
        if isinstance(value, DType):
            return value
        if isinstance(value, Tensor):
            return value.dtype
        if not isinstance(value, bool):
            check_device(value)
    return None


def _is_continuous(tensor: Tensor) -> bool:
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex


# -- calls with hooks ---------------------------------------------------------------------------------------------
def hooks_around(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the call of a module with hooks returns."""
    args, kwargs = _before(module, args, kwargs)
    watch = backward_hooks.watch(module)
    if watch is not None:
        args = watch.inputs(args)
    try:
        output = module.forward(*args, **kwargs)
    except (Ended, MemoryError):
        raise
    except Exception:
        always = module._hooks.get(f"forward {hooks.ALWAYS}", {})
        for number, hook in tuple(module._hooks.get("forward", {}).items()):
            if number in always:
                hook(module, args, None)
        raise
    for hook, takes_kwargs in hooks.flagged(module, "forward", hooks.WITH_KWARGS):
        result = hook(module, args, kwargs, output) if takes_kwargs else hook(module, args, output)
        output = output if result is None else result
    return output if watch is None else watch.outputs(output)


def _before(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook, takes_kwargs in hooks.flagged(module, "forward_pre", hooks.WITH_KWARGS):
        if takes_kwargs:
            result = hook(module, args, kwargs)
            if result is not None:
                if not isinstance(result, tuple) or len(result) != 2:
                    raise OpError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}."
                    )
                args, kwargs = result
        else:
            result = hook(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
    return args, kwargs


registry.add_function("nn.Module", Module)
registry.add_kind("nn.Module", Module)
registry.add_function("nn.modules.module.Module", Module)
