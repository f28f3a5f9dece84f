"""Functions of the diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements, refuse
from transforms.primitives.shape import refuse_out
from transforms.primitives.slicing import embed
from transforms.types import Array


def _triangles(m: Array, k: int) -> tuple[Array, Array]:
    """Return matrices, and which of their elements stand on or below a diagonal."""
    if m.ndim == 1:
        m = np.broadcast_to(m, (m.shape[0], m.shape[0]))
    rows, columns = m.shape[-2:]
    return m, np.tri(rows, columns, k, dtype=bool)


@implements(np.tril)
def _tril(m: Array, k: int = 0) -> Array:
    m, below = _triangles(m, k)
    return np.where(below, m, np.zeros((), m.dtype))


@implements(np.triu)
def _triu(m: Array, k: int = 0) -> Array:
    m, below = _triangles(m, k - 1)
    return np.where(below, np.zeros((), m.dtype), m)


@implements(np.diagonal)
def _diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    axis1, axis2 = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    if axis1 == axis2:
        raise ValueError(message("diagonal", "axis1 and axis2", "be different axes", (axis1, axis2)))
    a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = a.shape[-2:]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    flat = a.reshape((*a.shape[:-2], rows * columns))
    if not length:
        return flat[..., :0]
    start = offset if offset >= 0 else -offset * columns
    return flat[..., start : start + (length - 1) * (columns + 1) + 1 : columns + 1]


@implements(np.diag)
def _diag(v: Array, k: int = 0) -> Array:
    if v.ndim == 2:
        return _diagonal(v, k)
    if v.ndim != 1:
        raise ShapeError(message("diag", "the array", "have one or two axes", f"shape {v.shape}"))
    length = v.shape[0]
    side = length + abs(k)
    if not length:
        return np.zeros((side, side), v.dtype)
    # On the flat matrix a diagonal is a slice.
    start = k if k >= 0 else -k * side
    places = slice(start, start + (length - 1) * (side + 1) + 1, side + 1)
    return embed(v, (places,), (side * side,)).reshape((side, side))


@implements(np.diagflat)
def _diagflat(v: Array, k: int = 0) -> Array:
    return _diag(v.ravel(), k)


@implements(np.trace)
def _trace(
    a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Array:
    refuse_out("trace", out)
    return np.sum(_diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    x = as_array(x)
    if x.ndim != 1:
        raise ShapeError(message("vander", "x", "have one axis", f"shape {x.shape}"))
    count = x.shape[0] if N is None else N
    x = x.astype(np.promote_types(x.dtype, int))
    if not count:
        return np.zeros((x.shape[0], 0), x.dtype)
    powers = [np.ones(x.shape, x.dtype)]
    for _ in range(count - 1):
        powers.append(powers[-1] * x)
    return np.stack(powers if increasing else powers[::-1], axis=1)


@implements(np.diag_indices_from)
def _diag_indices_from(arr: Array) -> tuple[Array, ...]:
    if arr.ndim < 2 or len(set(arr.shape)) != 1:
        raise ShapeError(
            message("diag_indices_from", "the array", "have two or more equal axes", f"shape {arr.shape}")
        )
    return np.diag_indices(arr.shape[0], arr.ndim)


@implements(np.tril_indices_from)
def _tril_indices_from(arr: Array, k: int = 0) -> tuple[Array, ...]:
    rows, columns = arr.shape
    return np.tril_indices(rows, k, columns)


@implements(np.triu_indices_from)
def _triu_indices_from(arr: Array, k: int = 0) -> tuple[Array, ...]:
    rows, columns = arr.shape
    return np.triu_indices(rows, k, columns)


refuse(
    np.fill_diagonal,
    "it writes in place",
    "write transforms.at(a)[np.diag_indices_from(a)].set(values), which returns a new array",
)
