"""Models as graphs: each as functional code and as nodes, over the same parameters, so that both have one record.

``record_models`` runs the code on PyTorch; the tests send both spellings to the service.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

Shapes = dict[str, tuple[int, ...]]
Record = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """``parameters`` require grad and are drawn by their names; ``constants`` are given. ``loss`` is differentiated."""

    parameters: Shapes
    constants: Record
    code: str
    nodes: tuple[Record, ...]
    outputs: tuple[str, ...]
    loss: str = "loss"

    def inputs(self) -> Record:
        """All tensors of the model as requests have them."""
        leaves = {
            name: {"data": values(name, shape).tolist(), "dtype": "float64", "requires_grad": True}
            for name, shape in self.parameters.items()
        }
        return leaves | self.constants


def values(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Numbers of a parameter, small as those of trained models are; what scales is around 1."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = rng.uniform(-0.5, 0.5, shape)
    return np.asarray(np.round(drawn + 1 if name.startswith("scale") else drawn, 4))


def node(name: str, op: str, *args: Any, **kwargs: Any) -> Record:
    """``name = op(...)``."""
    return {"id": name, "op": op, "args": list(args), "kwargs": kwargs}


def call(name: str, op: str, *args: Any, **kwargs: Any) -> Record:
    """One of ``nn.functional``."""
    return node(name, f"nn.functional.{op}", *args, **kwargs)


def tensor(name: str, *shape: int) -> Record:
    return {"data": values(name, shape).tolist(), "dtype": "float64"}


LENET = Model(
    {
        "x": (2, 1, 12, 12), "w1": (4, 1, 5, 5), "b1": (4,), "w2": (6, 4, 3, 3), "b2": (6,), "w3": (12, 24),
        "b3": (12,), "w4": (8, 12), "b4": (8,), "w5": (5, 8), "b5": (5,),
    },
    {"target": {"data": [3, 1]}},
    """
h = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, padding=2)), 2)
h = F.max_pool2d(F.relu(F.conv2d(h, w2, b2)), (2, 2))
h = torch.flatten(h, 1)
h = F.relu(F.linear(h, w3, b3))
h = F.relu(F.linear(h, w4, b4))
out = F.linear(h, w5, b5)
loss = F.cross_entropy(out, target, label_smoothing=0.1)
""",
    (
        call("h", "conv2d", "$x", "$w1", "$b1", padding=2), call("h", "relu", "$h"), call("h", "max_pool2d", "$h", 2),
        call("h", "conv2d", "$h", "$w2", "$b2"), call("h", "relu", "$h"), call("h", "max_pool2d", "$h", [2, 2]),
        node("h", "flatten", "$h", 1), call("h", "linear", "$h", "$w3", "$b3"), call("h", "relu", "$h"),
        call("h", "linear", "$h", "$w4", "$b4"), call("h", "relu", "$h"), call("out", "linear", "$h", "$w5", "$b5"),
        call("loss", "cross_entropy", "$out", "$target", label_smoothing=0.1),
    ),
    ("out", "loss"),
)  # fmt: skip

RESNET = Model(
    {
        "x": (2, 3, 6, 6), "w1": (4, 3, 3, 3), "scale1": (4,), "shift1": (4,), "w2": (4, 4, 3, 3), "scale2": (4,),
        "shift2": (4,), "w3": (4, 3, 1, 1), "scale3": (4,), "shift3": (4,),
    },
    {name: {"data": [number] * 4, "dtype": "float64"} for name, number in (
        ("mean1", 0.0), ("var1", 1.0), ("mean2", 0.0), ("var2", 1.0), ("mean3", 0.0), ("var3", 1.0),
    )},
    """
def norm(h, mean, var, scale, shift):
    return F.batch_norm(h, mean, var, scale, shift, training=True, momentum=0.1)

h = F.relu_(norm(F.conv2d(x, w1, stride=2, padding=1), mean1, var1, scale1, shift1))
h = norm(F.conv2d(h, w2, padding=1), mean2, var2, scale2, shift2)
h += norm(F.conv2d(x, w3, stride=2), mean3, var3, scale3, shift3)
out = F.adaptive_avg_pool2d(F.relu(h, inplace=True), 1).flatten(1)
loss = (out ** 2).sum()
""",
    (
        call("h", "conv2d", "$x", "$w1", stride=2, padding=1),
        call("h", "batch_norm", "$h", "$mean1", "$var1", "$scale1", "$shift1", training=True, momentum=0.1),
        node("h", "relu_", "$h"), call("h", "conv2d", "$h", "$w2", padding=1),
        call("h", "batch_norm", "$h", "$mean2", "$var2", "$scale2", "$shift2", True, 0.1),
        call("s", "conv2d", "$x", "$w3", None, [2, 2]),
        call("s", "batch_norm", "$s", "$mean3", "$var3", "$scale3", "$shift3", training=True),
        node("h", "__iadd__", "$h", "$s"), call("h", "relu", "$h", inplace=True),
        call("out", "adaptive_avg_pool2d", "$h", 1), node("out", "flatten", "$out", 1),
        node("loss", "pow", "$out", 2), node("loss", "sum", "$loss"),
    ),
    ("out", "loss", "mean1", "var1", "mean2", "var2", "mean3", "var3"),
)  # fmt: skip

UNET = Model(
    {
        "x": (1, 1, 8, 8), "w1": (4, 1, 3, 3), "b1": (4,), "scale1": (4,), "shift1": (4,), "w2": (6, 4, 3, 3),
        "b2": (6,), "up": (6, 4, 2, 2), "upb": (4,), "w3": (4, 8, 3, 3), "b3": (4,), "side": (4, 6, 1, 1),
        "w4": (1, 4, 1, 1), "b4": (1,),
    },
    {"mask": {"data": (values("mask", (1, 1, 8, 8)) > 0).astype(float).tolist(), "dtype": "float64"}},
    """
a = F.silu(F.group_norm(F.conv2d(x, w1, b1, padding="same"), 2, scale1, shift1))
b = F.leaky_relu(F.conv2d(F.avg_pool2d(a, 2), w2, b2, padding=1), 0.1)
c = F.conv_transpose2d(b, up, upb, stride=2)
d = F.conv2d(torch.cat([a, c], dim=1), w3, b3, padding=1)
d = d + F.conv2d(F.interpolate(b, scale_factor=2, mode="bilinear", align_corners=False), side)
out = F.conv2d(F.elu(d), w4, b4)
loss = F.binary_cross_entropy_with_logits(out, mask)
""",
    (
        call("a", "conv2d", "$x", "$w1", "$b1", padding="same"), call("a", "group_norm", "$a", 2, "$scale1", "$shift1"),
        call("a", "silu", "$a"), call("b", "avg_pool2d", "$a", 2), call("b", "conv2d", "$b", "$w2", "$b2", padding=1),
        call("b", "leaky_relu", "$b", 0.1), call("c", "conv_transpose2d", "$b", "$up", "$upb", stride=2),
        node("d", "cat", ["$a", "$c"], dim=1), call("d", "conv2d", "$d", "$w3", "$b3", padding=1),
        call("e", "interpolate", "$b", scale_factor=2, mode="bilinear", align_corners=False),
        call("e", "conv2d", "$e", "$side"), node("d", "add", "$d", "$e"), call("d", "elu", "$d"),
        call("out", "conv2d", "$d", "$w4", "$b4"),
        call("loss", "binary_cross_entropy_with_logits", "$out", "$mask"),
    ),
    ("out", "loss"),
)  # fmt: skip

ENCODER = Model(
    {
        "x": (5, 2, 8), "win": (24, 8), "bin": (24,), "wout": (8, 8), "bout": (8,), "scale1": (8,), "shift1": (8,),
        "w1": (16, 8), "b1": (16,), "w2": (8, 16), "b2": (8,), "scale2": (8,), "shift2": (8,),
    },
    {"padding": {"data": [[False] * 5, [False, False, False, True, True]]}, "goal": tensor("goal", 5, 2, 8)},
    """
a, weights = F.multi_head_attention_forward(
    x, x, x, 8, 2, win, bin, None, None, False, 0.0, wout, bout, training=True, key_padding_mask=padding)
weights = weights.clone()
h = F.layer_norm(x + a, (8,), scale1, shift1)
h = F.layer_norm(h + F.linear(F.gelu(F.linear(h, w1, b1)), w2, b2), (8,), scale2, shift2)
q = h.reshape(5, 2, 2, 4).permute(1, 2, 0, 3)
out = F.scaled_dot_product_attention(q, q, q, is_causal=True)
loss = F.mse_loss(h, goal) + out.square().mean()
""",
    (
        node(
            "mha", "nn.functional.multi_head_attention_forward", "$x", "$x", "$x", 8, 2, "$win", "$bin", None, None,
            False, 0.0, "$wout", "$bout", training=True, key_padding_mask="$padding",
        ),
        node("a", "clone", "$mha.0"), node("weights", "clone", "$mha.1"), node("h", "add", "$x", "$a"),
        call("h", "layer_norm", "$h", [8], "$scale1", "$shift1"), call("f", "linear", "$h", "$w1", "$b1"),
        call("f", "gelu", "$f"), call("f", "linear", "$f", "$w2", "$b2"), node("h", "__add__", "$h", "$f"),
        call("h", "layer_norm", "$h", [8], "$scale2", "$shift2"), node("q", "reshape", "$h", [5, 2, 2, 4]),
        node("q", "permute", "$q", [1, 2, 0, 3]),
        call("out", "scaled_dot_product_attention", "$q", "$q", "$q", is_causal=True),
        call("loss", "mse_loss", "$h", "$goal"), node("s", "square", "$out"), node("s", "mean", "$s"),
        node("loss", "add", "$loss", "$s"),
    ),
    ("weights", "h", "out", "loss"),
)  # fmt: skip

LANGUAGE = Model(
    {
        "table": (11, 4), "ih0": (20, 4), "hh0": (20, 5), "bih0": (20,), "bhh0": (20,), "ih1": (20, 5), "hh1": (20, 5),
        "bih1": (20,), "bhh1": (20,), "h0": (2, 3, 5), "c0": (2, 3, 5), "w": (11, 5), "b": (11,),
    },
    {
        "tokens": {"data": [[1, 4, 0, 10], [3, 3, 2, 7], [9, 0, 0, 5]]},
        "following": {"data": [[4, 0, 10, -100], [3, 2, 7, 1], [0, 0, 5, 6]]},
    },
    """
h = F.embedding(tokens, table, padding_idx=0)
h, hn, cn = torch.lstm(h, (h0, c0), [ih0, hh0, bih0, bhh0, ih1, hh1, bih1, bhh1], True, 2, 0.0, True, False, True)
hn, cn = hn.clone(), cn.clone()
out = F.linear(h, w, b)
loss = F.cross_entropy(out.transpose(1, 2), following)
""",
    (
        call("h", "embedding", "$tokens", "$table", padding_idx=0),
        node(
            "r", "lstm", "$h", ["$h0", "$c0"], [f"${name}{layer}" for layer in (0, 1) for name in
            ("ih", "hh", "bih", "bhh")], True, 2, 0.0, True, False, True,
        ),
        node("hn", "clone", "$r.1"), node("cn", "clone", "$r.2"), call("out", "linear", "$r.0", "$w", "$b"),
        node("t", "transpose", "$out", 1, 2), call("loss", "cross_entropy", "$t", "$following"),
    ),
    ("out", "hn", "cn", "loss"),
)  # fmt: skip

SPECTRAL = Model(
    {"x": (2, 32), "gain": (17,), "phase": (17,)},
    {"goal": tensor("spectral goal", 2, 32), "window": tensor("scale window", 8)},
    """
spectrum = torch.fft.rfft(x) * torch.polar(torch.exp(gain), phase)
out = torch.fft.irfft(spectrum, n=32)
near = F.l1_loss(torch.log1p(torch.fft.rfft(out).abs()), torch.log1p(torch.fft.rfft(goal).abs()))
ours = torch.stft(out, 8, 4, window=window, return_complex=True)
theirs = torch.stft(goal, 8, 4, window=window, return_complex=True)
loss = near + (ours - theirs).abs().pow(2).mean() + torch.view_as_real(torch.fft.fftshift(ours)).var()
""",
    (
        node("f", "fft.rfft", "$x"), node("g", "exp", "$gain"), node("g", "polar", "$g", "$phase"),
        node("spectrum", "mul", "$f", "$g"), node("out", "fft.irfft", "$spectrum", n=32),
        node("p", "fft.rfft", "$out"), node("p", "abs", "$p"), node("p", "log1p", "$p"), node("q", "fft.rfft", "$goal"),
        node("q", "abs", "$q"), node("q", "log1p", "$q"), call("loss", "l1_loss", "$p", "$q"),
        node("ours", "stft", "$out", 8, 4, window="$window", return_complex=True),
        node("theirs", "stft", "$goal", 8, 4, window="$window", return_complex=True),
        node("d", "sub", "$ours", "$theirs"), node("d", "abs", "$d"), node("d", "pow", "$d", 2),
        node("d", "mean", "$d"), node("loss", "add", "$loss", "$d"), node("v", "fft.fftshift", "$ours"),
        node("v", "view_as_real", "$v"), node("v", "var", "$v"), node("loss", "add", "$loss", "$v"),
    ),
    ("spectrum", "out", "ours", "loss"),
)  # fmt: skip

SPATIAL = Model(
    {
        "x": (2, 1, 8, 8), "w1": (3, 1, 3, 3), "b1": (3,), "w2": (6, 27), "b2": (6,), "w3": (3, 64), "b3": (3,),
    },
    {"target": {"data": [0, 2]}},
    """
h = F.relu(F.max_pool2d(F.conv2d(x, w1, b1), 2))
theta = torch.tanh(F.linear(h.view(-1, 27), w2, b2)).view(-1, 2, 3)
grid = F.affine_grid(theta, x.size(), align_corners=False)
seen = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
out = F.log_softmax(F.linear(seen.flatten(1), w3, b3), dim=1)
loss = F.nll_loss(out, target)
""",
    (
        call("h", "conv2d", "$x", "$w1", "$b1"), call("h", "max_pool2d", "$h", 2), call("h", "relu", "$h"),
        node("h", "view", "$h", -1, 27), call("h", "linear", "$h", "$w2", "$b2"), node("h", "tanh", "$h"),
        node("theta", "view", "$h", -1, 2, 3), call("grid", "affine_grid", "$theta", [2, 1, 8, 8], align_corners=False),
        call("seen", "grid_sample", "$x", "$grid", padding_mode="border", align_corners=False),
        node("h", "flatten", "$seen", 1), call("h", "linear", "$h", "$w3", "$b3"),
        call("out", "log_softmax", "$h", dim=1), call("loss", "nll_loss", "$out", "$target"),
    ),
    ("theta", "seen", "out", "loss"),
)  # fmt: skip

MODELS = {
    "LeNet": LENET, "ResNet block": RESNET, "U-Net step": UNET, "transformer encoder layer": ENCODER,
    "LSTM language model": LANGUAGE, "spectral loss": SPECTRAL, "spatial transformer": SPATIAL,
}  # fmt: skip
