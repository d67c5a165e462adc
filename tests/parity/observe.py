"""What can be seen of a value, as plain data: the same questions to a tensor of PyTorch and to one of the engine.

A field that has its usual value (no view, version 0, ...) is left out. A question that is refused is answered by the
refusal, so that refusals are compared too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

DEPTH = 3  # how far the graph behind a tensor is named
DIGITS = {"float16": 5, "bfloat16": 4, "float32": 9, "complex64": 9}
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
Observation = dict[str, Any]


def refusal(error: BaseException) -> str:
    """Class and text of an exception; the engine's say which class of PyTorch's they stand for."""
    name = getattr(error, "exception", type(error).__name__).lstrip("_")
    return f"{name}: {ADDRESS.sub('0x', str(error))}"


def asked(question: Callable[[], Any]) -> Any:
    """The answer, or the refusal."""
    try:
        return question()
    except Exception as error:  # whatever is raised is what is compared
        return refusal(error)


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def number(value: Any, digits: int) -> str:
    """A number as text, with as many digits as its dtype has."""
    if isinstance(value, complex):
        return f"{value.real:.{digits}g},{value.imag:.{digits}g}"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(int(value))


def values(tensor: Any) -> str:
    """The elements in order, in one line."""
    nested = tensor.detach().tolist()
    digits = DIGITS.get(dtype_name(tensor), 15)
    return " ".join(number(value, digits) for value in flat(nested))


def flat(nested: Any) -> list[Any]:
    return [value for item in nested for value in flat(item)] if isinstance(nested, list) else [nested]


def graph(node: Any, depth: int = DEPTH) -> str | None:
    """The names of a node and of those behind it: ``MulBackward0(AccumulateGrad, -)``."""
    if node is None:
        return None
    name = str(node.name()).rpartition("::")[2]
    if depth == 1 or not node.next_functions:
        return name
    behind = [_edge(following, index, depth - 1) for following, index in node.next_functions]
    return f"{name}({', '.join(behind)})"


def _edge(node: Any, index: int, depth: int) -> str:
    if node is None:
        return "-"
    return f"{graph(node, depth)}" + (f"[{index}]" if index else "")


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "dtype": dtype_name,
    "shape": lambda tensor: list(tensor.shape),
    "grad_fn": lambda tensor: graph(tensor.grad_fn),
    "output_nr": lambda tensor: tensor.output_nr,
    "stride": lambda tensor: list(tensor.stride()),
    "offset": lambda tensor: tensor.storage_offset(),
    "contiguous": lambda tensor: tensor.is_contiguous(),
    "requires_grad": lambda tensor: tensor.requires_grad,
    "leaf": lambda tensor: tensor.is_leaf,
    "retains_grad": lambda tensor: tensor.retains_grad,
    "version": lambda tensor: tensor._version,
    "view": lambda tensor: tensor._is_view(),
    "inference": lambda tensor: tensor.is_inference(),
    "conj": lambda tensor: tensor.is_conj(),
    "neg": lambda tensor: tensor.is_neg(),
    "values": values,
}
USUAL = {
    "grad_fn": None, "output_nr": 0, "offset": 0, "contiguous": True, "requires_grad": False, "leaf": True,
    "retains_grad": False, "version": 0, "view": False, "inference": False, "conj": False, "neg": False, "grad": None,
}  # fmt: skip


def observe_tensor(tensor: Any, names: dict[int, str], nested: int = 2) -> Observation:
    """Everything about one tensor; ``names`` knows tensors by identity, for ``_base``."""
    seen = {field: asked(partial(question, tensor)) for field, question in QUESTIONS.items()}
    base = asked(lambda: tensor._base)
    if base is not None:
        seen["base"] = base if isinstance(base, str) else names.get(id(base), "unnamed")
    seen["grad"] = asked(lambda: _grad(tensor, names, nested))
    return {field: answer for field, answer in seen.items() if field not in USUAL or USUAL[field] != answer}


def _grad(tensor: Any, names: dict[int, str], nested: int) -> Observation | str | None:
    grad = tensor.grad
    if grad is None or not nested:
        return None
    return names.get(id(grad)) or observe_tensor(grad, names, nested - 1)


def observe(value: Any, torch: Any, names: dict[int, str]) -> Any:
    """A tensor by its fields, a sequence by its items, everything else as text."""
    if isinstance(value, torch.Tensor):
        return observe_tensor(value, names)
    if isinstance(value, tuple | list):
        return [observe(item, torch, names) for item in value]
    return ADDRESS.sub("0x", repr(value))
