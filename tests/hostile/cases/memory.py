"""Single ops that allocate far more than their arguments: found before the work, and never by an OOM killer."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import OK, OVER, REFUSED, STOPPED, Family, Weight

FAMILY: Final = Family("memory", kills=True)
heavy: Final = {"weight": Weight.HEAVY}
code = FAMILY.code
F: Final = "F = torch.nn.functional\n"

# Those that the service let through once, with what they took then.
code("var of (322122548, 0)", "v = torch.zeros(322122548, 0).var(1)", OVER, **heavy)
code(
    "pad by replication",
    "x = torch.zeros(1, 1, 4)\ny = torch.nn.functional.pad(x, (400000000, 400000000), mode='replicate')",
    OVER,
    **heavy,
)
code("pdist of 40,000", "d = torch.nn.functional.pdist(torch.zeros(40000, 1))", OVER, **heavy)
code(
    "addmm of two long vectors",
    "a = torch.addmm(torch.zeros(1), torch.zeros(50000, 1), torch.zeros(1, 50000))",
    OVER,
    **heavy,
)
code(
    "one_hot with many classes",
    "h = torch.nn.functional.one_hot(torch.zeros(100000, dtype=torch.int64), 10000)",
    OVER,
    **heavy,
)
code("prod of (n, 0)", "p = torch.zeros(322122548, 0).prod(1)", OVER, **heavy)
code("logsumexp of (n, 0)", "p = torch.zeros(322122548, 0).logsumexp(1)", OVER, **heavy)
code("sum of (n, 0)", "p = torch.zeros(322122548, 0).sum(1)", OVER, **heavy)
code("std of (n, 0)", "p = torch.zeros(322122548, 0).std(1)", OVER, **heavy)
code("any of (n, 0)", "p = torch.zeros(2000000000, 0).any(1)", OVER, **heavy)
code("softmax of an expanded scalar", "p = torch.zeros(1).expand(1000000000).softmax(0)", OVER, **heavy)

# Sizes that nobody has.
for name, expression in {
    "zeros of 2**62": "torch.zeros(2**62)",
    "zeros whose sizes overflow": "torch.zeros(2**32, 2**32)",
    "zeros whose bytes overflow": "torch.zeros(2**61 + 1, dtype=torch.float64)",
    "empty of a terabyte": "torch.empty(10**6, 10**6)",
    "randn of a terabyte": "torch.randn(10**6, 10**6)",
    "arange to 10**12": "torch.arange(10**12)",
    "arange with a tiny step": "torch.arange(0.0, 1.0, 1e-12)",
    "linspace with 10**11 steps": "torch.linspace(0, 1, 10**11)",
    "eye of a million": "torch.eye(1000000)",
    "randperm of 10**11": "torch.randperm(10**11)",
    "full of 10**11": "torch.full((10**11,), 1.0)",
    "tril_indices of 10**6": "torch.tril_indices(10**6, 10**6)",
    "repeat 10**11 times": "torch.ones(1).repeat(10**11)",
    "tile to a terabyte": "torch.ones(1000).tile(10**9)",
    "repeat_interleave with a huge count": "torch.ones(1).repeat_interleave(10**11)",
    "repeat_interleave with counts in a tensor": "torch.ones(2).repeat_interleave(torch.tensor([10**11, 1]))",
    "a contiguous copy of an expanded one": "torch.ones(1).expand(10**11).contiguous()",
    "clone of an expanded one": "torch.ones(1, 1).expand(10**6, 10**6).clone()",
    "a sum of two crossed vectors": "torch.ones(10**6, 1) + torch.ones(1, 10**6)",
    "outer of two long vectors": "torch.outer(torch.ones(10**6), torch.ones(10**6))",
    "kron of two matrices": "torch.kron(torch.ones(2000, 2000), torch.ones(2000, 2000))",
    "diag_embed of a long vector": "torch.diag_embed(torch.ones(10**6))",
    "diag of a long vector": "torch.diag(torch.ones(10**6))",
    "bincount with minlength": "torch.bincount(torch.tensor([1]), minlength=10**11)",
    "bincount of a large value": "torch.bincount(torch.tensor([10**11]))",
    "histc with many bins": "torch.histc(torch.ones(3), bins=10**11)",
    "one_hot of a large class": "torch.nn.functional.one_hot(torch.tensor([10**11]))",
    "combinations of 10,000 by 4": "torch.combinations(torch.arange(10000), 4)",
    "cartesian_prod of six": "torch.cartesian_prod(*[torch.arange(1000)] * 6)",
    "meshgrid of long vectors": "[t.contiguous() for t in torch.meshgrid(torch.arange(10**6), torch.arange(10**6))]",
    "vander with many columns": "torch.vander(torch.ones(1000), 10**9)",
    "multinomial with replacement": "torch.multinomial(torch.ones(2), 10**11, replacement=True)",
    "block_diag of many": "torch.block_diag(*[torch.ones(300, 300)] * 2000)",
    "stack of one tensor many times": "torch.stack([torch.ones(1000000)] * 100000)",
    "cat of one tensor many times": "torch.cat([torch.ones(1000000)] * 100000)",
    "index_select with an expanded index": (
        "torch.ones(1000, 1000).index_select(0, torch.zeros(1, dtype=torch.int64).expand(10**9))"
    ),
    "indexing with an expanded index": "torch.ones(1000, 1000)[torch.zeros(1, dtype=torch.int64).expand(10**8)]",
    "gather with an expanded index": (
        "torch.ones(1, 1).gather(0, torch.zeros(1, 1, dtype=torch.int64).expand(10**11, 1))"
    ),
    "take with an expanded index": "torch.ones(1).take(torch.zeros(1, dtype=torch.int64).expand(10**11))",
    "embedding with an expanded index": (
        "torch.nn.functional.embedding(torch.zeros(1, dtype=torch.int64).expand(10**8), torch.ones(1, 1000))"
    ),
    "nonzero of an expanded one": "torch.ones(1).expand(10**10).nonzero()",
    "masked_select of an expanded one": "torch.ones(1).expand(10**10).masked_select(torch.ones(1).expand(10**10) > 0)",
    "where with crossed shapes": "torch.where(torch.ones(10**6, 1) > 0, torch.ones(1, 10**6), 0.0)",
    "pad with a constant": "torch.nn.functional.pad(torch.ones(1), (10**10, 10**10))",
    "interpolate by 100,000": "torch.nn.functional.interpolate(torch.ones(1, 1, 8, 8), scale_factor=100000)",
    "a transposed convolution with a huge stride": (
        "torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 9, 9), torch.ones(1, 1, 1, 1), stride=100000)"
    ),
    "unfold to many patches": "torch.nn.functional.unfold(torch.ones(1, 1, 8000, 8000), 50)",
    "tensor.unfold made contiguous": "torch.ones(1000000).unfold(0, 500000, 1).contiguous()",
    "fold to a huge image": (
        "torch.nn.functional.fold(torch.ones(1, 1, 1), (1, 1), 1, padding=0).expand(10**11, 1, 1, 1) + 1"
    ),
    "matmul of a broadcast batch": "torch.ones(10**6, 1, 100, 1) @ torch.ones(1, 10**6, 1, 100)",
    "tensordot to a terabyte": "torch.tensordot(torch.ones(10**6, 1), torch.ones(1, 10**6), 1)",
    "cdist of half a million": "torch.cdist(torch.ones(500000, 1), torch.ones(500000, 1))",
    "searchsorted of an expanded one": "torch.searchsorted(torch.ones(3), torch.ones(1).expand(10**11))",
    "tolist of 50 million": "torch.ones(1).expand(50000000).tolist()",
    "item text of an expanded one": "str(torch.ones(1).expand(3 * 10**8).tolist())",
    "as_strided out of nothing": "torch.ones(2).as_strided((10**6, 10**6), (0, 0)) + 1",
    "to another dtype": "torch.ones(1).expand(10**11).to(torch.float64)",
    "cumsum of an expanded one": "torch.ones(1).expand(10**11).cumsum(0)",
    "flip of an expanded one": "torch.ones(1).expand(10**11).flip(0)",
    "roll of an expanded one": "torch.ones(1).expand(10**11).roll(1)",
    "sort of an expanded one": "torch.ones(1).expand(10**10).sort()",
    "dropout of an expanded one": "torch.nn.functional.dropout(torch.ones(1).expand(10**11))",
    "bernoulli of an expanded one": "torch.full((1,), 0.5).expand(10**11).bernoulli()",
    "normal with a huge size": "torch.normal(0.0, 1.0, (10**6, 10**6))",
    "randint with a huge size": "torch.randint(0, 9, (10**6, 10**6))",
    "print of an expanded one": "str(torch.ones(1).expand(10**11))",
}.items():
    # Names that are lacking, and sizes that PyTorch itself refuses, are answered as such.
    long = {"weight": Weight.HEAVY} if "broadcast batch" in name or "tolist" in name else {}
    code(name, f"y = {expression}", STOPPED | (OK if name.startswith("print") else REFUSED), **long)

for name, size in {
    "negative": "-1",
    "fractional": "1.5",
    "not a number": "float('nan')",
    "a text": "'9'",
    "None": "None",
}.items():
    code(f"zeros of a size that is {name}", f"x = torch.zeros({size})", REFUSED)
code("a tensor of 65 dimensions", "x = torch.zeros([1] * 65)", OVER | REFUSED)
code(
    "views of 64 dimensions",
    "x = torch.zeros([1] * 64)\nfor i in range(200):\n    x = x.transpose(0, 63)[None][0]",
    OK | OVER | REFUSED,
)

# Many results: each a Python object, far larger than what it shows.
code("tensor_split into two million", "p = torch.zeros(10).tensor_split(2000000)", STOPPED, **heavy)
code("tensor_split at a million places", "p = torch.zeros(10).tensor_split([0] * 1000000)", STOPPED | REFUSED, **heavy)
code("split of 50 million", "p = torch.zeros(50000000).split(1)", STOPPED, **heavy)
code("chunk into 50 million", "p = torch.zeros(50000000).chunk(50000000)", STOPPED, **heavy)
code("unbind of 50 million", "p = torch.zeros(50000000).unbind()", STOPPED, **heavy)
code("unbind of (n, 0)", "p = torch.zeros(2000000000, 0).unbind()", STOPPED, **heavy)
code("list of 50 million views", "p = list(torch.zeros(50000000))", STOPPED | REFUSED, **heavy)
code(
    "views of views, kept",
    "l = []\nx = torch.zeros(10)\nfor i in range(99000):\n    x = x.view(10)\n    l.append(x)",
    STOPPED | OK,
    weight=Weight.SLOW,
)
code(
    "a gigabyte in pieces",
    "l = []\nfor i in range(4000):\n    l.append(torch.ones(250000))",
    STOPPED,
    weight=Weight.SLOW,
)
code(
    "memory that is dropped and taken again",
    "for i in range(2000):\n    x = torch.ones(2500000)",
    STOPPED | OK,
    weight=Weight.SLOW,
)
