"""Means, variances and integrals of samples, as compositions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.reduction import Axes, normalize_axes, sum_p
from transforms.primitives.shape import refuse_out
from transforms.tracer import Tracer, bind
from transforms.types import Array


def _as_floating(a: Array, dtype: Any) -> Array:
    """Cast to a dtype if one is given, and otherwise integers to float64, as NumPy does."""
    if dtype is None:
        if a.dtype.kind not in "biu":
            return a
        dtype = np.float64
    return a.astype(dtype)


def _count(a: Array, axes: Axes, where: Any, keepdims: bool) -> Any:
    """Return how many elements are reduced: a number, or an array of numbers if there is a mask."""
    if where is True:
        return math.prod(a.shape[axis] for axis in axes)
    return np.sum(np.broadcast_to(where, a.shape), axis=axes, keepdims=keepdims)


def _divide(total: Array, counts: Array) -> Array:
    return total / counts.astype(total.dtype)


@implements(np.mean)
def _mean(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Array:
    refuse_out("mean", out)
    a = as_array(a)
    if dtype is None and a.dtype.char == "e":
        # Sums of float16 overflow soon.
        return _mean(a.astype(np.float32), axis, keepdims=keepdims, where=where).astype(np.float16)
    axes = normalize_axes(axis, a.ndim)
    a = _as_floating(a, dtype)
    if where is True:
        # The usual case, in as few calls as it takes, because a loss most often ends with it.
        return bind(sum_p, a, axes=axes, keepdims=bool(keepdims)) / math.prod([a.shape[i] for i in axes])
    total = np.sum(np.where(where, a, 0), axis=axes, keepdims=keepdims)
    return _divide(total, _count(a, axes, where, keepdims))


@implements(np.var)
def variance(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Array | None = None,
    correction: float | None = None,
) -> Array:
    """Return the mean square deviation, as `numpy.var` does."""
    refuse_out("var", out)
    a = _as_floating(as_array(a), dtype)
    axes = normalize_axes(axis, a.ndim)
    deviation = a - (np.mean(a, axis=axes, keepdims=True, where=where) if mean is None else mean)
    if deviation.dtype.kind == "c":
        square = np.square(np.real(deviation)) + np.square(np.imag(deviation))
    else:
        square = np.square(deviation)
    if where is not True:
        square = np.where(where, square, 0)
    total = np.sum(square, axis=axes, keepdims=keepdims)
    removed = ddof if correction is None else correction
    count = _count(a, axes, where, keepdims)
    if where is True:
        return total / max(count - removed, 0)
    return _divide(total, np.maximum(count - removed, 0))


def flat_sqrt(x: Array) -> Array:
    """Return the square root, with the derivative 0 at 0 instead of infinity."""
    vanishes = x == 0
    return np.where(vanishes, 0, np.sqrt(np.where(vanishes, 1, x)))


@implements(np.std)
def _std(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: Any = True,
    mean: Array | None = None,
    correction: float | None = None,
) -> Array:
    """Of equal values both the deviation and, by choice of a subgradient, its derivative are 0."""
    refuse_out("std", out)
    spread = variance(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return flat_sqrt(spread)


@implements(np.average)
def _average(
    a: Array,
    axis: Any = None,
    weights: Array | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    a = as_array(a)
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        count = math.prod(a.shape) // max(math.prod(result.shape), 1)
        return (result, np.full(result.shape, count, result.dtype)) if returned else result
    weights = _align_weights(a, as_array(weights), axis)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    dtype = np.result_type(a.dtype, weights.dtype, np.float64 if a.dtype.kind in "biu" else a.dtype)
    total = total.astype(dtype)
    if not isinstance(total, Tracer) and np.any(total == 0):
        raise ZeroDivisionError(
            message("numpy.average", "the weights", "not have the sum 0", "some that have")
        )
    result = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (result, np.broadcast_to(total, result.shape)) if returned else result


def _align_weights(a: Array, weights: Array, axis: Any) -> Array:
    """Broadcast weights to the shape of the array; they may have only the axes that are averaged."""
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError(
            message("numpy.average", "axis", "be given if weights have another shape than a", weights.shape)
        )
    axes = normalize_axes(axis, a.ndim)
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    order = [axes.index(i % a.ndim) for i in given]
    if weights.shape != tuple(a.shape[axes[i]] for i in order):
        raise ValueError(
            message(
                "numpy.average",
                "weights",
                f"have the shape of the averaged axes {axes} of {a.shape}",
                weights.shape,
            )
        )
    arranged = weights.transpose(sorted(range(len(order)), key=order.__getitem__))
    shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
    return np.broadcast_to(arranged.reshape(shape), a.shape)
