"""The remainder of a division whose quotient is truncated.

The quotient, rounded and truncated, is off by one at most, and the remainder is exact in one fused operation
as long as a float has all integers of the quotient's size; beyond, the C library is called.
"""

from __future__ import annotations

import math

from transforms.backends.llvm.mathematics.arithmetic import Arithmetic
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import Writer


def fmod(writer: Writer, dtype: DType, x: str, y: str) -> tuple[str, str]:
    """Return ``x - trunc(x / y) y``, and the sign of ``x``."""
    a = Arithmetic(writer, dtype)
    quotient = a.whole_part(a.divide(x, y))
    rest = a.fma(a.negative(quotient), y, x)
    # Where the quotient was rounded up, the remainder has the other sign.
    overshot = a.compare_integers("slt", a.integer("xor", a.bits(rest), a.bits(x)), 0)
    nonzero = a.test("one", rest, 0.0)
    rest = a.where(a.both(overshot, nonzero), a.add(rest, a.with_sign(y, x)), rest)
    large = a.test("oge", a.magnitude(quotient), 2.0**a.digits)
    infinite = a.test("oeq", a.magnitude(y), math.inf)
    return a.with_sign(rest, x), a.either(large, infinite)
