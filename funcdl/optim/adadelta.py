"""Adadelta: the ratio of the recent sizes of steps and gradients takes the place of a learning rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.hyperparameters import fraction, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, full_of_squares, squared_magnitude
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


class ScaleByAdadeltaState(NamedTuple):
    """State of `scale_by_adadelta`.

    Attributes:
        mean_square: moving average of the squared gradients, a tree like the parameters.
        mean_square_step: moving average of the squared steps, likewise.
    """

    mean_square: Tree
    mean_square_step: Tree


def scale_by_adadelta(*, rho: float = 0.9, eps: float = 1e-6, name: str = "scale_by_adadelta") -> Optimizer:
    """Scale gradients to the size of recent steps, the equation of `adadelta` without ``-learning_rate``.

    Args:
        rho: what is kept of both averages in each step, in [0, 1).
        eps: in (0, inf); added under both roots.
        name: what error messages call it.

    Source: see `adadelta`.

    >>> optimizer = scale_by_adadelta(rho=0.0, eps=1.0)
    >>> updates, state = optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)))
    >>> (10 * updates**2).round(6), (10 * state.mean_square_step).round(6)
    (array([9.]), array([9.]))
    """
    rho = fraction(name, "rho", rho)
    eps = positive(name, "eps", eps)

    def step(
        mean_square: Array, mean_square_step: Array, grad: Array, rho: Array, eps: Array
    ) -> tuple[Array, Array, Array]:
        mean_square = average(mean_square, squared_magnitude(grad), rho)
        update = grad * (np.sqrt(mean_square_step + eps) / np.sqrt(mean_square + eps))
        return update, mean_square, average(mean_square_step, squared_magnitude(update), rho)

    def init(params: Tree) -> ScaleByAdadeltaState:
        return ScaleByAdadeltaState(full_of_squares(params, 0.0), full_of_squares(params, 0.0))

    def update(
        grads: Tree, state: ScaleByAdadeltaState, params: Tree = None
    ) -> tuple[Tree, ScaleByAdadeltaState]:
        updates, *averages = map_and_unzip(
            f"{name}.update", step, 3, state.mean_square, state.mean_square_step, grads, scalars=(rho, eps)
        )
        return updates, ScaleByAdadeltaState(*averages)

    return Optimizer(init, update)


def adadelta(
    learning_rate: float | Schedule = 1.0,
    *,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
) -> Optimizer:
    """Adadelta: gradients in the units of the parameters, without a rate to tune.

    ``s[t] = rho * s[t-1] + (1 - rho) * g[t]**2``, ``d[t] = g[t] * sqrt(x[t-1] + eps) / sqrt(s[t] + eps)``,
    ``x[t] = rho * x[t-1] + (1 - rho) * d[t]**2``, ``u[t] = -learning_rate * d[t]``.

    Args:
        learning_rate: in [0, inf), or a schedule; the paper's is 1.
        rho: what is kept of both averages in each step, in [0, 1).
        eps: in (0, inf); added under both roots.
        weight_decay: of an L2 penalty whose gradient is added first, in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, arXiv:1212.5701.

    >>> optimizer = adadelta(rho=0.0, eps=1.0)
    >>> updates, _ = optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)), np.zeros(1))
    >>> (10 * updates**2).round(6)
    array([9.])
    """
    return chain(
        add_decayed_weights(weight_decay, mask=mask, name="adadelta"),
        scale_by_adadelta(rho=rho, eps=eps, name="adadelta"),
        scale_by_learning_rate(learning_rate, name="adadelta"),
        name="adadelta",
    )
