"""The error function, its complement and inverses, and the normal distribution.

Source: M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x (1981), for
the argument of the complement's polynomial; M. B. Giles, Approximating the erfinv function (2012), for that
of the inverses.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from decimal import Decimal

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic, Pair
from transforms.backends.llvm.mathematics.exponential import (
    exp_of_rest,
    offset_of_fraction,
    reduced,
    scaled,
    scaled_fraction,
)
from transforms.backends.llvm.mathematics.fitting import fitted, fitted_quotient, pi, power_series
from transforms.backends.llvm.mathematics.logarithm import log_of_positive
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

# --- many digits


def _error_series() -> Iterator[Decimal]:
    """Return the series of ``erf(x) / x`` in ``x**2``."""
    term = 2 / pi().sqrt()
    for k in itertools.count():
        yield term / (2 * k + 1)
        term /= -(k + 1)


_erf_ratio = power_series(_error_series)


def _erf(x: Decimal) -> Decimal:
    return x * _erf_ratio(x * x)


def _scaled_complement(x: Decimal) -> Decimal:
    """Return ``exp(x**2) erfc(x)`` of a positive number: by a series or, far out, a continued fraction."""
    if x < 2:
        return (x * x).exp() * (1 - _erf(x))
    fraction = Decimal(0)
    for k in range(150, 0, -1):
        fraction = Decimal(k) / 2 / (x + fraction)
    return 1 / ((x + fraction) * pi().sqrt())


# --- the error function and its complement

_CENTRE = 2.0  # where the argument of the ratio is 0
_NEAR = 0.5  # below this the complement is 1 minus the error function
_LAST = {FLOAT32: 10.3, FLOAT64: 27.4}  # from here on the complement is 0


def _complement_ratio(t: Decimal) -> Decimal:
    """Return ``(x + centre) exp(x**2) erfc(x)`` with ``t = (x - centre) / (x + centre)``."""
    x = Decimal(_CENTRE) * (1 + t) / (1 - t)
    return (x + Decimal(_CENTRE)) * _scaled_complement(x)


_COMPLEMENT_DEGREE = {FLOAT32: 8, FLOAT64: 22}
_NEAR_DEGREE = {FLOAT32: 4, FLOAT64: 9}


def _complement(a: Arithmetic, x: str, square: Pair) -> str:
    """Return ``exp(x**2 - square) erfc(x)`` where ``x`` is not small and the difference is."""
    below = a.add(x, _CENTRE)
    inverse = a.divide(1.0, below)
    # Where x is small the ratio is steep, and the rounding errors of sum and quotient would tell.
    lost = a.subtract(x, a.subtract(below, _CENTRE))
    correction = a.multiply(inverse, a.fma(a.negative(below), inverse, a.fma(a.negative(lost), inverse, 1.0)))
    t = a.fma(correction, -2.0 * _CENTRE, a.fma(inverse, -2.0 * _CENTRE, 1.0))
    inverse = a.add(inverse, correction)
    low, high = ((end - _CENTRE) / (end + _CENTRE) for end in (_NEAR, _LAST[a.dtype]))
    ratio = a.polynomial(t, fitted(_complement_ratio, low, high, _COMPLEMENT_DEGREE[a.dtype]))
    bits, rest = reduced(a, a.negative(square.high), 2 * a.bias)
    out = exp_of_rest(a, a.subtract(rest, square.low), a.multiply(ratio, inverse))
    return scaled(a, out, bits)


def _erf_of_small(a: Arithmetic, x: str) -> str:
    return a.multiply(
        x, a.polynomial(a.multiply(x, x), fitted(_erf_ratio, 0.0, _NEAR**2, _NEAR_DEGREE[a.dtype]))
    )


def _erfc_of_large(a: Arithmetic, magnitude: str) -> str:
    x = a.at_most(magnitude, _LAST[a.dtype])
    return _complement(a, x, a.product(x, x))


def erfc(writer: Writer, dtype: DType, x: str) -> str:
    """Return 1 less the error function near 0, and beyond the complement of ``|x|``, or 2 less it."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    out = _erfc_of_large(a, magnitude)
    out = a.where(a.test("olt", x, 0.0), a.subtract(2.0, out), out)
    return a.where(a.test("olt", magnitude, _NEAR), a.subtract(1.0, _erf_of_small(a, x)), out)


_ERF_SPLIT, _ERF_END = 1.2, 3.92  # from the end on the error function of float32 is 1
_ERF_MIDDLE = (_ERF_SPLIT + _ERF_END) / 2


def _erf_near_middle(t: Decimal) -> Decimal:
    return _erf(Decimal(_ERF_MIDDLE) + t)


def erf(writer: Writer, dtype: DType, x: str) -> str:
    """Return an odd polynomial where ``|x|`` is small, and beyond another one (float64: the complement)."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    if dtype == FLOAT64:
        near = a.multiply(magnitude, a.polynomial(a.multiply(x, x), fitted(_erf_ratio, 0.0, 1.0, 13)))
        far = a.subtract(1.0, _erfc_of_large(a, magnitude))
        return a.with_sign(a.where(a.test("olt", magnitude, 1.0), near, far), x)
    magnitude = a.at_most(magnitude, _ERF_END)
    small = a.test("olt", magnitude, _ERF_SPLIT)
    t = a.where(small, a.multiply(magnitude, magnitude), a.subtract(magnitude, _ERF_MIDDLE))
    inner = fitted(_erf_ratio, 0.0, _ERF_SPLIT**2, 6)
    outer = fitted(_erf_near_middle, _ERF_SPLIT - _ERF_MIDDLE, _ERF_END - _ERF_MIDDLE, 12)
    # One unit more, so that where the result is 1 it is not less.
    outer = (outer[0] + 2.0**-24, *outer[1:])
    out = a.chosen_polynomial(t, [(small, inner)], outer)
    return a.with_sign(a.at_most(a.where(small, a.multiply(out, magnitude), out), 1.0), x)


_TAIL_DEGREE, _TAIL_CENTRE, _TAIL_LAST = 4, 3.0, 14.6  # from the last on the tail of float32 is 0


def _scaled_tail(x: Decimal) -> Decimal:
    """Return ``exp(x**2 / 2) ndtr(-x)`` of a number that is not negative."""
    return _scaled_complement(x / Decimal(2).sqrt()) / 2


def _tail(a: Arithmetic, x: str) -> str:
    """Return ``ndtr(-x)`` of a number that is not negative, in float32."""
    fit = fitted_quotient(_scaled_tail, _TAIL_CENTRE, _TAIL_LAST, _TAIL_DEGREE)
    above = a.polynomial(x, fit.above)
    ratio = a.divide(above, a.fma(a.polynomial(x, fit.line), above, a.polynomial(x, fit.rest)))
    exponent = a.product(x, a.multiply(x, -0.5))
    bits, rest = reduced(a, exponent.high, offset_of_fraction(a))
    return scaled_fraction(a, exp_of_rest(a, a.add(rest, exponent.low), ratio), bits)


def ndtr(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``erfc(-x / sqrt(2)) / 2``, of which the exponent is exact, or 1 less it."""
    a = Arithmetic(writer, dtype)
    if dtype == FLOAT32:
        out = _tail(a, a.at_most(a.magnitude(x), _TAIL_LAST))
        return a.where(a.test("ogt", x, 0.0), a.subtract(1.0, out), out)
    magnitude = a.at_most(a.magnitude(x), _LAST[dtype] * math.sqrt(2.0))
    high, low = a.product(magnitude, magnitude)
    scaled_argument = a.multiply(magnitude, math.sqrt(0.5))
    square = Pair(a.multiply(high, 0.5), a.multiply(low, 0.5))
    out = a.multiply(_complement(a, scaled_argument, square), 0.5)
    out = a.where(a.test("ogt", x, 0.0), a.subtract(1.0, out), out)
    near = a.fma(_erf_of_small(a, a.multiply(x, math.sqrt(0.5))), 0.5, 0.5)
    return a.where(a.test("olt", scaled_argument, _NEAR), near, out)


# --- inverses: x times a function of w = -log(1 - x**2), or of its root


def _inverse_complement(w: Decimal) -> Decimal:
    """Return ``y`` with ``1 - erf(y)**2 = exp(-w)``, by Newton's method for ``log(1 - erf(y)**2)``."""
    y = Decimal(math.sqrt(w) * (0.886 if w < 1 else 1.0 - 0.6 / math.sqrt(w + 20)))
    for _ in range(100):
        scaled_complement = _scaled_complement(y)
        exponential = (-y * y).exp()
        complement = scaled_complement * exponential
        value = (complement * (2 - complement)).ln() + w
        slope = -2 * (1 - complement) * 2 / pi().sqrt() / (scaled_complement * (2 - complement))
        step = value / slope
        y -= step
        if abs(step) < y * Decimal(10) ** -25:
            break
    return y


def _inverse_ratio(w: Decimal) -> Decimal:
    """Return ``erfinv(x) / x``."""
    return _inverse_complement(w) / (1 - (-w).exp()).sqrt()


class _Range:
    """Where the ratio is a polynomial of the distance of ``w``, or of its root, from the middle."""

    def __init__(self, low: float, high: float, degree: int, *, rooted: bool) -> None:
        self.high = high
        self.middle = (low + high) / 2
        self.rooted = rooted
        self._reach = (high - low) / 2
        self._degree = degree

    @functools.cached_property
    def coefficients(self) -> tuple[float, ...]:
        """Of the polynomial, lowest first."""
        return fitted(self._ratio, -self._reach, self._reach, self._degree)

    def _ratio(self, t: Decimal) -> Decimal:
        x = Decimal(self.middle) + t
        return _inverse_ratio(x * x if self.rooted else x)


# 1 - x**2 of a number x below 1 is in the first two (float32) or four.
_RANGES = {
    FLOAT32: (
        _Range(1e-3, 5.0, 9, rooted=False),
        _Range(math.sqrt(5.0), 4.2, 9, rooted=True),
        _Range(4.2, 10.3, 9, rooted=True),
    ),
    FLOAT64: (
        _Range(1e-6, 3.0, 17, rooted=False),
        _Range(3.0, 6.25, 16, rooted=False),
        _Range(2.5, 3.8, 17, rooted=True),
        _Range(3.8, 6.1, 18, rooted=True),
        _Range(6.1, 12.0, 18, rooted=True),
        _Range(12.0, 27.4, 20, rooted=True),
    ),
}
_NEAR_RANGES = {FLOAT32: 2, FLOAT64: 4}


def _inverse(a: Arithmetic, x: str, rest: str, ranges: tuple[_Range, ...]) -> str:
    """Return ``erfinv(x)`` given ``rest = 1 - x**2``, which near 1 may have digits that ``x`` has not."""
    w = a.negative(log_of_positive(a, rest))
    root = a.root(w)
    *others, last = ranges
    t = a.subtract(root, last.middle)
    cases: list[tuple[str, tuple[float, ...]]] = []
    for each in reversed(others):
        place = root if each.rooted else w
        below = a.test("olt", place, each.high)
        t = a.where(below, a.subtract(place, each.middle), t)
        cases.insert(0, (below, each.coefficients))
    out = a.multiply(x, a.chosen_polynomial(t, cases, last.coefficients))
    limit = a.where(a.test("oeq", rest, 0.0), math.inf, math.nan)
    return a.where(a.test("ole", rest, 0.0), a.with_sign(limit, x), out)


def erfinv(writer: Writer, dtype: DType, x: str) -> str:
    """Return the inverse of the error function."""
    a = Arithmetic(writer, dtype)
    ranges = _RANGES[dtype][: _NEAR_RANGES[dtype]]
    return _inverse(a, x, a.fma(a.negative(x), x, 1.0), ranges)


def erfcinv(writer: Writer, dtype: DType, x: str) -> str:
    """Return the inverse of the complement, which near 0 is ``erfinv(1 - x)`` with all digits."""
    a = Arithmetic(writer, dtype)
    return _inverse(a, a.subtract(1.0, x), a.multiply(x, a.subtract(2.0, x)), _RANGES[dtype])


def ndtri(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``sqrt(2) erfinv(2 x - 1)``."""
    a = Arithmetic(writer, dtype)
    rest = a.multiply(a.multiply(x, 4.0), a.subtract(1.0, x))
    return a.multiply(_inverse(a, a.fma(x, 2.0, -1.0), rest, _RANGES[dtype]), math.sqrt(2.0))
