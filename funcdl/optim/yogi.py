"""Yogi: Adam whose average of squares moves by a bounded amount."""

from __future__ import annotations

import numpy as np

from funcdl.optim.adam import ScaleByAdamState
from funcdl.optim.hyperparameters import fraction, non_negative, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


def scale_by_yogi(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-3,
    eps_root: float = 0.0,
    initial_accumulator_value: float = 1e-6,
    name: str = "scale_by_yogi",
) -> Optimizer:
    """Replace gradients by Yogi's direction, the equation of `yogi` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        initial_accumulator_value: both averages before the first step, in [0, inf).
        name: what error messages call it.

    Source: see `yogi`.

    >>> optimizer = scale_by_yogi(eps=1e-8, initial_accumulator_value=0.0)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)
    start = non_negative(name, "initial_accumulator_value", initial_accumulator_value)

    def direction(
        mean: Array,
        mean_square: Array,
        grad: Array,
        b1: Array,
        b2: Array,
        c1: Array,
        c2: Array,
        eps: Array,
        eps_root: Array,
    ) -> tuple[Array, Array, Array]:
        mean = average(mean, grad, b1)
        square = squared_magnitude(grad)
        mean_square = mean_square - (1.0 - b2) * np.sign(mean_square - square) * square
        return mean / c1 / (np.sqrt(mean_square / c2 + eps_root) + eps), mean, mean_square

    def init(params: Tree) -> ScaleByAdamState:
        means = tree.map(lambda param: np.full_like(param, start), params)
        return ScaleByAdamState(np.int32(0), means, full_of_squares(params, start))

    def update(grads: Tree, state: ScaleByAdamState, params: Tree = None) -> tuple[Tree, ScaleByAdamState]:
        count = increment(state.count)
        corrections = (bias_correction_at(count, b1), bias_correction_at(count, b2))
        updates, *moments = map_and_unzip(
            f"{name}.update",
            direction,
            3,
            state.mean,
            state.mean_square,
            grads,
            scalars=(b1, b2, *corrections, eps, eps_root),
        )
        return updates, ScaleByAdamState(count, *moments)

    return Optimizer(init, update)


def yogi(
    learning_rate: float | Schedule, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-3
) -> Optimizer:
    """Yogi: Adam that forgets large gradients slowly, so that its steps do not grow at once.

    ``s[t] = s[t-1] - (1 - b2) * sign(s[t-1] - g[t]**2) * g[t]**2``, from ``s[0] = m[0] = 1e-6``,
    ``u[t] = -learning_rate * (m[t] / (1 - b1**t)) / (sqrt(s[t] / (1 - b2**t)) + eps)``, with the average
    ``m`` of `adam`.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.

    Source: Zaheer et al., "Adaptive Methods for Nonconvex Optimization", 2018.

    >>> optimizer = yogi(0.1, b2=0.0)
    >>> optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)))[0].round(4)
    array([-0.1])
    """
    return chain(
        scale_by_yogi(b1=b1, b2=b2, eps=eps, name="yogi"),
        scale_by_learning_rate(learning_rate, name="yogi"),
        name="yogi",
    )
