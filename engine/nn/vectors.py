"""Parameters as one vector, and modules called with other parameters than their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from engine import modes, ops, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, MissingAttributeError, OpError
from engine.nn import naming
from engine.nn.module import Module
from engine.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Any:
    """All parameters, one after the other, in one vector."""
    return ops.cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let parameters have the parts of a vector as their values."""
    if not isinstance(vec, Tensor):
        raise ArgumentTypeError(f"expected torch.Tensor, but got: {naming.typename(vec)}")
    start = 0
    for param in parameters:
        end = start + param.numel()
        param.data = vec[start:end].view_as(param).data
        start = end


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """A module whose parameters have whatever is in their memory: here zeros."""
    state = modes.current()
    before = state.generator.state()
    module = module_cls(*args, **kwargs)
    state.generator.restore(before)
    with modes.no_grad():
        for param in module.parameters():
            param.zero_()
    return module


# -- other parameters ---------------------------------------------------------------------------------------------
def functional_call(
    module: Module, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: dict[str, Any] | None = None, *,
    tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """What ``module`` returns with these parameters and buffers in the place of its own."""
    if isinstance(parameter_and_buffer_dicts, dict):
        values = dict(parameter_and_buffer_dicts)
    elif isinstance(parameter_and_buffer_dicts, list | tuple):
        values = _joined(parameter_and_buffer_dicts)
    else:
        raise ArgumentValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{naming.class_text(parameter_and_buffer_dicts)}"
        )
    if strict:
        _check_names(module, values)
    if tie_weights:
        values = _tied(module, values)
    given = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, values):
        return module(*given, **(kwargs or {}))


def _joined(dicts: Any) -> dict[str, Any]:
    if not all(isinstance(one, dict) for one in dicts):
        raise ArgumentValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for one in dicts for name in one]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ArgumentValueError(
            f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous"
        )
    return {name: value for one in dicts for name, value in one.items()}


def _own(module: Module) -> dict[str, Any]:
    found = dict(module.named_parameters(remove_duplicate=False))
    return found | dict(module.named_buffers(remove_duplicate=False))


def _check_names(module: Module, values: dict[str, Any]) -> None:
    own = set(_own(module))
    errors = [
        f"{what} key(s): {', '.join(map(repr, sorted(names)))}."
        for what, names in (("Unexpected", set(values) - own), ("Missing", own - set(values)))
        if names
    ]
    if errors:
        raise OpError("Error(s) in reparametrizing for {}:\n\t{}".format(module._get_name(), "\n\t".join(errors)))


def _tied(module: Module, values: dict[str, Any]) -> dict[str, Any]:
    """The values also for the other names of the same tensors."""
    own = _own(module)
    by_tensor = {id(own[name]): value for name, value in values.items() if name in own}
    return values | {
        name: by_tensor[id(one)] for name, one in own.items() if id(one) in by_tensor and name not in values
    }


@contextmanager
def _swapped(module: Module, values: dict[str, Any]) -> Iterator[None]:
    """Inside, parameters and buffers of these names are the given tensors."""
    places = []
    for path, value in values.items():
        owner, _, name = path.rpartition(".")
        inner = module.get_submodule(owner)
        table = next((one for one in (inner._parameters, inner._buffers) if name in one), None)
        if table is None:
            raise MissingAttributeError(f"{inner._get_name()} has no attribute `{name}`")
        places.append((table, name, table[name], value))
    try:
        for table, name, _, value in places:
            modes.touch(table)
            table[name] = value
        yield
    finally:
        for table, name, before, _ in reversed(places):
            table[name] = before


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and buffers of modules that are alike, each stacked."""
    listed = list(models)
    if not listed:
        raise OpError("stack_module_state: Expected at least one model, got 0.")
    if not (all(one.training for one in listed) or not any(one.training for one in listed)):
        raise OpError("stack_module_state: Expected all models to have the same training/eval mode.")
    return tuple(  # type: ignore[return-value]
        {name: _stacked([dict(getattr(one, what)())[name] for one in listed]) for name, _ in getattr(listed[0], what)()}
        for what in ("named_parameters", "named_buffers")
    )


def _stacked(tensors: list[Any]) -> Any:
    with modes.no_grad():
        return ops.stack(tensors).detach().requires_grad_(tensors[0].requires_grad)


_FUNCTIONS: dict[str, Any] = {
    "nn.utils.parameters_to_vector": parameters_to_vector, "nn.utils.vector_to_parameters": vector_to_parameters,
    "nn.utils.skip_init": skip_init, "func.functional_call": functional_call,
    "nn.utils.stateless.functional_call": functional_call, "func.stack_module_state": stack_module_state,
}  # fmt: skip
for _name, _function in _FUNCTIONS.items():
    registry.add_function(_name, _function)
