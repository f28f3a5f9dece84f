"""Trigonometric functions, their inverses, angles and triangles."""

from __future__ import annotations

import math

import numpy as np

from transforms.primitive import implements
from transforms.primitives.arithmetic import direction, polynomial
from transforms.primitives.declare import elementwise
from transforms.types import Array

sin = elementwise(np.sin, lambda d, _out, x: d * np.cos(x))
cos = elementwise(np.cos, lambda d, _out, x: -d * np.sin(x))
tan = elementwise(np.tan, lambda d, out, _x: d * (1.0 + out * out))
arcsin = elementwise(np.arcsin, lambda d, _out, x: d / np.sqrt((1.0 - x) * (1.0 + x)))
arccos = elementwise(np.arccos, lambda d, _out, x: -d / np.sqrt((1.0 - x) * (1.0 + x)))
arctan = elementwise(np.arctan, lambda d, _out, x: d / (1.0 + x * x))

# --- triangles: the slopes are 0 at the origin


def _over_square(x: Array, length: Array) -> Array:
    """Return ``x / length**2`` without forming the square, which would overflow or vanish early."""
    return direction(direction(x, length), length)


hypot = elementwise(
    np.hypot,
    lambda d, out, x, _y: d * direction(x, out),
    lambda d, out, _x, y: d * direction(y, out),
)
arctan2 = elementwise(
    np.arctan2,
    lambda d, _out, y, x: d * _over_square(x, np.hypot(x, y)),
    lambda d, _out, y, x: -d * _over_square(y, np.hypot(x, y)),
)

# --- degrees

_DEGREE = math.pi / 180.0

radians = elementwise(np.radians, lambda d, _out, _x: d * _DEGREE)
deg2rad = elementwise(np.deg2rad, lambda d, _out, _x: d * _DEGREE)
degrees = elementwise(np.degrees, lambda d, _out, _x: d / _DEGREE)
rad2deg = elementwise(np.rad2deg, lambda d, _out, _x: d / _DEGREE)

# --- sin(pi x) / (pi x)

# The Taylor series of sin(y) / y in y**2: for |y| < 1/2 its error and that of two derivatives is rounding.
_SERIES = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(8)]


@implements(np.sinc)
def _sinc(x: Array) -> Array:
    """Near 0 a series, because the derivatives of the quotient lose their digits there."""
    y = math.pi * x
    near = np.absolute(y) < 0.5
    inside, outside = np.where(near, y, 0.0), np.where(near, 1.0, y)
    series = polynomial(_SERIES, inside * inside)
    return np.where(near, series, np.sin(outside) / outside)
