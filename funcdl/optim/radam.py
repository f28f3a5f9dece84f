"""RAdam: Adam that steps like momentum until its average of squares can be trusted."""

from __future__ import annotations

import numpy as np

from funcdl.optim.adam import ScaleByAdamState
from funcdl.optim.hyperparameters import fraction, non_negative, positive, unpromoting
from funcdl.optim.leaves import Scalar, map_and_unzip
from funcdl.optim.moments import average, bias_correction_at, full_of_squares, squared_magnitude, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms.tree import Tree
from transforms.types import Array


def scale_by_radam(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
    name: str = "scale_by_radam",
) -> Optimizer:
    """Replace gradients by RAdam's direction, the equation of `radam` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        threshold: from what length of the average on it is divided by; greater than 4.
        name: what error messages call it.

    Source: see `radam`.

    >>> optimizer = scale_by_radam()
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 3., -5.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)
    threshold = positive(name, "threshold", threshold)

    def init(params: Tree) -> ScaleByAdamState:
        return ScaleByAdamState(np.int32(0), zeros(params), full_of_squares(params, 0.0))

    def update(grads: Tree, state: ScaleByAdamState, params: Tree = None) -> tuple[Tree, ScaleByAdamState]:
        count = increment(state.count)
        trusted, rectifier = _rectification(count, b2, threshold)

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
            rectifier: Array,
        ) -> tuple[Array, Array, Array]:
            mean = average(mean, grad, b1)
            mean_square = average(mean_square, squared_magnitude(grad), b2)
            unbiased = mean / c1
            adaptive = rectifier * unbiased / (np.sqrt(mean_square / c2 + eps_root) + eps)
            return np.where(trusted, adaptive, unbiased), mean, mean_square

        corrections = (bias_correction_at(count, b1), bias_correction_at(count, b2))
        updates, mean, mean_square = map_and_unzip(
            f"{name}.update",
            direction,
            3,
            state.mean,
            state.mean_square,
            grads,
            scalars=(b1, b2, *corrections, eps, eps_root, rectifier),
        )
        return updates, ScaleByAdamState(count, mean, mean_square)

    return Optimizer(init, update)


def radam(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    threshold: float = 5.0,
) -> Optimizer:
    """RAdam: Adam with its early variance rectified, which takes the place of a warm-up.

    With ``L = 2 / (1 - b2) - 1`` and the length ``l = L - 2 * t * b2**t / (1 - b2**t)`` of the average:
    ``u[t] = -learning_rate * r * (m[t] / (1 - b1**t)) / (sqrt(s[t] / (1 - b2**t) + eps_root) + eps)``, where
    ``r = sqrt((l - 4) * (l - 2) * L / ((L - 4) * (L - 2) * l))``, if ``l >= threshold``; else
    ``u[t] = -learning_rate * m[t] / (1 - b1**t)``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the average of gradients in each step, in [0, 1).
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        threshold: from what length on the average of squares is divided by; greater than 4.

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020, arXiv:1908.03265.

    >>> optimizer = radam(0.1)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([-0.3,  0.5])
    """
    return chain(
        scale_by_radam(b1=b1, b2=b2, eps=eps, eps_root=eps_root, threshold=threshold, name="radam"),
        scale_by_learning_rate(learning_rate, name="radam"),
        name="radam",
    )


def _rectification(count: Array, b2: Scalar, threshold: Scalar) -> tuple[Array, Scalar]:
    """Return whether the average of squares is long enough, and what to multiply by if it is."""
    limit = 2.0 / (1.0 - b2) - 1.0
    kept = b2 ** unpromoting(count)
    length = limit - 2.0 * unpromoting(count) * kept / (1.0 - kept)
    trusted = length >= threshold
    # The root has no value for a short average, and np.where evaluates both sides.
    enough = np.where(trusted, length, 5.0)
    ratio = (enough - 4.0) * (enough - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * enough)
    return trusted, unpromoting(np.sqrt(np.where(trusted, ratio, 1.0)))
