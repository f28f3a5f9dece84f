"""Adamax: Adam with the largest recent gradient in the place of the average of squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.hyperparameters import fraction, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


class ScaleByAdamaxState(NamedTuple):
    """State of `scale_by_adamax`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the gradients, a tree like the parameters.
        largest: decaying maximum of their magnitudes, likewise.
    """

    count: Array
    mean: Tree
    largest: Tree


def scale_by_adamax(
    *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, name: str = "scale_by_adamax"
) -> Optimizer:
    """Replace gradients by Adamax's direction, the equation of `adamax` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the maximum in each step, in [0, 1).
        eps: in (0, inf); added to the magnitudes.
        name: what error messages call it.

    Source: see `adamax`.

    >>> optimizer = scale_by_adamax()
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)

    def direction(
        mean: Array, largest: Array, grad: Array, b1: Array, b2: Array, eps: Array, correction: Array
    ) -> tuple[Array, Array, Array]:
        mean = average(mean, grad, b1)
        largest = np.maximum(np.abs(grad) + eps, b2 * largest)
        return mean / correction / largest, mean, largest

    def init(params: Tree) -> ScaleByAdamaxState:
        return ScaleByAdamaxState(np.int32(0), zeros(params), full_of_squares(params, 0.0))

    def update(
        grads: Tree, state: ScaleByAdamaxState, params: Tree = None
    ) -> tuple[Tree, ScaleByAdamaxState]:
        count = increment(state.count)
        scalars = (b1, b2, eps, bias_correction_at(count, b1))
        updates, mean, largest = map_and_unzip(
            f"{name}.update", direction, 3, state.mean, state.largest, grads, scalars=scalars
        )
        return updates, ScaleByAdamaxState(count, mean, largest)

    return Optimizer(init, update)


def adamax(
    learning_rate: float | Schedule, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> Optimizer:
    """Adamax: Adam for the largest recent gradient, the limit of its norms.

    ``m[t] = b1 * m[t-1] + (1 - b1) * g[t]``, ``x[t] = max(b2 * x[t-1], abs(g[t]) + eps)``,
    ``u[t] = -learning_rate * m[t] / (1 - b1**t) / x[t]``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the maximum in each step, in [0, 1).
        eps: in (0, inf); added to the magnitudes.

    Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980, section 7.

    >>> optimizer = adamax(0.1)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([-0.1,  0.1])
    """
    return chain(
        scale_by_adamax(b1=b1, b2=b2, eps=eps, name="adamax"),
        scale_by_learning_rate(learning_rate, name="adamax"),
        name="adamax",
    )


def adamaxw(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
    mask: Mask | None = None,
) -> Optimizer:
    """Adamax with decoupled weight decay: ``u[t] = -learning_rate * (d[t] + weight_decay * p[t])``.

    Here ``-learning_rate * d[t]`` is the update of `adamax`.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the maximum in each step, in [0, 1).
        eps: in (0, inf); added to the magnitudes.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.

    >>> optimizer = adamaxw(0.1, weight_decay=0.5)
    >>> params = np.array([2.0])
    >>> optimizer.update(np.array([3.0]), optimizer.init(params), params)[0].round(6)
    array([-0.2])
    """
    return chain(
        scale_by_adamax(b1=b1, b2=b2, eps=eps, name="adamaxw"),
        add_decayed_weights(weight_decay, mask=mask, name="adamaxw"),
        scale_by_learning_rate(learning_rate, name="adamaxw"),
        name="adamaxw",
    )
