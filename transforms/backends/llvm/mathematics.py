"""Functions of mathematics as polynomials that vectorise, and the rest by the C library.

The arithmetic here carries no flags: to reassociate it would undo its care. Each function says how its
argument is reduced to a short interval; the polynomial for that is a power series made economical by
leaving out its last Chebyshev terms.

Source: C. Lanczos, Applied Analysis (1956), for the economization; W. J. Cody and W. Waite, Software Manual
for the Elementary Functions (1980), for the reductions.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.polynomial import chebyshev

from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer, constant, integer_of, register_type

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Arithmetic:
    """Strict arithmetic on values of one floating-point dtype; Python numbers are constants."""

    def __init__(self, writer: Writer, dtype: DType) -> None:
        self.writer = writer
        self.dtype = dtype
        self.whole = integer_of(dtype)
        self.digits = 23 if dtype == _FLOAT32 else 52
        self.bias = 127 if dtype == _FLOAT32 else 1023

    def number(self, x: str | float) -> str:
        """Return the text of a value."""
        return x if isinstance(x, str) else constant(self.dtype, x)

    def add(self, x: str | float, y: str | float) -> str:
        """Return ``x + y``."""
        return self.writer.binary("fadd", self.dtype, self.number(x), self.number(y))

    def subtract(self, x: str | float, y: str | float) -> str:
        """Return ``x - y``."""
        return self.writer.binary("fsub", self.dtype, self.number(x), self.number(y))

    def multiply(self, x: str | float, y: str | float) -> str:
        """Return ``x * y``."""
        return self.writer.binary("fmul", self.dtype, self.number(x), self.number(y))

    def divide(self, x: str | float, y: str | float) -> str:
        """Return ``x / y``."""
        return self.writer.binary("fdiv", self.dtype, self.number(x), self.number(y))

    def fma(self, x: str | float, y: str | float, z: str | float) -> str:
        """Return ``x * y + z``, rounded once."""
        return self.writer.intrinsic("fma", self.dtype, *(self.number(v) for v in (x, y, z)))

    def negative(self, x: str) -> str:
        """Return ``-x``."""
        return self.writer.unary("fneg", self.dtype, x)

    def test(self, predicate: str, x: str, y: str | float) -> str:
        """Compare two values."""
        return self.writer.compare(self.dtype, predicate, x, self.number(y))

    def where(self, condition: str, x: str | float, y: str | float) -> str:
        """Choose between two values."""
        return self.writer.select(condition, self.dtype, self.number(x), self.number(y))

    def clamp(self, x: str, low: float, high: float) -> str:
        """Return the nearest number between two; NaN stays."""
        x = self.where(self.test("olt", x, low), low, x)
        return self.where(self.test("ogt", x, high), high, x)

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Return ``sum(coefficients[k] * x**k)``."""
        total = self.number(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = self.fma(total, x, coefficient)
        return total

    def bits(self, x: str) -> str:
        """Return the bits of a value as an integer."""
        return self.writer.bitcast(self.dtype, self.whole, x)

    def from_bits(self, bits: str) -> str:
        """Return the value that bits stand for."""
        return self.writer.bitcast(self.whole, self.dtype, bits)

    def integer(self, instruction: str, x: str, y: str | int) -> str:
        """Apply an instruction to two integers as wide as the values."""
        return self.writer.binary(instruction, self.whole, x, str(y))

    def power_of_two(self, exponent: str) -> str:
        """Return 2 to an integer power between those of normal numbers."""
        return self.from_bits(self.integer("shl", self.integer("add", exponent, self.bias), self.digits))


@functools.cache
def economized(series: tuple[float, ...], bound: float, degree: int) -> tuple[float, ...]:
    """Return a polynomial of low degree near a power series where the argument is at most ``bound``.

    >>> economized((1.0, 1.0, 0.5, 1 / 6), 0.1, 2)[0] == 1.0
    True
    """
    scaled = [c * bound**k for k, c in enumerate(series)]
    short = chebyshev.cheb2poly(chebyshev.poly2cheb(scaled)[: degree + 1])
    return tuple(float(c) / bound**k for k, c in enumerate(short))


# --- exponentials: 2**n times the exponential of the rest, which is at most half a logarithm of 2

_LOG_2 = math.log(2.0)
# The logarithm of 2 in two parts: products of the first with small integers are exact.
_LOG_2_PARTS = {
    _FLOAT32: (0.693359375, -2.1219444005469057e-4),
    _FLOAT64: (0.6931471803691238, 1.9082149292705877e-10),
}
_EXP_SERIES = tuple(1.0 / math.factorial(k + 2) for k in range(18))
_EXP_DEGREE = {_FLOAT32: 4, _FLOAT64: 10}


def _reduce_exponent(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return an integer ``n`` and ``expm1(x - n log 2)``."""
    # Adding this number leaves the rounded integer in the low bits.
    magic = 1.5 * 2.0**a.digits
    shifted = a.fma(x, 1.0 / _LOG_2, magic)
    exponent = a.integer("sub", a.bits(shifted), int(np.asarray(magic, a.dtype).view(a.whole)))
    count = a.subtract(shifted, magic)
    high, low = _LOG_2_PARTS[a.dtype]
    rest = a.fma(count, -low, a.fma(count, -high, x))
    tail = a.polynomial(rest, economized(_EXP_SERIES, 0.35, _EXP_DEGREE[a.dtype]))
    return exponent, a.fma(a.multiply(rest, rest), tail, rest)


def _exp(writer: Writer, dtype: DType, x: str) -> str:
    a = Arithmetic(writer, dtype)
    x = a.clamp(x, *((-104.0, 89.0) if dtype == _FLOAT32 else (-746.0, 710.0)))
    exponent, rest = _reduce_exponent(a, x)
    # In two steps, so that overflow gives infinity and underflow denormal numbers.
    half = a.integer("ashr", exponent, 1)
    scaled = a.multiply(a.add(rest, 1.0), a.power_of_two(half))
    return a.multiply(scaled, a.power_of_two(a.integer("sub", exponent, half)))


def _expm1(writer: Writer, dtype: DType, x: str) -> str:
    a = Arithmetic(writer, dtype)
    clamped = a.clamp(x, *((-40.0, 89.0) if dtype == _FLOAT32 else (-80.0, 710.0)))
    exponent, rest = _reduce_exponent(a, clamped)
    # Half the power, because 2**128 has no float32.
    half = a.power_of_two(a.integer("sub", exponent, 1))
    scaled = a.fma(rest, half, a.subtract(half, 0.5))
    return a.where(a.test("oeq", x, 0.0), x, a.add(scaled, scaled))


def _tanh(writer: Writer, dtype: DType, x: str) -> str:
    """Return ``-t / (t + 2)`` with ``t = expm1(-2 |x|)``, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    magnitude = writer.intrinsic("fabs", dtype, x)
    small = _expm1(writer, dtype, a.multiply(magnitude, -2.0))
    quotient = a.divide(small, a.add(small, 2.0))
    return writer.intrinsic("copysign", dtype, quotient, x)


# --- logarithms: the exponent, and atanh of a mantissa between the roots of 1/2 and 2

_ATANH_SERIES = tuple(2.0 / (2 * k + 3) for k in range(16))
_ATANH_DEGREE = {_FLOAT32: 3, _FLOAT64: 7}


def _split_float(a: Arithmetic, x: str) -> tuple[str, str]:
    """Return exponent, as an integer, and mantissa of a positive normal number."""
    root = int(np.asarray(math.sqrt(0.5), a.dtype).view(a.whole))
    moved = a.integer("sub", a.bits(x), root)
    fraction = a.integer("and", moved, (1 << a.digits) - 1)
    return a.integer("ashr", moved, a.digits), a.from_bits(a.integer("add", fraction, root))


def _log_of_sum(a: Arithmetic, rest: str, exponent: str, correction: str | float) -> str:
    """Return ``log(1 + rest) + exponent log 2 + correction``."""
    count = a.writer.convert("sitofp", a.whole, a.dtype, exponent)
    s = a.divide(rest, a.add(rest, 2.0))
    z = a.multiply(s, s)
    series = a.multiply(z, a.polynomial(z, economized(_ATANH_SERIES, 0.03, _ATANH_DEGREE[a.dtype])))
    half = a.multiply(a.multiply(rest, rest), 0.5)
    high, low = _LOG_2_PARTS[a.dtype]
    small = a.fma(s, a.add(half, series), a.fma(count, low, correction))
    return a.fma(count, high, a.subtract(rest, a.subtract(half, small)))


def _special_logarithms(a: Arithmetic, x: str, y: str, out: str) -> str:
    """Put right the logarithm of ``y``, which is ``x`` or ``1 + x``, where it is no positive number."""
    out = a.where(a.test("oeq", y, 0.0), -math.inf, out)
    out = a.where(a.test("ult", y, 0.0), math.nan, out)
    return a.where(a.test("oeq", x, math.inf), math.inf, out)


def _log(writer: Writer, dtype: DType, x: str) -> str:
    a = Arithmetic(writer, dtype)
    tiny = a.test("olt", x, float(np.finfo(dtype).tiny))
    normal = a.where(tiny, a.multiply(x, 2.0 ** (a.digits + 2)), x)
    exponent, mantissa = _split_float(a, normal)
    lifted = writer.select(tiny, a.whole, str(-a.digits - 2), "0")
    out = _log_of_sum(a, a.subtract(mantissa, 1.0), a.integer("add", exponent, lifted), 0.0)
    return _special_logarithms(a, x, x, out)


def _log1p(writer: Writer, dtype: DType, x: str) -> str:
    a = Arithmetic(writer, dtype)
    y = a.add(x, 1.0)
    exponent, mantissa = _split_float(a, y)
    # What the sum lost, as a part of the sum.
    lost = a.where(
        a.test("olt", x, 1.0), a.subtract(x, a.subtract(y, 1.0)), a.subtract(1.0, a.subtract(y, x))
    )
    near = a.writer.compare(a.whole, "eq", exponent, "0")
    rest = a.where(near, x, a.subtract(mantissa, 1.0))
    out = _log_of_sum(a, rest, exponent, a.where(near, 0.0, a.divide(lost, y)))
    out = a.where(a.test("oeq", x, 0.0), x, out)
    return _special_logarithms(a, x, y, out)


# --- functions of float32 whose polynomials are in float64

_ERF_BOUND = 4.0  # from where on the error function of float32 is 1
_ERF_DEGREE = 22


@functools.cache
def _erf_coefficients() -> tuple[float, ...]:
    """Return the polynomial in ``t = x**2 / 8 - 1`` of ``erf(x) / x``."""

    def ratio(t: float) -> float:
        x = math.sqrt(8.0 * (t + 1.0))
        return math.erf(x) / x if x else 2.0 / math.sqrt(math.pi)

    fitted = chebyshev.chebinterpolate(np.vectorize(ratio), _ERF_DEGREE)
    return tuple(float(c) for c in chebyshev.cheb2poly(fitted))


def _erf(writer: Writer, dtype: DType, x: str) -> str:
    if dtype == _FLOAT64:
        return _library("erf")(writer, dtype, x)
    a = Arithmetic(writer, _FLOAT64)
    wide = a.clamp(writer.convert("fpext", _FLOAT32, _FLOAT64, x), -_ERF_BOUND, _ERF_BOUND)
    t = a.fma(a.multiply(wide, wide), 0.125, -1.0)
    out = a.multiply(wide, a.polynomial(t, _erf_coefficients()))
    return writer.convert("fptrunc", _FLOAT64, _FLOAT32, out)


# --- the C library


def _library(function: str) -> Callable[..., str]:
    """Return a call of a function of the C library, whose float32 form ends in ``f``."""

    def emit(writer: Writer, dtype: DType, *operands: str) -> str:
        kind = register_type(dtype)
        name = f"{function}f" if dtype == _FLOAT32 else function
        if not writer.lanes:
            return writer.call(name, kind, *((kind, x) for x in operands))
        vector = writer.type(dtype)
        out = "poison"
        for lane in range(writer.lanes):
            each = [
                writer.emit(f"extractelement {vector} {writer.operand(dtype, x)}, i64 {lane}")
                for x in operands
            ]
            value = writer.call(name, kind, *((kind, x) for x in each))
            out = writer.emit(f"insertelement {vector} {out}, {kind} {value}, i64 {lane}")
        return out

    return emit


_LIBRARY_NAMES = {
    "exp2": "exp2", "log2": "log2", "log10": "log10", "sinh": "sinh", "cosh": "cosh", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "hypot": "hypot", "cbrt": "cbrt",
    "power": "pow", "nextafter": "nextafter", "erfc": "erfc",
}  # fmt: skip

FUNCTIONS: dict[str, Callable[..., str]] = {
    **{name: _library(function) for name, function in _LIBRARY_NAMES.items()},
    "exp": _exp,
    "expm1": _expm1,
    "tanh": _tanh,
    "log": _log,
    "log1p": _log1p,
    "erf": _erf,
}
"""The functions by the names of their primitives."""


def library_addresses() -> dict[str, int]:
    """Return where the C library's functions are."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    names = [*_LIBRARY_NAMES.values(), "erf", "fmod"]
    return {
        name: ctypes.cast(library[name], ctypes.c_void_p).value or 0
        for name in (*names, *(f"{name}f" for name in names))
    }
