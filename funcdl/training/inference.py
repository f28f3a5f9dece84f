"""Measures and predictions of a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from funcdl import data
from funcdl.metrics import Metric
from funcdl.nn import Layer
from funcdl.training.arguments import check_function, check_metrics
from funcdl.training.means import Means
from funcdl.training.step import PerExample
from funcdl.training.weighting import split_batch, spread, weighted_mean
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

WHERE = "training.evaluate"


def evaluate(
    model: Layer,
    params: Tree,
    state: Tree,
    batches: Iterable[Any],
    metrics: Mapping[str, PerExample | Metric],
) -> dict[str, Any]:
    """Return each metric over all examples.

    Args:
        model: the layer, applied with ``training=False``.
        params: its parameters.
        state: its state.
        batches: the data, ``(x, y)`` at a time, or ``(x, y, weights)``.
        metrics: by name, functions of ``(predictions, y)`` that give one value per example, such as a loss,
            or accumulators of `funcdl.metrics`.

    Returns:
        By name, the mean over the examples, weighted if they have weights, as a float; of an accumulator, its
        result.

    Raises:
        TypeError: the metrics are no dict of functions and accumulators.
        ValueError: there is no batch, or an accumulator meets weights other than 0 and 1.

    >>> from funcdl import losses, nn
    >>> x, y = np.ones((3, 2)), np.zeros((3, 2))
    >>> evaluate(nn.serial(), (), (), data.batches((x, y), 2), {"mse": losses.mse})
    {'mse': 1.0}
    """
    check_metrics(WHERE, metrics)
    measures = {name: metric for name, metric in metrics.items() if not isinstance(metric, Metric)}
    accumulators = {name: metric for name, metric in metrics.items() if isinstance(metric, Metric)}
    for name, measure in measures.items():
        check_function(WHERE, f"the metric {name!r}", measure)
    gathered = {name: metric.init() for name, metric in accumulators.items()}
    means, empty = Means(), True
    for batch in batches:
        empty = False
        x, y, weights = split_batch(WHERE, batch)
        predictions, _ = model.apply(params, state, x)
        for name, measure in measures.items():
            values = measure(predictions, y)
            used = None if weights is None else spread(WHERE, weights, values)
            mean, count = weighted_mean(values, used)
            means = means.add({name: float(mean)}, float(count))
        if accumulators and weights is not None:
            predictions, y = _where_one(weights, (predictions, y))
        for name, metric in accumulators.items():
            gathered[name] = metric.update(gathered[name], predictions, y)
    if metrics and empty:
        remedy = "a generator gives its batches only once"
        raise ValueError(message(WHERE, "batches", "hold a batch", "none", remedy))
    results = {name: metric.result(gathered[name]) for name, metric in accumulators.items()}
    found = {**means.result(), **results}
    return {name: found[name] for name in metrics}


def _where_one(weights: Array, arrays: Tree) -> Tree:
    """Return the examples that count; an accumulator knows no other weights than 0 and 1."""
    if not np.all((weights == 0) | (weights == 1)):
        other = weights[(weights != 0) & (weights != 1)][0]
        raise ValueError(message(WHERE, "the weights", "be 0 or 1 where a metric is an accumulator", other))
    return tree.map(lambda leaf: leaf[weights == 1], arrays)


def predict(model: Layer, params: Tree, state: Tree, x: Tree, *, batch_size: int | None = None) -> Tree:
    """Return the model's outputs, computed in batches.

    Args:
        model: the layer, applied with ``training=False``.
        params: its parameters.
        state: its state.
        x: a tree of arrays whose first axis counts examples.
        batch_size: number of examples to compute at a time, at least 1; all of them by default.

    Returns:
        The outputs for all examples, in order.

    Raises:
        ValueError: the batch size is below 1, or ``x`` is empty.

    >>> from funcdl import nn
    >>> predict(nn.serial(nn.relu), ((),), ((),), np.array([-1.0, 0.0, 2.0]), batch_size=2)
    array([0., 0., 2.])
    """
    if batch_size is None:
        return model.apply(params, state, x)[0]
    outputs = [model.apply(params, state, batch)[0] for batch in data.batches(x, batch_size)]
    return tree.map(lambda *parts: np.concatenate(parts), outputs[0], *outputs[1:])
