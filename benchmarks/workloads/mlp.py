"""Training of a network of three dense layers with Adam."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.with_funcdl import classification, start
from benchmarks.workload import Program, Step, Workload
from funcdl import nn, optim
from transforms.lazy import lazy_module

autograd = lazy_module("autograd")
anp = lazy_module("autograd.numpy")
torch = lazy_module("torch")
jax = lazy_module("jax")

RATE = 1e-3


class Sizes(NamedTuple):
    """Examples, and the widths of inputs and hidden layers."""

    batch: int
    inputs: int
    hidden: int


def model(sizes: Sizes) -> nn.Layer:
    return nn.serial(nn.dense(sizes.hidden), nn.relu, nn.dense(sizes.hidden), nn.relu, nn.dense(10))


def data(sizes: Sizes) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.batch, sizes.inputs)).astype(np.float32)
    return x, rng.integers(0, 10, sizes.batch)


def layers(sizes: Sizes) -> list[Any]:
    """Return kernel and bias of each dense layer."""
    return [layer for layer in start(model(sizes), data(sizes)[0]) if layer]


def in_funcdl(sizes: Sizes) -> Program:
    return classification(model(sizes), optim.adam(RATE), *data(sizes))


def in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    first, second, third = map(with_torch.linear, layers(sizes))
    module = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.ReLU(), third)
    optimizer = with_torch.adam(module, RATE)
    return with_torch.classification(module, optimizer, *data(sizes), compiled=compiled)


def in_jax(sizes: Sizes) -> Step:
    def objective(params: Any, x: Any, labels: Any) -> Any:
        *hidden, last = params
        for layer in hidden:
            x = jax.nn.relu(with_jax.dense(layer, x))
        return with_jax.cross_entropy(with_jax.dense(last, x), labels)

    return with_jax.training_with_adam(RATE, objective, layers(sizes), *data(sizes))


class Adam:
    """Adam by hand, in place."""

    def __init__(self, params: list[Any]) -> None:
        self.params, self.count = params, 0
        self.mean = [np.zeros_like(p) for p in params]
        self.mean_square = [np.zeros_like(p) for p in params]

    def step(self, grads: list[Any]) -> None:
        self.count += 1
        c1, c2 = 1 - 0.9**self.count, 1 - 0.999**self.count
        for p, g, m, s in zip(self.params, grads, self.mean, self.mean_square, strict=True):
            m *= 0.9
            m += 0.1 * g
            s *= 0.999
            np.square(g, out=g)
            g *= 0.001
            s += g
            root = np.sqrt(s, out=g)
            root += 1e-8 * c2**0.5
            np.divide(m, root, out=root)
            root *= RATE * c2**0.5 / c1
            p -= root


def in_autograd(sizes: Sizes) -> Step:
    x, labels = data(sizes)
    params = [np.array(layer[name]) for layer in layers(sizes) for name in ("kernel", "bias")]
    rows = np.arange(len(x))

    def objective(params: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = params
        hidden = anp.maximum(anp.dot(x, w1) + b1, 0)
        hidden = anp.maximum(anp.dot(hidden, w2) + b2, 0)
        logits = anp.dot(hidden, w3) + b3
        logits = logits - anp.max(logits, axis=1, keepdims=True)
        log_p = logits - anp.log(anp.sum(anp.exp(logits), axis=1, keepdims=True))
        return -anp.mean(log_p[rows, labels])

    gradient, adam = autograd.value_and_grad(objective), Adam(params)

    def step() -> Any:
        loss, grads = gradient(params)
        adam.step(grads)
        return loss

    return step


def in_numpy(sizes: Sizes) -> Step:
    x, labels = data(sizes)
    params = [np.array(layer[name]) for layer in layers(sizes) for name in ("kernel", "bias")]
    w1, b1, w2, b2, w3, b3 = params
    rows, adam = np.arange(len(x)), Adam(params)

    def step() -> Any:
        h1 = x @ w1
        h1 += b1
        np.maximum(h1, 0, out=h1)
        h2 = h1 @ w2
        h2 += b2
        np.maximum(h2, 0, out=h2)
        logits = h2 @ w3
        logits += b3
        logits -= logits.max(axis=1, keepdims=True)
        d_logits = np.exp(logits)
        total = d_logits.sum(axis=1, keepdims=True)
        loss = (np.log(total).sum() - logits[rows, labels].sum()) / len(x)
        d_logits /= total
        d_logits[rows, labels] -= 1
        d_logits /= len(x)
        d2 = d_logits @ w3.T
        d2 *= h2 > 0
        d1 = d2 @ w2.T
        d1 *= h1 > 0
        pairs = ((x, d1), (h1, d2), (h2, d_logits))
        adam.step([grad for inputs, d in pairs for grad in (inputs.T @ d, d.sum(axis=0))])
        return loss

    return step


ORDER = 2
WORKLOADS = (
    Workload(
        "mlp",
        "MLP 784-512-512-10, batch 128, Adam",
        1.4,
        Sizes(batch=128, inputs=784, hidden=512),
        Sizes(batch=4, inputs=6, hidden=8),
        in_funcdl,
        {
            "torch": in_torch,
            "torch.compile": lambda sizes: in_torch(sizes, compiled=True),
            "jax": in_jax,
            "autograd": in_autograd,
            "numpy": in_numpy,
        },
    ),
)
