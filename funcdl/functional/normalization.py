"""Arrays brought to a standard scale."""

from __future__ import annotations

import numpy as np

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
    return centered / np.sqrt(variance + epsilon)
