"""The Python spelling: what it accepts, what it refuses, and that both are said at the right place."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.limits import Limits, OverLimit
from app.program.from_code import parse_code
from app.program.tree import (
    Assign,
    At,
    Attribute,
    Augment,
    Call,
    ClassDef,
    Code,
    Comparison,
    Constant,
    Delete,
    Display,
    Evaluate,
    For,
    FunctionDef,
    GraphError,
    Lambda,
    Name,
    Parameters,
    Program,
    Return,
    Slice,
    Subscript,
    Within,
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
    assert isinstance(block, Within)
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


def test_a_loop_has_its_iterable_and_what_follows() -> None:
    (loop,) = parse("for i in range(3):\n    x = i\nelse:\n    y = 1").statements
    assert isinstance(loop, For)
    assert (loop.target, loop.values) == (Name("i"), Call(Name("range"), (Constant(3),)))
    assert len(loop.otherwise) == 1


def test_several_contexts_are_blocks_in_each_other() -> None:
    (block,) = parse("with a as x, b:\n    y = 1").statements
    assert isinstance(block, Within)
    assert (block.context, block.target) == (Name("a"), Name("x"))
    (inner,) = block.body
    assert isinstance(inner, Within)
    assert (inner.context, inner.target) == (Name("b"), None)


def test_del_takes_several_names() -> None:
    assert parse("del a, (b, c[0])").statements == (
        Delete((Name("a"), Name("b"), Subscript(Name("c"), Constant(0))), parse("del a").statements[0].place),
    )


def definition(text: str) -> Code:
    (statement,) = parse(text).statements
    assert isinstance(statement, FunctionDef)
    return statement.function.code


def test_a_function_knows_what_its_names_are() -> None:
    code = definition(
        "def f(a, /, b, *c, d=1, **e):\n    x = a\n    global g\n    g = 1\n"
        "    def h():\n        nonlocal x\n        x = b + z\n"
        "    return [k + y for k in c]"
    )
    assert code.parameters == Parameters(("a",), ("b",), ("d",), "c", "e")
    assert set(code.bound) == {"a", "b", "c", "d", "e", "x", "h"}
    assert code.cells == {"x", "b"}
    assert set(code.free) == {"y", "z"}
    assert code.outer == {"g"}


def test_definitions_are_numbered_in_their_order() -> None:
    program = parse("f = lambda: (lambda: 1)\ndef g():\n    return (i for i in ())\n")
    first, second = program.statements
    assert isinstance(first, Assign)
    assert isinstance(first.value, Lambda)
    assert isinstance(second, FunctionDef)
    inner = first.value.code.body[0]
    assert isinstance(inner, Return)
    assert isinstance(inner.value, Lambda)
    assert [first.value.code.index, inner.value.code.index, second.function.code.index] == [0, 1, 2]


def test_private_names_belong_to_their_class() -> None:
    (statement,) = parse("class _A:\n    def f(self):\n        self.__x = __y").statements
    assert isinstance(statement, ClassDef)
    method = statement.code.body[0]
    assert isinstance(method, FunctionDef)
    (assign,) = method.function.code.body
    assert isinstance(assign, Assign)
    assert (assign.targets, assign.value) == ((Attribute(Name("self"), "_A__x"),), Name("_A__y"))


def test_expressions_in_other_lines_know_theirs() -> None:
    (statement,) = parse("x = f(\n    a,\n    b.c(1))").statements
    assert isinstance(statement, Assign)
    assert isinstance(statement.value, Call)
    assert isinstance(statement.value.args[1], At)
    assert statement.value.args[1].place.line == 3


OUTSIDE = {
    "__builtins__": (1, 1), "x.__base__": (1, 1), "x = y.__class__.__bases__": (1, 5), "x.__subclasses__()": (1, 1),
    "f.__globals__": (1, 1), "f.__code__": (1, 1), "f.__closure__": (1, 1), "g.__reduce_ex__(2)": (1, 1),
    "e.__traceback__": (1, 1), "__import__('os')": (1, 1), "__loader__": (1, 1), "x.__mro__": (1, 1),
    "async def f():\n    x = 1": (1, 1), "b'bytes'": (1, 1), "'\\ud800'": (1, 1), "f(__class__=1)": (1, 3),
    "lambda: __import__('os')": (1, 9), "try:\n    x = 1\nexcept* E:\n    y = 1": (1, 1), "a" * 200: (1, 1),
    "class A:\n    __dict__ = 1": (2, 5), "class A:\n    __subclasshook__ = 1": (2, 5), "from . import a": (1, 1),
    "x.y.__self__": (1, 1), "def f(__x__):\n    pass": (1, 7), "del x.__dict__": (1, 5), "__name__ = 1": (1, 1),
    "match x:\n    case A(__dict__=1):\n        y = 1": (2, 10), "x = f'{y.__base__}'": (1, 8),
    "for x.__dict__ in y:\n    z = 1": (1, 5), "[z for y.__code__ in x]": (1, 8),
}  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_outside_is_refused_at_its_place(text: str) -> None:
    error = refusal(text)
    assert (error.line, error.column) == OUTSIDE[text]
    assert text not in error.detail or len(text) < 20


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = (1", 1), ("x = 1\ny = = 2", 2), ("x = 'a", 1), ("return 1", 1), ("x\0", 1), ("f() = 1", 1), ("break", 1),
        ("def f(a, a): pass", 1), ("x = 1\nnonlocal x", 2), ("x = yield", 1), ("x = await y", 1), ("f(x=1, x=2)", 1),
        ("def f():\n    x = 1\n    global x", 3), ("None = 1", 1), ("a, *b, *c = x", 1), ("def f():\n    break", 2),
    ],
)  # fmt: skip
def test_syntax_errors_are_pythons(text: str, line: int) -> None:
    error = refusal(text)
    assert (error.exception, error.line) == ("SyntaxError", line)
    assert error.column is not None


def test_an_indentation_error_is_one() -> None:
    error = refusal("for i in x:\nprint(i)")
    assert (error.exception, error.line) == ("IndentationError", 2)
    assert error.detail == "expected an indented block after 'for' statement on line 1"


@pytest.mark.parametrize("text", ["-" * 20_000 + "1", "(" * 300 + ")" * 300, "a+" * 20_000 + "a", "a." * 9_000 + "a"])
def test_deep_nesting_is_refused(text: str) -> None:
    assert refusal(text).line == 1


@pytest.mark.parametrize(
    ("text", "limits", "limit", "asked"),
    [
        ("x = 1", {"code_length": 4}, "code_length", 5),
        ("x = [[[[1]]]]", {"depth": 3}, "depth", 4),
        ("x = a + b\ny = a", {"nodes": 2}, "nodes", 3),
    ],
)
def test_limits_are_found_while_reading(text: str, limits: dict[str, int], limit: str, asked: int) -> None:
    with pytest.raises(OverLimit) as caught:
        parse(text, **limits)
    assert (caught.value.limit, caught.value.asked) == (limit, asked)


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
