"""Additive attention: of a sequence to another, scored by a small network."""

from __future__ import annotations

from typing import Any

from funcdl import functional, random
from funcdl.initializers import Initializer, lecun_normal, zeros
from funcdl.nn.arguments import check_features, check_sequence, positive_integer
from funcdl.nn.attention import over_queries, with_memory
from funcdl.nn.layer import Layer, as_floating, param_dtype
from transforms.tree import Tree
from transforms.types import Array


def additive_attention(
    features: int, *, kernel_init: Initializer = lecun_normal(), bias_init: Initializer = zeros
) -> Layer:
    """Attention of each place of a sequence to all places of a memory, as a small network scores them.

    The score of place j for place i is ``scale @ tanh(x[i] @ query + memory[j] @ key + bias)``; the output
    is the mean of the memory, weighted by the softmax of the scores over j.

    Params: ``query`` of shape ``(features of x, features)``, ``key`` of shape
    ``(features of memory, features)``, ``bias`` and ``scale`` of shape ``(features,)``.

    Args:
        features: width of the network, at least 1.
        kernel_init: initializer of ``query`` and ``key``, and of ``scale`` as a matrix of one column.
        bias_init: initializer of the bias.

    Returns:
        A `Layer` from ``(x, memory)`` or ``(x, memory, mask)`` to shape ``(batch, length, memory features)``,
        with ``x`` of shape ``(batch, length, any)``, ``memory`` of shape ``(batch, places, any)``, and a mask
        of shape ``(batch, places)`` or ``(batch, length, places)`` that is False for places not to be seen.

    Raises:
        TypeError: ``features`` is not an integer; from the layer, the input is not a tuple.
        ValueError: ``features`` is below 1; from the layer, ``x`` or ``memory`` does not fit.

    Source: Bahdanau et al., 2015, "Neural machine translation by jointly learning to align and translate",
    arXiv:1409.0473.

    >>> import numpy as np
    >>> layer = additive_attention(16)
    >>> x, memory = np.ones((8, 5, 6), np.float32), np.ones((8, 7, 3), np.float32)
    >>> params, state = layer.init(random.key(0), (x, memory))
    >>> layer(params, (x, memory)).shape
    (8, 5, 3)
    """
    name = "additive_attention"
    features = positive_integer(name, "features", features)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        x, memory, _ = with_memory(name, x)
        check_sequence(name, x)
        check_sequence(name, memory)
        dtype = param_dtype(x)
        query_key, memory_key, scale_key, bias_key = random.split(key, 4)
        params = {
            "query": kernel_init(query_key, (x.shape[-1], features), dtype),
            "key": kernel_init(memory_key, (memory.shape[-1], features), dtype),
            "scale": kernel_init(scale_key, (features, 1), dtype)[:, 0],
            "bias": bias_init(bias_key, (features,), dtype),
        }
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        x, memory, mask = with_memory(name, x)
        check_sequence(name, x)
        check_sequence(name, memory)
        check_features(name, x, params["query"].shape[0])
        check_features(name, memory, params["key"].shape[0])
        dtype = params["query"].dtype
        memory = as_floating(memory, dtype)
        query = as_floating(x, dtype) @ params["query"] + params["bias"]
        seen = over_queries(name, mask, x.shape[0])
        keys = memory @ params["key"]
        return functional.additive_attention(query, keys, memory, params["scale"], mask=seen), state

    return Layer(init, apply, name)
