"""The catalogue: every op, generated from its declaration, and whatever else can be called by name."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.errors import NotFound
from engine import dtypes, registry

TYPES: Final = {
    "Array": "Tensor", "Index": "Tensor", "Mask": "Tensor", "Arrays": "list[Tensor]", "Dim": "int", "NewDim": "int",
    "Dims": "int | list[int]", "AskedDims": "int | list[int]",
    "Size": "list[int]", "Ints": "list[int]", "Extents": "list[int]", "Scalar": "number", "DType": "dtype",
    "Tensors": "list[Tensor]", "Masking": "Tensor", "Operand": "Tensor | number", "Real": "Tensor | number",
    "Function": "function",
}  # fmt: skip
KNOWN_TYPES: Final = frozenset({"int", "float", "bool", "str"})
PRIVATE: Final = "_"
UNLISTED: Final = frozenset({  # bases of classes, kinds of objects that are got and not made, old names
    "optim.Optimizer", "optim.lr_scheduler.LRScheduler", "optim.lr_scheduler._LRScheduler", "optim.SparseAdam",
    "nn.RNNBase", "nn.RNNCellBase", "nn.NonDynamicallyQuantizableLinear", "nn.parameter.UninitializedBuffer",
    "nn.parameter.UninitializedParameter", "nn.utils.rnn.PackedSequence", "utils.hooks.RemovableHandle",
    "nn.UninitializedBuffer", "nn.UninitializedParameter", "nn.modules.linear.NonDynamicallyQuantizableLinear",
    "nn.modules.rnn.RNNBase", "nn.modules.rnn.RNNCellBase", "autograd.graph.GradientEdge", "autograd.graph.Node",
    *(f"nn.init.{name}" for name in ("constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "orthogonal",
                                     "sparse", "xavier_normal", "xavier_uniform")),
})  # fmt: skip
EXAMPLES: Final = Path(__file__).with_name("op_examples.json")
Entry = dict[str, Any]


# -- what there is ------------------------------------------------------------------------------------------------
@cache
def _entries() -> Mapping[str, Any]:
    """By name, in the order of names: ops, then functions, classes and methods that are none."""
    found = registry.catalogue()
    ops = {id(op) for op in found.values()} | {id(getattr(op, "inplace", None)) for op in found.values()}
    seen = dict.fromkeys(ops)
    for name, entry in (*registry.functions(), *registry.methods()):
        behind = getattr(entry, "op", entry)
        is_known = id(entry) in seen or id(behind) in seen or getattr(behind, "name", None) in found
        if is_known or name in found or name.startswith(PRIVATE) or name in UNLISTED or _is_in_place(name):
            continue
        seen[id(behind)] = None
        found[name] = entry
    return dict(sorted(found.items()))


def _is_in_place(name: str) -> bool:
    """Whether this is the in-place variant of another name, which tells of it."""
    plain = name.removesuffix("_")
    return plain != name and (registry.function(plain) is not None or registry.method(plain) is not None)


@cache
def _aliases() -> Mapping[str, list[str]]:
    """By name of an entry, the other names of the same function."""
    entries, names = {id(entry): name for name, entry in _entries().items()}, defaultdict(list)
    for name, entry in registry.functions():
        known = entries.get(id(entry))
        if known is not None and known != name:
            names[known].append(name)
    return names


def names() -> list[str]:
    """Return every name of the catalogue."""
    return list(_entries())


@cache
def summaries() -> list[dict[str, str]]:
    """Return every entry: name, signature, and what it does in one line."""
    return [_summary(name, entry) for name, entry in _entries().items()]


def select(
    text: str | None, family: str | None, differentiable: bool | None, after: str | None, size: int
) -> tuple[list[dict[str, str]], str | None]:
    """Return one page of the entries that fit, and the name that the next one begins after."""
    wanted = (text or "").casefold()
    fitting = [
        one
        for one in summaries()
        if (after is None or one["name"] > after)
        and (wanted in one["name"].casefold() or wanted in one["summary"].casefold())
        and (family is None or family in map(family_of, (one["name"], *_aliases().get(one["name"], []))))
        and (differentiable is None or bool(_differentiable(one["name"])) == differentiable)
    ]
    page = fitting[:size]
    return page, page[-1]["name"] if len(fitting) > size else None


def family_of(name: str) -> str:
    """Return the module that a name is in: `torch`, `linalg`, `nn.functional`."""
    return name.rpartition(".")[0] or "torch"


def _differentiable(name: str) -> list[str]:
    """Return the parameters that gradients flow to: as declared, or of what is made of ops, those of its example."""
    entry = _entries()[name]
    if getattr(entry, "rules", None) is not None:
        return [param.name for param in entry.differentiable]
    return list(_examples().get(name, {}).get("differentiable", []))


def describe(name: str) -> dict[str, Any]:
    """Return all that is known of one name, also of an alias. Raises ``NotFound``."""
    name = name.removeprefix("torch.")
    known = name if name in _entries() else next((one for one, other in _aliases().items() if name in other), None)
    if known is None:
        raise NotFound("op")
    return _summary(known, _entries()[known]) | _details(known, _entries()[known])


# -- what is said of an entry -----------------------------------------------------------------------------------------
def _summary(name: str, entry: Any) -> dict[str, str]:
    return {"name": name, "signature": signature(name, entry), "summary": _text(entry).partition("\n")[0]}


def _text(entry: Any) -> str:
    return inspect.cleandoc(entry.__doc__ or "").replace("``", "`")


def _details(name: str, entry: Any) -> dict[str, Any]:
    rules = getattr(entry, "rules", None)
    example = _examples().get(name, {})
    return {
        "description": _text(entry),
        "kind": _kind(name, entry),
        "family": family_of(name),
        "aliases": _aliases().get(name, []),
        "parameters": parameters(name),
        "differentiable": _differentiable(name),
        "grad_fn": str(entry.grad_fn) if rules else example.get("grad_fn"),
        "shapes": example.get("shapes"),
        "method": registry.method(name) is not None or registry.attribute(name) is not None,
        "in_place": registry.method(f"{name}_") is not None,
        "example": example.get("request"),
        "pytorch": _page(name),
    }


def _kind(name: str, entry: Any) -> str:
    if getattr(entry, "rules", None) is not None:
        return "primitive"
    if isinstance(entry, type):
        return "class"
    if hasattr(entry, "signature"):
        return "composite"
    return "function" if registry.function(name) is not None else "method"


def _page(name: str) -> str:
    """Return the name of the page in PyTorch's documentation: ``torch.add``, ``torch.Tensor.view``."""
    is_method = registry.function(name) is None
    return f"torch.Tensor.{name}" if is_method else f"torch.{name}"


@cache
def _examples() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


# -- signatures -------------------------------------------------------------------------------------------------------
def parameters(name: str) -> list[Entry]:
    """Return the parameters of an entry, with type and default as far as they are known."""
    found = []
    for param in _params(_entries()[name]):
        one: Entry = {"name": param["name"], "type": param["type"], "required": param["default"] is None}
        if param["default"] is not None:
            one["default_value"] = param["default"]
        found.append({**one, "keyword_only": param["keyword_only"]})
    return found


def signature(name: str, entry: Any) -> str:
    """``add(input: Tensor, other: Tensor, *, alpha: number = 1)``."""
    parts: list[str] = []
    for param in _params(entry):
        if param["keyword_only"] and "*" not in parts and not any(part.startswith("*") for part in parts):
            parts.append("*")
        text = f"{param['star']}{param['name']}" + (f": {param['type']}" if param["type"] else "")
        parts.append(text if param["default"] in (None, "") else f"{text} = {param['default']}")
    return f"{name}({', '.join(parts)})"


def _params(entry: Any) -> list[Entry]:
    declared = getattr(entry, "signature", None) or getattr(getattr(entry, "op", None), "signature", None)
    return _of_callable(entry) if declared is None else [_of_declaration(param) for param in declared.params]


def _of_declaration(param: Any) -> Entry:
    kind = param.kind.removeprefix("<class '").removesuffix("'>")
    shown = TYPES.get(kind) or (kind if kind in KNOWN_TYPES else "")
    has_default = param.default is not inspect.Parameter.empty
    return {
        "name": param.name,
        "type": (f"{shown} | None" if param.optional else shown) if shown else None,
        "default": _default(param.default) if has_default else "" if param.variadic else None,
        "keyword_only": param.keyword_only,
        "star": "*" if param.variadic else "",
    }


def _of_callable(function: Callable[..., Any]) -> list[Entry]:
    try:
        params = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a built-in class
        return []
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        {
            "name": param.name,
            "type": None if param.annotation is inspect.Parameter.empty else _annotation(param.annotation),
            "default": "" if param.kind in stars
                       else None if param.default is inspect.Parameter.empty else _default(param.default),
            "keyword_only": param.kind is inspect.Parameter.KEYWORD_ONLY,
            "star": stars.get(param.kind, ""),
        }
        for param in params
    ]  # fmt: skip


def _annotation(annotation: Any) -> str | None:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return None if text == "Any" else text


def _default(value: Any) -> str:
    return value.name if isinstance(value, dtypes.DType) else repr(value)
