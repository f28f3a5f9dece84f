"""Median and quantiles, as compositions of sort and take.

Where values tie, the derivative goes by the stable order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import RefusedError, message
from transforms.primitive import implements
from transforms.primitives.reduction import Axes, merge_axes, normalize_axes
from transforms.primitives.shape import refuse_out
from transforms.tracer import Tracer
from transforms.types import Array


def _sorted_first(name: str, a: Array, axes: Axes) -> Array:
    """Merge the reduced axes into one, put it first, and sort along it; NaN comes last."""
    if a.dtype.kind == "c":
        raise TypeError(message(f"numpy.{name}", "the array", "be real", a.dtype))
    merged = np.moveaxis(merge_axes(a, axes)[0], -1, 0)
    if merged.shape[0] == 0:
        raise ValueError(
            message(f"numpy.{name}", "the reduced axes", "have at least one element", f"shape {a.shape}")
        )
    return np.sort(merged, axis=0)


def _count_numbers(ordered: Array) -> Array:
    """Return how many elements along axis 0 are numbers, with the axis kept."""
    return np.sum(~np.isnan(ordered), axis=0, keepdims=True)


def _pick(ordered: Array, index: Any) -> Array:
    """Return the elements at positions along axis 0, which may differ from place to place."""
    if isinstance(index, np.ndarray) and index.size == index.shape[0]:
        return np.take(ordered, index.reshape(-1), axis=0)
    return np.take_along_axis(ordered, np.broadcast_to(index, (index.shape[0], *ordered.shape[1:])), axis=0)


def _restore(result: Array, shape: tuple[int, ...], axes: Axes, keepdims: bool) -> Array:
    """Give the reduced axes back, after those that ``result`` has more than the array's others."""
    if not keepdims:
        return result
    more = result.ndim - (len(shape) - len(axes))
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return result.reshape(result.shape[:more] + kept)


# --- median


def _median_of(name: str, *, skip_nan: bool) -> Callable[..., Array]:
    def median(
        a: Array, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
    ) -> Array:
        refuse_out(name, out)
        axes = normalize_axes(axis, a.ndim)
        ordered = _sorted_first(name, a, axes)
        if ordered.dtype.kind in "biu":
            ordered = ordered.astype(np.float64)
        count = _count_numbers(ordered) if skip_nan else np.full((1,) * ordered.ndim, len(ordered))
        # Where there is no number, both positions are 0, and there stands NaN.
        low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)
        middle = (_pick(ordered, low)[0] + _pick(ordered, high)[0]) * 0.5
        if not skip_nan:
            middle = np.where(np.isnan(ordered[-1]), np.nan, middle)
        # A Python number makes float32 of bfloat16.
        return _restore(middle.astype(ordered.dtype), a.shape, axes, keepdims)

    return median


implements(np.median)(_median_of("median", skip_nan=False))
implements(np.nanmedian)(_median_of("nanmedian", skip_nan=True))

# --- quantiles

# R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages (1996), doi:10.2307/2684934: the quantile
# stands at the position n q + alpha + q (1 - alpha - beta) - 1 among the n ordered elements.
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _step_inverted_cdf(n: Any, q: Array) -> tuple[Array, Array]:
    return np.ceil(n * q) - 1, np.zeros_like(q)


def _step_averaged(n: Any, q: Array) -> tuple[Array, Array]:
    place = n * q
    below = np.floor(place)
    return below - 1, np.where(place == below, 0.5, 1.0)


def _step_closest(n: Any, q: Array) -> tuple[Array, Array]:
    place = n * q - 0.5
    below = np.floor(place)
    return below - ((place == below) & (below % 2 == 0)), np.zeros_like(q)


def _step_nearest(n: Any, q: Array) -> tuple[Array, Array]:
    return np.round((n - 1) * q), np.zeros_like(q)


_STEPPED: dict[str, Callable[[Any, Array], tuple[Array, Array]]] = {
    "inverted_cdf": _step_inverted_cdf,
    "averaged_inverted_cdf": _step_averaged,
    "closest_observation": _step_closest,
    "lower": lambda n, q: (np.floor((n - 1) * q), np.zeros_like(q)),
    "higher": lambda n, q: (np.ceil((n - 1) * q), np.zeros_like(q)),
    "midpoint": lambda n, q: (
        np.floor((n - 1) * q),
        np.where((n - 1) * q == np.floor((n - 1) * q), 0.0, 0.5),
    ),
    "nearest": _step_nearest,
}


def _place(name: str, method: str, n: Any, q: Array) -> tuple[Array, Array]:
    """Return the position below the quantile, and how far it is on the way to the next."""
    if method in _STEPPED:
        return _STEPPED[method](n, q)
    if method not in _CONTINUOUS:
        known = ", ".join(sorted({*_CONTINUOUS, *_STEPPED}))
        raise ValueError(message(f"numpy.{name}", "method", f"be one of {known}", repr(method)))
    if method == "linear":
        place = (n - 1) * q  # free of the rounding of the general form
    else:
        alpha, beta = _CONTINUOUS[method]
        place = np.clip(n * q + (alpha + q * (1 - alpha - beta)) - 1, 0, n - 1)
    below = np.floor(place)
    return below, place - below


def _quantile_of(name: str, *, skip_nan: bool, whole: int) -> Callable[..., Array]:
    def quantile(
        a: Array,
        q: Any,
        axis: Any = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        *,
        weights: None = None,
    ) -> Array:
        refuse_out(name, out)
        if weights is not None:
            raise RefusedError(
                f"numpy.{name}: weights must not be given with a traced operand, got some; write it with "
                "np.argsort, np.cumsum and np.searchsorted"
            )
        a = as_array(a)
        axes = normalize_axes(axis, a.ndim)
        ordered = _sorted_first(name, a, axes)
        levels = _levels(name, q, whole)
        column = levels.reshape((-1,) + (1,) * (ordered.ndim - 1))
        count = np.maximum(_count_numbers(ordered), 1) if skip_nan else len(ordered)
        below, fraction = _place(name, method, count, column)
        low, high = (np.clip(place, 0, count - 1).astype(np.intp) for place in (below, below + 1))
        if isinstance(q, (int, float)) and not isinstance(q, np.generic) and a.dtype.kind == "f":
            fraction = fraction.astype(a.dtype)
        result = _interpolate(_pick(ordered, low), _pick(ordered, high), fraction, method)
        if not skip_nan:
            result = np.where(np.isnan(ordered[-1]), np.nan, result)
        return _restore(result.reshape(levels.shape + ordered.shape[1:]), a.shape, axes, keepdims)

    return quantile


def _interpolate(low: Array, high: Array, fraction: Array, method: str) -> Array:
    if method in ("inverted_cdf", "closest_observation", "lower", "higher", "nearest"):
        return low
    return low + (high - low) * fraction


def _levels(name: str, q: Any, whole: int) -> Array:
    """Return the levels as an array of fractions of the whole."""
    if not isinstance(q, Tracer):
        q = np.asarray(q)
        if not np.all((q >= 0) & (q <= whole)):
            raise ValueError(message(f"numpy.{name}", "q", f"lie in [0, {whole}]", q.tolist()))
    return q if whole == 1 else q / whole


implements(np.quantile)(_quantile_of("quantile", skip_nan=False, whole=1))
implements(np.nanquantile)(_quantile_of("nanquantile", skip_nan=True, whole=1))
implements(np.percentile)(_quantile_of("percentile", skip_nan=False, whole=100))
implements(np.nanpercentile)(_quantile_of("nanpercentile", skip_nan=True, whole=100))
