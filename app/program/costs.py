"""What Python's own functions and operators cost, said before they run.

Each stands in its table beside a function of its arguments that gives a ``Cost``: steps, which the run's budget counts,
and the size of what comes out, which limits bound. No cost function does more work than it announces: lengths are
asked, and what has to be walked through (to compare, to print) is walked to the limit at most. Costs are upper bounds
within a small factor; an argument of the wrong type costs nothing, for Python refuses it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from math import log2
from typing import Any, Final, NamedTuple

import numpy as np

from app.limits import Allowance, Limits, OverLimit
from engine import Tensor, modes

ITEM_BYTES: Final = 8  # a place in a list, or a character at its widest and what is copied of it on the way
OBJECT_BYTES: Final = 56  # a number or a short text of its own
TENSOR_WEIGHT: Final = 10  # in items: what handling a tensor in a list costs
DIGIT_BITS: Final = 30  # of a digit of Python's integers
SMALL: Final = 2**62  # integers up to it are two digits, three at most
_DEFAULTS: Final = Limits()


class Cost(NamedTuple):
    """``items`` is the length of what comes out, ``bits`` that of an integer, ``nbytes`` the memory that is new."""

    steps: int = 1
    nbytes: int = 0
    items: int = 0
    bits: int = 0


CONTAINERS: Final = (list, tuple, dict, set, frozenset, deque)
SIZED: Final[tuple[Any, ...]] = (str, *CONTAINERS, type({}.keys()), type({}.values()), type({}.items()))
CostOf = Callable[..., Cost]
LITTLE: Final = Cost()


def pay(cost: Cost) -> None:
    """Charge ``cost`` to the run. Raises ``OverLimit`` or ``BudgetError``."""
    budget = modes.current().budget
    limits = budget.limits if isinstance(budget, Allowance) else _DEFAULTS
    if cost.items > limits.list_items:
        raise OverLimit("list_items", allowed=limits.list_items, asked=cost.items)
    if cost.bits > limits.integer_bits:
        raise OverLimit("integer_bits", allowed=limits.integer_bits, asked=cost.bits)
    if budget is not None:
        budget.take(cost.steps, cost.nbytes)


# -- sizes --------------------------------------------------------------------------------------------------------
def length(value: Any) -> int:
    """How many items an iteration gives; tensors ask for themselves. ``len`` fails for long ranges."""
    if isinstance(value, range):
        return max(0, -((value.start - value.stop) // value.step))
    if isinstance(value, SIZED):
        return _len_of(value)
    return value.size if isinstance(value, np.ndarray) else 0


def _len_of(value: Any) -> int:
    """``len`` as Python's own type has it: a program's class may say something else."""
    kind = next(kind for kind in SIZED if isinstance(value, kind))
    count: int = kind.__len__(value)
    return count


def items_of(value: Any) -> Iterator[Any]:
    """The items of a container as Python's own type has them, and the values of a dict."""
    kind = next(kind for kind in CONTAINERS if isinstance(value, kind))
    items = iter(kind.__iter__(value))
    return chain(items, dict.values(value)) if kind is dict else items


def weight(value: Any) -> int:
    """What there is in a value, counting what is there twice twice: items, characters, digits."""
    return _walked(value, _weight_of)


def text_length(value: Any) -> int:
    """How long the text of a value may be, apart from tensors in it."""
    return len(value) if isinstance(value, str) else _walked(value, _chars_of)


def _walked(value: Any, measure: Callable[[Any], int]) -> int:
    """The sum of ``measure`` over a container and all in it; no more is looked at than the limits allow."""
    count = measure(value)
    if not isinstance(value, CONTAINERS):
        return count
    budget = modes.current().budget
    limits = budget.limits if isinstance(budget, Allowance) else _DEFAULTS
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        items, depth = pending.pop()
        if depth > limits.list_depth:
            raise OverLimit("list_depth", allowed=limits.list_depth, asked=depth)
        parts = list(items_of(items)) if type(items) not in (list, tuple) else items
        if count + len(parts) > limits.list_items:
            raise OverLimit("list_items", allowed=limits.list_items, asked=count + len(parts))
        kinds = set(map(type, parts))
        if len(kinds) == 1 and not kinds.isdisjoint(_ALIKE):  # of rows of numbers one stands for all
            count += len(parts) * max(map(measure, (min(parts), max(parts)) if kinds == {int} else parts[:1]))
        else:
            count += sum(map(measure, parts))
        if count > limits.list_items:
            raise OverLimit("list_items", allowed=limits.list_items, asked=count)
        if any(issubclass(kind, CONTAINERS) for kind in kinds):
            pending += [(item, depth + 1) for item in parts if isinstance(item, CONTAINERS)]
    return count


def _weight_of(item: Any) -> int:
    if isinstance(item, Tensor):
        return TENSOR_WEIGHT
    if isinstance(item, np.ndarray):
        return 1 + item.size // 16
    if isinstance(item, str):
        return len(item) + 1
    return 1 + _digits(item) if type(item) is int else 1


def _chars_of(item: Any) -> int:
    if isinstance(item, np.ndarray):
        return _chars_of_array(item)
    if isinstance(item, str):
        return 2 + len(item) * (2 if item.isprintable() else len(r"\U0001F600"))
    if type(item) is int:
        return 4 + item.bit_length() // 3
    if isinstance(item, CONTAINERS):
        return 12 + 4 * _len_of(item)
    return _CHARS.get(type(item), 80)


def _chars_of_array(array: np.ndarray[Any, Any]) -> int:
    """All elements up to the threshold of printing; at most the edges of each dimension beyond it."""
    options: Any = np.get_printoptions()
    edges = (2 * options["edgeitems"] + 1) ** min(array.ndim, 8)
    widest = 26 + options["precision"] + 320 * (options["suppress"] or options["floatmode"] != "maxprec")
    shown = min(array.size, max(options["threshold"], edges))
    return int(80 + shown * max(widest * (2 if array.dtype.kind == "c" else 1), array.itemsize))


_CHARS: Final[dict[type, int]] = {bool: 5, float: 24, complex: 52, type(None): 4}
_ALIKE: Final = {int, *_CHARS}  # of which all are measured alike; integers up to the largest


def _digits(number: int) -> int:
    return 0 if -SMALL < number < SMALL else number.bit_length() // DIGIT_BITS


def _bits(number: int) -> int:
    return number.bit_length()


def bounded(value: Any) -> Any:
    """``value``, which somebody is about to walk through, unless there is too much in it."""
    if isinstance(value, CONTAINERS):
        pay(Cost(weight(value)))
    return value


# -- costs of one shape -------------------------------------------------------------------------------------------
def little(*_: Any, **__: Any) -> Cost:
    """Next to nothing, whatever it is given."""
    return LITTLE


def copied(count: int) -> Cost:
    """A text or container of ``count`` items, copied from others."""
    return Cost(1 + count // 8, ITEM_BYTES * count, count)


def made(count: int) -> Cost:
    """``count`` new objects in a list."""
    return Cost(1 + count, (ITEM_BYTES + OBJECT_BYTES) * count, count)


def read(value: Any = (), *_: Any, **__: Any) -> Cost:
    """To look at each item or character once."""
    return Cost(1 + length(value) // 8)


def copy(value: Any = (), *_: Any, **__: Any) -> Cost:
    """A copy."""
    return (made if isinstance(value, (dict, set, frozenset)) else copied)(length(value))


def listed(value: Any = (), *_: Any, **__: Any) -> Cost:
    """A list of the items."""
    return made(length(value)) if isinstance(value, (str, range, np.ndarray)) else copied(length(value))


def tabled(value: Any = (), *_: Any, **__: Any) -> Cost:
    """A set of the items."""
    return made(length(value))


def recased(text: Any, *_: Any, **__: Any) -> Cost:
    """The text in other letters: some have three characters in the other case."""
    return Cost(1 + length(text), ITEM_BYTES * 3 * length(text), length(text))


def walked(*values: Any, **_: Any) -> Cost:
    """To walk through all that is in the arguments, as a comparison does."""
    return Cost(1 + sum(map(weight, values)))


def chosen(*values: Any, **_: Any) -> Cost:
    """To compare all items: of the only argument, or all of several."""
    return Cost(1 + sum(map(length, values)) + sum(map(weight, values)))


def text(object: Any = "", *_: Any, **__: Any) -> Cost:  # named as Python names it
    """The text of a value. Digits are found in the square of their number."""
    count = text_length(object)
    digits = _digits(object) if type(object) is int else 0
    return Cost(1 + count + digits**2 // 8, ITEM_BYTES * count, count)


# -- operators ----------------------------------------------------------------------------------------------------
def _numbers(left: Any, right: Any) -> bool:
    return isinstance(left, int) and isinstance(right, int)


def add(left: Any, right: Any) -> Cost:
    """Numbers, or a text, list or tuple of two."""
    if isinstance(left, (str, list, tuple, deque)):
        return copied(length(left) + length(right))
    return linear(left, right)


def extend(left: Any, right: Any = (), *_: Any, **__: Any) -> Cost:
    """``left += right`` and ``left.extend(right)``: only what comes from the right is new in a list."""
    if not isinstance(left, list):
        return add(left, right)
    new = listed(right)
    return new._replace(items=len(left) + new.items)


def linear(left: Any = 0, right: Any = 0, *_: Any, **__: Any) -> Cost:
    """Digit by digit; the union of two dicts."""
    if isinstance(left, (dict, set, frozenset)):
        return made(length(left) + length(right))  # a table has two to six times as many places as items
    count = sum(_digits(one) for one in (left, right) if isinstance(one, int))
    return Cost(1 + count, 4 * count) if count else LITTLE


def multiply(left: Any, right: Any) -> Cost:
    """A product, or a sequence repeated."""
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple, deque)) and isinstance(count, int):
            return copied(len(sequence) * max(count, 0))
    if not _numbers(left, right):
        return LITTLE
    bits = _bits(left) + _bits(right)
    return Cost(1 + _digits(left) * _digits(right), bits // 8, bits=bits)


def divide(left: Any, right: Any) -> Cost:
    """A quotient or remainder of integers, in the product of their lengths."""
    if not _numbers(left, right):
        return LITTLE
    count = _digits(left)
    return Cost(1 + count * (1 + _digits(right)), 4 * count) if count else LITTLE


def power(left: Any, right: Any) -> Cost:
    """A power of integers."""
    if not _numbers(left, right) or right <= 0 or -2 < left < 2:
        return LITTLE
    bits = _bits(left) * right
    return Cost(1 + (bits // DIGIT_BITS) ** 2 if bits < SMALL else 1, bits // 8, bits=bits)


def shift(left: Any, right: Any) -> Cost:
    """An integer shifted to the left."""
    if not _numbers(left, right) or not left:
        return LITTLE
    bits = _bits(left) + max(right, 0)
    return Cost(1 + bits // DIGIT_BITS if bits < SMALL else 1, bits // 8, bits=bits)


def modulo(left: Any, right: Any) -> Cost:
    """A remainder, or a text formatted."""
    if not isinstance(left, str):
        return divide(left, right)
    count = len(left) + _formatted(left, right)
    return Cost(1 + count, ITEM_BYTES * count, count)


def compare(left: Any, right: Any) -> Cost:
    """Equality or order, all the way down."""
    if isinstance(left, CONTAINERS) and isinstance(right, CONTAINERS):
        return walked(left, right)
    return Cost(1 + min(length(left), length(right)) // 8)


def contains(item: Any, container: Any) -> Cost:
    """``item in container``: ranges are walked through for what is no integer."""
    if isinstance(container, range):
        return LITTLE if isinstance(item, int) else Cost(1 + length(container))
    if isinstance(container, (dict, set, frozenset)):
        return walked(item)
    return read(container) if isinstance(container, str) else walked(item, container)


_FIELD: Final = re.compile(r"[#0 +-]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?(.?)", re.DOTALL)
_PARENTHESIS: Final = re.compile(r"[()]")
_LONGEST_REAL: Final = 320  # digits of a float before its point, and the sign


def _formatted(form: str, values: Any) -> int:
    """How many characters ``form % values`` may put in place of its fields."""
    items = values if isinstance(values, tuple) else (values,)
    count, fields, stars, place = 0, 0, 0, form.find("%")
    while place >= 0:
        place = _after_key(form, place + 1)
        field = _FIELD.match(form, place)
        assert field is not None  # every part of it may be empty
        fields += 1
        for width in field.groups()[:2]:
            stars += width == "*"
            count += int(width[:12]) if width and width != "*" else 0
        count += _LONGEST_REAL if field[3] in "fFdiu" and _holds_reals(items) else 0
        place = form.find("%", field.end())
    texts = [text_length(item) for item in (*items, *(values.values() if isinstance(values, dict) else ()))]
    times = fields if isinstance(values, dict) else 1
    widths = stars * max((abs(item) for item in items if isinstance(item, int)), default=0)
    return count + widths + times * (10 * sum(texts) if "%a" in form else sum(texts))


def _after_key(form: str, place: int) -> int:
    """The place after ``(key)``, whose parentheses may nest."""
    if not form.startswith("(", place):
        return place
    depth = 0
    for found in _PARENTHESIS.finditer(form, place):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.end()
    return len(form)


def _holds_reals(items: Iterable[Any]) -> bool:
    return any(isinstance(item, (float, dict)) for item in items)


# -- functions ----------------------------------------------------------------------------------------------------
def integer(value: Any = 0, base: Any = 10, *_: Any, **__: Any) -> Cost:
    """An integer of a text; of decimal digits Python itself takes no more than 4,300."""
    if not isinstance(value, str):
        return LITTLE
    bits = 0 if isinstance(base, int) and base == 10 else 5 * len(value)
    return Cost(1 + len(value) + min(len(value), 4300) ** 2 // 64, len(value), bits=bits)


def rounded(number: Any = 0, ndigits: Any = None, *_: Any, **__: Any) -> Cost:
    """Integers are rounded with a power of ten."""
    if isinstance(number, int) and isinstance(ndigits, int) and ndigits < 0:
        return power(10, -ndigits)
    return linear(number)


def total(items: Any = (), start: Any = 0, *_: Any, **__: Any) -> Cost:
    """A sum; of lists, each step copies what came before."""
    count = length(items)
    if isinstance(start, (list, tuple)) and isinstance(items, (list, tuple)):
        result = length(start) + sum(map(length, items))
        return Cost(1 + count * result // 8, ITEM_BYTES * count * result // 2, result)
    return Cost(1 + count + (weight(items) if isinstance(items, (list, tuple, dict)) else 0))


def mapping(*parts: Any, **named: Any) -> Cost:
    """A dict of others, or of pairs."""
    return made(sum(map(length, parts)) + len(named))


# -- methods ------------------------------------------------------------------------------------------------------
def joined(separator: str, parts: Any = (), *_: Any, **__: Any) -> Cost:
    """Texts put together."""
    count = length(parts)
    texts = count if isinstance(parts, (str, range)) else sum(len(one) for one in parts if isinstance(one, str)) if (
        isinstance(parts, (list, tuple, dict))) else 0  # fmt: skip
    return copied(texts + len(separator) * count)._replace(steps=1 + count + texts // 8)


def replaced(value: str, old: Any = "", new: Any = "", *_: Any, **__: Any) -> Cost:
    """A text with others in the places of some. Looking for them is part of it."""
    if not isinstance(old, str) or not isinstance(new, str):
        return LITTLE
    found = value.count(old) if len(new) > len(old) else 0
    return copied(len(value) + found * (len(new) - len(old)))._replace(steps=1 + len(value))


def split(value: str, sep: Any = None, *_: Any, **__: Any) -> Cost:
    """A text in parts."""
    parts = 1 + (value.count(sep) if isinstance(sep, str) and sep else (len(value) + 1) // 2)
    return Cost(1 + len(value), ITEM_BYTES * (len(value) + parts) + OBJECT_BYTES * parts, parts)


def grown(value: Any, *_: Any, **__: Any) -> Cost:
    """One more item."""
    return Cost(1, ITEM_BYTES + OBJECT_BYTES, len(value) + 1)


def moved(value: Any, *_: Any, **__: Any) -> Cost:
    """One item more or less in the middle: the others move."""
    return Cost(1 + len(value) // 8, ITEM_BYTES + OBJECT_BYTES, len(value) + 1)


def keyed(value: Any, *keys: Any, **_: Any) -> Cost:
    """To look for a key, and maybe to put one there."""
    return Cost(1 + sum(map(weight, keys)), ITEM_BYTES + 2 * OBJECT_BYTES, len(value) + 1)


def updated(value: Any, *others: Any, **named: Any) -> Cost:
    """A dict with the entries of others."""
    new = mapping(*others, **named)
    return new._replace(items=len(value) + new.items)


def ordered(value: Any, *_: Any, **__: Any) -> Cost:
    """To sort: each of the rounds compares everything once."""
    rounds = int(log2(length(value) + 2))
    return Cost(1 + rounds * weight(value), ITEM_BYTES * length(value))


def sliced(value: Any, index: slice) -> Cost:
    """A part of a sequence. A slice that is none costs nothing: Python refuses it."""
    try:
        return copied(length(range(*index.indices(len(value)))))
    except (TypeError, ValueError):
        return LITTLE


def assigned(value: Any, index: Any, new: Any) -> Cost:
    """``value[index] = new``."""
    if isinstance(value, list) and not isinstance(index, slice):
        return LITTLE
    if isinstance(value, list):
        count = len(value) + length(new)
        return Cost(1 + count, ITEM_BYTES * length(new) + listed(new).nbytes, count)
    return keyed(value, index)
