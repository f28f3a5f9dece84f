"""Moving averages of gradients and of their squares, which the adaptive optimizers share."""

from __future__ import annotations

import numpy as np

from funcdl.optim.hyperparameters import unpromoting
from funcdl.optim.leaves import Scalar
from transforms import tree
from transforms.tree import Tree
from transforms.types import Array


def zeros(params: Tree) -> Tree:
    """Return a tree of zeros like the parameters, for an average of gradients."""
    return tree.map(np.zeros_like, params)


def full_of_squares(params: Tree, value: float) -> Tree:
    """Return a tree full of ``value``, for an average of squares: real where a parameter is complex.

    >>> full_of_squares({"w": np.zeros(2, np.complex64)}, 1.0)
    {'w': array([1., 1.], dtype=float32)}
    """
    return tree.map(lambda param: np.full_like(param.real, value), params)


def average(old: Array, new: Array, decay: Array) -> Array:
    """Return ``decay * old + (1 - decay) * new``."""
    return decay * old + (1.0 - decay) * new


def inverse_root(square: Array, eps: Array) -> Array:
    """Return ``1 / sqrt(square + eps)``, and 0 where ``square`` is 0.

    >>> inverse_root(np.array([0.0, 4.0]), 0.0)
    array([0. , 0.5])
    """
    seen = square > 0
    return np.where(seen, 1.0 / np.sqrt(np.where(seen, square, 1.0) + eps), 0.0)


def squared_magnitude(x: Array) -> Array:
    """Return ``abs(x) ** 2``, a real array.

    >>> squared_magnitude(np.array([3 + 4j]))
    array([25.])
    """
    return x * x if x.dtype.kind != "c" else x.real * x.real + x.imag * x.imag


def bias_correction_at(count: Array, decay: Scalar) -> Scalar:
    """Return ``1 - decay**count``, the weight that an average started at 0 gives to what it has seen.

    It is computed in float64 whatever the dtype of the parameters: in float32, ``1 - 0.999`` is off by
    a part in 30 000, and so is the first update of an optimizer that computes it there.

    >>> bias_correction_at(np.int32(2), 0.5)
    0.75
    """
    return 1.0 - decay ** unpromoting(count)


def select(condition: Array, chosen: Tree, otherwise: Tree) -> Tree:
    """Return one of two trees of the same structure and dtypes, by a scalar that may be traced.

    >>> select(np.True_, {"w": np.ones(2)}, {"w": np.zeros(2)})
    {'w': array([1., 1.])}
    """
    return tree.map(lambda one, other: np.where(condition, one, other), chosen, otherwise)
