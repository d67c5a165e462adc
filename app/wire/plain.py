"""Requests as most clients write them, read at once: JSON, with nodes that hold names and numbers.

The body is decoded into structs, so that neither its shell nor its nodes are looked at twice. Whatever is not plain
here is read the usual way, so that one reader finds every mistake and has the words for it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from app.limits import Limits
from app.wire import codec, numbers, repetition
from app.wire.envelope import MISTAKES, PLAIN_DEPTH, plain_leaf
from app.wire.messages import WireEncoding
from engine import errors, tensors

Extra = Literal["graph", "nan", "timings"]
Given = TypeVar("Given")


class Node(msgspec.Struct, forbid_unknown_fields=True):
    """A call, as ``app.program.from_nodes`` reads it. What is not given is false."""

    op: str
    id: str | UnsetType | None = UNSET
    args: list[Any] | UnsetType = UNSET
    kwargs: dict[str, Any] | UnsetType = UNSET


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    tensor: str
    gradient: Raw | UnsetType = UNSET


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of ``app.wire.messages.RunRequest`` that a program of nodes has, told apart by whether they came."""

    nodes: list[Node]
    inputs: dict[str, Raw] | UnsetType = UNSET
    outputs: list[str] | UnsetType | None = UNSET
    backward: list[_Root] | UnsetType = UNSET
    retain_graph: bool | UnsetType = UNSET
    create_graph: bool | UnsetType = UNSET
    grads: list[str] | UnsetType | None = UNSET
    include: list[Extra] | UnsetType = UNSET
    encoding: WireEncoding | UnsetType = UNSET


class Root(msgspec.Struct):
    """Where a sweep starts."""

    tensor: str
    gradient: Any = None


class Request(msgspec.Struct):
    """The same, as ``app.evaluate`` asks for them. Inputs and cotangents that are plain are tensors already."""

    nodes: list[Node]
    inputs: dict[str, Any]
    outputs: list[str] | None
    backward: list[Root]
    retain_graph: bool | None
    create_graph: bool
    grads: list[str] | None
    include: list[Extra]
    encoding: WireEncoding | None
    code: ClassVar[None] = None
    batch: ClassVar[None] = None
    runs: ClassVar[None] = None


_DECODER: Final = msgspec.json.Decoder(_Body)


def read(body: codec.Body, limits: Limits) -> Request | None:
    """Return a request, or ``None`` where it has to be read the usual way."""
    if limits.json_depth < PLAIN_DEPTH or codec.cut_out(body, codec.JSON, limits) is not None:
        return None
    try:
        codec.check_values(body, codec.JSON, limits)
        return _read(bytes(body), limits)
    except (*MISTAKES, numbers.Unusual, errors.EngineError):
        return None


def _read(text: bytes, limits: Limits) -> Request:
    body = _DECODER.decode(text)
    is_deep = codec.opens_more_than(limits.json_depth, text)  # then only what is known to be flat is read here
    given = (
        body.inputs, body.outputs, body.backward, body.retain_graph, body.create_graph, body.grads, body.include,
        body.encoding,
    )  # fmt: skip
    members = 1 + len(given) - given.count(UNSET) + sum([_members(node, is_deep) for node in body.nodes])
    inputs: dict[str, Any] = {}
    for name, raw in (body.inputs or {}).items():
        inputs[name], count = _tensor(raw, limits, is_deep)
        members += 1 + count
    roots: list[Root] = []
    for root in body.backward or ():
        gradient, count = (None, -1) if root.gradient is UNSET else _tensor(root.gradient, limits, is_deep)
        members += 2 + count
        roots.append(Root(root.tensor, gradient))
    if members != text.count(b":"):  # a member comes twice, or a text has colons
        raise numbers.Unusual
    return Request(
        body.nodes, inputs, _or_none(body.outputs), roots, _or_none(body.retain_graph), bool(body.create_graph),
        _or_none(body.grads), body.include or [], _or_none(body.encoding),
    )  # fmt: skip


def _or_none(value: Given | UnsetType) -> Given | None:
    return None if value is UNSET else value


def _tensor(raw: Raw, limits: Limits, is_deep: bool) -> tuple[Any, int]:
    """Return a tensor, or what is one on the wire, and how many members it has there."""
    leaf = plain_leaf(bytes(raw), limits)
    if leaf is not None:
        array, requires_grad, count = leaf
        return tensors.from_array(array, requires_grad), count
    if is_deep:
        raise numbers.Unusual
    value = msgspec.json.decode(raw)
    return value, repetition.count_members(value)


def _members(node: Node, is_deep: bool) -> int:
    """Return how many members a node has, with those of objects among its arguments."""
    args, kwargs = node.args or (), node.kwargs or {}
    count = 1 + (node.id is not UNSET) + (node.args is not UNSET) + (node.kwargs is not UNSET) + len(kwargs)
    for value in (*args, *kwargs.values()):
        if type(value) is list or type(value) is dict:
            if is_deep:
                raise numbers.Unusual
            count += repetition.count_members(value)
    return count
