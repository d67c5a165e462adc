"""A chain of 50 ops on 4 elements: what an op costs beside its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import autograd  # type: ignore[import-untyped]
import autograd.numpy  # type: ignore[import-untyped]
import numpy as np
import torch

import engine
from bench.measure import OURS, Comparison, compare, single_threaded, timed

Library = Any


def chain(library: Library, x: Any) -> Any:
    """50 elementwise ops; values stay near 1."""
    for _ in range(10):
        x = library.sin(x * 1.1 + 0.3)
        x = library.exp(-x)
    return x


def backward(library: Library, x: Any) -> None:
    x.grad = None
    chain(library, x).sum().backward()


def leaf(library: Library) -> Any:
    return library.tensor([0.1, 0.4, 0.7, 1.0], dtype=library.float64, requires_grad=True)


def complex_leaf(library: Library) -> Any:
    return library.tensor([0.1 + 0.2j, 0.4 - 0.1j, 0.7, 1.0j], dtype=library.complex128, requires_grad=True)


def complex_backward(library: Library, x: Any) -> None:
    """The gradient of a real loss; nearly every rule takes a conjugate."""
    x.grad = None
    chain(library, x).abs().sum().backward()


def hips_gradient() -> Callable[[], object]:
    """The same by HIPS autograd, whose gradients are functions of arrays."""
    library = autograd.numpy
    gradient = autograd.grad(lambda x: library.sum(chain(library, x)))
    return partial(gradient, np.array([0.1, 0.4, 0.7, 1.0]))


def check() -> None:
    """Both compute the same, or the comparison means nothing."""
    for make, sweep in ((leaf, backward), (complex_leaf, complex_backward)):
        ours, theirs = make(engine), make(torch)
        sweep(engine, ours)
        sweep(torch, theirs)
        torch.testing.assert_close(torch.tensor(ours.grad.tolist(), dtype=theirs.dtype), theirs.grad)


def run(seconds: float) -> list[Comparison]:
    check()
    peers = {OURS: engine, "torch eager": torch}
    with single_threaded():
        forward = {name: timed(partial(chain, library, leaf(library))) for name, library in peers.items()}
        both = {name: timed(partial(backward, library, leaf(library))) for name, library in peers.items()}
        both["HIPS autograd"] = timed(hips_gradient())
        sweeps = {name: partial(complex_backward, library, complex_leaf(library)) for name, library in peers.items()}
        of_complex = {name: timed(sweep) for name, sweep in sweeps.items()}
        return [
            *compare("50-op chain on 4 elements, forward", forward, seconds / 3),
            *compare("50-op chain on 4 elements, forward + backward", both, seconds / 3),
            *compare("50-op chain on 4 complex elements, forward + backward", of_complex, seconds / 3),
        ]
