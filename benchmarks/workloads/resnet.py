"""Training of a ResNet-18 for images of 32 x 32: a stem of 3 x 3, batch norm, four stages of two blocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.workload import Program, Step, Workload
from funcdl import losses, nn, optim, random
from transforms import value_and_grad
from transforms.lazy import lazy_module

jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
torch_modules = lazy_module("benchmarks.torch_modules")

RATE, MOMENTUM = 0.01, 0.9


class Sizes(NamedTuple):
    """Images and their side; channels of each stage, and its blocks."""

    batch: int
    side: int
    channels: tuple[int, ...]
    blocks: int


def conv(channels: int, window: int, strides: int = 1) -> nn.Layer:
    padding = window // 2
    return nn.conv(channels, (window, window), strides=strides, padding=padding, use_bias=False)


def block(before: int, channels: int, strides: int) -> nn.Layer:
    body = nn.serial(conv(channels, 3, strides), nn.batch_norm(), nn.relu, conv(channels, 3), nn.batch_norm())
    shortcut = None
    if before != channels or strides > 1:
        shortcut = nn.serial(conv(channels, 1, strides), nn.batch_norm())
    return nn.serial(nn.residual(body, shortcut), nn.relu)


def strides_of(sizes: Sizes) -> list[int]:
    """Return the strides of each block: each stage but the first halves the sides."""
    return [2 if stage and not i else 1 for stage in range(len(sizes.channels)) for i in range(sizes.blocks)]


def model(sizes: Sizes) -> nn.Layer:
    widths = [channels for channels in sizes.channels for _ in range(sizes.blocks)]
    before = [sizes.channels[0], *widths]
    blocks = map(block, before, widths, strides_of(sizes))
    stem = conv(sizes.channels[0], 3), nn.batch_norm(), nn.relu
    return nn.serial(*stem, *blocks, nn.global_average_pool, nn.dense(10))


def data(sizes: Sizes) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.batch, sizes.side, sizes.side, 3)).astype(np.float32)
    return x, rng.integers(0, 10, sizes.batch)


def in_funcdl(sizes: Sizes) -> Program:
    layer, (x, labels) = model(sizes), data(sizes)
    optimizer = optim.sgd(RATE, momentum=MOMENTUM)

    def step(params: Any, state: Any, opt_state: Any, x: Any, labels: Any) -> Any:
        def objective(params: Any) -> Any:
            logits, after = layer.apply(params, state, x, training=True)
            return np.mean(losses.softmax_cross_entropy(logits, labels)), after

        (loss, after), grads = value_and_grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optim.apply_updates(params, updates), after, opt_state, loss

    params, state = layer.init(random.key(0), x)
    return Program(step, (params, state, optimizer.init(params), x, labels), carried=3)


def params_and_state(sizes: Sizes) -> tuple[Any, Any]:
    return model(sizes).init(random.key(0), data(sizes)[0])


def in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    module = torch_modules.resnet(params_and_state(sizes)[0], strides_of(sizes))
    optimizer = with_torch.sgd(module, RATE, MOMENTUM)
    x, labels = data(sizes)
    images = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return with_torch.classification(module, optimizer, images, labels, compiled=compiled)


def batch_norm_in_jax(params: Any, state: Any, x: Any) -> tuple[Any, Any]:
    mean = jnp.mean(x, axis=(0, 1, 2))
    variance = jnp.var(x, axis=(0, 1, 2))
    after = {
        "mean": 0.9 * state["mean"] + 0.1 * mean,
        "variance": 0.9 * state["variance"] + 0.1 * variance,
    }
    scale = params["scale"] * jax.lax.rsqrt(variance + 1e-5)
    return (x - mean) * scale + params["bias"], after


def block_in_jax(params: Any, state: Any, x: Any, strides: int) -> tuple[Any, Any]:
    first, first_norm, second, second_norm, *shortcut = params
    y = with_jax.conv(first, x, strides, 1)
    y, one = batch_norm_in_jax(first_norm, state[0], y)
    y, two = batch_norm_in_jax(second_norm, state[1], with_jax.conv(second, jax.nn.relu(y), 1, 1))
    if not shortcut:
        return jax.nn.relu(y + x), [one, two]
    kernel, norm = shortcut
    x, three = batch_norm_in_jax(norm, state[2], with_jax.conv(kernel, x, strides, 0))
    return jax.nn.relu(y + x), [one, two, three]


def flattened(params: Any, state: Any) -> tuple[Any, Any]:
    """Return parameters and state as a user of plain JAX keeps them: a list for each block."""
    stem, norm, _, *blocks, _, head = params
    _, norm_state, _, *block_states, _, _ = state

    def of_block(params: Any) -> list[Any]:
        layer, shortcut = params[0]["layer"], params[0]["shortcut"]
        around = [shortcut[0]["kernel"], shortcut[1]] if shortcut else []
        return [layer[0]["kernel"], layer[1], layer[3]["kernel"], layer[4], *around]

    def of_state(state: Any) -> list[Any]:
        layer, shortcut = state[0]["layer"], state[0]["shortcut"]
        return [layer[1], layer[4], *([shortcut[1]] if shortcut else [])]

    flat = {"stem": stem["kernel"], "norm": norm, "blocks": [of_block(b) for b in blocks], "head": head}
    return flat, {"norm": norm_state, "blocks": [of_state(b) for b in block_states]}


def in_jax(sizes: Sizes) -> Step:
    strides = strides_of(sizes)

    def objective(params: Any, state: Any, x: Any, labels: Any) -> Any:
        x, norm = batch_norm_in_jax(params["norm"], state["norm"], with_jax.conv(params["stem"], x, 1, 1))
        x, after = jax.nn.relu(x), []
        for block, block_state, stride in zip(params["blocks"], state["blocks"], strides, strict=True):
            x, new = block_in_jax(block, block_state, x, stride)
            after.append(new)
        logits = with_jax.dense(params["head"], jnp.mean(x, axis=(1, 2)))
        return with_jax.cross_entropy(logits, labels), {"norm": norm, "blocks": after}

    def step(params: Any, state: Any, velocity: Any, x: Any, labels: Any) -> Any:
        (loss, state), grads = jax.value_and_grad(objective, has_aux=True)(params, state, x, labels)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, grads)
        return with_jax.sgd(RATE, params, velocity), state, velocity, loss

    params, state = flattened(*params_and_state(sizes))
    velocity = jax.tree.map(np.zeros_like, params)
    return with_jax.jax_step(Program(step, (params, state, velocity, *data(sizes)), carried=3))


ORDER = 7
WORKLOADS = (
    Workload(
        "resnet",
        "ResNet-18 for 32 x 32, batch 32, SGD with momentum",
        1.2,
        Sizes(batch=32, side=32, channels=(64, 128, 256, 512), blocks=2),
        Sizes(batch=4, side=8, channels=(3, 4), blocks=2),
        in_funcdl,
        {
            "torch": in_torch,
            "torch.compile": lambda sizes: in_torch(sizes, compiled=True),
            "jax": in_jax,
        },
    ),
)
