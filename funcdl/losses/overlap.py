"""Losses for segmentation: how little predicted and true regions overlap."""

from __future__ import annotations

import numpy as np

from funcdl.losses.targets import as_real, check_range, check_same_shape
from transforms.errors import message
from transforms.types import Array


def dice(probabilities: Array, labels: Array, *, smooth: float = 1.0) -> Array:
    """Dice loss: ``1 - (2 * sum(p * y) + smooth) / (sum(p) + sum(y) + smooth)``, over all axes but the first.

    Args:
        probabilities: ``p``, floating array of shape ``(batch, ...)``, in [0, 1].
        labels: ``y``, of the same shape, in [0, 1].
        smooth: greater than 0; what keeps it finite where both regions are empty.

    Returns:
        An array of shape ``(batch,)``, in [0, 1].

    Raises:
        ValueError: the shapes differ, a label is out of range, or ``smooth`` is not positive.

    Source: Milletari et al., "V-Net", 2016, arXiv:1606.04797 (which squares in the denominator).

    >>> dice(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), np.array([[1, 0, 0], [0, 0, 0]]))
    array([0.25, 0.  ])
    """
    return _lack("losses.dice", probabilities, labels, 0.5, 0.5, 0.5 * smooth)


def tversky(
    probabilities: Array, labels: Array, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Array:
    """Tversky loss: `dice` with different weights for false alarms and misses.

    ``1 - (t + smooth) / (t + alpha * sum(p * (1 - y)) + beta * sum((1 - p) * y) + smooth)`` with
    ``t = sum(p * y)``, over all axes but the first.

    Args:
        probabilities: ``p``, floating array of shape ``(batch, ...)``, in [0, 1].
        labels: ``y``, of the same shape, in [0, 1].
        alpha: weight of false alarms, at least 0.
        beta: weight of misses, at least 0.
        smooth: greater than 0.

    Returns:
        An array of shape ``(batch,)``, in [0, 1].

    Raises:
        ValueError: the shapes differ, or a label, a weight or ``smooth`` is out of range.

    Source: Salehi et al., "Tversky loss function for image segmentation", 2017, arXiv:1706.05721.

    >>> tversky(np.array([[1.0, 1.0]]), np.array([[1, 0]]), alpha=2.0)
    array([0.5])
    """
    for name, weight in (("alpha", alpha), ("beta", beta)):
        if not weight >= 0:
            raise ValueError(message("losses.tversky", name, "be at least 0", weight))
    return _lack("losses.tversky", probabilities, labels, alpha, beta, smooth)


def _lack(where: str, p: Array, labels: Array, alpha: float, beta: float, smooth: float) -> Array:
    if not smooth > 0:
        raise ValueError(message(where, "smooth", "be positive", smooth))
    check_same_shape(where, "labels", p, labels)
    check_range(where, labels, 0, 1)
    y = as_real(labels, p)
    axes = tuple(range(1, p.ndim))
    shared = np.sum(p * y, axis=axes)
    alarms, misses = np.sum(p * (1.0 - y), axis=axes), np.sum((1.0 - p) * y, axis=axes)
    return 1.0 - (shared + smooth) / (shared + alpha * alarms + beta * misses + smooth)
