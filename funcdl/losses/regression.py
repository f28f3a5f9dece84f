"""Distances between predictions and targets."""

from __future__ import annotations

import numpy as np

from funcdl.losses.targets import as_real, check_same_shape, mean_per_example
from transforms.errors import message
from transforms.types import Array


def mse(predictions: Array, targets: Array) -> Array:
    """Mean squared error: ``mean((predictions - targets)**2)``, over all axes but the first.

    Args:
        predictions: floating array of shape ``(batch, ...)``.
        targets: array of the shape of the predictions.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    >>> mse(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [3.0, 3.0]]))
    array([2. , 0.5])
    """
    return mean_per_example(np.square(_errors("losses.mse", predictions, targets)))


def mae(predictions: Array, targets: Array) -> Array:
    """Mean absolute error: ``mean(|predictions - targets|)``, over all axes but the first.

    Args:
        predictions: floating array of shape ``(batch, ...)``.
        targets: array of the shape of the predictions.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ.

    >>> mae(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [3.0, 3.0]]))
    array([1. , 0.5])
    """
    return mean_per_example(np.abs(_errors("losses.mae", predictions, targets)))


def huber(predictions: Array, targets: Array, *, delta: float = 1.0) -> Array:
    """Huber's loss: quadratic near the target, linear far from it; mean over all axes but the first.

    With ``e = |predictions - targets|``: ``e**2 / 2`` if ``e <= delta``, else ``delta * (e - delta / 2)``.

    Args:
        predictions: floating array of shape ``(batch, ...)``.
        targets: array of the shape of the predictions.
        delta: error at which the loss turns linear, greater than 0.

    Returns:
        An array of shape ``(batch,)``.

    Raises:
        ValueError: the shapes differ, or ``delta`` is not positive.

    Source: Huber, 1964, "Robust estimation of a location parameter".

    >>> huber(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    array([0.125, 2.5  ])
    """
    if not delta > 0:
        raise ValueError(message("losses.huber", "delta", "be positive", delta))
    distance = np.abs(_errors("losses.huber", predictions, targets))
    near = np.minimum(distance, delta)
    return mean_per_example(near * (distance - 0.5 * near))


def _errors(where: str, predictions: Array, targets: Array) -> Array:
    check_same_shape(where, "targets", predictions, targets)
    return predictions - as_real(targets, predictions)
