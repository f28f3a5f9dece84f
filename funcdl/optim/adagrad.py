"""Adagrad: gradients divided by the root of the sum of all their squares."""

from __future__ import annotations

from typing import NamedTuple

from funcdl.optim.hyperparameters import non_negative, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import full_of_squares, inverse_root, squared_magnitude
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


class ScaleByRssState(NamedTuple):
    """State of `scale_by_rss`.

    Attributes:
        sum_of_squares: sum of the squared gradients, a tree like the parameters.
    """

    sum_of_squares: Tree


def scale_by_rss(
    *, initial_accumulator_value: float = 0.1, eps: float = 1e-7, name: str = "scale_by_rss"
) -> Optimizer:
    """Divide gradients by the root of the sum of their squares, the equation of `adagrad`.

    Args:
        initial_accumulator_value: the sum before the first step, in [0, inf).
        eps: in (0, inf); added under the root.
        name: what error messages call it.

    Source: see `adagrad`.

    >>> import numpy as np
    >>> optimizer = scale_by_rss(initial_accumulator_value=16.0, eps=1e-12)
    >>> optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)))[0].round(6)
    array([0.6])
    """
    initial_accumulator_value = non_negative(name, "initial_accumulator_value", initial_accumulator_value)
    eps = positive(name, "eps", eps)

    def divide(total: Array, grad: Array, eps: Array) -> tuple[Array, Array]:
        total = total + squared_magnitude(grad)
        return grad * inverse_root(total, eps), total

    def init(params: Tree) -> ScaleByRssState:
        return ScaleByRssState(full_of_squares(params, initial_accumulator_value))

    def update(grads: Tree, state: ScaleByRssState, params: Tree = None) -> tuple[Tree, ScaleByRssState]:
        updates, totals = map_and_unzip(
            f"{name}.update", divide, 2, state.sum_of_squares, grads, scalars=(eps,)
        )
        return updates, ScaleByRssState(totals)

    return Optimizer(init, update)


def adagrad(
    learning_rate: float | Schedule, *, initial_accumulator_value: float = 0.1, eps: float = 1e-7
) -> Optimizer:
    """Adagrad: divide gradients by the root of the sum of all their squares.

    ``s[t] = s[t-1] + g[t]**2``, ``u[t] = -learning_rate * g[t] / sqrt(s[t] + eps)``; 0 where
    ``s[t]`` is 0.

    The defaults are optax's and TensorFlow's; PyTorch starts at 0 and adds ``eps`` to the root.

    Args:
        learning_rate: in [0, inf), or a schedule.
        initial_accumulator_value: the sum before the first step, in [0, inf).
        eps: in (0, inf); added under the root.

    Source: Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", 2011.

    >>> import numpy as np
    >>> optimizer = adagrad(0.5, initial_accumulator_value=0.0)
    >>> updates, _ = optimizer.update({"w": np.array([3.0])}, optimizer.init({"w": np.zeros(1)}))
    >>> updates["w"].round(6)
    array([-0.5])
    """
    scale_by = scale_by_rss(initial_accumulator_value=initial_accumulator_value, eps=eps, name="adagrad")
    return chain(scale_by, scale_by_learning_rate(learning_rate, name="adagrad"), name="adagrad")
