"""Differences and integrals of samples along an axis, as compositions of slices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.casts import stop_gradient
from transforms.primitives.reduction import normalize_axes
from transforms.types import Array


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]


@implements(np.diff)
def _diff(a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    if n < 0:
        raise ValueError(message("numpy.diff", "n", "not be negative", n))
    a = as_array(a)
    if a.ndim == 0:
        raise ValueError(message("numpy.diff", "the array", "have an axis", "shape ()"))
    if n == 0:
        return a
    axis = normalize_axis_index(axis, a.ndim)
    edges = [None if edge is None else _edge(edge, a.shape, axis) for edge in (prepend, append)]
    if prepend is not None or append is not None:
        a = np.concatenate([part for part in (edges[0], a, edges[1]) if part is not None], axis)
    for _ in range(n):
        later, earlier = _part(a, axis, 1, None), _part(a, axis, None, -1)
        a = later != earlier if a.dtype == np.bool_ else later - earlier
    return a


def _edge(edge: Any, shape: tuple[int, ...], axis: int) -> Array:
    edge = as_array(edge)
    return edge if edge.ndim else np.broadcast_to(edge, (*shape[:axis], 1, *shape[axis + 1 :]))


@implements(np.ediff1d)
def _ediff1d(ary: Array, to_end: Any = None, to_begin: Any = None) -> Array:
    flat = as_array(ary).reshape(-1)
    middle = flat[1:] - flat[:-1]
    first, last = (None if end is None else _flat_end(end, flat.dtype) for end in (to_begin, to_end))
    parts = [part for part in (first, middle, last) if part is not None]
    return np.concatenate(parts) if len(parts) > 1 else middle


def _flat_end(end: Any, dtype: np.dtype[Any]) -> Array:
    end = as_array(end).reshape(-1)
    if not np.can_cast(end.dtype, dtype, "same_kind"):
        raise TypeError(message("numpy.ediff1d", "to_begin and to_end", f"be of dtype {dtype}", end.dtype))
    return end.astype(dtype)


@implements(np.trapezoid)
def _trapezoid(y: Array, x: Array | None = None, dx: Array = 1.0, axis: int = -1) -> Array:
    y = as_array(y)
    axis = normalize_axis_index(axis, y.ndim)
    width = dx
    if x is not None:
        x = as_array(x)
        width = np.diff(x, axis=0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            width = width.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
    return np.sum(width * (_part(y, axis, 1, None) + _part(y, axis, None, -1)) / 2.0, axis=axis)


@implements(np.unwrap)
def _unwrap(p: Array, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Array:
    """Corrections are whole periods, so they take no part in the derivative."""
    axis = normalize_axis_index(axis, p.ndim)
    jumps = np.diff(stop_gradient(p), axis=axis)
    integral = p.dtype.kind in "iu" and isinstance(period, int)
    half = period // 2 if integral else period / 2
    wrapped = np.mod(jumps + half, period) - half
    if not integral or period % 2 == 0:
        # A jump of just half a period keeps its sign.
        wrapped = np.where((wrapped == -half) & (jumps > 0), half, wrapped)
    threshold = period / 2 if discont is None else discont
    corrections = np.cumsum(np.where(np.abs(jumps) < threshold, 0, wrapped - jumps), axis=axis)
    start = np.zeros((*p.shape[:axis], 1, *p.shape[axis + 1 :]), corrections.dtype)
    return p + np.concatenate([start, corrections], axis)


# --- the gradient of samples on a grid


@implements(np.gradient)
def _gradient(f: Array, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_array(f)
    if f.dtype.kind in "biu":
        f = f.astype(np.float64)
    axes = (
        normalize_axes(axis, f.ndim)
        if not isinstance(axis, (tuple, list))
        else tuple(i % f.ndim for i in axis)
    )
    if edge_order not in (1, 2):
        raise ValueError(message("numpy.gradient", "edge_order", "be 1 or 2", edge_order))
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(
            message("numpy.gradient", "the spacings", f"be none, one or {len(axes)}", len(varargs))
        )
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    results = tuple(
        _gradient_along(f, i, spacing, edge_order) for i, spacing in zip(axes, spacings, strict=True)
    )
    return results[0] if len(axes) == 1 else results


def _gradient_along(f: Array, axis: int, spacing: Array, edge_order: int) -> Array:
    samples = np.moveaxis(f, axis, 0)
    length = len(samples)
    if length < edge_order + 1:
        raise ValueError(
            message("numpy.gradient", "each axis", f"have at least {edge_order + 1} elements", length)
        )
    if np.ndim(spacing) == 0:
        slopes = _even_slopes(samples, spacing, edge_order)
    else:
        places = as_array(spacing)
        if places.shape != (length,):
            raise ValueError(
                message("numpy.gradient", "a spacing's coordinates", f"have shape ({length},)", places.shape)
            )
        slopes = _uneven_slopes(samples, np.diff(places).reshape((-1,) + (1,) * (f.ndim - 1)), edge_order)
    return np.moveaxis(slopes.astype(f.dtype), 0, axis)


def _even_slopes(f: Array, step: Array, edge_order: int) -> Array:
    middle = (f[2:] - f[:-2]) / (2.0 * step)
    if edge_order == 1:
        return np.concatenate([(f[1:2] - f[:1]) / step, middle, (f[-1:] - f[-2:-1]) / step])
    first = (-1.5 * f[:1] + 2.0 * f[1:2] - 0.5 * f[2:3]) / step
    last = (1.5 * f[-1:] - 2.0 * f[-2:-1] + 0.5 * f[-3:-2]) / step
    return np.concatenate([first, middle, last])


def _uneven_slopes(f: Array, steps: Array, edge_order: int) -> Array:
    """Take the slopes of parabolas through three neighbours, which weigh the slopes to either side."""
    sides = (f[1:] - f[:-1]) / steps
    before, after = steps[:-1], steps[1:]
    middle = (after * sides[:-1] + before * sides[1:]) / (before + after)
    first, last = sides[:1], sides[-1:]
    if edge_order == 2:
        first = first + (first - sides[1:2]) * steps[:1] / (steps[:1] + steps[1:2])
        last = last + (last - sides[-2:-1]) * steps[-1:] / (steps[-1:] + steps[-2:-1])
    return np.concatenate([first, middle, last])
