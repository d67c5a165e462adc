"""What a declaration says of an op beside its kernel and rules: a few groups of flags, each documented here.

``@primitive(pointwise=True, promote="int_to_float")`` gives flags by name; ``sort_flags`` puts each into its group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What the kernel does, for whoever runs, writes or plans it."""

    pointwise: bool = False
    """Every element of the result is made of the elements at its place; operands broadcast and promote."""
    linear: bool = False
    """Linear in all differentiable inputs together: the jvp is the op itself. Views are."""
    view: bool = False
    """The result looks into the storage of the first input."""
    reinterprets: bool = False
    """A view that shows other numbers than those of its input, so that no sizes and strides describe it; it has no
    static arguments."""
    flips: int = 0
    """The bits of the first input that a view has not, and the other way round."""
    reads_storage: bool = False
    """The kernel is given the whole buffer of its first input, flat and in memory order."""
    steps: bool = False
    """The result moves in steps, or not at all with its inputs: their cotangents are zeros, no rule says so."""
    underivable: bool = False
    """PyTorch records it without being able to differentiate it: the node has only edges that lead somewhere, and it
    refuses."""
    underivable_in_place: bool = False
    """PyTorch has no derivative of the in-place variant: the node refuses."""
    random: bool = False
    """It draws from a generator: a plan cannot replay it."""
    data_dependent: bool | Callable[..., bool] = False
    """Values decide on the shape of the result: always, or as this function of some arguments (by name) says."""
    total: bool = False
    """No values make the kernel raise, so a plan may leave it out where nothing needs the result."""
    layout: str | tuple[str, ...] = ""
    """How the result (each of several) lies in memory: ``contiguous``; as follows from the ``operands`` of a pointwise
    op, or from the ``tensors`` among them, if numbers do not count; as a copy of the first ``input`` does; in
    ``columns``, as LAPACK leaves matrices; or as the ``kernel`` left it. Unless told, that of pointwise ops follows
    from the operands, and all others are contiguous."""
    overlap: str = "partial"
    """In place: which overlap of the target with another operand is refused: ``partial`` (it may be the target itself),
    ``any``, or ``none``; ``same``: partial, and to read just what is written is no overlap at all."""
    overlap_first: bool = False
    """In place: overlaps are looked at before ``check`` refuses arguments."""
    repeats: bool | str = False
    """In place: the target may overlap itself, so that one element is written several times; if it is a name, with
    PyTorch's warning about the op of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a call takes, which the budget is asked for before anything of it happens.

    Each is a function of some arguments (by name; operands are arrays, of the dtypes that the caller gave).
    """

    grows: Callable[..., int] | None = None
    """How many elements the result has, where that may be more than the operands broadcast to."""
    scratch: float | Callable[..., float] = 1.5
    """What the call takes at its peak: as a multiple of operands and result together (at least half of the truth, at
    most a few times it), or in elements."""
    is_product: bool = False
    """All that is not more than the product of the operands' sizes: nothing need be asked where that is small."""
    work: Callable[..., float] | None = None
    """How many floating-point operations the kernel takes, where these are more than a few for every element: as many
    of a matrix product as take the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtypes:
    """Which dtypes the kernel is given."""

    promote: str | None = None
    """``default``: operands are cast to their common dtype (pointwise ops do so anyway). ``int_to_float``: integers and
    bools become the default dtype. ``None``: each operand keeps its own."""
    supports: str = "bifch"
    """Common dtypes that there is a kernel for: ``b`` bool, ``i`` integers, ``f`` floats, ``F`` floats but for 16 bits,
    ``c`` complex, ``h`` complex of 16 bits. 16-bit floats compute as float32; no kernel knows of them."""
    kernel_name: str | None = None
    """What PyTorch's refusal of another dtype calls the kernel; ``<name>_cpu`` unless told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What may stand in the place of a parameter."""

    numbers: tuple[str, ...] | None = None
    """Inputs that may be Python numbers; of a pointwise op all but the first unless told."""
    nondifferentiable: tuple[str, ...] = ()
    """Inputs without a rule. ``Index`` and ``Mask`` parameters never have one."""
    layout_only: tuple[str, ...] = ()
    """Inputs of which only shape, dtype and strides count: a plan does not follow their values."""
    check: Callable[..., None] | None = None
    """Refuses arguments (named as its parameters) before anything happens."""
    check_in_place: Callable[..., None] | None = None
    """The same of the in-place variant, where that refuses others; asks for no fewer parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What comes out."""

    outputs: tuple[str, ...] = ("out",)
    """Names of the results, by which rules ask for them."""
    many: bool = False
    """The kernel returns a list whose length depends on its arguments."""
    result: Callable[..., Any] | None = None
    """What the results are put into: a named tuple."""
    constant: tuple[str, ...] = ()
    """Those of the results that never have a history, though they are of a dtype that could."""
    out: str = ""
    """Where ``out=`` may be of another dtype, unless one is asked for: ``cast`` to it, as pointwise results are;
    ``dtype``: computed in it; ``kind``: cast to another precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What PyTorch calls the op and its nodes. A static argument ``grad_fn`` of an op is the name of the node."""

    grad_fn: str | None = None
    """The node's name where it is not made of the op's."""
    inplace_grad_fn: str | None = None
    """The node's name of the in-place variant, if it has another."""
    number_grad_fn: dict[str, str] = field(default_factory=dict)
    """The node's name where the input of this name is a Python number: it has no edge then."""
    rule_grad_fn: dict[str, str] = field(default_factory=dict)
    """The same, in rules only: what C++ takes for numbers are tensors in Python."""
    shown_as: str | None = None
    """The name in error messages, where it is not the op's."""


GROUPS: tuple[type, ...] = (Nature, Costs, Dtypes, Arguments, Outputs, Naming)
_NAMES = {group: tuple(one.name for one in fields(group)) for group in GROUPS}


def sort_flags(flags: dict[str, Any]) -> list[Any]:
    """The flags of a declaration as one of each of ``GROUPS``. Raises ``TypeError`` for a flag that none has."""
    left = dict(flags)
    groups = [group(**{name: left.pop(name) for name in names if name in left}) for group, names in _NAMES.items()]
    if left:
        raise TypeError(f"no op has flags {sorted(left)}")
    return groups
