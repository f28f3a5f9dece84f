"""Noise while training, other than activations set to zero one by one."""

from __future__ import annotations

import math

import numpy as np

from funcdl import random
from funcdl.functional.spatial import spatial_rank
from funcdl.nn.arguments import fraction, required_key
from funcdl.nn.layer import Layer, no_params
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

_SELU_LIMIT = -1.0507009873554805 * 1.6732632423543772
"""What `selu` tends to at minus infinity."""


def spatial_dropout(rate: float) -> Layer:
    """Set whole channels of an example to zero at random while training: ``y = x * mask / (1 - rate)``.

    Neighbouring elements of an image resemble each other, so that dropping single ones hides little. When
    not training, the layer is the identity.

    Args:
        rate: fraction of the channels set to zero, in [0, 1).

    Returns:
        A `Layer` without parameters that keeps the shape ``(batch, *spatial, channels)``; in training it
        needs a key.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training, or no spatial
            axis.

    Source: Tompson et al., 2015, "Efficient object localization using convolutional networks",
    arXiv:1411.4280.

    >>> layer = spatial_dropout(0.5)
    >>> y, _ = layer.apply((), (), np.ones((1, 2, 2, 3)), key=random.key(1), training=True)
    >>> [len(set(y[..., channel].ravel().tolist())) for channel in range(3)]
    [1, 1, 1]
    """
    keep = 1.0 - fraction("spatial_dropout", "rate", rate)

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        rank = spatial_rank("spatial_dropout", x)
        if not training:
            return x, state
        shape = (x.shape[0], *(1,) * rank, x.shape[-1])
        mask = random.bernoulli(required_key("spatial_dropout", key), keep, shape)
        return np.where(mask, x * (1.0 / keep), 0), state

    return Layer(no_params, apply, "spatial_dropout")


def alpha_dropout(rate: float) -> Layer:
    """Set activations to the lower limit of `selu` at random while training, keeping mean and variance.

    ``y = a * where(mask, x, limit) + b``, with a and b such that inputs of mean 0 and variance 1 give
    outputs of mean 0 and variance 1. When not training, the layer is the identity.

    Args:
        rate: fraction set to the limit, in [0, 1).

    Returns:
        A `Layer` without parameters; in training it needs a key.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training.

    Source: Klambauer et al., 2017, "Self-normalizing neural networks", arXiv:1706.02515.

    >>> layer = alpha_dropout(0.5)
    >>> y, _ = layer.apply((), (), np.zeros(100), key=random.key(1), training=True)
    >>> len(set(y.tolist()))
    2
    """
    rate = fraction("alpha_dropout", "rate", rate)
    keep = 1.0 - rate
    scale = (keep + _SELU_LIMIT**2 * keep * rate) ** -0.5
    shift = -scale * rate * _SELU_LIMIT

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training:
            return x, state
        mask = random.bernoulli(required_key("alpha_dropout", key), keep, x.shape)
        return np.where(mask, x, _SELU_LIMIT) * scale + shift, state

    return Layer(no_params, apply, "alpha_dropout")


def gaussian_noise(stddev: float) -> Layer:
    """Add normal numbers while training: ``y = x + stddev * noise``.

    When not training, the layer is the identity.

    Args:
        stddev: standard deviation of the noise, at least 0.

    Returns:
        A `Layer` without parameters; in training it needs a key.

    Raises:
        ValueError: ``stddev`` is negative; from the layer, there is no key in training.

    >>> layer = gaussian_noise(0.1)
    >>> y, _ = layer.apply((), (), np.zeros(5), key=random.key(1), training=True)
    >>> bool(np.all(np.abs(y) < 0.5))
    True
    """
    deviation = float(stddev)
    if not 0 <= deviation < math.inf:
        raise ValueError(message("gaussian_noise", "stddev", "be at least 0 and finite", stddev))

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training:
            return x, state
        noise = random.normal(required_key("gaussian_noise", key), x.shape, x.dtype)
        return x + deviation * noise, state

    return Layer(no_params, apply, "gaussian_noise")


def gaussian_dropout(rate: float) -> Layer:
    """Multiply by normal numbers of mean 1 while training: ``y = x * (1 + sqrt(rate / (1 - rate)) * noise)``.

    The factors have the mean and the variance of those of `dropout`. When not training, the layer is the
    identity.

    Args:
        rate: of the dropout that it resembles, in [0, 1).

    Returns:
        A `Layer` without parameters; in training it needs a key.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is out of range; from the layer, there is no key in training.

    Source: Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    >>> layer = gaussian_dropout(0.5)
    >>> y, _ = layer.apply((), (), np.ones(3), key=random.key(1), training=True)
    >>> len(set(y.tolist()))
    3
    """
    rate = fraction("gaussian_dropout", "rate", rate)
    deviation = math.sqrt(rate / (1 - rate))

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        if not training:
            return x, state
        noise = random.normal(required_key("gaussian_dropout", key), x.shape, x.dtype)
        return x * (1 + deviation * noise), state

    return Layer(no_params, apply, "gaussian_dropout")
