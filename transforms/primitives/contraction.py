"""Products that sum over axes, written with the matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.casts import cast
from transforms.primitives.matmul import matmul
from transforms.primitives.matrices import conjugate
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array


def _check(function: str, fits: bool, *operands: Array) -> None:
    if not fits:
        shapes = " and ".join(str(x.shape) for x in operands)
        raise ShapeError(f"{function}: the operands' shapes must fit each other, got {shapes}")


def _matrix_product(a: Array, b: Array) -> Array:
    """Return the matrix product; of bfloat16 in bfloat16, which NumPy's matmul gives in float32."""
    out = bind(matmul, a, b)
    return cast(out, a.dtype) if a.dtype.kind == "V" and a.dtype == b.dtype else out


# --- dot, tensordot and their relatives


@implements(np.dot)
def _dot(a: Any, b: Any, out: None = None) -> Array:
    refuse_out("dot", out)
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        return a * b
    if b.ndim <= 2:
        return _matrix_product(a, b)
    return _tensordot(a, b, ((-1,), (-2,)))


@implements(np.vdot)
def _vdot(a: Any, b: Any, /) -> Array:
    return _matrix_product(conjugate(as_array(a).ravel()), as_array(b).ravel())


@implements(np.inner)
def _inner(a: Any, b: Any, /) -> Array:
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        return a * b
    return _tensordot(a, b, ((-1,), (-1,)))


@implements(np.outer)
def _outer(a: Any, b: Any, out: None = None) -> Array:
    refuse_out("outer", out)
    return as_array(a).ravel()[:, None] * as_array(b).ravel()


@implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    a, b = as_array(a), as_array(b)
    if isinstance(axes, (int, np.integer)):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    a_axes, b_axes = (
        normalize_axis_tuple(tuple(part) if np.iterable(part) else (part,), x.ndim)
        for part, x in zip(axes, (a, b), strict=True)
    )
    lengths = tuple(a.shape[axis] for axis in a_axes)
    _check("tensordot", lengths == tuple(b.shape[axis] for axis in b_axes), a, b)
    a_free = tuple(axis for axis in range(a.ndim) if axis not in a_axes)
    b_free = tuple(axis for axis in range(b.ndim) if axis not in b_axes)
    rows, columns = tuple(a.shape[axis] for axis in a_free), tuple(b.shape[axis] for axis in b_free)
    inner = math.prod(lengths)
    left = a.transpose((*a_free, *a_axes)).reshape((math.prod(rows), inner))
    right = b.transpose((*b_axes, *b_free)).reshape((inner, math.prod(columns)))
    return _matrix_product(left, right).reshape(rows + columns)


@implements(np.kron)
def _kron(a: Any, b: Any) -> Array:
    a, b = as_array(a), as_array(b)
    rank = max(a.ndim, b.ndim)
    a = a.reshape((1,) * (rank - a.ndim) + a.shape)
    b = b.reshape((1,) * (rank - b.ndim) + b.shape)
    spread_a = a.reshape(tuple(n for length in a.shape for n in (length, 1)))
    spread_b = b.reshape(tuple(n for length in b.shape for n in (1, length)))
    return (spread_a * spread_b).reshape(tuple(n * m for n, m in zip(a.shape, b.shape, strict=True)))


# --- products of stacks of vectors


@implements(np.vecdot)
def _vecdot(x1: Any, x2: Any, *, axis: int = -1, keepdims: bool = False) -> Array:
    x1, x2 = as_array(x1), as_array(x2)
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    _check("vecdot", bool(x1.ndim and x2.ndim) and x1.shape[-1:] == x2.shape[-1:], x1, x2)
    out = np.sum(conjugate(x1) * x2, axis=-1, keepdims=keepdims)
    return np.moveaxis(out, -1, axis) if keepdims and axis != -1 else out


# NumPy has these two since 2.2.
if hasattr(np, "matvec"):

    @implements(np.matvec)
    def _matvec(x1: Any, x2: Any) -> Array:
        return bind(matmul, as_array(x1), as_array(x2)[..., None])[..., 0]

    @implements(np.vecmat)
    def _vecmat(x1: Any, x2: Any) -> Array:
        return bind(matmul, conjugate(as_array(x1))[..., None, :], as_array(x2))[..., 0, :]


@implements(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    lengths = a.shape[-1], b.shape[-1]
    _check("cross", set(lengths) <= {2, 3}, a, b)
    a1, a2, a3 = _components(a)
    b1, b2, b3 = _components(b)
    last = a1 * b2 - a2 * b1
    if lengths == (2, 2):
        return last
    first = a2 * b3 if lengths[0] == 2 else -(a3 * b2) if lengths[1] == 2 else a2 * b3 - a3 * b2
    second = -(a1 * b3) if lengths[0] == 2 else a3 * b1 if lengths[1] == 2 else a3 * b1 - a1 * b3
    return np.stack([first, second, last], axis=axisc)


def _components(x: Array) -> tuple[Array, ...]:
    return x[..., 0], x[..., 1], x[..., 2] if x.shape[-1] == 3 else None


# --- products of many matrices


@implements(np.linalg.multi_dot)
def _multi_dot(arrays: Sequence[Any], *, out: None = None) -> Array:
    refuse_out("linalg.multi_dot", out)
    factors = [as_array(x) for x in arrays]
    if len(factors) < 2:
        raise ValueError(message("linalg.multi_dot", "arrays", "hold two or more", len(factors)))
    row, column = factors[0].ndim == 1, factors[-1].ndim == 1
    if row:
        factors[0] = factors[0][None, :]
    if column:
        factors[-1] = factors[-1][:, None]
    _check("linalg.multi_dot", all(x.ndim == 2 for x in factors), *factors)
    product = _product(factors, _split_points(factors), 0, len(factors) - 1)
    shape = product.shape[1 if row else 0 : 1 if column else 2]
    return product.reshape(shape)


def _split_points(factors: Sequence[Array]) -> dict[tuple[int, int], int]:
    """Return where to split each run of factors so that the scalar multiplications are fewest.

    Source: S. S. Godbole (1973), doi:10.1109/TC.1973.5009182.
    """
    sizes = [factors[0].shape[0], *(x.shape[1] for x in factors)]
    costs = dict.fromkeys(((i, i) for i in range(len(factors))), 0)
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, len(factors)):
        for first in range(len(factors) - length):
            last = first + length
            costs[first, last], splits[first, last] = min(
                (
                    costs[first, middle]
                    + costs[middle + 1, last]
                    + sizes[first] * sizes[middle + 1] * sizes[last + 1],
                    middle,
                )
                for middle in range(first, last)
            )
    return splits


def _product(factors: Sequence[Array], splits: dict[tuple[int, int], int], first: int, last: int) -> Array:
    if first == last:
        return factors[first]
    middle = splits[first, last]
    left = _product(factors, splits, first, middle)
    return bind(matmul, left, _product(factors, splits, middle + 1, last))


@implements(np.linalg.matrix_power)
def _matrix_power(a: Array, n: int) -> Array:
    _check("linalg.matrix_power", a.ndim >= 2 and a.shape[-2:-1] == a.shape[-1:], a)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    result = None
    while n:
        if n & 1:
            result = a if result is None else result @ a
        n >>= 1
        if n:
            a = a @ a
    return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape) if result is None else result
