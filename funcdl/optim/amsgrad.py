"""AMSGrad: Adam whose denominator never shrinks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, non_negative, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


class ScaleByAmsgradState(NamedTuple):
    """State of `scale_by_amsgrad`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the gradients, a tree like the parameters.
        mean_square: moving average of their squares, likewise.
        largest_mean_square: largest of the bias-corrected averages of squares so far, likewise.
    """

    count: Array
    mean: Tree
    mean_square: Tree
    largest_mean_square: Tree


def scale_by_amsgrad(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    name: str = "scale_by_amsgrad",
) -> Optimizer:
    """Replace gradients by AMSGrad's direction, the equation of `amsgrad` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        name: what error messages call it.

    Source: see `amsgrad`.

    >>> optimizer = scale_by_amsgrad()
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)

    def direction(
        mean: Array,
        mean_square: Array,
        largest: Array,
        grad: Array,
        b1: Array,
        b2: Array,
        c1: Array,
        c2: Array,
        eps: Array,
        eps_root: Array,
    ) -> tuple[Array, Array, Array, Array]:
        mean = average(mean, grad, b1)
        mean_square = average(mean_square, squared_magnitude(grad), b2)
        largest = np.maximum(largest, mean_square / c2)
        return mean / c1 / (np.sqrt(largest + eps_root) + eps), mean, mean_square, largest

    def init(params: Tree) -> ScaleByAmsgradState:
        squares = full_of_squares(params, 0.0)
        return ScaleByAmsgradState(np.int32(0), zeros(params), squares, squares)

    def update(
        grads: Tree, state: ScaleByAmsgradState, params: Tree = None
    ) -> tuple[Tree, ScaleByAmsgradState]:
        count = increment(state.count)
        corrections = (bias_correction_at(count, b1), bias_correction_at(count, b2))
        trees = (state.mean, state.mean_square, state.largest_mean_square, grads)
        updates, *moments = map_and_unzip(
            f"{name}.update", direction, 4, *trees, scalars=(b1, b2, *corrections, eps, eps_root)
        )
        return updates, ScaleByAmsgradState(count, *moments)

    return Optimizer(init, update)


def amsgrad(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
) -> Optimizer:
    """AMSGrad: Adam that divides by the largest average of squares so far.

    ``v[t] = max(v[t-1], s[t] / (1 - b2**t))``,
    ``u[t] = -learning_rate * (m[t] / (1 - b1**t)) / (sqrt(v[t] + eps_root) + eps)``, with the averages
    ``m`` and ``s`` of `adam`. The averages are corrected for their bias, as in optax and PyTorch; in the
    paper they are not.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.

    Source: Reddi et al., "On the Convergence of Adam and Beyond", 2018, arXiv:1904.09237.

    >>> optimizer = amsgrad(0.1)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([-0.1,  0.1])
    """
    return chain(
        scale_by_amsgrad(b1=b1, b2=b2, eps=eps, eps_root=eps_root, name="amsgrad"),
        scale_by_learning_rate(learning_rate, name="amsgrad"),
        name="amsgrad",
    )
