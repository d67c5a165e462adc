"""``state_dict`` and ``load_state_dict``: a module's parameters and buffers as a dict by dotted names, and back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine import modes, registry
from engine.errors import OpError
from engine.nn import hooks, naming
from engine.nn.parameter import is_lazy
from engine.tensor import Parameter, Tensor

EXTRA = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """The names that a ``load_state_dict`` missed, and those that it did not expect."""

    __slots__ = ()
    _parts = (list, list)

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_{super().__repr__()}"

    __str__ = __repr__


registry.add_kind("nn.IncompatibleKeys", IncompatibleKeys)


# -- out ----------------------------------------------------------------------------------------------------------
def gather(module: Any, destination: Any, prefix: str, keep_vars: bool) -> Any:
    """Everything of ``module`` and below, entered in ``destination``."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()
    about = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = about
    for hook in hooks.of(module, "state_dict_pre"):
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in hooks.of(module, "state_dict"):
        hook(module, destination, prefix, about)
    return destination


def save_own(module: Any, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """Enter the parameters and persistent buffers of ``module`` itself."""
    for name, value in _own(module).items():
        destination[prefix + name] = value if keep_vars or is_lazy(value) else value.detach()
    if module._overrides("get_extra_state"):
        destination[prefix + EXTRA] = module.get_extra_state()


def _own(module: Any) -> dict[str, Tensor]:
    persistent = {name: value for name, value in module._buffers.items() if name not in module._non_persistent}
    return {name: value for name, value in (module._parameters | persistent).items() if value is not None}


# -- back ---------------------------------------------------------------------------------------------------------
def load(module: Any, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Copy what stands in ``state_dict`` to where its names say."""
    entries = OrderedDict(state_dict)
    metadata = getattr(state_dict, "_metadata", None) or {}
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    result = IncompatibleKeys(missing, unexpected)

    def visit(module: Any, entries: dict[str, Any], prefix: str) -> None:
        about = dict(metadata.get(prefix[:-1], {}))
        if assign:
            about["assign_to_params_buffers"] = True
        module._load_from_state_dict(entries, prefix, about, True, missing, unexpected, errors)
        for name, child in module._modules.items():
            if child is not None:
                start = f"{prefix}{name}."
                visit(child, {key: value for key, value in entries.items() if key.startswith(start)}, start)
        for hook in hooks.of(module, "load_state_dict"):
            hook(module, result)

    visit(module, entries, "")
    if strict:
        for what, keys in (("Unexpected", unexpected), ("Missing", missing)):
            if keys:
                errors.insert(0, f"{what} key(s) in state_dict: {', '.join(map(_quoted, keys))}. ")
    if errors:
        raise OpError("Error(s) in loading state_dict for {}:\n\t{}".format(module._get_name(), "\n\t".join(errors)))
    return result


def _quoted(key: str) -> str:
    return f'"{key}"'


def load_own(
    module: Any, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool,
    missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
) -> None:  # fmt: skip
    """Copy what is the own of ``module``, and note what is missing, unexpected or of another shape."""
    for hook in hooks.of(module, "load_state_dict_pre"):
        hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
    for name, value in _own(module).items():
        key = prefix + name
        if key in state_dict:
            assign = local_metadata.get("assign_to_params_buffers", False)
            error_msgs += _copy(module, name, value, key, state_dict[key], assign)
        elif strict:
            missing_keys.append(key)
    has_extra = module._overrides("set_extra_state")
    if has_extra and prefix + EXTRA in state_dict:
        module.set_extra_state(state_dict[prefix + EXTRA])
    elif strict and (has_extra or module._overrides("get_extra_state")):
        missing_keys.append(prefix + EXTRA)
    if strict:
        unexpected_keys += [
            key for key in state_dict if key.startswith(prefix) and not _is_known(module, key[len(prefix) :], has_extra)
        ]


def _is_known(module: Any, name: str, has_extra: bool) -> bool:
    first, dot, _ = name.partition(".")
    if dot:
        return first in module._modules
    return (has_extra and name == EXTRA) or name in _own(module) or name in module._modules


def _copy(module: Any, name: str, value: Any, key: str, given: Any, assign: bool) -> list[str]:
    """Let parameter or buffer ``name`` be ``given``; returns why not, if so."""
    if not isinstance(given, Tensor):
        what = "expected torch.Tensor or Tensor-like object from checkpoint"
        return [f'While copying the parameter named "{key}", {what} but received {naming.class_text(given)}']
    if is_lazy(value):
        if not is_lazy(given):
            with modes.no_grad():
                value.materialize(given.shape)
    elif not is_lazy(given):
        if value.shape == () and len(given.shape) == 1:  # what versions before 0.4 stored of 0-d tensors
            given = given[0]
        if value.shape != given.shape:
            where = f"with shape {given.shape} from checkpoint, the shape in current model is {value.shape}."
            return [f"size mismatch for {key}: copying a param {where}"]
    if is_lazy(given):
        return []
    with modes.no_grad():
        if not assign:
            value.copy_(given)
        elif isinstance(value, Parameter):
            setattr(module, name, given if isinstance(given, Parameter) else Parameter(given, value.requires_grad))
        else:
            setattr(module, name, given)
    return []
