"""Limits on gradients: on each element, on the norm of each leaf, on the norm of all together."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from funcdl.optim.hyperparameters import positive, unpromoting
from funcdl.optim.leaves import Scalar, map_leaves
from funcdl.optim.optimizer import Optimizer, State, no_state
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


def global_norm(grads: Tree) -> Array:
    """Return the Euclidean norm of all leaves together: ``sqrt(sum(abs(g)**2 for g in leaves))``.

    Args:
        grads: a tree of arrays, real or complex.

    Returns:
        A real scalar of the leaves' precision.

    >>> float(global_norm({"w": np.array([3.0]), "b": np.array([0.0, 4.0])}))
    5.0
    """
    return np.sqrt(sum(squared_norm(leaf) for leaf in tree.leaves(grads)))


def clip(max_delta: float, *, name: str = "clip") -> Optimizer:
    """Limit every element: ``u = min(max(g, -max_delta), max_delta)``.

    Args:
        max_delta: in (0, inf).
        name: what error messages call it.

    >>> clip(1.0).update({"w": np.array([-3.0, 0.5])}, ())[0]
    {'w': array([-1. ,  0.5])}
    """
    max_delta = positive(name, "max_delta", max_delta)

    def limit(grad: Array, bound: Array) -> Array:
        return np.minimum(np.maximum(grad, -bound), bound)

    return _leaf_by_leaf(name, limit, max_delta)


def clip_by_norm(max_norm: float, *, name: str = "clip_by_norm") -> Optimizer:
    """Limit the norm of each leaf: ``u = g * min(1, max_norm / norm(g))``.

    Args:
        max_norm: in (0, inf).
        name: what error messages call it.

    >>> clip_by_norm(1.0).update({"w": np.array([3.0, 4.0]), "b": np.array([0.5])}, ())[0]
    {'w': array([0.6, 0.8]), 'b': array([0.5])}
    """
    max_norm = positive(name, "max_norm", max_norm)

    def limit(grad: Array, bound: Array) -> Array:
        return grad * unpromoting(_factor(squared_norm(grad), bound))

    return _leaf_by_leaf(name, limit, max_norm)


def clip_by_block_rms(threshold: float, *, name: str = "clip_by_block_rms") -> Optimizer:
    """Limit the root mean square of each leaf: ``u = g / max(1, sqrt(mean(abs(g)**2)) / threshold)``.

    Args:
        threshold: in (0, inf).
        name: what error messages call it.

    Source: Shazeer & Stern, "Adafactor", 2018, arXiv:1804.04235, section 6.

    >>> clip_by_block_rms(1.0).update({"w": np.array([6.0, -6.0]), "b": np.array([0.5])}, ())[0]
    {'w': array([ 1., -1.]), 'b': array([0.5])}
    """
    threshold = positive(name, "the threshold", threshold)

    def limit(grad: Array, bound: Array) -> Array:
        return grad * unpromoting(_factor(squared_norm(grad) / max(grad.size, 1), bound))

    return _leaf_by_leaf(name, limit, threshold)


def clip_by_global_norm(max_norm: float, *, name: str = "clip_by_global_norm") -> Optimizer:
    """Limit the norm of all leaves together: ``u = g * min(1, max_norm / global_norm(grads))``.

    The direction of the whole gradient stays. Where the norm is infinite (an element is, or the sum of
    the squares overflows), finite elements become 0 and infinite ones NaN.

    Args:
        max_norm: in (0, inf).
        name: what error messages call it.

    Source: Pascanu et al., "On the difficulty of training Recurrent Neural Networks", 2013, arXiv:1211.5063.

    >>> clip_by_global_norm(1.0).update({"w": np.array([3.0]), "b": np.array([0.0, 4.0])}, ())[0]
    {'w': array([0.6]), 'b': array([0. , 0.8])}
    """
    max_norm = positive(name, "max_norm", max_norm)

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        square = sum(squared_norm(leaf) for leaf in tree.leaves(grads))
        factor = unpromoting(_factor(square, max_norm))
        return map_leaves(f"{name}.update", operator.mul, grads, scalars=(factor,)), state

    return Optimizer(no_state, update)


def _leaf_by_leaf(name: str, limit: Callable[[Array, Array], Array], bound: Scalar) -> Optimizer:
    """Return what limits each leaf for itself by ``limit(leaf, bound)``."""

    def update(grads: Tree, state: State, params: Tree = None) -> tuple[Tree, State]:
        return map_leaves(f"{name}.update", limit, grads, scalars=(bound,)), state

    return Optimizer(no_state, update)


def squared_norm(grad: Array) -> Array:
    """Return ``sum(abs(grad)**2)``, a real scalar."""
    return np.vdot(grad, grad).real


def _factor(square: Array, max_norm: Scalar) -> Array:
    """Return ``min(1, max_norm / sqrt(square))``.

    It is exactly 1 where nothing is to be clipped, and differentiable at 0, where the root is not.
    """
    return 1.0 / np.sqrt(np.maximum(square / max_norm / max_norm, 1.0))
