"""Other calls of recorded ones: extents, dtypes, arguments, layouts and forms changed one by one, by a number.

An extent changes everywhere in a call at once, so that most shapes go on fitting together; where they do not, PyTorch's
refusal is what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.parity.calls import ATTRIBUTES, DTYPES, RECORDED, Call, Operand, public_names, recorded

LAYOUTS = ("transposed", "transposed", "reversed", "stepped", "offset", "expanded", "channels_last")
EXTENTS = (0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7)
INEXACT = ("float64", "float64", "float32", "float32", "complex128", "complex64", "float16", "bfloat16")
MANY = 400  # elements that an operand may come to
Variation = Callable[[Call, Random], Call]


def vary(op: str, number: int, source: Path = RECORDED) -> Call:
    """The variation of this number of a call of ``op``."""
    rng = Random(f"{op}/{number}")
    return varied(rng.choice(recorded(source)[op]), rng, rng.choice((1, 1, 1, 2, 2, 3)))


def varied(call: Call, rng: Random, count: int) -> Call:
    """The call after so many changes."""
    for _ in range(count):
        variation = rng.choice(VARIATIONS)
        other = variation(call, rng)
        if other is not call:
            call = replace(other, notes=(*call.notes, variation.__name__))
    return call


def _changed(call: Call, name: str, operand: Operand) -> Call:
    return replace(call, operands={**call.operands, name: operand})


# -- extents ------------------------------------------------------------------------------------------------------
def extent(call: Call, rng: Random) -> Call:
    """One extent to another, in all operands and, as often as not, where the arguments have the same number."""
    found = sorted({size for operand in call.operands.values() for size in operand.shape})
    if not found:
        return call
    old, new = rng.choice(found), rng.choice(EXTENTS)
    operands = {
        name: _resized(operand, tuple(new if size == old else size for size in operand.shape), rng)
        for name, operand in call.operands.items()
    }
    if any(operand.values.size > MANY for operand in operands.values()):
        return call
    call = replace(call, operands=operands)
    if rng.random() < 0.6:
        args = tuple(_renumbered(arg, old, new) for arg in call.node.args)
        call = call.with_node(args=args, kwargs=_renumbered_all(call.node.kwargs, old, new))
    return call


def _renumbered(value: Any, old: int, new: int) -> Any:
    if isinstance(value, list):
        return [_renumbered(item, old, new) for item in value]
    return new if type(value) is int and value == old > 1 else value


def _renumbered_all(kwargs: dict[str, Any], old: int, new: int) -> dict[str, Any]:
    return {name: _renumbered(value, old, new) for name, value in kwargs.items()}


def one_extent(call: Call, rng: Random) -> Call:
    """Of one operand only: it may no longer fit."""
    names = [name for name, operand in call.operands.items() if operand.shape]
    if not names:
        return call
    name = rng.choice(names)
    operand = call.operands[name]
    shape = list(operand.shape)
    shape[rng.randrange(len(shape))] = rng.choice(EXTENTS)
    return _changed(call, name, _resized(operand, tuple(shape), rng)) if np.prod(shape) <= MANY else call


def rank(call: Call, rng: Random) -> Call:
    """A dimension more or less of one operand."""
    if not call.operands:
        return call
    name = rng.choice(list(call.operands))
    operand = call.operands[name]
    shapes = [operand.shape[1:], operand.shape[:-1], (), (1, *operand.shape), (2, *operand.shape), (*operand.shape, 1)]
    return _changed(call, name, _resized(operand, rng.choice(shapes), rng))


def _resized(operand: Operand, shape: tuple[int, ...], rng: Random) -> Operand:
    """Numbers of the range and of the structure that the recorded ones have."""
    if shape == operand.shape:
        return operand
    old, count = operand.values, int(np.prod(shape))
    draw = np.random.default_rng(rng.randrange(2**32))
    if not operand.is_inexact or not old.size or not np.isfinite(old).all():
        source = old.ravel() if old.size else np.zeros(1, old.dtype)
        return replace(operand, values=np.resize(source, shape).astype(old.dtype))
    values = draw.uniform(old.real.min(), old.real.max(), count)
    if np.iscomplexobj(old):
        values = values + 1j * draw.uniform(old.imag.min(), old.imag.max(), count)
    return replace(operand, values=_structured(old, np.round(values.reshape(shape), 5)))


def _structured(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """``new`` symmetric and positive, or triangular, if ``old`` is."""
    if old.ndim < 2 or old.shape[-1] != old.shape[-2] or old.shape[-1] < 2 or new.ndim < 2:
        return new
    if new.shape[-1] != new.shape[-2]:
        return new
    if np.allclose(old, old.swapaxes(-1, -2).conj()):
        return np.asarray(new @ new.swapaxes(-1, -2).conj() + np.eye(new.shape[-1]))
    for triangle in (np.tril, np.triu):
        if (triangle(old) == old).all():
            return np.asarray(triangle(new) + np.eye(new.shape[-1]))
    return new


# -- dtypes and what an operand is --------------------------------------------------------------------------------
def dtype(call: Call, rng: Random) -> Call:
    """All inexact operands of another dtype."""
    new = rng.choice(INEXACT)
    return replace(call, operands={n: _cast(o, new, rng) if o.is_inexact else o for n, o in call.operands.items()})


def one_dtype(call: Call, rng: Random) -> Call:
    if not call.operands:
        return call
    name = rng.choice(list(call.operands))
    return _changed(call, name, _cast(call.operands[name], rng.choice(DTYPES), rng))


def integers(call: Call, rng: Random) -> Call:
    """All inexact operands of one dtype that is exact."""
    new = rng.choice(DTYPES[6:])
    return replace(call, operands={n: _cast(o, new, rng) if o.is_inexact else o for n, o in call.operands.items()})


def _cast(operand: Operand, new: str, rng: Random) -> Operand:
    values = operand.values
    if new.startswith("complex"):
        values = values + 0.5j * np.roll(values.real, 1) if not np.iscomplexobj(values) else values
        return replace(operand, values=values, dtype=new)
    values = values.real if np.iscomplexobj(values) else values
    if new in INEXACT:
        return replace(operand, values=values.astype(np.float64), dtype=new)
    with np.errstate(invalid="ignore"):
        exact = np.abs(np.nan_to_num(values)) if new == "uint8" else np.nan_to_num(values)
    whole = exact > 0 if new == "bool" else np.clip(np.round(exact.astype(np.float64)), -100, 100).astype(np.int64)
    return replace(operand, values=whole, dtype=new, requires_grad=False)


def layout(call: Call, rng: Random) -> Call:
    names = [name for name, operand in call.operands.items() if operand.shape]
    if not names:
        return call
    chosen = set(rng.sample(names, rng.randint(1, len(names))))
    return replace(
        call,
        operands={
            name: replace(operand, layout=rng.choice(LAYOUTS)) if name in chosen else operand
            for name, operand in call.operands.items()
        },
    )


def untracked(call: Call, rng: Random) -> Call:
    """An operand that requires no grad."""
    names = [name for name, operand in call.operands.items() if operand.requires_grad]
    if not names:
        return call
    name = rng.choice(names)
    return _changed(call, name, replace(call.operands[name], requires_grad=False))


def special(call: Call, rng: Random) -> Call:
    """Numbers that are none, infinite or zero."""
    names = [name for name, operand in call.operands.items() if operand.is_inexact and operand.values.size]
    if not names:
        return call
    name = rng.choice(names)
    values = call.operands[name].values.copy()
    values.flat[rng.randrange(values.size)] = rng.choice((np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0))
    return _changed(call, name, replace(call.operands[name], values=values))


# -- arguments ----------------------------------------------------------------------------------------------------
def argument(call: Call, rng: Random) -> Call:
    """An argument that is no tensor, replaced or left out."""
    node = call.node
    places: list[Any] = [p for p, arg in enumerate(node.args) if not _holds_tensor(arg)] + [
        name for name, value in node.kwargs.items() if not _holds_tensor(value)
    ]
    if not places:
        return call
    place = rng.choice(places)
    if isinstance(place, str):
        kwargs = dict(node.kwargs)
        if rng.random() < 0.2:
            del kwargs[place]
        else:
            kwargs[place] = _other(kwargs[place], _pool(call.op, place), rng)
        return call.with_node(kwargs=kwargs)
    if rng.random() < 0.15:
        return call.with_node(args=node.args[:place])
    args = list(node.args)
    args[place] = _other(args[place], _pool(call.op, place), rng)
    return call.with_node(args=tuple(args))


def option(call: Call, rng: Random) -> Call:
    """A keyword that another call of the op has."""
    others = [other.node.kwargs for other in recorded()[call.op] if other.node.kwargs]
    if not others:
        return call
    kwargs = rng.choice(others)
    name = rng.choice(sorted(kwargs))
    if _holds_tensor(kwargs[name]):
        return call
    return call.with_node(kwargs={**call.node.kwargs, name: kwargs[name]})


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list):
        return any(_holds_tensor(item) for item in value)
    return isinstance(value, str) and value.startswith("$")


@cache
def _pool(op: str, place: int | str) -> tuple[Any, ...]:
    """What the recorded calls have there."""
    found = []
    for call in recorded()[op]:
        node = call.node
        if isinstance(place, str) and place in node.kwargs:
            found.append(node.kwargs[place])
        if isinstance(place, int) and place < len(node.args):
            found.append(node.args[place])
    return tuple(value for value in found if not _holds_tensor(value))


def _other(value: Any, pool: tuple[Any, ...], rng: Random) -> Any:
    if pool and rng.random() < 0.35:
        return rng.choice(pool)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, 0, 1, 2, -1, -2, 3, value + 0.5 if rng.random() < 0.2 else 1))
    if isinstance(value, float):
        return rng.choice((value * 2, -value, 0.0, 1.0, 0.5, 1, 2, {"float": "Infinity"}, {"float": "NaN"}))
    if isinstance(value, list) and value:
        return _other_list(value, pool, rng)
    if isinstance(value, str) and value in DTYPES:
        return rng.choice(DTYPES)
    return rng.choice((value, None, 0, 1, "none", True))


def _other_list(value: list[Any], pool: tuple[Any, ...], rng: Random) -> Any:
    choice = rng.random()
    if choice < 0.1:
        return value[:-1]
    if choice < 0.2:
        return [*value, value[-1]]
    if choice < 0.3:
        return value[0]
    if choice < 0.4:
        return list(reversed(value))
    place = rng.randrange(len(value))
    return [_other(item, (), rng) if at == place else item for at, item in enumerate(value)]


# -- forms --------------------------------------------------------------------------------------------------------
def form(call: Call, rng: Random) -> Call:
    """As a method, into an operand, into a tensor that is given."""
    op, args = call.op, call.node.args
    first_is_tensor = bool(args) and isinstance(args[0], str) and args[0].startswith("$")
    forms = ["out"] if f"torch.{op}" in public_names() and "out" not in call.node.kwargs else []
    if first_is_tensor and op not in ATTRIBUTES:
        forms += ["method"] if f"torch.Tensor.{op}" in public_names() else []
        forms += ["inplace"] * 2 if f"torch.Tensor.{op}_" in public_names() else []
    return replace(call, form=rng.choice(forms)) if forms else call


VARIATIONS: tuple[Variation, ...] = (
    extent, extent, extent, extent, extent, one_extent, rank, dtype, dtype, one_dtype, integers, layout, layout,
    untracked, special, argument, argument, argument, argument, option, form, form,
)  # fmt: skip
