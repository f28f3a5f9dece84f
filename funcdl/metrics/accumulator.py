"""What an accumulator is, and the one that takes the mean of any measure of examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class Metric(NamedTuple):
    """A measure that is gathered batch by batch, as four pure functions.

    All states are sums, so that batches may come in any order and from several processes.

    Attributes:
        init: ``init() -> state``, of no examples.
        update: ``update(state, predictions, targets) -> state``, with a batch more.
        result: ``result(state) -> value``; NaN where nothing was seen that it is a ratio of.
        merge: ``merge(state, other) -> state``, of the examples of both.
    """

    init: Callable[[], Tree]
    update: Callable[[Tree, Any, Any], Tree]
    result: Callable[[Tree], Array]
    merge: Callable[[Tree, Tree], Tree]


def additive(zeros: Tree, measure: Callable[[Any, Any], Tree], result: Callable[[Tree], Array]) -> Metric:
    """Make a metric whose state is a sum over batches.

    Args:
        zeros: the sum of nothing.
        measure: ``measure(predictions, targets)``, what a batch adds; a tree like ``zeros``.
        result: the value that a sum stands for.

    >>> total = additive(np.float32(0), lambda predictions, targets: predictions.sum(), lambda state: state)
    >>> float(total.update(total.init(), np.ones(3), None))
    3.0
    """

    def merge(state: Tree, other: Tree) -> Tree:
        return tree.map(lambda a, b: a + b, state, other)

    def update(state: Tree, predictions: Any, targets: Any) -> Tree:
        added = measure(predictions, targets)
        return tree.map(lambda total, part: total + part.astype(total.dtype), state, added)

    return Metric(lambda: zeros, update, result, merge)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return the quotient, and NaN where the denominator is 0.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    empty = denominator == 0
    return np.where(empty, np.nan, numerator / np.where(empty, 1, denominator))


class MeanState(NamedTuple):
    """State of `mean`.

    Attributes:
        total: sum of the values, float32, shape ().
        count: their number, float32, shape ().
    """

    total: Array
    count: Array


def mean(measure: Callable[[Any, Any], Array]) -> Metric:
    """Mean of a measure over all examples: ``sum(measure(predictions, targets)) / number of values``.

    Args:
        measure: gives one value per example; any loss, `accuracy`, ...

    Returns:
        A `Metric` whose result is a float32 scalar.

    >>> from funcdl import losses
    >>> metric = mean(losses.mae)
    >>> state = metric.update(metric.init(), np.array([1.0, 2.0]), np.array([0.0, 0.0]))
    >>> state = metric.merge(state, metric.update(metric.init(), np.array([6.0]), np.array([0.0])))
    >>> float(metric.result(state))
    3.0
    """

    def sums(predictions: Any, targets: Any) -> MeanState:
        values = measure(predictions, targets)
        return MeanState(np.sum(values), np.float32(values.size))

    start = MeanState(np.float32(0), np.float32(0))
    return additive(start, sums, lambda state: ratio(state.total, state.count))
