"""Distances that are relative, or that grow slowly: for targets of many sizes, and for directions."""

from __future__ import annotations

import math

import numpy as np

from funcdl.losses.targets import as_real, check_same_shape, mean_per_example
from transforms.errors import message
from transforms.types import Array


def log_cosh(predictions: Array, targets: Array) -> Array:
    """Logarithm of the hyperbolic cosine of the error: ``mean(log(cosh(predictions - targets)))``.

    It is ``e**2 / 2`` for small errors and ``abs(e) - log(2)`` for large ones. The mean is over all axes but
    the first.

    Args:
        predictions: floating array of shape ``(batch, ...)``.
        targets: array of the same shape.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    >>> log_cosh(np.array([0.0, 1000.0]), np.zeros(2)).round(2)
    array([  0.  , 999.31])
    """
    check_same_shape("losses.log_cosh", "targets", predictions, targets)
    error = predictions - as_real(targets, predictions)
    return mean_per_example(np.logaddexp(error, -error) - math.log(2.0))


def mape(predictions: Array, targets: Array, *, epsilon: float = 1e-7) -> Array:
    """Mean absolute percentage error: ``mean(100 * |predictions - targets| / max(|targets|, epsilon))``.

    The mean is over all axes but the first.

    Args:
        predictions: floating array of shape ``(batch, ...)``.
        targets: array of the same shape.
        epsilon: least divisor, greater than 0.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ, or ``epsilon`` is not positive.

    >>> mape(np.array([1.5, 8.0]), np.array([1.0, 10.0]))
    array([50., 20.])
    """
    if not epsilon > 0:
        raise ValueError(message("losses.mape", "epsilon", "be positive", epsilon))
    check_same_shape("losses.mape", "targets", predictions, targets)
    targets = as_real(targets, predictions)
    return mean_per_example(100.0 * np.abs(predictions - targets) / np.maximum(np.abs(targets), epsilon))


def msle(predictions: Array, targets: Array) -> Array:
    """Mean squared logarithmic error: ``mean((log(1 + predictions) - log(1 + targets))**2)``.

    The mean is over all axes but the first.

    Args:
        predictions: floating array of shape ``(batch, ...)``, greater than -1.
        targets: array of the same shape, greater than -1.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    >>> msle(np.array([np.e - 1.0]), np.array([0.0]))
    array([1.])
    """
    check_same_shape("losses.msle", "targets", predictions, targets)
    return mean_per_example(np.square(np.log1p(predictions) - np.log1p(as_real(targets, predictions))))


def cosine(predictions: Array, targets: Array, *, epsilon: float = 1e-8) -> Array:
    """Cosine distance: ``1 - sum(a * b) / (max(norm(a), epsilon) * max(norm(b), epsilon))``.

    Args:
        predictions: the vectors ``a``, floating array of shape ``(..., features)``.
        targets: the vectors ``b``, of the same shape.
        epsilon: least norm, greater than 0.

    Returns:
        An array of shape ``(...)``, in [0, 2].

    Raises:
        ValueError: the shapes differ, or ``epsilon`` is not positive.

    >>> cosine(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[5.0, 0.0], [0.0, 1.0]]))
    array([0., 1.])
    """
    if not epsilon > 0:
        raise ValueError(message("losses.cosine", "epsilon", "be positive", epsilon))
    check_same_shape("losses.cosine", "targets", predictions, targets)
    targets = as_real(targets, predictions)
    norms = [np.sqrt(np.maximum(np.sum(x * x, axis=-1), epsilon * epsilon)) for x in (predictions, targets)]
    return 1.0 - np.sum(predictions * targets, axis=-1) / (norms[0] * norms[1])
