"""Branches of deep residual networks: scaled by what is learned, and left out at random while training."""

from __future__ import annotations

import numpy as np

from funcdl import random
from funcdl.initializers import constant
from funcdl.nn.arguments import check_features, fraction, required_key
from funcdl.nn.layer import Layer, as_floating, no_params, param_dtype
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def stochastic_depth(rate: float) -> Layer:
    """Set whole examples to zero at random while training: ``y = x * mask / (1 - rate)``.

    As the last layer of a residual branch it leaves the branch out for some of the examples. The mask is 0
    with probability ``rate`` and 1 otherwise, drawn for each example. When not training, the layer is the
    identity.

    Args:
        rate: fraction of the examples set to zero, in [0, 1).

    Returns:
        A `Layer` without parameters that keeps the shape ``(batch, ...)``; in training it needs a key.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training.

    Source: Huang et al., 2016, "Deep networks with stochastic depth", arXiv:1603.09382.

    >>> layer = stochastic_depth(0.5)
    >>> y, _ = layer.apply((), (), np.ones((4, 2)), key=random.key(1), training=True)
    >>> y
    array([[2., 2.],
           [0., 0.],
           [2., 2.],
           [2., 2.]])
    """
    keep = 1.0 - fraction("stochastic_depth", "rate", rate)

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training:
            return x, state
        shape = x.shape[:1] + (1,) * (x.ndim - 1)
        mask = random.bernoulli(required_key("stochastic_depth", key), keep, shape)
        return np.where(mask, x * (1.0 / keep), 0), state

    return Layer(no_params, apply, "stochastic_depth")


def layer_scale(start: float = 1e-5) -> Layer:
    """Multiply each feature by a learned factor: ``y = x * scale``.

    As the last layer of a residual branch it lets the branch begin with next to nothing.

    Params: ``scale`` of shape ``(features,)``.

    Args:
        start: the factors at the start.

    Returns:
        A `Layer` that keeps the shape ``(batch, ..., features)``.

    Raises:
        ValueError: from the layer, ``x`` does not fit.

    Source: Touvron et al., 2021, "Going deeper with image transformers", arXiv:2103.17239.

    >>> layer = layer_scale(0.5)
    >>> x = np.ones((2, 3), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x)
    array([[0.5, 0.5, 0.5],
           [0.5, 0.5, 0.5]], dtype=float32)
    """
    initializer = constant(float(start))

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        return {"scale": initializer(key, x.shape[-1:], param_dtype(x))}, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        scale = params["scale"]
        check_features("layer_scale", x, scale.shape[0])
        return as_floating(x, scale.dtype) * scale, state

    return Layer(init, apply, "layer_scale")
