"""Functions of `scipy.special` that are no ufuncs, on arrays that may be traced.

Its ufuncs (``erf``, ``gammaln``, ...) take traced arrays themselves.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from transforms.compositions.creation import asarray
from transforms.errors import message
from transforms.lazy import lazy_module
from transforms.primitives.casts import stop_gradient
from transforms.types import Array

_special = lazy_module("scipy.special")


def logsumexp(
    a: Array,
    axis: int | tuple[int, ...] | None = None,
    b: Array | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """Return the logarithm of a sum of exponentials, ``log(sum(b * exp(a)))``, without overflow.

    Args:
        a: real array of any shape; -inf stands for a term of 0.
        axis: the axes of the sum; None for all.
        b: factors that broadcast to the shape of ``a``.
        keepdims: whether the summed axes stay, with length one.
        return_sign: whether to return the sign of the sum as well, which then may be negative.

    Returns:
        The logarithm, or a pair of the logarithm of the absolute value and the sign.

    >>> round(float(logsumexp(np.array([1000.0, 1000.0]))), 6)
    1000.693147
    """
    a = asarray(a)
    if b is None:
        out = np.logaddexp.reduce(a, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]
        return (out, np.ones_like(out)) if return_sign else out
    b = asarray(b)
    shift = _finite_maximum(np.where(b == 0, -np.inf, a), axis)
    terms = np.where(b == 0, 0.0, b * np.exp(np.where(b == 0, shift, a) - shift))
    total = np.sum(terms, axis=axis, keepdims=keepdims)
    shift = shift if keepdims else np.sum(shift, axis=axis)
    if return_sign:
        return np.log(np.abs(total)) + shift, np.sign(total)
    return np.log(total) + shift


def _finite_maximum(a: Array, axis: Any) -> Array:
    """Return the maximum, or 0 where it is infinite, as a constant: any shift gives the same result."""
    largest = np.max(stop_gradient(a), axis=axis, keepdims=True)
    return np.where(np.isfinite(largest), largest, 0.0)


def softmax(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return ``exp(x) / sum(exp(x))``.

    Args:
        x: real array of any shape.
        axis: the axes of the sum; None for all.

    Returns:
        An array like ``x``; along the axes it sums to one.

    >>> softmax(np.array([0.0, 0.0, 1000.0]))
    array([0., 0., 1.])
    """
    x = asarray(x)
    exponentials = np.exp(x - _finite_maximum(x, axis))
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Return ``x - log(sum(exp(x)))``.

    Args:
        x: real array of any shape.
        axis: the axes of the sum; None for all.

    Returns:
        An array like ``x``.

    >>> log_softmax(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    x = asarray(x)
    shifted = x - _finite_maximum(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def multigammaln(a: Array, d: int) -> Array:
    """Return the logarithm of the multivariate gamma function.

    ``d (d - 1) / 4 log(pi) + sum(gammaln(a - j / 2) for j in range(d))``

    Args:
        a: real array of any shape, greater than ``(d - 1) / 2``.
        d: the dimension, a positive integer.

    Returns:
        An array like ``a``.

    >>> round(float(multigammaln(np.array(3.0), 1)), 6)
    0.693147
    """
    a = asarray(a)
    constant = d * (d - 1) / 4 * math.log(math.pi)
    return constant + sum(_special.gammaln(a - j / 2) for j in range(d))


def polygamma(n: int, x: Array) -> Array:
    """Return the ``n``-th derivative of the digamma function.

    ``(-1)**(n + 1) n! zeta(n + 1, x)``

    Args:
        n: the order, an integer, not negative.
        x: real array of any shape, positive unless ``n`` is 0.

    Returns:
        An array like ``x``.

    Raises:
        TypeError: ``n`` is no integer.
        ValueError: ``n`` is negative.

    Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions (1964), 6.4.10.

    >>> round(float(polygamma(1, np.array(1.0))), 6)  # pi**2 / 6
    1.644934
    """
    n = operator.index(n)
    if n < 0:
        raise ValueError(message("polygamma", "the order n", "not be negative", n))
    x = asarray(x)
    if n == 0:
        return _special.digamma(x)
    return (-1.0) ** (n + 1) * math.factorial(n) * _special.zeta(n + 1.0, x)
