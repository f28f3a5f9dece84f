"""Training of the spiral's network, 2-100-3: one call a step, and an epoch in one call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.with_funcdl import classification, start
from benchmarks.workload import Program, Step, Workload
from funcdl import nn, optim
from transforms import scan
from transforms.lazy import lazy_module

autograd = lazy_module("autograd")
anp = lazy_module("autograd.numpy")
torch = lazy_module("torch")
jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")

RATE = 0.1
MODEL = nn.serial(nn.dense(100), nn.relu, nn.dense(3))


class Sizes(NamedTuple):
    """How many examples a step sees, and how many steps an epoch has."""

    batch: int
    steps: int


def epoch_of(sizes: Sizes) -> tuple[Any, Any]:
    """Return inputs and labels of an epoch, with axes for steps and examples."""
    rng = np.random.default_rng(0)
    shape = (sizes.steps, sizes.batch)
    return rng.standard_normal((*shape, 2)).astype(np.float32), rng.integers(0, 3, shape)


def batch_of(sizes: Sizes) -> tuple[Any, Any]:
    """Return the epoch's first batch."""
    x, labels = epoch_of(sizes)
    return x[0], labels[0]


def step_in_funcdl(sizes: Sizes) -> Program:
    return classification(MODEL, optim.sgd(RATE), *batch_of(sizes))


def epoch_in_funcdl(sizes: Sizes) -> Program:
    x, labels = epoch_of(sizes)
    step, (params, opt_state, *_), _ = classification(MODEL, optim.sgd(RATE), x[0], labels[0])

    def one(carry: Any, batch: Any) -> Any:
        *carry, loss = step(*carry, *batch)
        return tuple(carry), loss

    def epoch(params: Any, opt_state: Any, x: Any, labels: Any) -> Any:
        (params, opt_state), losses = scan(one, (params, opt_state), (x, labels))
        return params, opt_state, losses

    return Program(epoch, (params, opt_state, x, labels), carried=2)


def objective_in_jax(params: Any, x: Any, labels: Any) -> Any:
    first, _, second = params
    hidden = jax.nn.relu(with_jax.dense(first, x))
    return with_jax.cross_entropy(with_jax.dense(second, hidden), labels)


def step_in_jax(sizes: Sizes) -> Step:
    x, labels = batch_of(sizes)
    return with_jax.training_with_sgd(RATE, objective_in_jax, start(MODEL, x), x, labels)


def epoch_in_jax(sizes: Sizes) -> Step:
    x, labels = epoch_of(sizes)

    def one(params: Any, batch: Any) -> Any:
        loss, grads = jax.value_and_grad(objective_in_jax)(params, *batch)
        return with_jax.sgd(RATE, params, grads), loss

    def epoch(params: Any, x: Any, labels: Any) -> Any:
        return jax.lax.scan(one, params, (x, labels))

    return with_jax.jax_step(Program(epoch, (start(MODEL, x[0]), x, labels), carried=1))


def module_in_torch(x: Any) -> Any:
    first, _, second = start(MODEL, x)
    return torch.nn.Sequential(with_torch.linear(first), torch.nn.ReLU(), with_torch.linear(second))


def step_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    x, labels = batch_of(sizes)
    module = module_in_torch(x)
    return with_torch.classification(module, with_torch.sgd(module, RATE), x, labels, compiled=compiled)


def epoch_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    x, labels = epoch_of(sizes)
    module = module_in_torch(x[0])
    optimizer = with_torch.sgd(module, RATE)
    batches = list(zip(torch.tensor(x), torch.tensor(labels), strict=True))

    def objective(x: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(module(x), labels)

    objective = torch.compile(objective) if compiled else objective

    def epoch() -> Any:
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            loss = objective(x, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    return epoch


def objective_in_autograd(params: Any, x: Any, labels: Any) -> Any:
    first, second = params
    hidden = anp.maximum(anp.dot(x, first["kernel"]) + first["bias"], 0)
    logits = anp.dot(hidden, second["kernel"]) + second["bias"]
    logits = logits - anp.max(logits, axis=1, keepdims=True)
    log_p = logits - anp.log(anp.sum(anp.exp(logits), axis=1, keepdims=True))
    return -anp.mean(log_p[np.arange(len(labels)), labels])


def step_in_autograd(sizes: Sizes) -> Step:
    x, labels = batch_of(sizes)
    params = [layer for layer in start(MODEL, x) if layer]
    gradient = autograd.value_and_grad(objective_in_autograd)

    def step() -> Any:
        nonlocal params
        loss, grads = gradient(params, x, labels)
        params = [
            {name: layer[name] - RATE * grad[name] for name in layer}
            for layer, grad in zip(params, grads, strict=True)
        ]
        return loss

    return step


def step_by_hand(params: list[Any], x: Any, labels: Any) -> Any:
    """Take a step in place, with the gradient worked out on paper; return the loss."""
    w1, b1, w2, b2 = params
    rows = np.arange(len(x))
    hidden = x @ w1
    hidden += b1
    np.maximum(hidden, 0, out=hidden)
    logits = hidden @ w2
    logits += b2
    logits -= logits.max(axis=1, keepdims=True)
    d_logits = np.exp(logits)
    total = d_logits.sum(axis=1, keepdims=True)
    loss = (np.log(total).sum() - logits[rows, labels].sum()) / len(x)
    d_logits /= total
    d_logits[rows, labels] -= 1
    d_logits /= len(x)
    d_hidden = d_logits @ w2.T
    d_hidden *= hidden > 0
    w1 -= RATE * (x.T @ d_hidden)
    b1 -= RATE * d_hidden.sum(axis=0)
    w2 -= RATE * (hidden.T @ d_logits)
    b2 -= RATE * d_logits.sum(axis=0)
    return loss


def params_by_hand(x: Any) -> list[Any]:
    return [np.array(layer[name]) for layer in start(MODEL, x) if layer for name in ("kernel", "bias")]


def step_in_numpy(sizes: Sizes) -> Step:
    x, labels = batch_of(sizes)
    params = params_by_hand(x)
    return lambda: step_by_hand(params, x, labels)


def epoch_in_numpy(sizes: Sizes) -> Step:
    x, labels = epoch_of(sizes)
    params = params_by_hand(x[0])
    return lambda: np.array([step_by_hand(params, *batch) for batch in zip(x, labels, strict=True)])


FULL, TINY = Sizes(batch=20, steps=50), Sizes(batch=4, steps=3)
ORDER = 1
WORKLOADS = (
    Workload(
        "spiral_step",
        "spiral, 2-100-3, batch 20, one call a step",
        1.7,
        FULL,
        TINY,
        step_in_funcdl,
        {
            "torch": step_in_torch,
            "torch.compile": lambda sizes: step_in_torch(sizes, compiled=True),
            "jax": step_in_jax,
            "autograd": step_in_autograd,
            "numpy": step_in_numpy,
        },
    ),
    Workload(
        "spiral_epoch",
        "the same, an epoch of 50 steps in `scan`, per step",
        1.5,
        FULL,
        TINY,
        epoch_in_funcdl,
        {
            "torch": epoch_in_torch,
            "torch.compile": lambda sizes: epoch_in_torch(sizes, compiled=True),
            "jax": epoch_in_jax,
            "numpy": epoch_in_numpy,
        },
        steps=lambda sizes: sizes.steps,
    ),
)
