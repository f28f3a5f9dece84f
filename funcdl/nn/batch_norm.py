"""Normalization by the statistics of the batch."""

from __future__ import annotations

import numpy as np

from funcdl.nn.arguments import check_features, fraction
from funcdl.nn.layer import Layer, as_floating, param_dtype
from funcdl.nn.normalization import init_scale_and_bias, scale_and_bias
from transforms import type_of
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def batch_norm(
    *, momentum: float = 0.9, epsilon: float = 1e-5, use_scale: bool = True, use_bias: bool = True
) -> Layer:
    """Mean 0 and variance 1 for each feature over the batch, and then a learned scale and bias.

    ``y = scale * (x - mean) / sqrt(variance + epsilon) + bias``, with the batch's mean and variance
    while training, and else the running averages of those seen in training::

        average = momentum * average + (1 - momentum) * of_the_batch

    Params: ``scale`` and ``bias`` of shape ``(features,)``, 1 and 0 at the start. State: ``mean`` and
    ``variance`` of shape ``(features,)``, 0 and 1 at the start.

    Both the batch's variance and its running average are biased: the sum of squares is divided by the
    number of elements. (PyTorch keeps the unbiased one, and calls momentum what is here 1 - momentum.)

    Args:
        momentum: share of the old average that is kept at each step, in [0, 1).
        epsilon: added to the variance, greater than 0.
        use_scale: whether there is a scale.
        use_bias: whether there is a bias.

    Returns:
        A `Layer` with state that keeps the shape ``(batch, ..., features)``.

    Raises:
        TypeError: ``momentum`` is not a number.
        ValueError: ``momentum`` is out of range; from the layer, the last axis of ``x`` does not fit.

    Source: Ioffe and Szegedy, 2015, "Batch normalization", arXiv:1502.03167.

    >>> from funcdl import random
    >>> layer = batch_norm()
    >>> x = np.array([[1.0], [3.0]], np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> y, state = layer.apply(params, state, x, training=True)
    >>> y.round(3)[:, 0], state["mean"]
    (array([-1.,  1.], dtype=float32), array([0.2], dtype=float32))
    """
    momentum = fraction("batch_norm", "momentum", momentum)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        params = init_scale_and_bias("batch_norm", key, x, use_scale, use_bias)
        shape, dtype = type_of(x).shape[-1:], param_dtype(x)
        return params, {"mean": np.zeros(shape, dtype), "variance": np.ones(shape, dtype)}

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        mean, variance = state["mean"], state["variance"]
        check_features("batch_norm", x, mean.shape[0])
        x = as_floating(x, mean.dtype)
        if training:
            axes = tuple(range(x.ndim - 1))
            averages, (mean, variance) = state, (np.mean(x, axis=axes), np.var(x, axis=axes))
            state = {
                "mean": momentum * averages["mean"] + (1 - momentum) * mean,
                "variance": momentum * averages["variance"] + (1 - momentum) * variance,
            }
        y = (x - mean) * np.reciprocal(np.sqrt(variance + epsilon))
        return scale_and_bias("batch_norm", params, y, use_scale, use_bias), state

    return Layer(init, apply, "batch_norm", has_state=True)
