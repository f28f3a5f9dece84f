"""Functions that reverse, shift and repeat elements along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements
from transforms.primitives.joining import along
from transforms.tracer import Tracer
from transforms.types import Array

# --- reverse


@implements(np.flip)
def _flip(m: Array, axis: Any = None) -> Array:
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))]


@implements(np.fliplr)
def _fliplr(m: Array) -> Array:
    return _flip(m, 1)


@implements(np.flipud)
def _flipud(m: Array) -> Array:
    return _flip(m, 0)


@implements(np.rot90)
def _rot90(m: Array, k: int = 1, axes: Any = (0, 1)) -> Array:
    first, second = normalize_axis_tuple(axes, m.ndim, "axes")
    turns = k % 4
    if turns == 2:
        return _flip(m, (first, second))
    if turns == 1:
        return np.swapaxes(_flip(m, second), first, second)
    return _flip(np.swapaxes(m, first, second), second) if turns else m


# --- shift


@implements(np.roll)
def _roll(a: Array, shift: Any, axis: Any = None) -> Array:
    if axis is None:
        return _roll(a.ravel(), shift, 0).reshape(a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if np.ndim(shift) else (shift,)
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(axes) == 1:
        axes = axes * len(shifts)
    for one_shift, one_axis in zip(shifts, axes, strict=True):
        a = _roll_axis(a, one_shift, normalize_axis_index(one_axis, a.ndim))
    return a


def _roll_axis(a: Array, shift: Any, axis: int) -> Array:
    length = a.shape[axis]
    if isinstance(shift, Tracer):
        return np.take(a, (np.arange(length) - shift) % length, axis=axis) if length else a
    cut = -int(shift) % length if length else 0
    if not cut:
        return a
    return np.concatenate([a[along(axis, cut, None)], a[along(axis, None, cut)]], axis)


# --- repeat


@implements(np.tile)
def _tile(A: Array, reps: Any) -> Array:
    counts = (int(reps),) if isinstance(reps, (int, np.integer)) else tuple(int(n) for n in reps)
    rank = max(A.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - A.ndim) + A.shape
    spread = A.reshape(tuple(n for length in shape for n in (1, length)))
    pairs = zip(counts, shape, strict=True)
    repeated = np.broadcast_to(spread, tuple(n for pair in pairs for n in pair))
    return repeated.reshape(tuple(count * n for count, n in zip(counts, shape, strict=True)))


@implements(np.repeat)
def _repeat(a: Array, repeats: Any, axis: int | None = None) -> Array:
    if axis is None:
        return _repeat(a.ravel(), repeats, 0)
    axis = normalize_axis_index(axis, a.ndim)
    counts = np.asarray(repeats)
    if counts.size == 1:
        count = int(counts.reshape(()))
        before, after = a.shape[: axis + 1], a.shape[axis + 1 :]
        spread = np.broadcast_to(a.reshape((*before, 1, *after)), (*before, count, *after))
        return spread.reshape((*before[:-1], before[-1] * count, *after))
    if counts.shape != (a.shape[axis],):
        raise ShapeError(
            message("repeat", "repeats", f"be a number or {a.shape[axis]} numbers", f"shape {counts.shape}")
        )
    return np.take(a, np.repeat(np.arange(a.shape[axis]), counts), axis=axis)


@implements(np.resize)
def _resize(a: Array, new_shape: Any) -> Array:
    shape = (new_shape,) if isinstance(new_shape, (int, np.integer)) else tuple(new_shape)
    if not a.size:
        return np.zeros(shape, a.dtype)
    if math.prod(shape) == a.size:
        return a.reshape(shape)
    return a.ravel()[np.resize(np.arange(a.size), shape)]


# --- one slice after another


@implements(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Array, *args: Any, **kwargs: Any) -> Array:
    axis = normalize_axis_index(axis, arr.ndim)
    rows = np.moveaxis(arr, axis, -1)
    outer = rows.shape[:-1]
    if not math.prod(outer):
        raise ShapeError(
            message("apply_along_axis", "the array", "have a slice to apply to", f"shape {arr.shape}")
        )
    rows = rows.reshape((-1, arr.shape[axis]))
    results = np.stack([as_array(func1d(row, *args, **kwargs)) for row in rows])
    inner = results.shape[1:]
    results = results.reshape(outer + inner)
    last = range(len(outer), len(outer) + len(inner))
    return np.moveaxis(results, tuple(last), tuple(range(axis, axis + len(inner))))


@implements(np.apply_over_axes)
def _apply_over_axes(func: Any, a: Array, axes: Any) -> Array:
    for axis in np.atleast_1d(np.asarray(axes)).tolist():
        axis = normalize_axis_index(axis, a.ndim)
        result = func(a, axis)
        a = result if result.ndim == a.ndim else np.expand_dims(result, axis)
    return a
