"""Every layer: what makes it, and inputs it is called with; each is made, shown, called, and differentiated."""

from __future__ import annotations

X = "torch.randn(4, 6)"
IMAGE = "torch.randn(2, 4, 6, 6)"
SIGNAL = "torch.randn(2, 4, 9)"
VOLUME = "torch.randn(2, 4, 4, 4, 4)"
PROBS = "torch.rand(4, 6) * 0.8 + 0.1"
CLASSES = "torch.tensor([0, 2, 1, 5])"
SIGNS = "torch.tensor([1.0, -1.0, 1.0, -1.0])"

ACTIVATIONS = [
    "Threshold(0.1, -2.0)", "ReLU()", "ReLU(inplace=False)", "RReLU(0.1, 0.3)", "Hardtanh(-0.5, 0.7)", "ReLU6()",
    "Sigmoid()", "Hardsigmoid()", "Tanh()", "SiLU()", "Mish()", "Hardswish()", "ELU(0.7)", "CELU(1.3)", "SELU()",
    "GLU()", "GELU()", "GELU('tanh')", "Hardshrink()", "LeakyReLU(0.2)", "LogSigmoid()", "Softplus(2.0, 1.0)",
    "Softshrink(0.3)", "PReLU()", "PReLU(6, 0.1)", "Softsign()", "Tanhshrink()", "Softmin(dim=1)", "Softmax(dim=0)",
    "LogSoftmax(dim=1)",
]  # fmt: skip
INPLACE = ["ReLU", "ReLU6", "Hardswish", "Hardsigmoid", "SiLU", "Mish", "ELU", "CELU", "SELU", "LeakyReLU", "RReLU"]

LAYERS: list[tuple[str, ...]] = [
    *((make, X) for make in ACTIVATIONS),
    ("Softmax2d()", IMAGE),
    ("Identity(3, a=1)", X),
    ("Linear(6, 3)", X),
    ("Linear(6, 3, bias=False, dtype=torch.float64)", "torch.randn(2, 6, dtype=torch.float64)"),
    ("Bilinear(6, 5, 3)", X, "torch.randn(4, 5)"),
    ("Bilinear(6, 5, 3, bias=False)", X, "torch.randn(4, 5)"),
    ("Conv1d(4, 6, 3)", SIGNAL),
    ("Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)", SIGNAL),
    ("Conv1d(4, 6, 4, padding='same')", SIGNAL),
    ("Conv1d(4, 6, 4, padding='same', padding_mode='circular')", SIGNAL),
    ("Conv2d(4, 6, 3)", IMAGE),
    ("Conv2d(4, 6, (3, 1), (2, 1), (1, 0), groups=2)", IMAGE),
    ("Conv2d(4, 6, 3, padding='valid')", IMAGE),
    ("Conv2d(4, 6, 3, padding=1, padding_mode='reflect')", IMAGE),
    ("Conv2d(4, 6, 3, padding=(1, 2), padding_mode='replicate')", IMAGE),
    ("Conv2d(4, 6, 3)", "torch.randn(4, 6, 6)"),
    ("Conv3d(4, 2, 2, stride=2)", VOLUME),
    ("ConvTranspose1d(4, 6, 3, stride=2, output_padding=1)", SIGNAL),
    ("ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2)", IMAGE),
    ("ConvTranspose2d(4, 6, 3, bias=False, dilation=2)", IMAGE),
    ("ConvTranspose3d(4, 2, 2)", VOLUME),
    ("MaxPool1d(3)", SIGNAL),
    ("MaxPool2d(2)", IMAGE),
    ("MaxPool2d((3, 2), stride=(2, 1), padding=1, ceil_mode=True)", IMAGE),
    ("MaxPool2d(3, dilation=2)", IMAGE),
    ("MaxPool3d(2)", VOLUME),
    ("AvgPool1d(2)", SIGNAL),
    ("AvgPool2d(3, 2, 1, count_include_pad=False)", IMAGE),
    ("AvgPool2d(2, divisor_override=3)", IMAGE),
    ("AvgPool3d(2)", VOLUME),
    ("LPPool1d(2, 3)", SIGNAL),
    ("LPPool2d(1.5, 2, stride=1)", "torch.rand(2, 4, 6, 6)"),
    ("LPPool3d(2, 2)", VOLUME),
    ("AdaptiveAvgPool1d(4)", SIGNAL),
    ("AdaptiveAvgPool2d((None, 2))", IMAGE),
    ("AdaptiveAvgPool2d(1)", IMAGE),
    ("AdaptiveAvgPool3d(2)", VOLUME),
    ("AdaptiveMaxPool1d(4)", SIGNAL),
    ("AdaptiveMaxPool2d((3, 2))", IMAGE),
    ("AdaptiveMaxPool3d(2)", VOLUME),
    ("FractionalMaxPool2d(2, output_ratio=0.5)", IMAGE),
    ("FractionalMaxPool3d(2, output_size=2)", VOLUME),
    ("MaxUnpool1d(2)", "torch.randn(2, 4, 3)", "torch.tensor([0, 3, 5]).expand(2, 4, 3)"),
    ("MaxUnpool2d(2)", "torch.randn(1, 1, 2, 2)", "torch.tensor([[[[0, 3], [9, 14]]]])"),
    ("MaxUnpool3d(2)", "torch.randn(1, 1, 1, 1, 2)", "torch.tensor([[[[[0, 3]]]]])"),
    ("Fold((4, 5), 2)", "torch.randn(1, 12, 12)"),
    ("Unfold((2, 3), padding=1, stride=2)", IMAGE),
    *((f"{mode}Pad1d(1)", SIGNAL) for mode in ("Reflection", "Replication", "Circular", "Zero")),
    *((f"{mode}Pad2d((1, 0, 2, 1))", IMAGE) for mode in ("Reflection", "Replication", "Circular", "Zero")),
    *((f"{mode}Pad3d(1)", VOLUME) for mode in ("Reflection", "Replication", "Circular", "Zero")),
    ("ConstantPad1d(2, 3.5)", SIGNAL),
    ("ConstantPad2d((1, 0, 2, 1), 3.5)", IMAGE),
    ("ConstantPad3d(1, 0.5)", VOLUME),
    ("BatchNorm1d(6)", X),
    ("BatchNorm1d(4, momentum=None)", SIGNAL),
    ("BatchNorm1d(6, affine=False)", X),
    ("BatchNorm1d(6, bias=False)", X),
    ("BatchNorm2d(4, eps=1e-3, momentum=0.4)", IMAGE),
    ("BatchNorm2d(4, track_running_stats=False)", IMAGE),
    ("BatchNorm3d(4)", VOLUME),
    ("SyncBatchNorm(4)", VOLUME),
    ("InstanceNorm1d(4)", SIGNAL),
    ("InstanceNorm1d(4)", "torch.randn(4, 9)"),
    ("InstanceNorm2d(4, affine=True)", IMAGE),
    ("InstanceNorm2d(4, affine=True, track_running_stats=True)", IMAGE),
    ("InstanceNorm3d(4)", VOLUME),
    ("LayerNorm(6)", X),
    ("LayerNorm((6, 6), eps=1e-3)", IMAGE),
    ("LayerNorm(6, elementwise_affine=False)", X),
    ("LayerNorm(6, bias=False)", X),
    ("GroupNorm(2, 4)", IMAGE),
    ("GroupNorm(2, 4, affine=False)", IMAGE),
    ("RMSNorm(6)", X),
    ("RMSNorm((6, 6), eps=1e-4, elementwise_affine=False)", IMAGE),
    ("LocalResponseNorm(3, k=2.0)", IMAGE),
    ("Dropout(0.3)", X),
    ("Dropout1d(0.3)", SIGNAL),
    ("Dropout2d(0.3)", IMAGE),
    ("Dropout3d(0.3)", VOLUME),
    ("AlphaDropout(0.3)", X),
    ("FeatureAlphaDropout(0.3)", IMAGE),
    ("Embedding(7, 3)", "torch.tensor([[0, 6], [2, 2]])"),
    ("Embedding(7, 3, padding_idx=-1, scale_grad_by_freq=True)", "torch.tensor([[0, 6], [2, 2]])"),
    ("Embedding(7, 3, max_norm=1.0, norm_type=1.0)", "torch.tensor([[0, 6], [2, 2]])"),
    ("EmbeddingBag(7, 3)", "torch.tensor([[0, 6], [2, 2]])"),
    ("EmbeddingBag(7, 3, mode='sum', padding_idx=2)", "torch.tensor([0, 6, 2, 2])", "torch.tensor([0, 3])"),
    ("EmbeddingBag(7, 3, mode='max')", "torch.tensor([[0, 6], [2, 1]])"),
    ("Flatten()", IMAGE),
    ("Flatten(0, 2)", IMAGE),
    ("Unflatten(1, (2, 3))", X),
    ("PixelShuffle(2)", IMAGE),
    ("PixelUnshuffle(2)", IMAGE),
    ("ChannelShuffle(2)", IMAGE),
    ("Upsample(scale_factor=2)", IMAGE),
    ("Upsample(size=(5, 7), mode='bilinear', align_corners=True)", IMAGE),
    ("Upsample(scale_factor=(1.5, 2.0), mode='bicubic')", IMAGE),
    ("UpsamplingNearest2d(scale_factor=2)", IMAGE),
    ("UpsamplingBilinear2d(size=(3, 4))", IMAGE),
    ("PairwiseDistance()", X, X),
    ("PairwiseDistance(1.0, keepdim=True)", X, X),
    ("CosineSimilarity(dim=0)", X, X),
]
LOSSES: list[tuple[str, ...]] = [
    ("L1Loss()", X, X),
    ("L1Loss(reduction='none')", X, X),
    ("L1Loss(size_average=False)", X, X),
    ("MSELoss()", X, X),
    ("MSELoss(reduce=False)", X, X),
    ("SmoothL1Loss(beta=0.5)", X, X),
    ("HuberLoss(delta=0.5)", X, X),
    ("KLDivLoss(reduction='batchmean')", X, PROBS),
    ("KLDivLoss(log_target=True, reduction='sum')", X, X),
    ("PoissonNLLLoss()", X, PROBS),
    ("PoissonNLLLoss(log_input=False, full=True)", PROBS, "torch.rand(4, 6) * 5"),
    ("GaussianNLLLoss(full=True)", X, X, PROBS),
    ("NLLLoss()", X, CLASSES),
    ("NLLLoss(torch.arange(6.0), ignore_index=2, reduction='sum')", X, CLASSES),
    ("CrossEntropyLoss()", X, CLASSES),
    ("CrossEntropyLoss(weight=torch.arange(6.0), label_smoothing=0.1)", X, CLASSES),
    ("CrossEntropyLoss(reduction='none')", X, "torch.softmax(torch.randn(4, 6), 1)"),
    ("BCELoss()", PROBS, PROBS),
    ("BCELoss(weight=torch.arange(6.0))", PROBS, PROBS),
    ("BCEWithLogitsLoss(pos_weight=torch.arange(6.0))", X, PROBS),
    ("HingeEmbeddingLoss(0.5)", "torch.randn(4)", SIGNS),
    ("MultiLabelMarginLoss()", X, "torch.tensor([[3, 0, -1, 1, 2, 2]] * 4)"),
    ("SoftMarginLoss()", "torch.randn(4)", SIGNS),
    ("MultiLabelSoftMarginLoss()", X, "(torch.rand(4, 6) > 0.5).float()"),
    ("CosineEmbeddingLoss(0.1)", X, X, SIGNS),
    ("MarginRankingLoss(0.1)", "torch.randn(4)", "torch.randn(4)", SIGNS),
    ("MultiMarginLoss(2, 0.5, torch.arange(6.0))", X, CLASSES),
    ("TripletMarginLoss(0.5, swap=True)", X, X, X),
    ("TripletMarginWithDistanceLoss(margin=0.5)", X, X, X),
    (
        "CTCLoss()", "torch.randn(8, 2, 5).log_softmax(2)", "torch.tensor([[1, 2, 2], [3, 4, 0]])",
        "torch.tensor([8, 7])", "torch.tensor([3, 2])",
    ),
]  # fmt: skip

PROGRAM = """
torch.manual_seed(1)
m = nn.{make}
note("text", repr(m))
note("state", m.state_dict())
inputs = [{inputs}]
inputs = [x.requires_grad_() if x.is_floating_point() and not x.requires_grad {only_first} else x for x in inputs]
for mode in (True, False):
    m.train(mode)
    m.zero_grad()
    for x in inputs:
        x.grad = None
    out = m(*inputs)
    note(f"out {{mode}}", out)
    if out.requires_grad:
        (out * torch.linspace(0.5, 1.5, out.numel()).reshape(out.shape)).sum().backward()
        note(f"grads {{mode}}", [x.grad for x in (*inputs, *m.parameters())])
note("buffers", dict(m.named_buffers()))
"""


def programs() -> dict[str, str]:
    """Every layer's program by what makes it."""
    made = {}
    for cases, only_first in ((LAYERS, ""), (LOSSES, "and x is inputs[0]")):
        for make, *inputs in cases:
            name = f"{make} of {', '.join(inputs)}"
            made[name] = PROGRAM.format(make=make, inputs=", ".join(inputs), only_first=only_first)
    for name in INPLACE:
        made[f"{name} in place"] = (
            f"torch.manual_seed(1)\nm = nn.{name}(inplace=True)\nx = torch.randn(5, requires_grad=True)\n"
            "y = x * 1\nout = m(y)\nout.sum().backward()\nnote('text', repr(m))\nnote('same', out is y)\n"
            "note('out', out)\nnote('grad', x.grad)\n"
        )
    return made
