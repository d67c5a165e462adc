"""Signatures: what is bound to which parameter, how static arguments are normalised, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine.errors import ArgumentTypeError, DimensionError, EngineError, OpError
from engine.op import Array, Dim, Dims, Extents, NewDim, Scalar, Size, wrap_dim
from engine.op.signature import Signature

torch: Any = engine


def kernel(input: Array, dim: Dim, keepdim: bool = False, *, alpha: Scalar = 1) -> Array:
    return input


def shaped(input: Array, size: Extents) -> Array:
    return input


def placed(input: Array, dims: Dims | None = None, new: NewDim = 0, size: Size = ()) -> Array:
    return input


PLAIN, SHAPED, PLACED = (Signature(function, "op") for function in (kernel, shaped, placed))
X = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((X, 1), {}), ((X,), {"dim": 1}), ((), {"input": X, "dim": 1}), ((), {"self": X, "axis": 1}),
        ((X, 1), {"keepdims": False}), ((X, 1, False), {"alpha": 1}),
    ],
)  # fmt: skip
def test_an_argument_reaches_its_parameter_by_place_and_by_every_name(args: Any, kwargs: Any) -> None:
    assert PLAIN.bind(args, kwargs) == [X, 1, False, 1]


@pytest.mark.parametrize("args", [(X, 2, 3), (X, (2, 3)), (X, [2, 3])])
def test_extents_come_one_by_one_or_as_one(args: Any) -> None:
    assert SHAPED.as_method().bind(args, {}) == [X, (2, 3)]
    assert SHAPED.bind((X,), {"size": (2, 3)}) == [X, (2, 3)]


def test_extents_of_a_function_of_a_tensor_come_as_one() -> None:
    assert SHAPED.bind((X, [2, 3]), {}) == [X, (2, 3)]
    with pytest.raises(ArgumentTypeError, match="takes 2 positional arguments but 3 were given"):
        SHAPED.bind((X, 2, 3), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "refusal"),
    [
        ((X,), {}, 'op() missing 1 required positional arguments: "dim"'),
        ((), {}, 'op() missing 2 required positional argument: "input", "dim"'),
        ((X, 1, True, 2), {}, "op() takes 3 positional arguments but 4 were given"),
        ((X, 1), {"dim": 1}, "op() got multiple values for argument 'dim'"),
        ((X, 1), {"beta": 1}, "op() got an unexpected keyword argument 'beta'"),
    ],
)
def test_what_is_missing_or_too_much_is_refused(args: Any, kwargs: Any, refusal: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        PLAIN.bind(args, kwargs)
    assert str(caught.value) == refusal


def static(signature: Signature, name: str, value: Any, ndim: int = 3) -> Any:
    (param,) = (param for param in signature.params if param.name == name)
    return param.static("op", value, ndim)


@pytest.mark.parametrize(
    ("signature", "name", "value", "wanted"),
    [
        (PLAIN, "dim", -1, 2), (PLAIN, "dim", torch.tensor(1), 1), (PLAIN, "keepdim", True, True),
        (PLAIN, "alpha", torch.tensor(2.5), 2.5), (PLACED, "dims", None, None), (PLACED, "dims", -1, (2,)),
        (PLACED, "dims", [0, -1], (0, 2)), (PLACED, "new", -1, 3), (PLACED, "size", 4, (4,)),
        (PLACED, "size", [torch.tensor(2), 3], (2, 3)),
    ],
)  # fmt: skip
def test_static_arguments_are_normalised(signature: Signature, name: str, value: Any, wanted: Any) -> None:
    assert static(signature, name, value) == wanted


@pytest.mark.parametrize(
    ("signature", "name", "value", "kind", "refusal"),
    [
        (PLAIN, "dim", 3, DimensionError, "Dimension out of range (expected to be in range of [-3, 2], but got 3)"),
        (PLAIN, "dim", "a", ArgumentTypeError, "op(): argument 'dim' (position 2) must be int, not str"),
        (PLAIN, "dim", True, ArgumentTypeError, "op(): argument 'dim' (position 2) must be int, not bool"),
        (PLAIN, "keepdim", 1, ArgumentTypeError, "op(): argument 'keepdim' (position 3) must be bool, not int"),
        (PLAIN, "alpha", "a", ArgumentTypeError, "op(): argument 'alpha' (position 4) must be Number, not str"),
        (PLACED, "dims", [0, 0], OpError, "dim 0 appears multiple times in the list of dims"),
        (PLACED, "size", 1.5, ArgumentTypeError, "op(): argument 'size' (position 4) must be tuple of ints, not float"),
        (SHAPED, "size", (2, "a"), ArgumentTypeError, "op(): argument 'size' failed to unpack the object"),
    ],
)  # fmt: skip
def test_static_arguments_of_other_kinds_are_refused_by_place(
    signature: Signature, name: str, value: Any, kind: type[EngineError], refusal: str
) -> None:
    with pytest.raises(kind) as caught:
        static(signature, name, value)
    assert str(caught.value).startswith(refusal)


def test_a_number_has_the_dimensions_of_one_element() -> None:
    assert (wrap_dim(-1, 0), wrap_dim(0, 0)) == (0, 0)
    with pytest.raises(DimensionError):
        wrap_dim(1, 0)


def test_a_signature_reads_as_it_is_declared() -> None:
    assert str(PLAIN) == "input: Tensor, dim: Dim, keepdim: bool=False, alpha: Scalar=1"
