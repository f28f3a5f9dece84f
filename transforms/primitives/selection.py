"""Functions that choose elements: `take` and its kin by place, `select` and its kin by condition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import implements, refuse
from transforms.primitives.gathering import gather, scatter_set
from transforms.primitives.indexing import plain_mask
from transforms.primitives.shape import refuse_out
from transforms.tracer import Tracer, bind
from transforms.types import Array

# --- by place


def _within(function: str, indices: Array, length: int, mode: str) -> Array:
    """Apply what NumPy calls the mode: what to do with a place that does not exist."""
    if mode == "wrap":
        return indices % length
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), length - 1)
    if mode != "raise":
        raise ValueError(message(function, "mode", "be 'raise', 'wrap' or 'clip'", repr(mode)))
    return indices


@implements(np.take)
def _take(a: Array, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Array:
    refuse_out("take", out)
    if axis is None:
        a, axis = a.ravel(), 0
    axis = normalize_axis_index(axis, a.ndim)
    indices = _within("take", as_array(indices), a.shape[axis], mode)
    return a[(slice(None),) * axis + (indices,)]


@implements(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    arr, indices = as_array(arr), as_array(indices)
    if axis is None:
        arr, axis = arr.ravel(), 0
    if arr.ndim != indices.ndim:
        raise ShapeError(
            message(
                "take_along_axis",
                "the indices",
                f"have as many axes as the array, of shape {arr.shape}",
                indices.shape,
            )
        )
    axis = normalize_axis_index(axis, arr.ndim)
    rank = arr.ndim
    places = [
        indices if i == axis else np.arange(n).reshape((1,) * i + (n,) + (1,) * (rank - 1 - i))
        for i, n in enumerate(arr.shape)
    ]
    return bind(gather, arr, *places, axes=tuple(range(rank)), position=0)


@implements(np.ix_)
def _ix(*args: Any) -> tuple[Array, ...]:
    places = []
    for axis, given in enumerate(args):
        x = as_array(given)
        if x.ndim != 1:
            raise ShapeError(message("ix_", "each sequence", "have one axis", f"shape {x.shape}"))
        if x.dtype.kind == "b":
            x = np.flatnonzero(plain_mask("ix_", x))
        places.append(x.reshape((1,) * axis + x.shape + (1,) * (len(args) - 1 - axis)))
    return tuple(places)


@implements(np.choose)
def _choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Array:
    refuse_out("choose", out)
    a, *branches = np.broadcast_arrays(as_array(a), *choices)
    a = _within("choose", a, len(branches), mode)
    if isinstance(a, np.ndarray) and a.size and a.min() < 0:
        raise ValueError(message("choose", "the entries of a", f"be in [0, {len(branches)})", a.min()))
    return np.take_along_axis(np.stack(branches), np.expand_dims(a, 0), axis=0)[0]


@implements(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Array:
    refuse_out("compress", out)
    return np.take(as_array(a), np.flatnonzero(plain_mask("compress", condition)), axis=axis)


@implements(np.extract)
def _extract(condition: Any, arr: Any) -> Array:
    return np.take(as_array(arr), np.flatnonzero(plain_mask("extract", condition)))


# --- by condition


@implements(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    conditions, choices = list(condlist), list(choicelist)
    if len(conditions) != len(choices) or not conditions:
        raise ValueError(
            message(
                "select",
                "conditions and choices",
                "be equally many, and some",
                (len(conditions), len(choices)),
            )
        )
    dtype = np.result_type(*choices, default)
    result = as_array(default).astype(dtype)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        if as_array(condition).dtype != bool:
            raise TypeError(
                message("select", "a condition", "be an array of booleans", as_array(condition).dtype)
            )
        result = np.where(condition, as_array(choice).astype(dtype), result)
    return result


@implements(np.piecewise)
def _piecewise(x: Array, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Array:
    conditions = _conditions(x, condlist, len(funclist))
    result = np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        if isinstance(condition, Tracer):
            # Where a condition has no values yet, each function sees all of x: its derivative must be
            # finite where it is not chosen.
            piece = function(x, *args, **kw) if callable(function) else function
            result = np.where(condition, as_array(piece).astype(x.dtype), result)
            continue
        places = condition.nonzero()
        if not places[0].size:
            continue
        piece = as_array(function(x[places], *args, **kw) if callable(function) else function)
        piece = np.broadcast_to(piece.astype(x.dtype), places[0].shape)
        result = bind(
            scatter_set, result, piece, *places, axes=tuple(range(x.ndim)), position=0, shape=x.shape
        )
    return result


def _conditions(x: Array, condlist: Any, functions: int) -> list[Array]:
    """Return a condition of the shape of ``x`` for each function; that of an extra one is "otherwise"."""
    given = list(condlist) if np.iterable(condlist) else []
    if not given or (x.ndim and np.ndim(given[0]) == 0):
        given = [condlist]
    conditions = [np.broadcast_to(as_array(c).astype(bool), x.shape) for c in given]
    if functions == len(conditions) + 1:
        taken = conditions[0]
        for condition in conditions[1:]:
            taken = taken | condition
        conditions.append(~taken)
    elif functions != len(conditions):
        raise ValueError(
            message("piecewise", "the functions", f"be {len(conditions)} or {len(conditions) + 1}", functions)
        )
    return conditions


for _function, _substitute in (
    (np.put, "transforms.at(a.ravel())[indices].set(values).reshape(a.shape)"),
    (np.put_along_axis, "transforms.at(a)[...].set(values), with an index array for each axis"),
    (np.place, "transforms.at(a)[mask].set(values), or np.where(mask, values, a)"),
    (np.putmask, "np.where(mask, values, a)"),
):
    refuse(_function, "it writes in place", f"write {_substitute}, which is a new array")
