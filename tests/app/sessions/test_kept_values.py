"""Values of the library and of modules between two statements of a session: tuples with names, buffers, hooks."""

from __future__ import annotations

from pathlib import Path

from app.program import interpret
from app.stores.sqlite import SqliteStore
from tests.app.sessions.test_restarts import rerun

PROGRAM = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from collections import deque
import re, io, heapq
torch.manual_seed(0)
p = pack_padded_sequence(torch.ones(2,3,1), torch.tensor([3,1]), batch_first=True, enforce_sorted=False)
print(p.batch_sizes, p.sorted_indices)
g = nn.GRU(1,1,batch_first=True)
out, h = g(p)
print(pad_packed_sequence(out, batch_first=True)[1], type(out).__name__)
k = nn.Linear(1,1).load_state_dict({}, strict=False)
print(k, k.missing_keys)
pat = re.compile(r'a+', re.I)
print(pat.findall('xAa'))
b = io.BytesIO()
torch.save(g.state_dict(), b)
b.seek(0)
sd = torch.load(b)
print(sd.keys(), b.tell() > 0)
f = torch.finfo(torch.float32)
print(f.eps, torch.channels_last)
fmt = torch.channels_last
print(fmt)
class S(nn.Linear):
    def forward(self, x): return super().forward(x) + 1
s = S(1, 1)
print(s(torch.zeros(1,1)) - s.bias)
import torch.nn.utils.prune as prune
m = prune.l1_unstructured(nn.Linear(3, 1), 'weight', 1)
print((m.weight == 0).sum())
print(m(torch.ones(1, 3)).shape)
prune.remove(m, 'weight')
print(list(dict(m.named_parameters())))
"""
PRINTS = [
    "tensor([2, 1, 1]) tensor([0, 1])",
    "tensor([3, 1]) PackedSequence",
    "_IncompatibleKeys(missing_keys=['weight', 'bias'], unexpected_keys=[]) ['weight', 'bias']",
    "['Aa']",
    "odict_keys(['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']) True",
    "1.1920928955078125e-07 torch.channels_last",
    "torch.channels_last",
    "tensor([[1.]], grad_fn=<SubBackward0>)",
    "tensor(1)",
    "torch.Size([1, 1])",
    "['bias', 'weight']",
]


def test_a_program_finds_its_values_again_after_every_statement(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.open()
    try:
        _, ending, _ = rerun(store, PROGRAM)
    finally:
        store.close()
    assert isinstance(ending, interpret.Outcome), ending
    assert ending.prints == PRINTS
