"""Sharpness-aware minimization: gradients taken where the loss nearby is worst."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.clipping import global_norm
from funcdl.optim.hyperparameters import steps, unpromoting
from funcdl.optim.leaves import like, map_leaves
from funcdl.optim.moments import select
from funcdl.optim.optimizer import Optimizer, State, chain, no_state, require_params
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class SAMState(NamedTuple):
    """State of `sam`.

    Attributes:
        count: number of updates since the last step of descent, int32, shape ().
        center: the parameters at the last step of descent, a tree like the parameters.
        inner: the state of the optimizer that descends.
        adversary: the state of the optimizer that climbs.
    """

    count: Array
    center: Tree
    inner: State
    adversary: State


def normalize() -> Optimizer:
    """Divide all updates by their norm together: ``u = g / global_norm(grads)``; gradients of 0 stay 0.

    >>> normalize().update({"w": np.array([3.0]), "b": np.array([4.0])}, ())[0]
    {'w': array([0.6]), 'b': array([0.8])}
    """

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        norm = global_norm(grads)
        divisor = unpromoting(np.where(norm > 0, norm, 1.0))
        return tree.map(lambda grad: grad / like(divisor, grad), grads), state

    return Optimizer(no_state, update)


def sam(
    inner: Optimizer,
    *,
    rho: float | Schedule = 0.05,
    adversary: Optimizer | None = None,
    sync_period: int = 2,
    reset_state: bool = True,
    name: str = "sam",
) -> Optimizer:
    """Sharpness-aware minimization: descend by the gradient at the worst point within ``rho``.

    Of each ``sync_period`` updates the first ones climb, by ``rho * g / norm(g)``, from a center ``c``; the
    last returns to the center and makes the inner optimizer's step there, with the gradient found above:
    ``u = c - p + inner(g)``. So one step of descent takes two gradients (or more), of the same batch where
    the paper is to be followed. Evaluate a model at ``find_state(state, SAMState).center``, or after a
    multiple of ``sync_period`` updates.

    Args:
        inner: the optimizer that descends.
        rho: radius of the neighbourhood, in [0, inf), or a schedule.
        adversary: another optimizer that climbs, with minus its updates; then ``rho`` is not used.
        sync_period: number of updates from one step of descent to the next, at least 1.
        reset_state: whether the adversary's state starts anew after each step of descent.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", 2021,
    arXiv:2010.01412.

    >>> from funcdl import optim
    >>> optimizer = optim.sam(optim.sgd(0.1), rho=1.0)
    >>> params = np.array([2.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(params, state, params)  # of the loss p**2 / 2
    ...     params = optim.apply_updates(params, updates)
    ...     print(params)
    [3.]
    [1.7]
    """
    sync_period = steps(name, "sync_period", sync_period, least=1)
    if adversary is None:
        adversary = chain(normalize(), scale_by_learning_rate(rho, name=name), name=name)
    climber = adversary

    def init(params: Tree) -> SAMState:
        center = tree.map(np.copy, params)
        return SAMState(np.int32(0), center, inner.init(params), climber.init(params))

    def update(grads: Tree, state: SAMState, params: Tree = None) -> tuple[Tree, SAMState]:
        where = f"{name}.update"
        require_params(where, "the way back", params)
        first, last = state.count == 0, state.count == sync_period - 1
        center = select(first, params, state.center)
        down, climb_state = climber.update(grads, state.adversary, params)
        step, inner_state = inner.update(grads, state.inner, center)
        updates = map_leaves(
            where,
            lambda param, middle, down, step: np.where(last, middle - param + step, -down),
            params,
            center,
            down,
            step,
        )
        after_descent = climber.init(params) if reset_state else state.adversary
        return updates, SAMState(
            np.where(last, 0, state.count + 1).astype(np.int32),
            center,
            select(last, inner_state, state.inner),
            select(last, after_descent, climb_state),
        )

    return Optimizer(init, update)
