"""The contenders of a workload by name, and whether they compute the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np

import transforms
from benchmarks.timing import wait_for
from benchmarks.with_funcdl import funcdl_step
from benchmarks.workload import Step, Workload
from transforms import tree
from transforms.lazy import lazy_module

autograd = lazy_module("autograd")
jax = lazy_module("jax")
torch = lazy_module("torch")

# Each contender, and the package that it needs.
PACKAGES = {
    "funcdl": "numpy",
    "torch": "torch",
    "torch.compile": "torch",
    "jax": "jax",
    "autograd": "autograd",
    "numpy": "numpy",
}
STEPS_COMPARED = 3


def installed() -> list[str]:
    """Return the contenders whose packages are here."""
    return [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)]


def names_of(workload: Workload, chosen: list[str]) -> list[str]:
    """Return which of the chosen contenders a workload has."""
    return [name for name in chosen if name == "funcdl" or name in workload.peers]


def make_step(workload: Workload, sizes: Any, name: str, backend: str) -> Step:
    """Return the step of a contender."""
    return funcdl_step(workload, sizes, backend) if name == "funcdl" else workload.peers[name](sizes)


def start_up(name: str, backend: str) -> None:
    """Differentiate a small network, by which a contender starts all that it starts once for a process."""
    examples, features = 64, 64
    x, w = np.ones((examples, features), np.float32), np.ones((features, features), np.float32)

    def loss(xp: Any, w: Any, x: Any) -> Any:
        return xp.sum(xp.tanh(xp.matmul(x, w)))

    if name == "funcdl":
        transforms.jit(transforms.grad(lambda w, x: loss(np, w, x)), backend=backend)(w, x)
    elif name == "jax":
        wait_for(jax.jit(jax.grad(lambda w, x: loss(jax.numpy, w, x)))(w, x))
    elif name == "autograd":
        autograd.grad(lambda w, x: loss(autograd.numpy, w, x))(w, x)
    elif name == "numpy":
        loss(np, w, x)
    else:
        parameter = torch.tensor(w, requires_grad=True)
        compiled = torch.compile(loss) if name == "torch.compile" else loss
        compiled(torch, parameter, torch.tensor(x)).backward()


def set_threads(count: int) -> None:
    """Set the number of threads of funcdl's own programs; those of the others are in the environment."""
    transforms.set_threads(count)


def check_agreement(workload: Workload, steps: Mapping[str, Step]) -> None:
    """Take a few steps with each contender, and compare what they give with the first one's.

    Raises:
        ValueError: a contender computes something else.
    """
    results = {name: [_arrays(step) for _ in range(STEPS_COMPARED)] for name, step in steps.items()}
    (first, expected), *others = results.items()
    for name, got in others:
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            error = max(_distance(*pair) for pair in zip(one, other, strict=True))
            if not error <= workload.tolerance:
                raise ValueError(
                    f"{workload.name}: what {name} gives in step {number} must be within "
                    f"{workload.tolerance} of {first}, got {error:.1e}"
                )


def _arrays(step: Step) -> list[Any]:
    value = step()
    wait_for(value)
    return [
        np.asarray(leaf.detach().numpy() if hasattr(leaf, "detach") else leaf) for leaf in tree.leaves(value)
    ]


def _distance(expected: Any, got: Any) -> float:
    """Return the largest difference, relative to the largest element."""
    if expected.shape != got.shape:
        return float("inf")
    scale = float(np.max(np.abs(expected), initial=0)) or 1.0
    return float(np.max(np.abs(expected - got), initial=0)) / scale
