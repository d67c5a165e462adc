"""Arguments for every function of NumPy's that programs may call: small for values, large for what they take."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Call = tuple[tuple[Any, ...], dict[str, Any]]


def call(*args: Any, **kwargs: Any) -> Call:
    return args, kwargs


def samples(n: int) -> dict[str, list[Call]]:
    """Calls over arrays of ``n`` by ``n``, by the path of the function."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, n)), rng.normal(size=(n, n))
    v, w = rng.normal(size=n * n), rng.normal(size=n * n)
    whole, positive = rng.integers(0, n, size=(n, n)), np.abs(a) + 0.5
    mask, places = a > 0, rng.integers(0, n, size=n)
    complexes = a + 1j * b
    definite = a @ a.T + n * np.eye(n)
    one = [call(a), call(a, axis=0)]
    found: dict[str, list[Call]] = {
        # creation
        **{name: [call((n, n)), call(n), call(shape=(n, 2), dtype="float32")] for name in ("ones", "zeros")},
        "empty": [],
        "empty_like": [],
        **{name: [call(a), call(a, dtype="int64"), call(a, shape=(2 * n, n))] for name in ("ones_like", "zeros_like")},
        "full": [call((n, n), 7), call(n, [1.5] * n)],
        "full_like": [call(a, 3.5)],
        "eye": [call(n), call(n, 2 * n, 1), call(N=n, M=n)],
        "identity": [call(n)],
        "tri": [call(n), call(n, n, -1)],
        "arange": [call(n * n), call(0, n * n, 2), call(0.0, 1.0, 1 / n), call(3, dtype="float32")],
        **{name: [call(1, 2, n), call([1.0, 2.0], 3.0, num=n)] for name in ("geomspace", "linspace", "logspace")},
        "array": [call([[1, 2.5], [3, 4]]), call(a, dtype="float32"), call([v, w]), call(3), call(["ab", "c"])],
        **{name: [call([1, 2]), call(a)] for name in ("asanyarray", "asarray", "copy")},
        **{name: [call(a.T), call([1, 2])] for name in ("ascontiguousarray", "asfortranarray")},
        **{name: [call(n), call(n, 1, n)] for name in ("tril_indices", "triu_indices")},
        "indices": [call((n, n))],
        "diag_indices": [call(n)],
        "vander": [call(v[:n]), call(v, 4), call(v, N=3)],
        **{name: [call(v[:n]), call(v[:n], 2)] for name in ("diagflat",)},
        "diag": [call(v[:n]), call(a), call(v[:n], -1)],
        **{name: [call(a), call(a, 1)] for name in ("tril", "triu")},
        # element by element
        **{
            name: [call(a)]
            for name in (
                "angle",
                "around",
                "fix",
                "i0",
                "imag",
                "iscomplex",
                "isneginf",
                "isposinf",
                "isreal",
                "nan_to_num",
                "real",
                "real_if_close",
                "round",
                "sinc",
                "unwrap",
            )
        },
        **{name: [call(a, b), call(a, a)] for name in ("allclose", "array_equal", "array_equiv", "isclose")},
        "clip": [call(a, -0.5, 0.5), call(a, None, b), call(a, min=0.0)],
        "where": [call(mask, a, b), call(mask), call(mask, 0, [1] * n)],
        "interp": [call(v, np.arange(n), v[:n])],
        "diff": [call(a), call(a, 2), call(v, prepend=0.0)],
        "ediff1d": [call(v)],
        "gradient": [call(a), call(v, 2.0)],
        "trapezoid": [call(a), call(v, w)],
        "cross": [call(np.resize(a, (n, 3)), np.resize(b, (n, 3)))],
        **dict.fromkeys(("cumprod", "cumsum", "nancumprod", "nancumsum"), one),
        # reductions
        **dict.fromkeys(
            (
                "all",
                "amax",
                "amin",
                "any",
                "argmax",
                "argmin",
                "average",
                "count_nonzero",
                "max",
                "mean",
                "median",
                "min",
                "nanargmax",
                "nanargmin",
                "nanmax",
                "nanmean",
                "nanmedian",
                "nanmin",
                "nanprod",
                "nanstd",
                "nansum",
                "nanvar",
                "prod",
                "ptp",
                "std",
                "sum",
                "var",
                "argsort",
                "sort",
                "unique",
                "flip",
                "squeeze",
            ),
            one,
        ),
        "squeeze": [call(a), call(a[None], axis=0)],
        "trace": [call(a)],
        **{
            name: [call(a, 0.3), call(a, [0.1, 0.9], axis=1)]
            for name in ("nanpercentile", "nanquantile", "percentile", "quantile")
        },
        **{name: [call(a, 2), call(v, [1, 3])] for name in ("argpartition", "partition")},
        **{name: [call(whole, places)] for name in ("intersect1d", "isin", "setdiff1d", "setxor1d", "union1d")},
        **{name: [call(mask), call(a)] for name in ("argwhere", "flatnonzero", "nonzero")},
        **{name: [call(np.sort(v), w)] for name in ("searchsorted",)},
        "digitize": [call(v, [0.0, 1.0])],
        "lexsort": [call([places, places])],
        "bincount": [call(places), call(places, v[:n], n * n), call([1, 1], minlength=3)],
        **{name: [call(v), call(v, 3 * n), call(v, [0.0, 1.0, 2.0])] for name in ("histogram", "histogram_bin_edges")},
        "cov": [call(a), call(a, rowvar=False), call(a, b)],
        "corrcoef": [call(a), call(v[:n], w[:n])],
        # arrangement
        **{
            name: [call(a)]
            for name in (
                "atleast_1d",
                "atleast_2d",
                "atleast_3d",
                "fliplr",
                "flipud",
                "matrix_transpose",
                "rot90",
                "transpose",
                "ravel",
            )
        },
        "expand_dims": [call(a, 0)],
        "moveaxis": [call(a, 0, 1)],
        "permute_dims": [call(a, (1, 0))],
        "rollaxis": [call(a, 1)],
        "swapaxes": [call(a, 0, 1)],
        "reshape": [call(a, (n * n,)), call(a.T, -1)],
        "roll": [call(a, 1), call(a, 2, axis=0)],
        "trim_zeros": [call(v)],
        **{name: [call(a, 2)] for name in ("array_split", "hsplit", "split", "vsplit")},
        "dsplit": [call(np.zeros((n, n, 2)), 2)],
        "unstack": [call(a)],
        **{
            name: [call([a, b]), call((v, v))]
            for name in ("column_stack", "concat", "concatenate", "dstack", "hstack", "stack", "vstack")
        },
        "block": [call([[a, b], [b, a]])],
        "append": [call(a, b), call(v, 3)],
        "insert": [call(v, 1, 5.0), call(a, [1, 2], 0, axis=1)],
        "delete": [call(a, 0, axis=0)],
        "resize": [call(a, (2 * n, n))],
        "repeat": [call(a, 3), call(a, 2, axis=1), call(v, [2] * n * n)],
        "tile": [call(a, 2), call(a, (2, 3))],
        "pad": [call(a, 2), call(a, ((1, 2), (3, n))), call(v, (0, n * n), "edge")],
        "broadcast_to": [call(v, (4, n * n))],
        "meshgrid": [call(v[: 4 * n], w[:n]), call([1, 2], [3])],
        "broadcast_arrays": [call(v[:n], a)],
        "ix_": [call([0, 1], [1])],
        "take": [call(a, places), call(a, places, axis=1)],
        "take_along_axis": [call(a, whole, 1)],
        "compress": [call(v[:n] > 0, a, axis=0)],
        "extract": [call(mask, a)],
        "choose": [call(whole % 2, [a, b])],
        "select": [call([mask, ~mask], [a, b])],
        "diagonal": [call(a)],
        "unravel_index": [call(places, (n, n))],
        "ravel_multi_index": [call((places, places), (n, n))],
        # changes
        "copyto": [call(a.copy(), b)],
        "fill_diagonal": [call(a.copy(), 1.0)],
        "place": [call(a.copy(), mask, v)],
        "put": [call(a.copy(), places, v[:n])],
        "putmask": [call(a.copy(), mask, b)],
        # algebra
        **{name: [call(a, b)] for name in ("matmul", "matvec", "vecdot", "vecmat")},
        **{name: [call(a, b), call(v, w), call(a, v[:n])] for name in ("dot", "inner")},
        "vdot": [call(v, w)],
        "kron": [call(a[:8, :8], b)],
        "outer": [call(v[: 4 * n], w[:n])],
        "tensordot": [call(a, b), call(a, b, 1), call(a, b, ([1], [0]))],
        "einsum": [call("ij,jk->ik", a, b), call("ii", a), call("ij,kl->ijkl", a[:9], b[:9]), call("...i,...i", a, b)],
        **{name: [call(v[: 4 * n], w[:n])] for name in ("convolve", "correlate", "polyadd", "polymul", "polysub")},
        "polyfit": [call(v[:n], w[:n], 2)],
        "polyval": [call([1.0, 2.0, 3.0], v)],
        "roots": [call([1.0, -3.0, 2.0])],
        "polyder": [call(v)],
        # questions
        **{name: [call(a), call(3)] for name in ("iscomplexobj", "isrealobj", "isscalar", "ndim", "shape", "size")},
        "broadcast_shapes": [call((n, 1), (1, n))],
        "can_cast": [call(np.dtype("int32"), np.dtype("float64"))],
        "promote_types": [call(np.dtype("int32"), np.dtype("float32"))],
        "result_type": [call(a, np.dtype("float32"))],
        # numpy.linalg
        **{
            f"linalg.{name}": [call(a)]
            for name in (
                "cond",
                "det",
                "eig",
                "eigvals",
                "inv",
                "matrix_norm",
                "matrix_rank",
                "norm",
                "pinv",
                "qr",
                "slogdet",
                "svd",
                "svdvals",
                "trace",
                "vector_norm",
            )
        },
        **{f"linalg.{name}": [call(definite)] for name in ("cholesky", "eigh", "eigvalsh")},
        "linalg.lstsq": [call(a, b)],
        "linalg.solve": [call(a, b), call(definite, v[:n])],
        "linalg.matrix_power": [call(definite / n, 3), call(definite, -2)],
        "linalg.multi_dot": [call([a, b, a])],
        "linalg.matmul": [call(a, b)],
        "linalg.outer": [call(v[: 4 * n], w[:n])],
        "linalg.cross": [call(np.resize(a, (n, 3)), np.resize(b, (n, 3)))],
        # numpy.fft
        **{f"fft.{name}": [call(a), call(a, 2 * n)] for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
        **{
            f"fft.{name}": [call(a), call(a, (n, 2 * n))]
            for name in ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
        },
        **{f"fft.{name}": [call(n), call(n, 0.5)] for name in ("fftfreq", "rfftfreq")},
        **{f"fft.{name}": [call(a)] for name in ("fftshift", "ifftshift")},
        **{
            f"testing.{name}": [call(a, a)]
            for name in (
                "assert_allclose",
                "assert_almost_equal",
                "assert_array_almost_equal",
                "assert_array_equal",
                "assert_equal",
            )
        },
    }
    for name, ufunc in vars(np).items():
        if isinstance(ufunc, np.ufunc) and name not in found and name != "isnat":
            found[name] = [call(*_operands(ufunc, a, b, whole, positive, complexes, mask))]
    return found


_BOUNDED: Final = {"arccosh": 1.5, "acosh": 1.5}


def _operands(ufunc: np.ufunc, a: Any, b: Any, whole: Any, positive: Any, complexes: Any, mask: Any) -> list[Any]:
    """Operands that a ufunc takes without a floating-point exception."""
    if ufunc.__name__ in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm", "invert", "bitwise_count"):
        return [whole, whole[::-1]][: ufunc.nin]
    if ufunc.__name__ in ("left_shift", "right_shift", "ldexp"):
        return [a if ufunc.__name__ == "ldexp" else whole, whole % 8]
    if ufunc.__name__ in ("arccos", "arcsin", "arctanh"):
        return [np.tanh(a)]
    if ufunc.__name__ in ("log", "log2", "log10", "log1p", "sqrt", "cbrt", "reciprocal", "power", "float_power"):
        return [positive, b][: ufunc.nin]
    if ufunc.__name__ == "arccosh":
        return [positive + 1]
    if ufunc.__name__ in ("divide", "floor_divide", "fmod", "remainder", "divmod"):
        return [a, positive]
    return [a, b][: ufunc.nin]
