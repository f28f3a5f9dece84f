"""What losses and metrics demand of targets, and how an example comes to have one value.

Shapes are never broadcast: targets of shape (8, 1) against predictions of shape (8,) would give 64
differences. Values are checked only where they are there to look at, in a plain array.
"""

from __future__ import annotations

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.types import Array


def check_same_shape(where: str, what: str, predictions: Array, targets: Array, remedy: str = "") -> None:
    """Refuse targets of another shape than the predictions.

    Args:
        where: the callable to name in an error.
        what: what it calls its targets.
        predictions: the predictions.
        targets: the targets.
        remedy: what else to do than to reshape, where the numbers of axes differ.

    Raises:
        ValueError: the shapes differ; shows both.
    """
    expected, got = type_of(predictions).shape, type_of(targets).shape
    if got != expected:
        remedy = remedy or "reshape the one with an axis too many, or index it"
        raise ValueError(
            message(
                where,
                what,
                f"have shape {expected}, that of the predictions",
                got,
                remedy if len(got) != len(expected) else "",
            )
        )


def check_class_indices(where: str, logits: Array, labels: Array, axis: int) -> None:
    """Refuse integer labels that do not give each vector of logits one class.

    Raises:
        TypeError: the labels are no integers.
        ValueError: their shape is not that of the logits without ``axis``, or one is out of range; names
            the first.
    """
    (shape, label_dtype), logits_shape = type_of(labels), type_of(logits).shape
    if label_dtype.kind not in "iu":
        raise TypeError(message(where, "labels", "have an integer dtype", label_dtype))
    axis = np.lib.array_utils.normalize_axis_index(axis, len(logits_shape))
    expected = logits_shape[:axis] + logits_shape[axis + 1 :]
    if shape != expected:
        rule = f"have shape {expected}, that of the logits {logits_shape} without axis {axis}"
        raise ValueError(message(where, "labels", rule, shape, _remedy(shape, logits_shape, axis)))
    check_range(where, labels, 0, logits_shape[axis] - 1)


def _remedy(shape: tuple[int, ...], logits_shape: tuple[int, ...], axis: int) -> str:
    if shape == logits_shape:
        return "one-hot labels must be floating: labels.astype(logits.dtype)"
    if shape == (*logits_shape[:axis], 1, *logits_shape[axis + 1 :]):
        return f"drop the axis of length 1: np.squeeze(labels, {axis})"
    return ""


def check_range(where: str, labels: Array, low: int, high: int, *, what: str = "labels") -> None:
    """Refuse labels outside of [low, high]; names the first and its place.

    Raises:
        ValueError: a label is out of range.
    """
    if not isinstance(labels, np.ndarray) or not labels.size:
        return
    if labels.min() >= low and labels.max() <= high:
        return
    place = tuple(np.argwhere(~((labels >= low) & (labels <= high)))[0].tolist())
    raise ValueError(message(where, what, f"be in [{low}, {high}]", f"{labels[place]} at index {place}"))


def as_real(targets: Array, predictions: Array) -> Array:
    """Return integer and boolean targets in the dtype of the predictions, and others as they are.

    NumPy would promote int64 and float32 to float64.
    """
    return targets.astype(type_of(predictions).dtype) if type_of(targets).dtype.kind in "biu" else targets


def mean_per_example(values: Array) -> Array:
    """Return the mean over all axes but the first."""
    return np.mean(values, axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values
