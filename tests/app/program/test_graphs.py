"""The backward graph in its four spellings."""

import stat
from pathlib import Path
from typing import Any

import pytest

from app.limits import Limits
from tests.app.conftest import Client, Serve

NODES = [
    {"id": "y", "op": "mul", "args": ["$x", "$w"]},
    {"id": "z", "op": "add", "args": ["$y", 1]},
]
LEAF = {"data": [1.0, 2.0], "requires_grad": True}


@pytest.fixture
def session(client: Client) -> str:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF, "w": LEAF}, nodes=NODES)
    return sid


def read(client: Client, sid: str, **query: Any) -> Any:
    return client("GET", f"/v1/sessions/{sid}/graph", params={"tensor": "z", **query})


def test_nodes_edges_saved_tensors_and_leaves_are_told(client: Client, session: str) -> None:
    graph = read(client, session).json()
    assert graph["roots"] == [{"tensor": "z", "node": "n0", "output_nr": 0}]
    add, mul, *leaves = graph["nodes"]
    assert (add["name"], add["next_functions"]) == (
        "AddBackward0",
        [{"node": "n1", "output_nr": 0}, {"node": None, "output_nr": 0}],
    )
    assert mul["name"] == "MulBackward0"
    assert sorted(one["name"] for one in mul["saved"]) == ["input", "other"]
    assert all((one["shape"], one["dtype"]) == ([2], "float32") for one in mul["saved"])
    assert {leaf["leaf"]["name"] for leaf in leaves} == {"x", "w"}
    assert {leaf["name"] for leaf in leaves} == {"torch::autograd::AccumulateGrad"}
    assert {edge["node"] for edge in mul["next_functions"]} == {leaf["id"] for leaf in leaves}


def test_what_a_sweep_has_freed_is_told(client: Client, session: str) -> None:
    client("POST", f"/v1/sessions/{session}/backward", json={"tensor": "z", "gradient": [1.0, 1.0]})
    mul = read(client, session).json()["nodes"][1]
    assert (mul["freed"], mul["saved"]) == (True, [])


def test_a_leaf_and_a_tensor_without_history_have_graphs_too(client: Client, session: str) -> None:
    leaf = read(client, session, tensor="x").json()
    assert [node["leaf"]["name"] for node in leaf["nodes"]] == ["x"]
    client("PUT", f"/v1/sessions/{session}/tensors/plain", json=[1.0])
    plain = read(client, session, tensor="plain").json()
    assert plain == {"roots": [{"tensor": "plain", "node": None, "output_nr": 0}], "nodes": []}


def test_dot_names_every_node_and_edge(client: Client, session: str) -> None:
    answer = read(client, session, format="dot")
    assert answer.headers["content-type"].startswith("text/vnd.graphviz")
    lines = [line.strip() for line in answer.text.splitlines()]
    assert lines[0] == "digraph backward {"
    assert 'n0 [label="AddBackward0"];' in lines
    assert {"r0 -> n0;", "n0 -> n1;", "n1 -> n2;", "n1 -> n3;"} <= set(lines)


def test_mermaid_names_every_node_and_edge(client: Client, session: str) -> None:
    answer = read(client, session, format="mermaid")
    assert answer.headers["content-type"].startswith("text/vnd.mermaid")
    lines = [line.strip() for line in answer.text.splitlines()]
    assert lines[0] == "flowchart TD"
    assert {'r0(["z"])', "r0 --> n0", "n0 --> n1", "n1 --> n2", "n1 --> n3"} <= set(lines)


def test_svg_without_graphviz_says_so(serve: Serve) -> None:
    client = serve(dot="no-such-program")
    sid = client.open()
    client.run(sid, inputs={"x": LEAF, "w": LEAF}, nodes=NODES)
    answer = read(client, sid, format="svg")
    assert (answer.status_code, answer.json()["type"]) == (501, "/problems/unavailable")
    assert "graphviz" in answer.json()["detail"]


def drawing_with(folder: Path, script: str) -> str:
    """A stand-in for the graphviz program."""
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.mark.parametrize(
    ("script", "status", "text"),
    [
        ('cat > /dev/null; echo "<svg>$1</svg>"', 200, "<svg>-Tsvg</svg>\n"),
        ("cat > /dev/null; exit 3", 501, "failed"),
        ("exec sleep 10", 504, "svg_seconds"),
    ],
)
def test_svg_is_drawn_by_graphviz_within_its_time(
    serve: Serve, tmp_path: Path, script: str, status: int, text: str
) -> None:
    client = serve(Limits(svg_seconds=0.5), dot=drawing_with(tmp_path, script))
    sid = client.open()
    client.run(sid, inputs={"x": LEAF, "w": LEAF}, nodes=NODES)
    answer = read(client, sid, format="svg")
    assert (answer.status_code, text in answer.text) == (status, True)


def test_evaluate_includes_the_graph_as_it_was_before_the_sweep(client: Client) -> None:
    answer = client.evaluate(
        inputs={"x": LEAF, "w": LEAF}, nodes=NODES, backward=[{"tensor": "z", "gradient": [1.0, 1.0]}],
        include=["graph", "timings"],
    )  # fmt: skip
    assert [node["name"] for node in answer["graph"]["nodes"][:2]] == ["AddBackward0", "MulBackward0"]
    assert len(answer["graph"]["nodes"][1]["saved"]) == 2
    assert set(answer["timings"]) == {"parse", "run", "backward", "collect"}


def test_a_drawing_needs_no_accept_of_json(client: Client, session: str) -> None:
    headers = {"Accept": "text/vnd.graphviz"}
    path = f"/v1/sessions/{session}/graph?tensor=z"
    assert client("GET", f"{path}&format=dot", headers=headers).status_code == 200
    assert client("GET", path, headers=headers).status_code == 406


@pytest.mark.parametrize(
    ("query", "status"), [({"tensor": "nobody"}, 404), ({"format": "png"}, 422), ({"tensor": "z.__class__"}, 404)]
)
def test_bad_questions_are_refused(client: Client, session: str, query: Any, status: int) -> None:
    assert read(client, session, **query).status_code == status
