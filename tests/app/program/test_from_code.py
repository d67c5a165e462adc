"""The Python spelling: what it accepts, what it refuses, and that both are said at the right place."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.limits import Limits, OverLimit
from app.program.from_code import parse_code
from app.program.tree import (
    Assign,
    Attribute,
    Augment,
    Comparison,
    Constant,
    Delete,
    Display,
    Evaluate,
    For,
    GraphError,
    Lambda,
    Mode,
    Name,
    Program,
    Slice,
    Subscript,
    With,
)


def parse(text: str, **limits: int) -> Program:
    return parse_code(text, Limits(**limits))


def refusal(text: str) -> GraphError:
    with pytest.raises(GraphError) as caught:
        parse(text)
    return caught.value


def test_a_statement_knows_its_line_and_column() -> None:
    program = parse("x = 1\nwith torch.no_grad():\n    y = (\n        2)\n")
    first, block = program.statements
    assert (first.place.line, first.place.column) == (1, 1)
    assert isinstance(block, With)
    assert (block.body[0].place.line, block.body[0].place.column) == (3, 5)


def test_targets_nest_and_chain() -> None:
    (statement,) = parse("a = b, (c.grad, d[0]) = z").statements
    assert isinstance(statement, Assign)
    inner = Display("tuple", (Attribute(Name("c"), "grad"), Subscript(Name("d"), Constant(0))))
    assert statement.targets == (Name("a"), Display("tuple", (Name("b"), inner)))


def test_an_augmented_attribute_keeps_its_operator() -> None:
    (statement,) = parse("x.grad *= 0.5").statements
    assert isinstance(statement, Augment)
    assert (statement.operator, statement.target) == ("*", Attribute(Name("x"), "grad"))


def test_a_comparison_stays_a_chain() -> None:
    (statement,) = parse("1 < x is not None").statements
    assert isinstance(statement, Evaluate)
    assert statement.value == Comparison(Constant(1), (("<", Name("x")), ("is not", Constant(None))))


def test_an_index_may_hold_slices_and_ellipsis() -> None:
    (statement,) = parse("x[1:, ..., None]").statements
    index = Display("tuple", (Slice(Constant(1), Constant(None), Constant(None)), Constant(...), Constant(None)))
    assert isinstance(statement, Evaluate)
    assert statement.value == Subscript(Name("x"), index)


def test_a_loop_has_its_range() -> None:
    (loop,) = parse("for i in range(6, -1, -2):\n    x = i").statements
    assert isinstance(loop, For)
    assert (loop.target, loop.values) == (Name("i"), range(6, -1, -2))


def test_modes_are_known_by_all_their_names() -> None:
    text = "with torch.autograd.no_grad(), torch.set_grad_enabled(mode=False), torch.inference_mode():\n    x = 1"
    (block,) = parse(text).statements
    assert isinstance(block, With)
    assert block.modes == (Mode("no_grad"), Mode("set_grad_enabled", Constant(False)), Mode("inference_mode"))


def test_del_takes_several_names() -> None:
    assert parse("del a, (b, c[0])").statements == (
        Delete((Name("a"), Name("b"), Subscript(Name("c"), Constant(0))), parse("del a").statements[0].place),
    )


def test_a_lambda_is_data() -> None:
    (statement,) = parse("f = lambda p, q: p").statements
    assert isinstance(statement, Assign)
    assert statement.value == Lambda(("p", "q"), Name("p"), "lambda p, q: p")


OUTSIDE = {
    "import os": (1, 1),
    "from os import path": (1, 1),
    "x = 1\n  \nimport torch": (3, 1),
    "x.__class__": (1, 1),
    "x = y.__class__.__bases__": (1, 5),
    "__builtins__": (1, 1),
    "x._secret": (1, 1),
    "f'{x}'": (1, 1),
    "x = [i for i in y]": (1, 5),
    "{i for i in y}": (1, 1),
    "{i: i for i in y}": (1, 1),
    "sum(i for i in y)": (1, 4),
    "while True:\n    x = 1": (1, 1),
    "if x:\n    y = 1": (1, 1),
    "try:\n    x = 1\nexcept Exception:\n    y = 1": (1, 1),
    "def f():\n    return 1": (1, 1),
    "class A:\n    x = 1": (1, 1),
    "async def f():\n    x = 1": (1, 1),
    "(x := 1)": (1, 2),
    "x: int = 1": (1, 1),
    "{1, 2}": (1, 1),
    "b'bytes'": (1, 1),
    "'\\ud800'": (1, 1),
    "f(*x)": (1, 3),
    "f(**x)": (1, 3),
    "a, *b = x": (1, 4),
    "{**x}": (1, 1),
    "1 if x else 2": (1, 1),
    "assert x": (1, 1),
    "raise x": (1, 1),
    "global x": (1, 1),
    "pass": (1, 1),
    "x = await y": (1, 5),
    "x = yield": (1, 5),
    "lambda *a: 1": (1, 1),
    "lambda a=1: 1": (1, 1),
    "lambda torch: 1": (1, 8),
    "lambda: __import__('os')": (1, 9),
    "f(__class__=1)": (1, 3),
    "torch = 1": (1, 1),
    "del x.grad": (1, 5),
    "f() = 1": (1, 1),
    "with open('f') as f:\n    x = 1": (1, 6),
    "with torch.no_grad:\n    x = 1": (1, 6),
    "with torch.no_grad(1):\n    x = 1": (1, 6),
    "with torch.set_grad_enabled():\n    x = 1": (1, 6),
    "with torch.no_grad() as g:\n    x = 1": (1, 25),
    "with other.no_grad():\n    x = 1": (1, 6),
    "with torch.nn.no_grad():\n    x = 1": (1, 6),
    "for i in x:\n    y = 1": (1, 10),
    "for i in range(n):\n    y = 1": (1, 16),
    "for i in range(True):\n    y = 1": (1, 16),
    "for i in range(2, step=1):\n    y = 1": (1, 10),
    "for i in range(0, 1, 0):\n    y = 1": (1, 10),
    "for i, j in range(2):\n    y = 1": (1, 5),
    "for i in range(2):\n    y = 1\nelse:\n    z = 1": (4, 5),
    "a" * 200: (1, 1),
}


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_outside_is_refused_at_its_place(text: str) -> None:
    error = refusal(text)
    assert (error.line, error.column) == OUTSIDE[text]
    assert text not in error.detail or len(text) < 20


@pytest.mark.parametrize(
    ("text", "line"), [("x = (1", 1), ("x = 1\ny = = 2", 2), ("x = 'a", 1), ("x = 1\n    y = 2", 2), ("x\0", 1)]
)
def test_syntax_errors_are_pythons(text: str, line: int) -> None:
    error = refusal(text)
    assert (error.exception, error.line) == ("SyntaxError", line)
    assert error.column is not None


@pytest.mark.parametrize("text", ["-" * 20_000 + "1", "(" * 300 + ")" * 300, "a+" * 20_000 + "a", "a." * 9_000 + "a"])
def test_deep_nesting_is_refused(text: str) -> None:
    assert refusal(text).line == 1


@pytest.mark.parametrize(
    ("text", "limits", "limit", "asked"),
    [
        ("x = 1", {"code_length": 4}, "code_length", 5),
        ("x = [[[[1]]]]", {"depth": 3}, "depth", 4),
        ("x = a + b\ny = a", {"nodes": 2}, "nodes", 3),
        (
            "for i in range(10):\n    for j in range(10):\n        x = 1",
            {"loop_iterations": 99},
            "loop_iterations",
            100,
        ),
        ("for i in range(10**9):\n    x = 1".replace("10**9", "1000000000"), {}, "loop_iterations", 10**9),
    ],
)
def test_limits_are_found_while_reading(text: str, limits: dict[str, int], limit: str, asked: int) -> None:
    with pytest.raises(OverLimit) as caught:
        parse(text, **limits)
    assert (caught.value.limit, caught.value.asked) == (limit, asked)


def test_an_empty_loop_around_a_loop_still_counts() -> None:
    with pytest.raises(OverLimit):
        parse("for i in range(1000000):\n    for j in range(0):\n        x = 1")


def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    code = "y = " + "-(" * 20 + "x" + ")" * 20

    def give_way(*_: object) -> None:
        time.sleep(0)  # whoever waits for the interpreter gets it, in the middle of a parse

    threshold = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(5)
    try:
        with ThreadPoolExecutor(4) as pool:
            programs = list(pool.map(lambda _: parse(code), range(240)))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(give_way)
    assert all(program == programs[0] for program in programs)
