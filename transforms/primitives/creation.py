"""Functions that make an array like another one, or copy it."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.primitive import implements, refuse
from transforms.types import Array, ArrayType


def _like(a: Array, dtype: Any, shape: Any) -> ArrayType:
    if shape is None:
        shape = a.shape
    elif isinstance(shape, (int, np.integer)):
        shape = (shape,)
    return ArrayType(tuple(shape), a.dtype if dtype is None else dtype)


@implements(np.zeros_like)
def _zeros_like(
    a: Array,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    return np.zeros(*_like(a, dtype, shape))


@implements(np.ones_like)
def _ones_like(
    a: Array,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    return np.ones(*_like(a, dtype, shape))


@implements(np.empty_like)
def _empty_like(
    prototype: Array,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    return np.empty(*_like(prototype, dtype, shape))


@implements(np.full_like)
def _full_like(
    a: Array,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    target = _like(a, dtype, shape)
    return np.broadcast_to(as_array(fill_value).astype(target.dtype), target.shape)


@implements(np.copy)
def _copy(a: Array, order: str = "K", subok: bool = False) -> Array:
    # Nothing can change a traced array, so it is its own copy.
    return a


# `np.full` and `np.full_like` of a plain array call it, and without an error their result would be
# uninitialised memory.
refuse(
    np.copyto,
    "it writes in place (np.full and np.full_like do so, too)",
    "write np.broadcast_to(value, shape), or np.where(mask, value, array)",
)
