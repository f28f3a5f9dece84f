"""Reductions: sum, product, largest and smallest element, any, all, and where an extreme stands."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from transforms.errors import ShapeError, message
from transforms.primitive import DerivativeRules, Primitive, implements
from transforms.primitives.declare import CONSTANT
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape

Axes = tuple[int, ...]


def normalize_axes(axis: Any, rank: int) -> Axes:
    """Return the axes that NumPy means by ``axis``, sorted and not negative."""
    if axis is None:
        return tuple(range(rank))
    if axis.__class__ is int:
        return (normalize_axis_index(axis, rank),)
    return tuple(sorted(normalize_axis_tuple(axis, rank)))


def reduced_shape(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """Return the shape that is left of ``shape`` when ``axes`` are reduced."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def restore_axes(x: Array, shape: Shape, axes: Axes, keepdims: bool) -> Array:
    """Give a reduced array its axes back, with length one, so that it broadcasts to ``shape``."""
    return x if keepdims else x.reshape(reduced_shape(shape, axes, keepdims=True))


def _declare(
    name: str, ufunc: np.ufunc, *, jvp: DerivativeRules, vjp: DerivativeRules, constant: bool = False
) -> Primitive:
    """Declare the reduction by a ufunc over ``axes``; ``keepdims`` keeps them with length one."""

    @functools.cache
    def reduced_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
        return np.asarray(ufunc.reduce(np.ones(1, dtype))).dtype

    def batch(
        size: int, operands: Sequence[Array], batch_axes: Sequence[int], axes: Axes, keepdims: bool
    ) -> tuple[Array, int]:
        (x,), (batch_axis,) = operands, batch_axes
        moved = tuple(axis + (axis >= batch_axis) for axis in axes)
        out_axis = batch_axis if keepdims else batch_axis - sum(axis < batch_axis for axis in moved)
        return bind(primitive, x, axes=moved, keepdims=keepdims), out_axis

    primitive = Primitive(
        name,
        lambda x, axes, keepdims: ufunc.reduce(x, axis=axes, keepdims=keepdims),
        infer=lambda x, axes, keepdims: ArrayType(
            reduced_shape(x.shape, axes, keepdims), reduced_dtype(x.dtype)
        ),
        jvp=jvp,
        vjp=vjp,
        batch=batch,
        constant=constant,
    )
    return primitive


# --- sum

_ADD: np.ufunc = np.add  # whose stubs know no tracers

sum_p = _declare(
    "sum",
    np.add,
    jvp=(lambda tangent, _out, _x, axes, keepdims: _ADD.reduce(tangent, axis=axes, keepdims=keepdims),),
    vjp=(
        lambda cotangent, _out, x_type, axes, keepdims: restore_axes(cotangent, x_type.shape, axes, keepdims),
    ),
)

# --- product: no rule divides by an element, so any number of them may be zero


def merge_axes(x: Array, axes: Axes) -> tuple[Array, Callable[[Array], Array]]:
    """Merge axes of an array into one, the last, and return what undoes it."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    order = (*kept, *axes)
    moved = x.transpose(order)
    lengths = moved.shape
    inverse = tuple(sorted(range(x.ndim), key=order.__getitem__))
    return (
        moved.reshape((*lengths[: len(kept)], int(np.prod(lengths[len(kept) :], dtype=int)))),
        lambda merged: merged.reshape(lengths).transpose(inverse),
    )


def _product_of_others(x: Array, axes: Axes) -> Array:
    """Return for each element the product of all others that are reduced with it.

    It is the product of those before times the product of those after, both from one running product.
    """
    merged, undo = merge_axes(x, axes)
    if merged.shape[-1] == 0:
        return x
    one = np.ones((*merged.shape[:-1], 1), merged.dtype)
    before = np.multiply.accumulate(np.concatenate([one, merged[..., :-1]], -1), axis=-1)
    after = np.multiply.accumulate(np.concatenate([one, merged[..., :0:-1]], -1), axis=-1)[..., ::-1]
    return undo(before * after)


prod_p = _declare(
    "prod",
    np.multiply,
    jvp=(
        lambda tangent, _out, x, axes, keepdims: _ADD.reduce(
            tangent * _product_of_others(x, axes), axis=axes, keepdims=keepdims
        ),
    ),
    vjp=(
        lambda cotangent, _out, x, axes, keepdims: (
            restore_axes(cotangent, x.shape, axes, keepdims) * _product_of_others(x, axes)
        ),
    ),
)

# --- the largest and the smallest: ties share the derivative equally


def attains(x: Array, extreme: Array) -> Array:
    """Say which elements are an extreme, which is NaN wherever one of its elements is."""
    return (x == extreme) | (x != x)


def _ties(x: Array, out: Array, axes: Axes, keepdims: bool, dtype: Any) -> tuple[Array, Array]:
    """Say which elements are the extreme, and how many."""
    mask = attains(x, restore_axes(out, x.shape, axes, keepdims))
    return mask, _ADD.reduce(mask, axis=axes, keepdims=keepdims, dtype=dtype)


def _push_extreme(tangent: Array, out: Array, x: Array, axes: Axes, keepdims: bool) -> Array:
    mask, count = _ties(x, out, axes, keepdims, tangent.dtype)
    return _ADD.reduce(tangent * mask, axis=axes, keepdims=keepdims) / count


def _pull_extreme(cotangent: Array, out: Array, x: Array, axes: Axes, keepdims: bool) -> Array:
    mask, count = _ties(x, out, axes, keepdims, cotangent.dtype)
    return restore_axes(cotangent / count, x.shape, axes, keepdims) * mask


max_p = _declare("max", np.maximum, jvp=(_push_extreme,), vjp=(_pull_extreme,))
min_p = _declare("min", np.minimum, jvp=(_push_extreme,), vjp=(_pull_extreme,))

any_p = _declare("any", np.logical_or, jvp=CONSTANT, vjp=CONSTANT, constant=True)
all_p = _declare("all", np.logical_and, jvp=CONSTANT, vjp=CONSTANT, constant=True)

# --- NumPy's functions


def _reduce(primitive: Primitive, a: Array, axis: Any, keepdims: bool) -> Array:
    return bind(primitive, a, axes=normalize_axes(axis, a.ndim), keepdims=bool(keepdims))


def _accumulating(name: str, primitive: Primitive, combine: np.ufunc, neutral: int) -> Callable[..., Array]:
    """Return the NumPy function of a reduction that has a neutral element."""

    def reduction(
        a: Array,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Array:
        refuse_out(name, out)
        if dtype is not None:
            a = a.astype(dtype)
        if where is not True:
            a = np.where(where, a, neutral)
        result = _reduce(primitive, a, axis, keepdims)
        return result if initial is None else combine(result, initial)

    return reduction


reduce_sum = implements(np.sum)(_accumulating("sum", sum_p, np.add, 0))
reduce_prod = implements(np.prod)(_accumulating("prod", prod_p, np.multiply, 1))


def _extreme(name: str, primitive: Primitive, combine: np.ufunc) -> Callable[..., Array]:
    def reduction(
        a: Array,
        axis: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Array:
        refuse_out(name, out)
        axes = normalize_axes(axis, a.ndim)
        if where is not True:
            if initial is None:
                raise ValueError(
                    message(f"numpy.{name}", "initial", "be given together with where=", None, "name it")
                )
            a = np.where(where, a, initial)
        if 0 in a.shape and any(a.shape[i] == 0 for i in axes):
            if initial is None:
                raise no_extreme(name, a.shape)
            return np.zeros(reduced_shape(a.shape, axes, bool(keepdims)), a.dtype) + initial
        result = bind(primitive, a, axes=axes, keepdims=bool(keepdims))
        return result if initial is None else combine(result, initial)

    return reduction


def no_extreme(name: str, shape: Shape) -> ShapeError:
    """Return the error for an extreme of no elements."""
    return ShapeError(
        message(f"numpy.{name}", "the reduced axes", "have at least one element", f"shape {shape}")
    )


reduce_max = implements(np.max, np.amax)(_extreme("max", max_p, np.maximum))
reduce_min = implements(np.min, np.amin)(_extreme("min", min_p, np.minimum))


def _logical(name: str, primitive: Primitive, neutral: bool) -> Callable[..., Array]:
    def reduction(
        a: Array, axis: Any = None, out: None = None, keepdims: bool = False, *, where: Any = True
    ) -> Array:
        refuse_out(name, out)
        if where is not True:
            a = np.where(where, a != 0, neutral)
        return _reduce(primitive, a, axis, keepdims)

    return reduction


reduce_any = implements(np.any)(_logical("any", any_p, False))
reduce_all = implements(np.all)(_logical("all", all_p, True))


@implements(np.count_nonzero)
def _count_nonzero(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    return np.sum(a != 0, axis=axis, keepdims=keepdims)


@implements(np.ptp)
def _ptp(a: Array, axis: Any = None, out: None = None, keepdims: bool = False) -> Array:
    refuse_out("ptp", out)
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# --- where the largest and the smallest stand


def _position(name: str, function: Callable[..., Array]) -> Callable[..., Array]:
    """Declare a primitive that gives the first position of an extreme along one axis."""

    def batch(
        size: int, operands: Sequence[Array], batch_axes: Sequence[int], axis: int, keepdims: bool
    ) -> tuple[Array, int]:
        (x,), (batch_axis,) = operands, batch_axes
        moved = axis + (axis >= batch_axis)
        out_axis = batch_axis - (not keepdims and moved < batch_axis)
        return bind(primitive, x, axis=moved, keepdims=keepdims), out_axis

    primitive = Primitive(
        name,
        lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims),
        infer=lambda x, axis, keepdims: ArrayType(reduced_shape(x.shape, (axis,), keepdims), np.intp),
        jvp=CONSTANT,
        vjp=CONSTANT,
        batch=batch,
        constant=True,
    )

    @implements(function)
    def position(a: Array, axis: Any = None, out: None = None, *, keepdims: bool = False) -> Array:
        refuse_out(name, out)
        rank = a.ndim
        if axis is None:
            a = a.reshape(-1)
        index = normalize_axis_index(0 if axis is None else axis, a.ndim)
        if a.shape[index] == 0:
            raise no_extreme(name, a.shape)
        found = bind(primitive, a, axis=index, keepdims=bool(keepdims and axis is not None))
        return found.reshape((1,) * rank) if keepdims and axis is None else found

    return position


argmax = _position("argmax", np.argmax)
argmin = _position("argmin", np.argmin)
