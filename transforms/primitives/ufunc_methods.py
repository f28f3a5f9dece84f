"""The methods of ufuncs: reduce, accumulate, reduceat and outer of any ufunc of two operands.

Those of the common ufuncs are primitives. For the others the ufunc itself is applied to parts of the
array, so that whatever derivative it has carries over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import RefusedError, message
from transforms.primitive import method
from transforms.primitives.casts import stop_gradient
from transforms.primitives.cumulative import cummax, cummin
from transforms.primitives.reduction import (
    merge_axes,
    no_extreme,
    normalize_axes,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from transforms.primitives.shape import refuse_out
from transforms.tracer import Tracer, bind
from transforms.types import Array

_ASSOCIATIVE = frozenset(
    {
        np.logaddexp,
        np.logaddexp2,
        np.hypot,
        np.fmax,
        np.fmin,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
    }
)


def _check_binary(ufunc: np.ufunc, name: str) -> None:
    if ufunc.nin != 2 or ufunc.nout != 1:
        raise ValueError(
            message(
                f"numpy.{ufunc.__name__}.{name}",
                "the ufunc",
                "take two operands and give one result",
                f"{ufunc.nin} and {ufunc.nout}",
            )
        )


def _neutral(ufunc: np.ufunc) -> Any:
    """Return the neutral element of a ufunc, or None."""
    return -math.inf if ufunc in (np.logaddexp, np.logaddexp2) else ufunc.identity


# --- reduce


def _logsumexp(a: Array, axis: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    """Return ``log(sum(exp(a)))``, which neither overflows nor divides by zero.

    The largest element is taken out first. It cancels, so it needs no derivative; where it is
    infinite it stays in. Where all elements are -inf, so is the result, and its derivative is 0.
    """
    if where is not True:
        a = np.where(where, a, -math.inf)
    axes = normalize_axes(axis, a.ndim)
    largest = np.max(stop_gradient(a), axis=axes, keepdims=True, initial=-math.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    total = np.add.reduce(np.exp(a - largest), axis=axes, keepdims=True)
    vanishes = total == 0
    result = np.where(vanishes, -math.inf, np.log(np.where(vanishes, 1, total)) + largest)
    if not keepdims:
        result = result.reshape(tuple(n for i, n in enumerate(a.shape) if i not in axes))
    return result if initial is None else np.logaddexp(result, initial)


_REDUCTIONS: dict[np.ufunc, Callable[..., Array]] = {
    np.add: reduce_sum,
    np.multiply: reduce_prod,
    np.maximum: reduce_max,
    np.minimum: reduce_min,
    np.logical_or: reduce_any,
    np.logical_and: reduce_all,
}


@method("ufunc.reduce")
def _reduce(
    ufunc: np.ufunc,
    a: Array,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    _check_binary(ufunc, "reduce")
    refuse_out(f"{ufunc.__name__}.reduce", out)
    if dtype is not None:
        a = a.astype(dtype)
    known = _REDUCTIONS.get(ufunc)
    if known is not None and initial is None and where is True:
        return known(a, axis=axis, keepdims=keepdims)
    if known is not None and ufunc not in (np.logical_or, np.logical_and):
        return known(a, axis=axis, keepdims=keepdims, initial=initial, where=where)
    if ufunc is np.logaddexp:
        return _logsumexp(a, axis, keepdims, initial, where)
    return _reduce_by_parts(ufunc, a, axis, keepdims, initial, where)


def _reduce_by_parts(ufunc: np.ufunc, a: Array, axis: Any, keepdims: bool, initial: Any, where: Any) -> Array:
    axes = normalize_axes(axis, a.ndim)
    neutral = _neutral(ufunc)
    if where is not True:
        if neutral is None:
            raise ValueError(
                message(
                    f"numpy.{ufunc.__name__}.reduce",
                    "where=",
                    "be given only for a ufunc with a neutral element",
                    "a mask",
                    "apply np.where first",
                )
            )
        a = np.where(where, a, neutral)
    start = neutral if initial is None else initial
    merged, _ = merge_axes(a, axes)
    if merged.shape[-1] == 0:
        if start is None:
            raise no_extreme(f"{ufunc.__name__}.reduce", a.shape)
        result = np.broadcast_to(ufunc(start, start).dtype.type(start), merged.shape[:-1])
    elif ufunc in _ASSOCIATIVE:
        result = _reduce_by_halves(ufunc, merged)
        result = result if initial is None else ufunc(initial, result)
    elif len(axes) > 1:
        raise ValueError(
            message(f"numpy.{ufunc.__name__}.reduce", "the axis", "be one, as the order matters", f"{axes}")
        )
    else:
        result = _reduce_in_order(ufunc, merged, initial)
    if keepdims:
        result = result.reshape(tuple(1 if i in axes else n for i, n in enumerate(a.shape)))
    return result


def _reduce_by_halves(ufunc: np.ufunc, a: Array) -> Array:
    """Reduce the last axis in as many steps as its length has binary digits."""
    while a.shape[-1] > 1:
        half = a.shape[-1] // 2
        paired = ufunc(a[..., :half], a[..., half : 2 * half])
        odd = a.shape[-1] % 2
        a = np.concatenate([paired, a[..., -1:].astype(paired.dtype)], -1) if odd else paired
    return a[..., 0]


def _reduce_in_order(ufunc: np.ufunc, a: Array, initial: Any) -> Array:
    result = a[..., 0] if initial is None else ufunc(initial, a[..., 0])
    for k in range(1, a.shape[-1]):
        result = ufunc(result, a[..., k])
    return result


# --- accumulate

_RUNNING: dict[np.ufunc, Any] = {np.maximum: cummax, np.minimum: cummin}


@method("ufunc.accumulate")
def _accumulate(ufunc: np.ufunc, array: Array, axis: int = 0, dtype: Any = None, out: Any = None) -> Array:
    _check_binary(ufunc, "accumulate")
    refuse_out(f"{ufunc.__name__}.accumulate", out)
    if dtype is not None:
        array = array.astype(dtype)
    axis = normalize_axis_index(axis, array.ndim)
    if ufunc is np.add or ufunc is np.multiply:
        return (np.cumsum if ufunc is np.add else np.cumprod)(array, axis)
    if ufunc in _RUNNING:
        return bind(_RUNNING[ufunc], array, axis=axis, reverse=False)
    moved = np.moveaxis(array, axis, 0)
    running = _accumulate_by_doubling if ufunc in _ASSOCIATIVE else _accumulate_in_order
    return np.moveaxis(running(ufunc, moved), 0, axis) if len(moved) > 1 else array


def _accumulate_by_doubling(ufunc: np.ufunc, a: Array) -> Array:
    """Combine stretches of doubling length along axis 0."""
    step = 1
    while step < len(a):
        combined = ufunc(a[:-step], a[step:])
        a = np.concatenate([a[:step].astype(combined.dtype), combined])
        step *= 2
    return a


def _accumulate_in_order(ufunc: np.ufunc, a: Array) -> Array:
    results = [a[0]]
    for k in range(1, len(a)):
        results.append(ufunc(results[-1], a[k]))
    return np.stack([result.astype(results[-1].dtype) for result in results])


# --- reduceat, outer, at


@method("ufunc.reduceat")
def _reduceat(
    ufunc: np.ufunc, array: Array, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Array:
    _check_binary(ufunc, "reduceat")
    refuse_out(f"{ufunc.__name__}.reduceat", out)
    starts = indices.concrete() if isinstance(indices, Tracer) else np.asarray(indices)
    axis = normalize_axis_index(axis, array.ndim)
    moved = np.moveaxis(array, axis, 0)
    length = len(moved)
    if np.any((starts < 0) | (starts >= length)):
        raise IndexError(
            message(f"numpy.{ufunc.__name__}.reduceat", "indices", f"lie in [0, {length})", starts.tolist())
        )
    stops = [*starts[1:].tolist(), length]
    parts = [
        _reduce(ufunc, moved[start : max(stop, start + 1)], dtype=dtype)
        for start, stop in zip(starts.tolist(), stops, strict=True)
    ]
    return np.moveaxis(np.stack(parts), 0, axis)


@method("ufunc.outer")
def _outer(ufunc: np.ufunc, a: Array, b: Array, **options: Any) -> Array:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return ufunc(a, b, **options)
    left, right = as_array(a), as_array(b)
    return ufunc(left.reshape(left.shape + (1,) * right.ndim), right, **options)


@method("ufunc.at")
def _at(ufunc: np.ufunc, a: Array, indices: Any, b: Any = None) -> Array:
    raise RefusedError(
        f"numpy.{ufunc.__name__}.at: the operands must be plain arrays, got a traced one; it changes "
        "its argument in place: write transforms.at(x)[indices].add(values), or .multiply, .min, .max"
    )
