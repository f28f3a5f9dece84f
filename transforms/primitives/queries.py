"""Questions about shapes and dtypes, and comparisons of whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.primitive import implements
from transforms.tracer import Tracer
from transforms.types import Array


@implements(np.shape)
def _shape(a: Array) -> tuple[int, ...]:
    return a.shape  # type: ignore[no-any-return]


@implements(np.ndim)
def _ndim(a: Array) -> int:
    return a.ndim  # type: ignore[no-any-return]


@implements(np.size)
def _size(a: Array, axis: Any = None) -> int:
    if axis is None:
        return a.size  # type: ignore[no-any-return]
    return np.size(np.broadcast_to(0, a.shape), axis)


def _dtype_of(x: Any) -> Any:
    return x.dtype if isinstance(x, Tracer) else x


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    return np.result_type(*map(_dtype_of, arrays_and_dtypes))


@implements(np.can_cast)
def _can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(_dtype_of(from_), _dtype_of(to), casting)


@implements(np.min_scalar_type)
def _min_scalar_type(a: Array) -> np.dtype[Any]:
    return a.dtype  # type: ignore[no-any-return]


@implements(np.common_type)
def _common_type(*arrays: Any) -> Any:
    return np.common_type(*(np.empty(0, as_array(x).dtype) for x in arrays))


@implements(np.iscomplexobj)
def _iscomplexobj(x: Array) -> bool:
    return x.dtype.kind == "c"  # type: ignore[no-any-return]


@implements(np.isrealobj)
def _isrealobj(x: Array) -> bool:
    return x.dtype.kind != "c"  # type: ignore[no-any-return]


@implements(np.may_share_memory, np.shares_memory)
def _shares_memory(a: Any, b: Any, /, max_work: Any = None) -> bool:
    # A traced array cannot be changed, so nobody can tell whether it shares memory.
    return False


# --- comparisons; under `stage` and `vmap` their results are traced, too


@implements(np.isclose)
def _isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    a, b = as_array(a), as_array(b)
    with np.errstate(invalid="ignore"):  # of infinities
        near = (np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b)
    close = near | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


@implements(np.allclose)
def _allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    return np.all(_isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    a1, a2 = as_array(a1), as_array(a2)
    return a1.shape == a2.shape and np.all(_equal(a1, a2, equal_nan))


@implements(np.array_equiv)
def _array_equiv(a1: Any, a2: Any) -> Array:
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return np.all(a1 == a2)


def _equal(a1: Array, a2: Array, equal_nan: bool) -> Array:
    equal = a1 == a2
    return equal | ((a1 != a1) & (a2 != a2)) if equal_nan else equal
