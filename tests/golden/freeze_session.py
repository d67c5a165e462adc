"""Freezes a session as the present schema stores it: ``python -m tests.golden.freeze_session``.

Run it once for each new schema, and never again: what was stored by an older version has to be read for ever. The file
holds the records and blocks of one session, a program to go on with, and what that program prints. ``session_later``
is the same as a later version may write it, with fields that nobody knows yet. ``stored_fields.json`` has the fields of
records, ``stored_names.json`` the ops and parameters in them: what is added is added there, what is in them stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from app.sessions import schema
from app.stores.memory import MemoryStore
from engine import registry
from tests.app.session_cases import directory_over, opened, run_code

PROGRAMS = (
    """
torch.manual_seed(5)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
o = torch.optim.Adam([x], lr=0.1)
(x * x).sum().backward()
o.step()
s = torch.optim.lr_scheduler.StepLR(o, 2)
""",
    """
y = x * 2
v = y[0]
v.mul_(x[1])
y.retain_grad()
z = (y.exp() * torch.rand(2)).sum()
big = torch.arange(5000.0)
part = big[10:20].view(2, 5)
k = [x, {'a': y, 1: 2.5j}, lambda t: t * x, torch.sin, y.sum, (1, None, 'text', 2 ** 70), torch.int8, z.grad_fn]
m = torch.max(x.detach(), 1)
g = torch.Generator().manual_seed(3)
torch.set_printoptions(precision=3)
h = torch.ones(3, dtype=torch.bfloat16)
c = torch.tensor([1j, 2.0])
a = c.numpy()
n = torch.view_as_real(x * 1j)
i = n[0]
q = c * x[0]
r = q.conj()
p = (r.imag * r.imag).sum()
""",
    "big[4000] = -1.0\nw = x.detach()\nunused = torch.zeros(9)\n",
    "del unused\n(x ** 3).sum().backward(create_graph=True)\n",
)
AFTER = """
print(k[2](2.0), k[3](w), k[4](), k[5], k[6], k[7].name(), a, c)
z.backward()
print(x.grad, y.grad, big.sum(), part, m, h)
o.step()
s.step()
print(x, torch.rand(2), torch.randn(2, generator=g), s.last_epoch)
part.zero_()
print(big[8:22])
n._base.mul_(2)
q.mul_(2j)
print(r, r.imag, r.is_conj(), r.imag.is_neg(), p)
print(i.grad_fn.name(), i.grad_fn.next_functions[0][0].next_functions[0][0].name(), i)
"""


class Frozen(msgspec.Struct):
    """One stored session."""

    records: list[bytes]
    blocks: list[tuple[int, int, bytes]]
    program: str
    prints: list[str]


def freeze() -> Frozen:
    """The session of the programs above, as a store has it."""
    store = MemoryStore()
    directory = directory_over(store)
    sid = opened(directory)
    for program in PROGRAMS:
        run_code(directory, sid, program)
    loaded = store.load(sid)
    assert loaded is not None
    blocks = [(block.memory, block.number, bytes(block.data)) for block in loaded.blocks]
    return Frozen(list(loaded.records), blocks, AFTER, run_code(directory_over(store), sid, AFTER))


LATER = "what a later version adds"


def grown(raw: bytes) -> bytes:
    """A record as a later version may write it: every struct in it has one more field."""
    record = msgspec.msgpack.decode(raw)
    _, _, storages, tensors, nodes, shared, _, _, settings = record
    saved = [kept for node in nodes for kept in (node[4] or {}).values() if kept is not None]
    saved += [kept for node in nodes for listed in node[5].values() for kept in listed]
    layouts = [one[2] for one in tensors] + [one[1] for one in saved]
    for struct in (record, *storages, *tensors, *nodes, *shared, *saved, *layouts, settings):
        if struct is not None:
            struct.append(LATER)
    return msgspec.msgpack.encode(record)


STRUCTS = (
    schema.Record, schema.StorageRecord, schema.TensorRecord, schema.NodeRecord, schema.SavedRecord,
    schema.SharedRecord, schema.Settings, schema.Layout, schema.HooksRecord,
)  # fmt: skip


def fields() -> dict[str, list[str]]:
    """The fields of every struct in records, with their types, in order."""
    return {
        struct.__name__: [f"{one.name}: {one.type}" for one in msgspec.structs.fields(struct)] for struct in STRUCTS
    }


def names() -> dict[str, list[str]]:
    """What nodes may hold of every op: static arguments and saved tensors by these names."""
    nodes = {name: op for name, op in sorted(registry._ops.items()) if hasattr(op, "pull_back")}
    return {name: sorted(_names_of(op)) for name, op in nodes.items()}


def _names_of(op: Any) -> set[str]:
    rules = getattr(op, "rules", ())
    return {*getattr(op, "static_names", ()), *(name for rule in rules for name in (*rule.shapes, *rule.saves))}


if __name__ == "__main__":
    folder = Path(__file__).parent
    frozen = freeze()
    (folder / f"session_schema{schema.SCHEMA}.msgpack").write_bytes(msgspec.msgpack.encode(frozen))
    frozen.records = [grown(raw) for raw in frozen.records]
    (folder / "session_later.msgpack").write_bytes(msgspec.msgpack.encode(frozen))
    for file, content in (("stored_fields", fields()), ("stored_names", names())):
        (folder / f"{file}.json").write_text(json.dumps(content, indent=0) + "\n")
