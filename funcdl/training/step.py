"""One step of gradient descent, as a pure function of the state and a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from funcdl import random
from funcdl.nn import Layer
from funcdl.optim import Optimizer, apply_updates, scale_loss
from funcdl.training.arguments import check_function, check_metrics, check_model, check_optimizer, described
from funcdl.training.means import EXAMPLES
from funcdl.training.state import TrainState
from funcdl.training.weighting import class_counts, or_one, split_batch, spread, weighted_mean
from transforms import scan, tree, value_and_grad
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

PerExample: TypeAlias = Callable[[Any, Any], Array]
Logs: TypeAlias = dict[str, Array]
_Measured: TypeAlias = dict[str, tuple[Array, Array]]
Step: TypeAlias = Callable[[Any, Any], tuple[Any, Logs]]

WHERE = "training.train_step"


def train_step(
    model: Layer,
    loss: PerExample,
    optimizer: Optimizer,
    *,
    metrics: Mapping[str, PerExample] | None = None,
    regularizer: Callable[[Tree], Array] | None = None,
    class_weights: Any = None,
    microbatches: int = 1,
) -> Callable[[TrainState, Any], tuple[TrainState, Logs]]:
    """Make the step of the usual case: one model, one loss, batches of ``(x, y)``.

    The step minimises ``mean(loss(model(x), y)) + regularizer(params)``. Any other function with its
    signature can take its place in `fit`.

    A batch may be ``(x, y, weights)``: the mean is then ``sum(w * loss) / sum(w)``, that of the metrics as
    well. Weights of 0 and 1 are a mask, such as that of padding.

    Where the optimizer is a `funcdl.optim.dynamic_loss_scale` or a `funcdl.optim.static_loss_scale`, the
    step scales the loss whose gradient it takes; what it reports is the loss itself.

    Args:
        model: the layer to train; it is applied with ``training=True`` and a key of its own each step.
        loss: ``loss(predictions, y)``, one value per example.
        optimizer: turns gradients into updates.
        metrics: further functions of ``(predictions, y)``, by the name to report their mean under.
        regularizer: a penalty on the parameters, as a function of their tree.
        class_weights: what an example of each class counts in the loss, of shape ``(classes,)``, times its
            own weight; ``y`` is then the class's index, or one-hot.
        microbatches: number of equal parts into which the batch is divided, to hold the values of one part
            at a time; at least 1. Gradient and logs are those of the whole batch, apart from rounding and
            from what a model does to a batch as such (batch norm).

    Returns:
        ``step(train_state, batch) -> (train_state, logs)``. The logs are scalars: ``"loss"`` (without
        the penalty, so that it compares with that of other data), ``"penalty"`` if there is a
        regularizer, each metric, and ``"examples"``, the sum of the weights, if the batch has weights.

    Raises:
        TypeError: an argument is no layer, function, optimizer or dict of functions; from the step, the state
            is no `TrainState`.
        ValueError: a metric has the name of another entry of the logs, or ``microbatches`` is below 1; from
            the step, the batch cannot be divided, or weights do not fit.

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
    if microbatches < 1:
        raise ValueError(message(WHERE, "microbatches", "be at least 1", microbatches))
    check_model(WHERE, model)
    check_function(WHERE, "loss", loss)
    check_optimizer(WHERE, optimizer)
    check_metrics(WHERE, {} if metrics is None else metrics)
    gradients = _gradients_of(model, loss, dict(metrics or {}), regularizer, class_weights)

    def step(train_state: TrainState, batch: Any) -> tuple[TrainState, Logs]:
        if not hasattr(train_state, "opt_state"):
            remedy = "make it with training.init(model, optimizer, key, x)"
            raise TypeError(message(WHERE, "the state", "be a TrainState", described(train_state), remedy))
        key, step_key = random.split(train_state.key)
        params, state, opt_state = train_state.params, train_state.state, train_state.opt_state
        if microbatches == 1:
            found = gradients(params, state, opt_state, batch, step_key)
        else:
            found = _in_parts(gradients, params, state, opt_state, _divided(batch, microbatches), step_key)
        updates, opt_state = optimizer.update(found.grads, opt_state, params)
        params = apply_updates(params, updates)
        logs = found.means
        if len(batch) == 3:
            logs = {**logs, EXAMPLES: np.sum(batch[2])}
        return TrainState(params, found.state, opt_state, key, train_state.step + 1), logs

    return step


class _Gradients(NamedTuple):
    """What one backward pass finds: the gradient of the mean, and of how much each mean is."""

    grads: Tree
    state: Tree
    means: Logs
    counts: Logs


def _gradients_of(
    model: Layer,
    loss: PerExample,
    metrics: dict[str, PerExample],
    regularizer: Callable[[Tree], Array] | None,
    class_weights: Any,
) -> Callable[..., _Gradients]:
    """Return the backward pass: ``gradients(params, state, opt_state, batch, key)``."""
    taken = {"loss", "penalty", EXAMPLES} & metrics.keys()
    if taken:
        raise ValueError(message(WHERE, "a metric", "have a name of its own", taken.pop()))
    for name, metric in metrics.items():
        check_function(WHERE, f"the metric {name!r}", metric)
    of_class = None if class_weights is None else np.asarray(class_weights)

    def gradients(params: Tree, state: Tree, opt_state: Tree, batch: Any, key: Array) -> _Gradients:
        x, y, weights = split_batch(WHERE, batch)

        def objective(params: Tree) -> tuple[Array, tuple[Any, Tree, _Measured]]:
            predictions, new_state = model.apply(params, state, x, key=key, training=True)
            measured = {"loss": _mean(loss(predictions, y), weights, y, of_class)}
            total, count = measured["loss"]
            if regularizer is not None:
                measured["penalty"] = (regularizer(params), count)
                total = total + measured["penalty"][0]
            return scale_loss(total, opt_state), (predictions, new_state, measured)

        (_, (predictions, state, measured)), grads = value_and_grad(objective, has_aux=True)(params)
        for name, metric in metrics.items():
            measured[name] = _mean(metric(predictions, y), weights)
        means = {name: mean for name, (mean, _) in measured.items()}
        return _Gradients(grads, state, means, {name: count for name, (_, count) in measured.items()})

    return gradients


def _mean(
    values: Array, weights: Array | None, y: Any = None, class_weights: Array | None = None
) -> tuple[Array, Array]:
    """Return the mean of a measure and the sum of what its values count."""
    counts = None if weights is None else spread(WHERE, weights, values)
    if class_weights is not None:
        of_classes = spread(WHERE, class_counts(class_weights, y), values)
        counts = of_classes if counts is None else of_classes * counts
    return weighted_mean(values, counts)


def _in_parts(
    gradients: Callable[..., _Gradients], params: Tree, state: Tree, opt_state: Tree, parts: Any, key: Array
) -> _Gradients:
    """Scan over the parts of a batch; the means over all of them weigh each by its examples."""

    def add(carry: tuple[Tree, Tree, Array], part: Any) -> tuple[tuple[Tree, Tree, Array], tuple[Logs, Logs]]:
        total, state, key = carry
        key, part_key = random.split(key)
        found = gradients(params, state, opt_state, part, part_key)
        count = found.counts["loss"]
        total = tree.map(lambda sum_, grad: (sum_ + count * grad).astype(sum_.dtype), total, found.grads)
        return (total, found.state, key), (found.means, found.counts)

    start = tree.map(lambda leaf: np.zeros(leaf.shape, np.promote_types(leaf.dtype, np.float32)), params)
    (total, state, _), (means, counts) = scan(add, (start, state, key), parts)
    sums = {name: np.sum(count) for name, count in counts.items()}
    grads = tree.map(lambda sum_, param: (sum_ / or_one(sums["loss"])).astype(param.dtype), total, params)
    means = {name: np.sum(counts[name] * mean) / or_one(sums[name]) for name, mean in means.items()}
    return _Gradients(grads, state, means, sums)


def _divided(batch: Any, parts: int) -> Any:
    def divide(leaf: Array) -> Array:
        examples = leaf.shape[0]
        if examples % parts:
            rule = f"have a multiple of {parts} examples, the number of microbatches"
            remedy = "leave a smaller last batch out with drop_last=True"
            raise ValueError(message(WHERE, "a batch", rule, examples, remedy))
        return np.reshape(leaf, (parts, examples // parts, *leaf.shape[1:]))

    return tree.map(divide, batch)
