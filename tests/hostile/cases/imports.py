"""Documents of sessions that no export wrote. Frozen as schema 2 has them: any later version has to read it, too."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tests.hostile.case import (
    CREATED,
    INVALID,
    MALFORMED,
    MSGPACK,
    OK,
    OVER,
    REFUSED,
    STOPPED,
    Body,
    Family,
    Outcomes,
    Request,
    Step,
    Weight,
    evaluate,
    get,
    problem,
    run,
)

FAMILY: Final = Family("imports", kills=True)
pack = msgspec.msgpack.encode
WRONG: Final = INVALID | MALFORMED | OVER
ONCE_OPEN: Final = OK | WRONG | REFUSED | STOPPED  # what may come of a program over a session that was made up
SETTINGS: Final[list[Any]] = [True, False, "float32", [4, 1000, 3, 80, None], 1, False]
GENERATOR: Final[list[Any]] = [1, "generator", [7, b"", 624, None]]
HUGE: Final = 2**62


def nested(levels: int) -> Any:
    """Tuples in tuples."""
    value: Any = 1
    for _ in range(levels):
        value = {"tuple": [value]}
    return value


def record(**parts: Any) -> dict[str, Any]:
    """A whole record with these parts; the rest is that of an empty session."""
    return {
        "schema": 2,
        "whole": True,
        "storages": [],
        "tensors": [],
        "nodes": [],
        "shared": [GENERATOR],
        "dropped": [],
        "names": {},
        "settings": SETTINGS,
        **parts,
    }


def document(parts: dict[str, Any] | None = None, **outer: Any) -> bytes:
    """The document of a session."""
    inner = pack(list((parts or record()).values()))
    return pack({"ttl_seconds": 60.0, "record": inner, **outer})


def importing(body: Body, query: str = "") -> Request:
    """An import."""
    return Request(path="/v1/sessions/import" + query, body=body, headers=MSGPACK)


def refused(name: str, body: Body, accepted: Outcomes = WRONG, **options: Any) -> None:
    """Declare a document that may not be opened."""
    FAMILY.send(name, importing(body), accepted, **options)


def used(name: str, body: Body, code: str, **options: Any) -> None:
    """Declare a document that may be opened or not, and a program that then runs over it; it is never a 500."""
    FAMILY.steps(
        name,
        Step(importing(body), CREATED | WRONG),
        Step(run(code), ONCE_OPEN | problem(404) | problem(405) | problem(410), session_from=0),
        **options,
    )


def storage(
    number: int = 3,
    root: int = 3,
    version: int = 0,
    dtype: str = "float32",
    shape: Any = (3,),
    strides: Any = (4,),
    data: Any = b"\0" * 12,
) -> list[Any]:
    """A buffer."""
    return [number, root, version, dtype, list(shape), list(strides), data]


def tensor(
    number: int = 4,
    of: int = 3,
    layout: Any = None,
    requires_grad: bool = False,
    node: Any = None,
    grad: Any = None,
    base: Any = None,
    **more: Any,
) -> list[Any]:
    """A tensor over a buffer."""
    return [
        number,
        of,
        layout,
        requires_grad,
        node,
        0,
        grad,
        base,
        0,
        False,
        False,
        False,
        0,
        more.get("parameter", False),
        more.get("accumulator"),
        more.get("steps"),
        more.get("bits", 0),
    ]


def with_tensor(*tensors: list[Any], storages: Any = None, nodes: Any = (), names: Any = None) -> bytes:
    """A session that holds tensors over one buffer."""
    return document(
        record(
            storages=storages or [storage()],
            tensors=list(tensors),
            nodes=list(nodes),
            names=names or {"x": {"tensor": 4}},
        )
    )


OPENED: Final = Step(importing(with_tensor(tensor())), CREATED)
FAMILY.steps("a document that is sound", OPENED, Step(run("y = x + 1\nprint(y, torch.rand(2))"), OK, session_from=0))

# -- what is no document --------------------------------------------------------------------------------------------
for name, body in {
    "nothing": b"",
    "rubbish": b"rubbish",
    "a number": b"\x01",
    "an empty map": b"\x80",
    "JSON": b'{"ttl_seconds": 1, "record": ""}',
    "no record": pack({"ttl_seconds": 1.0}),
    "a record that is a text": pack({"ttl_seconds": 1.0, "record": "abc"}),
    "an empty record": pack({"ttl_seconds": 1.0, "record": b""}),
    "a record of rubbish": pack({"ttl_seconds": 1.0, "record": b"\xff" * 100}),
    "a later schema": document(record(schema=10**6)),
    "schema 0": document(record(schema=0)),
    "a negative schema": document(record(schema=-1)),
    "duplicate fields": b"\x83"
    + pack("ttl_seconds")
    + b"\x01"
    + pack("record")
    + b"\xc4\x00"
    + pack("record")
    + b"\xc4\x00",
    "a list that lies": b"\x82" + pack("ttl_seconds") + b"\x01" + pack("record") + b"\xc4\x05\xdd\xff\xff\xff\xff",
    "100,000 lists in lists": pack({"ttl_seconds": 1.0, "record": b"\x91" * 100_000}),
}.items():
    refused(f"import: {name}", body)
for name, seconds in {
    "NaN": float("nan"),
    "infinite": float("inf"),
    "negative": -1.0,
    "1e308": 1e308,
    "none": 0.0,
}.items():
    refused(
        f"import: a life that is {name}",
        document(ttl_seconds=seconds),
        WRONG | CREATED if name in ("1e308", "none", "negative") else WRONG,
    )
for name, query in {"NaN": "nan", "infinite": "inf", "negative": "-1", "a text": "abc", "1e400": "1e400"}.items():
    FAMILY.send(f"import: a life asked for that is {name}", importing(document(), f"?ttl_seconds={query}"), INVALID)

# -- sizes that are not there ---------------------------------------------------------------------------------------
for name, one in {
    "a buffer of 2**62 without data": storage(shape=[HUGE], data=None),
    "a buffer larger than its data": storage(shape=[1000]),
    "a negative size": storage(shape=[-3]),
    "strides that leave it": storage(strides=[4000]),
    "negative strides": storage(strides=[-4]),
    "strides that overflow": storage(strides=[HUGE]),
    "an unknown dtype": storage(dtype="object"),
    "a dtype of pointers": storage(dtype="O"),
    "a root that is not there": storage(root=99),
    "a root in a circle": storage(number=3, root=4),
    "a negative version": storage(version=-1),
    "a version of 2**63": storage(version=2**63),
    "65 dimensions": storage(shape=[1] * 65, strides=[4] * 65, data=b"\0" * 4),
    "other strides than sizes": storage(strides=[4, 4]),
    "a size of zero and one of 2**62": storage(shape=[0, HUGE], strides=[4, 4], data=b""),
    "a number that is negative": storage(number=-1),
    "a number of 2**63": storage(number=2**63),
}.items():
    used(f"buffer: {name}", with_tensor(tensor(), storages=[one]), "print(x)\ny = x + 1")
used("buffers with one number", with_tensor(tensor(), storages=[storage(), storage()]), "y = x + 1")
used(
    "10,000 buffers that say 100 MB each",
    with_tensor(
        tensor(), storages=[storage(number=n, root=n, shape=[25_000_000], data=None) for n in range(3, 10_003)]
    ),
    "y = x + 1",
    weight=Weight.HEAVY,
)
for name, layout in {
    "of 2**62 elements": ["float32", [HUGE], [0], 0],
    "of a billion elements that are one": ["float32", [10**9], [0], 0],
    "behind its end": ["float32", [3], [4], 4000],
    "before its beginning": ["float32", [3], [4], -4000],
    "whose strides leave it": ["float32", [3], [4000], 0],
    "with negative strides": ["float32", [3], [-4], 8],
    "of another dtype": ["complex128", [1], [16], 0],
    "of an unknown dtype": ["O", [1], [8], 0],
    "that is not aligned": ["float32", [2], [4], 1],
    "of 65 dimensions": ["float32", [1] * 65, [0] * 65, 0],
}.items():
    used(f"layout: {name}", with_tensor(tensor(layout=layout)), "y = x + 1\nz = x.sum()\nx.mul_(2)")

# -- values ---------------------------------------------------------------------------------------------------------
for name, code in {
    "max": "y = max(r)",
    "min": "y = min(r)",
    "sum": "y = sum(r)",
    "list": "y = list(r)",
    "a missing value": "y = 0.5 in r",
    "len": "y = len(r)",
    "index": "y = r[5]",
    "a tensor of it": "y = torch.tensor(r)",
    "zeros of it": "y = torch.zeros(r)",
    "print": "print(r)",
    "repetition": "y = [r] * 9\nprint(y)",
    "comparison": "y = r == range(3)",
}.items():
    title = "max of an imported range(10**18)" if name == "max" else f"{name} with an imported range(10**18)"
    used(
        title,
        document(record(names={"r": {"range": [0, 10**18, 1]}})),
        code,
        weight=Weight.HEAVY if name in ("max", "min", "sum", "list", "a missing value") else Weight.SLOW,
    )
for name, value in {
    "a range of nothing": {"range": [0, 1, 0]},
    "a range of texts": {"range": ["a"]},
    "an unknown kind": {"eval": ["1"]},
    "two kinds": {"tensor": 4, "dtype": ["float32"]},
    "a tensor that is not there": {"tensor": 99},
    "a shared value that is not there": {"shared": 99},
    "a node that is not there": {"node": 99},
    "an array of 2**40": {"array": ["float32", [2**40], b""]},
    "an array of pointers": {"array": ["O", [1], b"\0" * 8]},
    "a routine that nobody may call": {"routine": [None, "eval"]},
    "a routine of a tensor that nobody may call": {"routine": [{"tensor": 4}, "__reduce_ex__"]},
    "a module that nobody has": {"module": ["os"]},
    "a dtype that nobody has": {"dtype": ["object"]},
    "a device that nobody has": {"device": ["cuda:99"]},
    "a named tuple of dunders": {"named": ["__class__", ["__init__"], [1]]},
    "a size of 2**62": {"size": [HUGE, HUGE]},
    "a slice of texts": {"slice": ["a", "b", "c"]},
    "a complex of texts": {"complex": ["a", "b"]},
    "an integer of a megabyte": {"integer": ["0x" + "9" * 1_000_000]},
    "tuples in tuples": nested(250),
    "bytes": b"abc",
    "a timestamp": msgspec.msgpack.Ext(-1, b"\0\0\0\0"),
    "an object with a NUL": {"\0": 1},
    "a named tuple that nobody has": {"named": ["os", [], []]},
}.items():
    used(f"value: {name}", with_tensor(tensor(), names={"x": {"tensor": 4}, "v": value}), "print(v)\ny = v\nz = [v, v]")
for name, text in {
    "SQL": "x'; DROP TABLE sessions; --",
    "a dunder": "__builtins__",
    "torch": "torch",
    "nothing": "",
    "a NUL": "x\0",
    "a dot": "x.y",
    "100,000 letters": "a" * 100_000,
}.items():
    refused(
        f"import: a name that is {name}",
        document(record(names={text: 1})),
        WRONG | (CREATED if name in ("torch", "a dunder") else frozenset()),
    )
refused("import: 20,000 names", document(record(names={f"a{i}": 1 for i in range(20_000)})), OVER)
refused(
    "import: 300,000 shared lists",
    lambda: document(record(shared=[GENERATOR, *[[n, "list", []] for n in range(3, 300_003)]])),
    WRONG | CREATED,
    weight=Weight.SLOW,
)
for name, shared in {
    "a list of itself": [[5, "list", [{"shared": 5}]]],
    "an unknown kind": [[5, "os", []]],
    "a dictionary of halves": [[5, "dict", [1]]],
    "a dictionary with lists as keys": [[5, "dict", [{"shared": 6}, 1]], [6, "list", []]],
    "an optimiser of nothing": [[5, "optim.SGD", ["optim.SGD"]]],
    "an optimiser that nobody has": [[5, "optim.os", ["optim.os"]]],
    "an optimiser with dunders": [[5, "optim.SGD", ["optim.SGD", "__class__", 1]]],
    "an optimiser whose methods are hidden": [
        [5, "optim.SGD", ["optim.SGD", "step", 1, "param_groups", {"range": [0, 10**18, 1]}]]
    ],
    "a generator of a bad state": [[5, "generator", [b"", -1, "x", 2]]],
    "a lambda that is none": [[5, "lambda", [1]]],
    "a lambda of a bad text": [[5, "lambda", ["__import__('os')"]]],
    "a lambda of a long text": [[5, "lambda", ["lambda: " * 5000 + "1"]]],
    "a lambda that captures torch": [[5, "lambda", ["lambda: torch", "torch", 1]]],
    "60 lists, each twice in the next": [
        [5, "list", [1]],
        *[[n, "list", [{"shared": n - 1}, {"shared": n - 1}]] for n in range(6, 66)],
    ],
}.items():
    used(
        f"shared: {name}",
        document(record(shared=[GENERATOR, *shared], names={"v": {"shared": shared[-1][0]}})),
        "print(v)\ny = str(v)",
    )

# -- graphs ---------------------------------------------------------------------------------------------------------
SAVED: Final[list[Any]] = [3, None, 0, None, None, False, None, 0]


def node(
    number: int = 6,
    op: str = "mul",
    edges: Any = ([16, 0], None),
    saved: Any = None,
    static: Any = None,
    specs: Any = ([[3], "float32"],),
    **more: Any,
) -> list[Any]:
    """A node of the tape."""
    kept = {"other": [5, None, 0, None, None, False, None, 0]} if saved is None else saved
    return [number, None, op, static or {}, kept, {}, list(edges), list(specs), more.get("counts", [1, 1]), False, []]


LEAF: Final = tensor(number=2, of=5, requires_grad=True, accumulator=16)
ACCUMULATOR: Final[list[Any]] = [16, 2, "", {}, None, {}, [], [[[3], "float32"]], [], False, []]


def with_graph(*nodes: list[Any], of: list[Any] | None = None) -> bytes:
    """A session with ``x`` made of the leaf ``w`` by a node."""
    return document(
        record(
            storages=[storage(), storage(number=5, root=5)],
            tensors=[of or tensor(node=6), LEAF],
            nodes=[ACCUMULATOR, *nodes],
            names={"x": {"tensor": 4}, "w": {"tensor": 2}},
        )
    )


FAMILY.steps(
    "a document with a graph that is sound",
    Step(importing(with_graph(node())), CREATED),
    Step(run("x.sum().backward()\nprint(w.grad, x.grad_fn)"), OK, session_from=0),
)


for name, one in {
    "an op that nobody has": node(op="os.system"),
    "an op without a gradient": node(op="argmax", edges=[[16, 0]]),
    "an edge to itself": node(edges=[[6, 0], None]),
    "an edge to nobody": node(edges=[[99, 0], None]),
    "an edge to a negative place": node(edges=[[16, -1], None]),
    "10,000 edges": node(edges=[None] * 10_000),
    "no edges": node(edges=[]),
    "saved things of another name": node(saved={"nobody": SAVED}),
    "nothing saved": node(saved={}),
    "a saved buffer that is not there": node(saved={"input": [99, *SAVED[1:]], "other": None}),
    "arguments of another kind": node(op="sum_dim", edges=[[16, 0]], static={"dim": "a"}),
    "a dim of 2**62": node(op="sum_dim", edges=[[16, 0]], static={"dim": HUGE, "keepdim": False}),
    "arguments that nobody has": node(static={"exec": 1}),
    "a shape of 2**62": node(specs=[[[HUGE], "float32"]]),
    "an expansion to 2**40": node(op="expand", edges=[[16, 0]], static={"size": [2**40]}),
    "strides out of nowhere": node(
        op="as_strided", edges=[[16, 0]], static={"size": [2**40], "stride": [1], "storage_offset": HUGE}
    ),
    "an index that is a text": node(op="index", static={"indices": "x"}),
    "negative counts": node(counts=[-1]),
    "no shapes": node(specs=[]),
    "a dtype that nobody has": node(specs=[[[3], "O"]]),
}.items():
    used(
        f"node: {name}",
        with_graph(one),
        "print(x.grad_fn)\ny = x * 2\nx.sum().backward(retain_graph=True)\nx.sum().backward()",
    )
for name, one in {
    "its own base": tensor(base=4),
    "its own gradient": tensor(grad=4),
    "a base that is not there": tensor(base=99),
    "a gradient of another shape": tensor(grad=5),
    "unknown bits": tensor(bits=2**40),
    "a node that is not there": tensor(node=99),
    "a place that is not there": [*tensor(node=6)[:5], 7, *tensor()[6:]],
    "steps of another op": tensor(steps=[["os", {}]], base=5),
    "an accumulator that is none": tensor(accumulator=6),
}.items():
    used(
        f"tensor: {name}",
        with_tensor(one, tensor(number=5, layout=["float32", [1], [4], 0]), nodes=[ACCUMULATOR, node()]),
        "print(x, x.grad)\nx.detach().mul_(2)\nx.sum().backward()",
    )
for name, settings in {
    "a dtype that nobody has": [True, False, "object", *SETTINGS[3:]],
    "digits without end": [*SETTINGS[:3], [10**9, 10**9, 10**9, 10**9, None], 1, False],
    "options of texts": [*SETTINGS[:3], ["a"] * 5, 1, False],
    "negative options": [*SETTINGS[:3], [-1, -1, -1, -1, None], 1, False],
    "a generator that is not there": [*SETTINGS[:4], 99],
    "too few": [True],
    "infinite options": [*SETTINGS[:3], [4, float("inf"), 3, 80, None], 1, False],
}.items():
    parts = record(storages=[storage()], tensors=[tensor()], names={"x": {"tensor": 4}}, settings=settings)
    weight = Weight.HEAVY if "without end" in name else Weight.LIGHT
    used(f"settings: {name}", document(parts), "print(x, torch.rand(3))\nprint(torch.ones(3000) / 3)", weight=weight)
FAMILY.steps(
    "a session that was made up, exported and drawn",
    Step(importing(with_graph(node())), CREATED | WRONG),
    Step(get("/v1/sessions/{sid}/graph?tensor=x"), ONCE_OPEN | problem(404) | problem(405), session_from=0),
    Step(get("/v1/sessions/{sid}/export"), ONCE_OPEN | problem(404) | problem(405), session_from=0),
    Step(evaluate("x = 1"), OK),
)
