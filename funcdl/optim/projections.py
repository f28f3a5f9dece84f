"""Constraints on parameters: the nearest point that satisfies them, after every step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from funcdl.optim.hyperparameters import positive
from funcdl.optim.leaves import like, matching_leaves
from funcdl.optim.masks import Mask, flags_of
from funcdl.optim.optimizer import Optimizer, State, apply_updates, no_state, require_params
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array

Axis = int | tuple[int, ...] | None


def project_non_negative(x: Array) -> Array:
    """Return the nearest array without negative elements: ``max(x, 0)``.

    >>> project_non_negative(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return np.maximum(x, 0)


def project_max_norm(x: Array, max_norm: float, *, axis: Axis = 0) -> Array:
    """Return the nearest array whose norms are not above a limit: ``x * min(1, max_norm / norm(x))``.

    Args:
        x: array of any shape.
        max_norm: in (0, inf).
        axis: the axes over which norms are taken, all with None; 0 is that of a dense layer's inputs.

    Source: Srivastava et al., "Dropout", 2014, section 5.1.

    >>> project_max_norm(np.array([[3.0, 0.3], [4.0, 0.4]]), 1.0)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    max_norm = like(positive("project_max_norm", "max_norm", max_norm), x)
    square = np.sum(x * x, axis=axis, keepdims=True)
    return x / np.sqrt(np.maximum(square / max_norm / max_norm, 1.0))


def project_unit_norm(x: Array, *, axis: Axis = 0) -> Array:
    """Return the nearest array whose norms are 1: ``x / norm(x)``; zeros stay.

    Args:
        x: array of any shape.
        axis: the axes over which norms are taken, all with None; 0 is that of a dense layer's inputs.

    >>> project_unit_norm(np.array([[3.0, 0.0], [4.0, 0.5]]))
    array([[0.6, 0. ],
           [0.8, 1. ]])
    """
    square = np.sum(x * x, axis=axis, keepdims=True)
    return x / np.sqrt(np.where(square > 0, square, 1.0))


def project_simplex(x: Array, *, axis: int = -1) -> Array:
    """Return the nearest array whose vectors along an axis are probabilities.

    ``max(x - t, 0)``, with the ``t`` for which the sum is 1.

    Args:
        x: array with at least one axis.
        axis: the axis along which the result sums to 1.

    Source: Duchi et al., "Efficient Projections onto the l1-Ball for Learning in High Dimensions", 2008,
    doi:10.1145/1390156.1390191.

    >>> project_simplex(np.array([0.5, 1.5, -3.0]))
    array([0., 1., 0.])
    """
    moved = np.moveaxis(x, axis, -1)
    descending = -np.sort(-moved, axis=-1)
    length = moved.shape[-1]
    ranks = np.arange(1, length + 1, dtype=moved.dtype)
    thresholds = (np.cumsum(descending, axis=-1) - 1.0) / ranks
    positive_ones = np.sum(descending > thresholds, axis=-1, keepdims=True)
    threshold = np.take_along_axis(thresholds, positive_ones - 1, axis=-1)
    return np.moveaxis(np.maximum(moved - threshold, 0), -1, axis)


def constrain(
    projection: Callable[[Array], Array], *, mask: Mask | None = None, name: str = "constrain"
) -> Optimizer:
    """Project the parameters after every step: ``u = projection(p + g) - p``.

    It must be the last of a `chain`.

    Args:
        projection: a function of one array: `project_non_negative`, `project_unit_norm`, ...
        mask: which parameters are constrained, as in `add_decayed_weights`; without it, all are.
        name: what error messages call it.

    ``update`` needs the parameters: ``update(grads, state, params)``.

    >>> from funcdl import optim
    >>> optimizer = optim.chain(optim.sgd(1.0), optim.constrain(optim.project_non_negative))
    >>> params = np.array([1.0, 5.0])
    >>> updates, _ = optimizer.update(np.array([3.0, 3.0]), optimizer.init(params), params)
    >>> optim.apply_updates(params, updates)
    array([0., 2.])
    """

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        where = f"{name}.update"
        require_params(where, "their projection", params)
        moved = apply_updates(params, grads)
        (param_leaves, grad_leaves, moved_leaves), structure = matching_leaves(where, params, grads, moved)
        flags = [True] * len(param_leaves) if mask is None else flags_of(f"{where} (mask)", mask, params)
        updates = [
            projection(target) - param if flag else grad
            for param, grad, target, flag in zip(param_leaves, grad_leaves, moved_leaves, flags, strict=True)
        ]
        return tree.unflatten(structure, updates), state

    return Optimizer(no_state, update)
