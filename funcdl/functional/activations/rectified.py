"""Rectifiers: the identity for positive arguments, something smaller for the others."""

from __future__ import annotations

import numpy as np

from transforms.types import Array

# Of Klambauer et al., section 2: with these, activations of mean 0 and variance 1 keep both.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def relu(x: Array) -> Array:
    """Rectified linear unit: ``max(x, 0)``, whose derivative at 0 is 0.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    Source: Nair & Hinton, 2010, "Rectified linear units improve restricted Boltzmann machines".

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    # np.maximum would share the derivative at 0 between both sides; NaN <= 0 is false, so NaN stays.
    return np.where(x <= 0, 0, x)


def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """Rectified linear unit with a slope below 0: ``x`` if ``x > 0``, else ``negative_slope * x``.

    Args:
        x: array of any shape.
        negative_slope: derivative at 0 and below, a number.

    Returns:
        An array like ``x``.

    Source: Maas, Hannun & Ng, 2013, "Rectifier nonlinearities improve neural network acoustic models".

    >>> leaky_relu(np.array([-1.0, 0.0, 2.0]), negative_slope=0.5)
    array([-0.5,  0. ,  2. ])
    """
    return np.where(x > 0, x, negative_slope * x)


def prelu(x: Array, slope: Array) -> Array:
    """Rectified linear unit with a learned slope: ``x`` if ``x > 0``, else ``slope * x``.

    Args:
        x: array of any shape.
        slope: array that broadcasts against ``x``; one number for each feature has shape
            ``x.shape[-1:]``.

    Returns:
        An array like ``x``.

    Source: He et al., 2015, "Delving deep into rectifiers", arXiv:1502.01852.

    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.5, 0.25]))
    array([[-0.5 , -0.25]])
    """
    return np.where(x > 0, x, slope * x)


def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """Exponential linear unit: ``x`` if ``x > 0``, else ``alpha * (exp(x) - 1)``.

    Args:
        x: array of any shape.
        alpha: minus the limit for very negative arguments, at least 0.

    Returns:
        An array like ``x``.

    Source: Clevert, Unterthiner & Hochreiter, 2016, arXiv:1511.07289.

    >>> elu(np.array([-1000.0, 0.0, 1000.0]))
    array([  -1.,    0., 1000.])
    """
    positive = x > 0
    # The inner `where` keeps exp, and with it the derivative of the branch not taken, from overflowing.
    return np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x)))


def selu(x: Array) -> Array:
    """Scaled exponential linear unit: ``1.0507... * elu(x, alpha=1.6732...)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    Source: Klambauer et al., 2017, "Self-normalizing neural networks", arXiv:1706.02515.

    >>> selu(np.array([-1000.0, 0.0, 1.0])).round(4)
    array([-1.7581,  0.    ,  1.0507])
    """
    return _SELU_SCALE * elu(x, alpha=_SELU_ALPHA)


def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """Continuously differentiable ELU: ``x`` if ``x > 0``, else ``alpha * (exp(x / alpha) - 1)``.

    Args:
        x: array of any shape.
        alpha: minus the limit for very negative arguments, greater than 0.

    Returns:
        An array like ``x``.

    Source: Barron, 2017, arXiv:1704.07483.

    >>> celu(np.array([-1000.0, 0.0, 1.0]), alpha=2.0)
    array([-2.,  0.,  1.])
    """
    positive = x > 0
    return np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x) / alpha))
