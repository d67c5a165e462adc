"""What modules and containers do: names, assignments, states, hooks, texts, refusals."""

from __future__ import annotations

REFUSALS = """
L, S = nn.Linear(1, 1), nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ELU())
def delete(name): delattr(L, name)
trials = [
    lambda: S[3], lambda: S[-4], lambda: S["a"], lambda: S + 3, lambda: S * 0, lambda: S * "a", lambda: S.insert(1, 3),
    lambda: S.insert(9, L), lambda: S.append(3), lambda: nn.Sequential(3), lambda: nn.Sequential({"a": L}),
    lambda: nn.ModuleList(3), lambda: nn.ModuleList([3]), lambda: nn.ModuleList([L])[4], lambda: nn.ModuleDict(3),
    lambda: nn.ModuleDict({"a": 3}), lambda: nn.ModuleDict([3]), lambda: nn.ModuleDict([(1, 2, 3)]),
    lambda: nn.ModuleDict({"a": L})["b"], lambda: nn.ModuleDict({"forward": L}), lambda: nn.ModuleDict({"a.b": L}),
    lambda: nn.ParameterList(3), lambda: nn.ParameterDict(3), lambda: nn.ParameterDict({3: torch.ones(1)}),
    lambda: nn.ParameterDict([(1, 2, 3)]), lambda: nn.ParameterDict({"a": torch.ones(1)})["b"],
    lambda: nn.ParameterList([torch.ones(1)])(1), lambda: nn.ModuleList([L])(), lambda: L.foo,
    lambda: L.get_submodule("x.y"), lambda: nn.Sequential(L).get_submodule("0.weight"), lambda: L.get_parameter("zz"),
    lambda: L.get_buffer("weight"), lambda: L.register_parameter("a.b", None),
    lambda: L.register_parameter("forward", None), lambda: L.register_parameter("q", 3),
    lambda: L.register_parameter("q", torch.ones(1)), lambda: L.register_parameter("", None),
    lambda: L.register_parameter(3, None), lambda: L.register_buffer("weight", torch.ones(1)),
    lambda: L.register_buffer("q", 3), lambda: L.register_buffer("a.b", None), lambda: L.add_module("q", 3),
    lambda: L.add_module("weight", nn.ReLU()), lambda: L.add_module("a.b", nn.ReLU()),
    lambda: L.add_module("", nn.ReLU()), lambda: L.add_module(3, nn.ReLU()), lambda: L.train(3),
    lambda: L.to(torch.int64), lambda: L.load_state_dict(3), lambda: L.load_state_dict({}),
    lambda: L.load_state_dict({"weight": torch.ones(2, 2), "bias": torch.ones(1), "x": torch.ones(1)}),
    lambda: L.load_state_dict({"weight": 3, "bias": torch.ones(1)}), lambda: setattr(L, "weight", 3),
    lambda: setattr(L, "weight", torch.ones(1)), lambda: setattr(L, "weight", nn.ReLU()),
    lambda: setattr(S, "0", 3), lambda: nn.Module(3), lambda: nn.Module(a=3), lambda: nn.Module()(3),
    lambda: nn.Parameter(3), lambda: nn.Parameter(torch.tensor(3)), lambda: delete("zz"), lambda: S(),
    lambda: nn.BatchNorm1d(2).load_state_dict({}), lambda: L.set_submodule("", L), lambda: L.set_submodule("a", 3),
    lambda: S.register_parameter("q", torch.ones(1, requires_grad=True) * 2),
    lambda: nn.Hardtanh(1, 0), lambda: nn.Conv2d(3, 4, 3, groups=2), lambda: nn.Conv2d(4, 3, 3, groups=2),
    lambda: nn.Conv2d(0, 3, 3, groups=-2), lambda: nn.Conv2d(2, 2, 3, stride=2, padding="same"),
    lambda: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"), lambda: nn.Dropout(2), lambda: nn.Dropout(-0.1),
    lambda: nn.Bilinear(0, 1, 2), lambda: nn.GroupNorm(3, 4), lambda: nn.Linear(-1, 3),
    lambda: nn.ConvTranspose1d(1, 1, 3, 2)(torch.ones(1, 1, 4), output_size=[5]),
    lambda: nn.ConvTranspose1d(1, 1, 3, 2)(torch.ones(1, 1, 4), output_size=[5, 5]),
    lambda: nn.BatchNorm1d(2)(torch.ones(2)), lambda: nn.BatchNorm2d(2)(torch.ones(2)),
    lambda: nn.BatchNorm1d(2)(torch.ones(1, 2)), lambda: nn.InstanceNorm2d(2)(torch.ones(2)),
    lambda: nn.InstanceNorm1d(2, affine=True)(torch.ones(1, 3, 3)), lambda: nn.Embedding(2, 3, padding_idx=2),
    lambda: nn.Embedding(2, 3, _weight=torch.ones(2, 2)), lambda: nn.Embedding.from_pretrained(torch.ones(2)),
    lambda: nn.EmbeddingBag(2, 3, padding_idx=-3), lambda: nn.Unflatten("a", (2,)), lambda: nn.Unflatten(1, 3),
    lambda: nn.Unflatten(1, (2, "a")), lambda: nn.MultiMarginLoss(p=3), lambda: nn.TripletMarginLoss(margin=0),
    lambda: nn.FractionalMaxPool2d(2), lambda: nn.FractionalMaxPool2d(2, output_ratio=1.5),
    lambda: nn.Softmax2d()(torch.ones(2)), lambda: nn.L1Loss(reduction="x")(torch.ones(1), torch.ones(1)),
    lambda: nn.Linear(), lambda: nn.Linear(2, 3, zz=1), lambda: nn.Tanh(1), lambda: nn.ELU(5, 7, 8),
    lambda: L(), lambda: S(torch.ones(1), 3),
]
for place, trial in enumerate(trials):
    with errors(str(place)):
        trial()
"""
NAMES = """
class Block(nn.Module):
    def __init__(self, shared):
        super().__init__()
        self.first, self.shared, self.none = nn.Linear(2, 2), shared, None
        self.register_module("absent", None)
        self.scale = nn.Parameter(torch.ones(2))
        self.register_parameter("no", None)
        self.register_buffer("kept", torch.zeros(1))
        self.register_buffer("dropped", torch.zeros(1), persistent=False)
        self.buffer = nn.Buffer(torch.ones(3))
        self.plain = torch.ones(1)

    def forward(self, x):
        return self.shared(self.first(x)) * self.scale

torch.manual_seed(0)
shared = nn.Linear(2, 2)
net = nn.Sequential(Block(shared), nn.Sequential(Block(shared), nn.ReLU()))
note("parameters", [n for n, _ in net.named_parameters()])
note("all parameters", [n for n, _ in net.named_parameters(remove_duplicate=False)])
note("own parameters", [n for n, _ in net[0].named_parameters(recurse=False)])
note("prefix", [n for n, _ in net[0].named_parameters(prefix="p")])
note("buffers", [n for n, _ in net.named_buffers()])
note("modules", [(n, type(m).__name__) for n, m in net.named_modules()])
note("all modules", [n for n, m in net.named_modules(prefix="q", remove_duplicate=False)])
note("children", [n for n, _ in net[0].named_children()])
note("state", net.state_dict(prefix="z."))
note("text", repr(net))
note("get", [net.get_parameter("0.first.weight"), net.get_buffer("1.0.kept"), repr(net.get_submodule("1.1"))])
order = []
net.apply(lambda m: order.append(type(m).__name__))
note("order", order)
note("counts", [len(list(net.parameters())), len(list(net.buffers())), len(list(net.modules())), len(net)])
net[0].first = None
note("without", [net[0].first is None, [n for n, _ in net.named_parameters()]])
net[0].first = nn.ReLU()
net[0].scale = None
net[0].scale = nn.Parameter(torch.zeros(2))
net[0].plain = nn.Parameter(torch.zeros(1))
net[0].kept = torch.ones(2)
del net[0].shared
note("after", [[n for n, _ in net[0].named_parameters()], list(net[0].state_dict())])
net.set_submodule("1.1", nn.Tanh())
note("last", repr(net))
note("has", [hasattr(net[0], n) for n in ("scale", "shared", "no", "kept", "forward", "absent")])
before = nn.Module.__new__(nn.Module)
for kind, value in (("m", nn.ReLU()), ("p", nn.Parameter(torch.ones(1))), ("b", nn.Buffer(torch.ones(1)))):
    with errors(f"before {kind}"):
        setattr(before, "a", value)
with errors("before register"):
    before.register_parameter("a", None)
with errors("before buffer"):
    before.register_buffer("a", None)
"""
STATES = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
net(torch.randn(4, 2))
note("loaded", other.load_state_dict(net.state_dict()))
note("text", repr(other.load_state_dict(net.state_dict())))
note("same", [torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values())])
note("shared", net.state_dict()["0.weight"].data_ptr() == net[0].weight.data_ptr())
note("kept", [v.requires_grad for v in net.state_dict(keep_vars=True).values()])
partial = {k: v for k, v in net.state_dict().items() if not k.startswith("2")}
partial["extra.x"], partial["0.weight.y"], partial["q"] = torch.ones(1), torch.ones(1), torch.ones(1)
note("partial", repr(other.load_state_dict(partial, strict=False)))
with errors("strict"):
    other.load_state_dict(partial)
ours = {k: torch.full_like(v, 2) for k, v in net.state_dict().items()}
note("assigned", repr(other.load_state_dict(ours, assign=True)))
note("is", [other[0].weight.data_ptr() == ours["0.weight"].data_ptr(), other[0].weight])
note("old scalar", nn.PReLU().load_state_dict({"weight": torch.tensor([3.0])}))

class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 1
    def get_extra_state(self):
        return {"seen": self.seen}
    def set_extra_state(self, state):
        self.seen = state["seen"] + 10

extra = nn.Sequential(Extra())
note("extra", dict(extra.state_dict()))
extra.load_state_dict(extra.state_dict())
note("seen", extra[0].seen)
with errors("no extra"):
    extra.load_state_dict({})
seen = []
h = net.register_state_dict_post_hook(lambda m, sd, prefix, about: seen.append(("post", prefix, len(sd))))
net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
net.register_load_state_dict_post_hook(lambda m, keys: seen.append(("load", keys.missing_keys)))
net.register_load_state_dict_pre_hook(lambda m, sd, prefix, *rest: seen.append(("before", prefix, len(rest))))
net.load_state_dict(net.state_dict())
h.remove()
net.state_dict()
note("hooks", seen)
"""
CASTS = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
weight = net[0].weight
net(torch.randn(3, 2)).sum().backward()
note("same", net.double() is net and net[0].weight is weight)
note("dtypes", {n: str(v.dtype) for n, v in net.state_dict().items()})
note("grad", net[0].weight.grad)
for name in ("half", "bfloat16", "float"):
    getattr(net, name)()
    note(name, {n: str(v.dtype) for n, v in net.state_dict().items()})
for args in ((torch.float64,), ("cpu",), ("cpu", torch.float16), (torch.ones(1),)):
    note(str(args), {n: str(v.dtype) for n, v in net.to(*args).state_dict().items()})
note("complex", nn.Linear(1, 1).to(torch.complex64).weight.dtype == torch.complex64)
net.requires_grad_(False)
note("flags", [p.requires_grad for p in net.parameters()])
net.requires_grad_()
net.zero_grad(set_to_none=False)
note("zeros", [p.grad for p in net.parameters()])
net.zero_grad()
note("none", [p.grad for p in net.parameters()])
note("modes", [net.eval() is net, net.training, net[1].training, net.train().training, net[1].training])
"""
HOOKS = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
seen = []
h1 = net[0].register_forward_hook(lambda m, args, out: seen.append(("after", tuple(args[0].shape), out.sum().item())))
h2 = net[0].register_forward_pre_hook(lambda m, args: (args[0] * 2,))
h3 = net[1].register_forward_hook(lambda m, args, out: out + 1, prepend=True)
h4 = net.register_forward_pre_hook(lambda m, args, kwargs: (args, {}), with_kwargs=True)
h5 = net.register_forward_hook(lambda m, args, kwargs, out: seen.append(("kw", kwargs)), with_kwargs=True)
x = torch.ones(1, 2)
note("first", net(x, y=1) if False else net(x))
h2.remove()
h2.remove()
note("second", net(x))
with h3:
    note("third", net(x))
note("fourth", net(x))
note("seen", seen)
h6 = net.register_forward_pre_hook(lambda m, args: args[0] * 3)
note("fifth", net(x))
net.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
with errors("bad"):
    net(x)
always = []
bad = nn.Sequential(nn.Linear(3, 1))
bad.register_forward_hook(lambda m, args, out: always.append(out), always_call=True)
with errors("shape"):
    bad(x)
note("always", always)
"""
CONTAINERS = """
S = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ELU())
note("slice", repr(S[0:2]))
note("times", [repr(S * 2), repr(2 * S), repr(S + nn.Sequential(nn.GELU()))])
note("popped", repr(S.pop(0)))
note("left", repr(S))
S.insert(1, nn.GELU())
S.append(nn.SiLU()).extend(nn.Sequential(nn.CELU()))
S[0] = nn.Softplus()
del S[1]
S += nn.Sequential(nn.Mish())
S *= 2
note("S", repr(S))
note("type", [len(S), [type(m).__name__ for m in S], repr(S[-1])])
M = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Linear(1, 1)])
M.append(nn.Linear(1, 1))
M.insert(1, nn.Sequential(nn.Tanh(), nn.Tanh()))
M.extend([nn.Sequential(nn.Tanh(), nn.Tanh())])
note("M", [repr(M), repr(M[1:3]), repr(M + [nn.GELU()]), len(M), repr(M.pop(0)), repr(M.pop(-1))])
del M[0:2]
M += [nn.ReLU()]
note("M after", repr(M))
D = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
D.update([["c", nn.ELU()]])
D["a"] = nn.GELU()
note("D", [repr(D), list(D), "a" in D, len(D), list(D.keys()), repr(D.pop("b")), [k for k, _ in D.items()]])
del D["c"]
note("D after", [repr(D), repr(list(D.values()))])
D.clear()
note("D empty", [repr(D), repr(nn.Sequential()), repr(nn.ModuleList())])
P = nn.ParameterList([torch.ones(2), nn.Parameter(torch.zeros(2, 3))])
P.append(torch.ones(1)).extend([torch.ones(())])
P[0] = torch.zeros(1)
P += [3]
note("P", [repr(P), len(P), [n for n, _ in P.named_parameters()], [type(p).__name__ for p in P], len(P[1:3])])
Q = nn.ParameterDict({"a": torch.ones(2, 3), "b": nn.Parameter(torch.ones(())), "c": 3})
Q["d"] = torch.ones(1, dtype=torch.float64)
note("Q", [repr(Q), list(Q), "a" in Q, len(Q), Q.get("z", 7), list(Q.keys()), [k for k, _ in Q.items()]])
note("Q popped", [Q.pop("a"), Q.popitem()[0], Q.setdefault("x", torch.ones(1)), list(reversed(Q))])
note("Q joined", list(Q | nn.ParameterDict({"y": torch.ones(1)})))
del Q["b"]
note("Q after", [list(Q.state_dict()), list(Q.copy()), list(Q.fromkeys(["k"], torch.ones(1)))])
note("nested", repr(nn.ModuleDict({"x": nn.ModuleList([nn.Linear(1, 1)] * 3), "y": nn.Sequential(nn.Linear(1, 1))})))
"""
PARAMETERS = """
note("empty", [nn.Parameter(), nn.Parameter(torch.tensor(3), requires_grad=False)])
w = torch.ones(2)
p = nn.Parameter(w)
w[0] = 5
note("shared", [p, repr(p), isinstance(p, torch.Tensor), p.is_leaf])
note("lazy", [repr(nn.UninitializedParameter()), repr(nn.parameter.UninitializedBuffer())])
"""
INIT = """
torch.manual_seed(3)
init = nn.init
for name, call in {
    "uniform": lambda w: init.uniform_(w, -1, 2), "normal": lambda w: init.normal_(w, 1, 2),
    "trunc": lambda w: init.trunc_normal_(w), "trunc far": lambda w: init.trunc_normal_(w, 0.0, 1.0, 1.0, 4.0),
    "trunc narrow": lambda w: init.trunc_normal_(w, 0.5, 0.2, 0.4, 0.45), "constant": lambda w: init.constant_(w, 0.3),
    "ones": init.ones_, "zeros": init.zeros_, "eye": init.eye_, "xavier": init.xavier_uniform_,
    "xavier normal": lambda w: init.xavier_normal_(w, gain=init.calculate_gain("tanh")),
    "kaiming": lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
    "kaiming normal": lambda w: init.kaiming_normal_(w, a=0.2), "orthogonal": init.orthogonal_,
    "orthogonal gain": lambda w: init.orthogonal_(w.t(), 2.0), "sparse": lambda w: init.sparse_(w, 0.3),
}.items():
    w = nn.Parameter(torch.zeros(4, 6))
    note(name, call(w))
    note(f"{name} flags", [w.requires_grad, w.is_leaf, w.grad_fn is None])
for shape in ((4, 2, 3), (4, 6, 3, 3), (6, 2, 3, 2, 3)):
    note(f"dirac {shape}", init.dirac_(torch.ones(shape)))
    note(f"groups {shape}", init.dirac_(torch.ones(shape), 2))
    note(f"kaiming {shape}", init.kaiming_uniform_(torch.empty(shape)))
    note(f"orthogonal {shape}", init.orthogonal_(torch.empty(shape)))
g = torch.Generator().manual_seed(5)
note("generator", init.normal_(torch.empty(3), generator=g))
note("gains", [init.calculate_gain(n) for n in ("linear", "tanh", "relu", "leaky_relu", "selu", "sigmoid")])
note("gain", init.calculate_gain("leaky_relu", 0.3))
note("double", init.xavier_uniform_(torch.empty(3, 2, dtype=torch.float64)))
for place, trial in enumerate((
    lambda: init.calculate_gain("x"), lambda: init.calculate_gain("leaky_relu", True),
    lambda: init.xavier_uniform_(torch.ones(3)), lambda: init.kaiming_normal_(torch.ones(3, 3), mode="x"),
    lambda: init.eye_(torch.ones(3)), lambda: init.dirac_(torch.ones(3)), lambda: init.orthogonal_(torch.ones(3)),
    lambda: init.sparse_(torch.ones(3), 0.5), lambda: init.dirac_(torch.ones(3, 2, 1), 2),
)):
    with errors(str(place)):
        trial()
"""
SEEDED = """
torch.manual_seed(0)
note("linear", nn.Linear(3, 2).weight)
torch.manual_seed(42)
note("net", nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 3), nn.Embedding(3, 2), nn.Bilinear(2, 2, 1)).state_dict())
"""
BACKWARD_HOOKS = """
torch.manual_seed(0)
seen = []
def after(m, gi, go): seen.append(("after", type(m).__name__, list(gi), list(go)))
def before(m, go): seen.append(("before", type(m).__name__, list(go)))
m = nn.Linear(2, 3)
handles = [m.register_full_backward_hook(after), m.register_full_backward_pre_hook(before)]
x = torch.ones(1, 2, requires_grad=True)
y = m(x)
note("names", [y.grad_fn.name(), y.grad_fn.next_functions[0][0].name()])
y.sum().backward()
note("grad", x.grad)
m(torch.ones(1, 2)).sum().backward()
note("weight", m.weight.grad)
for handle in handles:
    handle.remove()
note("plain", m(x))
s = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
s.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
s[0].register_full_backward_hook(after)
x = torch.ones(1, 2, requires_grad=True)
s(x).sum().backward()
note("doubled", x.grad)
class Two(nn.Module):
    def forward(self, a, b):
        return a * b, a + b
t = Two()
t.register_full_backward_hook(after)
a = torch.ones(1, requires_grad=True)
out = t(a, torch.ones(1))
note("two", list(out))
out[0].sum().backward()
l = nn.Linear(2, 2)
l.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
l.register_full_backward_hook(after, prepend=True)
l(x).sum().backward()
note("bias", l.bias.grad)
note("seen", seen)
for place, hook in enumerate((lambda m, gi, go: (1, 2, 3), lambda m, gi, go: 3)):
    bad = nn.Linear(2, 2)
    bad.register_full_backward_hook(hook)
    with errors(str(place)):
        bad(x).sum().backward()
r = nn.ReLU(inplace=True)
r.register_full_backward_hook(after)
with errors("in place"):
    r(x * 1)
with torch.no_grad():
    note("unrecorded", m(x).grad_fn is None)
"""
PROGRAMS = {
    "backward hooks": BACKWARD_HOOKS,
    "refusals of modules": REFUSALS, "names of modules": NAMES, "states of modules": STATES, "casts of modules": CASTS,
    "forward hooks": HOOKS, "containers": CONTAINERS, "parameters": PARAMETERS, "initialisation": INIT,
    "seeded layers": SEEDED,
}  # fmt: skip
