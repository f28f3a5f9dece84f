"""Eager gradients of small programs, against autograd and PyTorch: ``python -m benchmarks.eager``.

Two workloads of a researcher's script, where the cost of each operation is the library's and not the
arithmetic's: a chain of 100 elementwise operations on a vector of 10, and one training step of the
spiral's network (2-100-3, batch 20) with the loss in plain NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import torch

from benchmarks.timing import environment, medians, report
from benchmarks.workloads.eager_chain import chain
from transforms import value_and_grad

RATE = 0.1


def chain_contenders() -> dict[str, Callable[[], Any]]:
    """Return the chain's value and gradient in each library."""
    x = np.linspace(-1.0, 1.0, 10)
    ours = value_and_grad(chain(np))
    theirs = autograd.value_and_grad(chain(anp))
    tensor = torch.tensor(x, requires_grad=True)
    f = chain(torch)

    def with_torch() -> Any:
        value = f(tensor)
        return value, torch.autograd.grad(value, tensor)[0]

    return {"funcdl": lambda: ours(x), "autograd": lambda: theirs(x), "PyTorch": with_torch}


def spiral_loss(xp: Any) -> Callable[..., Any]:
    """Return the cross entropy of the spiral's network, as one writes it in NumPy."""

    def loss(params: Any, x: Any, labels: Any) -> Any:
        hidden = xp.maximum(xp.matmul(x, params["w1"]) + params["b1"], 0)
        logits = xp.matmul(hidden, params["w2"]) + params["b2"]
        logits = logits - xp.max(logits, axis=1, keepdims=True)
        log_p = logits - xp.log(xp.sum(xp.exp(logits), axis=1, keepdims=True))
        return -xp.mean(log_p[np.arange(len(labels)), labels])

    return loss


def spiral_contenders() -> dict[str, Callable[[], Any]]:
    """Return one step of plain gradient descent in each library; each returns the loss."""
    rng = np.random.default_rng(0)
    start = {
        "w1": 0.1 * rng.standard_normal((2, 100)),
        "b1": np.zeros(100),
        "w2": 0.1 * rng.standard_normal((100, 3)),
        "b2": np.zeros(3),
    }
    start = {name: value.astype(np.float32) for name, value in start.items()}
    x, labels = rng.standard_normal((20, 2)).astype(np.float32), rng.integers(0, 3, 20)
    return {
        "funcdl": _with_funcdl(start, x, labels),
        "autograd": _with_autograd(start, x, labels),
        "PyTorch": _with_torch(start, x, labels),
    }


def _with_funcdl(params: Any, x: Any, labels: Any) -> Callable[[], Any]:
    gradient = value_and_grad(spiral_loss(np))

    def step() -> Any:
        nonlocal params
        loss, gradients = gradient(params, x, labels)
        params = {name: params[name] - RATE * gradients[name] for name in params}
        return loss

    return step


def _with_autograd(params: Any, x: Any, labels: Any) -> Callable[[], Any]:
    gradient = autograd.value_and_grad(spiral_loss(anp))

    def step() -> Any:
        nonlocal params
        loss, gradients = gradient(params, x, labels)
        params = {name: params[name] - RATE * gradients[name] for name in params}
        return loss

    return step


def _with_torch(params: Any, x: Any, labels: Any) -> Callable[[], Any]:
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    inputs, targets, rows = torch.tensor(x), torch.tensor(labels), torch.arange(len(labels))

    def step() -> Any:
        hidden = torch.relu(inputs @ tensors["w1"] + tensors["b1"])
        logits = hidden @ tensors["w2"] + tensors["b2"]
        logits = logits - torch.max(logits, dim=1, keepdim=True).values
        log_p = logits - torch.log(torch.sum(torch.exp(logits), dim=1, keepdim=True))
        loss = -torch.mean(log_p[rows, targets])
        gradients = torch.autograd.grad(loss, list(tensors.values()))
        with torch.no_grad():
            for tensor, value in zip(tensors.values(), gradients, strict=True):
                tensor -= RATE * value
        return loss.detach()

    return step


def check_agreement() -> None:
    """Check that all contenders compute the same."""
    values = [call() for call in chain_contenders().values()]
    for value, gradient in values[1:]:
        np.testing.assert_allclose(
            float(value.detach() if hasattr(value, "detach") else value), float(values[0][0]), rtol=1e-12
        )
        np.testing.assert_allclose(np.asarray(gradient), values[0][1], rtol=1e-9)
    contenders = spiral_contenders()
    losses = {name: [float(step()) for _ in range(20)] for name, step in contenders.items()}
    for name in losses:
        np.testing.assert_allclose(losses[name], losses["funcdl"], rtol=1e-4, err_msg=name)


def main() -> None:
    """Measure and print."""
    check_agreement()
    print(environment("numpy", "autograd", "torch"))
    report("value and gradient of 100 operations on a vector of 10", medians(chain_contenders()))
    report("one step of the spiral's network, batch 20", medians(spiral_contenders()))


if __name__ == "__main__":
    main()
