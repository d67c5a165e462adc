"""``numpy.random``: NumPy's own generators, of the session or made by a program, never those of the process."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np

from app.program.arrays import Work, checked, itemsize, reserve, spanned, touch
from app.program.builtins import Getter, Routine, type_name
from app.program.failures import PythonError, python
from app.program.modules.calls import asked, host, unrepeatable
from app.program.modules.calls import touch as touch_list
from app.program.modules.numpy.arguments import array, dtype_of, plain
from engine import modes

_STEPS: Final = 40  # operations of NumPy for one number drawn


class Draws:
    """A generator of NumPy's that a journal can bring back to where it was."""

    __slots__ = ("__weakref__", "source")

    def __init__(self, source: np.random.RandomState | np.random.Generator) -> None:
        self.source = source

    @property
    def state(self) -> dict[str, Any]:
        """Where the generator is."""
        if isinstance(self.source, np.random.RandomState):
            return self.source.get_state(legacy=False)
        return dict(self.source.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        if isinstance(self.source, np.random.RandomState):
            self.source.set_state(state)
        else:
            self.source.bit_generator.state = state

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        state = self.state
        return lambda: setattr(self, "state", state)

    def __str__(self) -> str:
        return str(self.source)

    def __repr__(self) -> str:
        return repr(self.source).replace(f"{id(self.source):X}", f"{id(self):X}")


class Legacy(Draws):
    """A ``RandomState``."""

    __slots__ = ()


def default() -> Draws:
    """The generator of the session that ``numpy.random.seed`` seeds."""
    kept = modes.current().modules
    if "numpy.random" not in kept:
        kept["numpy.random"] = Legacy(np.random.RandomState())
    found: Draws = kept["numpy.random"]
    return found


# -- work ---------------------------------------------------------------------------------------------------------
def _drawn(size: Any, values: tuple[Any, ...], many: int = 1) -> Work:
    given = [
        one for one in (size if isinstance(size, (tuple, list)) else (size,)) if isinstance(one, (int, np.integer))
    ]
    count = prod(max(int(one), 0) for one in given) if size is not None else max(spanned(*values), 1)
    count *= many
    return Work(count, 16 * count, _STEPS * count)


def _by_size(*values: Any, size: Any = None, **named: Any) -> Work:
    return _drawn(size, (*values, *named.values()))


def _by_shape(*shape: Any, **_: Any) -> Work:
    return _drawn(shape, ())


def _permuted(x: Any = 0, *_: Any, **__: Any) -> Work:
    count = int(x) if isinstance(x, (int, np.integer)) else getattr(x, "size", len(x) if isinstance(x, list) else 1)
    return Work(count, 16 * max(count, 0) + itemsize(x), _STEPS * count)


def _chosen(a: Any = 0, size: Any = None, replace: Any = True, p: Any = None, **_: Any) -> Work:
    """A choice without replacement, or by probabilities, looks at all there is."""
    count = int(a) if isinstance(a, (int, np.integer)) else getattr(a, "size", 1)
    rows = a.size // max(len(a), 1) if isinstance(a, np.ndarray) and a.ndim else 1
    drawn = _drawn(size, (), max(rows, 1))
    looked = count if not replace or p is not None else 0
    return Work(max(drawn.elements, looked), drawn.nbytes + 16 * looked, drawn.operations + _STEPS * looked)


def _multivariate(mean: Any = (), cov: Any = (), size: Any = None, **_: Any) -> Work:
    length = getattr(mean, "size", 1)
    drawn = _drawn(size, (), length)
    work = drawn.operations + 30.0 * length**3 + 2.0 * drawn.elements * length
    return Work(drawn.elements, 3 * drawn.nbytes + 64 * length**2, work)


def _multinomial(n: Any = 0, pvals: Any = (), size: Any = None, **_: Any) -> Work:
    return _drawn(size, (n,), getattr(pvals, "size", 1))


# -- methods ------------------------------------------------------------------------------------------------------
class _Method:
    """A method of generators: where ``size`` stands among its arguments, and what it takes."""

    def __init__(
        self, name: str, places: str = "", cost: Callable[..., Work] | None = None, *, changes: bool = False
    ) -> None:
        self.name, self.places, self.cost, self.changes = name, places.split(), cost or _by_size, changes

    def __call__(self, draws: Draws, *args: Any, **kwargs: Any) -> Any:
        if self.changes and args:
            return self._shuffled(draws, *args, **kwargs)
        given = [dtype_of(one) if name == "dtype" else _given(name, one) for name, one in self._named(args)]
        named = {name: dtype_of(one) if name == "dtype" else _given(name, one) for name, one in kwargs.items()}
        by_name = dict(zip(self.places, given, strict=False)) | named
        rest = given[len(self.places) :] if self.places else given
        reserve(asked(self.cost, *rest, **by_name))
        unrepeatable("random numbers")
        modes.touch(draws)
        if "out" in named:
            touch(named["out"])
        return checked(python(getattr(draws.source, self.name), *given, **named))

    def _named(self, args: tuple[Any, ...]) -> list[tuple[str, Any]]:
        names = [*self.places, *[""] * (len(args) - len(self.places))]
        return list(zip(names, args, strict=False))

    def _shuffled(self, draws: Draws, x: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(x, (np.ndarray, list)):
            raise PythonError(TypeError, f"shuffle takes an array or a list here, not {type_name(x)}")
        reserve(_permuted(x))
        unrepeatable("random numbers")
        modes.touch(draws)
        touch(x)
        touch_list(x)
        python(draws.source.shuffle, x, *args, **kwargs)


def _given(name: str, value: Any) -> Any:
    return plain(value) if name in ("size", "axis") or not isinstance(value, (list, tuple)) else array(value)


_ONE_PARAMETER: Final = {
    "chisquare": "df", "exponential": "scale", "geometric": "p", "pareto": "a", "poisson": "lam", "power": "a",
    "rayleigh": "scale", "standard_gamma": "shape", "standard_t": "df", "weibull": "a",
}  # fmt: skip
_TWO_PARAMETERS: Final = {
    "beta": "a b", "binomial": "n p", "f": "dfnum dfden", "gamma": "shape scale", "gumbel": "loc scale",
    "laplace": "loc scale", "logistic": "loc scale", "lognormal": "mean sigma", "negative_binomial": "n p",
    "noncentral_chisquare": "df nonc", "normal": "loc scale", "uniform": "low high", "vonmises": "mu kappa",
    "wald": "mean scale",
}  # fmt: skip
_COMMON: Final = {
    name: _Method(name, f"{names} size") for name, names in (_ONE_PARAMETER | _TWO_PARAMETERS).items()
} | {
    "standard_cauchy": _Method("standard_cauchy", "size"), "triangular": _Method("triangular", "left mode right size"),
    "hypergeometric": _Method("hypergeometric", "ngood nbad nsample size"),
    "multivariate_normal": _Method("multivariate_normal", "mean cov size", _multivariate),
    "multinomial": _Method("multinomial", "n pvals size", _multinomial),
    "dirichlet": _Method("dirichlet", "alpha size", lambda alpha=(), size=None, **_: _multinomial(0, alpha, size)),
    "permutation": _Method("permutation", "x axis", _permuted), "shuffle": _Method("shuffle", changes=True),
}  # fmt: skip
_LEGACY: Final = _COMMON | {
    "choice": _Method("choice", "a size replace p", _chosen), "rand": _Method("rand", "", _by_shape),
    "randn": _Method("randn", "", _by_shape), "randint": _Method("randint", "low high size dtype"),
    "random": _Method("random", "size"), "random_sample": _Method("random_sample", "size"),
    "standard_exponential": _Method("standard_exponential", "size"),
    "standard_normal": _Method("standard_normal", "size"),
}  # fmt: skip
_MODERN: Final = _COMMON | {
    "choice": _Method("choice", "a size replace p axis shuffle", _chosen),
    "random": _Method("random", "size dtype out"),
    "integers": _Method("integers", "low high size dtype endpoint"),
    "permuted": _Method("permuted", "x", _permuted),
    "standard_exponential": _Method("standard_exponential", "size dtype method out"),
    "standard_gamma": _Method("standard_gamma", "shape size dtype out"),
    "standard_normal": _Method("standard_normal", "size dtype out"),
}  # fmt: skip


# -- seeds --------------------------------------------------------------------------------------------------------
def _seed(draws: Draws, seed: Any = None) -> None:
    modes.touch(draws)
    source: Any = draws.source
    python(source.seed, plain(seed))


def _get_state(draws: Draws, *_: Any, **__: Any) -> Any:
    return python(draws.source.get_state)  # type: ignore[union-attr]


def _set_state(draws: Draws, state: Any) -> None:
    modes.touch(draws)
    python(draws.source.set_state, plain(state))  # type: ignore[union-attr]


def _random_state(seed: Any = None) -> Draws:
    return Legacy(python(np.random.RandomState, plain(seed)))


def _default_rng(seed: Any = None) -> Draws:
    if isinstance(seed, Draws):
        return seed if isinstance(seed.source, np.random.Generator) else Draws(np.random.default_rng(seed.source))
    return Draws(python(np.random.default_rng, plain(seed)))


def _spawn(draws: Draws, n_children: Any) -> list[Draws]:
    count = int(n_children) if isinstance(n_children, (int, np.integer)) else 0
    reserve(Work(1, 2000 * max(count, 0), 2000.0 * max(count, 0)))
    modes.touch(draws)
    return [Draws(one) for one in python(draws.source.spawn, plain(n_children))]  # type: ignore[union-attr]


def _bound(name: str, method: Callable[..., Any]) -> Getter:
    return lambda draws: Routine(name, lambda *args, **kwargs: method(draws, *args, **kwargs), owner=draws)


_OF_LEGACY: Final[dict[str, Getter]] = {name: _bound(name, method) for name, method in _LEGACY.items()} | {
    "get_state": _bound("get_state", _get_state),
    "seed": _bound("seed", _seed),
    "set_state": _bound("set_state", _set_state),
}
_OF_MODERN: Final[dict[str, Getter]] = {name: _bound(name, method) for name, method in _MODERN.items()} | {
    "spawn": _bound("spawn", _spawn)
}


def _of_session(name: str, get: Getter) -> Routine:
    def call(*args: Any, **kwargs: Any) -> Any:
        method: Any = get(default())
        return method.function(*args, **kwargs)

    return Routine(name, call)


RANDOM: Final[dict[str, Any]] = {name: _of_session(name, get) for name, get in _OF_LEGACY.items()} | {
    "Generator": host(Draws, "numpy.random._generator.Generator", _default_rng, _OF_MODERN),
    "RandomState": host(Legacy, "numpy.random.mtrand.RandomState", _random_state, _OF_LEGACY),
    "default_rng": Routine("default_rng", _default_rng),
}
