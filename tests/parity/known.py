"""Differences from PyTorch that stay, each with its reason.

An entry says which kinds of differences it explains, behind which statements, and, where that is not enough, what else
has to hold of all that differs there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from tests.parity.compare import Difference
from tests.parity.program import Program

MODE = r"^(?:with [^:]*: )?"
IN_PLACE = rf"{MODE}(?:[\w.\[\](),: \"'-]*?\.\w+[a-z0-9]_\(|\w+(?:\[.*\])? [-+*/%&|]+= |[\w.]+\[.*\] = )"
MAKES = rf"{MODE}[\w, ]+ = |backward\("
OVERLAPPING = r"\.(as_strided|unfold)\("


class Place(NamedTuple):
    """All that differs behind one statement of a program, and the statements that may have done it."""

    differences: Sequence[Difference]
    before: Sequence[str]
    candidates: Sequence[str]


def _writes_over_an_operand(place: Place) -> bool:
    """Whether target and operand, or places of the target, are one memory: all of them look different."""
    changed = {difference.name for difference in place.differences if difference.field == "values"}
    writes = [statement for statement in place.candidates if re.search(IN_PLACE, statement)]
    return any(_overlaps(statement, changed, place.before) for statement in writes)


def _overlaps(statement: str, changed: set[str], before: Sequence[str]) -> bool:
    target = re.match(r"(?:with [^:]*: )?(\w+)", statement)
    if target is None:
        return False
    operands = set(re.findall(r"\w+", statement[target.end() :]))
    made = [re.match(rf"{MODE}(\w+) = {target[1]}\b", one) for one in before]
    views = {found[1] for found in made if found}
    return bool((changed | views | {target[1]}) & operands)


def _writes_one_place_twice(place: Place) -> bool:
    """Whether a view that may show elements several times was made before."""
    return any(re.search(OVERLAPPING, statement) for statement in place.before)


def _begins_alike(place: Place) -> bool:
    """Whether all nodes that differ have the same name, or copy what a node behind them made."""
    texts = [(str(one.expected), str(one.found)) for one in place.differences if one.field.endswith("grad_fn")]
    return all(left.partition("(")[0] == right.partition("(")[0] for left, right in texts)


def _before(pattern: str) -> Callable[[Place], bool]:
    """Whether a statement up to here shows ``pattern``."""
    return lambda place: any(re.search(pattern, statement) for statement in place.before)


def _numbers(place: Place) -> Iterator[tuple[float, float]]:
    """The numbers of all ``values`` that differ, in pairs; nothing where there are not as many."""
    for difference in place.differences:
        if difference.field.endswith("values"):
            words = [re.findall(r"[^\s,]+", str(side)) for side in (difference.expected, difference.found)]
            if len(words[0]) == len(words[1]):
                yield from ((float(one), float(other)) for one, other in zip(*words, strict=True))


def _off_by(most: float) -> Callable[[Place], bool]:
    """Whether no number differs by more."""
    return lambda place: all(abs(one - other) <= most for one, other in _numbers(place) if one == one)


def _is_close(place: Place) -> bool:
    """Whether all numbers are equal as far as float32 can tell."""
    return all(math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6) for one, other in _numbers(place) if one == one)


def _refuses_a_view_of_many(place: Place) -> bool:
    return any("multiple views" in str(one.found) for one in place.differences if one.field == "error")


def _reads_alike(difference: Difference, tolerance: float) -> bool:
    """Whether two texts differ in the last digits of their numbers only."""
    texts = (str(difference.expected), str(difference.found))
    words = [re.findall(r"\d+\.?\d*(?:e[-+]?\d+)?", text) for text in texts]
    skeletons = {re.sub(r"\d+\.?\d*(?:e[-+]?\d+)?", "#", text) for text in texts}
    pairs = zip(*words, strict=False)
    return len(skeletons) == 1 and all(
        math.isclose(float(one), float(other), rel_tol=tolerance, abs_tol=tolerance) for one, other in pairs
    )


def _all_read_alike(tolerance: float) -> Callable[[Place], bool]:
    """Whether all texts do. What is printed has four digits behind the point, what Python is given has all."""
    return lambda place: all(_reads_alike(one, tolerance) for one in place.differences if one.field.endswith("whole"))


def _same_numbers(place: Place) -> bool:
    """Whether all values are the same numbers in another order, as far as float32 can tell."""
    for difference in place.differences:
        if difference.field.endswith("values"):
            expected, found = (
                sorted(str(side).split(), key=_order) for side in (difference.expected, difference.found)
            )
            if len(expected) != len(found) or not all(map(_equal, expected, found)):
                return False
    return True


def _order(word: str) -> list[float]:
    return [round(float(part), 4) for part in word.split(",")]


def _equal(one: str, other: str) -> bool:
    pairs = zip(one.split(","), other.split(","), strict=True)
    return all(math.isclose(float(left), float(right), rel_tol=1e-5, abs_tol=1e-5) for left, right in pairs)


def _vanishes(place: Place) -> bool:
    """Whether PyTorch has nothing but zeros, or nothing at all, where something differs."""
    return all(
        one.expected is None or not set(str(one.expected)) - set("0-, ") or "MmBackward0" in str(one.expected)
        for one in place.differences
    )


def _expects(pattern: str) -> Callable[[Place], bool]:
    """Whether something that PyTorch shows there shows ``pattern``."""
    return lambda place: any(re.search(pattern, str(difference.expected)) for difference in place.differences)


def _both(*conditions: Callable[[Place], bool]) -> Callable[[Place], bool]:
    return lambda place: all(condition(place) for condition in conditions)


def _counts_more(place: Place) -> bool:
    """Whether PyTorch has counted one write more, or a few."""
    versions = [one for one in place.differences if one.field.endswith("version")]
    return all(1 <= (one.expected or 0) - (one.found or 0) <= 4 for one in versions)


_after_other_data = _before(r"\.data = ")


def _anywhere(place: Place) -> bool:
    return True


class Known(NamedTuple):
    """A difference that is meant; the patterns are searched for."""

    kind: str
    statement: str
    reason: str
    holds: Callable[[Place], bool] = _anywhere


RECORDED_LATER = "Inference tensors cannot be saved for backward"
KNOWN: tuple[Known, ...] = (
    Known(
        r"^grad\.version$", "",
        "PyTorch copies a gradient into memory it has just made, or takes it over, by how many hold it at that moment; "
        "the copy counts as a write. Nobody can have saved the gradient before.",
    ),
    Known(
        r"^(item\.)?version$", "",
        "PyTorch writes some results (of argmax, of gradients of selections) into memory it has just made, and counts "
        "that. Nobody can have saved them before.",
        _both(_before(MAKES), _counts_more),
    ),
    Known(
        r"^grad\.offset$", r"backward\(",
        "A gradient that PyTorch takes over without a copy lies where it was in the gradient of a whole.",
        _before(r"\.(cat|concat|concatenate|[vhd]?stack|row_stack|column_stack|meshgrid|\w+_scatter|vander)\("),
    ),
    Known(
        r"^item\.offset$", r"unsafe_(chunk|split)", "Parts that share a memory in PyTorch, which nobody may count on.",
    ),
    Known(
        r"^(grad\.)?idle stride$", r"grad\(|backward\(",
        "Strides of extents of 1, which show no place: a gradient has those of its leaf or its own, by whether PyTorch "
        "copied it or took it over (see above).",
    ),
    Known(
        r"^(version|grad_fn|leaf|requires_grad)\b", "",
        "Views of what a tensor showed before `.data =` go on to count with it in PyTorch, and get their histories "
        "back when it is written to; here they are views of the tensor that has these data now.",
        _after_other_data,
    ),
    Known(
        r"invalid gradient at index #", r"backward\(", "The same: the shape of such a history.",
        _both(_after_other_data, lambda place: place.differences[0].expected is None),
    ),
    Known(
        r"^(item\.)?values$", IN_PLACE,
        "The target overlaps what is read in a way that PyTorch does not see: it reads what it has already written, in "
        "an order that nobody promises. Here the operands are read first.",
        _writes_over_an_operand,
    ),
    Known(
        r"^(item\.)?values$", IN_PLACE,
        "The target shows elements several times in a way that PyTorch does not see. Here the last write counts.",
        _writes_one_place_twice,
    ),
    Known(
        r"^(item\.)?values$", r"index_put_\(.*accumulate=True", "The same, of an expanded tensor, which it warns of.",
        _before(r"expand\("),
    ),
    Known(
        r"^(item\.)?values$", r"\.(tri[ul]_|index_fill_|index_add_|index_copy_)\(|\[\[.*\] = ",
        "The same, of an expanded tensor, which these do not look for.", _before(r"expand\("),
    ),
    Known(
        r"^(item\.)?values$", r"scatter_add_\(|index_add_\(", "The same: the target is its own index.",
        lambda place: any(re.search(r"(\w+)\.(?:scatter|index)_add_\([-\d]+, \1\b", one) for one in place.candidates),
    ),
    Known(
        r"^(grad\.)?(values|version)$|^version$", IN_PLACE,
        "PyTorch takes a gradient over without a copy that shares its memory with what `backward` was given; later "
        "writes to either show in both.",
        _before(r"^\w+\.backward\(\w+\.detach\(\)"),
    ),
    Known(
        r"^(grad_fn|(item\.)?values)$", r"backward\(", "The same, of what a second `backward` adds.",
        _before(r"^\w+\.backward\(\w+\.detach\(\)"),
    ),
    Known(
        r"^(item\.)?(requires_grad|grad_fn|leaf)$", IN_PLACE,
        "In PyTorch a tensor of integers that a tracked number is written into comes to require grad.",
        lambda place: {"requires_grad", "leaf"} <= {difference.field for difference in place.differences},
    ),
    Known(r"error: RuntimeError: Autograd not support dtype: ", "", "The same: what such a tensor is good for."),
    Known(
        r"^error: RuntimeError: grad can be implicitly created only .* \| RuntimeError: element # of tensors does not",
        r"backward\(|grad\(", "The same, of one that is no scalar.", _before(r"\.view\(torch\.int|dtype=torch\.int"),
    ),
    Known(
        r"^(item\.)?values$", r"torch\.float64\)|\.double\(\)",
        "Numbers computed in float32, whose last digits differ, seen as float64.",
        _both(_before(r"float32|torch\.(bool|u?int)"), _is_close),
    ),
    Known(
        r"^error: RuntimeError: Inference tensors do not track version counter\. \| (None$|RuntimeError: Inplace)", "",
        "A tensor of inference mode that was given other data: PyTorch makes no views of it.", _after_other_data,
    ),
    Known(r"values$", r"resize_", "Elements that `resize_` adds are whatever memory holds in PyTorch; here 0."),
    Known(
        r"^(view|base)$", r"resize_\(", "A view that `resize_` gave memory of its own: it is none here.",
    ),
    Known(
        "unallocated storage", "",
        "PyTorch has tensors of zeros without memory for gradients that vanish, and refuses to show them.",
    ),
    Known(
        r"^(item\.)?values$", "", "The bits of computed numbers, whose last digit differs.",
        _both(_before(r"\.view\(torch\.u?int"), _off_by(4)),
    ),
    Known(
        r"'out'|functions with out=|got an unexpected keyword argument|cannot resize|"
        r"^error: TypeError: where\(\): argument # \(position #\) must be Tensor", r"out=",
        "Results are not written into tensors given as `out=`.",
    ),
    Known(
        r"^error: RuntimeError: \w+\(\): functions with out=.* \| None$", "",
        "Some results are written into tensors of PyTorch's own, which cannot be tracked in inference mode.",
        _before("inference_mode"),
    ),
    Known(
        r"^warnings: .*Converting a tensor", r"float\(|int\(|complex\(|\.item\(",
        "The second line of this warning; programs recorded from PyTorch have its first line only.",
    ),
    Known(
        r"^(item\.)?(view|base)$", r"autograd\.grad\(",
        "A gradient that PyTorch makes by a view of a sum is a tensor of its own here.",
    ),
    Known(
        rf"^error: RuntimeError: {RECORDED_LATER}.* \| (RuntimeError|NotImplementedError): ", "",
        "PyTorch saves operands before it looks at memory and dtypes; here they are saved when the result is there.",
        _before("inference_mode"),
    ),
    Known(
        r"^error: RuntimeError: Output # of .* its base or another view of its base .* \| RuntimeError: ", "",
        "PyTorch asks for the history of an operand before it looks at other arguments; here once the result is there.",
    ),
    Known(
        r"^(view|base)$", r"\.(repeat|tile)\(", "The copy of a tensor of inference mode is a view of nothing there.",
        _before("inference_mode"),
    ),
    Known(
        r"^(grad_fn|requires_grad|leaf)$", r"addmm\(", "PyTorch records this of tensors of inference mode alone.",
        _before("inference_mode"),
    ),
    Known(
        r"^(item\.)?values$", r"logical_|sign|eq\(|ne\(|floor|ceil|trunc|round|argm|sort|> |< ",
        "A number that is 0 but for rounding, looked at as a truth value, a sign or a whole number.",
        _both(_before(r" / |div|reciprocal|\dj"), _off_by(2)),
    ),
    Known(
        r"^item\.whole$", r"\.tolist\(", "The imaginary part of a quotient, 0 but for rounding.",
        _before(r" / |div"),
    ),
    Known(
        r"^error: None \| _LinAlgError: .* is zero|^error: _LinAlgError: .* is zero.* \| None", "",
        "A matrix that is singular but for rounding.", _before(r" /= | / |div|expand"),
    ),
    Known(
        r"^(dtype|warnings: .*ComplexHalf.*)$|ComplexHalf .* \| .*ComplexFloat |"
        r'^error: NotImplementedError: "\w+" not implemented for # \|', "",
        "PyTorch's complex numbers of 16 bits, which are an experiment, are complex64 here.",
        _expects("ComplexHalf|complex32"),
    ),
    Known(
        r"^error: (None|.*support automatic differentiation for outputs with complex dtype\.) \| NotImplementedError: "
        r'"(median_cpu|kthvalue_cpu|cum\w+_cpu|mode_cpu|softmax_\w+|m\w\w_values_cpu)" not implemented', "",
        "Without elements, or without dimensions, PyTorch does not come to the kernel that there is not.",
    ),
    Known(
        r"^(item\.)?values$", r"\.median\(", "PyTorch's median of an expanded tensor reads and writes one place.",
        _before(r"expand\(|autograd\.grad\("),
    ),
    Known(
        r"select\(\) cannot be applied to a #dim tensor\. \| IndexError: index # is out of bounds", r"\[-?\d+\]",
        "PyTorch reads the extent of a dimension that is not there, and says what it finds.",
    ),
    Known(
        r"^error: RuntimeError: setStorage: .* \| RuntimeError: setStorage: ", "",
        "How large a memory PyTorch made for an intermediate result.",
    ),
    Known(
        r"^(grad\.)?grad_fn$|^(stride|contiguous)$", r"grad\(|backward\(",
        "The derivative of a product divides by the factors in PyTorch, unless one is 0; here it never does.",
        _both(_before(r"\.(cum)?prod_?\("), _expects("ProdBackward|DivBackward")),
    ),
    Known(
        r"^grad\.values$", r"grad\(|backward\(", "The same, of factors that `.data =` has changed since.",
        _both(_before(r"\.prod\("), _after_other_data),
    ),
    Known(
        r"^(grad\.)?grad_fn$", r"grad\(|backward\(", "The adjoint of indexing is an op of its own here.",
        _expects("IndexPutImplBackward"),
    ),
    Known(
        r"^(stride|contiguous)$", r"grad\(|backward\(",
        "The cotangent of what a view was written into lies like it in PyTorch, here in C order.", _before(IN_PLACE),
    ),
    Known(
        r"^(item\.)?(grad\.)?grad_fn$", "",
        "Rarer ops, and the derivatives of their derivatives, are put together differently behind their first node.",
        _both(_before(r"; \w+ = "), _begins_alike),
    ),
    Known(
        r"^error: RuntimeError: (.* \| RuntimeError: Expected out tensor to have dtype|Found dtype|"
        r"signbit does not support non-boolean outputs)", r"out=",
        "The words in which a kernel of PyTorch refuses a dtype of `out=`, and that some refuse what others cast to.",
    ),
    Known(
        r"^error: (Type|Attribute)Error", "", "What Python's own refusals call the types of named results.",
        _expects(r"torch\.return_types\."),
    ),
    Known(r"^conj$", r" @ |\.dot\(", "The product of two conjugate vectors is a lazy conjugate in PyTorch."),
    Known(
        r"^(grad\.)?conj$", r"grad\(|backward\(", "A gradient that is a lazy conjugate in PyTorch.",
        _before(r"logcumsumexp\("),
    ),
    Known(
        r"^(item\.)?(grad\.)?(values|grad_fn|requires_grad|leaf)$", r"grad\(|backward\(",
        "PyTorch finds the derivative of a determinant by dividing by it, so that a singular matrix gets zeros; here "
        "it is that of its cofactors.", _both(_before(r"\bdet\("), _vanishes),
    ),
    Known(
        r"^error: None \| RuntimeError: (weight|bias) should contain", r"native_batch_norm",
        "PyTorch reads beyond the memory of weights that are too short.",
    ),
    Known(
        r"^(item\.)?values$", r"native_batch_norm",
        "PyTorch writes the running statistics first, and reads them again where they are the weights, too.",
        lambda place: any(re.search(r"norm_legit\(\w+, (\w+, )?(\w+), (\w+, )?\2\b|norm\w*\(\w+, (\w+), .*\b\4\b", one)
                          for one in place.candidates),
    ),
    Known(
        r"^(item\.)?values$", r"batch_norm\(", "A weight or a mean that is infinite: PyTorch multiplies out.",
        _before(r"float\('-?inf'\)"),
    ),
    Known(
        r"^(grad\.|item\.)?values$", "",
        "The digamma function near its root, or what PyTorch's float64 approximation of it loses there.",
        _both(_before("digamma|polygamma|lgamma"), _is_close),
    ),
    Known(
        r"^error: None \| RuntimeError: A view was created in no_grad mode .* multiple views|^(item\.)?values$",
        r"\] = |copy_\(", "PyTorch lets tracked numbers be written into integers, of which it records nothing.",
        _both(_before(r"torch\.(u?int\d+|bool)"), _refuses_a_view_of_many),
    ),
    Known(
        r"^error: TypeError: (var|std)(_mean)?\(\) received an invalid combination[\s\S]* \| None", "keepdim=False",
        "That the default of `keepdim` was given, where it may not stand, is not seen here.",
    ),
    Known(
        r"^(item\.)?values$", "", "What is written to such a tensor here, though PyTorch refuses in the end.",
        _both(_before("inference_mode"), _after_other_data),
    ),
    Known(
        r"invalid gradient at index # .* \| RuntimeError: The size of tensor|^grad$", r"backward\(",
        "The shape of a factor that `.data =` has changed since.",
        _both(_after_other_data, lambda place: "invalid gradient" in str(place.differences[0].expected)),
    ),
    Known(r"^idle stride$", r"(rot90|flip)\(", "Strides of extents of 1, which show no place."),
    Known(
        r"^(idle )?stride$", "materialize_grads", "Strides of a gradient without elements.",
        _before(r"zeros\(\([^)]*\b0\b"),
    ),
    Known(
        r"^grad_fn$", r"rounding_mode=None", "A rounding mode of None by name is the same as none here.",
        _expects("DivBackward2"),
    ),
    Known(
        r"^(item\.)?values$", r"segment_reduce\(.*offsets=",
        "PyTorch reads beyond the memory of segments, which holds anything; so far small whole numbers of 64 bits.",
        lambda place: any(0 < abs(one) < 1e-300 or abs(one) > 1e30 for pair in _numbers(place) for one in pair),
    ),
    Known(
        r"^(grad_fn|requires_grad|leaf)$", r"grad\(", "A second derivative that vanishes is recorded as zeros here.",
        lambda place: any("ZerosOf" in str(one.found) for one in place.differences),
    ),
    Known(
        r"^(grad\.)?grad_fn$", r"grad\(|backward\(", "A history of a write is another one behind the first node.",
        _both(_expects("CopySlices"), _begins_alike),
    ),
    Known(
        r"^(stride|contiguous)$", r"grad\(|backward\(", "The derivative of `take` lies in C order here.",
        _before(r"\btake\("),
    ),
    Known(
        r"^item\.(stride|contiguous|idle stride)$", "",
        "LAPACK leaves solutions in the first rows of a memory of as many as the larger side of the matrix has; here "
        "they have a memory of their own size.",
        lambda place: any(re.search(r"lstsq\(", s) for s in place.before)
        and all(re.search(rf"\b{one.name} = torch\.linalg\.lstsq", " ".join(place.before)) for one in place.differences
                if one.field.startswith("item.")),
    ),
    Known(
        r"^error: TypeError: \w+\(\) received an invalid combination of arguments - got \((Tensor)?\), but expected \(",
        "", "Functions that have another, deprecated form say so of calls with too few arguments.",
    ),
    Known(
        r"^error: TypeError: _[\w#]+\(\) missing # required positional arg", "",
        "PyTorch shows the inner name of functions that have two results or one.",
    ),
    Known(
        r"^(item\.)?whole$", r"^text = (str|repr|format|f['\"])", "Numbers whose last digits differ, as printed.",
        _all_read_alike(2e-4),
    ),
    Known(
        r"^(item\.)?whole$", r"^text = |\.item\(|float\(|\.tolist\(",
        "Numbers whose last digits differ, as Python's.", _all_read_alike(2e-5),
    ),
    Known(
        r"^(item\.)?dtype$", r"linalg\.(eigh|eigvalsh)\(",
        "Of integers PyTorch refuses these, unless they have no elements: then it returns integers.",
        lambda place: all(one.found.startswith("float") for one in place.differences if one.field.endswith("dtype")),
    ),
    Known(
        r"^grad$", r"backward\(",
        "Which leaves a sweep has reached when it comes upon a gradient of another shape, and is refused.",
        _before(r"\.data = |\.scatter\("),
    ),
    Known(
        r"^grad\.values$", r"backward\(",
        "An infinite cotangent of a point outside of an image: PyTorch leaves out the pixels that are not there, here "
        "they have the weight 0, and 0 times infinity is no number.",
        _both(_before(r"grid_sample"), lambda place: any("nan" in str(one.found) for one in place.differences)),
    ),
    Known(
        r"^(item\.)?values$", "", "The sign of a NaN, as bits.",
        _both(_before(r"\.view\(torch\.u?int"), _before("bfloat16"), _expects(r"(^|\s)(-64|32704)(\s|$)")),
    ),
    Known(
        r"^error: None \| RuntimeError: Inference tensors cannot be|^(item\.|grad\.)?(version|inference)\b|^grad$",
        r"inference_mode\(\): .*(backward|grad)\(",
        "Cotangents made while a sweep in inference mode is recorded, or handed back as they were given, are inference "
        "tensors there.",
    ),
    Known(
        r"^(item\.)?values$", r"linalg\.eig(vals)?\(", "LAPACK's order of eigenvalues, which no rule says.",
        _same_numbers,
    ),
    Known(
        r"^(item\.)?values$", r"sort\(|topk\(", "The order of equal elements, where nobody asked for a stable one.",
        _both(_same_numbers, lambda place: not any("stable=True" in s for s in place.candidates)),
    ),
    Known(
        r"^warnings: .*gradient layout contract", "", "PyTorch warns that such a gradient is slow to add to.",
    ),
    Known(
        r"^warnings: Casting complex.* \| $", r"logical_\w+_\(",
        "PyTorch casts the operand to the dtype of the target first.",
    ),
    Known(
        r"^error: RuntimeError: result type Float can't be cast to the desired output type Long \| None$",
        r"grad\(|backward\(", "PyTorch divides by integers in place.", _before(r"addcdiv"),
    ),
)  # fmt: skip


def reason(difference: Difference, place: Place) -> str | None:
    """Why this difference is meant, if it is."""
    for known in KNOWN:
        behind = any(re.search(known.statement, statement) for statement in place.candidates)
        if behind and re.search(known.kind, difference.kind) and known.holds(place):
            return known.reason
    return None


def unexplained(found: Iterable[Difference], program: Program) -> list[Difference]:
    """The differences after the first statement that has unexplained ones.

    What follows upon a known difference of more than words or versions may follow from it, so it counts for nothing.
    """
    for position, group in groupby(found, lambda difference: difference.position):
        before = program.statements[: position + 1]
        place = Place(list(group), before, before[-1:] if program.watched else before)
        rest = [difference for difference in place.differences if reason(difference, place) is None]
        explained = [difference for difference in place.differences if difference not in rest]
        if any(not (difference.is_wording or difference.field.endswith("version")) for difference in explained):
            return []
        if rest:
            return rest
    return []
