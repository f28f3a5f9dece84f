"""Exponentials, logarithms and hyperbolic functions."""

from __future__ import annotations

import math

import numpy as np

from transforms.primitive import Primitive
from transforms.primitives.declare import elementwise
from transforms.types import Array

_LOG_2 = math.log(2.0)
_LOG_10 = math.log(10.0)

# --- exponentials and logarithms

exp = elementwise(np.exp, lambda d, out, _x: d * out)
exp2 = elementwise(np.exp2, lambda d, out, _x: d * (out * _LOG_2))
# Not out + 1, which has no correct digit left where the exponential is small.
expm1 = elementwise(np.expm1, lambda d, _out, x: d * np.exp(x))
log = elementwise(np.log, lambda d, _out, x: d / x)
log2 = elementwise(np.log2, lambda d, _out, x: d / (x * _LOG_2))
log10 = elementwise(np.log10, lambda d, _out, x: d / (x * _LOG_10))
log1p = elementwise(np.log1p, lambda d, _out, x: d / (1.0 + x))

# --- logarithms of sums of exponentials


def _logarithm_of_sum(function: np.ufunc, exponential: np.ufunc) -> Primitive:
    def share(d: Array, mine: Array, other: Array) -> Array:
        """Multiply by the operand's part of the sum, ``1 / (1 + exp(other - mine))``.

        Two equal infinities share it equally, as in the maximum, where their difference would be NaN.
        """
        if not (isinstance(other, (int, float)) and math.isfinite(other)):
            infinite = np.isinf(mine) & (mine == other)
            mine, other = np.where(infinite, 0.0, mine), np.where(infinite, 0.0, other)
        return d * exponential(-function(0.0, other - mine))

    return elementwise(function, lambda d, _out, x, y: share(d, x, y), lambda d, _out, x, y: share(d, y, x))


logaddexp = _logarithm_of_sum(np.logaddexp, np.exp)
logaddexp2 = _logarithm_of_sum(np.logaddexp2, np.exp2)

# --- hyperbolic functions

sinh = elementwise(np.sinh, lambda d, _out, x: d * np.cosh(x))
cosh = elementwise(np.cosh, lambda d, _out, x: d * np.sinh(x))
tanh = elementwise(np.tanh, lambda d, out, _x: d * (1.0 - out * out))
arcsinh = elementwise(np.arcsinh, lambda d, _out, x: d / np.sqrt(x * x + 1.0))
# Two roots and not that of the product, which has another branch where the real part is negative.
arccosh = elementwise(np.arccosh, lambda d, _out, x: d / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)))
arctanh = elementwise(np.arctanh, lambda d, _out, x: d / ((1.0 - x) * (1.0 + x)))
