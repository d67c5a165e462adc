"""Optimisers, schedules, data loaders and whole models."""

from __future__ import annotations

OPTIMISERS = {
    "SGD": ["lr=0.1", "lr=0.1, momentum=0.9, weight_decay=0.01", "lr=0.1, momentum=0.9, nesterov=True, maximize=True"],
    "Adam": ["", "lr=0.1, amsgrad=True, weight_decay=0.1", "lr=torch.tensor(0.1), betas=(0.8, 0.9), foreach=False"],
    "AdamW": ["lr=0.1", "lr=0.1, amsgrad=True, maximize=True"],
    "Adamax": ["lr=0.1", "lr=0.1, weight_decay=0.1"],
    "NAdam": ["lr=0.1", "lr=0.1, weight_decay=0.1, decoupled_weight_decay=True"],
    "RAdam": ["lr=0.1", "lr=0.1, betas=(0.5, 0.6), weight_decay=0.1", "lr=0.1, betas=(0.5, 0.6)"],
    "Adagrad": ["lr=0.1", "lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5, weight_decay=0.1"],
    "Adadelta": ["lr=1.0", "lr=2.0, rho=0.5, weight_decay=0.1"],
    "RMSprop": ["lr=0.1", "lr=0.1, momentum=0.9, centered=True", "lr=0.1, weight_decay=0.1"],
    "Rprop": ["lr=0.1", "lr=0.1, etas=(0.3, 2.0), step_sizes=(0.01, 0.2)"],
    "ASGD": ["lr=0.1", "lr=0.1, lambd=0.1, t0=2, weight_decay=0.1"],
    "Adafactor": ["lr=0.1", "lr=0.1, eps=(1e-6, 1e-2), d=1.5, weight_decay=0.1"],
    "LBFGS": ["lr=0.5, max_iter=4", "line_search_fn='strong_wolfe', max_iter=5, history_size=2"],
    "Muon": ["lr=0.1", "lr=0.1, nesterov=False, adjust_lr_fn='match_rms_adamw'"],
}
OPTIMISER = """
torch.manual_seed(0)
dtype = torch.float64 if "{name}" == "LBFGS" else torch.float32
params = [torch.randn(n, dtype=dtype, requires_grad=True) for n in ((3, 2), (2,))][:{count}]
x, y = torch.randn(8, 3, dtype=dtype), torch.randn(8, 2, dtype=dtype)
opt = optim.{name}(params, {options})
note("text", repr(opt))
def loss():
    return ((x @ params[0] + sum(params[1:]) - y) ** 2).mean()
def closure():
    opt.zero_grad()
    value = loss()
    value.backward()
    return value
for step in range(5):
    note(f"loss {{step}}", opt.step(closure))
    note(f"params {{step}}", params)
state = opt.state_dict()
note("groups", state["param_groups"])
if "{name}" != "LBFGS":
    note("state", state["state"])
    twin = optim.{name}([p.detach().clone().requires_grad_() for p in params], lr=0.5)
    twin.load_state_dict(state)
    note("loaded", twin.state_dict())
"""
GROUPS = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
opt = optim.Adam([{"params": net[0].parameters(), "lr": 0.01}, {"params": net[1].weight}], lr=0.1)
opt.add_param_group({"params": [net[1].bias], "weight_decay": 0.5})
note("text", repr(opt))
note("keys", [list(g) for g in opt.param_groups])
note("defaults", opt.defaults)
seen = []
handle = opt.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", len(args), kwargs)))
opt.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", o is opt)))
opt.register_state_dict_post_hook(lambda o, sd: {**sd, "extra": 1})
opt.register_state_dict_pre_hook(lambda o: seen.append("state"))
opt.register_load_state_dict_pre_hook(lambda o, sd: seen.append(("loading", sorted(sd))))
opt.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
net(torch.ones(1, 2)).sum().backward()
opt.step()
handle.remove()
opt.step()
note("state", opt.state_dict())
opt.load_state_dict(opt.state_dict())
note("seen", seen)
note("params", list(net.parameters()))
note("empty", [len(opt.state), opt.state[torch.ones(1)]])
named = optim.SGD(net.named_parameters(), lr=0.1)
note("named", [named.param_groups[0]["param_names"], named.state_dict()])
opt.zero_grad(set_to_none=False)
note("zeros", [p.grad for p in net.parameters()])
opt.zero_grad()
note("none", [p.grad for p in net.parameters()])
w = torch.ones(2, requires_grad=True)
for place, trial in enumerate((
    lambda: optim.SGD([], lr=0.1), lambda: optim.SGD(torch.ones(1), lr=0.1), lambda: optim.SGD([1], lr=0.1),
    lambda: optim.SGD([w * 2], lr=0.1), lambda: optim.SGD([w], lr=-1), lambda: optim.SGD([w], lr=0.1, momentum=-1),
    lambda: optim.SGD([w], lr=0.1, nesterov=True), lambda: optim.Adam([w], betas=(1.0, 0.9)),
    lambda: optim.Adam([w], betas=(0.9, 1.0)), lambda: optim.Adam([w], eps=-1),
    lambda: optim.Adam([w], weight_decay=-1),
    lambda: optim.NAdam([w], momentum_decay=-1), lambda: optim.Adagrad([w], lr_decay=-1),
    lambda: optim.Adadelta([w], rho=2), lambda: optim.RMSprop([w], alpha=-1), lambda: optim.Rprop([w], etas=(2, 1)),
    lambda: optim.Muon([w]), lambda: optim.Muon([w], adjust_lr_fn="x"), lambda: optim.Muon([w], lr=-1),
    lambda: optim.Adafactor([w], d=0.5), lambda: optim.Adafactor([w], lr=-1), lambda: optim.SparseAdam([w], lr=0),
    lambda: optim.LBFGS([{"params": [w]}, {"params": [torch.ones(1, requires_grad=True)]}]),
    lambda: optim.SGD([{"params": [w]}, {"params": [w]}]), lambda: optim.SGD([w], lr=torch.ones(2)),
    lambda: optim.SGD({w}), lambda: optim.SGD([("a", w), w]), lambda: opt.load_state_dict(named.state_dict()),
    lambda: named.load_state_dict({"state": {}, "param_groups": [{"params": [0]}]}), lambda: opt.add_param_group(3),
    lambda: opt.add_param_group({"lr": 1}), lambda: named.add_param_group({"params": [w]}),
)):
    with errors(str(place)):
        trial()
"""
SCHEDULES = {
    "LambdaLR": ["lambda e: 0.9**e", "[lambda e: 1 / (e + 1), lambda e: 2.0]"],
    "MultiplicativeLR": ["lambda e: 0.9"],
    "StepLR": ["3", "2, gamma=0.5"],
    "MultiStepLR": ["[2, 5, 5, 11], gamma=0.5"],
    "ConstantLR": ["", "factor=0.5, total_iters=4"],
    "LinearLR": ["", "start_factor=0.2, end_factor=0.8, total_iters=7"],
    "ExponentialLR": ["0.9"],
    "PolynomialLR": ["total_iters=8, power=2.0"],
    "CosineAnnealingLR": ["6", "5, eta_min=0.01"],
    "CosineAnnealingWarmRestarts": ["4", "3, T_mult=2, eta_min=0.01"],
    "CyclicLR": [
        "0.01, 0.1, step_size_up=3", "[0.01, 0.02], [0.1, 0.2], step_size_up=2, step_size_down=4, mode='triangular2'",
        "0.01, 0.1, step_size_up=3, mode='exp_range', gamma=0.9",
        "0.01, 0.1, 3, scale_fn=lambda x: 0.5, scale_mode='iterations'",
    ],
    "OneCycleLR": ["1.0, total_steps=22", "[0.5, 1.0], epochs=11, steps_per_epoch=2, anneal_strategy='linear'",
                   "1.0, total_steps=22, three_phase=True, pct_start=0.4"],
}  # fmt: skip
SCHEDULE = """
params = [torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)]
opt = optim.{kind}([{{"params": [params[0]], "lr": 0.3}}, {{"params": [params[1]]}}], lr=0.1)
sched = optim.lr_scheduler.{name}(opt, {options})
lrs = []
for step in range(20):
    lrs.append([sched.get_last_lr(), [{{k: v for k, v in g.items() if k in ("lr", "momentum",
    "betas")}} for g in opt.param_groups]])
    opt.step()
    sched.step()
note("lrs", lrs)
note("epoch", [sched.last_epoch, sched.base_lrs])
state = {{k: v for k, v in sched.state_dict().items() if not k.startswith("_") and k != "lr_lambdas"}}
note("state", state)
twin = optim.lr_scheduler.{name}(optim.{kind}([{{"params": [p]}} for p in params], lr=0.5), {options})
twin.load_state_dict(sched.state_dict())
note("loaded", [twin.last_epoch, twin.get_last_lr()])
if "{name}" in ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR",
                "CosineAnnealingWarmRestarts"):
    sched.step(2)
    note("by epoch", sched.get_last_lr())
"""
COMPOSED = """
def begin(lr=0.1):
    return optim.SGD([torch.ones(1, requires_grad=True)], lr=lr, momentum=0.9)
S = optim.lr_scheduler
def trace(sched, opt, n=14):
    found = []
    for _ in range(n):
        found.append([opt.param_groups[0]["lr"], sched.get_last_lr()])
        opt.step()
        sched.step()
    return found
opt = begin()
seq = S.SequentialLR(opt, [S.LinearLR(opt, 0.1, total_iters=4), S.ExponentialLR(opt, 0.9), S.StepLR(opt, 2)], [4, 8])
note("sequential", trace(seq, opt))
note("sequential state", [seq.last_epoch, sorted(seq.state_dict()), len(seq.state_dict()["_schedulers"])])
opt = begin()
note("chained", trace(S.ChainedScheduler([S.ConstantLR(opt, 0.5, 3), S.ExponentialLR(opt, 0.9)]), opt))
opt = begin()
inner = S.SequentialLR(opt, [S.ConstantLR(opt, 0.5, 2), S.ExponentialLR(opt, 0.9)], [3])
note("nested", trace(S.SequentialLR(opt, [inner, S.StepLR(opt, 1, 0.5)], [6]), opt))
for options in ({}, dict(mode="max", factor=0.5, patience=1), dict(patience=0, cooldown=2, min_lr=0.02),
                dict(threshold=0.1, threshold_mode="abs", patience=1)):
    opt = begin()
    sched = S.ReduceLROnPlateau(opt, **options)
    lrs = []
    for measure in (1.0, 0.9, 0.95, 0.95, 0.89, 0.91, 0.95, 0.95, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3,
    0.3, 0.3):
        sched.step(measure)
        lrs.append([opt.param_groups[0]["lr"], sched.num_bad_epochs, sched.best, sched.in_cooldown])
    note(f"plateau {options}", lrs)
    note(f"plateau state {options}", {k: v for k, v in sched.state_dict().items() if not k.startswith("_")})
opt = begin()
for place, trial in enumerate((
    lambda: S.StepLR(3, 1), lambda: S.LambdaLR(opt, [lambda e: 1, lambda e: 2]), lambda: S.MultiplicativeLR(opt, 3),
    lambda: S.ConstantLR(opt, 2.0), lambda: S.LinearLR(opt, 0.0), lambda: S.LinearLR(opt, 0.5, 2.0),
    lambda: S.CosineAnnealingWarmRestarts(opt, 0), lambda: S.CosineAnnealingWarmRestarts(opt, 1, 0),
    lambda: S.CyclicLR(opt, [0.1, 0.2], 1.0), lambda: S.CyclicLR(opt, 0.1, 1.0, mode="x"),
    lambda: S.CyclicLR(optim.Adagrad([torch.ones(1, requires_grad=True)]), 0.1, 1.0), lambda: S.OneCycleLR(opt, 1.0),
    lambda: S.OneCycleLR(opt, 1.0, total_steps=0), lambda: S.OneCycleLR(opt, 1.0, epochs=0, steps_per_epoch=2),
    lambda: S.OneCycleLR(opt, 1.0, 10, pct_start=2), lambda: S.OneCycleLR(opt, 1.0, 10, anneal_strategy="x"),
    lambda: S.ReduceLROnPlateau(opt, "x"), lambda: S.ReduceLROnPlateau(opt, factor=1.0),
    lambda: S.ReduceLROnPlateau(opt, threshold_mode="x"), lambda: S.ReduceLROnPlateau(opt, min_lr=[1, 2]),
    lambda: S.SequentialLR(opt, [], []), lambda: S.SequentialLR(opt, [S.StepLR(opt, 1)], [1]),
    lambda: S.SequentialLR(opt, [S.ReduceLROnPlateau(opt)], []), lambda: S.ChainedScheduler([]),
    lambda: S.SequentialLR(opt, [S.StepLR(begin(), 1)], []) if False else None, lambda: S.LRScheduler(opt),
    lambda: S.StepLR(optim.SGD([torch.ones(1, requires_grad=True)]), 1, last_epoch=3),
)):
    with errors(str(place)):
        trial()
short = S.OneCycleLR(begin(), 1.0, total_steps=1)
with errors("too far"):
    for _ in range(4):
        short.step()
"""
DATA = """
D = data
torch.manual_seed(5)
ds = D.TensorDataset(torch.arange(11), torch.arange(11.0) / 2)
def order(loader):
    return [batch[0] for batch in loader]
loader = D.DataLoader(ds, batch_size=3, shuffle=True)
note("two epochs", [order(loader), order(loader)])
note("next", torch.rand(2))
note("dropped", order(D.DataLoader(ds, 4, True, drop_last=True)))
g = torch.Generator().manual_seed(3)
note("generator", [order(D.DataLoader(ds, 4, shuffle=True, generator=g)), order(D.DataLoader(ds, 4, generator=g))])
note("after", torch.rand(1, generator=g))
note("sampler", order(D.DataLoader(ds, 2, sampler=D.SubsetRandomSampler([1, 3, 5, 7]))))
note("weighted", list(D.WeightedRandomSampler([0.1, 0.5, 0.4], 5)))
note("weighted once", list(D.WeightedRandomSampler([0.1, 0.5, 0.4], 3, replacement=False)))
note("random", [list(D.RandomSampler(ds)), list(D.RandomSampler(ds, num_samples=15))])
note("replaced", [list(D.RandomSampler(ds, replacement=True)), list(D.RandomSampler(ds, True, 40))])
note("batches", [list(D.BatchSampler(D.SequentialSampler(ds), 4, drop)) for drop in (True, False)])
note("by batches", order(D.DataLoader(ds, batch_sampler=[[0, 5], [2], [1, 1, 1]])))
note("alone", [x for x in D.DataLoader(ds, batch_size=None)][:2])
note("lengths", [len(loader), len(D.DataLoader(ds, 4, drop_last=True)), len(D.DataLoader(ds, batch_size=None)),
    len(ds)])
parts = D.random_split(ds, [5, 6])
note("split", [p.indices for p in parts])
note("fractions", [p.indices for p in D.random_split(range(10), [0.55, 0.25, 0.2])])
note("seeded split", [p.indices for p in D.random_split(ds, [4, 7], generator=torch.Generator().manual_seed(42))])
note("subset", [parts[0][1], parts[0][[0, 1]], len(parts[1]), order(D.DataLoader(parts[0], 2))])
both = D.ConcatDataset([ds, D.TensorDataset(torch.ones(2), torch.zeros(2))])
note("both", [len(both), both[11], both[-1], both.cumulative_sizes, len(ds + ds)])
stacked = D.StackDataset(ds, range(11))
note("stacked", [stacked[2], len(stacked), D.StackDataset(a=ds, b=range(11))[3]])
class Count(D.IterableDataset):
    def __init__(self, n): self.n = n
    def __iter__(self): return iter(range(self.n))
    def __len__(self): return self.n
note("row", [list(D.DataLoader(Count(7), batch_size=b, drop_last=d)) for b, d in ((3, False), (3, True), (None,
    False))])
note("row length", [len(D.DataLoader(Count(7), 3)), len(D.DataLoader(Count(7), 3, drop_last=True)),
    len(Count(3) + Count(4))])
note("chained", list(Count(2) + Count(3)))
c = D.default_collate
note("collate", [c([1, 2]), c([1.5, 2.5]), c(["a", "b"]), c([{"x": 1, "y": (2, "z")}] * 2), c([(1, 2), (3, 4)]),
    c([[1, 2], [3, 4]]),
                 c([torch.ones(2), torch.zeros(2)]), c([True, False])])
note("converted", D.default_convert([1, (2.0, "a"), {"k": [3]}]))
note("own", list(D.DataLoader(range(5), 2, collate_fn=lambda b: sum(b))))
note("workers", order(D.DataLoader(ds, 4, num_workers=0, pin_memory=False)))
for place, trial in enumerate((
    lambda: D.TensorDataset(torch.ones(2), torch.ones(3)), lambda: D.random_split(ds, [1, 2]),
    lambda: D.random_split(ds, [1.5, -0.5]), lambda: D.ConcatDataset([]), lambda: D.ConcatDataset([Count(1)]),
    lambda: both[-20],
    lambda: D.StackDataset(), lambda: D.StackDataset(ds, range(3)), lambda: D.StackDataset(ds, a=ds),
    lambda: D.RandomSampler(ds, 3), lambda: D.RandomSampler(ds, num_samples=0),
    lambda: D.WeightedRandomSampler([1.0], 0),
    lambda: D.WeightedRandomSampler([[1.0]], 1), lambda: D.WeightedRandomSampler([1.0], 1, 3),
    lambda: D.BatchSampler(ds, 0, False), lambda: D.BatchSampler(ds, 1, 3), lambda: D.DataLoader(ds, num_workers=-1),
    lambda: D.DataLoader(ds, timeout=-1), lambda: D.DataLoader(ds, prefetch_factor=2),
    lambda: D.DataLoader(ds, persistent_workers=True),
    lambda: D.DataLoader(Count(2), shuffle=True), lambda: D.DataLoader(ds, shuffle=True, sampler=[1]),
    lambda: D.DataLoader(ds, batch_sampler=[[1]], batch_size=2),
    lambda: D.DataLoader(ds, batch_size=None, drop_last=True),
    lambda: D.DataLoader(ds, batch_size=0), lambda: c([[1], [1, 2]]), lambda: c([torch.ones(1), torch.ones(2)]),
    lambda: D.Dataset()[0], lambda: setattr(loader, "batch_size", 3),
)):
    with errors(str(place)):
        trial()
"""


def programs() -> dict[str, str]:
    """Every program of this module by name."""
    made = {
        f"optim.{name}({options})": OPTIMISER.format(name=name, options=options, count=1 if name == "Muon" else 2)
        for name, variants in OPTIMISERS.items()
        for options in variants
    }
    for name, variants in SCHEDULES.items():
        for options in variants:
            for kind in ("SGD", "Adam") if name in ("OneCycleLR", "CyclicLR") else ("SGD",):
                made[f"{name}({options}) of {kind}"] = SCHEDULE.format(name=name, options=options, kind=kind)
    return made | {"parameter groups": GROUPS, "composed schedules": COMPOSED, "data": DATA}
