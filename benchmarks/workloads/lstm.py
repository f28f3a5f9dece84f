"""Training of an LSTM that classifies sequences by its last output."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.with_funcdl import classification, start
from benchmarks.workload import Program, Step, Workload
from funcdl import nn, optim
from transforms.lazy import lazy_module

jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
torch_modules = lazy_module("benchmarks.torch_modules")

RATE = 0.1


class Sizes(NamedTuple):
    """Sequences and their length; features that go in, and that the cell keeps."""

    batch: int
    length: int
    inputs: int
    features: int


def model(sizes: Sizes) -> nn.Layer:
    return nn.serial(nn.recurrent_last(nn.lstm_cell(sizes.features)), nn.dense(10))


def data(sizes: Sizes) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes.batch, sizes.length, sizes.inputs)).astype(np.float32)
    return x, rng.integers(0, 10, sizes.batch)


def params_of(sizes: Sizes) -> Any:
    return start(model(sizes), data(sizes)[0])


def in_funcdl(sizes: Sizes) -> Program:
    return classification(model(sizes), optim.sgd(RATE), *data(sizes))


def in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    module = torch_modules.LSTMClassifier(*params_of(sizes))
    return with_torch.classification(module, with_torch.sgd(module, RATE), *data(sizes), compiled=compiled)


def forward_in_jax(params: Any, x: Any) -> Any:
    """Return logits; what the gates take from the inputs is one product for all places."""
    cell, head = params
    from_inputs = jnp.swapaxes(x, 0, 1) @ cell["input_kernel"] + cell["bias"]
    zeros = jnp.zeros((len(x), cell["recurrent_kernel"].shape[0]), x.dtype)

    def step(carry: Any, from_input: Any) -> Any:
        hidden, memory = carry
        gates = jnp.split(from_input + hidden @ cell["recurrent_kernel"], 4, axis=-1)
        write, forget, candidate, read = gates
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(write) * jnp.tanh(candidate)
        return (jax.nn.sigmoid(read) * jnp.tanh(memory), memory), None

    (hidden, _), _ = jax.lax.scan(step, (zeros, zeros), from_inputs)
    return with_jax.dense(head, hidden)


def in_jax(sizes: Sizes) -> Step:
    def objective(params: Any, x: Any, labels: Any) -> Any:
        return with_jax.cross_entropy(forward_in_jax(params, x), labels)

    return with_jax.training_with_sgd(RATE, objective, params_of(sizes), *data(sizes))


ORDER = 5
WORKLOADS = (
    Workload(
        "lstm",
        "LSTM, 64 steps, batch 32, 64 to 128, SGD",
        1.5,
        Sizes(batch=32, length=64, inputs=64, features=128),
        Sizes(batch=2, length=4, inputs=3, features=5),
        in_funcdl,
        {
            "torch": in_torch,
            "torch.compile": lambda sizes: in_torch(sizes, compiled=True),
            "jax": in_jax,
        },
    ),
)
