"""Value and gradient of 100 operations on a small vector, as Python reaches them: nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workload import Program, Step, Workload
from transforms import grad
from transforms.lazy import lazy_module

autograd = lazy_module("autograd")
anp = lazy_module("autograd.numpy")
jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
torch = lazy_module("torch")


class Sizes(NamedTuple):
    """How often the four operations are repeated, and the length of the vector."""

    repeats: int
    length: int


def chain(xp: Any, repeats: int = 25) -> Callable[[Any], Any]:
    """Return a function of four elementwise operations, again and again."""

    def f(x: Any) -> Any:
        for _ in range(repeats):
            x = xp.tanh(xp.sin(x * 1.01) + x)
        return xp.sum(x)

    return f


def vector(sizes: Sizes) -> Any:
    return np.linspace(-1, 1, sizes.length, dtype=np.float32)


def in_funcdl(sizes: Sizes) -> Program:
    return Program(grad(chain(np, sizes.repeats)), (vector(sizes),))


def in_torch(sizes: Sizes) -> Step:
    f, x = chain(torch, sizes.repeats), torch.tensor(vector(sizes), requires_grad=True)
    return lambda: torch.autograd.grad(f(x), x)[0]


def in_jax(sizes: Sizes) -> Step:
    gradient, x = jax.grad(chain(jnp, sizes.repeats)), jnp.array(vector(sizes))
    return lambda: gradient(x)


def in_autograd(sizes: Sizes) -> Step:
    gradient, x = autograd.grad(chain(anp, sizes.repeats)), vector(sizes)
    return lambda: gradient(x)


ORDER = 9
WORKLOADS = (
    Workload(
        "eager_chain",
        "eager `grad`, chain of 100 small operations",
        2.0,
        Sizes(repeats=25, length=10),
        Sizes(repeats=2, length=3),
        in_funcdl,
        {"torch": in_torch, "jax": in_jax, "autograd": in_autograd},
        jitted=False,
    ),
)
