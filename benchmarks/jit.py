"""Compiled programs on the NumPy backend, against the same in NumPy by hand: ``python -m benchmarks.jit``.

One training step of the spiral's network (2-100-3, batch 20: value, gradient and update in one program), and
what a call costs besides the program: ten arrays go in, and ten come out that are sums with a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.eager import RATE, spiral_loss
from benchmarks.timing import environment, medians, report
from funcdl import losses
from transforms import jit, tree, value_and_grad

BATCH = 20


def spiral_data() -> tuple[dict[str, Any], Any, Any]:
    """Return the network's first parameters, one batch of inputs and its labels."""
    rng = np.random.default_rng(0)
    params = {
        "w1": 0.1 * rng.standard_normal((2, 100)),
        "b1": np.zeros(100),
        "w2": 0.1 * rng.standard_normal((100, 3)),
        "b2": np.zeros(3),
    }
    params = {name: value.astype(np.float32) for name, value in params.items()}
    return params, rng.standard_normal((BATCH, 2)).astype(np.float32), rng.integers(0, 3, BATCH)


def step_by_hand(params: dict[str, Any], x: Any, labels: Any) -> tuple[Any, dict[str, Any]]:
    """Return the loss and new parameters, with the gradient worked out and arrays reused by hand."""
    w1, b1, w2, b2 = params["w1"], params["b1"], params["w2"], params["b2"]
    hidden = x @ w1
    hidden += b1
    np.maximum(hidden, 0, out=hidden)
    logits = hidden @ w2
    logits += b2
    logits -= logits.max(axis=1, keepdims=True)
    d_logits = np.exp(logits)
    total = d_logits.sum(axis=1, keepdims=True)
    loss = (np.log(total).sum() - logits[_ROWS, labels].sum()) / BATCH
    d_logits /= total
    d_logits[_ROWS, labels] -= 1
    d_logits /= BATCH
    d_hidden = d_logits @ w2.T
    d_hidden *= hidden > 0
    return loss, {
        "w1": w1 - RATE * (x.T @ d_hidden),
        "b1": b1 - RATE * d_hidden.sum(axis=0),
        "w2": w2 - RATE * (hidden.T @ d_logits),
        "b2": b2 - RATE * d_logits.sum(axis=0),
    }


_ROWS = np.arange(BATCH)


def library_loss(params: Any, x: Any, labels: Any) -> Any:
    """Return the network's cross entropy with the library's loss."""
    hidden = np.maximum(x @ params["w1"] + params["b1"], 0)
    return np.mean(losses.softmax_cross_entropy(hidden @ params["w2"] + params["b2"], labels))


def jitted_step(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return one step of gradient descent as one program."""

    def step(params: Any, x: Any, labels: Any) -> Any:
        value, gradients = value_and_grad(loss)(params, x, labels)
        return value, tree.map(lambda p, g: p - RATE * g, params, gradients)

    return jit(step, backend="numpy")  # type: ignore[no-any-return]


def training(step: Callable[..., Any]) -> Callable[[], Any]:
    """Return a function that takes one step further and returns the loss."""
    params, x, labels = spiral_data()

    def train() -> Any:
        nonlocal params
        loss, params = step(params, x, labels)
        return loss

    return train


def spiral_contenders() -> dict[str, Callable[[], Any]]:
    """Return the step by library loss, by a loss written out in NumPy, and by hand."""
    return {
        "funcdl": training(jitted_step(library_loss)),
        "loss in NumPy": training(jitted_step(spiral_loss(np))),
        "by hand": training(step_by_hand),
    }


def call_contenders() -> dict[str, Callable[[], Any]]:
    """Return calls that add a number to ten arrays."""
    arrays = {f"parameter{i}": np.ones(3, np.float32) for i in range(10)}

    def add_one(arrays: Any) -> Any:
        return {name: x + 1.0 for name, x in arrays.items()}

    program = jit(add_one, backend="numpy")
    return {"funcdl": lambda: program(arrays), "by hand": lambda: add_one(arrays)}


def check_agreement() -> None:
    """Check that all contenders train alike."""
    values = [[float(step()) for _ in range(20)] for step in spiral_contenders().values()]
    for others in values[1:]:
        np.testing.assert_allclose(others, values[0], rtol=1e-4)


def main() -> None:
    """Measure and print."""
    check_agreement()
    print(environment("numpy"))
    times = medians(spiral_contenders())
    report("one step of the spiral's network, batch 20", times)
    for name in ("funcdl", "loss in NumPy"):
        print(f"  {name} / by hand: {times[name] / times['by hand']:.2f}")
    times = medians(call_contenders())
    report("ten arrays in, ten out", times)
    print(f"  overhead of a call: {1e6 * (times['funcdl'] - times['by hand']):.1f} us")


if __name__ == "__main__":
    main()
