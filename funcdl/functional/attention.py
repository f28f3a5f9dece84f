"""Attention: means of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math

import numpy as np

from funcdl.functional.softmax import softmax
from transforms.errors import message
from transforms.types import Array


def attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    mask: Array | None = None,
    bias: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """Scaled dot-product attention: ``softmax(scale * query @ key.T + bias) @ value``.

    Args:
        query: array of shape ``(..., length, features)``.
        key: array of shape ``(..., memory, features)``.
        value: array of shape ``(..., memory, outputs)``; the axes before are broadcast, as for matmul.
        mask: booleans that broadcast to ``(..., length, memory)``: where they are False, a query does not
            see a key. A query that sees none gives zeros.
        bias: numbers that broadcast to ``(..., length, memory)``, added to the scaled products.
        causal: whether query i sees only the keys up to ``i + memory - length``: the last query sees all.
        scale: factor of the products; ``1 / sqrt(features)`` by default.

    Returns:
        An array of shape ``(..., length, outputs)``.

    Raises:
        ValueError: the shapes do not fit each other.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    >>> x = np.eye(2)
    >>> attention(x, x, x, causal=True).round(2)
    array([[1.  , 0.  ],
           [0.33, 0.67]])
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            message(
                "attention",
                "query, key and value",
                "have the shapes (..., length, features), (..., memory, features), (..., memory, outputs)",
                f"{query.shape}, {key.shape}, {value.shape}",
            )
        )
    return attention_weights(query, key, mask=mask, bias=bias, causal=causal, scale=scale) @ value


def attention_weights(
    query: Array,
    key: Array,
    *,
    mask: Array | None = None,
    bias: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """How much each query looks at each key in `attention`: ``softmax(scale * query @ key.T + bias)``.

    Args:
        query: array of shape ``(..., length, features)``.
        key: array of shape ``(..., memory, features)``.
        mask: as in `attention`.
        bias: as in `attention`.
        causal: as in `attention`.
        scale: as in `attention`.

    Returns:
        An array of shape ``(..., length, memory)``; a row sums to 1, or to 0 if its query sees no key.

    >>> attention_weights(np.eye(2), np.eye(2), causal=True).round(2)
    array([[1.  , 0.  ],
           [0.33, 0.67]])
    """
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    scores = (query * factor) @ np.swapaxes(key, -1, -2)
    if bias is not None:
        scores = scores + bias
    if causal:
        seen = causal_mask(query.shape[-2], key.shape[-2])
        mask = seen if mask is None else mask & seen
    return _masked_softmax(scores, mask)


def additive_attention(
    query: Array, key: Array, value: Array, scale: Array, *, mask: Array | None = None
) -> Array:
    """Attention by a small network: ``softmax(sum(scale * tanh(query[i] + key[j]))) @ value``.

    Args:
        query: array of shape ``(..., length, features)``.
        key: array of shape ``(..., memory, features)``.
        value: array of shape ``(..., memory, outputs)``.
        scale: array of shape ``(features,)``: the network's last weights.
        mask: booleans that broadcast to ``(..., length, memory)``: where they are False, a query does not
            see a key. A query that sees none gives zeros.

    Returns:
        An array of shape ``(..., length, outputs)``.

    Raises:
        ValueError: the shapes do not fit each other.

    Source: Bahdanau et al., 2015, "Neural machine translation by jointly learning to align and translate",
    arXiv:1409.0473.

    >>> x = np.eye(2)
    >>> additive_attention(x, x, x, np.ones(2)).round(2)
    array([[0.36, 0.64],
           [0.64, 0.36]])
    """
    features = query.shape[-1]
    if key.shape[-1] != features or scale.shape != (features,) or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            message(
                "additive_attention",
                "query, key, value and scale",
                "have the shapes (..., length, features), (..., memory, features), (..., memory, outputs), "
                "(features,)",
                f"{query.shape}, {key.shape}, {value.shape}, {scale.shape}",
            )
        )
    scores = np.tanh(query[..., :, None, :] + key[..., None, :, :]) @ scale
    return _masked_softmax(scores, mask) @ value


def _masked_softmax(scores: Array, mask: Array | None) -> Array:
    if mask is None:
        return softmax(scores)
    # A finite number, so that a row of nothing else does not become NaN.
    lowest = float(np.finfo(scores.dtype).min)
    return np.where(mask, softmax(np.where(mask, scores, lowest)), 0)


def causal_mask(length: int, memory: int | None = None) -> Array:
    """Which keys the queries see if none looks ahead, and the last sees all.

    Args:
        length: number of queries.
        memory: number of keys; as many as queries by default.

    Returns:
        Booleans of shape ``(length, memory)``: at ``[i, j]`` whether ``j <= i + memory - length``.

    >>> causal_mask(2, 3)
    array([[ True,  True, False],
           [ True,  True,  True]])
    """
    memory = length if memory is None else memory
    return np.tri(length, memory, memory - length, dtype=bool)


def alibi_bias(heads: int, positions: Array, memory_positions: Array | None = None) -> Array:
    """Attention with linear biases: for each head, ``-slope * |positions[i] - memory_positions[j]|``.

    The slopes are ``2 ** (-8 h / heads)`` for h from 1, if there is a power of two of heads; else those of
    the power below, and every second of those of the power above.

    Args:
        heads: number of heads, at least 1.
        positions: integers of shape ``(length,)``: where the queries stand.
        memory_positions: integers of shape ``(memory,)``: where the keys stand; as the queries by default.

    Returns:
        A float32 array of shape ``(heads, length, memory)``, for the ``bias`` of `attention`.

    Source: Press et al., 2022, "Train short, test long", arXiv:2108.12409.

    >>> alibi_bias(2, np.arange(2))[0]
    array([[-0.    , -0.0625],
           [-0.0625, -0.    ]], dtype=float32)
    """
    others = positions if memory_positions is None else memory_positions
    below = 1 << (heads.bit_length() - 1)
    slopes = [*_slopes(below), *_slopes(2 * below)[::2]][:heads]
    distance = np.abs(positions[:, None] - others)
    return -np.array(slopes, np.float32)[:, None, None] * distance.astype(np.float32)


def _slopes(heads: int) -> list[float]:
    return [2.0 ** (-8.0 * head / heads) for head in range(1, heads + 1)]
