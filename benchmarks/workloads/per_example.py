"""The gradient of each example by itself, for a network of two layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.with_funcdl import start
from benchmarks.workload import Program, Step, Workload
from funcdl import losses, nn
from transforms import grad, vmap
from transforms.lazy import lazy_module

jax = lazy_module("jax")
torch = lazy_module("torch")


class Sizes(NamedTuple):
    """Examples, and the widths of inputs and of the hidden layer."""

    examples: int
    inputs: int
    hidden: int


def model(sizes: Sizes) -> nn.Layer:
    return nn.serial(nn.dense(sizes.hidden), nn.relu, nn.dense(10))


def data(sizes: Sizes) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.examples, sizes.inputs)).astype(np.float32)
    return x, rng.integers(0, 10, sizes.examples)


def layers(sizes: Sizes) -> list[Any]:
    return [layer for layer in start(model(sizes), data(sizes)[0]) if layer]


def in_funcdl(sizes: Sizes) -> Program:
    layer, (x, labels) = model(sizes), data(sizes)

    def loss(params: Any, x: Any, label: Any) -> Any:
        return losses.softmax_cross_entropy(layer(params, x), label)

    return Program(vmap(grad(loss), in_axes=(None, 0, 0)), (start(layer, x), x, labels))


def in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    def loss(params: Any, x: Any, label: Any) -> Any:
        first, second = params
        hidden = torch.relu(x @ first["kernel"] + first["bias"])
        return torch.nn.functional.cross_entropy(hidden @ second["kernel"] + second["bias"], label)

    per_example = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    return with_torch.repeating(per_example, layers(sizes), *data(sizes), compiled=compiled)


def in_jax(sizes: Sizes) -> Step:
    def loss(params: Any, x: Any, label: Any) -> Any:
        first, second = params
        hidden = jax.nn.relu(with_jax.dense(first, x))
        return with_jax.cross_entropy(with_jax.dense(second, hidden), label)

    per_example = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))
    return with_jax.jax_step(Program(per_example, (layers(sizes), *data(sizes))))


ORDER = 6
WORKLOADS = (
    Workload(
        "per_example",
        "per-example gradients, 64-128-10, 256 examples",
        1.8,
        Sizes(examples=256, inputs=64, hidden=128),
        Sizes(examples=3, inputs=4, hidden=5),
        in_funcdl,
        {
            "torch": in_torch,
            "torch.compile": lambda sizes: in_torch(sizes, compiled=True),
            "jax": in_jax,
        },
    ),
)
