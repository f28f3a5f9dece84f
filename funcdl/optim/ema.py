"""Moving averages of updates, and of the parameters themselves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction
from funcdl.optim.leaves import map_and_unzip, map_leaves
from funcdl.optim.moments import average, bias_correction_at, zeros
from funcdl.optim.optimizer import Optimizer, apply_updates, increment, require_params
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


class EmaState(NamedTuple):
    """State of `ema`.

    Attributes:
        count: number of updates so far, int32, shape ().
        mean: moving average of the updates, a tree like the parameters.
    """

    count: Array
    mean: Tree


def ema(decay: float, *, debias: bool = True, name: str = "ema") -> Optimizer:
    """Replace updates by their moving average: ``m[t] = decay * m[t-1] + (1 - decay) * g[t]``.

    Args:
        decay: what is kept of the average in each step, in [0, 1).
        debias: whether it is divided by ``1 - decay**t``, which takes out the share of the initial zeros.
        name: what error messages call it.

    >>> optimizer = ema(0.5, debias=False)
    >>> optimizer.update(np.array([3.0]), optimizer.init(np.zeros(1)))[0]
    array([1.5])
    """
    decay = fraction(name, "the decay", decay)

    def step(mean: Array, grad: Array, decay: Array, correction: Array) -> tuple[Array, Array]:
        mean = average(mean, grad, decay)
        return mean / correction if debias else mean, mean

    def init(params: Tree) -> EmaState:
        return EmaState(np.int32(0), zeros(params))

    def update(grads: Tree, state: EmaState, params: Tree = None) -> tuple[Tree, EmaState]:
        count = increment(state.count)
        scalars = (decay, bias_correction_at(count, decay))
        updates, mean = map_and_unzip(f"{name}.update", step, 2, state.mean, grads, scalars=scalars)
        return updates, EmaState(count, mean)

    return Optimizer(init, update)


class AverageParamsState(NamedTuple):
    """State of `average_params`.

    Attributes:
        count: number of updates so far, int32, shape ().
        average: the moving average of the parameters, without the share of its start; a tree like them.
    """

    count: Array
    average: Tree


def average_params(decay: float, *, name: str = "average_params") -> Optimizer:
    """Keep a moving average of the parameters; updates pass unchanged.

    ``a[t]`` is the average of ``p[1], ..., p[t]`` with weights in proportion to ``decay**(t - i)``, so that
    it has no share of where the parameters started.

    It must be the last of a `chain`: the next parameters are the given ones plus the updates that reach it.
    `find_state` takes it out: ``find_state(state, AverageParamsState).average``.

    Args:
        decay: in [0, 1).
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
    doi:10.1137/0330046.

    >>> from funcdl import optim
    >>> optimizer = optim.chain(optim.sgd(1.0), optim.average_params(0.5))
    >>> params = np.array([8.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(np.array([3.0]), state, params)
    ...     params = optim.apply_updates(params, updates)
    >>> params, optim.find_state(state, optim.AverageParamsState).average
    (array([2.]), array([3.]))
    """
    decay = fraction(name, "the decay", decay)

    def init(params: Tree) -> AverageParamsState:
        # The average before the first step weighs nothing.
        return AverageParamsState(np.int32(0), tree.map(np.copy, params))

    def update(
        grads: Tree, state: AverageParamsState, params: Tree = None
    ) -> tuple[Tree, AverageParamsState]:
        require_params(f"{name}.update", "their average", params)
        count = increment(state.count)
        weight = (1.0 - decay) / bias_correction_at(count, decay)
        new = map_leaves(
            f"{name}.update",
            lambda old, param, weight: old + weight * (param - old),
            state.average,
            apply_updates(params, grads),
            scalars=(weight,),
        )
        return grads, AverageParamsState(count, new)

    return Optimizer(init, update)
