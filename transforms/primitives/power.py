"""Powers and roots."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from transforms.primitive import UFUNCS, implements
from transforms.primitives.arithmetic import zero
from transforms.primitives.casts import cast
from transforms.primitives.declare import broadcast_shape, elementwise
from transforms.tracer import bind
from transforms.types import Array, ArrayType

square = elementwise(np.square, lambda d, _out, x: d * (x + x))
sqrt = elementwise(np.sqrt, lambda d, out, _x: d * 0.5 / out)
cbrt = elementwise(np.cbrt, lambda d, out, _x: d / (3.0 * out * out))
reciprocal = elementwise(np.reciprocal, lambda d, out, _x: -d * out * out)


def _base_differential(d: Array, _out: Array, x: Array, y: Array) -> Array:
    """Differential in the base, ``y x**(y - 1)``, where ``0 * 0**-1`` is 0."""
    if isinstance(y, (int, float, complex)):
        if y == 2:
            return d * (x + x)
        if y == 1:
            return d
        return d * (y * x ** (y - 1)) if y else zero(d)
    return d * (y * x ** np.where((x == 0) & (y == 0), 1.0, y - 1))


def _exponent_differential(d: Array, out: Array, x: Array, _y: Array) -> Array:
    """Differential in the exponent, ``x**y log x``, and 0 at ``x = 0``: ``0**y`` is constant for y > 0."""
    return d * (out * np.log(np.where(x == 0, 1.0, x)))


def _infer_power(x: Any, y: Any) -> ArrayType:
    dtypes = (getattr(x, "dtype", type(x)), getattr(y, "dtype", type(y)))
    return ArrayType(broadcast_shape(x, y), np.power.resolve_dtypes((*dtypes, None))[2])


# The operator and not the ufunc, because it takes short cuts for the exponents 2, 0.5 and -1.
power = elementwise(
    operator.pow, _base_differential, _exponent_differential, name="power", infer=_infer_power
)
UFUNCS[np.power] = power


@implements(np.float_power)
def _float_power(x: Array, y: Array) -> Array:
    return bind(power, _widen(x), _widen(y))


def _widen(x: Array) -> Array:
    """Cast to float64 or wider; a Python number promotes by itself."""
    if not hasattr(x, "dtype"):
        return x
    return cast(x, np.result_type(x.dtype, np.float64))
