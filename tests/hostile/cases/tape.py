"""Graphs that grow: nodes, saved tensors and cotangents are memory as any other."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import OK, OVER, REFUSED, STOPPED, Family, Weight

FAMILY: Final = Family("tape", kills=True)
heavy: Final = {"weight": Weight.HEAVY}
slow: Final = {"weight": Weight.SLOW}
code = FAMILY.code

code(
    "loop of small ops under grad",
    "x = torch.ones(4, requires_grad=True)\nl = []\nfor i in range(90000):\n"
    "    l.append((x * i).exp().sin().view(2, 2))",
    STOPPED | OK,
    **heavy,
)
code(
    "a chain of 90,000 nodes and back",
    "x = torch.ones(1, requires_grad=True)\ny = x\nfor i in range(90000):\n    y = y * 1.0\ny.backward()",
    STOPPED | OK,
    **heavy,
)
code(
    "saved tensors of a long loop",
    "x = torch.ones(250000, requires_grad=True)\ny = x\nfor i in range(9000):\n    y = (y * 1.01).tanh()",
    STOPPED,
    **heavy,
)
code(
    "gradients of gradients, eight times",
    "x = torch.ones(3, requires_grad=True)\ny = (x.sin() * x.exp() * x.tanh()).sum()\n"
    "for i in range(8):\n    y = torch.autograd.grad(y.sum(), x, create_graph=True)[0] * x\n",
    STOPPED | OK,
    **slow,
)
code(
    "gradients of gradients, thirty times",
    "x = torch.ones(3, requires_grad=True)\ny = (x.sin() * x.exp() * x.tanh()).sum()\n"
    "for i in range(30):\n    y = torch.autograd.grad(y.sum(), x, create_graph=True)[0] * x\n",
    STOPPED | OK,
    **heavy,
)
code(
    "a graph that doubles at each step",
    "x = torch.ones(1, requires_grad=True)\ny = x\nfor i in range(60):\n    y = y + y\ny.backward()",
    OK | REFUSED,
)
code(
    "an in-place chain over one base",
    "x = torch.ones(100000, requires_grad=True)\ny = x * 1\nfor i in range(20000):\n"
    "    y[i:i + 2].mul_(2)\ny.sum().backward()",
    STOPPED | OK,
    **heavy,
)
code(
    "views of written views",
    "b = torch.ones(1000, requires_grad=True) * 1\nv = b\nfor i in range(900):\n    v = v[1:]\n"
    "    v.mul_(1.0)\nb.sum().backward()",
    STOPPED | OK,
    **slow,
)
code(
    "backward over a retained graph, again and again",
    "x = torch.ones(500000, requires_grad=True)\ny = (x * x).sum()\nfor i in range(20000):\n"
    "    y.backward(retain_graph=True)",
    STOPPED,
    **heavy,
)
code(
    "gradients that never end up anywhere",
    "x = torch.ones(500000, requires_grad=True)\nl = []\nfor i in range(5000):\n"
    "    l.append(torch.autograd.grad((x * i).sum(), x)[0])",
    STOPPED,
    **heavy,
)
code(
    "an optimiser over thousands of parameters",
    "p = [torch.ones(1, requires_grad=True) for i in range(5000)]\no = torch.optim.Adam(p)\n"
    "for i in range(500):\n    o.step()",
    STOPPED | OK | REFUSED,
    **slow,
)
code(
    "a jacobian of a million rows",
    "x = torch.ones(1000, requires_grad=True)\nj = torch.autograd.functional.jacobian(lambda t: t.repeat(1000), x)",
    STOPPED | REFUSED,
    **heavy,
)
code(
    "a hessian of 100,000 variables",
    "h = torch.autograd.functional.hessian(lambda t: (t ** 3).sum(), torch.ones(100000))",
    STOPPED | REFUSED,
    **heavy,
)
code(
    "a seed that is broadcast to a terabyte",
    "x = torch.ones(1, requires_grad=True)\ny = x.expand(10**12)\ny.backward(torch.ones(1).expand(10**12))",
    OVER | REFUSED | OK,
)
code(
    "a gradient far larger than its cause",
    "x = torch.ones(1, requires_grad=True)\n(x.expand(10**11) * 2).sum().backward()",
    OVER,
)
code(
    "an index that gathers one element a billion times",
    "x = torch.ones(3, requires_grad=True)\ni = torch.zeros(1, dtype=torch.int64).expand(10**9)\nx[i].sum().backward()",
    OVER,
)
code(
    "a select of a huge expanded base",
    "x = torch.zeros(1, requires_grad=True)\ny = x.expand(10**9)[0]\ny.backward()",
    OK | OVER,
)
code(
    "saved lists of a stack",
    "x = torch.ones(1, requires_grad=True)\ny = torch.stack([x] * 900000)\ny.sum().backward()",
    STOPPED | OK,
    **slow,
)
