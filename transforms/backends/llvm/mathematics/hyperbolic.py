"""Hyperbolic functions and their inverses, out of exponentials and logarithms that are exact near 0 and 1."""

from __future__ import annotations

import math

from transforms.backends.llvm.mathematics.arithmetic import Arithmetic
from transforms.backends.llvm.mathematics.exponential import expm1_of_clamped, expm1_of_rest, reduced
from transforms.backends.llvm.mathematics.logarithm import log1p_of, log_of_large
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer


def tanh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``-t / (t + 2)`` with ``t = expm1(-2 |x|)``, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    twice = a.at_least(a.multiply(a.magnitude(x), -2.0), a.of(-40.0, -80.0))
    small = expm1_of_clamped(a, twice)
    return a.with_sign(a.divide(small, a.add(small, 2.0)), x)


def _exponential(a: Arithmetic, x: str) -> tuple[str, str, str]:
    """Return ``q``, ``2**(n - 2)`` and ``2**(-n - 2)`` of ``exp(|x|) = 2**n (1 + q)``.

    A quarter, because ``exp(|x|)`` overflows earlier than its half.
    """
    # A little beyond where the half overflows, and where the rest is positive.
    magnitude = a.at_most(a.magnitude(x), (a.bias + 2) * math.log(2.0) + 0.1)
    bits, rest = reduced(a, magnitude, a.bias - 2)
    biased = a.integer("and", bits, 2 * a.bias + 1)
    other = a.integer("sub", 2 * a.bias - 4, biased)
    positive = a.where_integer(a.compare_integers("sgt", other, 0), other, 0)
    return expm1_of_rest(a, rest), a.power_of_two(biased), a.power_of_two(positive)


def sinh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``(exp(|x|) - exp(-|x|)) / 2``, in terms that keep the digits near 0, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    rest, quarter, other = _exponential(a, x)
    quotient = a.divide(rest, a.add(rest, 1.0))
    half = a.fma(quarter, rest, a.fma(other, quotient, a.subtract(quarter, other)))
    return a.with_sign(a.add(half, half), x)


def cosh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``exp(|x|) / 2 + 1 / (2 exp(|x|))``."""
    a = Arithmetic(writer, dtype)
    rest, quarter, _ = _exponential(a, x)
    large = a.fma(quarter, rest, quarter)
    return a.add(a.add(large, large), a.divide(0.125, large))


def arcsinh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log1p(|x| + x**2 / (1 + sqrt(1 + x**2)))``, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    large = a.test("ogt", magnitude, 2.0 ** (a.digits // 2 + 6))
    moderate = a.where(large, 1.0, magnitude)
    square = a.multiply(moderate, moderate)
    grown = a.add(moderate, a.divide(square, a.add(a.root(a.add(square, 1.0)), 1.0)))
    out = a.where(large, log_of_large(a, magnitude, 1), log1p_of(a, grown))
    return a.with_sign(out, x)


def arccosh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log1p(t + sqrt(2 t + t**2))`` with ``t = x - 1``."""
    a = Arithmetic(writer, dtype)
    large = a.test("ogt", x, 2.0 ** (a.digits // 2 + 6))
    above = a.subtract(a.where(large, 2.0, x), 1.0)
    root = a.root(a.fma(above, above, a.add(above, above)))
    out = a.where(large, log_of_large(a, x, 1), log1p_of(a, a.add(above, root)))
    return a.where(a.test("olt", x, 1.0), math.nan, out)


def arctanh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``log1p(2 |x| / (1 - |x|)) / 2``, and the sign of ``x``; NaN beyond 1."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    inside = a.where(a.test("olt", magnitude, 1.0), magnitude, 0.0)
    out = log1p_of(a, a.divide(a.add(inside, inside), a.subtract(1.0, inside)))
    beyond = a.where(a.test("oeq", magnitude, 1.0), math.inf, math.nan)
    out = a.where(a.test("olt", magnitude, 1.0), a.multiply(out, 0.5), beyond)
    return a.with_sign(out, x)
