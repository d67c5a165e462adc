"""Modules, optimisers and schedules in programs: classes derived from them, their private names, their refusals."""

from __future__ import annotations

import pytest

from app.limits import Limits
from app.program.from_code import parse_code
from app.program.interpret import run
from app.program.tree import ProgramError
from engine import modes


def prints(code: str) -> list[str]:
    with modes.use(modes.State(warnings=[])):
        return run(parse_code(f"import torch\nfrom torch import nn\n{code}", Limits()), {}, limits=Limits()).prints


NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self._fc = nn.Linear(2, 1, bias=False)
        self._w = nn.Parameter(torch.ones(1))
        self._k = 3
        nn.init.ones_(self._fc.weight)

    def forward(self, x):
        return self._fc(x) * self._w * self._k

net = Net()
"""


def test_parameters_and_children_may_have_private_names() -> None:
    code = NET + "print(net, [n for n, _ in net.named_parameters()], net(torch.ones(1, 2)).item(), list(net._modules))"
    assert prints(code) == [
        "Net(\n  (_fc): Linear(in_features=2, out_features=1, bias=False)\n) ['_w', '_fc.weight'] 6.0 ['_fc']"
    ]


def test_a_private_name_stays_a_parameter() -> None:
    code = (
        NET + "net._w = nn.Parameter(torch.zeros(1))\nprint(net(torch.ones(1, 2)).item(), len(list(net.parameters())))"
    )
    assert prints(code) == ["0.0 2"]
    with pytest.raises(ProgramError, match="cannot assign 'int' as parameter '_w'"):
        prints(NET + "net._w = 3")


@pytest.mark.parametrize("name", ["_parameters", "_hooks", "_non_persistent", "_path", "_apply", "_state"])
def test_names_of_ours_take_no_part_of_a_module(name: str) -> None:
    assert prints(NET + f"net.{name} = nn.Linear(1, 1)\nprint(len(list(net.parameters())))") == ["2"]


def test_optimisers_and_schedules_may_be_derived() -> None:
    code = """
class Descent(torch.optim.Optimizer):
    def __init__(self, params, lr=0.5):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"])

class Halving(torch.optim.lr_scheduler.LRScheduler):
    def get_lr(self):
        return [rate * 0.5 ** self.last_epoch for rate in self.base_lrs]

w = torch.ones(1, requires_grad=True)
opt = Descent([w])
sched = Halving(opt)
(w * w).sum().backward()
opt.step()
sched.step()
print(opt, w.item(), sched.get_last_lr())
"""
    assert prints(code) == ["Descent (\nParameter Group 0\n    initial_lr: 0.5\n    lr: 0.25\n) 0.0 [0.25]"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("nn.Linear()", "Linear.__init__() missing 2 required positional arguments: 'in_features' and 'out_features'"),
        ("nn.Linear(2, 2)()", "Linear.forward() missing 1 required positional argument: 'input'"),
        ("nn.Linear(2, 2, color=1)", "Linear.__init__() got an unexpected keyword argument 'color'"),
        ("nn.ReLU()(3)", "relu(): argument 'input' (position 1) must be Tensor, not int"),
        ("nn.Upsample(1, [1, 2])", "float() argument must be a string or a real number, not 'list'"),
        ("nn.Module().x", "'Module' object has no attribute 'x'"),
    ],
)
def test_wrong_calls_are_refused_in_pythons_words(code: str, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        prints(code)
    assert str(caught.value) == message


def test_flags_of_absent_devices_change_nothing() -> None:
    code = "torch.backends.cudnn.benchmark = True\nprint(torch.backends.cudnn.benchmark, torch.cuda.is_available())"
    assert prints(code) == ["False False"]
