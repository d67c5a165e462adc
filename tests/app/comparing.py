"""What an operator case asks of the service, and whether the answers are PyTorch's.

A case holds a request, what PyTorch returns for it, and the tolerance; where ``expect.grads2`` is there, a second
request asks for second derivatives. No HTTP here: ``requests(case)`` are to be sent, ``faults(case, answers)`` judges.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Record = dict[str, Any]
Values = np.ndarray[Any, np.dtype[Any]]


class Answer(NamedTuple):
    """What came back for one request: the HTTP status and the decoded body."""

    status: int
    body: Record


def requests(case: Record) -> list[Record]:
    """The bodies to post, in order."""
    asks_again = case["expect"].get("grads2") is not None
    return [case["request"], second_order(case)] if asks_again else [case["request"]]


def second_order(case: Record) -> Record:
    """Asks for the gradients of ``s``, the sum of all ``first * vector``; ``first`` are the gradients of the case."""
    request, vectors = case["request"], case["second_order"]["vectors"]
    roots = {f"cotangent{place}": root for place, root in enumerate(request["backward"])}
    used = {f"vector{leaf}": leaf for leaf, name in enumerate(vectors) if case["expect"]["grads"][name] is not None}
    constants = {name: root["gradient"] for name, root in roots.items()}
    constants |= {name: list(vectors.values())[leaf] for name, leaf in used.items()}
    first = [[f"${root['tensor']}" for root in roots.values()], _references(vectors), _references(roots)]
    nodes = [
        *request["nodes"],
        _node("first", "autograd.grad", *first, create_graph=True, allow_unused=True),
        *(node for name, leaf in used.items() for node in _product(name, leaf, constants[name]["dtype"])),
        *(_node(name, "add", f"${other}", f"${name}") for other, name in pairwise(used)),
        _node("second", "autograd.grad", _references(used)[-1:], _references(vectors), allow_unused=True),
    ]
    return {"inputs": request["inputs"] | constants, "nodes": nodes, "outputs": ["second"]}


def _product(name: str, leaf: int, dtype: str) -> Iterator[Record]:
    """Rebinds ``name``, a vector, to its product with that leaf's first gradient; of a complex one the real part."""
    yield _node(name, "mul", f"$first.{leaf}", f"${name}")
    yield _node(name, "sum", f"${name}")
    if dtype.startswith("complex"):
        yield _node(name, "real", f"${name}")


def _node(name: str, op: str, *args: Any, **kwargs: Any) -> Record:
    return {"id": name, "op": op, "args": args, "kwargs": kwargs}


def _references(names: Any) -> list[str]:
    return [f"${name}" for name in names]


def faults(case: Record, answers: list[Answer]) -> Iterator[str]:
    """Where the answers differ from what PyTorch does; nothing where they agree."""
    wanted, tolerance = case["expect"], case["tolerance"]
    if "error" in wanted:
        yield from refusal_faults(answers[0], wanted["error"])
        return
    failed = [answer for answer in answers if answer.status != 200]
    yield from (f"status {answer.status}: {answer.body.get('detail')}" for answer in failed)
    if failed:
        return
    for output in wanted["outputs"]:
        yield from output_faults(answers[0].body["outputs"].get(output["name"]), output, tolerance)
    yield from gradient_faults(answers[0].body["grads"], wanted["grads"], tolerance)
    for answer in answers[1:]:
        second = {name: answer.body["outputs"].get(f"second.{leaf}") for leaf, name in enumerate(wanted["grads2"])}
        yield from gradient_faults(second, wanted["grads2"], tolerance["grads2"], zero_is_none=True)


def refusal_faults(answer: Answer, wanted: Record) -> Iterator[str]:
    """A refused request is a 422 that carries the class and the words of PyTorch's error."""
    got = (answer.status, answer.body.get("exception"), answer.body.get("detail"))
    if got != (422, wanted["type"], wanted["message"]):
        yield f"answered {got}, want {wanted}"


def output_faults(got: Record | None, wanted: Record, tolerance: Record) -> Iterator[str]:
    """Values, dtype, shape, node name and whether it requires grad."""
    if got is None:
        yield f"{wanted['name']}: missing"
        return
    found = tensor_fault(got, wanted, tolerance)
    if found:
        yield f"{wanted['name']}: {found}"
    for fact in ("grad_fn", "requires_grad"):
        if got[fact] != wanted[fact]:
            yield f"{wanted['name']}: {fact} is {got[fact]}, want {wanted[fact]}"


def gradient_faults(got: Record, wanted: Record, tolerance: Record, zero_is_none: bool = False) -> Iterator[str]:
    """Per leaf; where PyTorch leaves None, only a null will do, or zeros too if ``zero_is_none``."""
    for leaf, expected in wanted.items():
        found = got.get(leaf)
        if expected is None:
            if found is not None and not (zero_is_none and not values(found).any()):
                yield f"gradient of {leaf}: there is one, want null"
        elif found is None:
            yield f"gradient of {leaf}: null"
        elif fault := tensor_fault(found, expected, tolerance):
            yield f"gradient of {leaf}: {fault}"


def tensor_fault(got: Record, wanted: Record, tolerance: Record) -> str | None:
    """The first of dtype, shape and values that differs; ``wanted["compare"]`` says if signs or all values are free."""
    for fact in ("dtype", "shape"):
        if got[fact] != wanted[fact]:
            return f"{fact} is {got[fact]}, want {wanted[fact]}"
    mode = wanted.get("compare")
    if mode == "skip":
        return None
    read = sizes if mode == "abs" else values
    return value_fault(read(got), read(wanted), tolerance)


def values(tensor: Record) -> Values:
    """The elements; floating point in double precision, a complex number as two in a last dimension."""
    dtype, shape = tensor["dtype"], tensor["shape"]
    if dtype.startswith("complex"):
        return np.asarray(tensor["data"], float).reshape(*shape, 2)
    kind = float if "float" in dtype else bool if dtype == "bool" else np.int64
    return np.asarray(tensor["data"], kind).reshape(shape)


def sizes(tensor: Record) -> Values:
    """The elements' absolute values."""
    elements = values(tensor)
    return np.hypot(*np.moveaxis(elements, -1, 0)) if tensor["dtype"].startswith("complex") else np.abs(elements)


def value_fault(got: Values, wanted: Values, tolerance: Record) -> str | None:
    """Whether ``|got - wanted| <= atol * max(1, largest finite |wanted|) + rtol * |wanted|``; integers are exact."""
    if wanted.dtype != float:
        return None if np.array_equal(got, wanted) else "integers differ"
    size = np.abs(wanted)
    finite = np.isfinite(wanted)
    allowed = tolerance["atol"] * max(1.0, size[finite].max(initial=0.0)) + tolerance["rtol"] * size
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got - wanted)
    close = np.where(finite, error <= allowed, (got == wanted) | (np.isnan(got) & np.isnan(wanted)))
    if close.all():
        return None
    return f"{np.count_nonzero(~close)} of {close.size} values differ, by {error[finite].max(initial=0.0):.3g} at most"
