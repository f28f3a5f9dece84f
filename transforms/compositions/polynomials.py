"""Polynomials as arrays of coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.compositions.creation import array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.known_values import known_values
from transforms.types import Array


@implements(np.polyval)
def _polyval(p: Array, x: Array) -> Array:
    p, x = array(p), array(x)
    y = np.zeros(x.shape, np.result_type(p.dtype, x.dtype))
    for coefficient in p:
        y = y * x + coefficient
    return y


@implements(np.polyadd)
def _polyadd(a1: Array, a2: Array) -> Array:
    first, second = np.atleast_1d(array(a1)), np.atleast_1d(array(a2))
    length = max(first.shape[0], second.shape[0])
    return _lengthen(first, length) + _lengthen(second, length)


def _lengthen(p: Array, length: int) -> Array:
    """Put zeros in front."""
    return np.pad(p, (length - p.shape[0], 0))


@implements(np.polysub)
def _polysub(a1: Array, a2: Array) -> Array:
    return np.polyadd(a1, -array(a2))


@implements(np.polymul)
def _polymul(a1: Array, a2: Array) -> Array:
    return np.convolve(np.atleast_1d(array(a1)), np.atleast_1d(array(a2)))


@implements(np.polydiv)
def _polydiv(u: Array, v: Array) -> tuple[Array, Array]:
    """Divide by long division; leading zeros of the remainder go, which takes known values."""
    dividend, divisor = np.atleast_1d(array(u)), np.atleast_1d(array(v))
    remainder = dividend.astype(np.result_type(dividend.dtype, divisor.dtype, np.float16))
    missing = remainder.shape[0] - divisor.shape[0]
    if missing < 0:
        return np.zeros(1, remainder.dtype), remainder
    quotient = []
    for place in range(missing + 1):
        quotient.append(remainder[place] / divisor[0])
        used = np.pad(quotient[-1] * divisor, (place, missing - place))
        remainder = remainder - used
    values = known_values(
        "numpy.polydiv", "the length of the remainder", remainder, "keep polynomials as they are"
    )
    significant = np.flatnonzero(~np.isclose(values, 0, rtol=1e-14))
    first = significant[0] if significant.size else remainder.shape[0] - 1
    return np.stack(quotient), remainder[first:]


@implements(np.polyder)
def _polyder(p: Array, m: int = 1) -> Array:
    p = array(p)
    _check_order("polyder", m)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1).astype(p.dtype)
    return p


@implements(np.polyint)
def _polyint(p: Array, m: int = 1, k: Any = None) -> Array:
    p = array(p)
    _check_order("polyint", m)
    constants = np.atleast_1d(array(0.0 if k is None else k))
    if constants.shape[0] not in (1, m):
        raise ValueError(
            message("numpy.polyint", "k", f"be one number or {m}, one for each m", f"{constants.shape[0]}")
        )
    for constant in np.broadcast_to(constants.astype(np.result_type(p.dtype, constants.dtype)), (m,)):
        powers = np.arange(p.shape[0], 0, -1).astype(p.dtype)
        p = np.concatenate([p / powers, constant.reshape(1).astype(p.dtype)])
    return p


def _check_order(function: str, m: int) -> None:
    if m < 0:
        raise ValueError(message(f"numpy.{function}", "m", "not be negative", m))


@implements(np.poly)
def _poly(seq_of_zeros: Array) -> Array:
    """Return the coefficients; complex zeros give complex ones, even where NumPy finds them real."""
    zeros = as_array(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and zeros.size:
        zeros = np.linalg.eigvals(zeros)
    zeros = np.atleast_1d(zeros)
    coefficients = np.ones(1, zeros.dtype)
    for zero in zeros:
        lowered = np.pad(coefficients * zero, (1, 0))
        coefficients = np.pad(coefficients, (0, 1)) - lowered
    return coefficients


@implements(np.roots)
def _roots(p: Array) -> Array:
    """Return the eigenvalues of the companion matrix; which coefficients are zero must be known."""
    p = array(p)
    values = known_values("numpy.roots", "the number of roots", p, "np.linalg.eigvals of a companion matrix")
    significant = np.flatnonzero(values)
    if significant.size == 0:
        return np.zeros(0, p.dtype)
    last = significant[-1]
    at_zero = p.shape[0] - 1 - last
    p = p[significant[0] : last + 1].astype(np.result_type(p.dtype, np.float16))
    degree = p.shape[0] - 1
    if degree == 0:
        return np.zeros(at_zero, p.dtype)
    companion = np.concatenate([(-p[1:] / p[0])[None], np.eye(degree, dtype=p.dtype)[:-1]])
    roots = np.linalg.eigvals(companion)
    return np.pad(roots, (0, at_zero))
