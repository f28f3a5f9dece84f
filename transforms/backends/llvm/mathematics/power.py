"""Powers and roots: ``x**y`` is 2 to the power of ``y log2(|x|)``, which needs more digits than a number has.

For float32 these are those of float64; for float64 logarithm and product are sums of two numbers.

Source: IEEE 754-2019, section 9.2.1, for the special cases.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32, FLOAT64, Arithmetic, Pair
from transforms.backends.llvm.mathematics.exponential import exp2_slope, scaled
from transforms.backends.llvm.mathematics.fitting import fitted, parts, power_series
from transforms.backends.llvm.mathematics.logarithm import double_reciprocals_of_odd, normalized
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer

_LOG2_E = parts(1 / Decimal(2).ln(), 2, 53)
_TWO_THIRDS = parts(Decimal(2) / 3, 2, 53)
_short_tail = power_series(double_reciprocals_of_odd, 1)
_long_tail = power_series(double_reciprocals_of_odd, 2)


def _power_of_float32(writer: Writer, x: str, y: str) -> str:
    """Return ``|x|**y`` of float32, where it has no special case; only ``y log2(|x|)`` is in float64."""
    single, a = Arithmetic(writer, FLOAT32), Arithmetic(writer, FLOAT64)
    _, exponent, mantissa = normalized(single, x)
    rest = writer.convert("fpext", FLOAT32, FLOAT64, single.subtract(mantissa, 1.0))
    s = a.divide(rest, a.add(rest, 2.0))
    z = a.multiply(s, s)
    logarithm = a.fma(a.multiply(s, z), a.polynomial(z, fitted(_short_tail, 0.0, 0.0295, 3)), a.add(s, s))
    count = writer.convert("sitofp", single.whole, FLOAT64, exponent)
    total = a.fma(logarithm, 1.0 / math.log(2.0), count)
    product = a.clamp(a.multiply(writer.convert("fpext", FLOAT32, FLOAT64, y), total), -151.0, 129.0)
    count = writer.intrinsic("nearbyint", FLOAT64, product)
    rest = writer.convert("fptrunc", FLOAT64, FLOAT32, a.subtract(product, count))
    _, bits = single.rounded(writer.convert("fptrunc", FLOAT64, FLOAT32, count), 1.0, 2 * single.bias)
    slope = single.polynomial(rest, fitted(exp2_slope, -0.5, 0.5, 5))
    return scaled(single, single.fma(rest, slope, 1.0), bits)


def _logarithm(a: Arithmetic, mantissa: str) -> Pair:
    """Return the logarithm of a mantissa as the series of ``2 atanh(s)``, ``s = (m - 1) / (m + 1)``."""
    rest = a.subtract(mantissa, 1.0)
    below = a.sum(rest, 2.0)
    high = a.divide(rest, below.high)
    left = a.fma(a.negative(high), below.high, rest)
    left = a.fma(a.negative(high), below.low, left)
    low = a.divide(left, below.high)
    square = a.product(high, high)
    square_low = a.fma(a.add(high, high), low, square.low)
    tail = a.polynomial(square.high, fitted(_long_tail, 0.0, 0.0295, 6))
    # 2/3 + tail * square, times square, times s: the second term of the series and all that follow.
    first = a.ordered_sum(_TWO_THIRDS[0], a.multiply(tail, square.high))
    first_low = a.add(first.low, _TWO_THIRDS[1])
    second = a.product(first.high, square.high)
    second_low = a.fma(first.high, square_low, a.fma(first_low, square.high, second.low))
    third = a.product(second.high, high)
    third_low = a.fma(second.high, low, a.fma(second_low, high, third.low))
    total = a.ordered_sum(a.add(high, high), third.high)
    return Pair(total.high, a.add(total.low, a.fma(low, 2.0, third_low)))


def _log2(a: Arithmetic, x: str) -> Pair:
    """Return the logarithm of a positive number."""
    _, exponent, mantissa = normalized(a, x)
    logarithm = _logarithm(a, mantissa)
    product = a.product(logarithm.high, _LOG2_E[0])
    low = a.fma(logarithm.low, _LOG2_E[0], a.fma(logarithm.high, _LOG2_E[1], product.low))
    total = a.ordered_sum(a.to_float(exponent), product.high)
    return a.ordered_sum(total.high, a.add(total.low, low))


def _power_of_float64(writer: Writer, x: str, y: str) -> str:
    """Return ``|x|**y`` of float64, where it has no special case."""
    a = Arithmetic(writer, FLOAT64)
    logarithm = _log2(a, x)
    # Beyond this the result is 0, 1 or infinite, and products of parts would overflow.
    y = a.clamp(y, -(2.0**70), 2.0**70)
    product = a.product(y, logarithm.high)
    low = a.fma(y, logarithm.low, product.low)
    clamped = a.clamp(product.high, -1080.0, 1030.0)
    low = a.where(a.test("oeq", clamped, product.high), low, 0.0)
    count, bits = a.rounded(clamped, 1.0, 2 * a.bias)
    rest = a.add(a.subtract(clamped, count), low)
    slope = a.polynomial(rest, fitted(exp2_slope, -0.5, 0.5, 11))
    return scaled(a, a.fma(rest, slope, 1.0), bits)


def power(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``x**y``; of a negative base with an exponent that is no integer NaN."""
    if dtype.kind != "f":
        return _integer_power(writer, dtype, x, int(y))
    a = Arithmetic(writer, dtype)
    base = a.magnitude(x)
    usual = a.both(a.test("ogt", base, 0.0), a.test("olt", base, math.inf))
    inside = a.where(usual, base, 1.0)
    core = _power_of_float32 if dtype == FLOAT32 else _power_of_float64
    out = core(writer, inside, y)
    # Of 0 and infinity, whose power is 0 where the exponent takes it down.
    zero = a.test("oeq", base, 0.0)
    extreme = a.where(a.test("olt", y, 0.0), a.where(zero, math.inf, 0.0), a.where(zero, 0.0, math.inf))
    extreme = a.where(a.test("uno", x, y), math.nan, extreme)
    out = a.where(usual, out, a.where(a.test("uno", x, x), math.nan, extreme))
    whole = a.test("oeq", a.whole_part(y), y)
    half = a.multiply(y, 0.5)
    odd = a.both(whole, a.test("une", a.whole_part(half), half))
    signed = a.where(odd, a.with_sign(out, x), out)
    negative = a.both(a.test("olt", x, 0.0), a.test("ogt", x, -math.inf))
    undefined = a.both(negative, a.test("one", a.whole_part(y), y))
    out = a.where(undefined, math.nan, signed)
    one = a.either(a.test("oeq", y, 0.0), a.test("oeq", x, 1.0))
    infinite_exponent = a.both(a.test("oeq", base, 1.0), a.test("oeq", a.magnitude(y), math.inf))
    return a.where(a.either(one, infinite_exponent), 1.0, out)


def _integer_power(writer: Writer, dtype: DType, x: str, exponent: int) -> str:
    """Return a power with a known exponent that is not negative, by repeated squares."""
    out = "1"
    while exponent:
        if exponent & 1:
            out = x if out == "1" else writer.binary("mul", dtype, out, x)
        exponent >>= 1
        if exponent:
            x = writer.binary("mul", dtype, x, x)
    return out


# --- cube roots


def _cube_root(x: Decimal) -> Decimal:
    return x ** (Decimal(1) / 3)


def cbrt(writer: Writer, dtype: DType, x: str) -> str:
    """Return a polynomial of the mantissa, improved by E. Halley's method, times a power of 2."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    lift = 27 if dtype == FLOAT32 else 54
    tiny = a.test("olt", magnitude, float(np.finfo(dtype).tiny))
    normal = a.where(tiny, a.multiply(magnitude, 2.0**lift), magnitude)
    bits = a.bits(normal)
    exponent = a.to_float(a.integer("sub", a.integer("lshr", bits, a.digits), a.bias))
    # In the middle between thirds, so that rounding does not matter.
    third = a.fma(exponent, 1.0 / 3.0, -1.0 / 3.0)
    count, count_bits = a.rounded(third, 1.0, a.bias)
    rest = a.fma(count, -3.0, exponent)  # 0, 1 or 2
    mantissa = a.from_bits(a.integer("or", a.integer("and", bits, (1 << a.digits) - 1), a.bits_of(1.0)))
    guess = a.polynomial(mantissa, fitted(_cube_root, 1.0, 2.0, 3 if dtype == FLOAT32 else 5))
    one, two = a.test("oeq", rest, 1.0), a.test("oeq", rest, 2.0)
    guess = a.multiply(guess, a.where(two, 4.0 ** (1 / 3), a.where(one, 2.0 ** (1 / 3), 1.0)))
    value = a.multiply(mantissa, a.where(two, 4.0, a.where(one, 2.0, 1.0)))
    cube = a.multiply(a.multiply(guess, guess), guess)
    step = a.divide(a.subtract(value, cube), a.fma(cube, 2.0, value))
    root = a.fma(guess, step, guess)
    out = a.multiply(root, a.power_of_two(count_bits))
    out = a.where(tiny, a.multiply(out, 2.0 ** (-lift // 3)), out)
    usual = a.both(a.test("ogt", magnitude, 0.0), a.test("olt", magnitude, math.inf))
    return a.where(usual, a.with_sign(out, x), x)


def hypot(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return ``sqrt(x**2 + y**2)``, of numbers scaled so that squares neither overflow nor vanish."""
    a = Arithmetic(writer, dtype)
    first, second = a.magnitude(x), a.magnitude(y)
    swapped = a.test("ogt", second, first)
    large, small = a.where(swapped, second, first), a.where(swapped, first, second)
    step = 2.0 ** (a.bias // 2 + a.digits // 2 + 5)
    huge = a.test("ogt", large, 2.0 ** (a.bias // 2 - 1))
    tiny = a.test("olt", large, 2.0 ** -(a.bias // 2 - a.digits))
    up = a.where(huge, 1.0 / step, a.where(tiny, step, 1.0))
    down = a.where(huge, step, a.where(tiny, 1.0 / step, 1.0))
    large, small = a.multiply(large, up), a.multiply(small, up)
    out = a.multiply(a.root(a.fma(small, small, a.multiply(large, large))), down)
    infinite = a.either(a.test("oeq", first, math.inf), a.test("oeq", second, math.inf))
    return a.where(infinite, math.inf, a.where(a.test("uno", x, y), a.add(x, y), out))
