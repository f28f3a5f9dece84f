"""What an optimizer is, how several make one, and how its updates reach the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from funcdl.optim.leaves import map_leaves
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array

# A tree of arrays whose type each optimizer defines beside itself.
State: TypeAlias = Any

LARGEST_COUNT = int(np.iinfo(np.int32).max)


class Optimizer(NamedTuple):
    """Two pure functions that say how to change parameters, given gradients.

    The same pair serves as a whole optimizer (`adam`) and as a step on the way (`clip`, which changes
    gradients): `chain` composes them.

    Attributes:
        init: ``init(params) -> state``.
        update: ``update(grads, state, params=None) -> (updates, state)``. The updates are to be added to
            the parameters, by `apply_updates`; they have the structure, shapes and dtypes of the
            gradients. ``params`` may be left out where no part needs them.
    """

    init: Callable[[Tree], State]
    update: Callable[..., tuple[Tree, State]]


def chain(*optimizers: Optimizer, name: str = "chain") -> Optimizer:
    """Apply optimizers one after the other, each to the updates of the one before.

    Args:
        optimizers: any number; with none, gradients pass unchanged.
        name: what error messages call the result.

    Returns:
        An optimizer whose state is the tuple of their states.

    Raises:
        TypeError: an argument is not an optimizer.

    >>> from funcdl import optim
    >>> optimizer = optim.chain(optim.clip(1.0), optim.sgd(0.1))
    >>> params = {"w": np.array([1.0, 2.0])}
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update({"w": np.array([0.5, 30.0])}, state, params)
    >>> optim.apply_updates(params, updates)
    {'w': array([0.95, 1.9 ])}
    """
    for position, optimizer in enumerate(optimizers):
        if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
            remedy = "call the function that makes it, as in chain(clip(1.0), adam(1e-3))"
            raise TypeError(message(name, f"argument {position}", "be an Optimizer", repr(optimizer), remedy))

    def init(params: Tree) -> State:
        return tuple(optimizer.init(params) for optimizer in optimizers)

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        if not isinstance(state, tuple) or len(state) != len(optimizers):
            rule = f"be a tuple with {len(optimizers)} entries"
            remedy = "call update(grads, state, params) with the state from init or from the last update"
            raise ValueError(message(f"{name}.update", "the state", rule, _brief(state), remedy))
        new_states = []
        for optimizer, old_state in zip(optimizers, state, strict=True):
            grads, new_state = optimizer.update(grads, old_state, params)
            new_states.append(new_state)
        return grads, tuple(new_states)

    return Optimizer(init, update)


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """Return ``params + updates``, each entry in the dtype of its parameter.

    Args:
        params: a tree of arrays.
        updates: a tree of the same structure and shapes, as `Optimizer.update` returns it.

    Raises:
        TreeMismatchError: the structures differ; names the first path.
        ValueError: the shapes of two entries differ; names the path.

    >>> apply_updates({"w": np.float32([1, 2])}, {"w": np.float64([-1, 1])})
    {'w': array([0., 3.], dtype=float32)}
    """
    return map_leaves("apply_updates", _add, params, updates)


def no_state(params: Tree) -> State:
    """Return `()`: the ``init`` of what keeps nothing from step to step."""
    return ()


def require_params(where: str, purpose: str, params: Tree) -> None:
    """Refuse to go on without the parameters.

    Raises:
        ValueError: ``params`` is None.
    """
    if params is None:
        remedy = "call update(grads, state, params)"
        raise ValueError(message(where, "params", f"be given for {purpose}", None, remedy))


def increment(count: Array) -> Array:
    """Return ``count + 1``, or ``count`` where that would overflow; the dtype stays int32."""
    return count + (count < LARGEST_COUNT)


def _add(param: Array, update: Array) -> Array:
    total = param + update
    dtype = getattr(param, "dtype", None)
    return total if dtype is None or total.dtype == dtype else total.astype(dtype)


def _brief(state: State) -> str:
    size = f" with {len(state)} entries" if isinstance(state, (tuple, list, dict)) else ""
    return f"{type(state).__name__}{size}"
