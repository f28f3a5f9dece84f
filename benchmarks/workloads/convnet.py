"""Training and inference of a small convolutional network for images of 32 x 32."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.with_funcdl import classification, start
from benchmarks.workload import Program, Step, Workload
from funcdl import nn, optim
from transforms.lazy import lazy_module

torch = lazy_module("torch")
jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")

RATE = 0.01


class Sizes(NamedTuple):
    """Images, their side, and the channels of the three convolutions."""

    batch: int
    side: int
    channels: tuple[int, int, int]


def model(sizes: Sizes) -> nn.Layer:
    first, second, third = (nn.conv(channels, (3, 3)) for channels in sizes.channels)
    pool = nn.max_pool(2)
    return nn.serial(first, nn.relu, second, nn.relu, pool, third, nn.relu, pool, nn.flatten, nn.dense(10))


def data(sizes: Sizes) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.batch, sizes.side, sizes.side, 3)).astype(np.float32)
    return x, rng.integers(0, 10, sizes.batch)


def layers(sizes: Sizes) -> list[Any]:
    """Return the parameters of the three convolutions and of the dense layer."""
    return [layer for layer in start(model(sizes), data(sizes)[0]) if layer]


def training_in_funcdl(sizes: Sizes) -> Program:
    return classification(model(sizes), optim.sgd(RATE), *data(sizes))


def inference_in_funcdl(sizes: Sizes) -> Program:
    x, _ = data(sizes)
    layer = model(sizes)
    return Program(lambda params, x: layer(params, x), (start(layer, x), x))


def module(sizes: Sizes) -> Any:
    """Return the network in PyTorch, whose dense layer sees channels before rows and columns."""
    first, second, third, head = layers(sizes)
    side, channels = sizes.side // 4, sizes.channels[-1]
    kernel = head["kernel"].reshape(side, side, channels, 10).transpose(2, 0, 1, 3).reshape(-1, 10)
    return torch.nn.Sequential(
        with_torch.conv(first),
        torch.nn.ReLU(),
        with_torch.conv(second),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        with_torch.conv(third),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        with_torch.linear({"kernel": kernel, "bias": head["bias"]}),
    )


def channels_first(x: Any) -> Any:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def training_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    net, (x, labels) = module(sizes), data(sizes)
    optimizer = with_torch.sgd(net, RATE)
    return with_torch.classification(net, optimizer, channels_first(x), labels, compiled=compiled)


def inference_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    return with_torch.inference(module(sizes), channels_first(data(sizes)[0]), compiled=compiled)


def forward_in_jax(params: Any, x: Any) -> Any:
    first, second, third, head = params
    for layer, pooled in ((first, False), (second, True), (third, True)):
        x = jax.nn.relu(with_jax.conv(layer["kernel"], x) + layer["bias"])
        if pooled:
            window = (1, 2, 2, 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
    return with_jax.dense(head, x.reshape(len(x), -1))


def training_in_jax(sizes: Sizes) -> Step:
    def objective(params: Any, x: Any, labels: Any) -> Any:
        return with_jax.cross_entropy(forward_in_jax(params, x), labels)

    return with_jax.training_with_sgd(RATE, objective, layers(sizes), *data(sizes))


def inference_in_jax(sizes: Sizes) -> Step:
    return with_jax.jax_step(Program(forward_in_jax, (layers(sizes), data(sizes)[0])))


ORDER = 3
WORKLOADS = (
    Workload(
        "convnet",
        "convnet 3-32-64-128, 32 x 32 images, batch 64, SGD",
        1.5,
        Sizes(batch=64, side=32, channels=(32, 64, 128)),
        Sizes(batch=2, side=8, channels=(3, 4, 5)),
        training_in_funcdl,
        {
            "torch": training_in_torch,
            "torch.compile": lambda sizes: training_in_torch(sizes, compiled=True),
            "jax": training_in_jax,
        },
    ),
    Workload(
        "convnet_inference",
        "inference of the convnet, batch 1",
        1.5,
        Sizes(batch=1, side=32, channels=(32, 64, 128)),
        Sizes(batch=1, side=8, channels=(3, 4, 5)),
        inference_in_funcdl,
        {
            "torch": inference_in_torch,
            "torch.compile": lambda sizes: inference_in_torch(sizes, compiled=True),
            "jax": inference_in_jax,
        },
    ),
)
