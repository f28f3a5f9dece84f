"""Continuous distributions, each a formula of uniformly distributed numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from funcdl.random.arguments import (
    as_dtype,
    broadcast_shape,
    check_draw,
    check_key,
    check_mode,
    check_shape,
    float_dtype,
    is_concrete,
)
from funcdl.random.keys import split
from funcdl.random.uniforms import uniform
from transforms.errors import message
from transforms.lazy import lazy_module
from transforms.types import Array, Shape, type_of

special = lazy_module("scipy.special")

SQRT_2 = math.sqrt(2.0)


def normal(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32) -> Array:
    """Draw from the standard normal distribution.

    ``x = sqrt(2) * erfinv(u)``, with ``u`` uniform on ``(-1, 1)``; for a complex dtype real and
    imaginary part are independent and have a variance of 1/2 each.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32, float64, complex64 or complex128.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> normal(np.array([0, 42], np.uint32), (3,)).round(4)
    array([-0.0283,  0.4671,  0.2957], dtype=float32)
    """
    check_key("random.normal", key)
    shape = check_shape("random.normal", shape)
    dtype = np.dtype(dtype)
    if dtype.kind != "c":
        return _real_normal(key, shape, float_dtype("random.normal", dtype))
    part_dtype = float_dtype("random.normal", np.finfo(dtype).dtype)
    keys = split(key)
    parts = [_real_normal(keys[i], shape, part_dtype) for i in range(2)]
    return (parts[0] + 1j * parts[1]) / SQRT_2


def _real_normal(key: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    above_minus_one = np.nextafter(np.array(-1, dtype), np.array(0, dtype))
    return (SQRT_2 * special.erfinv(uniform(key, shape, dtype, above_minus_one, 1.0))).astype(dtype)


def truncated_normal(
    key: Array, lower: Array, upper: Array, shape: Shape | None = None, dtype: DTypeLike = np.float32
) -> Array:
    """Draw from the standard normal distribution restricted to the interval ``(lower, upper)``.

    ``x = sqrt(2) * erfinv(u)``, with ``u`` uniform on ``[erf(lower / sqrt(2)), erf(upper / sqrt(2)))``.

    Args:
        key: uint32 array of shape (2,).
        lower: lower bound, a number or an array.
        upper: upper bound, a number or an array.
        shape: shape of the result; by default what the bounds broadcast to.
        dtype: float16, float32 or float64.

    Returns:
        Array of the given dtype, within the open interval.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: the bounds do not broadcast to the shape, or lower is not below upper.

    >>> truncated_normal(np.array([0, 42], np.uint32), -2, 2, (3,)).round(4)
    array([-0.027 ,  0.4444,  0.2819], dtype=float32)
    """
    where = "random.truncated_normal"
    check_key(where, key)
    dtype = float_dtype(where, dtype)
    shape = broadcast_shape(where, shape, type_of(lower).shape, type_of(upper).shape)
    lower, upper = as_dtype(lower, dtype), as_dtype(upper, dtype)
    if is_concrete(lower, upper) and not np.all(lower < upper):
        raise ValueError(message(where, "lower", f"be below upper, {upper}", lower))
    lowest, highest = (special.erf(bound / SQRT_2).astype(dtype) for bound in (lower, upper))
    draw = (SQRT_2 * special.erfinv(uniform(key, shape, dtype, lowest, highest))).astype(dtype)
    infinity = np.array(np.inf, dtype)
    return np.clip(draw, np.nextafter(lower, infinity), np.nextafter(upper, -infinity))


def lognormal(
    key: Array, sigma: Array = 1.0, shape: Shape | None = None, dtype: DTypeLike = np.float32
) -> Array:
    """Draw numbers whose logarithm is normal with mean 0 and standard deviation ``sigma``.

    Args:
        key: uint32 array of shape (2,).
        sigma: standard deviation of the logarithm, a number or an array.
        shape: shape of the result; by default that of ``sigma``.
        dtype: float16, float32 or float64.

    Returns:
        Positive array of the given dtype.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: sigma does not broadcast to the shape.

    >>> lognormal(np.array([0, 42], np.uint32), 2.0, (3,)).round(3)
    array([0.945, 2.545, 1.807], dtype=float32)
    """
    check_key("random.lognormal", key)
    dtype = float_dtype("random.lognormal", dtype)
    shape = broadcast_shape("random.lognormal", shape, type_of(sigma).shape)
    return np.exp(normal(key, shape, dtype) * as_dtype(sigma, dtype))


def exponential(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32) -> Array:
    """Draw from the exponential distribution with density ``exp(-x)``: ``x = -log(1 - u)``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.

    Returns:
        Array of the given shape and dtype, in [0, inf).

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> exponential(np.array([0, 42], np.uint32), (3,)).round(4)
    array([0.6708, 1.1388, 0.9578], dtype=float32)
    """
    shape, dtype = check_draw("random.exponential", key, shape, dtype)
    return -np.log1p(-uniform(key, shape, dtype))


def gumbel(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32, mode: str = "low") -> Array:
    """Draw from the standard Gumbel distribution: ``x = -log(-log(u))``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.
        mode: "low" draws from one uniform number, which bounds a float32 by about 16; "high" from
            two, which bounds it by about 32, for twice the work.

    Returns:
        Array of the given shape and dtype.

    Raises:
        TypeError: the key, the shape or the dtype is not one.
        ValueError: the mode is unknown, or the key's or the shape's sizes are wrong.

    >>> gumbel(np.array([0, 42], np.uint32), (3,)).round(4)
    array([0.3341, 0.952 , 0.7255], dtype=float32)
    """
    check_mode("random.gumbel", mode)
    shape, dtype = check_draw("random.gumbel", key, shape, dtype)
    limits = np.finfo(dtype)
    if mode == "low":
        return -np.log(-np.log(uniform(key, shape, dtype, limits.tiny, 1.0)))
    pair = uniform(key, (2, *shape), dtype)
    high, low = pair[0], pair[1]
    # The lower digits go only where they do not round the sum up to one.
    u = np.where(high >= 0.5, high, high + (2.0**-limits.nmant * low + limits.tiny))
    return -np.log(-np.log1p(-u))


def laplace(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32) -> Array:
    """Draw from the Laplace distribution with density ``exp(-|x|) / 2``.

    ``x = sign(u) * log(1 - |u|)``, with ``u`` uniform on ``(-1, 1)``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> laplace(np.array([0, 42], np.uint32), (3,)).round(4)
    array([ 0.0228, -0.4457, -0.2647], dtype=float32)
    """
    shape, dtype = check_draw("random.laplace", key, shape, dtype)
    u = uniform(key, shape, dtype, np.finfo(dtype).epsneg - 1, 1.0)
    return np.sign(u) * np.log1p(-np.abs(u))


def logistic(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32) -> Array:
    """Draw from the standard logistic distribution: ``x = log(u / (1 - u))``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> logistic(np.array([0, 42], np.uint32), (3,)).round(4)
    array([-0.0452,  0.7528,  0.4738], dtype=float32)
    """
    shape, dtype = check_draw("random.logistic", key, shape, dtype)
    u = uniform(key, shape, dtype, np.finfo(dtype).tiny, 1.0)
    return np.log(u) - np.log1p(-u)


def cauchy(key: Array, shape: Shape = (), dtype: DTypeLike = np.float32) -> Array:
    """Draw from the standard Cauchy distribution: ``x = tan(pi * (u - 1/2))``.

    Args:
        key: uint32 array of shape (2,).
        shape: shape of the result.
        dtype: float16, float32 or float64.

    Returns:
        Array of the given shape and dtype.

    Raises:
        ValueError, TypeError: the key, the shape or the dtype is not one.

    >>> cauchy(np.array([0, 42], np.uint32), (3,)).round(4)
    array([-0.0355,  0.6337,  0.3824], dtype=float32)
    """
    shape, dtype = check_draw("random.cauchy", key, shape, dtype)
    u = uniform(key, shape, dtype, np.finfo(dtype).eps, 1.0)
    return np.tan(math.pi * (u - 0.5))
