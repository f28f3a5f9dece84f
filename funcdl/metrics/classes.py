"""Metrics of predicted classes, all of them read off the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from funcdl.functional import one_hot
from funcdl.losses.targets import check_range, check_same_shape
from funcdl.metrics.accumulator import Metric, additive, ratio
from transforms import type_of
from transforms.errors import message
from transforms.types import Array

Average = Literal["macro", "micro"] | None


def confusion_matrix(classes: int) -> Metric:
    """Count how often each class was taken for each: ``matrix[target, prediction]``.

    ``update`` takes predicted and true class indices in [0, classes), integer arrays of one shape.

    Args:
        classes: number of classes, at least 1.

    Returns:
        A `Metric` whose result is a float32 array of shape ``(classes, classes)``.

    Raises:
        ValueError: ``classes`` is below 1; from ``update``, the shapes differ, or an index is out of range.
        TypeError: from ``update``, the indices are no integers.

    >>> metric = confusion_matrix(2)
    >>> metric.result(metric.update(metric.init(), np.array([1, 1, 0]), np.array([1, 0, 0])))
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    """
    return _of_matrix("metrics.confusion_matrix", classes, lambda matrix: matrix)


def precision(classes: int, *, average: Average = None) -> Metric:
    """Share of the predictions of a class that are right: ``t / (t + false alarms)``.

    Args:
        classes: number of classes, at least 1. ``update`` takes class indices, as in `confusion_matrix`.
        average: ``"macro"`` for the mean over the classes, ``"micro"`` for all of them counted together.

    Returns:
        A `Metric` whose result is a float32 array of shape ``(classes,)``, or ``()`` with an average; NaN
        for a class that was never predicted.

    Raises:
        ValueError: ``classes`` or ``average`` is out of range; from ``update``, as in `confusion_matrix`.

    >>> metric = precision(2)
    >>> metric.result(metric.update(metric.init(), np.array([1, 1, 0]), np.array([1, 0, 0])))
    array([1. , 0.5], dtype=float32)
    """
    return _of_counts("metrics.precision", classes, average, lambda t, alarms, _misses: (t, t + alarms))


def recall(classes: int, *, average: Average = None) -> Metric:
    """Share of a class that was found: ``t / (t + misses)``.

    Args:
        classes: number of classes, at least 1. ``update`` takes class indices, as in `confusion_matrix`.
        average: ``"macro"`` for the mean over the classes, ``"micro"`` for all of them counted together.

    Returns:
        A `Metric` whose result is a float32 array of shape ``(classes,)``, or ``()`` with an average; NaN
        for a class that never occurred.

    Raises:
        ValueError: ``classes`` or ``average`` is out of range; from ``update``, as in `confusion_matrix`.

    >>> metric = recall(2)
    >>> metric.result(metric.update(metric.init(), np.array([1, 1, 0]), np.array([1, 0, 0])))
    array([0.5, 1. ], dtype=float32)
    """
    return _of_counts("metrics.recall", classes, average, lambda t, _alarms, misses: (t, t + misses))


def f_beta(classes: int, *, beta: float = 1.0, average: Average = None) -> Metric:
    """Harmonic mean of precision and recall, in which recall counts ``beta`` times as much.

    ``(1 + beta**2) * t / ((1 + beta**2) * t + beta**2 * misses + false alarms)``

    Args:
        classes: number of classes, at least 1. ``update`` takes class indices, as in `confusion_matrix`.
        beta: greater than 0.
        average: ``"macro"`` for the mean over the classes, ``"micro"`` for all of them counted together.

    Returns:
        A `Metric` whose result is a float32 array of shape ``(classes,)``, or ``()`` with an average.

    Raises:
        ValueError: an option is out of range; from ``update``, as in `confusion_matrix`.

    Source: van Rijsbergen, "Information Retrieval", 1979.

    >>> metric = f_beta(2, average="micro")
    >>> float(metric.result(metric.update(metric.init(), np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]))))
    0.75
    """
    if not beta > 0:
        raise ValueError(message("metrics.f_beta", "beta", "be positive", beta))
    weight = float(beta) ** 2

    def parts(t: Array, alarms: Array, misses: Array) -> tuple[Array, Array]:
        return (1.0 + weight) * t, (1.0 + weight) * t + weight * misses + alarms

    return _of_counts("metrics.f_beta", classes, average, parts)


def iou(classes: int, *, average: Average = None) -> Metric:
    """Intersection of predicted and true regions over their union: ``t / (t + false alarms + misses)``.

    Args:
        classes: number of classes, at least 1. ``update`` takes class indices, as in `confusion_matrix`.
        average: ``"macro"`` for the mean over the classes, ``"micro"`` for all of them counted together.

    Returns:
        A `Metric` whose result is a float32 array of shape ``(classes,)``, or ``()`` with an average; NaN
        for a class that neither occurred nor was predicted.

    Raises:
        ValueError: ``classes`` or ``average`` is out of range; from ``update``, as in `confusion_matrix`.

    Source: Jaccard, 1912, doi:10.1111/j.1469-8137.1912.tb05611.x.

    >>> metric = iou(2)
    >>> metric.result(metric.update(metric.init(), np.array([1, 1, 0]), np.array([1, 0, 0])))
    array([0.5, 0.5], dtype=float32)
    """
    return _of_counts("metrics.iou", classes, average, lambda t, alarms, misses: (t, t + alarms + misses))


def _of_counts(
    where: str,
    classes: int,
    average: Average,
    parts: Callable[[Array, Array, Array], tuple[Array, Array]],
) -> Metric:
    if average not in ("macro", "micro", None):
        raise ValueError(message(where, "average", "be 'macro', 'micro' or None", repr(average)))

    def result(matrix: Array) -> Array:
        right = np.diagonal(matrix)
        numerator, denominator = parts(right, np.sum(matrix, axis=0) - right, np.sum(matrix, axis=1) - right)
        if average == "micro":
            return ratio(np.sum(numerator), np.sum(denominator))
        values = ratio(numerator, denominator)
        return values if average is None else np.mean(values)

    return _of_matrix(where, classes, result)


def _of_matrix(where: str, classes: int, result: Callable[[Array], Array]) -> Metric:
    if classes < 1:
        raise ValueError(message(where, "classes", "be at least 1", classes))

    def counts(predictions: Array, targets: Array) -> Array:
        for what, labels in (("predictions", predictions), ("targets", targets)):
            dtype = type_of(labels).dtype
            if dtype.kind not in "iu":
                remedy = "take the class with the largest logit: np.argmax(logits, axis=-1)"
                raise TypeError(message(where, what, "have an integer dtype", dtype, remedy))
            check_range(where, labels, 0, classes - 1, what=what)
        check_same_shape(where, "targets", predictions, targets)
        return one_hot(np.reshape(targets, -1), classes).T @ one_hot(np.reshape(predictions, -1), classes)

    return additive(np.zeros((classes, classes), np.float32), counts, result)
