"""Lookahead: slow parameters that follow, now and then, where fast ones have gone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, steps
from funcdl.optim.leaves import map_and_unzip
from funcdl.optim.moments import select
from funcdl.optim.optimizer import Optimizer, State, require_params
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class LookaheadState(NamedTuple):
    """State of `lookahead`.

    Attributes:
        count: number of updates since the last synchronization, int32, shape ().
        slow: the slow parameters, a tree like the parameters.
        inner: the state of the inner optimizer.
    """

    count: Array
    slow: Tree
    inner: State


def lookahead(
    inner: Optimizer,
    *,
    sync_period: int = 5,
    slow_step_size: float = 0.5,
    reset_state: bool = False,
    name: str = "lookahead",
) -> Optimizer:
    """Lookahead: every few steps, go back to a point on the way from where the last few steps started.

    The parameters ``p`` follow the inner optimizer; every ``sync_period`` steps
    ``s = s + slow_step_size * (p - s)``, then ``p = s``. Evaluate a model at ``s``, which is
    ``find_state(state, LookaheadState).slow``.

    Args:
        inner: the optimizer of the fast parameters.
        sync_period: at least 1.
        slow_step_size: in [0, 1).
        reset_state: whether the inner state starts anew at every synchronization.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019, arXiv:1907.08610.

    >>> from funcdl import optim
    >>> optimizer = optim.lookahead(optim.sgd(1.0), sync_period=2)
    >>> params = np.array([8.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(np.array([1.0]), state, params)
    ...     params = optim.apply_updates(params, updates)
    >>> params
    array([7.])
    """
    sync_period = steps(name, "sync_period", sync_period, least=1)
    slow_step_size = fraction(name, "slow_step_size", slow_step_size)

    def init(params: Tree) -> LookaheadState:
        return LookaheadState(np.int32(0), tree.map(np.copy, params), inner.init(params))

    def update(grads: Tree, state: LookaheadState, params: Tree = None) -> tuple[Tree, LookaheadState]:
        where = f"{name}.update"
        require_params(where, "the slow ones", params)
        updates, inner_state = inner.update(grads, state.inner, params)
        count = state.count + 1
        due = count == sync_period

        def synchronize(slow: Array, param: Array, update: Array, rate: Array) -> tuple[Array, Array]:
            moved = slow + rate * (param + update - slow)
            return np.where(due, moved - param, update), np.where(due, moved, slow)

        updates, slow = map_and_unzip(
            where, synchronize, 2, state.slow, params, updates, scalars=(slow_step_size,)
        )
        if reset_state:
            inner_state = select(due, inner.init(params), inner_state)
        return updates, LookaheadState(np.where(due, 0, count).astype(np.int32), slow, inner_state)

    return Optimizer(init, update)
