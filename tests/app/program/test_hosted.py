"""Objects of programs' classes that derive from types that are there keep what is theirs and what is ours apart."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.evaluate.run import evaluate
from app.limits import Limits, OverLimit
from app.program.tree import ProgramError
from app.wire.messages import RunRequest

IMPORTS = "import torch\nimport torch.nn as nn\n"


def prints(text: str) -> list[str]:
    answer = evaluate(RunRequest(code=IMPORTS + text, outputs=[]), Limits(), "json")
    printed: list[str] = answer["prints"]
    return printed


@pytest.mark.parametrize("name", ["__dict__", "_parameters", "_modules", "__class__"])
@pytest.mark.parametrize("call", ["nn.Module.__setattr__(m, {!r}, 5)", "m.__setattr__({!r}, 5)",
                                  "object.__setattr__(m, {!r}, 5)", "nn.Module.__delattr__(m, {!r})"])  # fmt: skip
def test_what_the_engine_keeps_in_a_module_cannot_be_set_by_its_name(name: str, call: str) -> None:
    found = prints(
        f"m = nn.Linear(1, 1)\ntry:\n    {call.format(name)}\nexcept Exception as e:\n    print(e)\nprint(m)"
    )
    assert found == [f"'Linear' object has no attribute '{name}'", "Linear(in_features=1, out_features=1, bias=True)"]


NAMES = ["program_class", "attributes", "mro", "memento", "_private"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("base", ["nn.Module", "ValueError", "list", "object"])
def test_any_name_is_the_programs_own(base: str, name: str) -> None:
    text = f"class N({base}):\n    pass\nn = N()\nn.{name} = 7\nprint(n.{name}, type(n).__name__)\ndel n.{name}\n"
    assert prints(text + f"print(hasattr(n, {name!r}))") == ["7 N", "False"]


def test_setting_by_the_base_class_is_what_it_is_in_python() -> None:
    text = """
class N(nn.Module):
    def __init__(self):
        super().__init__()
        self._h, self.w = 1, nn.Parameter(torch.ones(1))
    def __setattr__(self, name, value):
        print(name)
        super().__setattr__(name, value)
n = N()
print(n._h, [name for name, _ in n.named_parameters()])
"""
    assert prints(text) == ["_h", "w", "1 ['w']"]


def test_an_exception_that_cannot_say_what_it_is() -> None:
    with pytest.raises(ProgramError) as caught:
        prints("class E(Exception):\n    def __str__(self):\n        raise self\nraise E()")
    assert (caught.value.exception, caught.value.detail) == ("E", "<exception str() failed>")


def test_numbers_are_made_by_the_base_class() -> None:
    text = "class A(int):\n    def __new__(cls, v):\n        return super().__new__(cls, v + 1)\n"
    assert prints(text + "print(A(3) + 1, type(A(3)) is A)") == ["5 True"]


def test_the_tables_of_a_module_are_written_by_the_module_itself() -> None:
    text = """
m = nn.Linear(1, 1)
print(list(m._parameters), m._parameters["bias"] is m.bias)
for table in (m._parameters, m._modules):
    try:
        table["x"] = 5
    except TypeError as e:
        print(e)
m._modules["y"] = nn.ReLU()
print(m)
del m._modules["y"]
print(m)
"""
    assert prints(text) == [
        "['weight', 'bias'] True",
        "cannot assign 'int' object to parameter 'x' (torch.nn.Parameter or None required)",
        "int is not a Module subclass",
        "Linear(\n  in_features=1, out_features=1, bias=True\n  (y): ReLU()\n)",
        "Linear(in_features=1, out_features=1, bias=True)",
    ]


def test_no_hook_runs_for_what_ends_a_program() -> None:
    text = """
class Large(nn.Module):
    def forward(self):
        return [0] * 10**9
def hook(module, args, output):
    raise ValueError
m = Large()
m.register_forward_hook(hook, always_call=True)
try:
    m()
except ValueError:
    print("caught")
"""
    with pytest.raises(OverLimit):
        evaluate(RunRequest(code=IMPORTS + text, outputs=[]), Limits(), "json")


@pytest.mark.parametrize(
    ("expression", "value"),
    [("F(2) * x", [2.0, 2.0]), ("x * F(2)", [2.0, 2.0]), ("D(3) - x", [2.0, 2.0]), ("D(2) ** x", [2.0, 2.0]),
     ("F(2) < x", [False, False]), ("x == F(1)", [True, True]), ("D(7) // x", [7.0, 7.0])],
)  # fmt: skip
def test_an_object_that_is_a_number_is_one_beside_tensors(expression: str, value: list[float]) -> None:
    text = f"class F(float):\n    pass\nclass D(int):\n    pass\nx = torch.ones(2)\nprint(({expression}).tolist())"
    assert prints(text) == [str(value)]


@pytest.mark.parametrize(
    ("expression", "refusal"),
    [("int('a', np.arange(3))", "only integer scalar arrays can be converted to a scalar index"),
     ("sum(np.array(['a']), torch.ones(2))", "unsupported operand type(s) for +: 'Tensor' and 'numpy.str_'"),
     ("torch.optim.swa_utils.AveragedModel(torch.Tensor)(None)", "new(): data must be a sequence (got NoneType)"),
     ("torch.utils.data.TensorDataset(torch.Tensor, str)",
      "descriptor 'size' for 'torch._C.TensorBase' objects doesn't apply to a 'int' object")],
)  # fmt: skip
def test_what_is_no_number_nor_tensor_is_refused_in_words(expression: str, refusal: str) -> None:
    text = f"import numpy as np\ntry:\n    {expression}\nexcept TypeError as e:\n    print(e)"
    assert prints(text) == [refusal]


@pytest.mark.parametrize("frame", ["{}", "def g():\n    yield 0\n{}\n    yield 1\nlist(g())"])
def test_an_end_of_iteration_in_a_pattern_is_the_programs(frame: str) -> None:
    matched = "try:\n    match C():\n        case 1:\n            pass\nexcept StopIteration as e:\n    print(e.value)"
    body = frame.format(matched if frame == "{}" else matched.replace("\n", "\n    ").join(["    ", ""]))
    assert prints("class C:\n    def __eq__(self, other):\n        raise StopIteration(3)\n" + body) == ["3"]


def test_a_parameter_without_a_shape_is_no_output() -> None:
    code = IMPORTS + "p = nn.UninitializedParameter()\nq = [p]\nm = nn.LazyLinear(2)\nx = torch.ones(1)"
    answer = evaluate(RunRequest(code=code, include=["nan", "graph"]), Limits(), "json")
    assert (list(answer["outputs"]), answer["values"]) == (["x"], {})
    with pytest.raises(InvalidRequest, match="something else than a tensor"):
        evaluate(RunRequest(code=code, outputs=["x"], grads=["p"]), Limits(), "json")
