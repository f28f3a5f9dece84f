"""Focal losses: cross entropies that care less for what is already right."""

from __future__ import annotations

import numpy as np

from funcdl.functional import sigmoid
from funcdl.functional.softmax import log_softmax
from funcdl.losses.targets import (
    as_real,
    check_class_indices,
    check_range,
    check_same_shape,
    mean_per_example,
)
from transforms.errors import message
from transforms.types import Array


def softmax_focal(logits: Array, labels: Array, *, gamma: float = 2.0) -> Array:
    """Focal loss of classes that exclude each other: ``-(1 - p)**gamma * log(p)``.

    Here ``p`` is the probability of the label, ``softmax(logits)[label]``.

    Args:
        logits: floating array of shape ``(..., classes)``.
        labels: class indices in [0, classes), integer array of the shape of the logits without the last
            axis.
        gamma: how much less what is right counts, in [0, inf); with 0 it is the cross entropy.

    Returns:
        An array of the shape of the labels, at least 0.

    Raises:
        TypeError: the labels are no integers.
        ValueError: the shapes do not fit, or a label or ``gamma`` is out of range.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002.

    >>> softmax_focal(np.array([[0.0, 0.0], [9.0, 0.0]]), np.array([0, 0])).round(4)
    array([0.1733, 0.    ])
    """
    where = "losses.softmax_focal"
    _check_gamma(where, gamma)
    check_class_indices(where, logits, labels, -1)
    own = np.take_along_axis(log_softmax(logits), np.expand_dims(labels, -1), -1)
    own = np.reshape(own, logits.shape[:-1])
    return -_power(-np.expm1(own), gamma) * own


def sigmoid_focal(logits: Array, labels: Array, *, gamma: float = 2.0, alpha: float | None = None) -> Array:
    """Focal loss of classes that do not exclude each other: ``mean(-a * (1 - q)**gamma * log(q))``.

    ``q`` is ``sigmoid(logits)`` where the label is 1 and ``1 - sigmoid(logits)`` where it is 0; ``a`` is
    ``alpha`` and ``1 - alpha``, or 1 without ``alpha``. Labels between 0 and 1 mix both. The mean is over all
    axes but the first.

    Args:
        logits: floating array of shape ``(batch, ...)``.
        labels: the probability that each class is present, in [0, 1], of the shape of the logits.
        gamma: how much less what is right counts, in [0, inf).
        alpha: weight of the classes that are present, in [0, 1].

    Returns:
        An array of shape ``(batch,)``, at least 0.

    Raises:
        ValueError: the shapes differ, or a label, ``gamma`` or ``alpha`` is out of range.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, arXiv:1708.02002.

    >>> sigmoid_focal(np.array([0.0, 9.0]), np.array([1, 1])).round(4)
    array([0.1733, 0.    ])
    """
    where = "losses.sigmoid_focal"
    _check_gamma(where, gamma)
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(message(where, "alpha", "be in [0, 1]", alpha))
    check_same_shape(where, "labels", logits, labels)
    check_range(where, labels, 0, 1)
    labels = as_real(labels, logits)
    entropy = labels * np.logaddexp(-logits, 0.0) + (1.0 - labels) * np.logaddexp(logits, 0.0)
    wrong = labels * sigmoid(-logits) + (1.0 - labels) * sigmoid(logits)
    loss = _power(wrong, gamma) * entropy
    if alpha is not None:
        loss = loss * (alpha * labels + (1.0 - alpha) * (1.0 - labels))
    return mean_per_example(loss)


def _power(base: Array, gamma: float) -> Array:
    # The derivative of a power less than 1 is infinite at 0, which times a loss of 0 would be NaN.
    empty = base <= 0
    return np.where(empty, 1.0 if gamma == 0 else 0.0, np.where(empty, 1.0, base) ** gamma)


def _check_gamma(where: str, gamma: float) -> None:
    if not gamma >= 0:
        raise ValueError(message(where, "gamma", "be at least 0", gamma))
