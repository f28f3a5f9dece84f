"""Training and inference of a small GPT: pre-norm blocks, learned positions, exact GELU, untied head."""

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

RATE = 1e-3


class Sizes(NamedTuple):
    """Sequences and their length; blocks, width, heads; number of tokens."""

    batch: int
    length: int
    blocks: int
    width: int
    heads: int
    vocabulary: int


def model(sizes: Sizes) -> nn.Layer:
    attention = nn.self_attention(sizes.heads, causal=True)
    block = nn.encoder_block(attention, 4 * sizes.width)
    return nn.serial(
        nn.embedding(sizes.vocabulary, sizes.width),
        nn.position_embedding(sizes.length),
        *[block] * sizes.blocks,
        nn.layer_norm(),
        nn.dense(sizes.vocabulary),
    )


def data(sizes: Sizes) -> tuple[Any, Any]:
    """Return tokens and those that follow them."""
    rng = np.random.default_rng(0)
    text = rng.integers(0, sizes.vocabulary, (sizes.batch, sizes.length + 1))
    return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])


def params_of(sizes: Sizes) -> Any:
    return start(model(sizes), data(sizes)[0])


def training_in_funcdl(sizes: Sizes) -> Program:
    return classification(model(sizes), optim.adam(RATE), *data(sizes))


def inference_in_funcdl(sizes: Sizes) -> Program:
    layer, (tokens, _) = model(sizes), data(sizes)
    return Program(lambda params, tokens: layer(params, tokens), (start(layer, tokens), tokens))


def training_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    module = torch_modules.GPT(params_of(sizes), sizes.heads)
    optimizer = with_torch.adam(module, RATE)
    return with_torch.classification(module, optimizer, *data(sizes), compiled=compiled)


def inference_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    module = torch_modules.GPT(params_of(sizes), sizes.heads)
    return with_torch.inference(module, data(sizes)[0], compiled=compiled)


def params_in_jax(sizes: Sizes) -> Any:
    """Return the parameters with one kernel for queries, keys and values."""
    tokens, positions, *blocks, norm, head = params_of(sizes)

    def joined(block: Any) -> Any:
        attention = block["attention"]
        parts = [attention[name] for name in ("query", "key", "value")]
        projections = {name: np.concatenate([part[name] for part in parts], -1) for name in parts[0]}
        first, *_, last = block["feed_forward"]
        return {
            "projections": projections,
            "output": attention["output"],
            "feed_forward": (first, last),
            "attention_norm": block["attention_norm"],
            "feed_forward_norm": block["feed_forward_norm"],
        }

    return {
        "tokens": tokens["embedding"],
        "positions": positions["embedding"],
        "blocks": [joined(block) for block in blocks],
        "norm": norm,
        "head": head,
    }


def forward_in_jax(heads: int) -> Any:
    """Return the model as a function of parameters and tokens."""

    def attend(params: Any, x: Any) -> Any:
        batch, length, width = x.shape
        split = with_jax.dense(params["projections"], x).reshape(batch, length, 3, heads, -1)
        query, key, value = (split[:, :, part] for part in range(3))
        y = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return with_jax.dense(params["output"], y.reshape(batch, length, width))

    def forward(params: Any, tokens: Any) -> Any:
        x = params["tokens"][tokens] + params["positions"][: tokens.shape[1]]
        for block in params["blocks"]:
            x = x + attend(block, with_jax.layer_norm(block["attention_norm"], x))
            widen, narrow = block["feed_forward"]
            y = with_jax.dense(widen, with_jax.layer_norm(block["feed_forward_norm"], x))
            x = x + with_jax.dense(narrow, jax.nn.gelu(y, approximate=False))
        return with_jax.dense(params["head"], with_jax.layer_norm(params["norm"], x))

    return forward


def training_in_jax(sizes: Sizes) -> Step:
    forward = forward_in_jax(sizes.heads)

    def objective(params: Any, tokens: Any, following: Any) -> Any:
        return with_jax.cross_entropy(forward(params, tokens), following)

    return with_jax.training_with_adam(RATE, objective, params_in_jax(sizes), *data(sizes))


def inference_in_jax(sizes: Sizes) -> Step:
    program = Program(forward_in_jax(sizes.heads), (params_in_jax(sizes), data(sizes)[0]))
    return with_jax.jax_step(program)


FULL = Sizes(batch=32, length=64, blocks=4, width=128, heads=4, vocabulary=96)
TINY = Sizes(batch=2, length=5, blocks=2, width=8, heads=2, vocabulary=7)
ORDER = 4
WORKLOADS = (
    Workload(
        "gpt",
        "GPT, 4 layers, width 128, 4 heads, 64 tokens, batch 32, vocabulary 96, Adam",
        1.5,
        FULL,
        TINY,
        training_in_funcdl,
        {
            "torch": training_in_torch,
            "torch.compile": lambda sizes: training_in_torch(sizes, compiled=True),
            "jax": training_in_jax,
        },
    ),
    Workload(
        "gpt_inference",
        "inference of the GPT, batch 1",
        1.5,
        FULL._replace(batch=1),
        TINY._replace(batch=1),
        inference_in_funcdl,
        {
            "torch": inference_in_torch,
            "torch.compile": lambda sizes: inference_in_torch(sizes, compiled=True),
            "jax": inference_in_jax,
        },
    ),
)
