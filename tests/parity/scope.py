"""What a program being written knows of its names: a guess at each tensor, and choices among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

FLOATS = ("float32", "float64", "float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("int64", "int32", "uint8", "int8", "int16")
SHAPES: tuple[tuple[int, ...], ...] = (
    (), (0,), (1,), (2,), (3,), (4,), (6,), (2, 3), (2, 3), (3, 2), (3, 3), (3, 3), (2, 2), (4, 4), (3, 1), (1, 3),
    (2, 0), (2, 3, 2), (2, 2, 2), (2, 1, 3),
)  # fmt: skip
LARGEST = 64  # elements of a tensor that later statements use
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Guess:
    """A name, and what its tensor should be."""

    name: str
    shape: Shape
    dtype: str = "float32"
    requires_grad: bool = False
    leaf: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def numel(self) -> int:
        return product(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def is_complex(self) -> bool:
        return self.dtype in COMPLEX


def product(shape: Sequence[int]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


def broadcast(left: Shape, right: Shape) -> Shape | None:
    """The common shape, or ``None``."""
    longer, shorter = sorted((left, right), key=len, reverse=True)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    pairs = list(zip(longer, padded, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return tuple(b if a == 1 else a for a, b in pairs)


class Scope:
    """The names so far, with the source of randomness that chooses among them."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.tensors: list[Guess] = []
        self.recording = True
        self._count = 0

    def new(self) -> str:
        """A name that is free; sometimes one that is rebound."""
        if self.tensors and self.rng.random() < 0.06:
            return self.rng.choice(self.tensors).name
        self._count += 1
        return f"{'abcdefghijklmnopqrstuvwxyz'[(self._count - 1) % 26]}{(self._count - 1) // 26 or ''}"

    def bind(self, guess: Guess) -> str:
        """Let later statements choose ``guess``, unless it grew large; its name."""
        others = [known for known in self.tensors if known.name != guess.name]
        self.tensors = [*others, guess] if guess.numel <= LARGEST or not others else others
        return guess.name

    def assign(self, text: str, source: Guess, shape: Shape, dtype: str | None = None, name: str | None = None) -> str:
        """``name = text``, a tensor computed from ``source``."""
        dtype = dtype or source.dtype
        requires_grad = source.requires_grad and self.recording and (dtype in FLOATS or dtype in COMPLEX)
        guess = Guess(name or self.new(), shape, dtype, requires_grad, False)
        return f"{self.bind(guess)} = {text}"

    def update(self, guess: Guess, **changes: object) -> None:
        """Know ``guess`` differently from now on."""
        self.bind(replace(guess, **changes))  # type: ignore[arg-type]

    def any(self) -> Guess:
        """A tensor; new ones rather than old ones."""
        weights = [1 + position for position in range(len(self.tensors))]
        return self.rng.choices(self.tensors, weights)[0]

    def where(self, condition: Callable[[Guess], bool]) -> Guess:
        """One that fulfils the condition, if there is one; sometimes any."""
        fitting = [guess for guess in self.tensors if condition(guess)]
        if not fitting or self.rng.random() < 0.03:
            return self.any()
        return self.rng.choices(fitting, [1 + position for position in range(len(fitting))])[0]

    def floating(self) -> Guess:
        return self.where(lambda guess: guess.is_float)

    def fitting(self, shape: Shape) -> Guess | None:
        """One that broadcasts to ``shape``."""
        fitting = [guess for guess in self.tensors if broadcast(guess.shape, shape) == shape]
        return self.rng.choice(fitting) if fitting else None

    def dim(self, guess: Guess) -> int:
        """A dimension, from the front or the back, seldom one that is not there."""
        if self.rng.random() < 0.02:
            return guess.ndim + 1
        dim = self.rng.randrange(max(guess.ndim, 1))
        return dim - max(guess.ndim, 1) if self.rng.random() < 0.3 else dim

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability


Maker = Callable[[Scope], str]
