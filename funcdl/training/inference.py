"""Measures and predictions of a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from funcdl import data
from funcdl.nn import Layer
from funcdl.training.means import RunningMeans
from funcdl.training.step import PerExample
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree


def evaluate(
    model: Layer,
    params: Tree,
    state: Tree,
    batches: Iterable[tuple[Any, Any]],
    metrics: Mapping[str, PerExample],
) -> dict[str, float]:
    """Return the mean of each metric over all examples.

    Args:
        model: the layer, applied with ``training=False``.
        params: its parameters.
        state: its state.
        batches: the data, ``(x, y)`` at a time.
        metrics: functions of ``(predictions, y)`` that give one value per example, by name; a loss is one.

    Returns:
        The means, by name.

    Raises:
        ValueError: there is no batch.

    >>> from funcdl import losses, nn
    >>> x, y = np.ones((3, 2)), np.zeros((3, 2))
    >>> evaluate(nn.serial(), (), (), data.batches((x, y), 2), {"mse": losses.mse})
    {'mse': 1.0}
    """
    means = RunningMeans()
    for batch in batches:
        x, y = batch
        predictions, _ = model.apply(params, state, x)
        values = {name: np.mean(metric(predictions, y)) for name, metric in metrics.items()}
        means.add(values, batch, "training.evaluate")
    result = means.result()
    if metrics and not result:
        raise ValueError(
            message(
                "training.evaluate",
                "batches",
                "hold a batch",
                "none",
                "a generator gives its batches only once",
            )
        )
    return result


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
