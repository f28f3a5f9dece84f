"""The logistic function, and logarithms of sums of exponentials.

The exponential is always that of a number that is not positive, so that it does not overflow; to add it to 1
gives a number between 1 and 2, whose logarithm needs no exponent.
"""

from __future__ import annotations

import math

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, Arithmetic
from transforms.backends.llvm.mathematics.exponential import exp_of_negative
from transforms.backends.llvm.mathematics.fitting import fitted
from transforms.backends.llvm.mathematics.logarithm import atanh_tail, log, log1p_of
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer


def _decay(a: Arithmetic, x: str) -> str:
    """Return ``exp(-|x|)``."""
    return exp_of_negative(a, a.negative(a.magnitude(x)))


def log1p_of_unit(a: Arithmetic, z: str) -> str:
    """Return ``log(1 + z)`` where ``z`` is between 0 and 1, as ``2 atanh(z / (2 + z))``."""
    s = a.divide(z, a.add(z, 2.0))
    square = a.multiply(s, s)
    tail = a.polynomial(square, fitted(atanh_tail, 0.0, 1.0 / 9.0, 4 if a.dtype == FLOAT32 else 11))
    return a.fma(a.multiply(s, square), tail, a.add(s, s))


def expit(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``1 / (1 + exp(-x))``, both multiplied by ``exp(x)`` where ``x`` is negative."""
    a = Arithmetic(writer, dtype)
    decay = _decay(a, x)
    return a.divide(a.where(a.test("olt", x, 0.0), decay, 1.0), a.add(decay, 1.0))


def log_expit(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``min(x, 0) - log(1 + exp(-|x|))``."""
    a = Arithmetic(writer, dtype)
    # -0, so that what vanishes does so from below.
    return a.subtract(a.at_most(x, -0.0), log1p_of_unit(a, _decay(a, x)))


def logit(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log(x / (1 - x))``, and near 1/2 ``log(1 + (2 x - 1) / (1 - x))``, which keeps the digits."""
    a = Arithmetic(writer, dtype)
    rest = a.subtract(1.0, x)
    near = a.both(a.test("ogt", x, 0.3), a.test("olt", x, 0.65))
    quotient = a.divide(a.where(near, a.fma(x, 2.0, -1.0), x), rest)
    far = log(writer, dtype, quotient)
    out = a.where(near, log1p_of(a, a.where(near, quotient, 0.0)), far)
    out = a.where(a.test("oeq", x, 1.0), math.inf, out)
    return a.where(a.either(a.test("olt", x, 0.0), a.test("ogt", x, 1.0)), math.nan, out)


def _of_sum(a: Arithmetic, x: str, y: str, unit: float) -> tuple[str, str]:
    """Return the larger operand, and the logarithm of 1 and the exponential of the other one's distance."""
    larger = a.where(a.test("oge", x, y), x, y)
    distance = a.where(a.test("oeq", x, y), 0.0, a.subtract(x, y))
    if unit != 1.0:
        distance = a.multiply(distance, unit)
    undefined = a.test("uno", x, y)
    return a.where(undefined, a.add(x, y), larger), log1p_of_unit(a, _decay(a, distance))


def logaddexp(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``max(x, y) + log(1 + exp(-|x - y|))``."""
    a = Arithmetic(writer, dtype)
    larger, rest = _of_sum(a, x, y, 1.0)
    return a.add(larger, rest)


def logaddexp2(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return the same with powers of 2."""
    a = Arithmetic(writer, dtype)
    larger, rest = _of_sum(a, x, y, math.log(2.0))
    return a.add(larger, a.where(a.test("oeq", x, y), 1.0, a.multiply(rest, 1.0 / math.log(2.0))))


def _product_with_logarithm(a: Arithmetic, x: str, y: str, logarithm: str) -> str:
    """Return ``x`` times a logarithm of ``y``, and 0 where ``x`` is, unless ``y`` is NaN."""
    vanishes = a.both(a.test("oeq", x, 0.0), a.test("ord", y, y))
    return a.where(vanishes, 0.0, a.multiply(x, logarithm))


def xlogy(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``x log(y)``, and 0 where ``x`` is."""
    return _product_with_logarithm(Arithmetic(writer, dtype), x, y, log(writer, dtype, y))


def xlog1py(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``x log(1 + y)``, and 0 where ``x`` is."""
    a = Arithmetic(writer, dtype)
    small = a.test("olt", a.magnitude(y), 0.5 * 2.0**-a.digits)
    return _product_with_logarithm(a, x, y, a.where(small, y, log1p_of(a, y)))


def entr(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``-x log(x)``, 0 at 0, and -infinity below."""
    a = Arithmetic(writer, dtype)
    out = a.negative(a.multiply(x, log(writer, dtype, x)))
    out = a.where(a.test("oeq", x, 0.0), 0.0, out)
    return a.where(a.test("olt", x, 0.0), -math.inf, out)


def rel_entr(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``x log(x / y)``, 0 where ``x`` is 0 and ``y`` is not negative, and else infinity."""
    a = Arithmetic(writer, dtype)
    inside = a.both(a.test("ogt", x, 0.0), a.test("ogt", y, 0.0))
    vanishes = a.both(a.test("oeq", x, 0.0), a.test("oge", y, 0.0))
    ratio = a.divide(x, y)
    # Near 1 the quotient would lose the digits of its distance from 1.
    near = a.both(a.test("ogt", ratio, 0.5), a.test("olt", ratio, 2.0))
    distance = a.divide(a.subtract(x, y), y)
    logarithm = a.where(near, log1p_of(a, a.where(near, distance, 0.0)), _log_of_quotient(a, x, y, ratio))
    out = a.where(inside, a.multiply(x, logarithm), a.where(vanishes, 0.0, math.inf))
    return a.where(a.test("uno", x, y), math.nan, out)


def _log_of_quotient(a: Arithmetic, x: str, y: str, ratio: str) -> str:
    """Return ``log(x / y)``, as a difference where the quotient is beyond the normal numbers."""
    tiny = 2.0 ** (2 - a.bias)
    usual = a.both(a.test("ogt", ratio, tiny), a.test("olt", ratio, 1.0 / tiny))
    difference = a.subtract(log(a.writer, a.dtype, x), log(a.writer, a.dtype, y))
    return a.where(usual, log(a.writer, a.dtype, ratio), difference)


def huber(writer: Writer, dtype: DType, delta: str, x: str) -> str:
    """Return ``x**2 / 2`` where ``|x|`` is at most ``delta``, and beyond ``delta (|x| - delta / 2)``."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    line = a.multiply(delta, a.fma(delta, -0.5, magnitude))
    out = a.where(a.test("ole", magnitude, delta), a.multiply(a.multiply(x, 0.5), x), line)
    return a.where(a.test("olt", delta, 0.0), math.inf, out)
