"""Arcsine, arccosine, arctangent: odd polynomials of an argument that identities make small.

Source: W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from decimal import Decimal

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic
from transforms.backends.llvm.mathematics.fitting import fitted, parts, pi, power_series
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

_PI = {FLOAT32: parts(pi(), 2, 24), FLOAT64: parts(pi(), 2, 53)}


def _arcsine_series() -> Iterator[Decimal]:
    central = Decimal(1)  # (2 k)! / (2**k k!)**2
    for k in itertools.count():
        yield central / (2 * k + 1)
        central *= Decimal(2 * k + 1) / (2 * k + 2)


def _arctangent_series() -> Iterator[Decimal]:
    return (Decimal((-1) ** k) / (2 * k + 1) for k in itertools.count())


_arcsine_tail = power_series(_arcsine_series, 1)
_arctangent_tail = power_series(_arctangent_series, 1)


def _arcsine_of_small(a: Arithmetic, s: str, z: str) -> str:
    """Return ``arcsin(s)`` where ``z = s**2`` is at most 1/4."""
    tail = a.polynomial(z, fitted(_arcsine_tail, 0.0, 0.25, 5 if a.dtype == FLOAT32 else 12))
    return a.fma(a.multiply(s, z), tail, s)


def _halved(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return whether ``|x|`` is above 1/2; then the arcsine of ``sqrt((1 - |x|) / 2)``, else of ``|x|``."""
    magnitude = a.magnitude(x)
    large = a.test("ogt", magnitude, 0.5)
    z = a.where(large, a.fma(magnitude, -0.5, 0.5), a.multiply(x, x))
    return large, _arcsine_of_small(a, a.where(large, a.root(z), magnitude), z)


def arcsin(writer: Writer, dtype: DType, x: str) -> str:
    """Return that of ``|x|``, or half of pi less twice that of ``sqrt((1 - |x|) / 2)``, with a sign."""
    a = Arithmetic(writer, dtype)
    large, part = _halved(a, x)
    high, low = (0.5 * p for p in _PI[dtype])
    mirrored = a.subtract(high, a.subtract(a.add(part, part), low))
    return a.with_sign(a.where(large, mirrored, part), x)


def arccos(writer: Writer, dtype: DType, x: str) -> str:
    """Return half of pi less the arcsine, or twice that of ``sqrt((1 - |x|) / 2)``, or pi less it."""
    a = Arithmetic(writer, dtype)
    large, part = _halved(a, x)
    twice = a.add(part, part)
    high, low = _PI[dtype]
    below = a.test("olt", x, 0.0)
    far = a.where(below, a.subtract(high, a.subtract(twice, low)), twice)
    signed = a.with_sign(part, x)
    near = a.subtract(0.5 * high, a.subtract(signed, 0.5 * low))
    return a.where(large, far, near)


_EIGHTH = math.tan(math.pi / 8)


def _arctangent_of_quotient(a: Arithmetic, numerator: str, denominator: str) -> str:
    """Return the arctangent of a quotient between 0 and 1."""
    near = a.test("ogt", numerator, a.multiply(denominator, _EIGHTH))
    above = a.where(near, a.subtract(numerator, denominator), numerator)
    below = a.where(near, a.add(numerator, denominator), denominator)
    t = a.divide(above, below)
    z = a.multiply(t, t)
    tail = a.polynomial(z, fitted(_arctangent_tail, 0.0, 0.1716, 4 if a.dtype == FLOAT32 else 10))
    part = a.multiply(a.multiply(t, z), tail)
    high, low = (0.25 * p for p in _PI[a.dtype])
    return a.where(near, a.add(high, a.add(t, a.add(part, low))), a.add(t, part))


def arctan(writer: Writer, dtype: DType, x: str) -> str:
    """Return the arctangent of ``|x|``, or half of pi less that of its reciprocal, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    magnitude = a.at_most(a.magnitude(x), a.of(1e30, 1e300))
    large = a.test("ogt", magnitude, 1.0)
    out = _arctangent_of_quotient(a, a.where(large, 1.0, magnitude), a.where(large, magnitude, 1.0))
    high, low = (0.5 * p for p in _PI[dtype])
    return a.with_sign(a.where(large, a.subtract(high, a.subtract(out, low)), out), x)


def arctan2(writer: Writer, dtype: DType, y: str, x: str) -> str:
    """Return the angle of a point, from the quotient of its smaller by its larger coordinate."""
    a = Arithmetic(writer, dtype)
    rise, run = a.magnitude(y), a.magnitude(x)
    steep = a.test("ogt", rise, run)
    small, large = a.where(steep, run, rise), a.where(steep, rise, run)
    # Two infinities are as two equal numbers, and the sum of two large numbers must not overflow.
    infinite = a.test("oeq", large, math.inf)
    small = a.where(infinite, a.where(a.test("oeq", small, math.inf), 1.0, 0.0), small)
    large = a.where(infinite, 1.0, a.where(a.test("oeq", large, 0.0), 1.0, large))
    scale = a.where(a.test("ogt", large, 1.0), 0.25, 2.0 ** (a.digits + 2))
    scale = a.where(a.both(a.test("ole", large, 1.0), a.test("ogt", large, 1e-3)), 1.0, scale)
    angle = _arctangent_of_quotient(a, a.multiply(small, scale), a.multiply(large, scale))
    high, low = _PI[dtype]
    angle = a.where(steep, a.subtract(0.5 * high, a.subtract(angle, 0.5 * low)), angle)
    behind = a.compare_integers("slt", a.bits(x), 0)
    angle = a.where(behind, a.subtract(high, a.subtract(angle, low)), angle)
    undefined = a.test("uno", x, y)
    return a.where(undefined, a.add(x, y), a.with_sign(angle, y))
