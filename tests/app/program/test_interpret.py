"""What programs mean: names, calls, texts, errors with their place, and that nothing grows without bound."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from app.limits import Limits, OverLimit
from app.program.from_code import parse_code
from app.program.from_nodes import parse_nodes
from app.program.interpret import Outcome, check, run
from app.program.stack import SLOTS, roomily
from app.program.tree import GraphError, ProgramError
from app.program.values import encode_value, is_encodable, lookup
from engine import Tensor, errors, modes, tensors
from engine.tensor import make_tensor

Namespace = dict[str, Any]


def leaf(*values: float) -> Tensor:
    return tensors.from_array(np.array(values, dtype=np.float32), requires_grad=True)


def run_code(text: str, namespace: Namespace | None = None, **limits: int) -> Outcome:
    settings = Limits(**limits)
    with modes.use(modes.State(budget=modes.Budget(nbytes=2**28, seconds=20, steps=2 * 10**6))):
        return run(parse_code(text, settings), {} if namespace is None else namespace, limits=settings)


def run_nodes(*nodes: object, **namespace: Any) -> Namespace:
    with modes.use(modes.State()):
        run(parse_nodes(list(nodes), Limits()), namespace, limits=Limits())
    return namespace


def printed(expression: str, **namespace: Any) -> str:
    return run_code(f"print({expression})", namespace).prints[0]


def refusal(text: str, **namespace: Any) -> ProgramError:
    with pytest.raises(ProgramError) as caught:
        run_code(text, namespace)
    return caught.value


# -- Python ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 < 2 < 3, 3 > 2 > 5, 1 == 1.0", "True False True"),
        ("1 and 0, 0 or 'x', [] or None", "0 x None"),
        ("not 0, 3 is 3, None is not None", "True True False"),
        ("2 in [1, 2], 'a' not in 'abc', 1 in {1: 2}", "True False True"),
        ("-2 ** 2, 7 // -2, 7 % -3, ~6, 1 << 5, 6 ^ 3", "-4 -4 -2 -7 32 5"),
        ("5 / 2, 2 ** -1, 1e16, 0.1 + 0.2, -0.0", "2.5 0.5 1e+16 0.30000000000000004 -0.0"),
        ("[1, 'a', None], (1,), {'k': [2]}, ...", "[1, 'a', None] (1,) {'k': [2]} Ellipsis"),
        ("[1, 2, 3, 4][1:3], 'abc'[::-1], (1, 2)[-1]", "[2, 3] cba 2"),
        ("int('12'), float('nan'), str(1.0), repr('a'), round(2.567, 1)", "12 nan 1.0 'a' 2.6"),
        ("sum([1, 2]), max(1, 5), min([4, 2]), len('ab'), abs(-3), bool([])", "3 5 2 2 3 False"),
        ("list(range(3)), tuple([1]), range(2)", "[0, 1, 2] (1,) range(0, 2)"),
        ("max([1, -5], key=abs), max([1, 2], key=lambda v: -v)", "-5 1"),
        ("'%d of %s: %.2f' % (1, 'x', 0.5)", "1 of x: 0.50"),
        ("'-'.join(['a', 'b']), 'Ab'.upper(), {'a': 1}.get('b', 2)", "a-b AB 2"),
        ("(lambda a, b: a - b)(b=1, a=3)", "2"),
        ("(lambda a: lambda b: a + b)(1)(2)", "3"),
        ("torch.float32, torch.pi > 3, torch.long == torch.int64", "torch.float32 True True"),
        ("torch, torch.nn.functional, len", "<module 'torch'> <module 'torch.nn.functional'> <built-in function len>"),
    ],
)
def test_expressions_mean_what_they_mean_in_python(expression: str, text: str) -> None:
    assert printed(expression) == text


@pytest.mark.parametrize(
    ("text", "exception", "detail"),
    [
        ("w", "NameError", "name 'w' is not defined"),
        ("del w", "NameError", "name 'w' is not defined"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("1.0[0]", "TypeError", "'float' object is not subscriptable"),
        ("s = 1.0\ns[0] = 1.0", "TypeError", "'float' object does not support item assignment"),
        ("x = 5\nx += 'a'", "TypeError", "unsupported operand type(s) for +=: 'int' and 'str'"),
        ("None + 1", "TypeError", "unsupported operand type(s) for +: 'NoneType' and 'int'"),
        ("a, b = 1", "TypeError", "cannot unpack non-iterable int object"),
        ("a, b = [1]", "ValueError", "not enough values to unpack (expected 2, got 1)"),
        ("a, b = [1, 2, 3]", "ValueError", "too many values to unpack (expected 2)"),
        ("[][0]", "IndexError", "list index out of range"),
        ("{'a': 1}['b']", "KeyError", "'b'"),
        ("int('a')", "ValueError", "invalid literal for int() with base 10: 'a'"),
        ("(3).foo", "AttributeError", "'int' object has no attribute 'foo'"),
        ("x = 1\nx.grad = 2", "AttributeError", "'int' object has no attribute 'grad'"),
        ("torch.foo", "AttributeError", "module 'torch' has no attribute 'foo'"),
        ("torch.nn.functional.foo", "AttributeError", "module 'torch.nn.functional' has no attribute 'foo'"),
        ("torch()", "TypeError", "'module' object is not callable"),
        ("torch.float32.foo", "AttributeError", "'torch.dtype' object has no attribute 'foo'"),
        ("(lambda a: a)()", "TypeError", "<lambda>() missing 1 required positional argument: 'a'"),
        ("(lambda a: a)(1, 2)", "TypeError", "<lambda>() takes 1 positional argument but 2 were given"),
        ("(lambda a: a)(b=1)", "TypeError", "<lambda>() got an unexpected keyword argument 'b'"),
        ("(lambda a: a)(1, a=1)", "TypeError", "<lambda>() got multiple values for argument 'a'"),
        ("f = lambda n: f(n)\nf(1)", "RecursionError", "maximum recursion depth exceeded"),
        ("print(1, foo=2)", "TypeError", "'foo' is an invalid keyword argument for print()"),
        ("print(1, sep=3)", "TypeError", "sep must be None or a string, not int"),
    ],
)
def test_errors_are_pythons(text: str, exception: str, detail: str) -> None:
    error = refusal(text)
    assert (error.exception, error.detail) == (exception, detail)
    assert error.line == (1 if exception == "RecursionError" else len(text.splitlines()))  # the innermost one


def test_an_error_keeps_prints_and_the_line_inside_blocks() -> None:
    error = refusal("print('a')\nwith torch.no_grad():\n    for i in range(3):\n        print(i)\n        1 / (1 - i)")
    assert (error.prints, error.line, error.column) == (["a", "0", "1"], 5, 9)


def test_print_ends_before_the_newline() -> None:
    assert run_code("print('a', 'b', end='!')\nprint()\nprint(1, 2, sep='-')\nprint('x\\n')").prints == [
        "a b!",
        "",
        "1-2",
        "x\n",
    ]


def test_lists_are_shared_and_changed_in_place() -> None:
    program = "a = b = [1]\na.append(2)\na += (3,)\nb[0] = 9\ndel a[1]\na.extend([4])\nprint(a, b, a is b)"
    assert run_code(program).prints == ["[9, 3, 4] [9, 3, 4] True"]


def test_loops_bind_their_variable_and_names_keep_their_order() -> None:
    namespace: Namespace = {"old": 1}
    outcome = run_code("b = 0\nfor i in range(3):\n    b += i\na = b\ndel b\nold = 2", namespace)
    assert (outcome.named, outcome.last) == (["i", "a", "old"], "old")
    assert namespace == {"i": 2, "a": 3, "old": 2}


def test_deleting_the_last_name_leaves_the_one_before() -> None:
    assert run_code("a = 1\nb = 2\ndel b").last == "a"


@pytest.mark.parametrize("name", ["eval", "exec", "open", "compile", "globals", "locals", "dir", "input"])
def test_other_built_ins_are_outside_the_language(name: str) -> None:
    with pytest.raises(GraphError, match=f"^{name} is outside") as caught:
        run_code(f"x = 1\ny = {name}(x)")
    assert (caught.value.line, caught.value.column) == (2, 1)


def test_a_program_may_use_their_names_for_its_own_values() -> None:
    assert run_code("input = 3\nprint(input)").prints == ["3"]
    assert run_code("print(id + 1)", {"id": 1}).prints == ["2"]


NESTED = "x = (1,)\nfor i in range(50):\n    x = (x, x)\n"
GROWING = [
    "10 ** 10 ** 10", "1 << 10 ** 9", "'a' * 10 ** 9", "[0] * 10 ** 9", "(1,) * 10 ** 7",
    "x = 9\nfor i in range(100):\n    x = x * x",
    "x = 'a'\nfor i in range(100):\n    x += x",
    "x = [1]\nfor i in range(100):\n    x.extend(x)",
    "x = [1]\nfor i in range(100):\n    x += x",
    "x = ()\nfor i in range(500):\n    x = (x,)\nd = {x: 1}",
    "x = [1]\nx.append(x)\nprint(x)",
    NESTED + "print(x)", NESTED + "x == (x,)", NESTED + "d = {x: 1}", NESTED + "{}.get(x)", NESTED + "x in {}",
    "x = ['a' * 10000] * 10000\nprint(x)",
    "x = [0] * 100000\ny = []\nfor i in range(1000):\n    y.append(x[:])",
    "sum([[1]] * 100000, [])",
    "f = lambda n: g(n) + g(n)\ng = lambda n: n + 1\nfor i in range(99999):\n    f(f(i))",
    "'%s' * 90 % ('a' * 1000000,)",
    "'a'.join(['b' * 1000] * 9999)",
    "('a' * 9999).replace('a', 'b' * 9999)",
    "print('a' * 999999)\nprint('a' * 999999)",
    "print('a', 'b', sep='x' * 999999, end='x' * 999999)",
    "for i in range(99999):\n    print(i)", "while True:\n    pass", "for i in range(10 ** 12):\n    pass",
    "def f(n):\n    return f(n) + f(n)\ntry:\n    f(1)\nexcept RecursionError:\n    while True: f",
    "import itertools\nlist(itertools.count())", "import itertools\nfor i in itertools.count():\n    pass",
    "import itertools\nsum(itertools.repeat(1))", "import itertools\n5.5 in itertools.count()",
    "import itertools\na, *b = itertools.count()", "import itertools\nprint(*itertools.count())",
    "import itertools\n[].extend(itertools.count())", "import itertools\nset(itertools.cycle([1]))",
    "import itertools\nmax(map(abs, itertools.count()))", "import itertools\nlist(filter(None, itertools.repeat(0)))",
    "import itertools\n''.join(map(str, itertools.count()))",
    "import itertools\ndict(zip(itertools.count(), itertools.count()))",
    "import itertools\nany(x < 0 for x in itertools.count())", "import itertools\nsorted(itertools.count())",
    "x = [0]\nfor i in x:\n    x.append(i)",
    "class A:\n    def __iter__(self):\n        return self\n    def __next__(self):\n        return 1\nlist(A())",
    "class A:\n    def __getitem__(self, i):\n        return i\nlist(A())",
    "class A:\n    def __index__(self):\n        return 10 ** 9\n[0] * A()",
    "f'{1:{10 ** 9}}'", "'{:1000000000}'.format(1)",
    "'{0:{1}}'.format('a', 10 ** 9)", "format(1, '>1000000000')", "'a'.ljust(10 ** 9)", "'\\t'.expandtabs(10 ** 9)",
    "class A:\n    def __repr__(self):\n        return 'a' * 900000\nrepr([A()] * 90000)",
    "[i for i in range(10 ** 12)]",
    "{i for i in range(10 ** 12)}", "sum(i for i in range(10 ** 12))", "x = [1]\nwhile x:\n    x = x + x",
    "torch.zeros(0, 2).chunk(2 ** 31)", "torch.zeros(5).tensor_split(2 ** 31)", "torch.zeros(2 ** 40, 0).unbind()",
    "torch.zeros(2 ** 40, 0).split(1)",
]  # fmt: skip


@pytest.mark.parametrize("text", GROWING, ids=[str(i) for i in range(len(GROWING))])
def test_what_would_grow_without_bound_is_stopped(text: str) -> None:
    with pytest.raises((OverLimit, errors.BudgetError, ProgramError)) as caught:
        run_code(text, loop_iterations=100_000)
    assert not isinstance(caught.value, ProgramError) or caught.value.exception in ("TypeError", "MemoryError")


def test_time_is_checked_between_statements_and_calls() -> None:
    with modes.use(modes.State(budget=modes.Budget(seconds=0))), pytest.raises(errors.BudgetError):
        run(parse_code("x = 1", Limits()), {}, limits=Limits())


# -- tensors --------------------------------------------------------------------------------------------------------
def test_attributes_of_tensors_are_read_and_assigned() -> None:
    x = leaf(1.0, 2.0)
    namespace: Namespace = {"x": x}
    run_code("(x * x).sum().backward()\ng = x.grad\nx.grad *= 10\nsame = g is x.grad", namespace)
    assert namespace["same"] is True
    assert x.grad is not None
    assert x.grad.array.tolist() == [20.0, 40.0]
    run_code("x.grad = None\nx.requires_grad = False\nx.data = x * 3", {"x": x})
    assert (lookup({"x": x}, "x.grad"), x.requires_grad, x.array.tolist()) == (None, False, [3.0, 6.0])


@pytest.mark.parametrize(
    ("text", "exception", "detail"),
    [
        ("x.no_such_method()", "AttributeError", "'Tensor' object has no attribute 'no_such_method'"),
        ("x.is_leaf = 1", "AttributeError", "attribute 'is_leaf' of 'torch._C.TensorBase' objects is not writable"),
        ("x.foo = 1", "AttributeError", "'Tensor' object has no attribute 'foo'"),
        ("x.sum = 1", "AttributeError", "'Tensor' object attribute 'sum' is read-only"),
        ("x.requires_grad = 1", "RuntimeError", "requires_grad must be a bool"),
        ("x.grad = 3.0", "TypeError", "assigned grad expected to be a Tensor or None but got grad of type float"),
        ("x(1)", "TypeError", "'Tensor' object is not callable"),
        ("x += 1", "RuntimeError", "a leaf Variable that requires grad is being used in an in-place operation."),
    ],
)
def test_errors_of_tensors_are_pytorchs(text: str, exception: str, detail: str) -> None:
    error = refusal(text, x=leaf(1.0, 2.0))
    assert (error.exception, error.detail) == (exception, detail)


def test_an_augmented_assignment_writes_in_place() -> None:
    namespace = {"x": leaf(1.0, 2.0)}
    run_code("with torch.no_grad():\n    y = x\n    x -= 0.5\n    x[0] *= 10", namespace)
    assert namespace["x"] is namespace["y"]
    assert namespace["x"].array.tolist() == [5.0, 1.5]


def test_a_tensor_unpacks_along_its_first_dimension() -> None:
    assert run_code("a, b = x\nprint(a.item(), b.item())", {"x": leaf(1.0, 2.0)}).prints == ["1.0 2.0"]


def test_pythons_types_are_dtypes_for_the_engine() -> None:
    assert printed("x.detach().to(float).dtype, x.detach().to(int).dtype", x=leaf(1.5)) == "torch.float64 torch.int64"


def test_temporaries_do_not_outlive_their_statement() -> None:
    x = leaf(1.0, 2.0)
    alive: list[weakref.ref[Tensor]] = []

    def counting(*args: Any) -> Tensor:
        tensor = make_tensor(*args)
        alive.append(weakref.ref(tensor))
        return tensor

    with pytest.MonkeyPatch.context() as patch:
        for operator in (Tensor.__mul__, Tensor.__add__):
            patch.setitem(operator.__globals__, "make_tensor", counting)
        gc.disable()
        run_code("y = ((x.detach() * 2) + 1) * 3\ndel y", {"x": x})
        gc.enable()
    assert alive
    assert not [ref for ref in alive if ref() is not None]


# -- nodes ----------------------------------------------------------------------------------------------------------
def test_nodes_call_functions_methods_attributes_and_operators() -> None:
    namespace = run_nodes(
        {"id": "y", "op": "mul", "args": ["$x", "$x"]},
        {"id": "z", "op": "view", "args": ["$y", [2, 1]]},
        {"id": "t", "op": "mT", "args": ["$z"]},
        {"id": "r", "op": "__rsub__", "args": ["$t", 10]},
        {"id": "i", "op": "__getitem__", "args": ["$r", [0, {"slice": [1]}]]},
        {"id": "n", "op": "__add__", "args": [2, 3]},
        x=leaf(1.0, 2.0),
    )
    assert namespace["r"].array.tolist() == [[9.0, 6.0]]
    assert namespace["i"].array.tolist() == [9.0]
    assert namespace["n"] == 5


def test_nodes_read_attributes_and_elements() -> None:
    namespace = run_nodes(
        {"id": "s", "op": "sum", "args": [{"tensor": {"data": [1.0, 2.0]}}]},
        {"id": "q", "op": "unbind", "args": ["$x"]},
        {"op": "backward", "args": ["$q.1"]},
        {"op": "zero_", "args": ["$x.grad.data"]},
        {"op": "__setitem__", "args": ["$x.data", 0, 7]},
        {"op": "__setattr__", "args": ["$x", "requires_grad", False]},
        x=leaf(1.0, 2.0),
    )
    assert namespace["s"].item() == 3.0
    assert namespace["x"].array.tolist() == [7.0, 2.0]
    assert namespace["x"].grad.array.tolist() == [0.0, 0.0]
    assert not namespace["x"].requires_grad


def test_blocks_hold_their_mode() -> None:
    nodes = {
        "no_grad": [
            {"id": "y", "op": "mul", "args": ["$x", 2]},
            {"enable_grad": [{"id": "z", "op": "neg", "args": ["$x"]}]},
        ]
    }
    namespace = run_nodes(nodes, x=leaf(1.0))
    assert (namespace["y"].requires_grad, namespace["z"].requires_grad) == (False, True)


def test_unknown_ops_and_references_are_found_before_anything_runs() -> None:
    program = parse_nodes([{"op": "__setitem__", "args": ["$x.data", 0, 5]}, {"id": "y", "op": "no_such_op"}], Limits())
    namespace = {"x": leaf(1.0)}
    with pytest.raises(GraphError, match="unknown op 'no_such_op'") as caught:
        run(program, namespace, limits=Limits())
    assert (caught.value.node_id, caught.value.node_index) == ("y", 1)
    assert namespace["x"].array.tolist() == [1.0]
    with pytest.raises(GraphError, match="unknown reference"):
        check(program, {})


def test_an_error_names_its_node() -> None:
    with pytest.raises(ProgramError) as caught:
        run_nodes({"id": "a", "op": "neg", "args": ["$x"]}, {"id": "b", "op": "view", "args": ["$x", [3]]}, x=leaf(1.0))
    assert (caught.value.node_id, caught.value.node_index, caught.value.exception) == ("b", 1, "RuntimeError")


def test_a_malformed_inline_tensor_names_its_node() -> None:
    with pytest.raises(GraphError) as caught:
        run_nodes({"id": "a", "op": "neg", "args": [{"tensor": [[1], [2, 3]]}]})
    assert caught.value.node_id == "a"


def test_each_run_gets_its_own_inline_tensors() -> None:
    program = parse_nodes([{"id": "y", "op": "zero_", "args": [{"tensor": [1.0]}]}], Limits())
    first, second = Namespace(), Namespace()
    for namespace in (first, second):
        run(program, namespace, limits=Limits())
    assert first["y"] is not second["y"]


# -- values ---------------------------------------------------------------------------------------------------------
def test_dotted_names_are_looked_up() -> None:
    x = leaf(1.0)
    assert lookup({"x": x, "q": [x, 2]}, "q.1") == 2
    assert lookup({"x": x}, "x.grad") is None
    for name in ("y", "x.foo", "x.", "q.5", "x.__class__", ""):
        with pytest.raises(LookupError):
            lookup({"x": x, "q": [1]}, name)


def test_values_have_a_json_form() -> None:
    namespace: Namespace = {}
    run_code(
        "a = (1, 2.5, True, None, 's')\nb = {'k': [float('nan'), float('-inf')]}\nc = torch.float64\n"
        "d = 1 + 2j\ne = 2 ** 70",
        namespace,
    )
    assert {name: encode_value(value, lambda tensor: None) for name, value in namespace.items()} == {
        "a": [1, 2.5, True, None, "s"],
        "b": {"k": ["NaN", "-Infinity"]},
        "c": "torch.float64",
        "d": [1.0, 2.0],
        "e": "1180591620717411303424",
    }
    tensor = leaf(1.0)
    assert encode_value([tensor], lambda tensor: "record") == [{"tensor": "record"}]


def test_functions_and_what_holds_them_are_left_out() -> None:
    namespace: Namespace = {}
    run_code("f = lambda t: t\ng = [1, len]\nh = torch\nk = {'a': (f,)}\nn = [[]]", namespace)
    assert [name for name, value in namespace.items() if is_encodable(value)] == ["n"]


def test_what_runs_with_room_for_calls_gives_and_raises_what_it_would() -> None:
    assert roomily.__code__.co_stacksize == SLOTS
    assert roomily(lambda: roomily(lambda: 5)) == 5
    with pytest.raises(ValueError, match="invalid literal"):
        roomily(lambda: int("k"))
