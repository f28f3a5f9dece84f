"""Choices among operands: where, the larger and the smaller, clip, what replaces NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy._core import umath

from transforms.primitive import NoRule, Primitive, implements
from transforms.primitives.declare import broadcast_shape, elementwise, promoted_dtype
from transforms.tracer import bind
from transforms.types import Array, ArrayType

# --- where


def _infer_where(condition: Any, x: Any, y: Any) -> ArrayType:
    return ArrayType(broadcast_shape(condition, x, y), promoted_dtype(x, y))


where = elementwise(
    np.where,
    NoRule("a condition is true or false"),
    lambda d, _out, condition, _x, _y: np.where(condition, d, 0),
    lambda d, _out, condition, _x, _y: np.where(condition, 0, d),
    name="where",
    infer=_infer_where,
)


@implements(np.where)
def _where(condition: Array, /, *branches: Array) -> Array:
    if not branches:
        return np.nonzero(condition)
    condition = condition if hasattr(condition, "dtype") else np.asarray(condition)
    return bind(where, condition if condition.dtype.kind == "b" else condition != 0, *branches)


# --- the larger and the smaller: equal operands share the derivative equally


def _symmetric(function: np.ufunc, share: Callable[[Array, Array, Array], Array]) -> Primitive:
    """Declare a function of two operands, of which either may come first."""
    return elementwise(function, lambda d, _out, x, y: share(d, x, y), lambda d, _out, x, y: share(d, y, x))


def _share_of_maximum(d: Array, mine: Array, other: Array) -> Array:
    half = 0.5 * d
    if isinstance(other, (int, float)) and other == 0 and mine.dtype.kind == "f":
        return half + half * np.sign(mine)  # relu is common, and this is its cheapest form
    return half * (mine > other) + half * (mine >= other)


def _share_of_minimum(d: Array, mine: Array, other: Array) -> Array:
    half = 0.5 * d
    return half * (mine < other) + half * (mine <= other)


def _share_of_fmax(d: Array, mine: Array, other: Array) -> Array:
    """A number is chosen over NaN."""
    half, alone = 0.5 * d, np.isnan(other)
    return half * ((mine > other) | alone) + half * ((mine >= other) | alone)


def _share_of_fmin(d: Array, mine: Array, other: Array) -> Array:
    half, alone = 0.5 * d, np.isnan(other)
    return half * ((mine < other) | alone) + half * ((mine <= other) | alone)


maximum = _symmetric(np.maximum, _share_of_maximum)
minimum = _symmetric(np.minimum, _share_of_minimum)
fmax = _symmetric(np.fmax, _share_of_fmax)
fmin = _symmetric(np.fmin, _share_of_fmin)

# --- compositions


@implements(np.clip)
def _clip(
    a: Array, a_min: Array = None, a_max: Array = None, *, min: Array = None, max: Array = None
) -> Array:
    """At a bound the value and the bound are equal, and share the derivative."""
    low, high = (a_min, a_max) if min is None and max is None else (min, max)
    raised = a if low is None else np.maximum(a, low)
    return raised if high is None else np.minimum(raised, high)


@implements(vars(umath)["clip"])  # what np.clip calls, and ndarray.clip
def _clip_ufunc(a: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(a, low), high)


@implements(np.nan_to_num)
def _nan_to_num(x: Array, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    if not copy:
        raise TypeError("nan_to_num: copy must be True, got False; a traced array is never changed in place")
    if x.dtype.kind == "c":
        real, imag = (np.nan_to_num(part, nan=nan, posinf=posinf, neginf=neginf) for part in (x.real, x.imag))
        return real + 1j * imag
    if x.dtype.kind != "f":
        return x
    limits = np.finfo(x.dtype)
    number = np.where(np.isnan(x), nan, x)
    number = np.where(np.isposinf(x), float(limits.max) if posinf is None else posinf, number)
    return np.where(np.isneginf(x), float(limits.min) if neginf is None else neginf, number)
