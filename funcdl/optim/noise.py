"""Noise on gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl import random
from funcdl.optim.hyperparameters import non_negative, unpromoting
from funcdl.optim.leaves import like
from funcdl.optim.optimizer import Optimizer, chain, increment
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class AddNoiseState(NamedTuple):
    """State of `add_noise`.

    Attributes:
        count: number of updates so far, int32, shape ().
        key: the random key of the next update, uint32, shape (2,).
    """

    count: Array
    key: Array


def add_noise(eta: float, gamma: float, key: Array, *, name: str = "add_noise") -> Optimizer:
    """Add normal noise that fades: ``u[t] = g[t] + n[t]``, with the variance ``eta / t**gamma``.

    Args:
        eta: the variance at the first step, in [0, inf).
        gamma: how fast it fades, in [0, inf).
        key: a random key, uint32, shape (2,).
        name: what error messages call it.

    Source: Neelakantan et al., "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015,
    arXiv:1511.06807.

    >>> optimizer = add_noise(0.01, 0.55, random.key(0))
    >>> state = optimizer.init(np.zeros(3))
    >>> updates, state = optimizer.update(np.zeros(3), state)
    >>> bool(np.all(np.abs(updates) < 0.5)), int(state.count)
    (True, 1)
    """
    eta = non_negative(name, "eta", eta)
    gamma = non_negative(name, "gamma", gamma)

    def init(params: Tree) -> AddNoiseState:
        return AddNoiseState(np.int32(0), key)

    def update(grads: Tree, state: AddNoiseState, params: Tree = None) -> tuple[Tree, AddNoiseState]:
        count = increment(state.count)
        deviation = (eta / unpromoting(count) ** gamma) ** 0.5
        leaves, structure = tree.flatten(grads)
        next_key, draw_key = random.split(state.key)
        keys = random.split(draw_key, max(len(leaves), 1))
        noisy = [
            grad + like(deviation, grad) * random.normal(keys[i], grad.shape, grad.dtype)
            for i, grad in enumerate(leaves)
        ]
        return tree.unflatten(structure, noisy), AddNoiseState(count, next_key)

    return Optimizer(init, update)


def noisy_sgd(
    learning_rate: float | Schedule, key: Array, *, eta: float = 0.01, gamma: float = 0.55
) -> Optimizer:
    """Gradient descent with noise that fades: ``u[t] = -learning_rate * (g[t] + n[t])``.

    Here ``n[t]`` is normal with the variance ``eta / t**gamma``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        key: a random key, uint32, shape (2,).
        eta: the variance at the first step, in [0, inf).
        gamma: how fast it fades, in [0, inf).

    Source: Neelakantan et al., 2015, arXiv:1511.06807.

    >>> optimizer = noisy_sgd(0.1, random.key(0), eta=0.0)
    >>> optimizer.update(np.ones(2), optimizer.init(np.zeros(2)))[0]
    array([-0.1, -0.1])
    """
    return chain(
        add_noise(eta, gamma, key, name="noisy_sgd"),
        scale_by_learning_rate(learning_rate, name="noisy_sgd"),
        name="noisy_sgd",
    )
