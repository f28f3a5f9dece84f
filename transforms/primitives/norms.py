"""Norms of vectors and matrices, and condition numbers.

A norm has the subgradient 0 at 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.matrices import check_matrices
from transforms.types import Array


def _squared_modulus(x: Array) -> Array:
    return x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x


def _root(x: Array, exponent: float) -> Array:
    """Return ``x ** exponent``, flat at zero."""
    zero = x == 0
    # The inner choice keeps the infinite derivative of the root at zero out of the product with 0.
    safe = np.where(zero, 1.0, x)
    return np.where(zero, 0.0, np.sqrt(safe) if exponent == 0.5 else safe**exponent)


def _euclidean(x: Array, axis: Any, keepdims: bool) -> Array:
    return _root(np.sum(_squared_modulus(x), axis=axis, keepdims=keepdims), 0.5)


def _of_vectors(x: Array, order: Any, axis: Any, keepdims: bool) -> Array:
    if order is None or order == 2:
        return _euclidean(x, axis, keepdims)
    if order == math.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if order == -math.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if order == 0:
        return np.sum((x != 0).astype(np.abs(x).dtype), axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(message("linalg.norm", "ord of vectors", "be a number", repr(order)))
    return _root(np.sum(np.abs(x) ** float(order), axis=axis, keepdims=keepdims), 1.0 / float(order))


def _of_matrices(x: Array, order: Any, axes: tuple[int, int], keepdims: bool) -> Array:
    row, column = axes
    if order is None or order in ("fro", "f"):
        return _euclidean(x, axes, keepdims)
    if order in ("nuc", 2, -2):
        values = np.linalg.svdvals(np.moveaxis(x, axes, (-2, -1)))
        # A zero has the subgradient 0; without this the zero matrix would get that of its singular vectors.
        values = np.where(values == 0, 0.0, values)
        reduce = np.sum if order == "nuc" else np.max if order == 2 else np.min
        out = reduce(values, axis=-1)
    elif order in (1, -1, math.inf, -math.inf):
        summed, kept = (row, column) if abs(order) == 1 else (column, row)
        kept -= kept > summed
        sums = np.sum(np.abs(x), axis=summed)
        out = np.max(sums, axis=kept) if order > 0 else np.min(sums, axis=kept)
    else:
        raise ValueError(
            message(
                "linalg.norm", "ord of matrices", "be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf", repr(order)
            )
        )
    return np.expand_dims(out, axes) if keepdims else out


@implements(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("f", "fro") and x.ndim == 2):
            return _euclidean(x, None, keepdims)
        axis = tuple(range(x.ndim))
    axes = normalize_axis_tuple(axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _of_matrices(x, ord, (axes[0], axes[1]), keepdims)
    raise ValueError(message("linalg.norm", "axis", "name one axis or two", axis))


@implements(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    return _of_vectors(x, ord, axes, keepdims)


@implements(np.linalg.matrix_norm)
def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    return _norm(x, ord, axis=(-2, -1), keepdims=keepdims)


@implements(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Array:
    x = as_array(x)
    check_matrices("linalg.cond", x)
    if p is None or p in (2, -2):
        values = np.linalg.svdvals(x)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    return _norm(x, p, axis=(-2, -1)) * _norm(np.linalg.inv(x), p, axis=(-2, -1))
