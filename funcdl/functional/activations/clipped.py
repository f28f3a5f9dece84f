"""Piecewise linear steps: clipped between two bounds, and flat at the bounds themselves."""

from __future__ import annotations

import numpy as np

from transforms.types import Array


def relu6(x: Array) -> Array:
    """Rectified linear unit that saturates: ``min(max(x, 0), 6)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [0, 6].

    Source: Krizhevsky, 2010, "Convolutional deep belief networks on CIFAR-10".

    >>> relu6(np.array([-1.0, 3.0, 8.0]))
    array([0., 3., 6.])
    """
    return _clip(x, 0.0, 6.0)


def hard_tanh(x: Array) -> Array:
    """Piecewise linear hyperbolic tangent: ``min(max(x, -1), 1)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [-1, 1].

    >>> hard_tanh(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """
    return _clip(x, -1.0, 1.0)


def hard_sigmoid(x: Array) -> Array:
    """Piecewise linear logistic function: ``min(max(x + 3, 0), 6) / 6``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``, with values in [0, 1].

    Source: Howard et al., 2019, "Searching for MobileNetV3", arXiv:1905.02244.

    >>> hard_sigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return _clip(x + 3.0, 0.0, 6.0) / 6.0


def hard_silu(x: Array) -> Array:
    """Piecewise quadratic SiLU, also called hard swish: ``x * hard_sigmoid(x)``.

    Args:
        x: array of any shape.

    Returns:
        An array like ``x``.

    Source: Howard et al., 2019, "Searching for MobileNetV3", arXiv:1905.02244.

    >>> hard_silu(np.array([-4.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """
    return x * hard_sigmoid(x)


def _clip(x: Array, low: float, high: float) -> Array:
    """Clip, with derivative 0 at the bounds: np.clip would share it between both sides."""
    return np.where(x <= low, low, np.where(x >= high, high, x))
