"""Random truth values, signs and integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.arguments import (
    as_dtype,
    broadcast_shape,
    check_key,
    check_mode,
    check_shape,
    float_dtype,
    is_concrete,
)
from funcdl.random.keys import split
from funcdl.random.threefry import draw_bits
from funcdl.random.uniforms import uniform
from transforms.errors import message
from transforms.types import Array, Shape, type_of


def bernoulli(key: Array, p: Array = 0.5, shape: Shape | None = None, mode: str = "low") -> Array:
    """Draw truth values that are true with probability ``p``.

    Args:
        key: uint32 array of shape (2,).
        p: probability in [0, 1], a number or a floating array; a Python number counts as float32.
        shape: shape of the result; by default that of ``p``.
        mode: "low" resolves probabilities to the precision of the dtype of ``p``, "high" to its
            square, for twice the work.

    Returns:
        Boolean array.

    Raises:
        TypeError: the key or the shape is not one, or ``p`` is not floating.
        ValueError: ``p`` is outside of [0, 1] or does not broadcast to the shape, or the mode is unknown.

    >>> bernoulli(np.array([0, 42], np.uint32), 0.5, (3,))
    array([ True, False, False])
    """
    check_key("random.bernoulli", key)
    check_mode("random.bernoulli", mode)
    p = np.asarray(p, np.float32) if type(p) in (int, float) else p
    p_shape, p_dtype = type_of(p)
    dtype = float_dtype("random.bernoulli", p_dtype, "p")
    shape = broadcast_shape("random.bernoulli", shape, p_shape)
    if is_concrete(p) and not np.all((p >= 0) & (p <= 1)):
        raise ValueError(message("random.bernoulli", "p", "be in [0, 1]", p))
    if mode == "low":
        return uniform(key, shape, dtype) < p
    pair = uniform(key, (2, *shape), dtype)
    return pair[1] * 2.0 ** -np.finfo(dtype).nmant < p - pair[0]


def rademacher(key: Array, shape: Shape = (), dtype: DTypeLike = np.int32) -> Array:
    """Draw signs, -1 or 1 with equal probability.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: a signed integer or a floating type.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> rademacher(np.array([0, 42], np.uint32), (3,))
    array([ 1, -1, -1], dtype=int32)
    """
    check_key("random.rademacher", key)
    shape = check_shape("random.rademacher", shape)
    found = np.dtype(dtype)
    if found.kind not in "if":
        raise TypeError(message("random.rademacher", "dtype", "be a signed integer or floating type", found))
    return bernoulli(key, 0.5, shape).astype(found) * 2 - 1


def randint(key: Array, shape: Shape, minval: Array, maxval: Array, dtype: DTypeLike = np.int32) -> Array:
    """Draw integers from ``minval, ..., maxval - 1`` with equal probability.

    Bits twice as wide as the dtype, at least 64, are taken modulo ``maxval - minval``: unless that
    is a power of two the result is biased, by less than ``(maxval - minval) / 2**64`` for int32.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        minval: lower bound, inclusive; an integer or an integer array that broadcasts to the shape.
        maxval: upper bound, exclusive; likewise. Bounds are clipped to the range of the dtype.
        dtype: an integer type.

    Returns:
        Array of the given shape and dtype.

    Raises:
        TypeError: the key, the shape or the dtype is not one, or a bound is not an integer.
        ValueError: a bound does not broadcast to the shape, or minval is not below maxval.

    >>> randint(np.array([0, 42], np.uint32), (5,), 0, 10)
    array([4, 4, 1, 9, 9], dtype=int32)
    """
    check_key("random.randint", key)
    shape = check_shape("random.randint", shape)
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        raise TypeError(message("random.randint", "dtype", "be an integer type", dtype))
    minval, maxval = _integer("minval", minval), _integer("maxval", maxval)
    broadcast_shape("random.randint", shape, type_of(minval).shape, type_of(maxval).shape)
    if is_concrete(minval, maxval) and not np.all(np.less(minval, maxval)):
        raise ValueError(message("random.randint", "minval", f"be below maxval, {maxval}", minval))
    if dtype.itemsize >= 4:
        return _draw_integers(key, shape, minval, maxval, dtype)
    # Eight or sixteen bits are too few for a remainder with little bias: draw 32 and narrow.
    limits = np.iinfo(dtype)
    minval = _clip(minval, limits.min, limits.max)
    maxval = _clip(maxval, limits.min, limits.max + 1)
    return _draw_integers(key, shape, minval, maxval, np.dtype(np.int32)).astype(dtype)


def _draw_integers(key: Array, shape: Shape, minval: Array, maxval: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    unsigned = np.dtype(f"uint{limits.bits}").type
    # One axis more than asked for: arithmetic on NumPy scalars warns when it wraps.
    low = _with_rank(as_dtype(_clip(minval, limits.min, limits.max), dtype), len(shape) + 1)
    high = _with_rank(as_dtype(_clip(maxval, limits.min, limits.max), dtype), len(shape) + 1)
    span = np.where(high > low, high.astype(unsigned) - low.astype(unsigned), unsigned(1))
    if _may_exceed(maxval, limits.max):
        # The bound 2**bits, which is not a value of the dtype, was clipped by one.
        beyond = _with_rank(np.greater(maxval, limits.max), len(shape) + 1)
        span = np.where(beyond & (high > low), span + unsigned(1), span)
    keys = split(key)
    upper_bits, lower_bits = (draw_bits(keys[i], (1, *shape), limits.bits) for i in range(2))
    # A span of 2**bits wraps to zero: every value of the dtype, so the bits are the result.
    divisor = np.where(span == 0, unsigned(1), span)
    half = unsigned(2 ** (limits.bits // 2)) % divisor
    remainder = upper_bits % divisor * (half * half % divisor) + lower_bits % divisor
    offset = np.where(span == 0, lower_bits, remainder % divisor)
    return (low + offset.astype(dtype)).reshape(shape)


def _integer(what: str, bound: Array) -> Array:
    if isinstance(bound, int):
        return bound
    found = type_of(bound)
    if found.dtype.kind not in "iu":
        raise TypeError(message("random.randint", what, "be an integer or an integer array", found))
    return bound if hasattr(bound, "dtype") else np.asarray(bound)


def _clip(bound: Array, lowest: int, highest: int) -> Array:
    if isinstance(bound, int):
        return min(max(bound, lowest), highest)
    own = np.iinfo(bound.dtype)
    return np.clip(bound, max(lowest, own.min), min(highest, own.max))


def _may_exceed(bound: Array, highest: int) -> bool:
    return bound > highest if isinstance(bound, int) else bool(np.iinfo(bound.dtype).max > highest)


def _with_rank(x: Array, rank: int) -> Array:
    return np.reshape(x, (1,) * (rank - x.ndim) + x.shape)
