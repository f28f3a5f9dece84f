"""One step of gradient descent, as a pure function of the state and a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from funcdl import random
from funcdl.nn import Layer
from funcdl.optim import Optimizer, apply_updates
from funcdl.training.state import TrainState
from transforms import value_and_grad
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

PerExample: TypeAlias = Callable[[Any, Any], Array]
Logs: TypeAlias = dict[str, Array]
Step: TypeAlias = Callable[[Any, Any], tuple[Any, Logs]]


def train_step(
    model: Layer,
    loss: PerExample,
    optimizer: Optimizer,
    *,
    metrics: Mapping[str, PerExample] | None = None,
    regularizer: Callable[[Tree], Array] | None = None,
) -> Callable[[TrainState, tuple[Any, Any]], tuple[TrainState, Logs]]:
    """Make the step of the usual case: one model, one loss, batches of ``(x, y)``.

    The step minimises ``mean(loss(model(x), y)) + regularizer(params)``. Any other function with its
    signature can take its place in `fit`.

    Args:
        model: the layer to train; it is applied with ``training=True`` and a key of its own each step.
        loss: ``loss(predictions, y)``, one value per example.
        optimizer: turns gradients into updates.
        metrics: further functions of ``(predictions, y)``, by the name to report their mean under.
        regularizer: a penalty on the parameters, as a function of their tree.

    Returns:
        ``step(train_state, (x, y)) -> (train_state, logs)``. The logs are scalars: ``"loss"`` (without
        the penalty, so that it compares with that of other data), ``"penalty"`` if there is a
        regularizer, and each metric.

    Raises:
        ValueError: a metric has the name of another entry of the logs.

    >>> from funcdl import losses, nn, optim, training
    >>> model, optimizer = nn.dense(1), optim.sgd(0.1)
    >>> x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    >>> state = training.init(model, optimizer, random.key(0), x)
    >>> step = train_step(model, losses.mse, optimizer)
    >>> state, first = step(state, (x, y))
    >>> state, second = step(state, (x, y))
    >>> bool(second["loss"] < first["loss"])
    True
    """
    metrics = dict(metrics or {})
    taken = {"loss", "penalty"} & metrics.keys()
    if taken:
        raise ValueError(message("training.train_step", "a metric", "have a name of its own", taken.pop()))

    def step(train_state: TrainState, batch: tuple[Any, Any]) -> tuple[TrainState, Logs]:
        x, y = batch
        key, step_key = random.split(train_state.key)

        def objective(params: Tree) -> tuple[Array, tuple[Any, Tree, Logs]]:
            predictions, state = model.apply(params, train_state.state, x, key=step_key, training=True)
            mean_loss = np.mean(loss(predictions, y))
            if regularizer is None:
                return mean_loss, (predictions, state, {"loss": mean_loss})
            penalty = regularizer(params)
            return mean_loss + penalty, (predictions, state, {"loss": mean_loss, "penalty": penalty})

        (_, (predictions, state, logs)), grads = value_and_grad(objective, has_aux=True)(train_state.params)
        updates, opt_state = optimizer.update(grads, train_state.opt_state, train_state.params)
        params = apply_updates(train_state.params, updates)
        measured = {name: np.mean(metric(predictions, y)) for name, metric in metrics.items()}
        return TrainState(params, state, opt_state, key, train_state.step + 1), {**logs, **measured}

    return step
