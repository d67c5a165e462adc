"""What is said of arguments that do not fit, in the words of PyTorch 2.13."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine.errors import ArgumentTypeError, DimensionError, MissingAttributeError

torch: Any = engine
WHY = "      didn't match because some of the arguments have invalid types: "
KEYWORDS = "      didn't match because some of the keywords were incorrect: "


def refusal(code: str) -> str:
    x = torch.ones(2, 3)
    with pytest.raises(ArgumentTypeError) as caught:
        eval(code, {"torch": torch, "x": x, "i": torch.tensor([0, 1])})
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "got", "listed"),
    [
        (
            "x.lerp(1.,2.)",
            "float, float",
            [
                ("Tensor end, Tensor weight", WHY + "(!float!, !float!)"),
                ("Tensor end, Number weight", WHY + "(!float!, !float!)"),
            ],
        ),
        ("x.lerp(x)", "Tensor", [("Tensor end, Tensor weight", ""), ("Tensor end, Number weight", "")]),
        (
            "x.lerp_(1.,2)",
            "float, int",
            [
                ("Tensor end, Tensor weight", WHY + "(!float!, !int!)"),
                ("Tensor end, Number weight", WHY + "(!float!, !int!)"),
            ],
        ),
        (
            "torch.lerp(x,1,.5)",
            "Tensor, int, float",
            [
                ("Tensor input, Tensor end, Tensor weight, *, Tensor out = None", ""),
                ("Tensor input, Tensor end, Number weight, *, Tensor out = None", ""),
            ],
        ),
        (
            "x.masked_fill(True,1.)",
            "bool, float",
            [
                ("Tensor mask, Tensor value", WHY + "(!bool!, !float!)"),
                ("Tensor mask, Number value", WHY + "(!bool!, !float!)"),
            ],
        ),
        (
            "x.masked_fill_(True,1.)",
            "bool, float",
            [
                ("Tensor mask, Tensor value", WHY + "(!bool!, !float!)"),
                ("Tensor mask, Number value", WHY + "(!bool!, !float!)"),
            ],
        ),
        ("x.count_nonzero(1,keepdim=True)", "int, keepdim=bool", [("int dim = None", ""), ("tuple of ints dim", "")]),
        (
            "torch.count_nonzero(x,keepdim=True)",
            "Tensor, keepdim=bool",
            [
                ("Tensor input, int dim = None", KEYWORDS + "keepdim"),
                ("Tensor input, tuple of ints dim", KEYWORDS + "keepdim"),
            ],
        ),
        (
            "x.sum('a')",
            "str",
            [
                ("*, torch.dtype dtype = None", ""),
                ("tuple of ints dim, bool keepdim = False, *, torch.dtype dtype = None", ""),
            ],
        ),
        (
            "x.all('a')",
            "str",
            [
                ("", WHY + "(!str!)"),
                ("tuple of ints dim = None, bool keepdim = False", ""),
                ("int dim, bool keepdim = False", ""),
            ],
        ),
        (
            "x.clamp(min=1,max=x)",
            "max=Tensor, min=int, ",
            [
                ("Tensor min = None, Tensor max = None", KEYWORDS + "max, min"),
                ("Number min = None, Number max = None", KEYWORDS + "max, min"),
            ],
        ),
        (
            "torch.pow(2,3)",
            "int, int",
            [
                ("Tensor input, Tensor exponent, *, Tensor out = None", ""),
                ("Number self, Tensor exponent, *, Tensor out = None", ""),
                ("Tensor input, Number exponent, *, Tensor out = None", ""),
            ],
        ),
        ("x.bitwise_and('a')", "str", [("Tensor other", WHY + "(!str!)"), ("Number other", WHY + "(!str!)")]),
        (
            "x.where(1,2)",
            "int, int",
            [
                ("Tensor condition, Tensor other", WHY + "(!int!, !int!)"),
                ("Tensor condition, Number other", WHY + "(!int!, !int!)"),
            ],
        ),
        (
            "x.scatter(0,i,'a')",
            "int, Tensor, str",
            [
                ("int dim, Tensor index, Tensor src", WHY + "(int, Tensor, !str!)"),
                ("int dim, Tensor index, Tensor src, *, str reduce", ""),
                ("int dim, Tensor index, Number value", WHY + "(int, Tensor, !str!)"),
                ("int dim, Tensor index, Number value, *, str reduce", ""),
            ],
        ),
        (
            "x.lerp(end=1,weight=2)",
            "weight=int, end=int, ",
            [
                ("Tensor end, Tensor weight", WHY + "(!end=int!, !weight=int!, )"),
                ("Tensor end, Number weight", WHY + "(!end=int!, !weight=int!, )"),
            ],
        ),
        (
            "x.std('a')",
            "str",
            [
                ("tuple of ints dim, bool unbiased = True, bool keepdim = False", ""),
                ("tuple of ints dim = None, *, Number correction = None, bool keepdim = False", ""),
                ("bool unbiased = True", WHY + "(!str!)"),
            ],
        ),
        (
            "x.movedim('a',0)",
            "str, int",
            [
                ("int source, int destination", WHY + "(!str!, int)"),
                ("tuple of ints source, tuple of ints destination", WHY + "(!str!, !int!)"),
            ],
        ),
    ],
)
def test_arguments_that_fit_no_overload_are_told_all(code: str, got: str, listed: list[tuple[str, str]]) -> None:
    overloads = "".join(f" * ({overload})\n" + (f"{why}\n" if why else "") for overload, why in listed)
    name = code.partition("(")[0].partition(".")[2]
    assert refusal(code) == (
        f"{name}() received an invalid combination of arguments - got ({got}), but expected one of:\n{overloads}"
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("x.equal(2)", "equal(): argument 'other' (position 1) must be Tensor, not int"),
        ("torch.equal(x,2)", "equal(): argument 'other' (position 2) must be Tensor, not int"),
        ("x.addcdiv(x,1)", "addcdiv(): argument 'tensor2' (position 2) must be Tensor, not int"),
        ("torch.addcdiv(x,x,2)", "addcdiv(): argument 'tensor2' (position 3) must be Tensor, not int"),
        ("x.logical_and(1)", "logical_and(): argument 'other' (position 1) must be Tensor, not int"),
        ("x.argmax('a')", "argmax(): argument 'dim' (position 1) must be int, not str"),
        ("x.div('a')", "div(): argument 'other' (position 1) must be Tensor, not str"),
        ("x.new_full((2,),'a')", "new_full(): argument 'fill_value' (position 2) must be Number, not str"),
        ("x.mul(1,2)", "mul() takes 1 positional argument but 2 were given"),
        ("x.abs(1)", "TensorBase.abs() takes no arguments (1 given)"),
        ("x.transpose('a',1)", "transpose(): argument 'dim0' (position 1) must be int, not str"),
        ("x.nan_to_num('a')", "nan_to_num(): argument 'nan' (position 1) must be float, not str"),
        ("x.size('a')", "size(): argument 'dim' (position 1) must be int, not str"),
        ("x.copy_('a')", "copy_(): argument 'other' (position 1) must be Tensor, not str"),
        ("x.scatter_add(0,i,1)", "scatter_add(): argument 'src' (position 3) must be Tensor, not int"),
    ],
)
def test_methods_do_not_count_their_tensor(code: str, text: str) -> None:
    assert refusal(code) == text


def test_a_number_has_no_dimensions_to_ask_for() -> None:
    with pytest.raises(DimensionError, match=r"^Dimension specified as -1 but tensor has no dimensions$"):
        torch.tensor(1.0).size(-1)


@pytest.mark.parametrize("name", ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss"])
def test_losses_ask_the_target_for_its_size(name: str) -> None:
    with pytest.raises(MissingAttributeError, match=r"^'int' object has no attribute 'size'$"):
        getattr(torch.nn.functional, name)(torch.ones(2), 2)


@pytest.mark.parametrize(
    ("destination", "word"),
    [([1.5], "!list of [float]!"), ((1.5,), "!tuple of (float,)!"), (["a", None], "!list of [str, NoneType]!")],
)
def test_lists_are_told_by_their_elements(destination: Any, word: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^movedim\(\) received an invalid combination") as refused:
        torch.movedim(torch.ones(2, 3), 0, destination)
    assert f"(Tensor, int, {word})" in str(refused.value)
