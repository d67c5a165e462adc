"""Samples of casts and of complex numbers and their parts."""

from tests.engine.samples import fixed, leaf, sample, values_only

COMPLEX = "complex128"
LOSSY = "the target is coarser than the steps of a difference quotient"
CASTS = (
    "bool",
    "byte",
    "char",
    "short",
    "int",
    "long",
    "half",
    "bfloat16",
    "float",
    "cfloat",
)

SAMPLES = {
    **{
        name: [values_only(LOSSY, leaf(2, 3, low=0.0)), values_only(LOSSY, fixed([3, 0, 1], "int64"))] for name in CASTS
    },
    "double": [sample(leaf(2)), values_only("integers", fixed([1, 2], "int32"))],
    "cdouble": [sample(leaf(2, 3)), sample(leaf()), sample(leaf(2, dtype=COMPLEX))],
    "to": [
        sample(leaf(2), "complex128"),
        sample(leaf(2), "float64"),
        values_only(LOSSY, leaf(2, 3), "float32"),
        sample(leaf(2), "float64", copy=True),
        sample(leaf(2), dtype="complex128"),
        sample(leaf(2), "cpu"),
        sample(leaf(2), fixed([1.0], "complex128")),
        values_only(LOSSY, fixed([2.9, -2.9]), "int32"),
    ],
    "type": [sample(leaf(2), "complex128"), values_only(LOSSY, leaf(2), "torch.FloatTensor")],
    "type_as": [sample(leaf(2), fixed([1j])), sample(leaf(2), leaf(1))],
    "copy_": [
        values_only("writes", fixed([1.0, 2.0]), leaf(2)),
        values_only("writes", fixed([[1, 2], [3, 4]], "int64"), leaf(2)),
        values_only("writes", fixed([1.0, 2.0], "float32"), leaf()),
        values_only("writes", fixed([1.0, 2.0]), 5),
    ],
    "conj": [sample(leaf(2, dtype=COMPLEX)), sample(leaf(2))],
    "conj_physical": [sample(leaf(2, dtype=COMPLEX)), sample(leaf(dtype=COMPLEX))],
    "conj_physical_": [values_only("writes", fixed([1 + 2j, 3 - 1j])), values_only("writes", fixed([1.0, 2.0]))],
    "resolve_conj": [sample(leaf(2)), sample(leaf(2, dtype=COMPLEX))],
    "resolve_neg": [sample(leaf(2))],
    "real": [sample(leaf(2, 3, dtype=COMPLEX)), sample(leaf(2))],
    "imag": [sample(leaf(2, 3, dtype=COMPLEX)), sample(leaf(dtype=COMPLEX))],
    "view_as_real": [sample(leaf(2, 3, dtype=COMPLEX)), sample(leaf(0, dtype=COMPLEX)), sample(leaf(dtype=COMPLEX))],
    "view_as_complex": [sample(leaf(3, 2)), sample(leaf(2))],
    "view_as_real_copy": [sample(leaf(2, 3, dtype=COMPLEX))],
}
