"""The backward graph of tensors: nodes, edges, saved tensors and leaves, as JSON, DOT, Mermaid and SVG."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.errors import Unavailable
from app.limits import Limits, OverLimit
from engine import Tensor, tape


@dataclass(frozen=True, slots=True)
class SavedTensor:
    """What a node keeps for its rule."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """The tensor that an accumulator adds to; ``name`` is ``None`` if no variable holds it."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One recorded call. ``next_functions`` are ids and output numbers, ``None`` where no gradient flows."""

    id: str
    name: str
    next_functions: tuple[tuple[str, int] | None, ...]
    saved: tuple[SavedTensor, ...]
    freed: bool
    leaf: Leaf | None


@dataclass(frozen=True, slots=True)
class Graph:
    """``roots`` are the tensors asked for: name, node id (``None`` without history), output number."""

    roots: tuple[tuple[str, str | None, int], ...]
    nodes: tuple[GraphNode, ...]


def collect(roots: dict[str, Tensor], namespace: dict[str, Any], limits: Limits) -> Graph:
    """Return everything that a sweep from ``roots`` may visit, in the order it would be visited."""
    edges = {name: tape.edge_of(tensor) for name, tensor in roots.items()}
    found = _reachable([edge[0] for edge in edges.values() if edge is not None], limits)
    ids = {id(node): f"n{number}" for number, node in enumerate(found)}
    names = {id(value): name for name, value in reversed(namespace.items()) if isinstance(value, Tensor)}
    starts = tuple(
        (name, None if edge is None else ids[id(edge[0])], 0 if edge is None else edge[1])
        for name, edge in edges.items()
    )
    return Graph(starts, tuple(_describe(node, ids, names) for node in found))


def _reachable(roots: list[tape.Node], limits: Limits) -> list[tape.Node]:
    found: dict[int, tape.Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            if len(found) > limits.graph_nodes:
                raise OverLimit("graph_nodes", allowed=limits.graph_nodes, asked=len(found))
            stack.extend(other for other, _ in node.next_functions if other is not None)
    return sorted(found.values(), key=lambda node: -node.sequence)


def _describe(node: tape.Node, ids: dict[int, str], names: dict[int, str]) -> GraphNode:
    return GraphNode(
        ids[id(node)],
        node.name(),
        tuple(None if other is None else (ids[id(other)], number) for other, number in node.next_functions),
        tuple(_saved(node)),
        node.saved is None,
        _leaf(node.variable, names) if isinstance(node, tape.Accumulate) else None,
    )


def _saved(node: tape.Node) -> Iterator[SavedTensor]:
    for name, kept in (node.saved or {}).items():
        many = isinstance(kept, list)
        for number, one in enumerate(kept if many else [kept]):
            if one is not None:
                label = f"{name}.{number}" if many else name
                yield SavedTensor(label, tuple(one.array.shape), Tensor(one.array).dtype.name)


def _leaf(variable: Tensor, names: dict[int, str]) -> Leaf:
    return Leaf(names.get(id(variable)), tuple(variable.shape), variable.dtype.name)


# -- spellings ----------------------------------------------------------------------------------------------------
def as_json(graph: Graph) -> dict[str, Any]:
    """Return the graph as plain data."""
    return {
        "roots": [{"tensor": name, "node": node, "output_nr": number} for name, node, number in graph.roots],
        "nodes": [_node_as_json(node) for node in graph.nodes],
    }


def _node_as_json(node: GraphNode) -> dict[str, Any]:
    edges = [edge or (None, 0) for edge in node.next_functions]  # as PyTorch says that there is none
    saved = [{"name": one.name, "shape": list(one.shape), "dtype": one.dtype} for one in node.saved]
    leaf = node.leaf
    return {
        "id": node.id,
        "name": node.name,
        "next_functions": [{"node": following, "output_nr": number} for following, number in edges],
        "saved": saved,
        "freed": node.freed,
        "leaf": None if leaf is None else {"name": leaf.name, "shape": list(leaf.shape), "dtype": leaf.dtype},
    }


def as_dot(graph: Graph) -> str:
    """Return the graph in the DOT language; arrows point the way cotangents go."""
    lines = ["digraph backward {", '  node [shape=box, fontname="sans-serif"];']
    for node in graph.nodes:
        style = ', style=filled, fillcolor="#d8ecd8"' if node.leaf else ""
        lines.append(f'  {node.id} [label="{_dot_text(_label(node))}"{style}];')
    for number, (name, root, _) in enumerate(graph.roots):
        lines.append(f'  r{number} [label="{_dot_text([name])}", shape=ellipse];')
        lines += [f"  r{number} -> {root};"] if root else []
    lines += [f"  {source} -> {target};" for source, target in _arrows(graph)]
    return "\n".join([*lines, "}"]) + "\n"


def _arrows(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes:
        for edge in node.next_functions:
            if edge is not None:
                yield node.id, edge[0]


def _label(node: GraphNode) -> list[str]:
    lines = [node.name.rpartition("::")[2]]
    if node.leaf is not None:
        lines.append(f"{node.leaf.name or 'unnamed'}: {node.leaf.dtype}{list(node.leaf.shape)}")
    return lines + [f"saved {one.name}: {one.dtype}{list(one.shape)}" for one in node.saved]


def _dot_text(lines: list[str]) -> str:
    return "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)


def as_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    lines += [f'  {node.id}["{_mermaid_text(_label(node))}"]' for node in graph.nodes]
    for number, (name, root, _) in enumerate(graph.roots):
        lines.append(f'  r{number}(["{_mermaid_text([name])}"])')
        lines += [f"  r{number} --> {root}"] if root else []
    return "\n".join([*lines, *(f"  {source} --> {target}" for source, target in _arrows(graph))]) + "\n"


def _mermaid_text(lines: list[str]) -> str:
    return "<br/>".join(line.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") for line in lines)


def as_svg(graph: Graph, program: str, seconds: float) -> bytes:
    """Return the graph drawn by graphviz. Raises ``Unavailable`` where that is not installed."""
    try:
        done = subprocess.run([program, "-Tsvg"], input=as_dot(graph).encode(), capture_output=True, timeout=seconds)
    except FileNotFoundError:
        raise Unavailable("SVG is drawn by the graphviz program 'dot', which is not installed here") from None
    except subprocess.TimeoutExpired:
        raise OverLimit("svg_seconds", allowed=seconds, asked=seconds) from None
    if done.returncode:
        raise Unavailable("the graphviz program 'dot' failed")
    return done.stdout
