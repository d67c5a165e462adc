"""Statements that compute a tensor from others: pointwise, reductions, matrices, indices, joins, dtypes, texts."""

from __future__ import annotations

from tests.parity import leaves
from tests.parity.scope import Guess, Maker, Scope, Shape, broadcast
from tests.parity.views import REAL, expression

UNARY = (
    "exp", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "neg", "square", "sqrt", "log", "log1p", "expm1", "sign",
    "floor", "round", "reciprocal", "rsqrt", "erf", "atan", "clone", "angle", "sgn", "trunc", "frac", "sinh", "logit",
    "isnan", "isfinite", "logical_not",
)  # fmt: skip
FUNCTIONS = (
    "F.relu({})", "F.gelu({})", "F.silu({})", "F.softplus({})", "F.leaky_relu({}, 0.1)", "F.elu({})", "F.mish({})",
    "F.hardtanh({})", "F.logsigmoid({})", "F.selu({})", "F.softsign({})", "torch.exp({})", "torch.zeros_like({})",
    "torch.ones_like({})", "{}.clamp(-0.5, 1)", "{}.clamp(min=0)", "{}.pow(2)", "{} ** 2", "{} ** 0.5", "2 ** {}",
    "{}.clone()", "{} * 2", "3 - {}", "{} / 4", "1 / {}", "{} + 1", "-{}", "{} - 0.5", "{} // 2", "{} % 3",
    "{}.contiguous()", "{}.nan_to_num()", "{}.cumsum(0)", "{}.flip(0)", "{}.roll(1, 0)", "{}.repeat(2, 1)",
    "{}.tile(2)", "{}.triu()", "{}.tril(-1)", "{}.where({} > 0, 0)", "torch.where({} > 0, {}, -1.0)",
    "{}.masked_fill({} > 1, 0)", "{}.new_zeros(2)", "{}.new_ones((2, 3))", "{}.softmax(-1)", "{}.log_softmax(-1)",
    "{}.cumprod(0)", "{}.logcumsumexp(0)", "{}.diff()", "{}.sort()[0]", "{}.sort(descending=True).values",
    "{}.argsort()", "{}.cummax(0)[0]", "{}.renorm(2, 0, 1.0)", "{}.rot90()", "{}.repeat_interleave(2)", "{} * 1j",
    "{}.reshape(-1)", "torch.full_like({}, 3)", "F.pad({}, (1, 1))", "{}.fliplr()", "torch.diag({})",
)  # fmt: skip
BINARY = (
    "{} + {}", "{} - {}", "{} * {}", "{} * {}", "{} / {}", "{}.add({}, alpha=2)", "{}.sub({})", "torch.mul({}, {})",
    "torch.maximum({}, {})", "torch.minimum({}, {})", "torch.where({} > 0, {}, 0)", "{} > {}", "{} == {}",
    "torch.atan2({}, {})", "{}.lerp({}, 0.25)", "{} ** {}", "{} // {}", "{} % {}", "torch.hypot({}, {})",
    "torch.logaddexp({}, {})", "{}.copysign({})", "torch.stack([{}, {}])", "torch.cat([{}, {}])",
    "torch.complex({}, {})",
    "{}.xlogy({})", "{}.type_as({})", "{}.expand_as({})", "{}.fmod({})", "{}.logical_and({})", "torch.hstack([{}, {}])",
    "F.mse_loss({}, {})", "F.l1_loss({}, {})", "F.smooth_l1_loss({}, {})", "{}.dist({})", "torch.outer({}, {})",
    "{}.addcmul({}, {}, value=0.5)", "{}.addcdiv({}, {})", "{}.equal({})", "torch.add({}, {}, out={})",
)  # fmt: skip
REDUCTIONS = (
    "sum", "sum", "mean", "mean", "prod", "amax", "amin", "var", "std", "logsumexp", "norm", "any", "all",
    "count_nonzero", "max", "min", "median", "argmax", "nansum",
)  # fmt: skip
PAIRS = ("max", "min", "sort", "median", "mode", "cummax", "cummin", "topk", "kthvalue")
CASTS = (
    "{}.double()", "{}.float()", "{}.half()", "{}.to(torch.float64)", "{}.to(torch.bfloat16)", "{}.int()", "{}.long()",
    "{}.bool()", "{}.to(torch.complex64)", "{}.to(torch.float32)", "{}.to({}.dtype, copy=True)",
    "{}.type(torch.float64)",
)  # fmt: skip
CAST_DTYPES = (
    "float64", "float32", "float16", "float64", "bfloat16", "int32", "int64", "bool", "complex64", "float32", "",
    "float64"
)  # fmt: skip
TEXTS = (
    "repr({})", "repr({})", "str({})", "{}.tolist()", "{}.sum().item()", "float({}.sum())", "bool({})", "len({})",
    "{}.shape", "{}.size(-1)", "{}.stride(0)", "{}.numel()", "{}.is_contiguous()", "torch.equal({}, {})",
    "int({}.sum())",
    "torch.result_type({}, 1.5)", "{}.element_size()", "torch.is_tensor({})", "{}.allclose({})", "f'{{{}}}'",
    "{}.dim()", "torch.is_grad_enabled()", "{}.item()", "torch.can_cast({}.dtype, torch.int32)",
)  # fmt: skip


def statement(scope: Scope) -> str:
    """``c = a * b`` and its kin."""
    makers = (
        unary,
        function,
        function,
        binary,
        binary,
        binary,
        reduction,
        reduction,
        matrix,
        indexed,
        cast,
        pair,
        text,
    )
    return scope.rng.choice(makers)(scope)


def unary(scope: Scope) -> str:
    source = scope.where(lambda guess: guess.is_float or guess.is_complex)
    op = scope.rng.choice(UNARY)
    dtype = REAL.get(source.dtype, source.dtype) if op in ("abs", "angle") else source.dtype
    dtype = "bool" if op in UNARY[-3:] else dtype
    form = scope.rng.choice(("{}.{}()", "{}.{}()", "torch.{1}({0})"))
    return scope.assign(form.format(source.name, op), source, source.shape, dtype)


def function(scope: Scope) -> str:
    source = scope.where(lambda guess: guess.is_float or guess.ndim > 0)
    form = scope.rng.choice(FUNCTIONS)
    dtype = "int64" if "argsort" in form else source.dtype
    return scope.assign(_filled(form, [source.name]), source, source.shape, dtype)


def _filled(form: str, words: list[str]) -> str:
    """``form`` with the words in its places, the last for all that are left."""
    count = form.count("{}")
    return form.format(*(words + [words[-1]] * count)[:count])


def operand(scope: Scope, shape: Shape, dtype: str) -> tuple[str, Guess | None]:
    """Something to combine with a tensor of this shape: another one, a view, a literal, a number."""
    rng = scope.rng
    if scope.chance(0.15):
        return str(rng.choice((2, 0.5, -1, 3, True))), None
    other = scope.fitting(shape)
    if other is None or scope.chance(0.12):
        smaller = rng.choice((shape, shape[1:], ()))
        return leaves.tensor(scope, smaller, rng.choice((dtype, dtype, "float32", "int64"))), None
    if scope.chance(0.25):
        return expression(scope, other)[0], other
    return (scope.any().name if scope.chance(0.05) else other.name), other


def binary(scope: Scope) -> str:
    source = scope.any()
    text, shape = expression(scope, source) if scope.chance(0.3) else (source.name, source.shape)
    other, guess = operand(scope, shape, source.dtype)
    form = scope.rng.choice(BINARY[:6] if scope.chance(0.4) else BINARY)
    if guess is not None:
        shape = broadcast(shape, guess.shape) or shape
        source = source if source.requires_grad else guess if guess.is_float else source
    dtype = "bool" if form in ("{} > {}", "{} == {}") else source.dtype
    swapped = [other, text] if scope.chance(0.3) and guess is not None else [text, other]
    return scope.assign(_filled(form, swapped), source, shape, dtype)


def reduction(scope: Scope) -> str:
    source = scope.floating()
    op = scope.rng.choice(REDUCTIONS)
    if not source.ndim or scope.chance(0.45) or op in ("max", "min", "median"):
        return scope.assign(f"{source.name}.{op}()", source, ())
    dim, keepdim = scope.dim(source), scope.chance(0.3)
    place = dim % source.ndim
    shape = (*source.shape[:place], *((1,) if keepdim else ()), *source.shape[place + 1 :])
    if op == "norm":
        return scope.assign(f"{source.name}.norm({scope.rng.choice((1, 2, 3))}, {dim})", source, shape)
    return scope.assign(f"{source.name}.{op}({dim}{', keepdim=True' if keepdim else ''})", source, shape)


def pair(scope: Scope) -> str:
    """Two results by one call: values and where they stood."""
    source = scope.where(lambda guess: guess.ndim > 0 and guess.numel > 0)
    op, dim = scope.rng.choice(PAIRS), scope.dim(source)
    arguments = f"1, {dim}" if op in ("topk", "kthvalue") else f"{dim}"
    first, second = scope.new(), scope.new()
    place = dim % max(source.ndim, 1)
    shape = source.shape if op in ("sort", "cummax", "cummin") else source.shape[:place] + source.shape[place + 1 :]
    scope.bind(Guess(second, shape, "int64"))
    scope.bind(Guess(first, shape, source.dtype, source.requires_grad and scope.recording))
    return f"{first}, {second} = {source.name}.{op}({arguments})"


def matrix(scope: Scope) -> str:
    source = scope.where(lambda guess: guess.ndim == 2)
    rows, columns = (*source.shape, 1, 1)[:2]
    choices: tuple[tuple[str, Shape], ...] = (
        (f"{source.name} @ {source.name}.t()", (rows, rows)), (f"{source.name}.t() @ {source.name}",
        (columns, columns)),
        (f"{source.name} @ {leaves.tensor(scope, (columns, 2), source.dtype)}", (rows, 2)),
        (f"{source.name} @ {leaves.tensor(scope, (columns,), source.dtype)}", (rows,)),
        (f"torch.einsum('ij,kj->ik', {source.name}, {source.name})", (rows, rows)),
        (f"{source.name}.mv({source.name}[0])", (rows,)), (f"{source.name}.trace()", ()),
        (f"torch.addmm({source.name}, {source.name}, {source.name}, beta=0.5)", source.shape),
        (f"F.linear({source.name}, {source.name})", (rows, rows)), (f"{source.name}.det()", ()),
        (f"{source.name}.inverse()", source.shape), (f"torch.kron({source.name}, {source.name})",
        (rows**2, columns**2)),
        (f"{source.name}.unsqueeze(0).bmm({source.name}.t().unsqueeze(0))", (1, rows, rows)),
        (f"torch.matmul({source.name}[0], {source.name}[0])", ()), (f"{source.name}.matmul({source.name})",
        source.shape),
    )  # fmt: skip
    text, shape = scope.rng.choice(choices)
    return scope.assign(text, source, shape)


def indices(scope: Scope, extent: int, count: int = 2) -> str:
    """A list of indices, as Python writes it."""
    if not extent:
        return "[]"
    return str([scope.rng.randrange(-extent if scope.chance(0.1) else 0, extent) for _ in range(count)])


def indexed(scope: Scope) -> str:
    source = scope.where(lambda guess: guess.ndim > 0 and guess.numel > 0)
    extent, rest = (source.shape or (1,))[0], source.shape[1:]
    chosen = indices(scope, extent)
    index = f"torch.tensor({chosen})"
    full = f"torch.zeros({source.shape}, dtype=torch.int64)"
    choices: tuple[tuple[str, Shape], ...] = (
        (f"{source.name}[{chosen}]", (2, *rest)), (f"{source.name}[{index}]", (2, *rest)),
        (f"{source.name}[{source.name} > 0]", (2,)), (f"{source.name}[..., {indices(scope, 1)}]",
        (*source.shape[:-1], 2)),
        (f"{source.name}.index_select(0, {index})", (2, *rest)), (f"{source.name}.take({index})", (2,)),
        (f"{source.name}.gather(0, {full})", source.shape), (f"{source.name}.masked_select({source.name} > 0)", (2,)),
        (f"{source.name}.index_add(0, {index}, {source.name}[:2])", source.shape),
        (f"{source.name}.scatter_add(0, {full}, {source.name})", source.shape),
        (f"{source.name}.scatter(0, {full}[:1], {source.name})", source.shape),
        (f"{source.name}.index_fill(0, {index}, 2.0)", source.shape), (f"{source.name}.nonzero()", (2, source.ndim)),
        (f"{source.name}.take_along_dim({full}, 0)", source.shape), (f"{source.name}[None, 0]", (1, *rest)),
        (f"{source.name}.unique()", (2,)), (f"{source.name}.index_put(({index},), {source.name}[0])", source.shape),
    )  # fmt: skip
    text, shape = scope.rng.choice(choices)
    return scope.assign(text, source, shape)


def cast(scope: Scope) -> str:
    source = scope.any()
    position = scope.rng.randrange(len(CASTS))
    dtype = CAST_DTYPES[position] or source.dtype
    return scope.assign(_filled(CASTS[position], [source.name]), source, source.shape, dtype)


def text(scope: Scope) -> str:
    """Something that is no tensor."""
    return f"text = {_filled(scope.rng.choice(TEXTS), [scope.any().name])}"


_: Maker = statement
