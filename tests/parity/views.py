"""Statements that look at part of a tensor, or at all of it in another way."""

from __future__ import annotations

from collections.abc import Callable

from tests.parity.scope import Guess, Scope, Shape, product

View = tuple[str, Shape]  # what follows the tensor, and the shape of the result
REAL = {"complex64": "float32", "complex128": "float64"}
PAIRED = {real: dtype for dtype, real in REAL.items()}
SAME_SIZE = {"float32": "int32", "float64": "int64", "int32": "float32", "int64": "float64"}


def statement(scope: Scope) -> str:
    """``b = a[1:]`` and its kin."""
    source = scope.any()
    if scope.chance(0.06):
        return pieces(scope, source)
    if source.is_complex and scope.chance(0.4):
        return parts(scope, source)
    if scope.chance(0.07):
        return retyped(scope, source)
    suffix, shape = view(scope, source)
    return scope.assign(f"{source.name}{suffix}", source, shape)


def view(scope: Scope, source: Guess) -> View:
    """A view of ``source``, of any kind that its number of dimensions allows."""
    makers = (*EVERY, *DIMENSIONAL) if source.ndim else EVERY
    makers = (*makers, *MATRIX) if source.ndim >= 2 else makers
    return scope.rng.choice(makers)(scope, source)


def expression(scope: Scope, source: Guess) -> tuple[str, Shape]:
    """``source`` itself, or one view of it, or a view of a view."""
    text, shape = source.name, source.shape
    for _ in range(scope.rng.choice((0, 1, 1, 1, 2))):
        suffix, shape = view(scope, Guess(source.name, shape, source.dtype))
        text += suffix
    return text, shape


def _index(scope: Scope, source: Guess) -> View:
    words, shape = [], []
    for extent in source.shape[: scope.rng.randint(1, source.ndim)]:
        word, left = _item(scope, extent)
        words.append(word)
        shape += left
    rest = source.shape[len(words) :]
    if scope.chance(0.1):
        words, shape = ["None", *words], [1, *shape]
    return f"[{', '.join(words)}]", (*shape, *rest)


def _item(scope: Scope, extent: int) -> tuple[str, list[int]]:
    if extent and scope.chance(0.3):
        return str(scope.rng.randrange(-extent, extent)), []
    word = scope.rng.choice((":", ":", "1:", ":-1", "::2", "1::2"))
    start, stop, step = ([int(part) if part else None for part in word.split(":")] + [None])[:3]
    return word, [len(range(extent)[slice(start, stop, step)])]


def _select(scope: Scope, source: Guess) -> View:
    dim = scope.dim(source)
    place = dim % source.ndim
    index = scope.rng.randrange(max(source.shape[place], 1))
    return f".select({dim}, {index})", source.shape[:place] + source.shape[place + 1 :]


def _narrow(scope: Scope, source: Guess) -> View:
    dim = scope.dim(source)
    extent = source.shape[dim % source.ndim]
    start = scope.rng.randint(0, extent)
    length = scope.rng.randint(0, extent - start)
    return f".narrow({dim}, {start}, {length})", _replaced(source.shape, dim, length)


def _replaced(shape: Shape, dim: int, extent: int) -> Shape:
    place = dim % len(shape)
    return (*shape[:place], extent, *shape[place + 1 :])


def _reshape(scope: Scope, source: Guess) -> View:
    method = scope.rng.choice(("view", "view", "reshape", "reshape"))
    count = source.numel
    shapes = [(count,), (1, count), (count, 1), (2, count // 2), (count // 3, 3), source.shape[::-1]]
    fitting = [shape for shape in shapes if product(shape) == count]
    shape = scope.rng.choice(fitting)
    if count and shape and scope.chance(0.3):
        return f".{method}({', '.join(['-1', *map(str, shape[1:])])})", shape
    return f".{method}({shape})", shape


def _expand(scope: Scope, source: Guess) -> View:
    shape = tuple(2 if extent == 1 and scope.chance(0.7) else extent for extent in source.shape)
    shape = (2, *shape) if len(shape) < 3 and scope.chance(0.5) else shape
    words = (
        "-1" if extent != 2 and scope.chance(0.2) and len(shape) == source.ndim else str(extent) for extent in shape
    )
    return f".expand(({', '.join(words)},))" if shape else ".expand(())", shape


def _unsqueeze(scope: Scope, source: Guess) -> View:
    dim = scope.rng.randint(0, source.ndim)
    return f".unsqueeze({dim})", (*source.shape[:dim], 1, *source.shape[dim:])


def _squeeze(scope: Scope, source: Guess) -> View:
    if source.ndim and scope.chance(0.4):
        dim = scope.dim(source)
        place = dim % source.ndim
        gone = source.shape[place] == 1
        return f".squeeze({dim})", source.shape[:place] + source.shape[place + 1 :] if gone else source.shape
    return ".squeeze()", tuple(extent for extent in source.shape if extent != 1)


def _as_strided(scope: Scope, source: Guess) -> View:
    rng = scope.rng
    shape = rng.choice(((), (2,), (3,), (2, 2), (2, 3)))
    stride = tuple(rng.choice((0, 1, 1, 2, 3)) for _ in shape)
    offset = f", {rng.randint(0, 2)}" if scope.chance(0.3) else ""
    return f".as_strided({shape}, {stride}{offset})", shape


def _alias(scope: Scope, source: Guess) -> View:
    shape = source.shape
    return scope.rng.choice(
        (
            (".detach()", shape), (".conj()", shape), (".ravel()", (source.numel,)), (".flatten()", (source.numel,)),
            (".contiguous()", shape), (f".view_as({source.name})", shape), (".positive()", shape), ("[...]", shape),
        )
    )  # fmt: skip


def _unfold(scope: Scope, source: Guess) -> View:
    dim = scope.dim(source)
    extent = source.shape[dim % source.ndim]
    size, step = scope.rng.randint(1, max(extent, 1)), scope.rng.randint(1, 2)
    return f".unfold({dim}, {size}, {step})", (*_replaced(source.shape, dim, max((extent - size) // step + 1, 0)), size)


def _piece(scope: Scope, source: Guess) -> View:
    dim = scope.dim(source)
    extent, size = source.shape[dim % source.ndim], scope.rng.randint(1, 2)
    shape = _replaced(source.shape, dim, min(size, extent))
    rest = source.shape[: dim % source.ndim] + source.shape[dim % source.ndim + 1 :]
    choices = (
        (f".split({size}, {dim})[0]", shape), (f".unbind({dim})[-1]", rest),
        (f".chunk({max(-(-extent // size), 1)}, {dim})[0]", shape), (f".tensor_split({max(extent, 1)}, {dim})[0]",
        shape),
    )  # fmt: skip
    return scope.rng.choice(choices)


def _transpose(scope: Scope, source: Guess) -> View:
    first, second = scope.rng.sample(range(source.ndim), 2)
    order = list(range(source.ndim))
    order[first], order[second] = second, first
    shape = tuple(source.shape[dim] for dim in order)
    forms = [
        f".transpose({first}, {second})",
        f".permute({', '.join(map(str, order))})",
        f".swapaxes({first}, {second})",
    ]
    if source.ndim == 2:
        forms += [".t()", ".t()", ".T", ".mT", ".adjoint()", ".mH", ".H"]
    else:
        forms.append(f".movedim({first}, {second})")
        shape = shape if abs(first - second) == 1 else source.shape
    return scope.rng.choice(forms), shape


def _diagonal(scope: Scope, source: Guess) -> View:
    offset = scope.rng.choice((0, 0, 1, -1))
    rows, columns = source.shape[:2]
    length = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    return f".diagonal({offset or ''})", (*source.shape[2:], length)


ViewMaker = Callable[[Scope, Guess], View]
EVERY: tuple[ViewMaker, ...] = (_reshape, _expand, _unsqueeze, _squeeze, _as_strided, _alias, _alias)
DIMENSIONAL: tuple[ViewMaker, ...] = (_index, _index, _index, _index, _select, _narrow, _unfold, _piece)
MATRIX: tuple[ViewMaker, ...] = (_transpose, _transpose, _diagonal)


def pieces(scope: Scope, source: Guess) -> str:
    """``b, c = a.chunk(2)``: several views by one call, which cannot be written to."""
    dim = scope.dim(source)
    extent = source.shape[dim % source.ndim] if source.ndim else 0
    rest = source.shape[: dim % source.ndim] + source.shape[dim % source.ndim + 1 :] if source.ndim else ()
    method = scope.rng.choice(("unbind", "unbind", "split", "chunk"))
    call = f"unbind({dim})" if method == "unbind" else f"{method}({1 if method == 'split' else max(extent, 1)}, {dim})"
    shape = rest if method == "unbind" or not source.ndim else _replaced(source.shape, dim, 1)
    names = [scope.new() for _ in range(extent)]
    for name in names:
        scope.bind(Guess(name, shape, source.dtype, source.requires_grad and scope.recording))
    return f"{', '.join(names) or scope.new()}{',' if extent == 1 else ''} = {source.name}.{call}"


def parts(scope: Scope, source: Guess) -> str:
    """Views of complex numbers as real ones, conjugates, and their opposites."""
    real = REAL[source.dtype]
    text, shape, dtype = scope.rng.choice(
        (
            (f"{source.name}.real", source.shape, real), (f"{source.name}.imag", source.shape, real),
            (f"torch.view_as_real({source.name})", (*source.shape, 2), real),
            (f"{source.name}.conj()", source.shape, source.dtype), (f"{source.name}.conj()",
            source.shape, source.dtype),
            (f"{source.name}.resolve_conj()", source.shape, source.dtype),
            (f"{source.name}.conj().imag", source.shape, real), (f"{source.name}.mH", source.shape[::-1], source.dtype),
        )
    )  # fmt: skip
    return scope.assign(text, source, shape, dtype)


def retyped(scope: Scope, source: Guess) -> str:
    """The same bytes as numbers of another dtype."""
    if source.dtype in PAIRED and source.shape and source.shape[-1] == 2:
        text = f"torch.view_as_complex({source.name})"
        return scope.assign(text, source, source.shape[:-1], PAIRED[source.dtype])
    dtype = SAME_SIZE.get(source.dtype, "int16")
    return scope.assign(f"{source.name}.view(torch.{dtype})", source, source.shape, dtype)
