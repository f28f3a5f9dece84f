"""The error function, its complement and inverses, and the normal distribution.

What falls like an exponential is one times a quotient, which is smooth from 0 on and needs no other form near
0. Its argument is the one that is given: errors of a sum or a quotient would tell where it is steep.

Source: W. J. Cody, Rational Chebyshev Approximations for the Error Function (1969), for the quotients;
M. B. Giles, Approximating the erfinv function (2012), for the argument of the inverses' polynomials.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic, Pair
from transforms.backends.llvm.mathematics.exponential import (
    exp_of_rest,
    offset_of_fraction,
    reduced,
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


# --- the error function, its complement and the normal distribution


class _Falling(NamedTuple):
    """What falls like ``exp(-x**2)``, or its root, for positive numbers.

    Attributes:
        scaled: the function divided by the exponential.
        last: from here on it is 0.
        degree, centre: of the quotient that ``scaled`` is near.
    """

    scaled: Callable[[Decimal], Decimal]
    last: float
    degree: int
    centre: float


def _of_positive(a: Arithmetic, x: str, exponent: Pair, function: _Falling) -> str:
    """Return a function that falls, given the exponent, of a number that is not beyond the last."""
    fit = fitted_quotient(function.scaled, function.centre, function.last, function.degree)
    above = a.polynomial(x, fit.above)
    ratio = a.divide(above, a.fma(a.polynomial(x, fit.line), above, a.polynomial(x, fit.rest)))
    bits, rest = reduced(a, exponent.high, offset_of_fraction(a))
    return scaled_fraction(a, exp_of_rest(a, a.add(rest, exponent.low), ratio), bits)


_COMPLEMENT = {
    FLOAT32: _Falling(_scaled_complement, 10.3, 4, 2.0),
    FLOAT64: _Falling(_scaled_complement, 27.4, 10, 3.0),
}


def _erfc_of_positive(a: Arithmetic, x: str) -> str:
    x = a.at_most(x, _COMPLEMENT[a.dtype].last)
    return _of_positive(a, x, a.product(x, a.negative(x)), _COMPLEMENT[a.dtype])


def erfc(writer: Writer, dtype: DType, x: str) -> str:
    """Return the complement of ``|x|``, or 2 less it."""
    a = Arithmetic(writer, dtype)
    out = _erfc_of_positive(a, a.magnitude(x))
    return a.where(a.test("olt", x, 0.0), a.subtract(2.0, out), out)


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
        far = a.subtract(1.0, _erfc_of_positive(a, magnitude))
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


def _scaled_tail(x: Decimal) -> Decimal:
    """Return ``exp(x**2 / 2) ndtr(-x)`` of a positive number."""
    return _scaled_complement(x / Decimal(2).sqrt()) / 2


_TAIL = {FLOAT32: _Falling(_scaled_tail, 14.6, 4, 3.0), FLOAT64: _Falling(_scaled_tail, 38.8, 10, 3.0)}


def ndtr(writer: Writer, dtype: DType, x: str) -> str:
    """Return the tail beyond ``|x|``, or 1 less it."""
    a = Arithmetic(writer, dtype)
    magnitude = a.at_most(a.magnitude(x), _TAIL[dtype].last)
    exponent = a.product(magnitude, a.multiply(magnitude, -0.5))
    out = _of_positive(a, magnitude, exponent, _TAIL[dtype])
    return a.where(a.test("ogt", x, 0.0), a.subtract(1.0, out), out)


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
