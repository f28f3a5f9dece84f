"""Functions whose result has a shape that depends on values: non-zero positions, unique elements, sets.

Eager transforms know the values. They decide which elements make up the result, and the derivative
goes to those, the first of equal ones. Where values are not known, as in vmap and jit, these
functions are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.primitive import implements
from transforms.primitives.known_values import known_values
from transforms.types import Array


def _values(name: str, x: Any, substitute: str) -> Array:
    return known_values(f"numpy.{name}", "the shape of the result", x, substitute)


# --- positions of what is not zero

_MASK = "use np.where(condition, x, otherwise), which keeps the shape"


@implements(np.nonzero)
def _nonzero(a: Array) -> tuple[Array, ...]:
    return np.nonzero(_values("nonzero", a, _MASK))


@implements(np.flatnonzero)
def _flatnonzero(a: Array) -> Array:
    return np.flatnonzero(_values("flatnonzero", a, _MASK))


@implements(np.argwhere)
def _argwhere(a: Array) -> Array:
    return np.argwhere(_values("argwhere", a, _MASK))


# --- unique elements

_SORT = "use np.sort(x) and compare neighbours, which keeps the shape"


@implements(np.unique)
def _unique(
    ar: Array,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    values = _values("unique", ar, _SORT)
    _, index, inverse, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan
    )
    elements = np.take(ar.reshape(-1) if axis is None else ar, index, axis=axis or 0)
    chosen = zip((index, inverse, counts), (return_index, return_inverse, return_counts), strict=True)
    extras = [extra for extra, wanted in chosen if wanted]
    return (elements, *extras) if extras else elements


def _result_type(name: str) -> Any:
    """Return the named tuple that a function of the array standard gives."""
    return type(getattr(np, name)(np.zeros(0)))


@implements(np.unique_all)
def _unique_all(x: Array, /) -> Any:
    return _result_type("unique_all")(
        *np.unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    )


@implements(np.unique_counts)
def _unique_counts(x: Array, /) -> Any:
    return _result_type("unique_counts")(*np.unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def _unique_inverse(x: Array, /) -> Any:
    return _result_type("unique_inverse")(*np.unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_values)
def _unique_values(x: Array, /) -> Array:
    return np.unique(x, equal_nan=False)


# --- sets


def _flat(x: Any) -> Array:
    return as_array(x).reshape(-1)


_ISIN = "use np.isin(a, b), which keeps the shape"


@implements(np.union1d)
def _union1d(ar1: Array, ar2: Array) -> Array:
    return np.unique(np.concatenate([_flat(ar1), _flat(ar2)]))


@implements(np.intersect1d)
def _intersect1d(ar1: Array, ar2: Array, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The elements are those of the first array, and so is the derivative."""
    first, second = (_values("intersect1d", x, _ISIN) for x in (ar1, ar2))
    _, here, there = np.intersect1d(first, second, assume_unique=assume_unique, return_indices=True)
    common = np.take(_flat(ar1), here, axis=0)
    return (common, here, there) if return_indices else common


@implements(np.setdiff1d)
def _setdiff1d(ar1: Array, ar2: Array, assume_unique: bool = False) -> Array:
    unique = _flat(ar1) if assume_unique else np.unique(ar1)
    own, others = (_values("setdiff1d", x, _ISIN) for x in (unique, ar2))
    return np.take(unique, np.flatnonzero(np.isin(own, others, invert=True)), axis=0)


@implements(np.setxor1d)
def _setxor1d(ar1: Array, ar2: Array, assume_unique: bool = False) -> Array:
    parts = [_flat(x) if assume_unique else np.unique(x) for x in (ar1, ar2)]
    both = np.concatenate(parts)
    _, index, counts = np.unique(
        _values("setxor1d", both, _ISIN), return_index=True, return_counts=True, equal_nan=False
    )
    return np.take(both, index[counts == 1], axis=0)


@implements(np.isin)
def _isin(
    element: Array,
    test_elements: Array,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> Array:
    element = as_array(element)
    ordered = np.sort(_flat(test_elements))
    if ordered.size == 0:
        return np.broadcast_to(np.bool_(invert), element.shape)
    place = np.minimum(np.searchsorted(ordered, element), ordered.size - 1)
    found = np.take_along_axis(ordered, place.reshape(-1), 0).reshape(place.shape) == element
    return ~found if invert else found
