"""What single ops refuse, in the order and the words of PyTorch 2.13."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import EngineError

torch: Any = engine
BOOL = "\"{}\" not implemented for 'Bool'"
TWO = "index_copy_(): When source is scalar, index should have one element (got 2)"
MISMATCH = "shape mismatch: value tensor of shape [5] cannot be broadcast to indexing result of shape [2, 3]"
MATRICES = "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor."
SLICES = (
    "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: 3 at dimension 0 "
    "and source slice shape:  at dimension 0."
)
SMALLER = "Expected index [2] to be no larger than self [] apart from dimension 0 and to be no larger size than src []"


@pytest.fixture(autouse=True)
def state() -> Iterator[modes.State]:
    with modes.use(modes.State(warnings=[])) as state:
        yield state


def names() -> dict[str, Any]:
    return {
        "torch": torch, "F": engine.nn.functional, "b": torch.ones(2, 2, dtype=torch.bool),
        "v": torch.ones(2, dtype=torch.bool), "x": torch.ones(2, 3), "z": torch.tensor(3.0),
        "i": torch.tensor([0, 1]), "one": torch.tensor([0]),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "exception", "text"),
    [
        ("v.dot(v)", "NotImplementedError", BOOL.format("dot")),
        ("v.vdot(v)", "NotImplementedError", BOOL.format("dot")),
        ("b @ v", "NotImplementedError", BOOL.format("addmv_impl_cpu")),
        ("b.addmm(b, b)", "NotImplementedError", BOOL.format("addmm_impl_cpu_")),
        ("b[None].bmm(b[None])", "NotImplementedError", BOOL.format("bmm")),
        ("torch.einsum('ij,kj->ik', b, b)", "NotImplementedError", BOOL.format("bmm")),
        ("torch.baddbmm(b[None], b[None], b[None])", "NotImplementedError", BOOL.format("baddbmm")),
        ("b @ b.long()", "RuntimeError", "expected m1 and m2 to have the same dtype, but got: bool != long int"),
        ("b.clone().square_()", "RuntimeError", "result type Long can't be cast to the desired output type Bool"),
        ("x.index_copy_(0, i, z)", "IndexError", TWO),
        ("x.byte().index_copy_(0, i, z.double())", "IndexError", TWO),
        ("x.index_copy_(0, one, z)", "RuntimeError", SLICES),
        ("x.requires_grad_().index_add_(0, i, 1)", "TypeError",
         "index_add_(): argument 'source' (position 3) must be Tensor, not int"),
        ("x.requires_grad_().index_put_((i,), 1)", "TypeError",
         "index_put_(): argument 'values' (position 2) must be Tensor, not int"),
        ("z.roll(1, 0)", "IndexError", "Dimension specified as 0 but tensor has no dimensions"),
        ("z.scatter(0, i, z)", "RuntimeError", SMALLER),
        ("x.index_select(0, torch.tensor([5]))", "IndexError", "index out of range in self"),
        ("x.index_select(1, torch.tensor([5]))", "RuntimeError",
         "INDICES element is out of DATA bounds, id=5 axis_dim=3"),
        ("x.index_put((i,), torch.ones(5).double())", "RuntimeError", MISMATCH),
        ("x.__setitem__(i, torch.ones(5).double())", "RuntimeError", MISMATCH),
        ("torch.ones(0).put_(i, torch.ones(2))", "IndexError", "put_(): Tried to put elements into an empty tensor"),
        ("torch.ones(2).adjoint()", "RuntimeError", MATRICES),
        ("float(torch.tensor(3 + 1j))", "RuntimeError", "value cannot be converted to type double without overflow"),
        ("int(torch.tensor(3 + 1j))", "RuntimeError", "value cannot be converted to type int64_t without overflow"),
    ],
)  # fmt: skip
def test_refusals_are_pytorchs(code: str, exception: str, text: str) -> None:
    with pytest.raises(EngineError) as caught:
        eval(code, names())
    assert (caught.value.exception, str(caught.value)) == (exception, text)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("b.square()", [[1, 1], [1, 1]]), ("torch.ones(0, 2, dtype=torch.bool).mv(v)", []),
        ("torch.ones(2).scatter(0, torch.tensor(0), torch.ones(2) * 5)", [5.0, 1.0]),
        ("torch.ones(3).index_copy_(0, torch.tensor([1]), z)", [1.0, 3.0, 1.0]),
        ("z.index_copy_(0, one, torch.tensor([5.0]))", 5.0), ("z.roll(1)", 3.0),
        ("torch.tensor(float(torch.tensor(3 + 0j)))", 3.0), ("torch.tensor(int(torch.tensor(3 + 0j)))", 3),
    ],
)  # fmt: skip
def test_what_looks_like_them_is_computed(code: str, expected: Any) -> None:
    assert eval(code, names()).tolist() == expected


def test_a_cast_of_no_elements_discards_no_imaginary_parts(state: modes.State) -> None:
    torch.ones(0, dtype=torch.complex64).float()
    torch.zeros(0).copy_(torch.ones(0, dtype=torch.complex64))
    assert state.warnings == []
