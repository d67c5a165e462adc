"""``numpy``, ``numpy.linalg``, ``numpy.fft``, ``numpy.testing``: what programs may call, each with its work.

A function that is not listed is not there. Nothing listed makes arrays of objects, reads files or writes code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from app.program.arrays import elementwise, multiplied
from app.program.builtins import HOSTS, Routine, exception_type
from app.program.classes import HostType
from app.program.modules.calls import constants, host
from app.program.modules.numpy import work
from app.program.modules.numpy.arguments import SCALARS, Entry

Entries = dict[str, Entry]


def _each(source: Any, names: str, cost: Callable[..., Any], arrays: int = 1, **more: Any) -> Entries:
    return {name: Entry(getattr(source, name), cost, arrays, **more) for name in names.split()}


_PRODUCTS: Final = frozenset({"matmul", "matvec", "vecdot", "vecmat"})
_UFUNCS: Final = {
    name: Entry(one, elementwise, one.nin, wraps=True)
    for name, one in vars(np).items()
    if isinstance(one, np.ufunc) and name not in _PRODUCTS and name != "isnat"
}
_REDUCING: Final = {
    "accumulate": elementwise, "reduce": work.reduced_by_copies, "reduceat": work.several,
}  # fmt: skip
_CREATION: Final = (
    _each(np, "empty ones zeros", work.shaped, 0, dtype=1)
    | _each(np, "empty_like ones_like zeros_like", work.alike, 1, dtype=1)
    | {"full": Entry(np.full, work.filled, 0, dtype=2), "full_like": Entry(np.full_like, work.alike, 1, dtype=2)}
    | {"eye": Entry(np.eye, work.squared, 0, dtype=3), "identity": Entry(np.identity, work.squared, 0, dtype=1)}
    | {"tri": Entry(np.tri, work.squared, 0, dtype=3), "arange": Entry(np.arange, work.stepped, 0, dtype=3)}
    | _each(np, "geomspace linspace logspace", work.spaced, 2)
    | _each(np, "array asarray", work.copied, 0, dtype=1)
    | _each(np, "asanyarray ascontiguousarray asfortranarray copy", work.copied, 0, dtype=1)
    | _each(np, "tril_indices triu_indices", work.places, 0)
    | {"indices": Entry(np.indices, work.indexed, 0, dtype=1)}
    | {"vander": Entry(np.vander, work.powers), "diag_indices": Entry(np.diag_indices, work.indexed, 0)}
    | _each(np, "diag diagflat", work.diagonal)
    | _each(np, "tril triu", elementwise)
)
_MANY: Final = (
    _each(
        np, "angle around fix imag iscomplex isneginf isposinf isreal nan_to_num real real_if_close round sinc "
        "unwrap", work.several,
    )
    | {"i0": Entry(np.i0, work.by_series)}
    | _each(np, "allclose array_equal array_equiv isclose", work.several, 2)
    | {"clip": Entry(np.clip, work.several, 3), "where": Entry(np.where, work.several, 3)}
    | {"interp": Entry(np.interp, work.searched, 3), "diff": Entry(np.diff, work.differences)}
    | {"ediff1d": Entry(np.ediff1d, work.several, 1), "gradient": Entry(np.gradient, work.slopes)}
    | {"trapezoid": Entry(np.trapezoid, work.several, 2), "cross": Entry(np.cross, work.several, 2)}
    | _each(np, "cumprod cumsum nancumprod nancumsum", elementwise)
)  # fmt: skip
_REDUCTIONS: Final = (
    _each(
        np, "all amax amin any count_nonzero max mean min prod ptp sum", work.reduced,
    )
    | {"trace": Entry(np.trace, work.reduced_by_copies)}
    | _each(
        np, "argmax argmin average nanargmax nanargmin nanmax nanmean nanmin nanprod nanstd nansum nanvar std var",
        work.reduced_by_copies,
    )
    | _each(np, "median nanmedian sort argsort unique", work.ordered)
    | _each(np, "nanpercentile nanquantile percentile quantile", work.ranked, 2)
    | _each(np, "partition argpartition", work.ordered)
    | _each(np, "intersect1d isin setdiff1d setxor1d union1d", work.ordered, 2)
    | _each(np, "argwhere flatnonzero nonzero", work.found)
    | _each(np, "digitize searchsorted", work.searched, 2)
    | {"lexsort": Entry(np.lexsort, work.ordered, 1), "bincount": Entry(np.bincount, work.counted, 2)}
    | _each(np, "histogram histogram_bin_edges", work.binned)
    | _each(np, "corrcoef cov", work.covered, 2)
)  # fmt: skip
_ARRANGEMENT: Final = (
    _each(
        np, "atleast_1d atleast_2d atleast_3d expand_dims flip fliplr flipud matrix_transpose moveaxis permute_dims "
        "rollaxis rot90 squeeze swapaxes transpose", work.nothing,
    )
    | _each(np, "ravel reshape roll trim_zeros", work.copied)
    | _each(np, "array_split dsplit hsplit split unstack vsplit", work.divided)
    | _each(np, "block column_stack concat concatenate dstack hstack stack vstack", work.joined, 0)
    | {"append": Entry(np.append, work.joined, 2), "insert": Entry(np.insert, work.inserted, 1)}
    | {"delete": Entry(np.delete, work.copied, 1), "resize": Entry(np.resize, work.shaped_second, 1)}
    | {"repeat": Entry(np.repeat, work.repeated), "tile": Entry(np.tile, work.tiled), "pad": Entry(np.pad, work.padded)}
    | {"broadcast_to": Entry(np.broadcast_to, work.spread), "meshgrid": Entry(np.meshgrid, work.meshed, 32)}
    | {"broadcast_arrays": Entry(np.broadcast_arrays, work.viewed, 32), "ix_": Entry(np.ix_, work.nothing, 32)}
    | {"take": Entry(np.take, work.picked, 2), "take_along_axis": Entry(np.take_along_axis, work.several, 2)}
    | _each(np, "compress extract", work.several, 2)
    | _each(np, "choose select", work.selected, 0)
    | {"diagonal": Entry(np.diagonal, work.nothing), "unravel_index": Entry(np.unravel_index, work.several, 1)}
    | {"ravel_multi_index": Entry(np.ravel_multi_index, work.selected, 0)}
)  # fmt: skip
_CHANGES: Final = {
    "copyto": Entry(np.copyto, elementwise, 2, changes=0),
    "fill_diagonal": Entry(np.fill_diagonal, work.several, 2, changes=0),
    "place": Entry(np.place, work.several, 3, changes=0), "put": Entry(np.put, work.several, 3, changes=0),
    "putmask": Entry(np.putmask, work.several, 3, changes=0),
}  # fmt: skip
_ALGEBRA: Final = (
    _each(np, " ".join(sorted(_PRODUCTS)), multiplied, 2, wraps=True)
    | _each(np, "dot inner vdot", work.dotted, 2)
    | _each(np, "kron outer", work.crossed, 2)
    | {"tensordot": Entry(np.tensordot, work.tensordotted, 2), "einsum": Entry(np.einsum, work.summed_arrays, 0)}
    | {"convolve": Entry(np.convolve, work.slid, 2), "correlate": Entry(np.correlate, work.slid, 2)}
    | {"polyfit": Entry(np.polyfit, work.fitted, 2), "polyval": Entry(np.polyval, work.evaluated, 2)}
    | {"roots": Entry(np.roots, work.diagonal), "polyder": Entry(np.polyder, work.differences)}
    | _each(np, "polyadd polymul polysub", work.slid, 2)
)
_QUESTIONS: Final = _each(np, "ndim shape size isscalar iscomplexobj isrealobj", work.nothing) | {
    "broadcast_shapes": Entry(np.broadcast_shapes, work.nothing, 0),
    "can_cast": Entry(np.can_cast, work.nothing, 0), "promote_types": Entry(np.promote_types, work.nothing, 0),
    "result_type": Entry(np.result_type, work.nothing, 0),
}  # fmt: skip
_LINALG: Final = (
    _each(
        np.linalg, "cholesky cond det eig eigh eigvals eigvalsh inv matrix_rank norm pinv qr slogdet svd svdvals "
        "matrix_norm vector_norm", work.solved,
    )
    | _each(np.linalg, "lstsq solve", work.solved, 2)
    | {"matrix_power": Entry(np.linalg.matrix_power, work.powered)}
    | {"multi_dot": Entry(np.linalg.multi_dot, work.chained, 0)}
    | {"matmul": Entry(np.linalg.matmul, multiplied, 2), "outer": Entry(np.linalg.outer, work.crossed, 2)}
    | {"trace": Entry(np.linalg.trace, work.several), "cross": Entry(np.linalg.cross, work.several, 2)}
)  # fmt: skip
_FFT: Final = (
    _each(np.fft, "fft fft2 fftn ifft ifft2 ifftn irfft irfft2 irfftn rfft rfft2 rfftn hfft ihfft", work.transformed)
    | _each(np.fft, "fftfreq rfftfreq", work.frequencies, 0)
    | _each(np.fft, "fftshift ifftshift", work.copied)
)
_TESTING: Final = _each(
    np.testing, "assert_allclose assert_almost_equal assert_array_almost_equal assert_array_equal assert_equal",
    work.several, 2,
)  # fmt: skip


def named(entries: Entries) -> dict[str, Any]:
    """Functions as values of programs."""
    return {name: Routine(name, entry) for name, entry in entries.items()}


def _class(kind: type[Any]) -> HostType:
    return HOSTS.get(kind) or host(kind, f"numpy.{kind.__name__}", Entry(kind, work.copied, 1), {})


def classes(kinds: Iterable[tuple[str, type[Any]]]) -> dict[str, Any]:
    """The types of NumPy's numbers: they convert, and they name dtypes."""
    return {name: _class(kind) for name, kind in kinds}


def _methods(ufunc: Any) -> Entries:
    """What a ufunc has beside its call."""
    found = {"at": Entry(ufunc.at, work.scattered, 1, changes=0)}
    if ufunc.nin == 2 and ufunc.nout == 1:
        found |= {name: Entry(getattr(ufunc, name), cost) for name, cost in _REDUCING.items()}
        found["outer"] = Entry(ufunc.outer, work.crossed, 2)
    return found


for _entry in _UFUNCS.values():
    _entry.members = named(_methods(_entry.function))
ENTRIES: Final = _UFUNCS | _CREATION | _MANY | _REDUCTIONS | _ARRANGEMENT | _CHANGES | _ALGEBRA | _QUESTIONS
FUNCTIONS: Final = (
    named(ENTRIES) | classes(SCALARS.items()) | constants(np, "e", "euler_gamma", "inf", "nan", "newaxis", "pi")
)
LINALG: Final = named(_LINALG) | {"LinAlgError": exception_type(np.linalg.LinAlgError, "numpy.linalg.LinAlgError")}
FFT: Final = named(_FFT)
TESTING: Final = named(_TESTING)
ALL: Final = {"numpy": ENTRIES, "numpy.linalg": _LINALG, "numpy.fft": _FFT, "numpy.testing": _TESTING}
