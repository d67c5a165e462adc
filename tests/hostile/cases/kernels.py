"""Kernels that run for long, in one call: no check between two ops sees them, only an end to their process does."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import OK, STOPPED, Family, Weight, problem

FAMILY: Final = Family("kernels", weight=Weight.HEAVY, kills=True)
ABSENT: Final = problem(422, "not-available")  # as long as the service lacks the op
code = FAMILY.code

code("matmul of 9000 by 9000", "a = torch.ones(9000, 9000)\nb = a @ a", STOPPED)
code("svd of 3600 by 3600", "torch.manual_seed(0)\nu = torch.linalg.svd(torch.randn(3600, 3600))", STOPPED)
code("eig of 1500 by 1500", "w = torch.linalg.eig(torch.rand(1500, 1500))", STOPPED | ABSENT | OK)
code("eigh of 4000 by 4000", "w = torch.linalg.eigh(torch.rand(4000, 4000))", STOPPED)
code("inverse of 7000 by 7000", "a = torch.linalg.inv(torch.rand(7000, 7000) + torch.eye(7000))", STOPPED)
code("solve of 8000 by 8000", "a = torch.rand(8000, 8000)\nx = torch.linalg.solve(a, a[0])", STOPPED)
code("pinv of 3000 by 3000", "a = torch.linalg.pinv(torch.rand(3000, 3000))", STOPPED | ABSENT)
code("matrix_exp of 2500 by 2500", "a = torch.matrix_exp(torch.rand(2500, 2500))", STOPPED | ABSENT)
code("matrix_power with a huge exponent", "a = torch.linalg.matrix_power(torch.eye(1500), 2**62 - 1)", STOPPED)
code("svd of a batch of 200,000", "u = torch.linalg.svd(torch.rand(200000, 8, 8))", STOPPED | OK)
code(
    "svd in float64 with its gradient",
    "x = torch.rand(1500, 1500, dtype=torch.float64, requires_grad=True)\ntorch.linalg.svdvals(x).sum().backward()",
    STOPPED,
)
code("cdist of 20,000 points", "a = torch.rand(20000, 300)\nd = torch.cdist(a[:12000], a)", STOPPED | ABSENT | OK)
code(
    "einsum of a long chain",
    "a = torch.ones(3000, 3000)\nb = torch.einsum('ij,jk,kl,lm,mn->in', a, a, a, a, a)",
    STOPPED,
)
code(
    "einsum over 24 letters",
    "a = torch.ones(2, 2)\n"
    "b = torch.einsum('ab,cd,ef,gh,ij,kl,mn,op,qr,st,uv,wx->acegikmoqsuwbdfhjlnprtvx', a, a, a, a, "
    "a, a, a, a, a, a, a, a)",
    STOPPED | OK,
)
code(
    "conv2d with a large kernel",
    "x = torch.ones(1, 64, 512, 512)\nw = torch.ones(64, 64, 31, 31)\ny = torch.nn.functional.conv2d(x, w, padding=15)",
    STOPPED | ABSENT,
)
code("sort of 60 million", "x = torch.rand(60000000).sort()", STOPPED | OK)
code("unique of 60 million", "x = torch.unique(torch.rand(60000000))", STOPPED | OK)
code(
    "cumulative products in long rows",
    "x = torch.rand(100, 1000000)\nfor i in range(50):\n    y = x.cumprod(1)",
    STOPPED,
)
code(
    "pow of complex numbers", "x = torch.ones(30000000, dtype=torch.complex64)\ny = x ** 0.3\nz = y ** y", STOPPED | OK
)
code(
    "special functions over 60 million",
    "x = torch.rand(60000000)\ny = torch.lgamma(x)\nz = torch.digamma(x)",
    STOPPED | OK,
)
code(
    "gradients of gradients of a matmul",
    "x = torch.rand(2500, 2500, requires_grad=True)\ny = (x @ x @ x).sum()\n"
    "g, = torch.autograd.grad(y, x, create_graph=True)\n(g * g).sum().backward()",
    STOPPED,
)
code(
    "a loop of kernels of half a second",
    "a = torch.rand(2800, 2800)\nb = a\nfor i in range(1000):\n    b = (b @ a) * 1e-3",
    STOPPED,
)
code(
    "multinomial, 1000 of a million",
    "s = torch.multinomial(torch.ones(1000000), 1000)",
    OK,
    weight=Weight.SLOW,
    kills=False,
)
code("svd of 512 by 512", "u, s, v = torch.linalg.svd(torch.eye(512))", OK, weight=Weight.SLOW, kills=False)
code(
    "a complete qr of 1000 by 3",
    "q, r = torch.linalg.qr(torch.ones(1000, 3), mode='complete')",
    OK,
    weight=Weight.SLOW,
    kills=False,
)
code("sleep by counting", "i = 0\nfor j in range(10**12):\n    i = i + 1", STOPPED)
