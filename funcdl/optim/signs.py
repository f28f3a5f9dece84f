"""Steps of equal size in every element: sign descent, and Lion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.hyperparameters import fraction
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.masks import Mask
from funcdl.optim.moments import average, zeros
from funcdl.optim.optimizer import Optimizer, State, chain, no_state
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


def scale_by_sign() -> Optimizer:
    """Keep the sign only: ``u = sign(g)``.

    >>> scale_by_sign().update(np.array([3.0, 0.0, -0.1]), ())[0]
    array([ 1.,  0., -1.])
    """

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        return tree.map(np.sign, grads), state

    return Optimizer(no_state, update)


def sign_sgd(learning_rate: float | Schedule) -> Optimizer:
    """Sign descent: ``u[t] = -learning_rate * sign(g[t])``.

    Args:
        learning_rate: in [0, inf), or a schedule.

    Source: Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", 2018,
    arXiv:1802.04434.

    >>> optimizer = sign_sgd(0.1)
    >>> optimizer.update(np.array([3.0, -0.1]), optimizer.init(np.zeros(2)))[0]
    array([-0.1,  0.1])
    """
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate, name="sign_sgd"), name="sign_sgd")


class ScaleByLionState(NamedTuple):
    """State of `scale_by_lion`.

    Attributes:
        mean: moving average of the gradients, a tree like the parameters.
    """

    mean: Tree


def scale_by_lion(*, b1: float = 0.9, b2: float = 0.99, name: str = "scale_by_lion") -> Optimizer:
    """Replace gradients by Lion's direction, the equation of `lion` without rate and decay.

    Args:
        b1: share of the average in the direction, in [0, 1).
        b2: what is kept of the average in each step, in [0, 1).
        name: what error messages call it.

    Source: see `lion`.

    >>> optimizer = scale_by_lion()
    >>> optimizer.update(np.array([3.0, -0.1]), optimizer.init(np.zeros(2)))[0]
    array([ 1., -1.])
    """
    b1 = fraction(name, "b1", b1)
    b2 = fraction(name, "b2", b2)

    def direction(mean: Array, grad: Array, b1: Array, b2: Array) -> tuple[Array, Array]:
        return np.sign(average(mean, grad, b1)), average(mean, grad, b2)

    def init(params: Tree) -> ScaleByLionState:
        return ScaleByLionState(zeros(params))

    def update(grads: Tree, state: ScaleByLionState, params: Tree = None) -> tuple[Tree, ScaleByLionState]:
        updates, mean = map_and_unzip(f"{name}.update", direction, 2, state.mean, grads, scalars=(b1, b2))
        return updates, ScaleByLionState(mean)

    return Optimizer(init, update)


def lion(
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 1e-3,
    mask: Mask | None = None,
) -> Optimizer:
    """Lion: the sign of a momentum, with decoupled weight decay.

    ``u[t] = -learning_rate * (sign(b1 * m[t-1] + (1 - b1) * g[t]) + weight_decay * p[t])``,
    ``m[t] = b2 * m[t-1] + (1 - b2) * g[t]``.

    Its steps are larger than Adam's, so that it wants a learning rate three to ten times smaller, and a
    weight decay as many times larger.

    Args:
        learning_rate: in [0, inf), or a schedule.
        b1: share of the average in the direction, in [0, 1).
        b2: what is kept of the average in each step, in [0, 1).
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, arXiv:2302.06675.

    >>> optimizer = lion(0.1, weight_decay=0.5)
    >>> params = np.array([2.0, 0.0])
    >>> optimizer.update(np.array([3.0, -0.1]), optimizer.init(params), params)[0]
    array([-0.2,  0.1])
    """
    return chain(
        scale_by_lion(b1=b1, b2=b2, name="lion"),
        add_decayed_weights(weight_decay, mask=mask, name="lion"),
        scale_by_learning_rate(learning_rate, name="lion"),
        name="lion",
    )
