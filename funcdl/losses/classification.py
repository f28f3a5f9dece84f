"""Cross entropies between labels and the probabilities that logits stand for."""

from __future__ import annotations

import math

import numpy as np

from funcdl.functional.softmax import below_maximum, log_softmax
from funcdl.losses.targets import (
    as_real,
    check_class_indices,
    check_range,
    check_same_shape,
    mean_per_example,
)
from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def softmax_cross_entropy(
    logits: Array, labels: Array, *, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Cross entropy of classes that exclude each other: ``-sum(p * log(softmax(logits)))``.

    Here ``p`` is 1 at an integer label's class and 0 at the others, or soft labels themselves. With
    smoothing it is replaced by ``(1 - label_smoothing) * p + label_smoothing / classes``.

    Args:
        logits: floating array of shape ``(..., classes)``.
        labels: class indices in [0, classes), of integer dtype and the shape of the logits without
            ``axis``; or the probability of each class, of floating dtype and the shape of the logits.
        label_smoothing: share of the uniform distribution that is mixed in, in [0, 1].
        axis: axis of the classes.

    Returns:
        An array of the shape of the logits without ``axis``, at least 0. A class that has probability 0
        in soft labels may have a logit of -inf.

    Raises:
        ValueError: the shapes do not fit, a label is out of range, or ``label_smoothing`` is.

    Source: Szegedy et al., 2016, arXiv:1512.00567, section 7, for label smoothing.

    >>> logits = np.array([[1000.0, 0.0], [1000.0, 0.0]])
    >>> softmax_cross_entropy(logits, np.array([0, 1]))
    array([   0., 1000.])
    >>> softmax_cross_entropy(logits, np.array([[0.75, 0.25], [0.5, 0.5]]))
    array([250., 500.])
    """
    where = "losses.softmax_cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ValueError(message(where, "label_smoothing", "be in [0, 1]", label_smoothing))
    if type_of(labels).dtype.kind in "iu":
        check_class_indices(where, logits, labels, axis)
        return _integer_cross_entropy(logits, labels, label_smoothing, axis)
    check_same_shape(where, "labels", logits, labels, "class indices must be integers: labels.astype(int)")
    labels = as_real(labels, logits)
    if label_smoothing:
        labels = (1.0 - label_smoothing) * labels + label_smoothing / logits.shape[axis]
    log_probabilities = log_softmax(logits, axis)
    # What has probability 0 by both counts adds nothing; 0 * -inf would be NaN.
    absent = (labels == 0) & (log_probabilities == -math.inf)
    return -np.sum(labels * np.where(absent, 0, log_probabilities), axis=axis)


def _integer_cross_entropy(logits: Array, labels: Array, label_smoothing: float, axis: int) -> Array:
    """Gather before subtracting the logarithm: one pass less over the logits than log_softmax."""
    shifted = below_maximum(logits, axis)
    log_total = np.log(np.sum(np.exp(shifted), axis=axis))
    target = np.reshape(np.take_along_axis(shifted, np.expand_dims(labels, axis), axis), log_total.shape)
    if label_smoothing:
        target = (1.0 - label_smoothing) * target + label_smoothing * np.mean(shifted, axis=axis)
    return log_total - target


def sigmoid_binary_cross_entropy(logits: Array, labels: Array) -> Array:
    """Cross entropy of classes that do not exclude each other.

    ``-mean(p * log(sigmoid(logits)) + (1 - p) * log(1 - sigmoid(logits)))``, over all axes but the first.

    Args:
        logits: floating array of shape ``(batch, ...)``.
        labels: the probability ``p`` that each class is present, in [0, 1], of the shape of the logits.

    Returns:
        An array of shape ``(batch,)``, at least 0.

    Raises:
        ValueError: the shapes differ, or a label is out of range.

    >>> sigmoid_binary_cross_entropy(np.array([0.0, 1000.0, 1000.0]), np.array([1, 1, 0])).round(4)
    array([6.931e-01, 0.000e+00, 1.000e+03])
    """
    where = "losses.sigmoid_binary_cross_entropy"
    check_same_shape(where, "labels", logits, labels)
    check_range(where, labels, 0, 1)
    labels = as_real(labels, logits)
    # Not softplus(logits) - labels * logits: what remains of a small loss would be rounding errors.
    return mean_per_example(labels * np.logaddexp(-logits, 0.0) + (1.0 - labels) * np.logaddexp(logits, 0.0))
