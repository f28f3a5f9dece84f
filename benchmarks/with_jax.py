"""Steps in JAX, and what a user without flax and optax writes by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.workload import Program, Step, stepping
from transforms.lazy import lazy_module

jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
lax = lazy_module("jax.lax")


def jax_step(program: Program) -> Step:
    """Return the step of a program in JAX: jitted, with buffers donated and arguments on the device."""
    on_device = program._replace(arguments=jax.tree.map(jnp.array, program.arguments))
    donated = tuple(range(program.carried))
    return stepping(on_device, jax.jit(program.function, donate_argnums=donated))


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Return the mean cross entropy of integer labels."""
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)
    return -jnp.mean(picked)


def dense(params: Any, x: Any) -> Any:
    """Return an affine map of the last axis."""
    return x @ params["kernel"] + params["bias"]


def conv(kernel: Any, x: Any, strides: int = 1, padding: int | str = "SAME") -> Any:
    """Return a convolution of images, channels last."""
    pads = padding if isinstance(padding, str) else [(padding, padding)] * 2
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (strides, strides), pads, dimension_numbers=numbers)


def layer_norm(params: Any, x: Any) -> Any:
    """Return layer norm over the last axis."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centred**2, axis=-1, keepdims=True)
    return centred * lax.rsqrt(variance + 1e-5) * params["scale"] + params["bias"]


def sgd(rate: float, params: Any, grads: Any) -> Any:
    """Return the parameters after a step of gradient descent."""
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


class AdamState(NamedTuple):
    """Averages of gradients and of their squares."""

    count: Any
    mean: Any
    mean_square: Any


def adam_start(params: Any) -> AdamState:
    """Return Adam's first state."""
    zeros = jax.tree.map(jnp.zeros_like, params)
    return AdamState(jnp.int32(0), zeros, zeros)


def adam(rate: float, params: Any, grads: Any, state: AdamState) -> tuple[Any, AdamState]:
    """Return the parameters and the state after a step of Adam."""
    count = state.count + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mean, grads)
    mean_square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, state.mean_square, grads)
    c1, c2 = 1 - 0.9**count, 1 - 0.999**count

    def move(p: Any, m: Any, s: Any) -> Any:
        return p - rate * (m / c1) / (jnp.sqrt(s / c2) + 1e-8)

    return jax.tree.map(move, params, mean, mean_square), AdamState(count, mean, mean_square)


def training_with_adam(rate: float, objective: Any, params: Any, *batch: Any) -> Step:
    """Return a training step of ``objective(params, *batch)``."""

    def step(params: Any, state: Any, *batch: Any) -> Any:
        loss, grads = jax.value_and_grad(objective)(params, *batch)
        return *adam(rate, params, grads, state), loss

    return jax_step(Program(step, (params, adam_start(params), *batch), carried=2))


def training_with_sgd(rate: float, objective: Any, params: Any, *batch: Any) -> Step:
    """Return a training step of ``objective(params, *batch)``."""

    def step(params: Any, *batch: Any) -> Any:
        loss, grads = jax.value_and_grad(objective)(params, *batch)
        return sgd(rate, params, grads), loss

    return jax_step(Program(step, (params, *batch), carried=1))
