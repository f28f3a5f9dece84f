"""Exponentials that are normalized along an axis, and the logarithm of their sum.

All of them subtract the largest entry before taking exponentials. It cancels, so that it counts as a
constant for differentiation.
"""

from __future__ import annotations

import math

import numpy as np

from transforms import stop_gradient
from transforms.types import Array

Axis = int | tuple[int, ...]


def softmax(x: Array, axis: Axis = -1) -> Array:
    """Normalized exponentials: ``exp(x) / sum(exp(x))``.

    Args:
        x: array of logits.
        axis: axis or axes along which the result sums to 1.

    Returns:
        An array like ``x``. Where all of a sum's logits are -inf, or one is inf, it is NaN.

    >>> softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    exponentials = np.exp(below_maximum(x, axis))
    # By a quotient every entry would be divided, and by its derivative twice.
    return exponentials * np.reciprocal(np.sum(exponentials, axis=axis, keepdims=True))


def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """Logarithm of `softmax`: ``x - log(sum(exp(x)))``.

    Args:
        x: array of logits.
        axis: axis or axes along which the result's exponentials sum to 1.

    Returns:
        An array like ``x``. Where all of a sum's logits are -inf, or one is inf, it is NaN.

    >>> log_softmax(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    shifted = below_maximum(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def logsumexp(x: Array, axis: Axis | None = None, *, keepdims: bool = False) -> Array:
    """Logarithm of a sum of exponentials: ``log(sum(exp(x)))``.

    Args:
        x: array of any shape. For a sum with weights, add their logarithms.
        axis: axis or axes to sum over; all of them by default.
        keepdims: keep the axes that are summed over, with length 1.

    Returns:
        An array without the axes summed over. Where all entries are -inf, it is -inf, with derivative 0.

    >>> logsumexp(np.array([[1000.0, 1000.0], [-np.inf, -np.inf]]), axis=1).round(3)
    array([1000.693,     -inf])
    """
    highest = np.max(stop_gradient(x), axis=axis, keepdims=True)
    # Where it is infinite, subtracting it would make NaN of the sums -inf and inf.
    highest = np.where(np.isfinite(highest), highest, 0)
    total = np.sum(np.exp(x - highest), axis=axis, keepdims=True)
    # The logarithm must not see a 0, or its infinite derivative would make NaN of the gradient.
    empty = total == 0
    result = np.where(empty, -math.inf, np.log(np.where(empty, 1, total)) + highest)
    return result if keepdims else np.squeeze(result, axis)


def below_maximum(x: Array, axis: Axis) -> Array:
    """Return ``x`` less its largest entry along the axes, which counts as a constant."""
    return x - np.max(stop_gradient(x), axis=axis, keepdims=True)
