"""Sine, cosine and tangent: a rest by a multiple of pi, or of half of it, and polynomials.

The multiple is subtracted in three parts, of which fused products with integers are exact; where an argument
is so large that this is not enough, the C library is called for it.

Source: W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic
from transforms.backends.llvm.mathematics.fitting import fitted, parts, pi, power_series
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

_PI = {FLOAT32: parts(pi(), 3, 24), FLOAT64: parts(pi(), 3, 53)}
# Where the three parts leave an error of less than half a unit of the rest.
_LIMIT = {FLOAT32: 1e5, FLOAT64: 1e9}


def _alternating(start: int) -> Callable[[], Iterator[Decimal]]:
    """Return the series of sine, from 1, or cosine, from 0, over its first power, in the square."""

    def terms() -> Iterator[Decimal]:
        term = Decimal(1)
        for k in itertools.count(start, 2):
            yield term
            term /= -(k + 1) * (k + 2)

    return terms


_sin_tail = power_series(_alternating(1), 1)
_cos_tail = power_series(_alternating(0), 2)


def _rest(a: Arithmetic, x: str, count: str, factor: float) -> str:
    """Return ``x - count * factor * pi`` where ``factor`` is a power of 2."""
    first, second, third = (-factor * part for part in _PI[a.dtype])
    rest = a.fma(count, first, x)
    if a.dtype == FLOAT32:
        return a.fma(count, third, a.fma(count, second, rest))
    product = a.product(count, second)
    total = a.sum(rest, product.high)
    return a.add(total.high, a.add(total.low, a.fma(count, third, product.low)))


def _sine_of_rest(a: Arithmetic, rest: str, bound: float, degree: int) -> str:
    z = a.multiply(rest, rest)
    tail = a.polynomial(z, fitted(_sin_tail, 0.0, bound * bound, degree))
    return a.fma(a.multiply(rest, z), tail, rest)


def _with_parity(a: Arithmetic, x: str, bits: str, sign: str | None = None) -> str:
    """Change the sign of ``x`` where the lowest bit is set, and where another number is negative."""
    change = a.integer("shl", bits, 8 * a.dtype.itemsize - 1)
    if sign is not None:
        change = a.integer("xor", change, a.integer("and", a.bits(sign), a.bits_of(-0.0)))
    return a.from_bits(a.integer("xor", a.bits(x), change))


def _is_rare(a: Arithmetic, x: str) -> str:
    return a.test("ogt", a.magnitude(x), _LIMIT[a.dtype])


_HALF_TURN_DEGREE = {FLOAT32: 3, FLOAT64: 7}


def sin(writer: Writer, dtype: DType, x: str) -> tuple[str, str]:
    """Return the sine of the rest of ``|x|`` by pi, with the sign of the multiple's parity and of ``x``."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    count, bits = a.rounded(magnitude, 1.0 / math.pi)
    out = _sine_of_rest(a, _rest(a, magnitude, count, 1.0), math.pi / 2, _HALF_TURN_DEGREE[dtype])
    return _with_parity(a, out, bits, x), _is_rare(a, x)


def cos(writer: Writer, dtype: DType, x: str) -> tuple[str, str]:
    """Return the sine of what is left to the next odd multiple of half of pi."""
    a = Arithmetic(writer, dtype)
    # |x| = (n + 1/2) pi + rest.
    magnitude = a.magnitude(x)
    count, bits = a.rounded(a.fma(magnitude, 1.0 / math.pi, -0.5), 1.0)
    odd = a.fma(count, 2.0, 1.0)
    out = _sine_of_rest(a, _rest(a, magnitude, odd, 0.5), math.pi / 2, _HALF_TURN_DEGREE[dtype])
    return _with_parity(a, out, a.integer("add", bits, 1)), _is_rare(a, x)


_QUARTER_TURN_DEGREES = {FLOAT32: (2, 2), FLOAT64: (5, 5)}


def tan(writer: Writer, dtype: DType, x: str) -> tuple[str, str]:
    """Return the quotient of sine and cosine of the rest by half of pi, inverted for odd multiples."""
    a = Arithmetic(writer, dtype)
    count, bits = a.rounded(x, 2.0 / math.pi)
    rest = _rest(a, x, count, 0.5)
    bound = math.pi / 4
    sine_degree, cosine_degree = _QUARTER_TURN_DEGREES[dtype]
    sine = _sine_of_rest(a, rest, bound, sine_degree)
    z = a.multiply(rest, rest)
    tail = a.polynomial(z, fitted(_cos_tail, 0.0, bound * bound, cosine_degree))
    cosine = a.fma(a.multiply(z, z), tail, a.fma(z, -0.5, 1.0))
    odd = a.compare_integers("ne", a.integer("and", bits, 1), 0)
    quotient = a.divide(a.where(odd, cosine, sine), a.where(odd, a.negative(sine), cosine))
    return a.where(a.test("oeq", x, 0.0), x, quotient), _is_rare(a, x)
