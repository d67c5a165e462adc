"""What is said of arguments that fit none of PyTorch's overloads: all of these are listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from engine.errors import ArgumentTypeError
from engine.op.signature import shown_name, type_name
from engine.tensor import Tensor

_OF_METHOD = {"where": ("Tensor condition, Tensor other", "Tensor condition, Number other")}
_ENTRY = re.compile(r"(tuple of \w+|\S+) (.+)")
_OUT = re.compile(r"(, \*)?, (tuple of Tensors|Tensor) out = None")


_WITH_NUMBER = (
    "Tensor input, Tensor other, *, Tensor out = None", "Tensor input, Number other, *, Tensor out = None",
)  # fmt: skip
_OF_QUANTILES = 'int dim = None, bool keepdim = False, *, str interpolation = "linear", Tensor out = None'
_CONVOLVED = "Tensor input, Tensor weight, Tensor bias = None, tuple of ints stride = 1,"
_APART = "tuple of ints dilation = 1, int groups = 1"
_OF_MATRIX_NORM = (
    "tuple of ints dim = {-2,-1}, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None"
)  # fmt: skip
_MADE = (
    "Tensor out = None, torch.dtype dtype = None, torch.layout layout = None, torch.device device = None, "
    "bool pin_memory = False, bool requires_grad = False"
)  # fmt: skip
_SOUGHT = (
    "bool out_int32 = False, bool right = False, str side = None, Tensor sorter = None, Tensor out = None"
)  # fmt: skip
_EDGE = "int edge_order = 1"
_NETWORK = "bool has_biases, int num_layers, float dropout, bool train, bool bidirectional"


def _recurrent(state: str) -> tuple[str, ...]:
    """Those of recurrent networks, over packed and over whole sequences."""
    return (
        f"Tensor data, Tensor batch_sizes, {state} hx, tuple of Tensors params, {_NETWORK}",
        f"Tensor input, {state} hx, tuple of Tensors params, {_NETWORK}, bool batch_first",
    )


def _bounded(bound: str) -> tuple[str, ...]:
    """Those of functions that count singular values above a bound."""
    return (
        "Tensor input, *, Tensor atol = None, Tensor rtol = None, bool hermitian = False, Tensor out = None",
        "Tensor input, *, float atol = None, float rtol = None, bool hermitian = False, Tensor out = None",
        f"Tensor input, Tensor {bound}, bool hermitian = False, *, Tensor out = None",
        f"Tensor input, float {bound}, bool hermitian = False, *, Tensor out = None",
    )


# The overloads of functions that have several, as PyTorch's refusals list them; names of equal ones together.
_LISTED = {
    "eq ne lt le gt ge fmod copysign": _WITH_NUMBER,
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift remainder": (
        _WITH_NUMBER[0], "Number self, Tensor other", _WITH_NUMBER[1],
    ),
    "scatter": (
        "Tensor input, int dim, Tensor index, Tensor src, *, Tensor out = None",
        "Tensor input, int dim, Tensor index, Tensor src, *, str reduce, Tensor out = None",
        "Tensor input, int dim, Tensor index, Number value, *, Tensor out = None",
        "Tensor input, int dim, Tensor index, Number value, *, str reduce, Tensor out = None",
    ),
    "index_fill": (
        "Tensor input, int dim, Tensor index, Tensor value",
        "Tensor input, int dim, Tensor index, Number value",
    ),
    "where": (
        "Tensor condition",
        "Tensor condition, Tensor input, Tensor other, *, Tensor out = None",
        "Tensor condition, Number self, Tensor other",
        "Tensor condition, Tensor input, Number other",
        "Tensor condition, Number self, Number other",
    ),
    "masked_fill": (
        "Tensor input, Tensor mask, Tensor value",
        "Tensor input, Tensor mask, Number value",
    ),
    "sum": (
        "Tensor input, *, torch.dtype dtype = None",
        "Tensor input, tuple of ints dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None",
    ),
    "mean": (
        "Tensor input, *, torch.dtype dtype = None, Tensor out = None",
        "Tensor input, tuple of ints dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None",
    ),
    "prod": (
        "Tensor input, *, torch.dtype dtype = None",
        "Tensor input, int dim, bool keepdim = False, *, torch.dtype dtype = None, Tensor out = None",
    ),
    "any all": (
        "Tensor input, *, Tensor out = None",
        "Tensor input, tuple of ints dim = None, bool keepdim = False, *, Tensor out = None",
        "Tensor input, int dim, bool keepdim = False, *, Tensor out = None",
    ),
    "count_nonzero": (
        "Tensor input, int dim = None",
        "Tensor input, tuple of ints dim",
    ),
    "max min": (
        "Tensor input, *, Tensor out = None",
        "Tensor input, Tensor other, *, Tensor out = None",
        "Tensor input, int dim, bool keepdim = False, *, tuple of Tensors out = None",
    ),
    "sort": (
        "Tensor input, *, bool stable, int dim = -1, bool descending = False, tuple of Tensors out = None",
        "Tensor input, int dim = -1, bool descending = False, *, tuple of Tensors out = None",
    ),
    "argsort": (
        "Tensor input, *, bool stable, int dim = -1, bool descending = False, Tensor out = None",
        "Tensor input, int dim = -1, bool descending = False",
    ),
    "lerp": (
        "Tensor input, Tensor end, Tensor weight, *, Tensor out = None",
        "Tensor input, Tensor end, Number weight, *, Tensor out = None",
    ),
    "pow float_power": (
        "Tensor input, Tensor exponent, *, Tensor out = None",
        "Number self, Tensor exponent, *, Tensor out = None",
        "Tensor input, Number exponent, *, Tensor out = None",
    ),
    "clamp": (
        "Tensor input, Tensor min = None, Tensor max = None, *, Tensor out = None",
        "Tensor input, Number min = None, Number max = None, *, Tensor out = None",
    ),
    "clamp_min": (
        "Tensor input, Tensor min, *, Tensor out = None",
        "Tensor input, Number min, *, Tensor out = None",
    ),
    "clamp_max": (
        "Tensor input, Tensor max, *, Tensor out = None",
        "Tensor input, Number max, *, Tensor out = None",
    ),
    "true_divide floor_divide": (
        "Tensor input, Tensor other, *, Tensor out = None",
        "Tensor input, Number other",
    ),
    "div": (
        "Tensor input, Tensor other, *, Tensor out = None",
        "Tensor input, Tensor other, *, str rounding_mode, Tensor out = None",
        "Tensor input, Number other, *, str rounding_mode",
    ),
    "hsplit vsplit dsplit": ("Tensor input, int sections", "Tensor input, tuple of ints indices"),
    "arange": (
        f"Number end, *, {_MADE}", f"Number start, Number end, *, {_MADE.removeprefix('Tensor out = None, ')}",
        f"Number start, Number end, Number step = 1, *, {_MADE}",
    ),
    "eye": (f"int n, *, {_MADE}", f"int n, int m, *, {_MADE}"),
    "searchsorted": (f"Tensor sorted_sequence, Tensor input, *, {_SOUGHT}",
                     f"Tensor sorted_sequence, Number self, *, {_SOUGHT}"),
    "bucketize": (
        "Tensor input, Tensor boundaries, *, bool out_int32 = False, bool right = False, Tensor out = None",
        "Number self, Tensor boundaries, *, bool out_int32 = False, bool right = False",
    ),
    "xlogy": (
        "Tensor input, Tensor other, *, Tensor out = None",
        "Number self, Tensor other, *, Tensor out = None",
        "Tensor input, Number other, *, Tensor out = None",
    ),
    "quantile nanquantile": (
        f"Tensor input, Tensor q, {_OF_QUANTILES}", f"Tensor input, float q, {_OF_QUANTILES}",
    ),
    "var std": (
        "Tensor input, tuple of ints dim, bool unbiased = True, bool keepdim = False, *, Tensor out = None",
        "Tensor input, tuple of ints dim = None, *, Number correction = None, bool keepdim = False, Tensor out = None",
        "Tensor input, bool unbiased = True",
    ),
    "repeat_interleave": (
        "Tensor input, Tensor repeats, int dim = None, *, int output_size = None",
        "Tensor repeats, *, int output_size = None",
        "Tensor input, int repeats, int dim = None, *, int output_size = None",
    ),
    "tensor_split": (
        "Tensor input, tuple of ints indices, int dim = 0",
        "Tensor input, Tensor tensor_indices_or_sections, int dim = 0",
        "Tensor input, int sections, int dim = 0",
    ),
    "movedim": (
        "Tensor input, int source, int destination",
        "Tensor input, tuple of ints source, tuple of ints destination",
    ),
    "squeeze": (
        "Tensor input",
        "Tensor input, int dim",
        "Tensor input, tuple of ints dim",
    ),
    "view": ("Tensor input, torch.dtype dtype", "Tensor input, tuple of ints size"),
    "view_copy": (
        "Tensor input, torch.dtype dtype, *, Tensor out = None",
        "Tensor input, tuple of ints size, *, Tensor out = None",
    ),
    "trapz": ("Tensor y, *, float dx = 1, int dim = -1", "Tensor y, Tensor x, *, int dim = -1"),
    "trapezoid cumulative_trapezoid": (
        "Tensor y, Tensor x, *, int dim = -1", "Tensor y, *, Number dx = 1, int dim = -1",
    ),
    "fill": ("Tensor input, Tensor value", "Tensor input, Number value"),
    "var_mean std_mean": (
        "Tensor input, tuple of ints dim, bool unbiased = True, bool keepdim = False",
        "Tensor input, tuple of ints dim = None, *, Number correction = None, bool keepdim = False",
        "Tensor input, bool unbiased = True",
    ),
    "linalg.matrix_norm": (
        f"Tensor input, Number ord, {_OF_MATRIX_NORM}", f'Tensor input, str ord = "fro", {_OF_MATRIX_NORM}',
    ),
    "linalg.pinv": _bounded("rcond"),
    "linalg.matrix_rank": _bounded("tol"),
    "linalg.cond": (
        "Tensor input, Number p = None, *, Tensor out = None",
        "Tensor input, str p, *, Tensor out = None",
    ),
    "conv1d conv2d conv3d": (
        f"{_CONVOLVED} tuple of ints padding = 0, {_APART}", f'{_CONVOLVED} str padding = "valid", {_APART}',
    ),
    "narrow": (
        "Tensor input, int dim, Tensor start, int length",
        "Tensor input, int dim, int start, int length",
    ),
    "gradient": (
        f"Tensor input, *, tuple of ints dim, {_EDGE}",
        f"Tensor input, *, Number spacing, tuple of ints dim, {_EDGE}",
        f"Tensor input, *, Number spacing = None, int dim = None, {_EDGE}",
        f"Tensor input, *, tuple of Scalars spacing, int dim = None, {_EDGE}",
        f"Tensor input, *, tuple of Scalars spacing, tuple of ints dim, {_EDGE}",
        f"Tensor input, *, tuple of Tensors spacing, int dim = None, {_EDGE}",
        f"Tensor input, *, tuple of Tensors spacing, tuple of ints dim, {_EDGE}",
    ),
    "lstm": _recurrent("tuple of Tensors"),
    "gru rnn_tanh rnn_relu": _recurrent("Tensor"),
}  # fmt: skip
_BY_NAME = {name: listed for names, listed in _LISTED.items() for name in names.split()}


class Overloads:
    """The overloads of one function, as PyTorch writes them: ``Tensor input, Number other, *, Tensor out = None``."""

    def __init__(self, name: str, listed: Sequence[str]) -> None:
        self.name, self.listed, self.of_method = shown_name(name), tuple(listed), False

    def in_place(self) -> Overloads:
        """Those of the in-place variant."""
        variant = self.as_method()
        variant.name = f"{self.name}_"
        return variant

    def as_method(self) -> Overloads:
        """Those of the method: of a tensor, which is not listed."""
        method = copy(self)
        own = [one for one in self.listed if one.startswith("Tensor input")]
        method.listed = _OF_METHOD.get(self.name) or tuple(
            [_OUT.sub("", one).removeprefix("Tensor input").removeprefix(", ") for one in own]
        )
        method.of_method = True
        return method

    def refusal(self, given: Sequence[Any], named: dict[str, Any], error: TypeError) -> TypeError:
        """The error for arguments that fit none, the tensor of a method among them.

        If one overload alone takes as many, it is what that says of them, which ``error`` has found.
        """
        given = given[1:] if self.of_method else given
        if str(error) and sum(_takes(one, len(given) + len(named)) for one in self.listed) == 1:
            return error
        named = dict(reversed(named.items()))
        words = ", ".join([type_name(value) for value in given])
        words += ", " if given and named else ""
        words += "".join([f"{name}={type_name(value)}, " for name, value in named.items()])
        words = words if named and not given else words.removesuffix(", ")
        reasons = "".join([f" * ({one})\n{_reason(one, given, named)}" for one in self.listed])
        return ArgumentTypeError(
            f"{self.name}() received an invalid combination of arguments - got ({words}), but expected one of:\n"
            f"{reasons}"
        )


def overloads_of(name: str) -> Overloads | None:
    """Those of the function (or the in-place method) of this name, if it has several."""
    listed = _BY_NAME.get(name.removesuffix("_"))
    return None if listed is None else Overloads(name, listed)


def _takes(overload: str, count: int) -> bool:
    """Whether an overload has room for as many arguments, and can do with them."""
    entries = [one for one in overload.split(", ") if one != "*"]
    return sum(" = " not in one for one in entries) <= count <= len(entries)


def _reason(overload: str, given: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Why an overload of as many parameters does not fit; PyTorch takes a default for a part of the name."""
    entries = overload.split(", ")  # PyTorch counts the star
    if len(entries) != len(given) + len(named):
        return ""
    types = [(match[1], match[2]) for match in map(_ENTRY.fullmatch, entries) if match] or [("", "")]
    unknown = [name for name in named if name not in [name for _, name in types]]
    if unknown:
        return f"      didn't match because some of the keywords were incorrect: {', '.join(unknown)}\n"
    words = [_marked(_described(value), kind, value) for (kind, _), value in zip(types, given, strict=False)]
    words += [_marked(f"{name}={_described(named[name])}", kind, named[name]) for kind, name in types if name in named]
    words += [""] if named else []
    return f"      didn't match because some of the arguments have invalid types: ({', '.join(words)})\n"


_FITS: dict[str, Callable[[Any], bool]] = {
    "Tensor": lambda value: isinstance(value, Tensor),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "bool": lambda value: type(value) is bool,
    "str": lambda value: isinstance(value, str),
}


def _described(value: Any) -> str:
    """The type of a value, with those of its elements."""
    name = type_name(value)
    if not isinstance(value, list | tuple) or not value:
        return name
    types = ", ".join(map(type_name, value))
    return f"{name} of [{types}]" if isinstance(value, list) else f"{name} of ({types}{',' * (len(value) == 1)})"


def _marked(word: str, kind: str, value: Any) -> str:
    fits = _FITS.get(kind)
    return word if fits is not None and fits(value) else f"!{word}!"
