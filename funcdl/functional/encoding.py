"""Class labels as arrays of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def one_hot(labels: Array, classes: int, *, dtype: Any = np.float32) -> Array:
    """Vectors with a 1 at the place of the label: ``y[..., c] = 1 if labels[...] == c else 0``.

    Args:
        labels: integer array of any shape. A label outside of [0, classes) gives a vector of zeros.
        classes: number of classes, at least 1.
        dtype: of the result.

    Returns:
        An array of shape ``(*labels.shape, classes)``.

    Raises:
        TypeError: the labels are no integers, or ``classes`` is none.
        ValueError: ``classes`` is below 1.

    >>> one_hot(np.array([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    label_dtype = type_of(labels).dtype
    if label_dtype.kind not in "iu":
        remedy = "convert class indices with labels.astype(int)"
        raise TypeError(message("one_hot", "labels", "have an integer dtype", label_dtype, remedy))
    if not isinstance(classes, (int, np.integer)):
        raise TypeError(message("one_hot", "classes", "be a positive integer", repr(classes)))
    if classes < 1:
        raise ValueError(message("one_hot", "classes", "be a positive integer", classes))
    return (np.expand_dims(labels, -1) == np.arange(classes)).astype(dtype)
