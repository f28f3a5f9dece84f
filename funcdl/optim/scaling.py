"""Multiplication of all updates by one number: a constant, a schedule, a learning rate."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import non_negative, number, unpromoting
from funcdl.optim.leaves import map_leaves
from funcdl.optim.optimizer import Optimizer, State, increment, no_state
from funcdl.optim.schedules import Schedule, constant
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


def scale(factor: float, *, name: str = "scale") -> Optimizer:
    """Multiply by a number: ``u = factor * g``.

    Args:
        factor: any finite number.
        name: what error messages call it.

    >>> updates, state = scale(-0.5).update({"w": np.array([2.0])}, ())
    >>> updates
    {'w': array([-1.])}
    """
    factor = number(name, "the factor", factor)

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        return _multiply(f"{name}.update", factor, grads, params), state

    return Optimizer(no_state, update)


class ScaleByScheduleState(NamedTuple):
    """State of `scale_by_schedule`.

    Attributes:
        count: number of updates so far, int32, shape ().
    """

    count: Array


def scale_by_schedule(schedule: Schedule, *, name: str = "scale_by_schedule") -> Optimizer:
    """Multiply by a function of the number of updates so far: ``u[t] = schedule(t) * g[t]``, from t = 0.

    Args:
        schedule: gives a scalar for a count (int32, shape ()); see `funcdl.optim.schedules`.
        name: what error messages call it.

    Raises:
        TypeError: ``schedule`` cannot be called.

    >>> optimizer = scale_by_schedule(lambda count: 1.0 / (1.0 + count))
    >>> state = optimizer.init({"w": np.zeros(1)})
    >>> updates, state = optimizer.update({"w": np.array([6.0])}, state)
    >>> optimizer.update({"w": np.array([6.0])}, state)
    ({'w': array([3.])}, ScaleByScheduleState(count=np.int32(2)))
    """
    if not callable(schedule):
        raise TypeError(message(name, "the schedule", "be a function of the count", repr(schedule)))

    def init(params: Tree) -> ScaleByScheduleState:
        return ScaleByScheduleState(np.int32(0))

    def update(
        grads: Tree, state: ScaleByScheduleState, params: Tree = None
    ) -> tuple[Tree, ScaleByScheduleState]:
        factor = unpromoting(schedule(state.count))
        updates = _multiply(f"{name}.update", factor, grads, params)
        return updates, ScaleByScheduleState(increment(state.count))

    return Optimizer(init, update)


def scale_by_learning_rate(
    learning_rate: float | Schedule, *, name: str = "scale_by_learning_rate"
) -> Optimizer:
    """Turn a direction of ascent into a step of descent: ``u[t] = -learning_rate(t) * g[t]``.

    The state counts the updates whether the rate is a number or a schedule, so that one can take the
    place of the other in a running training.

    Args:
        learning_rate: in [0, inf), or a schedule.
        name: what error messages call it.

    >>> optimizer = scale_by_learning_rate(0.5)
    >>> optimizer.update({"w": np.array([2.0])}, optimizer.init({"w": np.zeros(1)}))[0]
    {'w': array([-1.])}
    """
    rate = as_schedule(name, learning_rate)
    return scale_by_schedule(lambda count: -rate(count), name=name)


def as_schedule(where: str, learning_rate: Any) -> Schedule:
    """Return a schedule as it is, and a learning rate in [0, inf) as a constant schedule."""
    if callable(learning_rate):
        schedule: Schedule = learning_rate
        return schedule
    return constant(non_negative(where, "the learning rate", learning_rate))


def _multiply(where: str, factor: Any, grads: Tree, params: Tree) -> Tree:
    if params is None:
        return map_leaves(where, operator.mul, grads, scalars=(factor,))
    # The state holds nothing that the gradients could be checked against; the parameters do.
    return map_leaves(where, lambda param, grad, factor: grad * factor, params, grads, scalars=(factor,))
