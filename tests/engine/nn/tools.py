"""Lazy layers, parametrizations, parameters as vectors, other parameters than a module's own, rare classes."""

from __future__ import annotations

LAZY = """
torch.manual_seed(0)
m = nn.Sequential(nn.LazyConv2d(3, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4),
    nn.LazyLinear(2, bias=False))
note("text", repr(m))
note("keys", list(m.state_dict()))
x = torch.randn(2, 1, 6, 6)
note("out", m(x))
note("text after", repr(m))
note("state", m.state_dict())
for make, shape in {
    "LazyConv1d(4, 3)": (2, 3, 8), "LazyConv3d(2, 2)": (1, 2, 4, 4, 4), "LazyConvTranspose1d(3, 3)": (2, 2, 5),
    "LazyConvTranspose2d(3, 3, stride=2)": (1, 2, 4, 4), "LazyInstanceNorm1d()": (2, 3, 4),
    "LazyBatchNorm1d(affine=False)": (4, 3), "LazyConv2d(4, 3, bias=False)": (2, 5, 5),
}.items():
    one = eval("nn." + make)
    note(f"{make} text", repr(one))
    note(f"{make} out", one(torch.randn(shape)))
    note(f"{make} after", [repr(one), one.state_dict()])
with errors("dims"):
    nn.LazyConv2d(3, 3)(torch.randn(2, 2))
with errors("groups"):
    nn.LazyConv2d(4, 3, groups=2)(torch.randn(1, 3, 5, 5))
"""
PARAMETRIZED = """
P = nn.utils.parametrize
class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)
class Doubled(nn.Module):
    def forward(self, X): return 2 * X
    def right_inverse(self, Y): return Y / 2
torch.manual_seed(0)
m = nn.Linear(3, 3)
note("same", P.register_parametrization(m, "weight", Symmetric()) is m)
note("text", repr(m))
note("symmetric", [m.weight, list(m.state_dict()), [n for n, _ in m.named_parameters()], P.is_parametrized(m),
    P.is_parametrized(m, "bias")])
m(torch.ones(1, 3)).sum().backward()
note("grad", m.parametrizations.weight.original.grad)
P.register_parametrization(m, "bias", Doubled())
m.bias = torch.ones(3)
note("assigned", [m.bias, m.parametrizations.bias.original, m(torch.ones(1, 3))])
P.remove_parametrizations(m, "weight")
note("left", [m.weight, repr(m)])
P.remove_parametrizations(m, "bias", leave_parametrized=False)
note("plain", [m.bias, repr(m), list(m.state_dict())])
for name in ("weight_norm", "spectral_norm", "orthogonal"):
    make = getattr(nn.utils.parametrizations, name)
    for inner in ("Linear(4, 3)", "Linear(3, 4)", "Conv2d(2, 3, 2)", "Linear(3, 3)"):
        if name == "orthogonal" and "Conv" in inner:
            continue
        torch.manual_seed(1)
        m = make(eval("nn." + inner))
        note(f"{name} {inner} text", repr(m))
        note(f"{name} {inner}", [m.weight.detach(), m.state_dict()])
        x = torch.ones(1, 2, 4, 4) if "Conv" in inner else torch.ones(2, m.in_features)
        m(x).pow(2).sum().backward()
        note(f"{name} {inner} grads", [p.grad for p in m.parameters()])
        note(f"{name} {inner} eval", m.eval()(x).detach())
for place, trial in enumerate((
    lambda: P.register_parametrization(nn.Linear(1, 1), "x", Symmetric()), lambda: P.remove_parametrizations(m, "bias"),
    lambda: nn.utils.parametrizations.orthogonal(nn.Linear(2, 2), "bias"),
    lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0),
    lambda: nn.utils.parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="x"),
)):
    with errors(str(place)):
        trial()
"""
VECTORS = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
U = nn.utils
vec = U.parameters_to_vector(net.parameters())
note("vector", vec)
U.vector_to_parameters(torch.arange(float(vec.numel())), net.parameters())
note("state", net.state_dict())
x = torch.randn(4, 2)
own = {n: p.detach() * 0.1 for n, p in net.named_parameters()}
note("called", torch.func.functional_call(net, own, (x,)))
U.vector_to_parameters(torch.arange(float(vec.numel())) / 20, net.parameters())
note("partly", torch.func.functional_call(net, {"0.weight": own["0.weight"]}, x))
note("several", torch.func.functional_call(net, ({"0.weight": own["0.weight"]}, {"2.bias": own["2.bias"]}), x))
w = own["0.weight"].requires_grad_()
torch.func.functional_call(net, {"0.weight": w}, x).sum().backward()
note("grad", [w.grad, net[0].weight.grad is None])
tied = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
tied["b"].weight = tied["a"].weight
class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = tied
    def forward(self, x, scale=1):
        return self.parts["b"](self.parts["a"](x)) * scale
both = Both()
note("tied", torch.func.functional_call(both, {"parts.a.weight": torch.eye(2)}, (x,), {"scale": 3}))
note("untied", torch.func.functional_call(both, {"parts.a.weight": torch.eye(2)}, x, tie_weights=False))
params, buffers = torch.func.stack_module_state([nn.BatchNorm1d(2), nn.BatchNorm1d(2)])
note("stacked", [params, buffers, params["weight"].requires_grad])
with errors("strict"):
    torch.func.functional_call(net, {"0.weight": w, "x": w}, x, strict=True)
with errors("twice"):
    torch.func.functional_call(net, ({"0.weight": w}, {"0.weight": w}), x)
with errors("kind"):
    torch.func.functional_call(net, 3, x)
for p in net.parameters():
    p.grad = torch.full_like(p, 3.0)
note("norm", [U.clip_grad_norm_(net.parameters(), 2.0), [p.grad for p in net.parameters()]])
note("total", [U.get_total_norm([p.grad for p in net.parameters()]), U.get_total_norm([torch.ones(3)], 1.0)])
U.clip_grad_value_(net.parameters(), 0.1)
note("clipped", [p.grad for p in net.parameters()])
net[0].weight.grad[0, 0] = float("inf")
with errors("infinite"):
    U.clip_grad_norm_(net.parameters(), 1.0, error_if_nonfinite=True)
"""
ADAPTIVE = """
torch.manual_seed(0)
m = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True)
note("text", repr(m))
x, y = torch.randn(5, 8, requires_grad=True), torch.tensor([0, 5, 19, 3, 12])
out = m(x, y)
note("out", [out.output, out.loss])
out.loss.backward()
note("grads", [x.grad, *[p.grad for p in m.parameters()]])
note("all", [m.log_prob(x), m.predict(x), m(x[0], y[0]).output])
for place, trial in enumerate((
    lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 20, []), lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 5]),
    lambda: m(x, torch.tensor([0])), lambda: m(x, torch.tensor([0, 1, 2, 3, 20])), lambda: m(x, torch.ones(1, 1)),
)):
    with errors(str(place)):
        trial()
"""
OLDER = """
for name in ("weight_norm", "spectral_norm"):
    for inner in ("Linear(4, 3)", "Conv2d(2, 3, 2)", "ConvTranspose1d(2, 3, 2)"):
        torch.manual_seed(1)
        m = getattr(nn.utils, name)(eval("nn." + inner))
        note(f"{name} {inner} text", repr(m))
        note(f"{name} {inner}", [m.weight.detach(), m.state_dict(), [n for n, _ in m.named_parameters()]])
        x = torch.ones(1, 2, 4, 4) if "2d" in inner else torch.ones(1, 2, 4) if "1d" in inner else torch.ones(2, 4)
        m(x).pow(2).sum().backward()
        note(f"{name} {inner} grads", [p.grad for p in m.parameters()])
        note(f"{name} {inner} removed", [getattr(nn.utils, f"remove_{name}")(m).weight.detach(), list(m.state_dict())])
        with errors(f"{name} {inner} gone"):
            getattr(nn.utils, f"remove_{name}")(nn.ReLU())
torch.manual_seed(0)
loss = nn.LinearCrossEntropyLoss(4, 3, bias=True, label_smoothing=0.1)
note("loss text", repr(loss))
x = torch.randn(5, 4, requires_grad=True)
out = loss(x, torch.tensor([0, 2, 1, 1, 0]))
out.backward()
note("loss", [out, x.grad, loss.linear.weight.grad])
with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
    note("backend", [repr(nn.attention.SDPBackend.MATH), str(nn.attention.SDPBackend.FLASH_ATTENTION)])
"""
AVERAGED = """
S = optim.swa_utils
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
opt = optim.SGD(net.parameters(), lr=0.1)
kinds = {
    "mean": {}, "ema": {"avg_fn": S.get_ema_avg_fn(0.9)}, "multi": {"multi_avg_fn": S.get_ema_multi_avg_fn(0.9)},
    "swa": {"avg_fn": S.get_swa_avg_fn()}, "buffers": {"use_buffers": True},
    "own": {"avg_fn": lambda a, b, n: a * 0.25 + b * 0.75},
}
averages = {name: S.AveragedModel(net, **options) for name, options in kinds.items()}
x, y = torch.randn(8, 2), torch.randn(8, 1)
for step in range(3):
    opt.zero_grad()
    ((net(x) - y) ** 2).mean().backward()
    opt.step()
    for average in averages.values():
        average.update_parameters(net)
note("text", repr(averages["mean"]))
for name, average in averages.items():
    note(name, [average.state_dict(), average(x).detach()])
S.update_bn([x[:4], x[4:]], averages["mean"])
note("statistics", averages["mean"].state_dict())
for options in ({}, {"anneal_epochs": 3, "anneal_strategy": "linear"}, {"anneal_epochs": 0}):
    opt = optim.SGD([torch.ones(1, requires_grad=True)], lr=0.3)
    sched = S.SWALR(opt, swa_lr=0.05, **options)
    rates = []
    for _ in range(14):
        rates.append(sched.get_last_lr())
        opt.step()
        sched.step()
    note(f"rates {options}", rates)
with errors("both"):
    S.AveragedModel(net, avg_fn=S.get_swa_avg_fn(), multi_avg_fn=S.get_swa_multi_avg_fn())
with errors("decay"):
    S.get_ema_avg_fn(2.0)
with errors("strategy"):
    S.SWALR(opt, 0.1, anneal_strategy="x")
"""
PROGRAMS = {
    "older weight norms": OLDER, "averaged models": AVERAGED,
    "lazy layers": LAZY, "parametrizations": PARAMETRIZED, "parameters as vectors": VECTORS,
    "adaptive softmax": ADAPTIVE,
}  # fmt: skip
