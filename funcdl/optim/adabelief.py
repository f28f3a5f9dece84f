"""AdaBelief: Adam that divides by how far gradients stray from their average."""

from __future__ import annotations

import numpy as np

from funcdl.optim.adam import ScaleByAdamState
from funcdl.optim.hyperparameters import fraction, non_negative, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


def scale_by_belief(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    nesterov: bool = False,
    name: str = "scale_by_belief",
) -> Optimizer:
    """Replace gradients by AdaBelief's direction, the equation of `adabelief` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squared deviations in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added to the average in each step.
        nesterov: whether the average of gradients looks one step ahead.
        name: what error messages call it.

    Source: see `adabelief`.

    >>> optimizer = scale_by_belief(b1=0.5)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 2., -2.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)

    def direction(
        mean: Array,
        deviation: Array,
        grad: Array,
        b1: Array,
        b2: Array,
        mean_weight: Array,
        grad_weight: Array,
        c2: Array,
        eps: Array,
        eps_root: Array,
    ) -> tuple[Array, Array, Array]:
        mean = average(mean, grad, b1)
        deviation = average(deviation, squared_magnitude(grad - mean), b2) + eps_root
        ascent = mean * mean_weight + grad * grad_weight if nesterov else mean * mean_weight
        return ascent / (np.sqrt(deviation / c2) + eps), mean, deviation

    def init(params: Tree) -> ScaleByAdamState:
        return ScaleByAdamState(np.int32(0), zeros(params), full_of_squares(params, 0.0))

    def update(grads: Tree, state: ScaleByAdamState, params: Tree = None) -> tuple[Tree, ScaleByAdamState]:
        count = increment(state.count)
        c1 = bias_correction_at(count, b1)
        mean_weight = b1 / bias_correction_at(increment(count), b1) if nesterov else 1.0 / c1
        weights = (mean_weight, (1.0 - b1) / c1, bias_correction_at(count, b2))
        updates, *moments = map_and_unzip(
            f"{name}.update",
            direction,
            3,
            state.mean,
            state.mean_square,
            grads,
            scalars=(b1, b2, *weights, eps, eps_root),
        )
        return updates, ScaleByAdamState(count, *moments)

    return Optimizer(init, update)


def adabelief(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    nesterov: bool = False,
) -> Optimizer:
    """AdaBelief: large steps where gradients are as their average predicts, small ones where they are not.

    ``m[t] = b1 * m[t-1] + (1 - b1) * g[t]``, ``s[t] = b2 * s[t-1] + (1 - b2) * (g[t] - m[t])**2 + eps_root``,
    ``u[t] = -learning_rate * (m[t] / (1 - b1**t)) / (sqrt(s[t] / (1 - b2**t)) + eps)``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squared deviations in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added to the average in each step.
        nesterov: whether the average of gradients looks one step ahead.

    Source: Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
    2020, arXiv:2010.07468.

    >>> optimizer = adabelief(0.1, b1=0.5)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([-0.2,  0.2])
    """
    return chain(
        scale_by_belief(b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov, name="adabelief"),
        scale_by_learning_rate(learning_rate, name="adabelief"),
        name="adabelief",
    )
