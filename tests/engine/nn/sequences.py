"""Recurrent networks, attention, transformers, and sequences of several lengths."""

from __future__ import annotations

RECURRENT = """
torch.manual_seed(2)
m = nn.{make}
note("text", repr(m))
note("state", m.state_dict())
note("names", [len(row) for row in m.all_weights])
shape = {shape}
x = torch.randn(*shape, dtype=m.weight_ih_l0.dtype, requires_grad=True)
out, state = m(x)
def weigh(t):
    return (t * torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).reshape(t.shape)).sum()
states = state if isinstance(state, tuple) else (state,)
note("out", [out, *states])
(weigh(out) + sum(weigh(s) for s in states)).backward()
note("grads", [x.grad, *[p.grad for p in m.parameters()]])
again, _ = m(x.detach(), state)
note("again", again)
m.eval()
note("eval", m(x.detach())[0])
"""
RECURRENTS = [
    ("RNN(3, 4)", "(5, 2, 3)"),
    ("RNN(3, 4, 2, 'relu', batch_first=True)", "(2, 5, 3)"),
    ("RNN(3, 4, bidirectional=True, bias=False)", "(5, 3)"),
    ("LSTM(3, 4)", "(5, 2, 3)"),
    ("LSTM(3, 4, 2, bidirectional=True, dropout=0.3)", "(5, 2, 3)"),
    ("LSTM(3, 4, proj_size=2, batch_first=True)", "(2, 5, 3)"),
    ("LSTM(3, 4, bias=False, dtype=torch.float64)", "(5, 3)"),
    ("GRU(3, 4, num_layers=2)", "(5, 2, 3)"),
    ("GRU(3, 4, batch_first=True, bidirectional=True)", "(2, 5, 3)"),
]
CELLS = """
torch.manual_seed(2)
for make in ("RNNCell(3, 4)", "RNNCell(3, 4, nonlinearity='relu', bias=False)", "LSTMCell(3, 4)", "GRUCell(3, 4)"):
    m = eval("nn." + make)
    note(f"{make} text", repr(m))
    note(f"{make} state", m.state_dict())
    for shape in ((2, 3), (3,)):
        x = torch.randn(shape, requires_grad=True)
        first = m(x)
        second = m(x, first)
        outs = second if isinstance(second, tuple) else (second,)
        note(f"{make} out {shape}", list(outs))
        sum(o.sum() for o in outs).backward()
        note(f"{make} grads {shape}", [x.grad, *[p.grad for p in m.parameters()]])
r = nn.GRU(3, 4)
for place, trial in enumerate((
    lambda: nn.RNN(0, 4), lambda: nn.RNN(3, 4, nonlinearity="x"), lambda: nn.LSTM(3, 0),
    lambda: nn.LSTM(3, 4, proj_size=5),
    lambda: nn.GRU(3, 4, proj_size=2), lambda: nn.LSTM(3, 4, dropout=2), lambda: nn.LSTM(3, 4, 0),
    lambda: nn.LSTM(3, 4, bias=1),
    lambda: nn.LSTM("a", 4), lambda: r(torch.ones(3)), lambda: r(torch.ones(2, 2, 2)),
    lambda: r(torch.ones(2, 2, 3), torch.ones(1, 4)), lambda: r(torch.ones(2, 2, 3), torch.ones(1, 3, 4)),
    lambda: r(torch.ones(2, 3), torch.ones(1, 2, 4)), lambda: r(torch.ones(2, 2, 3, dtype=torch.float64)),
    lambda: nn.LSTM(3, 4)(torch.ones(2, 2, 3), (torch.ones(1, 2, 4), torch.ones(1, 2, 3))),
    lambda: nn.LSTM(3, 4)(torch.ones(2, 2, 3), (torch.ones(2, 4), torch.ones(2, 4))),
    lambda: nn.LSTM(3, 4)(torch.ones(1)), lambda: nn.RNN(3, 4)(torch.ones(1)),
    lambda: nn.GRUCell(3, 4)(torch.ones(1, 1, 3)),
    lambda: nn.LSTMCell(3, 4)(torch.ones(3), (torch.ones(1, 1, 4), torch.ones(4))), lambda: nn.RNNBase("X", 3, 4),
)):
    with errors(str(place)):
        trial()
"""
PACKED = """
R = nn.utils.rnn
torch.manual_seed(0)
rows = [torch.randn(n, 3) for n in (5, 2, 3)]
padded = R.pad_sequence(rows)
note("padded", [padded, R.pad_sequence(rows, True, -1.0), R.pad_sequence(rows, batch_first=True, padding_side="left")])
packed = R.pack_padded_sequence(padded, [5, 2, 3], enforce_sorted=False)
note("packed", list(packed))
note("back", list(R.pad_packed_sequence(packed)))
note("longer", list(R.pad_packed_sequence(packed, batch_first=True, padding_value=9.0, total_length=6)))
note("sequence", list(R.pack_sequence([rows[0], rows[2], rows[1]])))
note("unpacked", R.unpack_sequence(packed))
note("unpadded", R.unpad_sequence(padded, torch.tensor([5, 2, 3])))
note("text", repr(R.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])))
note("double", packed.double().data.dtype == torch.float64)
for kind in (nn.RNN, nn.LSTM, nn.GRU):
    m = kind(3, 4, 2, bidirectional=True)
    out, state = m(packed)
    note(kind.__name__, list(out))
    states = state if isinstance(state, tuple) else (state,)
    note(f"{kind.__name__} states", list(states))
    note(f"{kind.__name__} given", m(packed, state)[0].data)
for place, trial in enumerate((
    lambda: R.pack_padded_sequence(padded, [5, 2, 3]), lambda: R.pack_padded_sequence(padded, [5, 2]),
    lambda: R.pack_padded_sequence(padded, [5, 2, 0]), lambda: R.pad_packed_sequence(packed, total_length=2),
    lambda: R.pad_sequence(3), lambda: R.pad_sequence([]),
)):
    with errors(str(place)):
        trial()
"""
ATTENTION = """
torch.manual_seed(4)
for make in ("(8, 2)", "(8, 2, batch_first=True)", "(8, 2, bias=False, add_zero_attn=True)", "(8, 2, add_bias_kv=True)",
             "(8, 2, kdim=5, vdim=6)", "(8, 4, dropout=0.2)"):
    m = eval("nn.MultiheadAttention" + make)
    note(f"{make} text", repr(m))
    note(f"{make} state", m.state_dict())
    q = torch.randn(3, 2, 8, requires_grad=True)
    k, v = torch.randn(4, 2, m.kdim), torch.randn(4, 2, m.vdim)
    if m.batch_first:
        q = torch.randn(2, 3, 8, requires_grad=True)
        k, v = k.transpose(0, 1), v.transpose(0, 1)
    out, weights = m(q, k, v)
    note(f"{make} out", [out, weights])
    out.sum().backward()
    note(f"{make} grads", [q.grad, *[p.grad for p in m.parameters()]])
    padding = torch.tensor([[False, False, True, False], [False, True, False, False]])
    note(f"{make} masked", list(m(q, k, v, key_padding_mask=padding, average_attn_weights=False)))
    note(f"{make} without", [m(q, k, v, need_weights=False)[1] is None])
m = nn.MultiheadAttention(8, 2, batch_first=True)
x = torch.randn(2, 3, 8)
mask = nn.Transformer.generate_square_subsequent_mask(3)
note("mask", mask)
note("causal", list(m(x, x, x, attn_mask=mask)))
with errors("heads"):
    nn.MultiheadAttention(8, 3)
with errors("none"):
    nn.MultiheadAttention(8, 0)
"""
TRANSFORMER = """
torch.manual_seed(4)
for make, calls in {{
    "TransformerEncoderLayer(8, 2, 16)": 1,
    "TransformerEncoderLayer(8, 2, 16, 0.0, 'gelu', norm_first=True, bias=False)": 1,
    "TransformerEncoderLayer(8, 2, 16, activation=nn.ReLU(), batch_first=True)": 1,
    "TransformerDecoderLayer(8, 2, 16)": 2, "TransformerDecoderLayer(8, 2, 16, norm_first=True, batch_first=True)": 2,
    "TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8))": 1,
    "TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2)": 2,
    "Transformer(8, 2, 1, 1, 16, 0.1)": 2, "Transformer(8, 2, 2, 1, 16, 0.0, batch_first=True, norm_first=True)": 2,
}}.items():
    m = eval("nn." + make)
    note(f"{{make}} text", repr(m))
    note(f"{{make}} state", m.state_dict())
    inputs = [torch.randn(3, 2, 8, requires_grad=True), torch.randn(3, 2, 8, requires_grad=True)][:calls]
    for mode in (True, False):
        m.train(mode)
        out = m(*inputs)
        note(f"{{make}} out {{mode}}", out)
        m.zero_grad()
        (out * torch.linspace(0.5, 1.5, out.numel()).reshape(out.shape)).sum().backward()
        note(f"{{make}} grads {{mode}}", [*(x.grad for x in inputs), *(p.grad for p in m.parameters())])
m = nn.Transformer(8, 2, 1, 1, 16, 0.0)
src, tgt = torch.randn(4, 2, 8), torch.randn(3, 2, 8)
causal = nn.Transformer.generate_square_subsequent_mask(3)
padding = torch.tensor([[False, False, True, True], [False] * 4])
note("masked", m(src, tgt, tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding))
note("hinted", m(src, tgt, tgt_mask=causal, tgt_is_causal=True))
with errors("batch"):
    m(src, torch.randn(3, 3, 8))
with errors("features"):
    m(src, torch.randn(3, 2, 7))
with errors("activation"):
    nn.TransformerEncoderLayer(8, 2, activation="x")
"""


def programs() -> dict[str, str]:
    """Every program of this module by name."""
    made = {make: RECURRENT.format(make=make, shape=shape) for make, shape in RECURRENTS}
    return made | {
        "recurrent cells": CELLS, "packed sequences": PACKED, "attention": ATTENTION,
        "transformers": TRANSFORMER.format(),
    }  # fmt: skip
