"""SM3: Adagrad in the memory of the axes' lengths instead of their product."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, positive
from funcdl.optim.leaves import like, matching_leaves
from funcdl.optim.moments import average, inverse_root, zeros
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class ScaleBySM3State(NamedTuple):
    """State of `scale_by_sm3`.

    Attributes:
        accumulators: for each parameter a tuple of vectors, one for each of its axes; of one scalar for a
            parameter without axes.
        momentum: moving average of the updates, a tree like the parameters.
    """

    accumulators: Tree
    momentum: Tree


def scale_by_sm3(*, b1: float = 0.9, eps: float = 1e-8, name: str = "scale_by_sm3") -> Optimizer:
    """Replace gradients by SM3's direction, the equation of `sm3` without ``-learning_rate``.

    Args:
        b1: what is kept of the average of updates in each step, in [0, 1).
        eps: in (0, inf); added under the root.
        name: what error messages call it.

    Source: see `sm3`.

    >>> optimizer = scale_by_sm3(b1=0.0)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    eps = positive(name, "eps", eps)

    def init(params: Tree) -> ScaleBySM3State:
        accumulators = tree.map(lambda param: _bounds(np.zeros_like(param)), params)
        return ScaleBySM3State(accumulators, zeros(params))

    def update(grads: Tree, state: ScaleBySM3State, params: Tree = None) -> tuple[Tree, ScaleBySM3State]:
        where = f"{name}.update"
        (momentum_leaves, grad_leaves), structure = matching_leaves(where, state.momentum, grads)
        accumulators, momentum = [], []
        for old, grad, vectors in zip(
            momentum_leaves,
            grad_leaves,
            tree.flatten_up_to(structure, state.accumulators, where),
            strict=True,
        ):
            total = grad * grad + _least(vectors, grad)
            accumulators.append(_bounds(total))
            momentum.append(average(old, grad * inverse_root(total, like(eps, grad)), like(b1, grad)))
        updates = tree.unflatten(structure, momentum)
        return updates, ScaleBySM3State(tree.unflatten(structure, accumulators), updates)

    return Optimizer(init, update)


def sm3(learning_rate: float | Schedule, *, momentum: float = 0.9) -> Optimizer:
    """SM3: each weight's sum of squares is bounded by what its row, its column, ... have seen.

    ``s[t] = min(a[t-1] over the axes) + g[t]**2``, ``a[t]`` of an axis is the maximum of ``s[t]`` over all
    others, ``m[t] = momentum * m[t-1] + (1 - momentum) * g[t] / sqrt(s[t] + 1e-8)``,
    ``u[t] = -learning_rate * m[t]``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        momentum: in [0, 1).

    Source: Anil et al., "Memory-Efficient Adaptive Optimization", 2019, arXiv:1901.11150 (SM3-II).

    >>> optimizer = sm3(0.1, momentum=0.0)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0].round(6)
    array([-0.1,  0.1])
    """
    return chain(
        scale_by_sm3(b1=momentum, name="sm3"), scale_by_learning_rate(learning_rate, name="sm3"), name="sm3"
    )


def _least(vectors: tuple[Array, ...], grad: Array) -> Array:
    """Return the least of the axes' bounds for each weight."""
    axes = range(max(grad.ndim, 1))
    shapes = [tuple(n if i == axis else 1 for i, n in enumerate(grad.shape)) for axis in axes]
    return functools.reduce(np.minimum, map(np.reshape, vectors, shapes))


def _bounds(total: Array) -> tuple[Array, ...]:
    """Return the largest sum along each axis."""
    axes = range(total.ndim)
    along = [np.max(total, axis=tuple(other for other in axes if other != axis)) for axis in axes]
    return tuple(along) or (total,)
