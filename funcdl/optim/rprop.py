"""Rprop: a step size for each weight that grows while its gradient keeps its sign."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, positive
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import zeros
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class ScaleByRpropState(NamedTuple):
    """State of `scale_by_rprop`.

    Attributes:
        step_sizes: the size of the next step of each weight, a tree like the parameters.
        previous: the last steps, 0 where the sign has turned, likewise.
    """

    step_sizes: Tree
    previous: Tree


def scale_by_rprop(
    learning_rate: float,
    *,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
    name: str = "scale_by_rprop",
) -> Optimizer:
    """Replace gradients by Rprop's steps, the equation of `rprop` without the minus sign.

    Args:
        learning_rate: the first step size, in (0, inf).
        eta_minus: what a step size is multiplied by where the sign turns, in (0, 1).
        eta_plus: what it is multiplied by where the sign stays, greater than 1.
        min_step_size: in (0, inf).
        max_step_size: at least ``min_step_size``.
        name: what error messages call it.

    Source: see `rprop`.

    >>> optimizer = scale_by_rprop(0.1)
    >>> updates, state = optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))
    >>> updates, optimizer.update(np.array([1.0, 1.0]), state)[0].round(6)
    (array([ 0.1, -0.1]), array([0.12, 0.  ]))
    """
    learning_rate = positive(name, "the learning rate", learning_rate)
    eta_minus = fraction(name, "eta_minus", positive(name, "eta_minus", eta_minus))
    eta_plus = positive(name, "eta_plus", eta_plus)
    min_step_size = positive(name, "min_step_size", min_step_size)
    max_step_size = positive(name, "max_step_size", max_step_size)
    if isinstance(eta_plus, float) and eta_plus <= 1.0:
        raise ValueError(message(name, "eta_plus", "be greater than 1", eta_plus))

    def step(
        size: Array, previous: Array, grad: Array, less: Array, more: Array, least: Array, most: Array
    ) -> tuple[Array, Array, Array]:
        agreement = grad * previous
        grown = np.minimum(np.maximum(np.where(agreement > 0, size * more, size * less), least), most)
        size = np.where(agreement == 0, size, grown)
        update = np.where(agreement < 0, 0.0, size * np.sign(grad))
        return update, size, update

    def init(params: Tree) -> ScaleByRpropState:
        sizes = tree.map(lambda param: np.full_like(param, learning_rate), params)
        return ScaleByRpropState(sizes, zeros(params))

    def update(grads: Tree, state: ScaleByRpropState, params: Tree = None) -> tuple[Tree, ScaleByRpropState]:
        scalars = (eta_minus, eta_plus, min_step_size, max_step_size)
        updates, sizes, previous = map_and_unzip(
            f"{name}.update", step, 3, state.step_sizes, state.previous, grads, scalars=scalars
        )
        return updates, ScaleByRpropState(sizes, previous)

    return Optimizer(init, update)


def rprop(
    learning_rate: float,
    *,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> Optimizer:
    """Rprop: only the signs of gradients count; for gradients of all examples together.

    ``d[t] = d[t-1] * eta_plus`` where ``g[t]`` and the last step agree in sign, ``d[t-1] * eta_minus`` where
    they do not, kept in [``min_step_size``, ``max_step_size``], and ``d[t-1]`` where one of them is 0;
    ``u[t] = -d[t] * sign(g[t])``, and 0 where they do not agree. As in PyTorch; optax makes each step one
    update later.

    Args:
        learning_rate: the first step size, in (0, inf).
        eta_minus: in (0, 1).
        eta_plus: greater than 1.
        min_step_size: in (0, inf).
        max_step_size: at least ``min_step_size``.

    Source: Riedmiller & Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP
    Algorithm", 1993; the step of 0: Igel & Huesken, 2003, doi:10.1016/S0925-2312(01)00700-7.

    >>> optimizer = rprop(0.1)
    >>> optimizer.update(np.array([3.0, -5.0]), optimizer.init(np.zeros(2)))[0]
    array([-0.1,  0.1])
    """
    steps = scale_by_rprop(
        learning_rate,
        eta_minus=eta_minus,
        eta_plus=eta_plus,
        min_step_size=min_step_size,
        max_step_size=max_step_size,
        name="rprop",
    )
    return chain(steps, scale(-1.0, name="rprop"), name="rprop")
