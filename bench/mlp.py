"""One step of a small classifier, 784-512-512-10 on a batch of 256: matrix products."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch

import engine
from bench.measure import OURS, Comparison, compare, single_threaded, timed

SIZES, BATCH = (784, 512, 512, 10), 256
Library = Any
Network = tuple[Any, Any, list[tuple[Any, Any]]]  # images, labels, weight and bias of every layer


def network(library: Library) -> Network:
    """The same numbers for everyone."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, SIZES[0])).astype("float32")
    labels = rng.integers(SIZES[-1], size=BATCH)
    layers = [
        (rng.standard_normal((after, before)).astype("float32") / before**0.5, np.zeros(after, "float32"))
        for before, after in pairwise(SIZES)
    ]
    leaves = [tuple(library.from_numpy(part).requires_grad_() for part in layer) for layer in layers]
    return library.from_numpy(images), library.from_numpy(labels), leaves


def loss(library: Library, x: Any, labels: Any, layers: list[tuple[Any, Any]]) -> Any:
    """How far the network is from the labels."""
    functional = library.nn.functional
    for weight, bias in layers[:-1]:
        x = functional.relu(functional.linear(x, weight, bias))
    return functional.cross_entropy(functional.linear(x, *layers[-1]), labels)


def gradient(library: Library, x: Any, labels: Any, layers: list[tuple[Any, Any]]) -> None:
    """Loss and gradients."""
    for leaf in (leaf for layer in layers for leaf in layer):
        leaf.grad = None
    loss(library, x, labels, layers).backward()


def step(library: Library, x: Any, labels: Any, layers: list[tuple[Any, Any]]) -> None:
    """Loss and gradients, then a step downhill."""
    loss(library, x, labels, layers).backward()
    with library.no_grad():
        for leaf in (leaf for layer in layers for leaf in layer):
            leaf.sub_(leaf.grad, alpha=0.01)
            leaf.grad = None


def check() -> None:
    """Both learn the same, or the comparison means nothing."""
    networks = {library: network(library) for library in (engine, torch)}
    for library, parts in networks.items():
        for _ in range(3):
            step(library, *parts)
    ours, theirs = (layers for _, _, layers in networks.values())
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one[0].detach().numpy(), other[0].detach().numpy(), rtol=1e-3, atol=1e-5)


def run(seconds: float) -> list[Comparison]:
    check()
    with single_threaded():
        peers = {OURS: engine, "torch": torch}
        samplers = {name: timed(partial(step, library, *network(library))) for name, library in peers.items()}
        return compare("MLP 784-512-512-10, batch 256, one SGD step", samplers, seconds)
