"""Attention with several heads: of a sequence to itself, and to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from funcdl import functional, random
from funcdl.functional.positions import rotary as rotate
from funcdl.initializers import Initializer, lecun_normal, zeros
from funcdl.nn.arguments import check_sequence, fraction, positive_integer, with_mask
from funcdl.nn.dense import dense
from funcdl.nn.dropout import drop
from funcdl.nn.layer import Layer
from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


class _Heads(NamedTuple):
    """How many heads there are, and what they are made with."""

    queries: int
    key_value: int
    features: int | None
    make: Callable[[int], Layer]

    def projections(self, width: int) -> dict[str, Layer]:
        """Return the maps of queries, keys, values and outputs, for inputs of a width."""
        features = self.features or width // self.queries
        return {
            "query": self.make(self.queries * features),
            "key": self.make(self.key_value * features),
            "value": self.make(self.key_value * features),
            "output": self.make(width),
        }

    def project(self, params: Tree, x: Array, memory: Array) -> tuple[Array, Array, Array]:
        """Return the queries of one sequence, and the keys and values of another, split into heads."""
        maps = self.projections(x.shape[-1])
        query = self.split(maps["query"](params["query"], x), shared=False)
        keys = self.split(maps["key"](params["key"], memory), shared=True)
        return query, keys, self.split(maps["value"](params["value"], memory), shared=True)

    def output(self, params: Tree, heads: Array, width: int) -> Array:
        """Return the output, of a width, from what the heads give."""
        return self.make(width)(params["output"], self.join(heads))

    def split(self, x: Array, *, shared: bool) -> Array:
        """Return ``[batch, heads of keys, heads that share one, length, features]``."""
        sharing = 1 if shared else self.queries // self.key_value
        return np.moveaxis(np.reshape(x, (*x.shape[:2], self.key_value, sharing, -1)), 1, -2)

    def bias(self, positions: Array, places: Array, dtype: Any) -> Array:
        """Return the biases of ALiBi, ``[heads of keys, heads that share one, length, places]``."""
        bias = functional.alibi_bias(self.queries, positions, places).astype(dtype)
        return np.reshape(bias, (self.key_value, -1, *bias.shape[1:]))

    def join(self, x: Array) -> Array:
        """Undo `split`."""
        joined = np.moveaxis(x, -2, 1)
        return np.reshape(joined, (*joined.shape[:2], -1))


def _heads(
    where: str,
    heads: int,
    key_value_heads: int | None,
    head_features: int | None,
    use_bias: bool,
    kernel_init: Initializer,
    bias_init: Initializer,
) -> _Heads:
    heads = positive_integer(where, "heads", heads)
    key_value = heads if key_value_heads is None else key_value_heads
    key_value = positive_integer(where, "key_value_heads", key_value)
    if heads % key_value:
        raise ValueError(message(where, "heads", f"be a multiple of the {key_value} of keys", heads))
    if head_features is not None:
        head_features = positive_integer(where, "head_features", head_features)

    def make(features: int) -> Layer:
        return dense(features, use_bias=use_bias, kernel_init=kernel_init, bias_init=bias_init)

    return _Heads(heads, key_value, head_features, make)


def self_attention(
    heads: int,
    *,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    causal: bool = False,
    rotary: bool = False,
    alibi: bool = False,
    cache_length: int | None = None,
    dropout: float = 0.0,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Attention of each place of a sequence to all places of it, with several heads.

    For each head, ``softmax(q @ k.T / sqrt(head_features)) @ v``, where queries q, keys k and values v are
    affine maps of ``x``; the output is an affine map of what the heads give.

    Params: ``query``, ``key``, ``value`` and ``output``, each a ``kernel`` and a ``bias`` as of `dense`.

    With a ``cache_length`` the layer generates: it keeps keys and values in its state, and each application
    continues the sequence where the last one ended. Parameters are the same as without, so that a model
    trained without a cache is applied by its twin with one. State: ``key`` and ``value``, empty at the start
    for as many examples as ``init`` saw, and ``length``, how many places are filled.

    Args:
        heads: number of heads, at least 1.
        key_value_heads: number of heads of keys and values, which ``heads`` is a multiple of: as many
            queries share each (grouped-query attention). As many as ``heads`` by default.
        head_features: features of each head; ``features // heads`` by default.
        causal: whether a place sees only itself and those before.
        rotary: whether queries and keys are rotated by their positions, as by `funcdl.functional.rotary`.
        alibi: whether the products fall with the distance, as by `funcdl.functional.alibi_bias`.
        cache_length: longest sequence that can be generated; None for no cache. It needs ``causal``.
        dropout: fraction of the weights of places set to zero while training, in [0, 1).
        use_bias: whether the affine maps have a bias.
        kernel_init: initializer of the kernels.
        bias_init: initializer of the biases.

    Returns:
        A `Layer` that keeps the shape ``(batch, length, features)``. Its input is ``x``, or a pair
        ``(x, mask)`` with booleans of shape ``(batch, length)``, or ``(batch, length, length)`` if queries
        differ in what they see, that are False for places not to be seen.

    Raises:
        TypeError: a number is not an integer, or ``dropout`` is not a number.
        ValueError: a number is out of range, or there is a cache that is not causal; from the layer, ``x``
            does not fit, there is no key in training with dropout, or the sequence is longer than the cache
            (where the state has values: not while it is traced).

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762; Ainslie et al., 2023,
    "GQA: training generalized multi-query transformer models", arXiv:2305.13245.

    >>> layer = self_attention(2, causal=True)
    >>> x = np.ones((8, 5, 6), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 5, 6)
    """
    name = "self_attention"
    parts = _heads(name, heads, key_value_heads, head_features, use_bias, kernel_init, bias_init)
    rate = fraction(name, "dropout", dropout)
    if cache_length is not None:
        cache_length = positive_integer(name, "cache_length", cache_length)
        if not causal:
            raise ValueError(message(name, "causal", "be True where there is a cache", causal))

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        x, _ = with_mask(name, x)
        params = _init(name, parts, key, x, x)
        return params, () if cache_length is None else _empty_cache(parts, params, x, cache_length)

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        x, mask = with_mask(name, x)
        check_sequence(name, x)
        query, keys, values = parts.project(params, x, x)
        seen = _over_heads(name, mask, x.shape[0])
        positions = np.arange(x.shape[1]) + (0 if cache_length is None else state["length"])
        if rotary:
            query, keys = rotate(query, positions), rotate(keys, positions)
        places = positions
        if cache_length is not None:
            places = np.arange(cache_length)
            state = _extend(state, keys, values, cache_length)
            keys, values = state["key"], state["value"]
            past = places <= positions[:, None]
            seen = past if seen is None else past & seen
        bias = parts.bias(positions, places, query.dtype) if alibi else None
        ahead = causal and cache_length is None
        weights = functional.attention_weights(query, keys, mask=seen, bias=bias, causal=ahead)
        y = (drop(name, weights, rate, key) if training else weights) @ values
        return parts.output(params, y, x.shape[-1]), state

    return Layer(init, apply, name, has_state=cache_length is not None)


def cross_attention(
    heads: int,
    *,
    key_value_heads: int | None = None,
    head_features: int | None = None,
    dropout: float = 0.0,
    use_bias: bool = True,
    kernel_init: Initializer = lecun_normal(),
    bias_init: Initializer = zeros,
) -> Layer:
    """Attention of each place of a sequence to all places of another, with several heads.

    As `self_attention`, with keys and values made of the other sequence.

    Params: ``query``, ``key``, ``value`` and ``output``, each a ``kernel`` and a ``bias`` as of `dense`.

    Args:
        heads: number of heads, at least 1.
        key_value_heads: number of heads of keys and values, which ``heads`` is a multiple of; as many as
            ``heads`` by default.
        head_features: features of each head; ``features // heads`` by default.
        dropout: as in `self_attention`.
        use_bias: whether the affine maps have a bias.
        kernel_init: initializer of the kernels.
        bias_init: initializer of the biases.

    Returns:
        A `Layer` from ``(x, memory)`` or ``(x, memory, mask)`` to an array like ``x``, with ``x`` of shape
        ``(batch, length, features)``, ``memory`` of shape ``(batch, places, any)``, and a mask of shape
        ``(batch, places)`` or ``(batch, length, places)`` that is False for places not to be seen.

    Raises:
        TypeError: a number is not an integer, or ``dropout`` is not a number; from the layer, the input is
            not a tuple.
        ValueError: a number is out of range; from the layer, ``x`` or ``memory`` does not fit, or there is no
            key in training with dropout.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    >>> layer = cross_attention(2)
    >>> x, memory = np.ones((8, 5, 6), np.float32), np.ones((8, 7, 3), np.float32)
    >>> params, state = layer.init(random.key(0), (x, memory))
    >>> layer(params, (x, memory)).shape
    (8, 5, 6)
    """
    name = "cross_attention"
    parts = _heads(name, heads, key_value_heads, head_features, use_bias, kernel_init, bias_init)
    rate = fraction(name, "dropout", dropout)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        x, memory, _ = with_memory(name, x)
        return _init(name, parts, key, x, memory), ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        x, memory, mask = with_memory(name, x)
        check_sequence(name, x)
        check_sequence(name, memory)
        query, keys, values = parts.project(params, x, memory)
        weights = functional.attention_weights(query, keys, mask=_over_heads(name, mask, x.shape[0]))
        y = (drop(name, weights, rate, key) if training else weights) @ values
        return parts.output(params, y, x.shape[-1]), state

    return Layer(init, apply, name)


def with_memory(where: str, x: Any) -> tuple[Any, Any, Any]:
    """Return ``(x, memory, mask)``, with None for no mask.

    Raises:
        TypeError: the input is neither a pair nor a triple.
    """
    if not isinstance(x, (tuple, list)) or len(x) not in (2, 3):
        raise TypeError(
            message(where, "the input", "be (x, memory) or (x, memory, mask)", f"a {type(x).__name__}")
        )
    return x[0], x[1], x[2] if len(x) == 3 else None


def _init(name: str, parts: _Heads, key: Array, x: Array | ArrayType, memory: Array | ArrayType) -> Tree:
    x_type, memory_type = type_of(x), type_of(memory)
    check_sequence(name, x_type)
    check_sequence(name, memory_type)
    width = x_type.shape[-1]
    if parts.features is None and width % parts.queries:
        raise ValueError(
            message(
                name,
                "the features of x",
                f"be a multiple of {parts.queries} heads",
                width,
                "give head_features",
            )
        )
    maps = parts.projections(width)
    joined = ArrayType((1, _joined_width(parts, width)), x_type.dtype)
    inputs = {"query": x_type, "key": memory_type, "value": memory_type, "output": joined}
    keys = random.split(key, len(maps))
    return {part: maps[part].init(keys[i], inputs[part])[0] for i, part in enumerate(maps)}


def _joined_width(parts: _Heads, width: int) -> int:
    """Return how many features all heads have together."""
    return parts.queries * (parts.features or width // parts.queries)


def over_queries(name: str, mask: Array | None, batch: int) -> Array | None:
    """Return a mask of shape ``(batch, length or 1, places)``, from one that may lack the middle axis.

    Raises:
        ValueError: it has another shape, or does not hold booleans.
    """
    if mask is None:
        return None
    if mask.ndim not in (2, 3) or mask.dtype != bool or mask.shape[0] != batch:
        raise ValueError(
            message(name, "mask", "hold booleans (batch, places) or (batch, length, places)", type_of(mask))
        )
    return mask[:, None] if mask.ndim == 2 else mask


def _over_heads(name: str, mask: Array | None, batch: int) -> Array | None:
    """Return a mask with axes for the heads, and for the queries if it has none."""
    seen = over_queries(name, mask, batch)
    return None if seen is None else seen[:, None, None]


def _empty_cache(parts: _Heads, params: Tree, x: Array | ArrayType, length: int) -> Tree:
    kernel = params["key"]["kernel"]
    shape = (x.shape[0], parts.key_value, 1, length, kernel.shape[-1] // parts.key_value)
    empty = np.zeros(shape, kernel.dtype)
    return {"key": empty, "value": empty, "length": np.zeros((), np.int32)}


def _extend(state: Tree, keys: Array, values: Array, cache_length: int) -> Tree:
    """Write keys and values behind those that the cache holds."""
    filled, count = state["length"], keys.shape[-2]
    if isinstance(filled, (np.ndarray, np.integer)) and np.max(filled) + count > cache_length:
        raise ValueError(
            message(
                "self_attention",
                "the sequence",
                f"be no longer than the cache, {cache_length}",
                int(np.max(filled)) + count,
                "make the layer with a larger cache_length",
            )
        )
    source = np.arange(cache_length) - filled
    is_new = ((source >= 0) & (source < count))[:, None]
    source = np.clip(source, 0, count - 1)
    return {
        "key": np.where(is_new, np.take(keys, source, axis=-2), state["key"]),
        "value": np.where(is_new, np.take(values, source, axis=-2), state["value"]),
        "length": filled + np.int32(count),
    }
