"""NumPy's functions that make arrays, called with ``like=`` a traced array.

Of most of them the result does not depend on what it is like: it is plain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from transforms.compositions import creation
from transforms.compositions.creation import asarray
from transforms.primitive import implements
from transforms.types import Array


@implements(np.array)
def _array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
) -> Array:
    x = creation.array(object, dtype)
    return x.reshape((1,) * max(ndmin - x.ndim, 0) + x.shape)


@implements(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def _asarray(
    a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None
) -> Array:
    return asarray(a, dtype)


@implements(np.require)
def _require(a: Any, dtype: Any = None, requirements: Any = None) -> Array:
    # Requirements are about the memory of an array, and a traced one shows none.
    return asarray(a, dtype)


@implements(np.full)
def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None) -> Array:
    return creation.full(shape, fill_value, dtype)


@implements(np.arange)
def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None) -> Array:
    return creation.arange(start, stop, step, dtype)


@implements(np.fromfunction)
def _fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    return np.fromfunction(function, shape, dtype=dtype, **kwargs)


def _make_plain(function: Any) -> None:
    implements(function)(lambda *args, **kwargs: function(*args, **kwargs))


for _function in (np.empty, np.zeros, np.ones, np.eye, np.identity, np.tri):
    _make_plain(_function)
