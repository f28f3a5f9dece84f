"""Noise while training: activations or weights that are set to zero at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcdl import random
from funcdl.nn.arguments import fraction, required_key
from funcdl.nn.kernels import kernels, with_kernels
from funcdl.nn.layer import Layer, as_layer, no_params, within
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def dropout(rate: float) -> Layer:
    """Set activations to zero at random while training: ``y = x * mask / (1 - rate)``.

    The mask is 0 with probability ``rate`` and 1 otherwise, drawn for each element, so that the mean of
    ``y`` is ``x``. When not training, the layer is the identity.

    Args:
        rate: fraction set to zero, in [0, 1).

    Returns:
        A `Layer` without parameters; in training it needs a key.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training.

    Source: Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    >>> layer = dropout(0.5)
    >>> y, _ = layer.apply((), (), np.ones(5), key=random.key(1), training=True)
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """
    rate = fraction("dropout", "rate", rate)

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return (drop("dropout", x, rate, required_key("dropout", key)) if training else x), state

    return Layer(no_params, apply, "dropout")


def drop_connect(layer: Layer | Callable[[Any], Any], rate: float) -> Layer:
    """Set weights of a layer to zero at random while training: ``kernel * mask / (1 - rate)``.

    Every parameter named ``kernel``, at any depth, is masked; biases are not. The mask is 0 with
    probability ``rate`` and 1 otherwise. When not training, the layer is the one given.

    One mask serves the whole batch, and weights are scaled up while training; Wan et al. draw one for
    each example, and average over masks when not training.

    Args:
        layer: the layer whose kernels to mask, such as ``nn.dense(100)``.
        rate: fraction set to zero, in [0, 1).

    Returns:
        A `Layer` with the parameters and the state of the one given; in training it needs a key.

    Raises:
        TypeError: ``layer`` is not a layer, or ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training, or no kernel.

    Source: Wan et al., 2013, "Regularization of neural networks using DropConnect".

    >>> from funcdl import nn
    >>> layer = drop_connect(nn.dense(3), 0.5)
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> y, state = layer.apply(params, state, np.ones((8, 2), np.float32), key=random.key(1), training=True)
    >>> y.shape
    (8, 3)
    """
    inner = as_layer("drop_connect", layer)
    rate = fraction("drop_connect", "rate", rate)
    place = "drop_connect/layer"

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        params, state = within(place, inner, inner.init, key, x)
        kernels("drop_connect", inner, params)
        return params, state

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training:
            return within(place, inner, inner.apply, params, state, x, key=key, training=False)
        mask_key, inner_key = random.split(required_key("drop_connect", key))
        found = kernels("drop_connect", inner, params)
        keys = random.split(mask_key, len(found))
        masked = {
            path: drop("drop_connect", kernel, rate, keys[index])
            for index, (path, kernel) in enumerate(found.items())
        }
        own = with_kernels(params, masked)
        return within(place, inner, inner.apply, own, state, x, key=inner_key, training=True)

    return Layer(init, apply, "drop_connect", inner.has_state)


def drop(where: str, x: Array, rate: float, key: Array | None) -> Array:
    """Set a fraction of the elements to zero, and scale the others so that the mean stays.

    Raises:
        ValueError: there is no key, and the fraction is not 0.
    """
    if not rate:
        return x
    keep = 1.0 - rate
    return np.where(random.bernoulli(required_key(where, key), keep, x.shape), x * (1.0 / keep), 0)
