"""A factor on the updates that falls whenever a measured value no longer does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import fraction, non_negative, positive, steps, unpromoting
from funcdl.optim.leaves import map_leaves
from funcdl.optim.optimizer import Optimizer, State
from funcdl.optim.states import find_state, replace_state
from transforms.tree import Tree
from transforms.types import Array


class PlateauState(NamedTuple):
    """State of `reduce_on_plateau`; all shape ().

    Attributes:
        scale: what updates are multiplied by, float32.
        best: least value so far, float32.
        waited: number of values since the best one, or since the last reduction, int32.
        resting: number of values that are still not counted after a reduction, int32.
        factor: what ``scale`` is multiplied by, float32; it and those that follow can be changed.
        patience: number of values to wait, int32.
        tolerance: by what fraction a value must be less than the best to count as less, float32.
        cooldown: ``resting`` after a reduction, int32.
        min_scale: least ``scale``, float32.
    """

    scale: Array
    best: Array
    waited: Array
    resting: Array
    factor: Array
    patience: Array
    tolerance: Array
    cooldown: Array
    min_scale: Array


def reduce_on_plateau(
    *,
    factor: float = 0.1,
    patience: int = 10,
    tolerance: float = 1e-4,
    cooldown: int = 0,
    min_scale: float = 0.0,
    name: str = "reduce_on_plateau",
) -> Optimizer:
    """Multiply updates by a factor that falls when the values given to `observe_value` no longer do.

    It stands behind an optimizer in a `chain`. The values are of any kind and come as often as one likes,
    such as the validation loss after every epoch.

    Args:
        factor: what the updates' factor is multiplied by, in (0, 1).
        patience: number of values without improvement after which it is, at least 1.
        tolerance: by what fraction a value must be less than the best one, in [0, 1).
        cooldown: number of values that do not count after a reduction, at least 0.
        min_scale: least factor, in [0, inf).
        name: what error messages call it.

    >>> from funcdl import optim
    >>> optimizer = optim.chain(optim.sgd(1.0), optim.reduce_on_plateau(factor=0.5, patience=2))
    >>> state = optimizer.init(np.zeros(1))
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     state = optim.observe_value(state, loss)
    >>> optimizer.update(np.array([3.0]), state)[0]
    array([-1.5])
    """
    factor = fraction(name, "the factor", positive(name, "the factor", factor))
    start = PlateauState(
        scale=np.float32(1.0),
        best=np.float32(np.inf),
        waited=np.int32(0),
        resting=np.int32(0),
        factor=np.float32(factor),
        patience=np.int32(steps(name, "patience", patience, least=1)),
        tolerance=np.float32(fraction(name, "the tolerance", tolerance)),
        cooldown=np.int32(steps(name, "cooldown", cooldown, least=0)),
        min_scale=np.float32(non_negative(name, "min_scale", min_scale)),
    )

    def init(params: Tree) -> PlateauState:
        return start

    def update(grads: Tree, state: PlateauState, params: Tree = None) -> tuple[Tree, PlateauState]:
        scalars = (unpromoting(state.scale),)
        return map_leaves(f"{name}.update", lambda g, scale: scale * g, grads, scalars=scalars), state

    return Optimizer(init, update)


def observe_value(state: State, value: float | Array) -> State:
    """Return the state of an optimizer with `reduce_on_plateau`, now that a value has been measured.

    Args:
        state: the state of the whole optimizer. It is not changed.
        value: the value that should fall, a scalar.

    Raises:
        ValueError: there is no `reduce_on_plateau` in the optimizer, or more than one.

    >>> optimizer = reduce_on_plateau(factor=0.5, patience=1)
    >>> state = observe_value(optimizer.init(np.zeros(1)), 3.0)
    >>> float(state.best), float(observe_value(state, 4.0).scale)
    (3.0, 0.5)
    """
    old = find_state(state, PlateauState)
    improved = value < (1.0 - old.tolerance) * old.best
    resting = old.resting > 0
    waited = np.where(improved | resting, 0, old.waited + 1)
    due = ~resting & (waited == old.patience)
    new = old._replace(
        best=np.where(improved, value, old.best).astype(np.float32),
        scale=np.where(due, np.maximum(old.scale * old.factor, old.min_scale), old.scale),
        waited=np.where(due, 0, waited).astype(np.int32),
        resting=np.where(due, old.cooldown, np.maximum(old.resting - 1, 0)).astype(np.int32),
    )
    return replace_state(state, new)
