"""Functions of which the derivative is zero wherever it exists: comparisons, rounding, tests, bits."""

from __future__ import annotations

import numpy as np
from numpy._core import umath

from transforms.primitive import implements, refuse
from transforms.primitives.declare import piecewise_constant
from transforms.tracer import bind
from transforms.types import Array, ArrayType

for _comparison in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
    piecewise_constant(_comparison)

for _connective in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not):
    piecewise_constant(_connective)

for _bits in (
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.bitwise_count,
    np.invert,
    np.left_shift,
    np.right_shift,
):
    piecewise_constant(_bits)

for _of_integers in (np.gcd, np.lcm):
    piecewise_constant(_of_integers)

# --- tests

for _test in (np.isfinite, np.isinf, np.isnan):
    piecewise_constant(_test)


@implements(np.isposinf)
def _isposinf(x: Array) -> Array:
    return np.isinf(x) & ~np.signbit(x)


@implements(np.isneginf)
def _isneginf(x: Array) -> Array:
    return np.isinf(x) & np.signbit(x)


# --- rounding

for _rounding in (np.floor, np.ceil, np.trunc, np.rint):
    piecewise_constant(_rounding)

# To decimals, or to powers of ten.
round_ = piecewise_constant(
    np.round,
    name="round",
    infer=lambda x, decimals: ArrayType(x.shape, np.round(np.empty(0, x.dtype), decimals).dtype),
)


@implements(np.round, np.around)
def _round(a: Array, decimals: int = 0) -> Array:
    return np.rint(a) if decimals == 0 and a.dtype.kind in "fc" else bind(round_, a, decimals=int(decimals))


@implements(np.fix)
def _fix(x: Array) -> Array:
    return np.trunc(x)


# --- what takes no numbers

refuse(np.isnat, "it is a function of dates", "np.isnan for numbers")
refuse(vars(umath)["_ones_like"], "it is a part of np.ones_like", "np.ones_like")
for _ufunc in vars(umath).values():
    # NumPy lists no types for its functions of strings, which resolve their loops themselves.
    if isinstance(_ufunc, np.ufunc) and not _ufunc.types:
        refuse(_ufunc, "it is a function of strings", "an array of strings, outside the transformed function")
