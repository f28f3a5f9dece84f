"""Schedule-free optimization: an average of the iterates takes the place of a schedule."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.decay import add_decayed_weights
from funcdl.optim.hyperparameters import non_negative, positive, unpromoting
from funcdl.optim.leaves import like, map_and_unzip, map_leaves
from funcdl.optim.masks import Mask
from funcdl.optim.optimizer import Optimizer, State, chain, increment, require_params
from funcdl.optim.rmsprop import scale_by_rms
from funcdl.optim.scaling import as_schedule, scale_by_learning_rate
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class ScheduleFreeState(NamedTuple):
    """State of `schedule_free`.

    Attributes:
        count: number of updates so far, int32, shape ().
        weight_sum: sum of the weights in the average, float32, shape ().
        largest_rate: largest learning rate so far, float32, shape ().
        iterates: the inner optimizer's parameters ``z``, a tree like the parameters.
        inner: the state of the inner optimizer.
    """

    count: Array
    weight_sum: Array
    largest_rate: Array
    iterates: Tree
    inner: State


def schedule_free(
    inner: Optimizer,
    learning_rate: float | Schedule,
    *,
    b1: float = 0.9,
    weight_power: float = 2.0,
    name: str = "schedule_free",
) -> Optimizer:
    """Take gradients between an optimizer's iterates and their average.

    ``z[t] = z[t-1] + inner(g[t])``, ``x[t] = (1 - c[t]) * x[t-1] + c[t] * z[t]``,
    ``p[t] = b1 * x[t] + (1 - b1) * z[t]``, with ``c[t] = w[t] / sum(w[1], ..., w[t])`` and
    ``w[t] = max(rate[1], ..., rate[t]) ** weight_power``. The gradients are those at ``p``; evaluate a model
    at ``x``, which is `schedule_free_eval_params`.

    Args:
        inner: the optimizer of the iterates; without momentum, which the average takes the place of.
        learning_rate: that of ``inner``, for the weights in the average; in [0, inf), or a schedule.
        b1: how near to the average gradients are taken, in (0, 1].
        weight_power: in [0, inf).
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Defazio et al., "The Road Less Scheduled", 2024, arXiv:2405.15682.

    >>> from funcdl import optim
    >>> optimizer = optim.schedule_free(optim.sgd(1.0), 1.0, b1=0.5)
    >>> params = np.array([8.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(np.array([2.0]), state, params)
    ...     params = optim.apply_updates(params, updates)
    >>> params, optim.schedule_free_eval_params(state, params, b1=0.5)
    (array([4.5]), array([5.]))
    """
    rate_at = as_schedule(name, learning_rate)
    b1 = _share(name, b1)
    weight_power = non_negative(name, "weight_power", weight_power)

    def init(params: Tree) -> ScheduleFreeState:
        iterates = tree.map(np.copy, params)
        return ScheduleFreeState(np.int32(0), np.float32(0), np.float32(0), iterates, inner.init(params))

    def update(grads: Tree, state: ScheduleFreeState, params: Tree = None) -> tuple[Tree, ScheduleFreeState]:
        where = f"{name}.update"
        require_params(where, "their average", params)
        count = increment(state.count)
        rate = like(unpromoting(rate_at(count)), state.largest_rate)
        largest = np.maximum(state.largest_rate, rate)
        weight = largest ** like(weight_power, state.largest_rate)
        total = state.weight_sum + weight
        # At a rate of 0, as warm-ups start with, nothing has a weight yet.
        share = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 0.0)

        def step(iterate: Array, param: Array, update: Array, share: Array, b1: Array) -> tuple[Array, Array]:
            average = (param - (1.0 - b1) * iterate) / b1
            iterate = iterate + update
            average = (1.0 - share) * average + share * iterate
            return b1 * average + (1.0 - b1) * iterate - param, iterate

        steps, inner_state = inner.update(grads, state.inner, params)
        updates, iterates = map_and_unzip(
            where, step, 2, state.iterates, params, steps, scalars=(unpromoting(share), b1)
        )
        return updates, ScheduleFreeState(count, total, largest, iterates, inner_state)

    return Optimizer(init, update)


def schedule_free_eval_params(state: ScheduleFreeState, params: Tree, *, b1: float = 0.9) -> Tree:
    """Return the parameters at which to evaluate a model: ``x = (p - (1 - b1) * z) / b1``.

    Args:
        state: of `schedule_free`; `find_state` finds it in that of a `chain`.
        params: the parameters ``p`` of the training.
        b1: as in `schedule_free`.

    >>> from funcdl import optim
    >>> optimizer = optim.schedule_free_sgd(0.1)
    >>> params = np.array([8.0])
    >>> schedule_free_eval_params(optimizer.init(params), params)
    array([8.])
    """
    where = "schedule_free_eval_params"
    return map_leaves(
        where,
        lambda param, iterate, b1: (param - (1.0 - b1) * iterate) / b1,
        params,
        state.iterates,
        scalars=(_share(where, b1),),
    )


def schedule_free_sgd(
    learning_rate: float | Schedule = 1.0, *, b1: float = 0.9, weight_power: float = 2.0
) -> Optimizer:
    """Schedule-free gradient descent: `schedule_free` around ``sgd(learning_rate)``.

    Args:
        learning_rate: in [0, inf), or a schedule, such as a warm-up.
        b1: how near to the average gradients are taken, in (0, 1].
        weight_power: in [0, inf).

    Source: see `schedule_free`.

    >>> optimizer = schedule_free_sgd(0.5)
    >>> params = np.array([8.0])
    >>> optimizer.update(np.array([2.0]), optimizer.init(params), params)[0].round(6)
    array([-1.])
    """
    descent = scale_by_learning_rate(learning_rate, name="schedule_free_sgd")
    return schedule_free(descent, learning_rate, b1=b1, weight_power=weight_power, name="schedule_free_sgd")


def schedule_free_adamw(
    learning_rate: float | Schedule = 0.0025,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    mask: Mask | None = None,
    weight_power: float = 2.0,
) -> Optimizer:
    """Schedule-free AdamW: `schedule_free` around `adamw` without its average of gradients.

    Args:
        learning_rate: in [0, inf), or a schedule, such as a warm-up.
        b1: how near to the average gradients are taken, in (0, 1].
        b2: what is kept of the average of squares in each step, in [0, 1).
        eps: in (0, inf); added to the root.
        weight_decay: in [0, inf).
        mask: which parameters decay, as in `add_decayed_weights`; without it, all do.
        weight_power: in [0, inf).

    Source: see `schedule_free`.

    >>> optimizer = schedule_free_adamw(0.5)
    >>> params = np.array([8.0])
    >>> optimizer.update(np.array([2.0]), optimizer.init(params), params)[0].round(6)
    array([-0.5])
    """
    name = "schedule_free_adamw"
    inner = chain(
        scale_by_rms(decay=b2, eps=eps, eps_in_sqrt=False, bias_correction=True, name=name),
        add_decayed_weights(weight_decay, mask=mask, name=name),
        scale_by_learning_rate(learning_rate, name=name),
        name=name,
    )
    return schedule_free(inner, learning_rate, b1=b1, weight_power=weight_power, name=name)


def _share(where: str, b1: float) -> float:
    b1 = positive(where, "b1", b1)
    if isinstance(b1, float) and b1 > 1.0:
        raise ValueError(message(where, "b1", "be in (0, 1]", b1))
    return b1
