"""Measures of single examples, without derivatives."""

from __future__ import annotations

import numpy as np

from funcdl.losses.targets import check_class_indices, check_same_shape
from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def accuracy(logits: Array, labels: Array) -> Array:
    """Whether the class with the largest logit is the label: ``argmax(logits) == labels``.

    Args:
        logits: array of shape ``(..., classes)``.
        labels: class indices in [0, classes), of integer dtype and the shape of the logits without the
            last axis; or the probability of each class, of floating dtype and the shape of the logits,
            of which the largest counts.

    Returns:
        A float32 array of the shape of the logits without the last axis: 1 where right, else 0.

    Raises:
        ValueError: the shapes do not fit, or a label is out of range.

    >>> accuracy(np.array([[0.1, 2.0], [3.0, 1.0]]), np.array([1, 1]))
    array([1., 0.], dtype=float32)
    """
    if type_of(labels).dtype.kind in "iu":
        check_class_indices("metrics.accuracy", logits, labels, -1)
    else:
        check_same_shape("metrics.accuracy", "labels", logits, labels)
        labels = np.argmax(labels, axis=-1)
    return (np.argmax(logits, axis=-1) == labels).astype(np.float32)


def top_k_accuracy(logits: Array, labels: Array, k: int) -> Array:
    """Whether fewer than ``k`` classes have a larger logit than the label's.

    Args:
        logits: array of shape ``(..., classes)``.
        labels: class indices in [0, classes), integer array of the shape of the logits without the last
            axis.
        k: how many classes count as right, in [1, classes]. Classes that share a logit share the better
            rank, so that more than ``k`` may count.

    Returns:
        A float32 array of the shape of the labels: 1 where right, else 0.

    Raises:
        TypeError: the labels are no integers.
        ValueError: the shapes do not fit, or a label or ``k`` is out of range.

    >>> top_k_accuracy(np.array([[0.1, 2.0, 1.0], [3.0, 1.0, 2.0]]), np.array([2, 1]), 2)
    array([1., 0.], dtype=float32)
    """
    where = "metrics.top_k_accuracy"
    check_class_indices(where, logits, labels, -1)
    classes = logits.shape[-1]
    if not 1 <= k <= classes:
        raise ValueError(message(where, "k", f"be in [1, {classes}], the number of classes", k))
    own = np.take_along_axis(logits, np.expand_dims(labels, -1), -1)
    # NaN is not <= anything: where a model diverged, its labels rank last and not first.
    return (np.sum(~(logits <= own), axis=-1) < k).astype(np.float32)
