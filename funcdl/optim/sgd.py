"""Stochastic gradient descent, and momentum."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, is_zero
from funcdl.optim.leaves import map_and_unzip, map_leaves
from funcdl.optim.optimizer import Optimizer, chain
from funcdl.optim.scaling import scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class TraceState(NamedTuple):
    """State of `trace`.

    Attributes:
        trace: the decaying sum of the gradients so far, a tree like the parameters.
    """

    trace: Tree


def trace(decay: float, *, nesterov: bool = False, name: str = "trace") -> Optimizer:
    """Add up gradients, the older ones less and less: momentum.

    ``v[t] = decay * v[t-1] + g[t]``; the update is ``v[t]``, with Nesterov's look ahead
    ``decay * v[t] + g[t]``.

    Args:
        decay: what is kept of the sum in each step, in [0, 1).
        nesterov: whether to look one step ahead.
        name: what error messages call it.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964,
    doi:10.1016/0041-5553(64)90137-5; Sutskever et al., "On the importance of initialization and momentum
    in deep learning", 2013.

    >>> optimizer = trace(0.5)
    >>> state = optimizer.init({"w": np.zeros(1)})
    >>> updates, state = optimizer.update({"w": np.array([8.0])}, state)
    >>> optimizer.update({"w": np.array([1.0])}, state)[0]
    {'w': array([5.])}
    """
    decay = fraction(name, "the decay", decay)
    where = f"{name}.update"

    def init(params: Tree) -> TraceState:
        return TraceState(tree.map(np.zeros_like, params))

    def update(grads: Tree, state: TraceState, params: Tree = None) -> tuple[Tree, TraceState]:
        if nesterov:
            updates, sums = map_and_unzip(where, _accumulate_ahead, 2, state.trace, grads, scalars=(decay,))
        else:
            updates = sums = map_leaves(where, _accumulate, state.trace, grads, scalars=(decay,))
        return updates, TraceState(sums)

    return Optimizer(init, update)


def sgd(learning_rate: float | Schedule, *, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Stochastic gradient descent.

    ``v[t] = momentum * v[t-1] + g[t]``, ``u[t] = -learning_rate * v[t]``; with Nesterov's momentum
    ``u[t] = -learning_rate * (momentum * v[t] + g[t])``.

    The rate multiplies the accumulated sum, so that a schedule also acts on what has been accumulated
    (as in optax and PyTorch; Sutskever et al. accumulate the steps instead, which is the same for a
    constant rate). For weight decay in its classical form, as an L2 penalty, put `add_decayed_weights`
    in front: ``chain(add_decayed_weights(1e-3), sgd(0.1, momentum=0.9))``.

    Args:
        learning_rate: in [0, inf), or a schedule.
        momentum: in [0, 1); with 0 nothing is accumulated, nor kept in the state.
        nesterov: whether the momentum looks one step ahead; needs a momentum above 0.

    Source: Robbins & Monro, "A Stochastic Approximation Method", 1951, doi:10.1214/aoms/1177729586; for the
    momentum see `trace`.

    >>> from funcdl import optim
    >>> optimizer = optim.sgd(0.1, momentum=0.9)
    >>> params = {"w": np.array([1.0])}
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update({"w": np.array([1.0])}, state, params)
    ...     params = optim.apply_updates(params, updates)
    >>> params
    {'w': array([0.71])}
    """
    step = scale_by_learning_rate(learning_rate, name="sgd")
    return chain(*momentum_if_any("sgd", momentum, nesterov), step, name="sgd")


def momentum_if_any(where: str, momentum: Any, nesterov: bool) -> tuple[Optimizer, ...]:
    """Return `trace`, or nothing where the momentum is 0."""
    momentum = fraction(where, "the momentum", momentum)
    if is_zero(momentum):
        if nesterov:
            raise ValueError(message(where, "the momentum", "be above 0 with nesterov=True", momentum))
        return ()
    return (trace(momentum, nesterov=nesterov, name=where),)


def _accumulate(total: Array, grad: Array, decay: Array) -> Array:
    return decay * total + grad


def _accumulate_ahead(total: Array, grad: Array, decay: Array) -> tuple[Array, Array]:
    total = decay * total + grad
    return decay * total + grad, total
