"""Blocks of transformers: attention, and a network of each place, with residual connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcdl import functional, random
from funcdl.nn.arguments import positive_integer
from funcdl.nn.attention import with_memory
from funcdl.nn.combinators import serial
from funcdl.nn.dense import dense
from funcdl.nn.dropout import dropout as make_dropout
from funcdl.nn.layer import Layer, as_layer, from_function, within
from funcdl.nn.normalization import layer_norm
from transforms import type_of
from transforms.tree import Tree
from transforms.types import Array

Activation = Layer | Callable[[Any], Any]


class _Block:
    """Sublayers, each with a norm and a residual connection: ``x + dropout(f(norm(x)))``."""

    def __init__(
        self, name: str, parts: dict[str, Layer], dropout: float, norm_first: bool, norm: Layer
    ) -> None:
        self.name, self.parts, self.norm_first, self.norm = name, parts, norm_first, norm
        self.dropout = _dropout(dropout)
        self.has_state = any(part.has_state for part in parts.values())

    def init(self, key: Array, inputs: dict[str, Callable[[Any], Any]], x: Any) -> tuple[Tree, Tree]:
        keys = random.split(key, (len(self.parts), 2))
        params, state = {}, {}
        for index, (part, layer) in enumerate(self.parts.items()):
            norm, _ = self.norm.init(keys[index, 0], x)
            place = f"{self.name}/{part}"
            params[part], state[part] = within(
                place, layer, layer.init, keys[index, 1], inputs[part](type_of(x))
            )
            params[f"{part}_norm"] = norm
        return params, state if self.has_state else ()

    def apply(
        self,
        params: Tree,
        state: Tree,
        inputs: dict[str, Callable[[Any], Any]],
        x: Array,
        key: Array | None,
        training: bool,
    ) -> tuple[Array, Tree]:
        keys = None if key is None else random.split(key, (len(self.parts), 2))
        states = {}
        for index, (part, layer) in enumerate(self.parts.items()):
            part_key, drop_key = (None, None) if keys is None else (keys[index, 0], keys[index, 1])
            norm = params[f"{part}_norm"]
            given = inputs[part](self.norm(norm, x) if self.norm_first else x)
            part_state = state[part] if self.has_state else ()
            place = f"{self.name}/{part}"
            y, states[part] = within(
                place, layer, layer.apply, params[part], part_state, given, key=part_key, training=training
            )
            y, _ = self.dropout.apply((), (), y, key=drop_key, training=training)
            x = x + y if self.norm_first else self.norm(norm, x + y)
        return x, states if self.has_state else state


def _same(x: Any) -> Any:
    return x


def encoder_block(
    attention: Layer,
    hidden: int,
    *,
    dropout: float = 0.0,
    norm_first: bool = True,
    activation: Activation = functional.gelu,
    norm: Layer | None = None,
) -> Layer:
    """Self-attention and a network of each place, with a norm and a residual connection each.

    ``x + attention(norm(x))``, and then the same with ``dense(hidden), activation, dense(features)``. With
    causal attention it is the block of a language model.

    Params: ``attention``, ``attention_norm``, ``feed_forward``, ``feed_forward_norm``.

    Args:
        attention: a layer such as ``nn.self_attention(8)``.
        hidden: width of the network of each place, at least 1.
        dropout: rate of the dropout of what the attention and the network give, and of the network's
            hidden activations.
        norm_first: whether the norm comes before the layer, and not after the residual connection.
        activation: of the network; a function of one array or a layer.
        norm: a layer without state; `layer_norm` by default.

    Returns:
        A `Layer` that keeps the shape ``(batch, length, features)``. From a pair ``(x, mask)`` it gives the
        pair ``(y, mask)``, so that blocks can stand one after the other.

    Raises:
        TypeError: ``hidden`` is not an integer, or a part is not a layer.
        ValueError: ``hidden`` or ``dropout`` is out of range; from the layer, ``x`` does not fit, or there
            is no key in training with dropout.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762; Xiong et al., 2020, "On layer
    normalization in the transformer architecture", arXiv:2002.04745.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = encoder_block(nn.self_attention(2), 16)
    >>> x = np.ones((8, 5, 6), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 5, 6)
    """
    attend = as_layer("encoder_block", attention)
    hidden = positive_integer("encoder_block", "hidden", hidden)

    def block(width: int) -> _Block:
        parts = {"attention": attend, "feed_forward": _feed_forward(hidden, width, activation, dropout)}
        return _Block("encoder_block", parts, dropout, norm_first, norm or layer_norm())

    def arguments(x: Any) -> tuple[Any, bool, dict[str, Callable[[Any], Any]]]:
        if isinstance(x, (tuple, list)):
            x, mask = x
            return x, True, {"attention": lambda x: (x, mask), "feed_forward": _same}
        return x, False, {"attention": _same, "feed_forward": _same}

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        x, _, inputs = arguments(x)
        return block(x.shape[-1]).init(key, inputs, x)

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        first, masked, inputs = arguments(x)
        y, state = block(first.shape[-1]).apply(params, state, inputs, first, key, training)
        return ((y, x[1]) if masked else y), state

    return Layer(init, apply, "encoder_block", attend.has_state)


def decoder_block(
    attention: Layer,
    cross_attention: Layer,
    hidden: int,
    *,
    dropout: float = 0.0,
    norm_first: bool = True,
    activation: Activation = functional.gelu,
    norm: Layer | None = None,
) -> Layer:
    """Self-attention, attention to a memory, and a network of each place, each with norm and residual.

    Params: ``attention``, ``cross_attention`` and ``feed_forward``, and for each its norm, such as
    ``attention_norm``.

    Args:
        attention: a layer such as ``nn.self_attention(8, causal=True)``.
        cross_attention: a layer such as ``nn.cross_attention(8)``.
        hidden: width of the network of each place, at least 1.
        dropout: as in `encoder_block`.
        norm_first: whether the norm comes before the layer, and not after the residual connection.
        activation: of the network; a function of one array or a layer.
        norm: a layer without state; `layer_norm` by default.

    Returns:
        A `Layer` from ``(x, memory)`` to ``(y, memory)``, or from ``(x, memory, mask)`` to
        ``(y, memory, mask)``, where the mask says which places of the memory are seen.

    Raises:
        TypeError: ``hidden`` is not an integer, or a part is not a layer; from the layer, the input is no
            tuple.
        ValueError: ``hidden`` or ``dropout`` is out of range; from the layer, the input does not fit, or
            there is no key in training with dropout.

    Source: Vaswani et al., 2017, "Attention is all you need", arXiv:1706.03762.

    >>> import numpy as np
    >>> from funcdl import nn
    >>> layer = decoder_block(nn.self_attention(2, causal=True), nn.cross_attention(2), 16)
    >>> x, memory = np.ones((8, 5, 6), np.float32), np.ones((8, 7, 3), np.float32)
    >>> params, state = layer.init(random.key(0), (x, memory))
    >>> layer(params, (x, memory))[0].shape
    (8, 5, 6)
    """
    attend = as_layer("decoder_block", attention)
    cross = as_layer("decoder_block", cross_attention)
    hidden = positive_integer("decoder_block", "hidden", hidden)

    def block(width: int) -> _Block:
        feed_forward = _feed_forward(hidden, width, activation, dropout)
        parts = {"attention": attend, "cross_attention": cross, "feed_forward": feed_forward}
        return _Block("decoder_block", parts, dropout, norm_first, norm or layer_norm())

    def arguments(x: Any) -> tuple[Any, dict[str, Callable[[Any], Any]]]:
        with_memory("decoder_block", x)
        first, *rest = x
        return first, {
            "attention": _same,
            "cross_attention": lambda x: (x, *rest),
            "feed_forward": _same,
        }

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        first, inputs = arguments(x)
        return block(first.shape[-1]).init(key, inputs, first)

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        first, inputs = arguments(x)
        y, state = block(first.shape[-1]).apply(params, state, inputs, first, key, training)
        return (y, *x[1:]), state

    return Layer(init, apply, "decoder_block", attend.has_state or cross.has_state)


def _feed_forward(hidden: int, width: int, activation: Activation, dropout: float) -> Layer:
    return serial(dense(hidden), activation, _dropout(dropout), dense(width))


def _dropout(rate: float) -> Layer:
    """Return a dropout, or where nothing is set to zero what needs no key in training."""
    layer = make_dropout(rate)
    return layer if rate else from_function("dropout", _same)
