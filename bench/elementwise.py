"""A chain of 11 elementwise ops on a million elements: arithmetic and memory traffic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import torch

import engine
from bench.measure import OURS, Comparison, compare, single_threaded, timed

ELEMENTS = 1_000_000
Library = Any


def chain(library: Library, x: Any) -> Any:
    """11 elementwise ops."""
    a = library.tanh(x * 0.5 + 0.1)
    b = library.exp(-(x * x))
    c = library.sigmoid(a * b)
    return c * a - library.sin(b)


def gradient(library: Library, x: Any) -> None:
    x.grad = None
    chain(library, x).sum().backward()


def leaves(dtype: str) -> dict[str, tuple[Library, Any]]:
    values = np.random.default_rng(0).standard_normal(ELEMENTS).astype(dtype)
    ours = engine.from_numpy(values.copy()).requires_grad_()
    return {OURS: (engine, ours), "torch": (torch, torch.from_numpy(values.copy()).requires_grad_())}


def check(contenders: dict[str, tuple[Library, Any]]) -> None:
    """Both compute the same, or the comparison means nothing."""
    for library, x in contenders.values():
        gradient(library, x)
    ours, theirs = (x.grad.numpy() for _, x in contenders.values())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def jax_gradient(dtype: str) -> Callable[[], object]:
    """The same by JAX, compiled."""
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def total(x: Any) -> Any:
        a = jnp.tanh(x * 0.5 + 0.1)
        b = jnp.exp(-(x * x))
        c = jax.nn.sigmoid(a * b)
        return jnp.sum(c * a - jnp.sin(b))

    gradient = jax.jit(jax.grad(total))
    x = jnp.asarray(np.random.default_rng(0).standard_normal(ELEMENTS).astype(dtype))
    return lambda: gradient(x).block_until_ready()


def run(seconds: float) -> list[Comparison]:
    found = []
    for dtype in ("float64", "float32"):
        contenders = leaves(dtype)
        check(contenders)
        with single_threaded():
            samplers = {name: timed(partial(gradient, *given)) for name, given in contenders.items()}
            samplers["JAX, compiled"] = timed(jax_gradient(dtype))
            found += compare(f"11-op chain on 1e6 {dtype}, forward + backward", samplers, seconds / 2)
    return found
