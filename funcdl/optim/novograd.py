"""NovoGrad: momentum of gradients that are divided by the recent norm of their layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.clipping import squared_norm
from funcdl.optim.hyperparameters import fraction, non_negative, positive
from funcdl.optim.leaves import like, matching_leaves
from funcdl.optim.moments import average, zeros
from funcdl.optim.optimizer import Optimizer, chain, increment, require_params
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class ScaleByNovogradState(NamedTuple):
    """State of `scale_by_novograd`.

    Attributes:
        count: number of updates so far, int32, shape ().
        momentum: decaying sum of normalized gradients, a tree like the parameters.
        squared_norm: moving average of each leaf's squared norm, a scalar for each parameter.
    """

    count: Array
    momentum: Tree
    squared_norm: Tree


def scale_by_novograd(
    *,
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
    name: str = "scale_by_novograd",
) -> Optimizer:
    """Replace gradients by NovoGrad's direction, the equation of `novograd` without ``-learning_rate``.

    Args:
        b1: what is kept of the momentum in each step, in [0, 1).
        b2: what is kept of the average of squared norms in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        weight_decay: in [0, inf).
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: see `novograd`.

    >>> optimizer = scale_by_novograd()
    >>> params = np.zeros(2)
    >>> optimizer.update(np.array([3.0, -4.0]), optimizer.init(params), params)[0].round(6)
    array([ 0.6, -0.8])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)
    eps = positive(name, "eps", eps)
    eps_root = non_negative(name, "eps_root", eps_root)
    weight_decay = non_negative(name, "weight_decay", weight_decay)

    def init(params: Tree) -> ScaleByNovogradState:
        norms = tree.map(lambda param: np.zeros_like(param.real, shape=()), params)
        return ScaleByNovogradState(np.int32(0), zeros(params), norms)

    def update(
        grads: Tree, state: ScaleByNovogradState, params: Tree = None
    ) -> tuple[Tree, ScaleByNovogradState]:
        where = f"{name}.update"
        require_params(where, "weight decay", params)
        first = state.count == 0
        columns, structure = matching_leaves(where, params, grads, state.momentum)
        norm_leaves = tree.flatten_up_to(structure, state.squared_norm, where)
        momentum, norms = [], []
        for param, grad, old, norm in zip(*columns, norm_leaves, strict=True):
            square = squared_norm(grad)
            norm = np.where(first, square, average(norm, square, like(b2, norm)))
            normalized = grad / (np.sqrt(norm + like(eps_root, norm)) + like(eps, norm))
            momentum.append(like(b1, param) * old + normalized + like(weight_decay, param) * param)
            norms.append(norm)
        updates = tree.unflatten(structure, momentum)
        return updates, ScaleByNovogradState(
            increment(state.count), updates, tree.unflatten(structure, norms)
        )

    return Optimizer(init, update)


def novograd(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-6,
    eps_root: float = 0.0,
    weight_decay: float = 0.0,
) -> Optimizer:
    """NovoGrad: one second moment for each layer instead of one for each weight.

    ``s[t] = b2 * s[t-1] + (1 - b2) * norm(g[t])**2``, from ``s[1] = norm(g[1])**2``, for each leaf;
    ``m[t] = b1 * m[t-1] + g[t] / (sqrt(s[t] + eps_root) + eps) + weight_decay * p[t]``,
    ``u[t] = -learning_rate * m[t]``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: what is kept of the momentum in each step, in [0, 1).
        b2: what is kept of the average of squared norms in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        eps_root: in [0, inf); added under the root.
        weight_decay: in [0, inf).

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of
    Deep Networks", 2019, arXiv:1905.11286.

    >>> optimizer = novograd(0.1)
    >>> params = np.zeros(2)
    >>> optimizer.update(np.array([3.0, -4.0]), optimizer.init(params), params)[0].round(6)
    array([-0.06,  0.08])
    """
    return chain(
        scale_by_novograd(
            b1=b1, b2=b2, eps=eps, eps_root=eps_root, weight_decay=weight_decay, name="novograd"
        ),
        scale_by_learning_rate(learning_rate, name="novograd"),
        name="novograd",
    )
