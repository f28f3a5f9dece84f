"""Optimization in float32 of parameters that are kept in fewer bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funcdl.optim.leaves import map_leaves
from funcdl.optim.optimizer import Optimizer, State, apply_updates, require_params
from transforms import tree, type_of
from transforms.tree import Tree
from transforms.types import Array, is_differentiable


def widened(values: Tree) -> Tree:
    """Return a tree in which bfloat16 and float16 have become float32; None stays None.

    >>> widened({"half": np.float16([1.0]), "double": np.array([1.0])})
    {'half': array([1.], dtype=float32), 'double': array([1.])}
    """
    return tree.map(_wide, values)


class MasterParamsState(NamedTuple):
    """State of `master_params`.

    Attributes:
        params: the parameters in float32, a tree like them.
        inner: the state of the inner optimizer.
    """

    params: Tree
    inner: State


def master_params(inner: Optimizer, *, name: str = "master_params") -> Optimizer:
    """Keep a float32 copy of the parameters, and update that.

    The parameters follow it, each rounded to its own dtype. Without the copy an update of less than half a
    unit in the last place is lost: of bfloat16, all that are below 1/512 of the parameter.

    Args:
        inner: the optimizer; it sees gradients and parameters of at least float32.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    Source: Micikevicius et al., "Mixed Precision Training", 2018, arXiv:1710.03740.

    >>> from funcdl import optim
    >>> optimizer = master_params(optim.sgd(1.0))
    >>> params = np.float16([1.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(4):
    ...     updates, state = optimizer.update(np.float16([-2e-4]), state, params)
    ...     params = optim.apply_updates(params, updates)
    >>> params, state.params.round(5)
    (array([1.001], dtype=float16), array([1.0008], dtype=float32))
    """

    def init(params: Tree) -> MasterParamsState:
        master = tree.map(_copied, params)
        return MasterParamsState(master, inner.init(master))

    def update(grads: Tree, state: MasterParamsState, params: Tree = None) -> tuple[Tree, MasterParamsState]:
        require_params(f"{name}.update", "the way to their copy", params)
        updates, inner_state = inner.update(widened(grads), state.inner, state.params)
        master = apply_updates(state.params, updates)
        # The way from the rounded parameters, so that what is added to them leads to the rounded copy.
        way = map_leaves(f"{name}.update", lambda new, param: new - _wide(param), master, params)
        return way, MasterParamsState(master, inner_state)

    return Optimizer(init, update)


def _wide(leaf: Array) -> Array:
    dtype = type_of(leaf).dtype
    short = is_differentiable(dtype) and dtype.itemsize < 4
    return leaf.astype(np.float32) if short else leaf


def _copied(leaf: Array) -> Array:
    wide = _wide(leaf)
    return wide.copy() if wide is leaf else wide
