"""A session's namespace and the tape it reaches, as plain data and back.

    memories    the bytes that storages share, with their length
    storages    memory, dtype, shape and byte strides of the dense buffer, version
    tensors     storage, dtype, shape, byte strides and offset, flags, grad, base, node
    nodes       op, static arguments, saved tensors, edges, specs; in the order of their making
    containers  lists and dicts, which several names may share
    names       what each name stands for

Everything refers by number, so what is shared stays shared. No pickle: ``load`` makes only what is listed here.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np

from engine import Tensor, dtypes, registry, tape, tensors
from engine import storage as engine_storage

Storage = engine_storage.Storage
Edge = tape.Edge
Node = tape.Node
Saved = tape.Saved
Geometry = tensors.Geometry
Parameter = tensors.Parameter
Size = tensors.Size
TensorSpec = tensors.TensorSpec

NODE_BYTES: Final = 1_000  # what a node and a tensor take beside their arrays, roughly: they count too
TENSOR_BYTES: Final = 500
Record = dict[str, Any]
Namespace = dict[str, Any]


class NotStorable(Exception):
    """A value that has no form as plain data; ``kind`` is the name of its type."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a value of the type {kind} cannot be stored")
        self.kind = kind


# -- what is reached ------------------------------------------------------------------------------------------------
class Reach:
    """Everything that values keep alive, each object once. Iterative: a tape may be a chain of any length."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.nodes: dict[int, Node] = {}
        self.containers: dict[int, list[Any] | dict[Any, Any]] = {}
        self.storages: dict[int, Storage] = {}
        pending = list(values)
        while pending:
            pending.extend(self._children(pending.pop()))

    def _children(self, value: Any) -> Iterable[Any]:
        match value:
            case Tensor():
                return self._once(self.tensors, value, _tensor_parts)
            case Node():
                return self._once(self.nodes, value, _node_parts)
            case Storage():
                return self._once(self.storages, value, lambda storage: (storage.root,))
            case list() | dict():
                return self._once(self.containers, value, _items)
            case Saved():
                return (value.storage, value.edge)
            case tuple():
                return value
            case _:
                return _attributes(value)

    @staticmethod
    def _once(known: dict[int, Any], value: Any, parts: Callable[[Any], Iterable[Any]]) -> Iterable[Any]:
        if id(value) in known:
            return ()
        known[id(value)] = value
        return parts(value)


def _tensor_parts(tensor: Tensor) -> Iterator[Any]:
    yield from (tensor.storage, tensor.node, tensor.grad, tensor.base)


def _node_parts(node: Node) -> Iterator[Any]:
    yield from node.edges
    yield from node.static.values()
    yield from (node.saved or {}).values()
    if isinstance(node, tape.Accumulate):
        yield node.variable


def _items(container: list[Any] | dict[Any, Any]) -> Iterable[Any]:
    return container if isinstance(container, list) else [part for item in container.items() for part in item]


def _attributes(value: Any) -> Iterable[Any]:
    """The parts of other objects of the engine (optimisers): they keep tensors alive too."""
    return vars(value).values() if type(value).__module__.startswith("engine.") and hasattr(value, "__dict__") else ()


def nbytes(namespace: Namespace) -> int:
    """About how many bytes these names keep alive."""
    reach = Reach(namespace.values())
    memories = {id(storage.root): storage.root.array.nbytes for storage in reach.storages.values()}
    return sum(memories.values()) + NODE_BYTES * len(reach.nodes) + TENSOR_BYTES * len(reach.tensors)


# -- to plain data --------------------------------------------------------------------------------------------------
def dump(namespace: Namespace) -> Record:
    """``namespace`` as plain data: what JSON has, and bytes. Raises ``NotStorable``."""
    return _Dump(namespace).record


class _Dump:
    def __init__(self, namespace: Namespace) -> None:
        reach = Reach(namespace.values())
        self.tensors, self.storages = list(reach.tensors.values()), list(reach.storages.values())
        self.nodes = sorted(reach.nodes.values(), key=lambda node: node.sequence)
        self.containers = list(reach.containers.values())
        roots = {id(storage.root): storage.root for storage in self.storages}
        self.number = {
            id(one): number
            for group in (self.tensors, self.storages, self.nodes, self.containers)
            for number, one in enumerate(group)
        }
        self.memory = {key: number for number, key in enumerate(roots)}
        self.record: Record = {
            "memories": [root.flat.view(np.uint8).tobytes() for root in roots.values()],
            "storages": [self._storage(storage) for storage in self.storages],
            "tensors": [self._tensor(tensor) for tensor in self.tensors],
            "nodes": [self._node(node) for node in self.nodes],
            "containers": [self._container(container) for container in self.containers],
            "names": {name: self.value(value) for name, value in namespace.items()},
        }

    def _storage(self, storage: Storage) -> Record:
        return {
            "memory": self.memory[id(storage.root)],
            "root": self.number[id(storage.root)],
            "version": storage.version,
            **_layout(storage.array, storage),
        }

    def _tensor(self, tensor: Tensor) -> Record:
        accumulator = tensor.accumulator()
        return {
            "storage": self.number[id(tensor.storage)],
            **_layout(tensor.array, tensor.storage),
            "whole": tensor.array is tensor.storage.array,
            "requires_grad": tensor._requires_grad,
            "node": self._number(tensor.node),
            "output_nr": tensor.output_nr,
            "accumulator": self._number(accumulator),
            "grad": self._number(tensor.grad),
            "base": self._number(tensor.base),
            "seen_version": tensor.seen_version,
            "retains_grad": tensor.retains_grad,
            "inference": tensor.inference,
            "weak": tensor.weak,
            "view_note": tensor.view_note,
            "parameter": isinstance(tensor, Parameter),
        }

    def _number(self, one: Any) -> int | None:
        return None if one is None else self.number.get(id(one))

    def _node(self, node: Node) -> Record:
        if isinstance(node, tape.Accumulate):
            return {"variable": self.number[id(node.variable)]}
        retained = {number: self._number(reference()) for number, reference in node.retained.items()}
        return {
            "op": node.op.name,
            "static": {name: self.value(value) for name, value in node.static.items()},
            "saved": None if node.saved is None else {name: self._saved(kept) for name, kept in node.saved.items()},
            "edges": [self._edge(edge) for edge in node.edges],
            "outputs": [[list(shape), dtypes.from_numpy(dtype).name] for shape, dtype in node.specs],
            "counts": list(node.counts),
            "written": node.written,
            "retained": [[number, tensor] for number, tensor in retained.items() if tensor is not None],
        }

    def _edge(self, edge: Edge | None) -> list[int] | None:
        return None if edge is None else [self.number[id(edge[0])], edge[1]]

    def _saved(self, kept: Any) -> Any:
        if isinstance(kept, list):
            return [self._saved(one) for one in kept]
        if kept is None:
            return None
        return {
            "storage": self.number[id(kept.storage)],
            **_layout(kept.array, kept.storage),
            "whole": kept.array is kept.storage.array,
            "version": kept.version,
            "edge": self._edge(kept.edge),
            "origin": self._number(kept.origin()),
            "output_nr": kept.output_nr,
            "weak": kept.weak,
        }

    def _container(self, container: list[Any] | dict[Any, Any]) -> Record:
        if isinstance(container, list):
            return {"list": [self.value(item) for item in container]}
        return {"dict": [[self.value(key), self.value(item)] for key, item in container.items()]}

    def value(self, value: Any) -> Any:
        """A value: itself where JSON has it, else an object with one key that says what it is."""
        if value is None or type(value) in (bool, str, float):
            return value
        if isinstance(value, Tensor):
            return {"tensor": self.number[id(value)]}
        if isinstance(value, Node):
            return {"node": self.number[id(value)]}
        if isinstance(value, list | dict):
            return {"container": self.number[id(value)]}
        if isinstance(value, np.ndarray):
            return {"array": _array(value)}
        if type(value) in _TUPLES:
            return {_TUPLES[type(value)]: [self.value(part) for part in value]}
        return _scalar(value)


_TUPLES: Final[dict[type, str]] = {tuple: "tuple", Size: "size", Geometry: "geometry", TensorSpec: "spec"}
_MADE: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "tuple": tuple,
    "size": Size,
    "geometry": lambda parts: Geometry(*parts),
    "spec": lambda parts: TensorSpec(*parts),
    "complex": lambda parts: complex(*parts),
    "slice": lambda parts: slice(*parts),
    "range": lambda parts: range(*parts),
}


def _scalar(value: Any) -> Any:
    """What is neither a container nor of the graph."""
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else {"integer": hex(value)}
    if isinstance(value, dtypes.DType):
        return {"dtype": value.name}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, slice | range):
        return {type(value).__name__: [value.start, value.stop, value.step]}
    if value is ...:
        return {"ellipsis": True}
    raise NotStorable(type(value).__name__)


def _layout(array: np.ndarray[Any, Any], storage: Storage) -> Record:
    """Where an array lies in its storage's memory, in bytes."""
    offset = array.__array_interface__["data"][0] - storage.address if array.size else 0
    return {
        "dtype": dtypes.of(array).name, "shape": list(array.shape), "strides": list(array.strides), "offset": offset,
    }  # fmt: skip


def _array(array: np.ndarray[Any, Any]) -> Record:
    return {"dtype": dtypes.of(array).name, "shape": list(array.shape), "data": array.tobytes()}


# -- and back -------------------------------------------------------------------------------------------------------
def load(record: Record) -> Namespace:
    """The namespace that ``dump`` made ``record`` of."""
    return _Load(record).names


class _Load:
    """Objects are made empty in the first pass and filled in the second, for they refer to each other."""

    def __init__(self, record: Record) -> None:
        self.memories = [np.frombuffer(bytearray(raw), np.uint8) for raw in record["memories"]]
        self.storages = self._storages(record["storages"])
        self.memory_of = [self.memories[one["memory"]] for one in record["storages"]]
        self.tensors = [self._tensor(one) for one in record["tensors"]]
        self.nodes = [self._node(one) for one in record["nodes"]]
        self.containers: list[Any] = [[] if "list" in one else {} for one in record["containers"]]
        for node, one in zip(self.nodes, record["nodes"], strict=True):
            self._fill_node(node, one)
        for tensor, one in zip(self.tensors, record["tensors"], strict=True):
            self._fill_tensor(tensor, one)
        for container, one in zip(self.containers, record["containers"], strict=True):
            self._fill_container(container, one)
        self.names = {name: self.value(value) for name, value in record["names"].items()}

    def _storages(self, listed: list[Record]) -> list[Any]:
        """Those that own their memory first: an alias is made with its owner."""
        made: dict[int, Any] = {}
        for number, one in sorted(enumerate(listed), key=lambda pair: pair[0] != pair[1]["root"]):
            owner = None if one["root"] == number else made[one["root"]]
            made[number] = Storage(self._view(one, self.memories[one["memory"]]), owner)
            made[number].version = one["version"]
        return [made[number] for number in range(len(listed))]

    def _view(self, one: Record, memory: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        kind = dtypes.by_name(one["dtype"]).numpy
        if not memory.size:
            return np.empty(one["shape"], kind)
        return np.ndarray(one["shape"], kind, memory, one["offset"], one["strides"])

    def _in_storage(self, one: Record) -> tuple[np.ndarray[Any, Any], Storage]:
        storage = self.storages[one["storage"]]
        return storage.array if one["whole"] else self._view(one, self.memory_of[one["storage"]]), storage

    def _tensor(self, one: Record) -> Tensor:
        tensor = Tensor(*self._in_storage(one))
        return Parameter(tensor, one["requires_grad"]) if one["parameter"] else tensor

    def _fill_tensor(self, tensor: Tensor, one: Record) -> None:
        tensor._requires_grad = one["requires_grad"]
        tensor.node, tensor.output_nr = self._at(self.nodes, one["node"]), one["output_nr"]
        tensor.grad, tensor.base = self._at(self.tensors, one["grad"]), self._at(self.tensors, one["base"])
        for name in ("seen_version", "retains_grad", "inference", "weak", "view_note"):
            setattr(tensor, name, one[name])
        if one["accumulator"] is not None:
            tensor.keep_accumulator(self.nodes[one["accumulator"]])

    @staticmethod
    def _at(table: list[Any], number: int | None) -> Any:
        return None if number is None else table[number]

    def _node(self, one: Record) -> Node:
        if "variable" in one:
            return tape.Accumulate(self.tensors[one["variable"]])
        return Node(registry.op(one["op"]), {}, ())

    def _fill_node(self, node: Node, one: Record) -> None:
        if "variable" in one:
            return
        node.static = {name: self.value(value) for name, value in one["static"].items()}
        node.edges = tuple(self._edge(edge) for edge in one["edges"])
        node.specs = tuple((tuple(shape), dtypes.by_name(name).numpy) for shape, name in one["outputs"])
        node.counts, node.written = tuple(one["counts"]), one["written"]
        saved = one["saved"]
        node.saved = None if saved is None else {name: self._saved(kept) for name, kept in saved.items()}
        node.retained = {number: weakref.ref(self.tensors[tensor]) for number, tensor in one["retained"]}

    def _edge(self, edge: list[int] | None) -> Edge | None:
        return None if edge is None else (self.nodes[edge[0]], edge[1])

    def _saved(self, kept: Any) -> Any:
        if isinstance(kept, list):
            return [self._saved(one) for one in kept]
        if kept is None:
            return None
        tensor = Tensor(*self._in_storage(kept))
        tensor.weak = kept["weak"]
        saved = Saved(tensor, self._edge(kept["edge"]), kept["output_nr"])
        saved.version = kept["version"]
        if kept["origin"] is not None:
            saved.origin = weakref.ref(self.tensors[kept["origin"]])
        return saved

    def _fill_container(self, container: Any, one: Record) -> None:
        if "list" in one:
            container.extend(self.value(item) for item in one["list"])
        else:
            container.update((self.value(key), self.value(item)) for key, item in one["dict"])

    def value(self, value: Any) -> Any:
        """The value that ``_Dump.value`` wrote."""
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind in _MADE:
            return _MADE[kind]([self.value(part) for part in content])
        tables: dict[str, list[Any]] = {"tensor": self.tensors, "node": self.nodes, "container": self.containers}
        return tables[kind][content] if kind in tables else _read_scalar(kind, content)


def _read_scalar(kind: str, content: Any) -> Any:
    if kind == "integer":
        return int(content, 16)
    if kind == "dtype":
        return dtypes.by_name(content)
    if kind == "array":
        shape, dtype = content["shape"], dtypes.by_name(content["dtype"]).numpy
        return np.frombuffer(bytearray(content["data"]), dtype).reshape(shape)
    return ...
