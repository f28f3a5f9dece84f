"""Reductions that leave NaN out: each is the plain reduction over what is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.reduction import reduce_prod, reduce_sum
from transforms.primitives.shape import refuse_out
from transforms.primitives.statistics import flat_sqrt, variance
from transforms.types import Array


def _numbers(a: Array, where: Any) -> Array:
    """Return the mask of the elements that count."""
    mask = np.logical_not(np.isnan(a))
    return mask if where is True else mask & where


# --- sums, products, moments


@implements(np.nansum)
def _nansum(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    refuse_out("nansum", out)
    return reduce_sum(np.where(_numbers(a, where), a, 0), axis, dtype, None, keepdims, initial)


@implements(np.nanprod)
def _nanprod(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Array:
    refuse_out("nanprod", out)
    return reduce_prod(np.where(_numbers(a, where), a, 1), axis, dtype, None, keepdims, initial)


def _without_nan(a: Array, where: Any) -> tuple[Array, Array]:
    """Return the array with 0 for what does not count, and the mask of what does.

    A reduction with ``where`` alone would multiply NaN by a derivative of 0.
    """
    mask = _numbers(a, where)
    return np.where(mask, a, 0), mask


@implements(np.nanmean)
def _nanmean(
    a: Array,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: Any = True,
) -> Array:
    refuse_out("nanmean", out)
    a, mask = _without_nan(a, where)
    return np.mean(a, axis, dtype, None, keepdims, where=mask)


@implements(np.nanvar)
def _nanvar(
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
    refuse_out("nanvar", out)
    a, mask = _without_nan(a, where)
    removed = ddof if correction is None else correction
    return variance(a, axis, dtype, None, removed, keepdims, where=mask, mean=mean)


@implements(np.nanstd)
def _nanstd(
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
    refuse_out("nanstd", out)
    return flat_sqrt(
        _nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    )


# --- the largest and the smallest


def _extreme(name: str, reduction: Callable[..., Array], least: float) -> Callable[..., Array]:
    def function(
        a: Array,
        axis: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Array:
        refuse_out(name, out)
        if a.dtype.kind not in "fc":
            options = {} if initial is None else {"initial": initial, "where": where}
            return reduction(a, axis=axis, keepdims=keepdims, **options)
        mask = _numbers(a, where)
        result = reduction(np.where(mask, a, least), axis=axis, keepdims=keepdims)
        result = np.where(np.any(mask, axis=axis, keepdims=keepdims), result, np.nan)
        return result if initial is None else (np.fmax if least < 0 else np.fmin)(result, initial)

    return function


implements(np.nanmax)(_extreme("nanmax", np.max, -math.inf))
implements(np.nanmin)(_extreme("nanmin", np.min, math.inf))


def _position(name: str, position: Callable[..., Array], least: float) -> Callable[..., Array]:
    def function(a: Array, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Array:
        refuse_out(name, out)
        missing = np.isnan(a)
        if isinstance(missing, (np.ndarray, np.bool_)) and np.any(np.all(missing, axis=axis)):
            raise ValueError(message(f"numpy.{name}", "each slice", "have a number", "one that is all NaN"))
        return position(np.where(missing, least, a), axis=axis, keepdims=keepdims)

    return function


implements(np.nanargmax)(_position("nanargmax", np.argmax, -math.inf))
implements(np.nanargmin)(_position("nanargmin", np.argmin, math.inf))
