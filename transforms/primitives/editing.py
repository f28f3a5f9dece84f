"""Functions that put elements into an array, or leave some out: `insert`, `delete`, `trim_zeros`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.indexing import plain_mask
from transforms.types import Array


@implements(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    arr, values = as_array(arr), as_array(values).astype(as_array(arr).dtype)
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = normalize_axis_index(axis, arr.ndim)
    length = arr.shape[axis]
    places = np.arange(*obj.indices(length)) if isinstance(obj, slice) else np.asarray(obj)
    if places.dtype == bool:
        places = np.flatnonzero(places)
    if places.size == 1:
        values = values.reshape((1,) * (arr.ndim - values.ndim) + values.shape)
        if not places.ndim:
            values = np.moveaxis(values, 0, axis)
        places = np.repeat(places.reshape(-1), values.shape[axis])
    places = places.astype(np.intp)
    count = places.shape[0]
    values = np.broadcast_to(values, (*arr.shape[:axis], count, *arr.shape[axis + 1 :]))
    order = np.insert(np.arange(length), places, length + np.arange(count))
    return np.take(np.concatenate([arr, values], axis), order, axis=axis)


@implements(np.delete)
def _delete(arr: Array, obj: Any, axis: int | None = None) -> Array:
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = normalize_axis_index(axis, arr.ndim)
    return np.take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis=axis)


@implements(np.trim_zeros)
def _trim_zeros(filt: Array, trim: str = "fb", axis: Any = None) -> Array:
    sides = trim.lower()
    if sides not in ("f", "b", "fb", "bf"):
        raise ValueError(message("trim_zeros", "trim", "be made of 'f' and 'b'", repr(trim)))
    axes = range(filt.ndim) if axis is None else normalize_axis_tuple(axis, filt.ndim)
    places = plain_mask("trim_zeros", filt).nonzero()
    index = [slice(None)] * filt.ndim
    for i in axes:
        if not places[i].size:
            index[i] = slice(0, 0)
            continue
        start = int(places[i].min()) if "f" in sides else None
        stop = int(places[i].max()) + 1 if "b" in sides else None
        index[i] = slice(start, stop)
    return filt[tuple(index)]
