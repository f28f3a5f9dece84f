"""Metrics of predicted numbers, and of the probabilities of what came."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.losses.classification import softmax_cross_entropy
from funcdl.losses.targets import as_real, check_same_shape
from funcdl.metrics.accumulator import Metric, additive, mean, ratio
from transforms.types import Array


def rmse() -> Metric:
    """Root of the mean squared error: ``sqrt(mean((predictions - targets)**2))`` over all elements.

    Returns:
        A `Metric` whose result is a float32 scalar. Its ``update`` raises ValueError where targets and
        predictions differ in shape.

    >>> metric = rmse()
    >>> float(metric.result(metric.update(metric.init(), np.array([3.0, 0.0]), np.array([0.0, 3.0]))))
    3.0
    """

    def squares(predictions: Array, targets: Array) -> Array:
        check_same_shape("metrics.rmse", "targets", predictions, targets)
        return np.square(predictions - as_real(targets, predictions))

    inner = mean(squares)
    return inner._replace(result=lambda state: np.sqrt(inner.result(state)))


class R2State(NamedTuple):
    """State of `r2`; all float64, shape (), because two large sums are subtracted.

    Attributes:
        count: number of elements.
        total: sum of the targets.
        square: sum of the squared targets.
        error: sum of the squared errors.
    """

    count: Array
    total: Array
    square: Array
    error: Array


def r2() -> Metric:
    """Coefficient of determination, over all elements together.

    ``1 - sum((predictions - targets)**2) / sum((targets - mean(targets))**2)``

    Returns:
        A `Metric` whose result is a float64 scalar; NaN where all targets are equal. Its ``update`` raises
        ValueError where targets and predictions differ in shape.

    Source: Wright, "Correlation and Causation", 1921.

    >>> metric = r2()
    >>> state = metric.update(metric.init(), np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    >>> float(metric.result(state))
    0.5
    """

    def sums(predictions: Array, targets: Array) -> R2State:
        check_same_shape("metrics.r2", "targets", predictions, targets)
        targets = targets.astype(np.float64)
        errors = predictions.astype(np.float64) - targets
        return R2State(
            np.float64(targets.size), np.sum(targets), np.sum(np.square(targets)), np.sum(np.square(errors))
        )

    def result(state: R2State) -> Array:
        spread = state.square - state.total * ratio(state.total, state.count)
        return 1.0 - ratio(state.error, spread)

    return additive(R2State(*[np.float64(0)] * 4), sums, result)


def perplexity() -> Metric:
    """Perplexity: ``exp(mean(-log(softmax(logits)[label])))``, over all labels.

    ``update`` takes logits and labels as `funcdl.losses.softmax_cross_entropy` does.

    Returns:
        A `Metric` whose result is a float32 scalar.

    Source: Jelinek et al., "Perplexity - a measure of the difficulty of speech recognition tasks", 1977,
    doi:10.1121/1.2016299.

    >>> metric = perplexity()
    >>> metric.result(metric.update(metric.init(), np.zeros((3, 8)), np.array([0, 1, 7]))).round(3)
    np.float32(8.0)
    """
    inner = mean(softmax_cross_entropy)
    return inner._replace(result=lambda state: np.exp(inner.result(state)))
