"""Means in which examples count differently."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms import at, type_of
from transforms.errors import message
from transforms.types import Array


def split_batch(where: str, batch: Any) -> tuple[Any, Any, Array | None]:
    """Return x, y and the weights of the examples, None where the batch has none.

    Raises:
        ValueError: the batch is no tuple of two or three.
    """
    if not isinstance(batch, tuple) or len(batch) not in (2, 3):
        got = f"a tuple of {len(batch)}" if isinstance(batch, tuple) else f"a {type(batch).__name__}"
        raise ValueError(message(where, "a batch", "be (x, y) or (x, y, weights)", got))
    x, y, *rest = batch
    return x, y, rest[0] if rest else None


def spread(where: str, weights: Array, values: Array) -> Array:
    """Return weights of examples in the shape and dtype of the values that they weigh.

    Args:
        where: the callable to name in an error.
        weights: of shape ``(examples,)``, or of the leading axes of the values.
        values: one value per example, or several.

    Raises:
        ValueError: the shapes do not fit.
    """
    shape, of_values = type_of(weights).shape, type_of(values).shape
    if not shape or of_values[: len(shape)] != shape:
        rule = f"have the shape of the leading axes of the measure's {of_values}"
        remedy = "give one weight per example, and a measure with one value per example"
        raise ValueError(message(where, "the weights", rule, shape, remedy))
    weights = np.reshape(weights, shape + (1,) * (len(of_values) - len(shape)))
    return np.broadcast_to(weights.astype(type_of(values).dtype), of_values)


def class_counts(class_weights: Array, y: Array) -> Array:
    """Return the weight of each example's class: of an index, or of probabilities over the last axis.

    >>> class_counts(np.array([1.0, 3.0]), np.array([1, 0, 1]))
    array([3., 1., 3.])
    """
    return at(class_weights)[y].get() if type_of(y).dtype.kind in "iu" else y @ class_weights


def weighted_mean(values: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return ``sum(weights * values) / sum(weights)`` and the sum of the weights; 0 where that is 0.

    >>> weighted_mean(np.array([1.0, 5.0]), np.array([3.0, 1.0]))
    (np.float64(2.0), np.float64(4.0))
    """
    if weights is None:
        return np.mean(values), np.float32(type_of(values).size)
    total = np.sum(weights)
    return np.sum(weights * values) / or_one(total), total


def or_one(total: Array) -> Array:
    """Return a sum of weights, and 1 where it is 0: nothing is divided by it then but 0."""
    return np.where(total == 0, 1, total).astype(total.dtype)
