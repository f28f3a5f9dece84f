"""Sorting, searching, and what follows from the order of elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.boundary import as_array
from transforms.errors import ShapeError, message
from transforms.primitive import Primitive, implements
from transforms.primitives.declare import CONSTANT, move_axis
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType

# --- sort and argsort


def _batch_along(primitive: Primitive) -> Callable[..., Any]:
    """Return the batching rule of a primitive that treats the rows along ``axis`` one by one."""

    def batch(
        size: int, operands: Sequence[Array], batch_axes: Sequence[int], axis: int, **attributes: Any
    ) -> tuple[Array, int]:
        (x,), (batch_axis,) = operands, batch_axes
        return bind(primitive, x, axis=axis + (axis >= batch_axis), **attributes), batch_axis

    return batch


def _stable_order(x: Array, axis: int) -> Array:
    return bind(argsort, x, axis=axis, stable=True)


# The derivative goes where the element went, and among equal elements by the stable order.
sort: Primitive = Primitive(
    "sort",
    lambda x, axis: np.sort(x, axis=axis),
    infer=lambda x, axis: ArrayType(x.shape, x.dtype),
    jvp=(lambda tangent, _out, x, axis: np.take_along_axis(tangent, _stable_order(x, axis), axis),),
    vjp=(
        lambda cotangent, _out, x, axis: np.take_along_axis(
            cotangent, _stable_order(_stable_order(x, axis), axis), axis
        ),
    ),
    batch=lambda *args, **attributes: _batch_along(sort)(*args, **attributes),
)

argsort: Primitive = Primitive(
    "argsort",
    lambda x, axis, stable: np.argsort(x, axis=axis, kind="stable" if stable else None),
    infer=lambda x, axis, stable: ArrayType(x.shape, np.intp),
    jvp=CONSTANT,
    vjp=CONSTANT,
    batch=lambda *args, **attributes: _batch_along(argsort)(*args, **attributes),
    constant=True,
)


def _flatten_unless(a: Array, axis: int | None) -> tuple[Array, int]:
    """Return an array and one of its axes, where None stands for the flattened array's only one."""
    if axis is None:
        return a.reshape(-1), 0
    return a, normalize_axis_index(axis, a.ndim)


def _refuse_order(name: str, order: Any) -> None:
    if order is not None:
        raise ValueError(
            message(f"numpy.{name}", "order", "be None, as a traced array has no named fields", order)
        )


@implements(np.sort)
def _sort(
    a: Array,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    stable: bool | None = None,
) -> Array:
    _refuse_order("sort", order)
    a, axis = _flatten_unless(a, axis)
    return bind(sort, a, axis=axis)


@implements(np.argsort)
def _argsort(
    a: Array,
    axis: int | None = -1,
    kind: str | None = None,
    order: None = None,
    *,
    stable: bool | None = None,
) -> Array:
    _refuse_order("argsort", order)
    a, axis = _flatten_unless(a, axis)
    return bind(argsort, a, axis=axis, stable=bool(stable) or kind in ("stable", "mergesort"))


@implements(np.partition)
def _partition(
    a: Array, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None
) -> Array:
    """A sorted array is partitioned at every position."""
    _refuse_order("partition", order)
    _check_positions("partition", a, kth, axis)
    return np.sort(a, axis)


@implements(np.argpartition)
def _argpartition(
    a: Array, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None
) -> Array:
    _refuse_order("argpartition", order)
    _check_positions("argpartition", a, kth, axis)
    return np.argsort(a, axis, stable=True)


def _check_positions(name: str, a: Array, kth: Any, axis: int | None) -> None:
    length = a.size if axis is None else a.shape[axis]
    if not isinstance(kth, Tracer) and np.any((np.asarray(kth) >= length) | (np.asarray(kth) < -length)):
        raise ValueError(message(f"numpy.{name}", "kth", f"lie in [{-length}, {length})", kth))


@implements(np.lexsort)
def _lexsort(keys: Any, axis: int = -1) -> Array:
    """Sort by each key in turn, the last and most important at the end: a stable sort keeps the rest."""
    first, *others = keys
    first = as_array(first)
    axis = normalize_axis_index(axis, first.ndim)
    order = np.argsort(first, axis, stable=True)
    for key in others:
        key = as_array(key)
        by_key = np.argsort(np.take_along_axis(key, order, axis), axis, stable=True)
        order = np.take_along_axis(order, by_key, axis)
    return order


@implements(np.sort_complex)
def _sort_complex(a: Array) -> Array:
    ordered = np.sort(a)
    if ordered.dtype.kind == "c":
        return ordered
    return ordered.astype(np.complex64 if ordered.dtype.char in "bhBH" else np.complex128)


# --- searchsorted


def _search(a: Array, v: Array, side: str) -> Array:
    return np.asarray(np.searchsorted(a, v, side=side))  # type: ignore[call-overload]


def _before(x: Array, y: Array) -> Array:
    """Say whether ``x`` sorts before ``y``; NaN sorts last."""
    return (x < y) | ((y != y) & (x == x))


def _bisect(rows: Array, values: Array, side: str) -> Array:
    """Search each row of a matrix for the values in the same row of another, by halving."""
    length = rows.shape[1]
    low = np.zeros(values.shape, np.intp)
    high = np.full(values.shape, length, np.intp)
    for _ in range(length.bit_length()):
        middle = (low + high) // 2
        element = np.take_along_axis(rows, np.minimum(middle, length - 1), 1)
        further = _before(element, values) if side == "left" else ~_before(values, element)
        further = further & (middle < high)
        low, high = np.where(further, middle + 1, low), np.where(further, high, middle)
    return low


def _batch_searchsorted(
    size: int, operands: Sequence[Array], batch_axes: Sequence[int | None], side: str
) -> tuple[Array, int]:
    (a, v), (a_axis, v_axis) = operands, batch_axes
    if a_axis is None:
        assert v_axis is not None
        return bind(searchsorted, a, v, side=side), v_axis
    rows = move_axis(a, a_axis, 0)
    values = np.broadcast_to(v, (size, *np.shape(v))) if v_axis is None else move_axis(v, v_axis, 0)
    found = _bisect(rows, values.reshape((size, -1)), side)
    return found.reshape(values.shape), 0


searchsorted = Primitive(
    "searchsorted",
    _search,
    infer=lambda a, v, side: ArrayType(getattr(v, "shape", ()), np.intp),
    jvp=CONSTANT,
    vjp=CONSTANT,
    batch=_batch_searchsorted,
    constant=True,
)


@implements(np.searchsorted)
def _searchsorted(a: Array, v: Array, side: str = "left", sorter: Array | None = None) -> Array:
    a = as_array(a)
    if a.ndim != 1:
        raise ShapeError(
            message("numpy.searchsorted", "the sorted array", "have one axis", f"shape {a.shape}")
        )
    if side not in ("left", "right"):
        raise ValueError(message("numpy.searchsorted", "side", "be 'left' or 'right'", repr(side)))
    if sorter is not None:
        a = np.take_along_axis(a, as_array(sorter), 0)
    return bind(searchsorted, a, as_array(v), side=side)


@implements(np.digitize)
def _digitize(x: Array, bins: Array, right: bool = False) -> Array:
    if not isinstance(bins, Tracer):
        steps = np.diff(bins)
        if np.any(steps < 0) and np.any(steps > 0):
            raise ValueError(message("numpy.digitize", "bins", "rise or fall", np.asarray(bins).tolist()))
    side: Any = "left" if right else "right"
    increasing = np.searchsorted(bins, x, side)
    if len(bins) < 2:
        return increasing
    decreasing = len(bins) - np.searchsorted(bins[::-1], x, side)
    return np.where(bins[0] <= bins[-1], increasing, decreasing)
