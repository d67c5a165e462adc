"""The JSON spelling: nodes, references and literals."""

import math

import pytest

from app.limits import Limits, OverLimit
from app.program.from_nodes import check_references, parse_nodes, parse_reference
from app.program.tree import (
    Assign,
    Attribute,
    Constant,
    Display,
    Evaluate,
    Expression,
    GraphError,
    Mode,
    Name,
    OpCall,
    Place,
    Program,
    Slice,
    Subscript,
    TensorConstant,
    With,
    is_name,
)


def parse(*nodes: object, **limits: int) -> Program:
    return parse_nodes(list(nodes), Limits(**limits))


def argument(raw: object) -> Expression:
    (statement,) = parse({"op": "f", "args": [raw]}).statements
    assert isinstance(statement, Evaluate)
    assert isinstance(statement.value, OpCall)
    return statement.value.args[0]


def refusal(*nodes: object) -> GraphError:
    with pytest.raises(GraphError) as caught:
        parse(*nodes)
    return caught.value


def test_a_node_becomes_an_assignment_of_a_call() -> None:
    program = parse({"id": "y", "op": "add", "args": ["$x", 2], "kwargs": {"alpha": 1}})
    call = OpCall("add", (Name("x"), Constant(2)), (("alpha", Constant(1)),))
    assert program.statements == (Assign((Name("y"),), call, Place(node_id="y", node_index=0)),)


def test_a_node_without_id_is_evaluated_for_its_effect() -> None:
    (statement,) = parse({"op": "torch.backward", "args": ["$out"], "id": None}).statements
    assert isinstance(statement, Evaluate)
    assert statement.value == OpCall("backward", (Name("out"),))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Constant(None)),
        (2, Constant(2)),
        (True, Constant(True)),
        ("mean", Constant("mean")),
        ("$$x", Constant("$x")),
        ("$x", Name("x")),
        ("$x.grad.data", Attribute(Attribute(Name("x"), "grad"), "data")),
        ("$q.0", Subscript(Name("q"), Constant(0))),
        ("$y._version", Attribute(Name("y"), "_version")),
        ([1, ["$a"]], Display("list", (Constant(1), Display("list", (Name("a"),))))),
        ({"slice": [0, None, "$n"]}, Slice(Constant(0), Constant(None), Name("n"))),
        ({"slice": [1, 2]}, Slice(Constant(1), Constant(2), Constant(None))),
        ({"slice": [3]}, Slice(Constant(None), Constant(3), Constant(None))),
        ({"ellipsis": True}, Constant(...)),
        ({"float": "-Infinity"}, Constant(-math.inf)),
        ({"complex": [1, "Infinity"]}, Constant(complex(1, math.inf))),
        ({"tensor": [1, 2]}, TensorConstant([1, 2])),
    ],
)
def test_literals_and_references(raw: object, expected: Expression) -> None:
    assert argument(raw) == expected


def test_integers_and_floats_stay_apart() -> None:
    integer, real = argument(2), argument(2.0)
    assert isinstance(integer, Constant)
    assert isinstance(real, Constant)
    assert (type(integer.value), type(real.value)) == (int, float)


@pytest.mark.parametrize(
    ("index", "kind"),
    [([0, 2], "list"), ([True, False], "list"), ([], "list"), ([0, None], "tuple"), ([[0, 1]], "tuple"),
     (["$i", 0], "tuple"), ([{"ellipsis": True}, 0], "tuple"), ([{"slice": [0, 1]}], "tuple")],
)  # fmt: skip
def test_an_index_list_is_an_index_array_only_of_plain_integers(index: list[object], kind: str) -> None:
    (statement,) = parse({"op": "__getitem__", "args": ["$x", index]}).statements
    assert isinstance(statement, Evaluate)
    assert isinstance(statement.value, OpCall)
    shown = statement.value.args[1]
    assert isinstance(shown, Display)
    assert shown.kind == kind


def test_assignments_are_statements() -> None:
    item, attribute = parse(
        {"op": "__setitem__", "args": ["$x", 0, "$v"]}, {"op": "__setattr__", "args": ["$x", "grad", None]}
    ).statements
    assert isinstance(item, Assign)
    assert item.targets == (Subscript(Name("x"), Constant(0)),)
    assert isinstance(attribute, Assign)
    assert (attribute.targets, attribute.value) == ((Attribute(Name("x"), "grad"),), Constant(None))


def test_blocks_nest_and_nodes_are_counted_in_reading_order() -> None:
    inner = {"id": "z", "op": "f"}
    (block,) = parse({"no_grad": [{"id": "y", "op": "f"}, {"enable_grad": [inner]}]}).statements
    assert isinstance(block, With)
    assert block.modes == (Mode("no_grad"),)
    nested = block.body[1]
    assert isinstance(nested, With)
    assert nested.body[0].place == Place(node_id="z", node_index=3)


MALFORMED: list[object] = [
    7, None, [], "add", {}, {"id": "y"}, {"op": 1}, {"op": ""}, {"op": "a b"}, {"op": "a..b"}, {"op": "x" * 500},
    {"op": "f", "arg": []}, {"op": "f", "args": {}}, {"op": "f", "args": "x"}, {"op": "f", "kwargs": []},
    {"op": "f", "kwargs": {"1": 2}}, {"op": "f", "kwargs": {"__class__": 2}}, {"op": "f", "id": 3},
    {"op": "f", "id": "a.b"}, {"op": "f", "id": ""}, {"op": "f", "id": "$x"}, {"op": "f", "id": "x" * 200},
    {"no_grad": {}}, {"no_grad": [], "id": "x"}, {"no_grad": [3]}, {"set_grad_enabled": []}, {"while": []},
    {"op": "f", "args": ["$"]}, {"op": "f", "args": ["$.grad"]}, {"op": "f", "args": ["$x."]},
    {"op": "f", "args": ["$x.a b"]}, {"op": "f", "args": ["$x.__class__"]}, {"op": "f", "args": ["$x._secret"]},
    {"op": "f", "args": ["$x.-1"]}, {"op": "f", "args": ["$x.99999999999"]}, {"op": "f", "args": ["\ud800"]},
    {"op": "f", "args": [{}]}, {"op": "f", "args": [{"other": 1}]}, {"op": "f", "args": [{"float": "1", "slice": []}]},
    {"op": "f", "args": [{"slice": []}]}, {"op": "f", "args": [{"slice": [1, 2, 3, 4]}]},
    {"op": "f", "args": [{"slice": [1.5]}]}, {"op": "f", "args": [{"slice": "1:2"}]},
    {"op": "f", "args": [{"ellipsis": False}]}, {"op": "f", "args": [{"float": "1e5"}]},
    {"op": "f", "args": [{"float": True}]}, {"op": "f", "args": [{"float": 10**400}]},
    {"op": "f", "args": [{"complex": [1]}]}, {"op": "f", "args": [{"complex": 1}]}, {"op": "f", "args": [b"raw"]},
    {"op": "__setattr__", "args": ["$x", "is_leaf", False]}, {"op": "__setattr__", "args": ["$x", "__class__", 1]},
    {"op": "__setattr__", "args": ["$x", "$y", 1]}, {"op": "__setattr__", "args": ["$x"]},
    {"op": "__setitem__", "args": ["$x", 0]}, {"op": "__setitem__", "args": ["$x", 0, 1], "id": "y"},
    {"op": "__setitem__", "args": ["$x", 0], "kwargs": {"value": 1}},
]  # fmt: skip


@pytest.mark.parametrize("raw", MALFORMED, ids=[str(i) for i in range(len(MALFORMED))])
def test_malformed_nodes_are_refused_with_their_index(raw: object) -> None:
    error = refusal({"id": "fine", "op": "f"}, raw)
    assert error.node_index in (1, 2)
    assert len(error.detail) < 400


def test_limits_are_found_while_reading() -> None:
    with pytest.raises(OverLimit, match="nodes: 2 nodes allowed, 3 asked"):
        parse(*[{"op": "f"}] * 3, nodes=2)
    with pytest.raises(OverLimit, match="depth: 2 levels allowed"):
        parse({"op": "f", "args": [[[[1]]]]}, depth=2)
    with pytest.raises(OverLimit, match="depth: 1 levels allowed"):
        parse({"no_grad": [{"no_grad": []}]}, depth=1)


def test_references_need_an_earlier_binding() -> None:
    program = parse({"no_grad": [{"id": "y", "op": "f", "args": ["$x"]}]}, {"id": "z", "op": "f", "args": ["$y"]})
    check_references(program, ["x"])
    with pytest.raises(GraphError, match="no input and no earlier node") as caught:
        check_references(program, [])
    assert (caught.value.node_id, caught.value.node_index) == ("y", 1)


def test_forward_and_cyclic_references_say_so() -> None:
    for program in (
        parse({"id": "a", "op": "f", "args": [[{"slice": ["$b"]}]]}, {"id": "b", "op": "f"}),
        parse({"id": "b", "op": "f", "kwargs": {"other": "$b.grad"}}),
        parse({"op": "__setitem__", "args": ["$b", 0, 1]}, {"id": "b", "op": "f"}),
    ):
        with pytest.raises(GraphError, match="earlier nodes only"):
            check_references(program, [])


def test_names_have_no_dots() -> None:
    assert all(map(is_name, ("x", "w-1", "0", "größe", "_")))
    assert not any(map(is_name, ("", "a.b", "a b", "$x", "a/b", "x" * 129, None, 3)))


def test_a_reference_is_no_longer_than_a_tree_is_deep() -> None:
    assert isinstance(parse_reference("x" + 64 * ".T"), Attribute)
    for longer in ("x" + 65 * ".T", "x" + 100_000 * ".0"):
        with pytest.raises(GraphError, match="more than 64 dots"):
            parse_reference(longer)


def test_a_reference_is_read_without_its_dollar() -> None:
    assert parse_reference("x.grad") == Attribute(Name("x"), "grad")
