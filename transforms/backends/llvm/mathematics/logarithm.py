"""Logarithms: the exponent, and the logarithm of a mantissa between the roots of 1/2 and 2."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic
from transforms.backends.llvm.mathematics.exponential import LOG_2
from transforms.backends.llvm.mathematics.fitting import fitted, parts, power_series
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

_ROOT_HALF = math.sqrt(0.5)


def double_reciprocals_of_odd() -> Iterator[Decimal]:
    """Return the series of ``2 atanh(s) / s`` in ``s**2``."""
    return (Decimal(2) / k for k in itertools.count(1, 2))


atanh_tail = power_series(double_reciprocals_of_odd, 1)
"""``(2 atanh(s) / s - 2) / s**2`` as a function of ``s**2``."""


def _log_tail(x: Decimal) -> Decimal:
    """Return ``(log(1 + x) - x + x**2 / 2) / x**3``."""
    return ((1 + x).ln() - x + x * x / 2) / (x * x * x)


def split_float(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return exponent, as an integer, and mantissa of a positive normal number."""
    root = a.bits_of(_ROOT_HALF)
    moved = a.integer("sub", a.bits(x), root)
    fraction = a.integer("and", moved, (1 << a.digits) - 1)
    return a.integer("ashr", moved, a.digits), a.from_bits(a.integer("add", fraction, root))


def log_parts(a: Arithmetic, rest: str) -> tuple[str, str]:
    """Return ``log(1 + rest)`` as ``rest`` and what is to be added, ``rest**2`` times a number near -1/2.

    For float32 a polynomial; for float64 the series of ``atanh(s)`` with ``s = rest / (2 + rest)``.
    """
    square = a.multiply(rest, rest)
    if a.dtype == FLOAT32:
        tail = a.polynomial(rest, fitted(_log_tail, _ROOT_HALF - 1.0, math.sqrt(2.0) - 1.0, 7))
        return rest, a.multiply(square, a.fma(tail, rest, -0.5))
    s = a.divide(rest, a.add(rest, 2.0))
    z = a.multiply(s, s)
    series = a.multiply(z, a.polynomial(z, fitted(atanh_tail, 0.0, 0.0295, 6)))
    half = a.multiply(square, 0.5)
    return rest, a.subtract(a.multiply(s, a.add(half, series)), half)


def _log_of_sum(a: Arithmetic, rest: str, exponent: str) -> str:
    """Return ``log(1 + rest) + exponent log 2``."""
    count = a.to_float(exponent)
    first, correction = log_parts(a, rest)
    high, low = LOG_2[a.dtype]
    return a.fma(count, high, a.add(first, a.fma(count, low, correction)))


def normalized(a: Arithmetic, x: str) -> tuple[str, str, str]:
    """Return whether ``x`` is below the normal numbers, and exponent and mantissa of a positive number."""
    tiny = a.test("olt", x, float(np.finfo(a.dtype).tiny))
    normal = a.where(tiny, a.multiply(x, 2.0 ** (a.digits + 2)), x)
    exponent, mantissa = split_float(a, normal)
    lifted = a.where_integer(tiny, -a.digits - 2, 0)
    return tiny, a.integer("add", exponent, lifted), mantissa


def special_logarithms(a: Arithmetic, x: str, out: str, zero: float = 0.0) -> str:
    """Put right a logarithm where the argument is ``zero``, below it, or infinite."""
    out = a.where(a.test("olt", x, math.inf), out, x)
    below = a.where(a.test("oeq", x, zero), -math.inf, math.nan)
    return a.where(a.test("ole", x, zero), below, out)


def log(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log(x)``."""
    a = Arithmetic(writer, dtype)
    return special_logarithms(a, x, log_of_positive(a, x))


def log_of_positive(a: Arithmetic, x: str) -> str:
    """Return ``log(x)`` where ``x`` is above 0 and finite."""
    _, exponent, mantissa = normalized(a, x)
    return _log_of_sum(a, a.subtract(mantissa, 1.0), exponent)


def log_of_large(a: Arithmetic, x: str, doublings: int) -> str:
    """Return ``log(x * 2**doublings)`` where ``x`` is at least 1."""
    exponent, mantissa = split_float(a, x)
    out = _log_of_sum(a, a.subtract(mantissa, 1.0), a.integer("add", exponent, doublings))
    return a.where(a.test("olt", x, math.inf), out, x)


_LOG10_2 = {FLOAT32: parts(Decimal(2).log10(), 2, 15), FLOAT64: parts(Decimal(2).log10(), 2, 41)}


def _log_of_mantissa(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return the exponent of a positive number, as a float, and the logarithm of its mantissa."""
    _, exponent, mantissa = normalized(a, x)
    return a.to_float(exponent), a.add(*log_parts(a, a.subtract(mantissa, 1.0)))


def log2(writer: Writer, dtype: DType, x: str) -> str:
    """Return the logarithm with base 2, exact for powers of 2."""
    a = Arithmetic(writer, dtype)
    count, logarithm = _log_of_mantissa(a, x)
    return special_logarithms(a, x, a.fma(logarithm, 1.0 / math.log(2.0), count))


def log10(writer: Writer, dtype: DType, x: str) -> str:
    """Return the logarithm with base 10."""
    a = Arithmetic(writer, dtype)
    count, logarithm = _log_of_mantissa(a, x)
    high, low = _LOG10_2[dtype]
    small = a.fma(logarithm, 1.0 / math.log(10.0), a.multiply(count, low))
    return special_logarithms(a, x, a.fma(count, high, small))


def log1p_of(a: Arithmetic, x: str) -> str:
    """Return ``log(1 + x)``: the exponent is that of the sum, and the rest comes of ``x`` in one rounding."""
    y = a.add(x, 1.0)
    moved = a.integer("sub", a.bits(y), a.bits_of(_ROOT_HALF))
    exponent = a.integer("ashr", moved, a.digits)
    # Four times 2**-exponent, which is a normal number for all exponents.
    scale = a.power_of_two(a.integer("sub", a.bias + 2, exponent))
    rest = a.fma(a.multiply(x, 0.25), scale, a.fma(scale, 0.25, -1.0))
    return special_logarithms(a, x, _log_of_sum(a, rest, exponent), -1.0)


def log1p(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log(1 + x)``, which has the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    return a.with_sign(log1p_of(a, x), x)
