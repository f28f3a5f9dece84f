"""Exponentials: a power of 2 times the exponential of the rest, which is at most half a logarithm of 2.

Source: W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), for the reduction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic
from transforms.backends.llvm.mathematics.fitting import fitted, parts, power_series
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

# The logarithm of 2 in two parts: products of the first with the exponents are exact.
LOG_2 = {FLOAT32: parts(Decimal(2).ln(), 2, 15), FLOAT64: parts(Decimal(2).ln(), 2, 41)}
_LOG10_2 = {FLOAT32: parts(Decimal(2).log10(), 2, 15), FLOAT64: parts(Decimal(2).log10(), 2, 41)}


def _reciprocal_factorials() -> Iterator[Decimal]:
    factorial = Decimal(1)
    for k in itertools.count(1):
        yield 1 / factorial
        factorial *= k


_exp_tail = power_series(_reciprocal_factorials, 2)
_exp_slope = power_series(_reciprocal_factorials, 1)
_TAIL_DEGREE = {FLOAT32: 4, FLOAT64: 9}
_SLOPE_DEGREE = {FLOAT32: 5, FLOAT64: 10}


def exp2_slope(x: Decimal) -> Decimal:
    """Return ``(2**x - 1) / x``."""
    log_2 = Decimal(2).ln()
    return log_2 * _exp_slope(x * log_2)


def expm1_of_rest(a: Arithmetic, rest: str) -> str:
    """Return ``exp(rest) - 1`` where the rest is at most half a logarithm of 2."""
    tail = a.polynomial(rest, fitted(_exp_tail, -0.3466, 0.3466, _TAIL_DEGREE[a.dtype]))
    return a.fma(a.multiply(rest, rest), tail, rest)


def exp_of_rest(a: Arithmetic, rest: str, factor: str | None = None) -> str:
    """Return ``exp(rest)``, times a factor, where the rest is at most half a logarithm of 2."""
    slope = a.polynomial(rest, fitted(_exp_slope, -0.3466, 0.3466, _SLOPE_DEGREE[a.dtype]))
    if factor is None:
        return a.fma(rest, slope, 1.0)
    return a.fma(a.multiply(rest, slope), factor, factor)


def reduced(a: Arithmetic, x: str, offset: int) -> tuple[str, str]:
    """Return bits of ``n + offset``, and ``x - n log 2``; see `Arithmetic.rounded`."""
    count, bits = a.rounded(x, 1.0 / math.log(2.0), offset)
    high, low = LOG_2[a.dtype]
    return bits, a.fma(count, -low, a.fma(count, -high, x))


def scaled(a: Arithmetic, x: str, bits: str) -> str:
    """Return ``x * 2**n`` from bits of ``n + 2 * bias``.

    In two steps, so that overflow gives infinity and underflow denormal numbers.
    """
    half = a.integer("lshr", bits, 1)
    other = a.integer("sub", bits, half)
    return a.multiply(a.multiply(x, a.power_of_two(half)), a.power_of_two(other))


_LIFT = 64  # keeps numbers normal until they have all their digits


def offset_of_fraction(a: Arithmetic) -> int:
    """Return what `scaled_fraction` needs as the offset of `reduced`."""
    return a.bias + _LIFT


def scaled_fraction(a: Arithmetic, x: str, bits: str) -> str:
    """Return ``x * 2**n``, where ``n`` is at most 0, ``x`` near 1, and the result may be denormal."""
    return a.multiply(a.multiply(x, a.power_of_two(bits)), 2.0**-_LIFT)


def exp_of_clamped(a: Arithmetic, x: str) -> str:
    """Return the exponential where its exponent is at most a little beyond those of numbers."""
    bits, rest = reduced(a, x, 2 * a.bias)
    return scaled(a, exp_of_rest(a, rest), bits)


def exp_of_negative(a: Arithmetic, x: str) -> str:
    """Return the exponential of a number that is not positive."""
    return exp_of_clamped(a, a.at_least(x, a.of(-104.0, -746.0)))


def exp(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``exp(x)``."""
    a = Arithmetic(writer, dtype)
    # So low that a power of two is 0: what a mask left out takes no product that underflows, which is slow.
    return exp_of_clamped(a, a.clamp(x, a.of(-176.0, -1418.0), a.of(89.0, 710.0)))


_EXP2_DEGREE = {FLOAT32: 5, FLOAT64: 11}


def exp2(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``2**x``, of which the rest of the exponent is exact."""
    a = Arithmetic(writer, dtype)
    clamped = a.clamp(x, a.of(-151.0, -1076.0), a.of(129.0, 1025.0))
    count, bits = a.rounded(clamped, 1.0, 2 * a.bias)
    rest = a.subtract(clamped, count)
    slope = a.polynomial(rest, fitted(exp2_slope, -0.5, 0.5, _EXP2_DEGREE[dtype]))
    return scaled(a, a.fma(rest, slope, 1.0), bits)


def exp10(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``10**x``."""
    a = Arithmetic(writer, dtype)
    clamped = a.clamp(x, a.of(-46.0, -325.0), a.of(39.0, 309.0))
    count, bits = a.rounded(clamped, math.log2(10.0), 2 * a.bias)
    high, low = _LOG10_2[dtype]
    rest = a.fma(count, -low, a.fma(count, -high, clamped))
    return scaled(a, exp_of_rest(a, a.multiply(rest, math.log(10.0))), bits)


def expm1_of_clamped(a: Arithmetic, x: str) -> str:
    """Return ``exp(x) - 1`` where ``x`` is from -80 (float32: -40) to where it overflows."""
    # Half the power, because 2**128 has no float32.
    bits, rest = reduced(a, x, a.bias - 1)
    half = a.power_of_two(bits)
    scaled_rest = a.fma(expm1_of_rest(a, rest), half, a.subtract(half, 0.5))
    return a.add(scaled_rest, scaled_rest)


def expm1(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``exp(x) - 1``, which has the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    out = expm1_of_clamped(a, a.clamp(x, a.of(-40.0, -80.0), a.of(89.0, 710.0)))
    return a.with_sign(out, x)
