"""Uniformly distributed floating-point numbers, from which all the other distributions are made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.arguments import as_dtype, broadcast_shape, check_draw, is_concrete
from funcdl.random.threefry import draw, join_words
from transforms.errors import message
from transforms.types import Array, Shape, type_of

# 2**27 + 1 cuts a float64 into two halves of 26 bits, whose products are exact (Veltkamp).
SPLITTER = 134217729.0


def uniform(
    key: Array,
    shape: Shape = (),
    dtype: DTypeLike = np.float32,
    minval: Array = 0.0,
    maxval: Array = 1.0,
) -> Array:
    """Draw from the uniform distribution on ``[minval, maxval)``.

    ``x = minval + (maxval - minval) * k / 2**m``, rounded once, with ``m`` random bits ``k``, where
    ``m`` is the number of mantissa bits of the dtype.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.
        minval: lower bound, inclusive; a number or an array that broadcasts to the shape.
        maxval: upper bound, exclusive but for rounding; a number or an array likewise.

    Returns:
        Array of the given shape and dtype.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: a bound does not broadcast to the shape, or minval is above maxval.

    >>> uniform(np.array([0, 42], np.uint32), (3,))
    array([0.48870957, 0.6797972 , 0.6162715 ], dtype=float32)
    """
    shape, dtype = check_draw("random.uniform", key, shape, dtype)
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)) and (minval, maxval) == (0, 1):
        return _unit_interval(key, shape, dtype)
    broadcast_shape("random.uniform", shape, type_of(minval).shape, type_of(maxval).shape)
    low, high = as_dtype(minval, dtype), as_dtype(maxval, dtype)
    if is_concrete(low, high) and not np.all(low <= high):
        raise ValueError(message("random.uniform", "minval", f"be at most maxval, {maxval}", minval))
    return np.maximum(low, _multiply_add(_unit_interval(key, shape, dtype), high - low, low))


def _unit_interval(key: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    mantissa_bits = np.finfo(dtype).nmant
    width = dtype.itemsize * 8

    def finish(high: Array, low: Array) -> Array:
        steps = join_words(high, low, width) >> (width - mantissa_bits)
        return steps.astype(dtype) * 2.0**-mantissa_bits

    return draw(key, shape, dtype, finish)


def _multiply_add(unit: Array, span: Array, low: Array) -> Array:
    """Return ``unit * span + low`` rounded once, as by the fused instruction that XLA compiles it to."""
    if isinstance(span, np.floating) and math.frexp(span)[0] == 0.5:
        # A power of two: the product is exact without help.
        return unit * span + low
    if unit.dtype != np.float64:
        # Twice 24 bits of mantissa fit in the 53 of a float64, so the product is exact there.
        return (unit.astype(np.float64) * span + low).astype(unit.dtype)
    product, product_error = _exact_product(unit, span)
    total = product + low
    moved = total - product
    total_error = (product - (total - moved)) + (low - moved)
    return total + (total_error + product_error)


def _exact_product(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the rounded product and its rounding error, which add up to ``x * y`` exactly.

    Source: Dekker, 1971, doi:10.1007/BF01397083.
    """
    x_high, x_low = _halves(x)
    y_high, y_low = _halves(y)
    product = x * y
    return product, ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low


def _halves(x: Array) -> tuple[Array, Array]:
    shifted = SPLITTER * x
    high = shifted - (shifted - x)
    return high, x - high
