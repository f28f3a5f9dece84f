"""Around an optimizer: gradients of several batches, bad gradients, hyperparameters in the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import number, steps, unpromoting
from funcdl.optim.leaves import map_leaves
from funcdl.optim.moments import select, zeros
from funcdl.optim.optimizer import Optimizer, State, increment
from funcdl.optim.schedules import Schedule
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class AccumulateState(NamedTuple):
    """State of `accumulate`.

    Attributes:
        count: number of gradients since the last step, int32, shape ().
        mean: their mean, a tree like the parameters.
        inner: the state of the inner optimizer.
    """

    count: Array
    mean: Tree
    inner: State


def accumulate(inner: Optimizer, every: int, *, name: str = "accumulate") -> Optimizer:
    """Make one step for the mean of several gradients; the updates between are 0.

    Batches that do not fit in memory at once are given part by part, of equal size.

    Args:
        inner: the optimizer; its count is that of the steps.
        every: number of gradients for each step, at least 1.
        name: what error messages call it.

    >>> from funcdl import optim
    >>> optimizer = optim.accumulate(optim.sgd(0.5), 2)
    >>> state = optimizer.init(np.zeros(1))
    >>> first, state = optimizer.update(np.array([1.0]), state)
    >>> second, state = optimizer.update(np.array([3.0]), state)
    >>> first, second
    (array([0.]), array([-1.]))
    """
    every = steps(name, "every", every, least=1)

    def init(params: Tree) -> AccumulateState:
        return AccumulateState(np.int32(0), zeros(params), inner.init(params))

    def update(grads: Tree, state: AccumulateState, params: Tree = None) -> tuple[Tree, AccumulateState]:
        count = state.count + 1
        share = 1.0 / unpromoting(count)
        mean = map_leaves(
            f"{name}.update",
            lambda mean, grad, share: mean + share * (grad - mean),
            state.mean,
            grads,
            scalars=(share,),
        )
        due = count == every
        updates, inner_state = inner.update(mean, state.inner, params)
        return select(due, updates, zeros(updates)), AccumulateState(
            np.where(due, 0, count).astype(np.int32),
            select(due, zeros(mean), mean),
            select(due, inner_state, state.inner),
        )

    return Optimizer(init, update)


class ApplyIfFiniteState(NamedTuple):
    """State of `apply_if_finite`.

    Attributes:
        consecutive: number of refused gradients since the last good one, int32, shape ().
        total: number of gradients so far that were not finite, likewise.
        inner: the state of the inner optimizer.
    """

    consecutive: Array
    total: Array
    inner: State


def apply_if_finite(inner: Optimizer, max_consecutive: int, *, name: str = "apply_if_finite") -> Optimizer:
    """Leave out gradients with NaN or infinite elements, unless there are too many of them on end.

    Of a refused gradient the updates are 0 and the inner state stays.

    Args:
        inner: the optimizer.
        max_consecutive: how many on end are refused, at least 0; the next one passes, so that a diverged
            training shows itself.
        name: what error messages call it.

    >>> from funcdl import optim
    >>> optimizer = optim.apply_if_finite(optim.sgd(0.5), 3)
    >>> updates, state = optimizer.update(np.array([np.nan, 1.0]), optimizer.init(np.zeros(2)))
    >>> updates, int(state.total)
    (array([0., 0.]), 1)
    """
    max_consecutive = steps(name, "max_consecutive", max_consecutive, least=0)

    def init(params: Tree) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(np.int32(0), np.int32(0), inner.init(params))

    def update(
        grads: Tree, state: ApplyIfFiniteState, params: Tree = None
    ) -> tuple[Tree, ApplyIfFiniteState]:
        finite = all_finite(grads)
        consecutive = np.where(finite, 0, increment(state.consecutive)).astype(np.int32)
        total = np.where(finite, state.total, increment(state.total))
        accepted = finite | (consecutive > max_consecutive)
        # What is refused must not reach the inner optimizer either: it may warn about it.
        shown = select(accepted, grads, zeros(grads))
        updates, inner_state = inner.update(shown, state.inner, params)
        return select(accepted, updates, zeros(updates)), ApplyIfFiniteState(
            consecutive, total, select(accepted, inner_state, state.inner)
        )

    return Optimizer(init, update)


class HyperparametersState(NamedTuple):
    """State of `inject_hyperparameters`.

    Attributes:
        count: number of updates so far, int32, shape ().
        hyperparameters: their values in the last update, by name, float64, shape (); a change of one that is
            not a schedule holds from the next update on.
        inner: the state of the optimizer.
    """

    count: Array
    hyperparameters: dict[str, Array]
    inner: State


def inject_hyperparameters(
    make: Callable[..., Optimizer], hyperparameters: Mapping[str, float | Schedule]
) -> Optimizer:
    """Keep hyperparameters in the state, where they can be read and changed.

    Args:
        make: makes the optimizer from the hyperparameters, as keyword arguments: `adam`, or a function of
            one's own.
        hyperparameters: numbers, or schedules of them, by name.

    Raises:
        TypeError: ``make`` does not take one of them.

    >>> from funcdl import optim
    >>> optimizer = optim.inject_hyperparameters(optim.sgd, {"learning_rate": 0.5})
    >>> state = optimizer.init(np.zeros(1))
    >>> state.hyperparameters["learning_rate"] = np.float64(0.1)
    >>> optimizer.update(np.array([3.0]), state)[0].round(6)
    array([-0.3])
    """
    where = "inject_hyperparameters"
    schedules = {name: value for name, value in hyperparameters.items() if callable(value)}
    start = {
        name: 0.0 if name in schedules else number(where, name, value)
        for name, value in hyperparameters.items()
    }

    def values_at(count: Array, current: Mapping[str, Array]) -> dict[str, Array]:
        scheduled = {name: schedule(count) for name, schedule in schedules.items()}
        return {name: unpromoting(value) for name, value in {**current, **scheduled}.items()}

    def init(params: Tree) -> HyperparametersState:
        values = values_at(np.int32(0), start)
        kept = {name: _as_float64(value) for name, value in values.items()}
        return HyperparametersState(np.int32(0), kept, make(**values).init(params))

    def update(
        grads: Tree, state: HyperparametersState, params: Tree = None
    ) -> tuple[Tree, HyperparametersState]:
        if state.hyperparameters.keys() != start.keys():
            rule = f"have the entries {', '.join(start)}"
            got = ", ".join(state.hyperparameters)
            raise ValueError(message(f"{where}.update", "the state's hyperparameters", rule, got))
        values = values_at(state.count, state.hyperparameters)
        updates, inner = make(**values).update(grads, state.inner, params)
        kept = {name: _as_float64(value) for name, value in values.items()}
        return updates, HyperparametersState(increment(state.count), kept, inner)

    return Optimizer(init, update)


def _as_float64(value: Any) -> Array:
    return np.float64(value) if isinstance(value, float) else value.astype(np.float64)


def all_finite(grads: Tree) -> Array:
    """Return whether every element of a tree is finite, a boolean scalar."""
    flags = [np.all(np.isfinite(grad)) for grad in tree.leaves(grads)]
    return np.all(np.stack(flags)) if flags else np.True_
