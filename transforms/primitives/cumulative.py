"""Running results along an axis: sum, product, largest and smallest, and the linear recurrence.

Each has a ``reverse`` form, which runs from the end, because the adjoint of a running result runs
the other way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from transforms.errors import message
from transforms.primitive import DerivativeRules, Joint, Primitive, implements
from transforms.primitives.declare import move_axis
from transforms.primitives.reduction import attains
from transforms.primitives.shape import refuse_out
from transforms.tracer import bind
from transforms.types import Array, ArrayType


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)


def _previous(x: Array, axis: int, reverse: bool, first: float) -> Array:
    """Move the elements one place on along an axis, and put ``first`` in the place that this frees."""
    if x.shape[axis] == 0:
        return x
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    filler = np.full(shape, first, x.dtype)
    if reverse:
        return np.concatenate([x[_along(axis, slice(1, None))], filler], axis)
    return np.concatenate([filler, x[_along(axis, slice(None, -1))]], axis)


def _next(x: Array, axis: int, reverse: bool) -> Array:
    return _previous(x, axis, not reverse, 0)


# --- the linear recurrence: out[k] = factor[k] * out[k - 1] + term[k]


def _evaluate_recurrence(factor: Array, term: Array, axis: int, reverse: bool) -> Array:
    """Combine stretches of doubling length, which takes as many steps as the length has binary digits."""
    out = np.empty(term.shape, np.result_type(factor, term))
    out[...] = term
    result = np.moveaxis(out, axis, 0)
    product = np.moveaxis(factor, axis, 0).copy()
    if reverse:
        result, product = result[::-1], product[::-1]
    step = 1
    while step < len(result):
        result[step:] += product[step:] * result[:-step]
        product[step:] = product[step:] * product[:-step]
        step *= 2
    return out


def _push_recurrence(
    tangents: Sequence[Array | None], out: Array, factor: Array, _term: Array, axis: int, reverse: bool
) -> Array:
    factor_tangent, term_tangent = tangents
    term = term_tangent
    if factor_tangent is not None:
        share = factor_tangent * _previous(out, axis, reverse, 0)
        term = share if term is None else share + term
    return bind(recurrence, factor, term, axis=axis, reverse=reverse)


def _pull_recurrence(
    cotangent: Array,
    out: Array,
    factor: Array,
    _term: Array,
    axis: int,
    reverse: bool,
    wanted: Sequence[int],
) -> tuple[Array | None, Array]:
    term = bind(recurrence, _next(factor, axis, reverse), cotangent, axis=axis, reverse=not reverse)
    return (term * _previous(out, axis, reverse, 0) if 0 in wanted else None), term


def _batch_recurrence(
    size: int, operands: Sequence[Array], batch_axes: Sequence[int | None], axis: int, reverse: bool
) -> tuple[Array, int]:
    factor, term = (
        np.broadcast_to(x, (size, *x.shape)) if batch_axis is None else move_axis(x, batch_axis, 0)
        for x, batch_axis in zip(operands, batch_axes, strict=True)
    )
    return bind(recurrence, factor, term, axis=axis + 1, reverse=reverse), 0


recurrence = Primitive(
    "recurrence",
    _evaluate_recurrence,
    infer=lambda factor, term, axis, reverse: ArrayType(term.shape, np.result_type(factor.dtype, term.dtype)),
    jvp=Joint(_push_recurrence),
    vjp=Joint(_pull_recurrence),
    batch=_batch_recurrence,
)

# --- running results of one operand


def _declare(name: str, ufunc: np.ufunc, *, jvp: DerivativeRules, vjp: DerivativeRules) -> Primitive:
    """Declare the running result of a ufunc along ``axis``, from the end if ``reverse``."""

    @functools.cache
    def running_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
        return np.asarray(ufunc.accumulate(np.ones(1, dtype))).dtype

    def evaluate(x: Array, axis: int, reverse: bool) -> Array:
        if reverse:
            return np.flip(ufunc.accumulate(np.flip(x, axis), axis=axis), axis)
        return ufunc.accumulate(x, axis=axis)

    def batch(
        size: int, operands: Sequence[Array], batch_axes: Sequence[int], axis: int, reverse: bool
    ) -> tuple[Array, int]:
        (x,), (batch_axis,) = operands, batch_axes
        return bind(primitive, x, axis=axis + (axis >= batch_axis), reverse=reverse), batch_axis

    primitive = Primitive(
        name,
        evaluate,
        infer=lambda x, axis, reverse: ArrayType(x.shape, running_dtype(x.dtype)),
        jvp=jvp,
        vjp=vjp,
        batch=batch,
    )
    return primitive


cumsum: Primitive = _declare(
    "cumsum",
    np.add,
    jvp=(lambda tangent, _out, _x, axis, reverse: bind(cumsum, tangent, axis=axis, reverse=reverse),),
    vjp=(lambda cotangent, _out, _x, axis, reverse: bind(cumsum, cotangent, axis=axis, reverse=not reverse),),
)

# The derivative of a running product solves out'[k] = x[k] out'[k-1] + out[k-1] x'[k], a recurrence that
# never divides: it is right with any number of zeros, and so is its own derivative, another recurrence.
cumprod = _declare(
    "cumprod",
    np.multiply,
    jvp=(
        lambda tangent, out, x, axis, reverse: bind(
            recurrence, x, tangent * _previous(out, axis, reverse, 1), axis=axis, reverse=reverse
        ),
    ),
    vjp=(
        lambda cotangent, out, x, axis, reverse: (
            bind(recurrence, _next(x, axis, reverse), cotangent, axis=axis, reverse=not reverse)
            * _previous(out, axis, reverse, 1)
        ),
    ),
)


def _ties(x: Array, out: Array, axis: int, reverse: bool, dtype: Any) -> tuple[Array, Array, Array]:
    """Describe which elements so far are the running extreme.

    Returns:
        1 where the extreme is still that of the place before, otherwise 0; whether the element is the
        extreme; how many so far are.
    """
    before = _previous(out, axis, reverse, np.nan if out.dtype.kind in "fc" else 0)
    stays = ((out == before) | (before != before)).astype(dtype)
    mask = attains(x, out)
    return stays, mask, bind(recurrence, stays, mask.astype(dtype), axis=axis, reverse=reverse)


def _push_extreme(tangent: Array, out: Array, x: Array, axis: int, reverse: bool) -> Array:
    stays, mask, count = _ties(x, out, axis, reverse, tangent.dtype)
    return bind(recurrence, stays, tangent * mask, axis=axis, reverse=reverse) / count


def _pull_extreme(cotangent: Array, out: Array, x: Array, axis: int, reverse: bool) -> Array:
    stays, mask, count = _ties(x, out, axis, reverse, cotangent.dtype)
    shares = cotangent / count
    return bind(recurrence, _next(stays, axis, reverse), shares, axis=axis, reverse=not reverse) * mask


# As for `max`, the elements that tie so far share the derivative equally.
cummax = _declare("cummax", np.maximum, jvp=(_push_extreme,), vjp=(_pull_extreme,))
cummin = _declare("cummin", np.minimum, jvp=(_push_extreme,), vjp=(_pull_extreme,))

# --- NumPy's functions


def _running(name: str, primitive: Primitive) -> Callable[..., Array]:
    def function(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
        refuse_out(name, out)
        if dtype is not None:
            a = a.astype(dtype)
        if axis is None:
            a, axis = a.reshape(-1), 0
        return bind(primitive, a, axis=normalize_axis_index(axis, a.ndim), reverse=False)

    return function


implements(np.cumsum)(_running("cumsum", cumsum))
implements(np.cumprod)(_running("cumprod", cumprod))


@implements(np.nancumsum)
def _nancumsum(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    return np.cumsum(np.where(np.isnan(a), 0, a), axis, dtype, out)


@implements(np.nancumprod)
def _nancumprod(a: Array, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    return np.cumprod(np.where(np.isnan(a), 1, a), axis, dtype, out)


def _with_initial(name: str, running: Callable[..., Array], neutral: int) -> Callable[..., Array]:
    def function(
        x: Array,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: None = None,
        include_initial: bool = False,
    ) -> Array:
        if axis is None:
            if x.ndim != 1:
                raise ValueError(
                    message(f"numpy.{name}", "axis", f"be given for {x.ndim} axes", None, "name the axis")
                )
            axis = 0
        axis = normalize_axis_index(axis, x.ndim)
        result = running(x, axis, dtype, out)
        if not include_initial:
            return result
        initial = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), neutral, result.dtype)
        return np.concatenate([initial, result], axis)

    return function


# NumPy has these two since version 2.1.
for _name, _function, _neutral in (("cumulative_sum", np.cumsum, 0), ("cumulative_prod", np.cumprod, 1)):
    if hasattr(np, _name):
        implements(getattr(np, _name))(_with_initial(_name, _function, _neutral))
