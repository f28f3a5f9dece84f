"""Strict arithmetic on values of one floating-point dtype: of single numbers, and of sums of two.

The arithmetic carries no flags: to reassociate it would undo its care.

Source: T. J. Dekker, A floating-point technique for extending the available precision (1971), for the sums of
two numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import BOOL, Writer, constant, integer_of

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

Value: TypeAlias = "str | float"


class Pair(NamedTuple):
    """A number as the sum of two, of which the second is at most a rounding error of the first."""

    high: str
    low: str


def split(number: float, dtype: DType, remainder: float = 0.0) -> tuple[float, float]:
    """Return a number, which may be a sum of two, as a sum of two numbers of a dtype.

    >>> split(0.1, np.dtype("float32"))[0] == float(np.float32(0.1))
    True
    """
    high = float(np.asarray(number, dtype))
    return high, float(np.asarray((number - high) + remainder, dtype))


class Arithmetic:
    """Strict arithmetic on values of one floating-point dtype; Python numbers are constants."""

    def __init__(self, writer: Writer, dtype: DType) -> None:
        self.writer = writer
        self.dtype = dtype
        self.whole = integer_of(dtype)
        self.digits = 23 if dtype == FLOAT32 else 52
        self.bias = 127 if dtype == FLOAT32 else 1023

    def of(self, single: float, double: float) -> float:
        """Return what is for float32, or what is for float64."""
        return single if self.dtype == FLOAT32 else double

    def number(self, x: Value) -> str:
        """Return the text of a value."""
        return x if isinstance(x, str) else constant(self.dtype, x)

    # --- floats

    def add(self, x: Value, y: Value) -> str:
        """Return ``x + y``."""
        return self.writer.binary("fadd", self.dtype, self.number(x), self.number(y))

    def subtract(self, x: Value, y: Value) -> str:
        """Return ``x - y``."""
        return self.writer.binary("fsub", self.dtype, self.number(x), self.number(y))

    def multiply(self, x: Value, y: Value) -> str:
        """Return ``x * y``."""
        return self.writer.binary("fmul", self.dtype, self.number(x), self.number(y))

    def divide(self, x: Value, y: Value) -> str:
        """Return ``x / y``."""
        return self.writer.binary("fdiv", self.dtype, self.number(x), self.number(y))

    def fma(self, x: Value, y: Value, z: Value) -> str:
        """Return ``x * y + z``, rounded once."""
        return self.writer.intrinsic("fma", self.dtype, *(self.number(v) for v in (x, y, z)))

    def negative(self, x: str) -> str:
        """Return ``-x``."""
        return self.writer.unary("fneg", self.dtype, x)

    def magnitude(self, x: str) -> str:
        """Return ``|x|``."""
        return self.writer.intrinsic("fabs", self.dtype, x)

    def root(self, x: str) -> str:
        """Return the square root."""
        return self.writer.intrinsic("sqrt", self.dtype, x)

    def whole_part(self, x: str) -> str:
        """Return the integer next to ``x`` on the way to 0."""
        return self.writer.intrinsic("trunc", self.dtype, x)

    def with_sign(self, x: Value, sign: str) -> str:
        """Return ``|x|`` with the sign of another value."""
        return self.writer.intrinsic("copysign", self.dtype, self.number(x), sign)

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Return ``sum(coefficients[k] * x**k)``."""
        total = self.number(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = self.fma(total, x, coefficient)
        return total

    def chosen_polynomial(
        self,
        x: str,
        cases: Sequence[tuple[str, Sequence[float]]],
        otherwise: Sequence[float],
    ) -> str:
        """Return the polynomial of the first case whose condition holds, or the last one."""
        count = max(len(otherwise), *(len(coefficients) for _, coefficients in cases))

        def coefficient(k: int) -> str:
            out = self.number(otherwise[k] if k < len(otherwise) else 0.0)
            for condition, coefficients in reversed(cases):
                out = self.where(condition, coefficients[k] if k < len(coefficients) else 0.0, out)
            return out

        total = coefficient(count - 1)
        for k in range(count - 2, -1, -1):
            total = self.fma(total, x, coefficient(k))
        return total

    # --- tests and choices

    def test(self, predicate: str, x: Value, y: Value) -> str:
        """Compare two values."""
        return self.writer.compare(self.dtype, predicate, self.number(x), self.number(y))

    def where(self, condition: str, x: Value, y: Value) -> str:
        """Choose between two values."""
        return self.writer.select(condition, self.dtype, self.number(x), self.number(y))

    def both(self, x: str, y: str) -> str:
        """Return whether two conditions hold."""
        return self.writer.binary("and", BOOL, x, y)

    def either(self, x: str, y: str) -> str:
        """Return whether one of two conditions holds."""
        return self.writer.binary("or", BOOL, x, y)

    def at_least(self, x: str, low: Value) -> str:
        """Return the larger of two; NaN in place of the first stays."""
        return self.where(self.test("ogt", low, x), low, x)

    def at_most(self, x: str, high: Value) -> str:
        """Return the smaller of two; NaN in place of the first stays."""
        return self.where(self.test("olt", high, x), high, x)

    def clamp(self, x: str, low: float, high: float) -> str:
        """Return the nearest number between two; NaN stays."""
        return self.at_most(self.at_least(x, low), high)

    # --- bits, and integers as wide as the values

    def bits(self, x: str) -> str:
        """Return the bits of a value as an integer."""
        return self.writer.bitcast(self.dtype, self.whole, x)

    def from_bits(self, bits: str) -> str:
        """Return the value that bits stand for."""
        return self.writer.bitcast(self.whole, self.dtype, bits)

    def bits_of(self, number: float) -> int:
        """Return the bits of a known number."""
        return int(np.asarray(number, self.dtype).view(self.whole))

    def integer(self, instruction: str, x: str | int, y: str | int) -> str:
        """Apply an instruction to two integers as wide as the values."""
        return self.writer.binary(instruction, self.whole, str(x), str(y))

    def compare_integers(self, predicate: str, x: str | int, y: str | int) -> str:
        """Compare two integers as wide as the values."""
        return self.writer.compare(self.whole, predicate, str(x), str(y))

    def where_integer(self, condition: str, x: str | int, y: str | int) -> str:
        """Choose between two integers as wide as the values."""
        return self.writer.select(condition, self.whole, str(x), str(y))

    def rounded(self, x: str, factor: float, offset: int = 0) -> tuple[str, str]:
        """Return the integer nearest to ``x * factor``, as a float, and bits whose low ones are it.

        The low bits, all but those of exponent and sign, are of the integer plus ``offset``. Both are right
        up to a quarter of the largest integer up to which a float has all.
        """
        # Adding this number leaves the rounded integer in the low bits.
        magic = 1.5 * 2.0**self.digits + offset
        shifted = self.fma(x, factor, magic)
        return self.subtract(shifted, magic), self.bits(shifted)

    def power_of_two(self, biased: str) -> str:
        """Return 2 to the power of ``biased - bias``, from the low bits of an integer."""
        return self.from_bits(self.integer("shl", biased, self.digits))

    def to_float(self, small: str) -> str:
        """Convert an integer whose magnitude is small to a float."""
        if self.dtype == FLOAT32:
            return self.writer.convert("sitofp", self.whole, self.dtype, small)
        # Few processors convert vectors of 64-bit integers.
        magic = 1.5 * 2.0**self.digits
        return self.subtract(self.from_bits(self.integer("add", small, self.bits_of(magic))), magic)

    # --- sums of two

    def product(self, x: Value, y: Value) -> Pair:
        """Return the exact product."""
        high = self.multiply(x, y)
        return Pair(high, self.fma(x, y, self.negative(high)))

    def ordered_sum(self, x: Value, y: Value) -> Pair:
        """Return the exact sum where the first is 0 or not the smaller magnitude."""
        high = self.add(x, y)
        return Pair(high, self.subtract(y, self.subtract(high, x)))

    def sum(self, x: Value, y: Value) -> Pair:
        """Return the exact sum."""
        high = self.add(x, y)
        part = self.subtract(high, x)
        return Pair(high, self.add(self.subtract(x, self.subtract(high, part)), self.subtract(y, part)))
