"""``numpy``: its own results, under declared work that bounds what its functions really take."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.program.modules.importable import MODULES
from app.program.modules.numpy.arguments import Entry, array, dtype_of, plain
from app.program.modules.numpy.functions import ALL
from app.program.operations import Routine, binary, compare, get_item, in_place, set_item, unary
from app.program.values import attribute
from engine import Tensor, modes, registry
from tests.app.program.modules.array_samples import samples
from tests.app.program.modules.using import SMALL, entry, outcome, refused, running

PATHS = [f"{module}.{name}".removeprefix("numpy.") for module, entries in ALL.items() for name in entries]
SMALLEST, LARGE = samples(4), samples(120)


def theirs(path: str) -> Any:
    found: Any = np
    for part in path.split("."):
        found = getattr(found, part)
    return found


def own(path: str) -> Entry:
    module, _, name = f"numpy.{path}".rpartition(".")
    return ALL[module][name]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, (tuple, list)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind in "fc")
    return type(left) is type(right) and (left == right or left != left)


def test_every_function_has_samples() -> None:
    assert set(PATHS) == set(SMALLEST)
    assert {path for path, calls in SMALLEST.items() if not calls} == {"empty", "empty_like"}


@pytest.mark.parametrize("path", PATHS)
def test_a_function_gives_what_numpys_gives(path: str) -> None:
    with running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for args, kwargs in SMALLEST[path]:
            copies = [one.copy() if isinstance(one, np.ndarray) else one for one in args]
            expected = theirs(path)(*(_real(one) for one in args), **{key: _real(one) for key, one in kwargs.items()})
            assert same(entry(f"numpy.{path}")(*copies, **kwargs), expected)
            assert all(same(one, two) for one, two in zip(copies, args, strict=True))


def _real(value: Any) -> Any:
    return value


@pytest.mark.parametrize("path", PATHS)
def test_the_work_declared_bounds_what_is_made(path: str) -> None:
    """Beside some objects that are there anyway, nothing takes more than twice what it says."""
    entry_ = own(path)
    with running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for args, kwargs in LARGE[path]:
            given = [array(one) if i < entry_.arrays else plain(one) for i, one in enumerate(args)]
            if 0 <= entry_.dtype_at < len(args):
                given[entry_.dtype_at] = dtype_of(args[entry_.dtype_at])
            named = {key: dtype_of(one) if key == "dtype" else one for key, one in kwargs.items()}
            work = entry_.cost(*given, **named)
            entry_.function(*given, **named)  # what is made once
            tracemalloc.start()
            try:
                result = entry_.function(*given, **named)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak <= 2 * work.nbytes + 100_000, (args, kwargs)
            largest = max((one.size for one in _arrays(result)), default=0)
            assert largest <= max(work.elements, max((one.size for one in _arrays(given)), default=1)), (args, kwargs)


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [part for one in value for part in _arrays(one)]
    return [value] if isinstance(value, np.ndarray) else []


# -- operators and subscripts -------------------------------------------------------------------------------------
NUMBERS = arrays.arrays(
    st.sampled_from(["float64", "float32", "int64", "uint8", "bool"]),
    arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
)
OPERANDS = st.one_of(
    NUMBERS, st.integers(-3, 3), st.floats(-3, 3), st.lists(st.integers(0, 3), max_size=3), st.just("a")
)
SYMBOLS = ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]
PYTHON = {symbol: f"left {symbol} right" for symbol in [*SYMBOLS, "==", "!=", "<", "<=", ">", ">=", "in", "not in"]}


def _outcome(function: Any, *args: Any) -> Any:
    """What a call gives; how it is refused, but for the words, which NumPy has of its own for lists made arrays."""
    found = outcome(function, *args)
    return found[:1] if isinstance(found, tuple) and isinstance(found[0], str) else found


@pytest.mark.parametrize("symbol", PYTHON)
@settings(max_examples=40)
@given(left=NUMBERS, right=OPERANDS)
def test_an_operator_does_what_numpys_does(symbol: str, left: Any, right: Any) -> None:
    ours = binary if symbol in SYMBOLS else compare
    program = eval(f"lambda left, right: {PYTHON[symbol]}")
    with running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operands in ((left, right), (right, left)):
            expected = _outcome(program, *operands)
            assert same(_outcome(ours, symbol, *operands), expected)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "**"])
@settings(max_examples=20)
@given(left=NUMBERS, right=OPERANDS)
def test_an_operator_in_place_writes_to_the_array(symbol: str, left: Any, right: Any) -> None:
    def program(target: Any) -> Any:
        names = {"target": target, "right": right}
        exec(f"target {symbol}= right", {}, names)
        return names["target"]

    with running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, expected = left.copy(), left.copy()
        assert same(_outcome(in_place, symbol, ours, right), _outcome(program, expected))
        assert same(ours, expected)


@pytest.mark.parametrize("symbol", ["-", "+", "~", "not"])
@given(operand=NUMBERS)
@settings(max_examples=20)
def test_a_unary_operator_does_what_numpys_does(symbol: str, operand: Any) -> None:
    program = eval(f"lambda operand: {symbol} operand")
    with running(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert same(_outcome(unary, symbol, operand), _outcome(program, operand))


INDICES = st.one_of(
    arrays.basic_indices((2, 3), allow_newaxis=True), arrays.integer_array_indices((2, 3)),
    arrays.arrays(bool, (2, 3)), st.lists(st.integers(-2, 1), max_size=3), st.sampled_from([5, 1.5, "a", None, ...]),
    st.tuples(st.lists(st.integers(0, 1), min_size=2, max_size=2), st.lists(st.integers(0, 2), min_size=2, max_size=2)),
)  # fmt: skip


@given(index=INDICES, value=st.one_of(st.integers(0, 9), st.lists(st.floats(0, 1), max_size=3)))
@settings(max_examples=200)
def test_a_subscript_does_what_numpys_does(index: Any, value: Any) -> None:
    ours, expected = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)
    with running():
        assert same(_outcome(get_item, ours, index), _outcome(np.ndarray.__getitem__, expected, index))
        assert same(_outcome(set_item, ours, index, value), _outcome(np.ndarray.__setitem__, expected, index, value))
    assert same(ours, expected)


def test_a_number_of_numpys_repeats_a_list_and_fills_a_text() -> None:
    with running():
        assert binary("*", [0], np.int64(3)) == [0, 0, 0]
        assert binary("%", "%d %s", (np.int64(3), "a")) == "3 a"
        assert binary("%", "%.2f", np.float64(1)) == "1.00"
        assert compare("in", np.int64(3), [1, 3])


# -- tensors ------------------------------------------------------------------------------------------------------
def tensor(*values: float) -> Tensor:
    made: Tensor = registry.function("tensor")(list(values))  # type: ignore[misc]
    return made


def test_arrays_and_tensors_share_memory_and_mix_as_pytorch_has_it() -> None:
    with running():
        data = np.arange(2.0)
        made: Any = registry.function("from_numpy")(data)  # type: ignore[misc]
        data[0] = 9.0
        assert made.tolist() == [9.0, 1.0]
        one = tensor(1.0, 2.0)
        assert binary("+", one, data).tolist() == [10.0, 3.0]
        assert binary("*", np.float32(2), one).tolist() == [2.0, 4.0]
        assert compare("==", data, one).tolist() == [False, False]
        assert outcome(binary, "*", data, one) == (
            "TypeError", "unsupported operand type(s) for *: 'numpy.ndarray' and 'Tensor'",
        )  # fmt: skip
        assert outcome(binary, "+", data, one)[1].startswith("Concatenation operation is not implemented")
        assert entry("numpy.sin")(tensor(0.0)).tolist() == [0.0]
        assert type(entry("numpy.sin")(tensor(0.0))) is Tensor
        assert same(entry("numpy.array")(one), np.array([1.0, 2.0], "float32"))
        assert same(entry("numpy.stack")([one, one]), np.array([[1.0, 2.0]] * 2, "float32"))
        assert get_item(data, tensor(1.0, 0.0).long()).tolist() == [1.0, 9.0]


def test_a_tensor_that_requires_grad_is_no_array() -> None:
    with running():
        for path in ("sqrt", "array", "stack"):
            leaf = tensor(1.0).requires_grad_()
            _, text = outcome(entry(f"numpy.{path}"), leaf)
            assert text == "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."


def test_what_a_run_wrote_to_arrays_is_undone_with_it() -> None:
    with running() as state:
        data = np.arange(6.0)
        made: Any = registry.function("from_numpy")(data)  # type: ignore[misc]
        state.journal = journal = modes.Journal()
        with modes.use(state):
            set_item(data[1:], 0, 50.0)
            made.add_(1)
            in_place("*", data, 2)
            attribute(data, "sort")()
            entry("numpy.fill_diagonal")(data.reshape(2, 3), 7.0)
            entry("numpy.add")(data, 1, out=data)
        journal.rollback()
        assert data.tolist() == made.tolist() == list(range(6))


# -- dtypes and hostile calls -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["float32", "int8", "f4", "<i8", "?", "complex64", "float", "B", "bool"])
def test_a_dtype_is_known_by_its_name(name: str) -> None:
    with running():
        assert entry("numpy.zeros")(2, dtype=name).dtype == np.dtype(name)


REFUSED: dict[str, Any] = {
    "objects by name": lambda np_: np_("zeros")(3, dtype="O"),
    "objects by letter": lambda np_: np_("zeros")(3, "O"),
    "objects by what they are": lambda np_: np_("array")([1, None]),
    "objects in a dict": lambda np_: np_("array")({"a": 1}),
    "a function as an element": lambda np_: np_("array")([len]),
    "a wide text": lambda np_: np_("zeros")(3, dtype="S1000000000"),
    "fields": lambda np_: np_("dtype")("i4,O"),
    "fields in a list": lambda np_: np_("dtype")([("a", "O")]),
    "fields in a dict": lambda np_: np_("dtype")({"names": ["a"], "formats": ["O"]}),
    "an array like another": lambda np_: np_("array")([1], like=np.zeros(1)),
    "a signature": lambda np_: np_("add")([1], [1], signature="OO->O"),
    "a function that pads": lambda np_: np_("pad")([1], 1, print),
    "an object as a condition": lambda np_: np_("where")([None], 1, 2),
    "a set": lambda np_: np_("sum")({1, 2}),
    "a text as bins": lambda np_: np_("histogram")([1.0, 1e300], "auto"),
    "dates": lambda np_: np_("array")([1], dtype="M8[s]"),
    "long doubles": lambda np_: np_("array")([1], dtype="g"),
    "text of a formatter": lambda np_: np_("array2string")(np.zeros(1), formatter={"all": print}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_array_of_numbers_is_refused(name: str) -> None:
    with running():
        kind, _ = outcome(REFUSED[name], lambda path: entry(f"numpy.{path}"))
        assert kind in ("TypeError", "ValueError")


def test_what_is_not_listed_is_not_there() -> None:
    for name in (
        "load", "save", "fromfile", "memmap", "frompyfunc", "lib", "ctypeslib", "object_", "void", "char", "genfromtxt",
        "loadtxt", "savetxt", "fromstring", "frombuffer", "nditer", "piecewise", "f2py", "core",
    ):  # fmt: skip
        assert name not in MODULES["numpy"]
    with running():
        for name in ("reduce", "at", "outer", "__class__", "types"):
            assert outcome(attribute, entry("numpy.add"), name) != outcome(getattr, np.add, name)
        for name in ("ctypes", "data", "base", "flags", "__array_interface__", "dump", "tofile", "setflags", "view"):
            assert outcome(attribute, np.zeros(1), name)[0] == "AttributeError"


HOSTILE: dict[str, tuple[Any, str]] = {
    "a large array": (lambda np_: np_("zeros")((10**5, 10**5)), "tensor_elements"),
    "a large grid": (lambda np_: np_("meshgrid")(*[list(range(100))] * 8), "tensor_elements"),
    "a long range": (lambda np_: np_("arange")(10**18), "tensor_elements"),
    "many points": (lambda np_: np_("linspace")(0, 1, 10**12), "tensor_elements"),
    "a repetition": (lambda np_: np_("repeat")([1.0], 10**12), "tensor_elements"),
    "a tile": (lambda np_: np_("tile")([1.0], (10**6, 10**6)), "tensor_elements"),
    "padding": (lambda np_: np_("pad")([1.0], 10**12), "tensor_elements"),
    "a wide product": (lambda np_: np_("outer")(np.zeros(2**17), np.zeros(2**17)), "tensor_elements"),
    "a broadcast": (lambda np_: np_("add")(np.zeros((2**17, 1)), np.zeros(2**17)), "tensor_elements"),
    "an operator": (lambda np_: binary("+", np.zeros((2**17, 1)), np.zeros(2**17)), "tensor_elements"),
    "a comparison": (lambda np_: compare("<", np.zeros((2**17, 1)), np.zeros(2**17)), "tensor_elements"),
    "a matrix product": (lambda np_: binary("@", np.zeros((2**17, 1)), np.zeros((1, 2**17))), "tensor_elements"),
    "a view that seems large": (lambda np_: np_("broadcast_to")(0.0, (10**9, 10**9)), "tensor_elements"),
    "einsum": (lambda np_: np_("einsum")("a,b->ab", np.zeros(2**17), np.zeros(2**17)), "tensor_elements"),
    "an identity": (lambda np_: np_("eye")(10**9), "tensor_elements"),
    "a diagonal": (lambda np_: np_("diag")([1.0], 10**9), "tensor_elements"),
    "bins": (lambda np_: np_("bincount")([10**12]), "tensor_elements"),
    "more bins": (lambda np_: np_("histogram")([1.0], 10**12), "tensor_elements"),
    "a transform": (lambda np_: np_("fft.fft")([1.0], 10**12), "tensor_elements"),
    "an inverse": (lambda np_: np_("linalg.inv")(np.broadcast_to(0.0, (2**20, 2**20))), "tensor_elements"),
    "the same array many times": (lambda np_: np_("array")([np.zeros(10**4)] * 1000), "list_items"),
    "an index": (lambda np_: get_item(np.zeros((1, 2**20)), np.zeros(2**20, int)), "tensor_elements"),
    "a text of much": (lambda np_: np_("array2string")(np.zeros(10**6), threshold=10**9), "intermediate_bytes"),
    "a list repeated": (lambda np_: binary("*", [0], np.int64(10**12)), "list_items"),
    "a range as an array": (lambda np_: np_("array")(range(10**18)), "list_items"),
    "differences": (lambda np_: np_("diff")(np.zeros(10), 10**12), "seconds"),
    "an array for each": (lambda np_: np_("vectorize")(len)(np.zeros(10**6)), "intermediate_bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_take_too_much_is_refused(name: str) -> None:
    action, limit = HOSTILE[name]
    with running(SMALL):
        tracemalloc.start()
        try:
            assert refused(action, lambda path: entry(f"numpy.{path}")) == limit
            assert tracemalloc.get_traced_memory()[1] < 4 * SMALL.intermediate_bytes
        finally:
            tracemalloc.stop()


def test_a_routine_of_numpy_is_a_plain_one() -> None:
    assert isinstance(MODULES["numpy"]["sin"], Routine)
