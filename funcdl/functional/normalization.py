"""Arrays brought to a standard scale."""

from __future__ import annotations

import numpy as np

from transforms.errors import message
from transforms.types import Array


def standardize(x: Array, axis: int | tuple[int, ...] = -1, *, epsilon: float = 1e-5) -> Array:
    """Mean 0 and variance 1: ``(x - mean(x)) / sqrt(var(x) + epsilon)``.

    Args:
        x: array of any shape.
        axis: axis or axes over which mean and variance are taken.
        epsilon: added to the variance, greater than 0; keeps the derivative finite where all entries are
            equal.

    Returns:
        An array like ``x``.

    >>> standardize(np.array([[1.0, 3.0], [5.0, 5.0]])).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    centered = x - np.mean(x, axis=axis, keepdims=True)
    variance = np.mean(centered * centered, axis=axis, keepdims=True)
    # By a quotient every entry would be divided, and by its derivative twice.
    return centered * np.reciprocal(np.sqrt(variance + epsilon))


def group_standardize(x: Array, groups: int, *, epsilon: float = 1e-5) -> Array:
    """`standardize` for each example and group of channels, over the group and all spatial axes.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        groups: into how many groups the channels are divided: 1 for all together, or as many as there
            are for each by itself.
        epsilon: added to the variance, greater than 0.

    Returns:
        An array like ``x``.

    Raises:
        ValueError: the channels do not divide into the groups.

    Source: Wu and He, 2018, "Group normalization", arXiv:1803.08494.

    >>> group_standardize(np.array([[1.0, 3.0, 0.0, 8.0]]), 2).round(3)
    array([[-1.,  1., -1.,  1.]])
    """
    channels = x.shape[-1]
    if groups < 1 or channels % groups:
        raise ValueError(
            message("group_standardize", "groups", f"divide the channels of x, of shape {x.shape}", groups)
        )
    split = np.reshape(x, (x.shape[0], -1, groups, channels // groups))
    return np.reshape(standardize(split, (1, 3), epsilon=epsilon), x.shape)


def rms_normalize(x: Array, axis: int | tuple[int, ...] = -1, *, epsilon: float = 1e-6) -> Array:
    """Root mean square 1: ``x / sqrt(mean(x ** 2) + epsilon)``.

    Args:
        x: array of any shape.
        axis: axis or axes over which the mean is taken.
        epsilon: added to the mean square, greater than 0; keeps the derivative finite at 0.

    Returns:
        An array like ``x``.

    Source: Zhang and Sennrich, 2019, "Root mean square layer normalization", arXiv:1910.07467.

    >>> rms_normalize(np.array([3.0, -3.0])).round(3)
    array([ 1., -1.])
    """
    return x * np.reciprocal(np.sqrt(np.mean(x * x, axis=axis, keepdims=True) + epsilon))


def unit_normalize(x: Array, axis: int | tuple[int, ...] = -1, *, epsilon: float = 1e-12) -> Array:
    """Length 1: ``x / max(sqrt(sum(x ** 2)), epsilon)``.

    Args:
        x: array of any shape.
        axis: axis or axes over which the length is taken.
        epsilon: what shorter vectors are divided by, greater than 0; they keep a finite derivative.

    Returns:
        An array like ``x``.

    >>> unit_normalize(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    squares = np.sum(x * x, axis=axis, keepdims=True)
    return x / np.sqrt(np.maximum(squares, epsilon * epsilon))
