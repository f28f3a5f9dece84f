"""The parts of a float and its neighbours, out of its bits."""

from __future__ import annotations

import math

import numpy as np

from transforms.backends.llvm.mathematics.arithmetic import FLOAT64, Arithmetic
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer


def nextafter(writer: Writer, dtype: DType, x: str, y: str) -> str:
    """Return the float next to ``x`` on the way to ``y``: its bits plus or minus 1."""
    a = Arithmetic(writer, dtype)
    away = a.test("ogt", a.magnitude(y), a.magnitude(x))
    differs = a.compare_integers("slt", a.integer("xor", a.bits(x), a.bits(y)), 0)
    step = a.where_integer(away, a.where_integer(differs, -1, 1), -1)
    moved = a.from_bits(a.integer("add", a.bits(x), step))
    smallest = a.with_sign(float(np.finfo(dtype).smallest_subnormal), y)
    out = a.where(a.test("oeq", x, 0.0), smallest, moved)
    out = a.where(a.test("oeq", x, y), y, out)
    return a.where(a.test("uno", x, y), a.add(x, y), out)


def spacing(writer: Writer, dtype: DType, x: str) -> str:
    """Return the distance to the next float away from 0, with a sign; NaN for an infinity."""
    a = Arithmetic(writer, dtype)
    beyond = a.from_bits(a.integer("add", a.bits(x), 1))
    gap = a.where(a.test("oeq", x, 0.0), float(np.finfo(dtype).smallest_subnormal), a.subtract(beyond, x))
    return a.where(a.test("olt", a.magnitude(x), math.inf), gap, math.nan)


def ldexp(writer: Writer, dtype: DType, x: str, exponent: str) -> str:
    """Return ``x * 2**exponent``, of an exponent as a float, in three steps that do not overflow early."""
    a = Arithmetic(writer, dtype)
    limit = 3.0 * (a.bias - 1)
    exponent = a.clamp(exponent, -limit, limit)
    for _ in range(3):
        step = a.clamp(exponent, 1.0 - a.bias, float(a.bias))
        _, bits = a.rounded(step, 1.0, a.bias)
        x = a.multiply(x, a.power_of_two(bits))
        exponent = a.subtract(exponent, step)
    return x


def exponent(writer: Writer, dtype: DType, x: str) -> str:
    """Return as int32 the exponent whose power of 2 is the first above ``|x|``; 0 for 0, infinity and NaN."""
    a = Arithmetic(writer, dtype)
    magnitude = a.magnitude(x)
    tiny = a.test("olt", magnitude, float(np.finfo(dtype).tiny))
    normal = a.where(tiny, a.multiply(magnitude, 2.0 ** (a.digits + 2)), magnitude)
    biased = a.integer("lshr", a.bits(normal), a.digits)
    lift = a.where_integer(tiny, a.bias - 1 + a.digits + 2, a.bias - 1)
    usual = a.both(a.test("ogt", magnitude, 0.0), a.test("olt", magnitude, math.inf))
    out = a.where_integer(usual, a.integer("sub", biased, lift), 0)
    return writer.convert("trunc", a.whole, np.dtype(np.int32), out) if dtype == FLOAT64 else out
