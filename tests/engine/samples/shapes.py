"""Samples of views, of what rearranges, joins, splits and repeats."""

from typing import Any

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

COMPLEX = "complex128"
WRITES = "writes into a constant"


def calls(*arguments: tuple[Any, ...]) -> list[Sample]:
    """One differentiable call for each tuple of arguments."""
    return [sample(*one) for one in arguments]


TRANSPOSED = leaf(3, 2, strided=True)
VIEW = {
    "permute": calls((leaf(2, 3, 4), (2, 0, 1)), (leaf(2, 3), (-1, 0)), (leaf(), ()), (TRANSPOSED, (1, 0))),
    "transpose": calls((leaf(2, 3, 4), 0, -1), (leaf(), 0, -1), (leaf(2, dtype=COMPLEX), 0, 0)),
    "t": calls((leaf(2, 3),), (leaf(3),), (leaf(),)),
    "unsqueeze": calls((leaf(2, 3), 1), (leaf(), -1), (leaf(0), 0)),
    "select": calls((leaf(2, 3), 0, 1), (leaf(2, 3), -1, -2), (TRANSPOSED, 1, 0)),
    "expand": calls((leaf(3), (2, 3)), (leaf(2, 1), (-1, 3)), (leaf(), (2, 2)), (leaf(1), (0,)), (leaf(2, 3), (2, 3))),
    "diagonal": calls((leaf(3, 3),), (leaf(2, 3), 1), (leaf(2, 3), -1), (leaf(2, 3, 4), 0, 2, 0), (leaf(2, 3), 5)),
    "as_strided": calls(
        (leaf(6), (2, 2), (3, 1)), (leaf(6), (2, 3), (1, 1), 1), (leaf(4), (3,), (0,)), (leaf(4), (), (), 2)
    ),
    "unbind": calls((leaf(2, 3),), (leaf(2, 3), -1), (leaf(1, dtype=COMPLEX),)),
    "split_with_sizes": calls((leaf(5), [1, 0, 4]), (leaf(2, 3), (2, 1), 1)),
    "unfold": calls((leaf(5), 0, 3, 1), (leaf(2, 5), 1, 2, 2), (leaf(), 0, 1, 1), (leaf(3), 0, 0, 1)),
}

SAMPLES = {
    **{name: samples for name, samples in VIEW.items() if name != "unfold"},
    **{f"{name}_copy": samples for name, samples in VIEW.items()},
    "unfold": VIEW["unfold"],
    "alias_copy": calls((leaf(2, 3),), (leaf(),)),
    "view": [
        *calls((leaf(2, 3), (3, 2)), (leaf(2, 3), (-1,)), (leaf(6), (2, -1)), (leaf(), (1, 1)), (leaf(0, 3), (3, 0))),
        values_only("the bytes of other numbers", leaf(2, 3), "int32"),
        values_only("bytes", fixed([1.5]), "complex64"),
    ],
    "view_copy": [*calls((leaf(2, 3), (3, 2)), (leaf(2, 3), (-1,))), values_only("bytes", leaf(2, 3), "int64")],
    "reshape": calls((leaf(2, 3), (3, 2)), (TRANSPOSED, (6,)), (leaf(), (1,)), (leaf(2, 0), (0, 5))),
    "reshape_as": calls((leaf(2, 3), fixed([[1, 2], [3, 4], [5, 6]])), (TRANSPOSED, fixed([0, 1, 2, 3, 4, 5]))),
    "view_as": calls((leaf(2, 3), fixed([0, 1, 2, 3, 4, 5]))),
    "expand_as": calls((leaf(3), fixed([[1, 2, 3], [4, 5, 6]]))),
    "broadcast_to": calls((leaf(3), (2, 3)), (leaf(), (2,))),
    "squeeze": calls((leaf(1, 2, 1),), (leaf(1, 2, 1), 0), (leaf(1, 2, 1), (0, 2)), (leaf(2, 3), 1), (leaf(), 0)),
    "t_": [values_only(WRITES, fixed([[1.0, 2.0]]))],
    "resize_": [values_only(WRITES, fixed([[1.0, 2.0], [3.0, 4.0]]), 3), values_only(WRITES, fixed([1.0]), (1, 1))],
    "resize_as_": [values_only(WRITES, fixed([1.0, 2.0]), fixed([[1.0]]))],
    "fill_diagonal_": [
        values_only(WRITES, fixed([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]), 9.0, *wrap)
        for wrap in ((), (True,))
    ],
    "squeeze_": [values_only(WRITES, fixed([[1.0, 2.0]])), values_only(WRITES, fixed([[1.0, 2.0]]), 1)],
    "squeeze_copy": calls((leaf(1, 2, 1),), (leaf(1, 2, 1), 0), (leaf(1, 2, 1), (0, 2))),
    "narrow": calls((leaf(5), 0, 1, 3), (leaf(2, 3), -1, -2, 1), (leaf(3), 0, 0, 0)),
    "narrow_copy": calls((leaf(5), 0, 1, 3), (leaf(2, 3), -1, -2, 1)),
    "slice_copy": calls((leaf(5), 0, 1, 4, 2), (leaf(2, 3), 1), (leaf(4), 0, -2)),
    "movedim": calls((leaf(2, 3, 4), 0, 2), (leaf(2, 3, 4), (0, 1), (2, 0)), (leaf(), 0, 0)),
    "T": calls((leaf(2, 3),), (leaf(3),), (leaf(),)),
    "mT": calls((leaf(2, 3),), (leaf(2, 3, 4, dtype=COMPLEX),)),
    "mH": calls((leaf(2, 3),), (leaf(2, 3, 4, dtype=COMPLEX),)),
    "H": calls((leaf(2, 3),), (leaf(2, 3, dtype=COMPLEX),)),
    "adjoint": calls((leaf(2, 3),), (leaf(2, 3, 4, dtype=COMPLEX),)),
    "flatten": calls((leaf(2, 3, 4),), (leaf(2, 3, 4), 1), (leaf(),), (leaf(2, 3), 1, 1), (TRANSPOSED,)),
    "unflatten": calls((leaf(2, 6), 1, (2, -1)), (leaf(4), 0, (2, 2))),
    "ravel": calls((leaf(2, 3),), (TRANSPOSED,), (leaf(),)),
    "atleast_1d": calls((leaf(),), (leaf(2),), (leaf(), leaf(2, 2))),
    "atleast_2d": calls((leaf(),), (leaf(2),), (leaf(2, 3),)),
    "atleast_3d": calls((leaf(),), (leaf(2),), (leaf(2, 3),), (leaf(2, 2, 2),)),
    "flip": calls((leaf(2, 3), (0,)), (leaf(2, 3), (0, -1)), (leaf(2), ()), (leaf(3, dtype=COMPLEX), (0,))),
    "fliplr": calls((leaf(2, 3),)),
    "flipud": calls((leaf(2, 3),), (leaf(3),)),
    "roll": calls((leaf(2, 3), 1), (leaf(2, 3), -1, 1), (leaf(2, 3), (1, 2), (0, 1)), (leaf(0), 1), (leaf(), 1)),
    "rot90": calls((leaf(2, 3),), (leaf(2, 3), 3), (leaf(2, 3), -2, (1, 0)), (leaf(2, 3, 4), 1, (0, 2))),
    "diag": calls((leaf(3),), (leaf(2), -1), (leaf(3, 3),), (leaf(2, 3), 1), (leaf(0),)),
    "diag_embed": calls((leaf(3),), (leaf(2, 3), 1), (leaf(2, 3), -1, 0, 2), (leaf(2, dtype=COMPLEX),)),
    "diagflat": calls((leaf(2, 2),), (leaf(3), -1), (leaf(),)),
    "tril": calls((leaf(3, 3),), (leaf(2, 3), 1), (leaf(2, 3, 2), -1), (leaf(0, 2),), (leaf(2, 2, dtype=COMPLEX),)),
    "triu": calls((leaf(3, 3),), (leaf(2, 3), 1), (leaf(2, 3, 2), -1), (TRANSPOSED,)),
    "trace": [
        *calls((leaf(3, 3),), (leaf(2, 3),), (leaf(0, 2),)),
        values_only("integers", fixed([[1, 2], [3, 4]], "uint8")),
    ],
    "constant_pad_nd": calls((leaf(2, 3), (1, 2)), (leaf(2, 3), (0, -1, 1, 0), 2.5), (leaf(3), (-1, 1)), (leaf(), ())),
    "cat": calls(
        ([leaf(2, 3), leaf(1, 3)],),
        ([leaf(2, 1), leaf(2, 2)], -1),
        ([leaf(2)],),
        ([leaf(0), leaf(2, 2)], 0),
        ([leaf(2), leaf(2, dtype=COMPLEX)],),
        ([leaf(2, strided=True), fixed([1, 2], "int64")],),
    ),
    "stack": calls(
        ([leaf(2, 3), leaf(2, 3)],), ([leaf(2), leaf(2)], -1), ([leaf()],), ([leaf(2), leaf(2, dtype=COMPLEX)], 1)
    ),
    "hstack": calls(([leaf(2), leaf(1)],), ([leaf(2, 1), leaf(2, 2)],), ([leaf(), leaf(2)],)),
    "vstack": calls(([leaf(2), leaf(2)],), ([leaf(2), leaf(2, 2)],)),
    "dstack": calls(([leaf(2), leaf(2)],), ([leaf(2, 2, 1), leaf(2, 2)],)),
    "column_stack": calls(([leaf(2), leaf(2)],), ([leaf(2, 2), leaf(2)],), ([leaf(), leaf()],)),
    "split": calls((leaf(5), 2), (leaf(2, 4), [1, 3], 1), (leaf(0), 1)),
    "split_copy": calls((leaf(5), 2), (leaf(2, 4), 3, 1)),
    "unsafe_split": calls((leaf(5), 2), (leaf(2, 4), 3, 1)),
    "unsafe_split_with_sizes": calls((leaf(5), (2, 3)), (leaf(2, 4), (1, 3), 1)),
    "chunk": calls((leaf(5), 2), (leaf(2, 4), 3, 1), (leaf(0, 2), 3)),
    "unsafe_chunk": calls((leaf(5), 2), (leaf(2, 4), 3, 1)),
    "tensor_split": calls(
        (leaf(5), 3), (leaf(2, 4), (1, 3), 1), (leaf(3), fixed([1], "int64")), (leaf(4), fixed(2, "int64"))
    ),
    "hsplit": calls((leaf(4), 2), (leaf(2, 4), (1,))),
    "vsplit": calls((leaf(4, 2), 2)),
    "dsplit": calls((leaf(2, 2, 4), (1, 3))),
    "repeat": calls(
        (leaf(2), (2,)), (leaf(2, 3), (2, 1, 2)), (leaf(), (2, 2)), (leaf(2), (0,)), (leaf(2, dtype=COMPLEX), (2,))
    ),
    "tile": calls((leaf(2), (2,)), (leaf(2, 3), (2,)), (leaf(2), (2, 2))),
    "repeat_interleave": [
        *calls(
            (leaf(2), 3),
            (leaf(2, 2), 2, 1),
            (leaf(3), fixed([1, 0, 2], "int64")),
            (leaf(2, 2), fixed([2, 1], "int64"), 0),
            (leaf(2), fixed([2], "int64")),
        ),
        values_only("positions", fixed([1, 0, 2], "int64")),
    ],
    "meshgrid": [
        sample(leaf(2), leaf(3), indexing="ij"),
        sample(leaf(2), leaf(3), leaf(), indexing="xy"),
        sample([leaf(2)], indexing="ij"),
    ],
    "broadcast_tensors": calls((leaf(3), leaf(2, 1)), (leaf(2), leaf(2)), (leaf(), leaf(2))),
    "broadcast_shapes": [values_only("shapes", (2, 1), (3,))],
    "cartesian_prod": calls((leaf(2), leaf(3)), (leaf(2),), (leaf(1), leaf(2), leaf(2))),
    "combinations": calls((leaf(3),), (leaf(3), 3), (leaf(3), 2, True), (leaf(2), 3)),
    "block_diag": calls((leaf(2, 2), leaf(3)), (leaf(),), (leaf(2, 0), leaf(1, 2)), (leaf(2), leaf(2, dtype=COMPLEX))),
}
