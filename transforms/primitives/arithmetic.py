"""Arithmetic: sums, products, quotients and their remainders, magnitudes and signs, the parts of a float."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transforms.primitive import NoRule, implements, zeros_of
from transforms.primitives.declare import elementwise, piecewise_constant
from transforms.tracer import bind
from transforms.types import Array, ArrayType, type_of

# --- sums, products, quotients

add = elementwise(np.add, lambda d, _out, _x, _y: d, lambda d, _out, _x, _y: d)
subtract = elementwise(np.subtract, lambda d, _out, _x, _y: d, lambda d, _out, _x, _y: -d)
multiply = elementwise(np.multiply, lambda d, _out, _x, y: d * y, lambda d, _out, x, _y: d * x)
divide = elementwise(np.true_divide, lambda d, _out, _x, y: d / y, lambda d, out, _x, y: -(d / y) * out)
negative = elementwise(np.negative, lambda d, _out, _x: -d)
positive = elementwise(np.positive, lambda d, _out, _x: d)

# --- remainders: the quotient is an integer, constant between the jumps

floor_divide = piecewise_constant(np.floor_divide)
remainder = elementwise(
    np.remainder, lambda d, _out, _x, _y: d, lambda d, _out, x, y: -d * np.floor_divide(x, y)
)
# Of fmod the quotient is the truncated one; out of the result it comes exactly, where x / y may round up.
fmod = elementwise(np.fmod, lambda d, _out, _x, _y: d, lambda d, out, x, y: -d * np.rint((x - out) / y))


@implements(np.divmod)
def _divmod(x: Array, y: Array) -> tuple[Array, Array]:
    return np.floor_divide(x, y), np.remainder(x, y)


# --- magnitude and sign


def zero(d: Array) -> Array:
    """Return the zeros that a tangent or cotangent becomes where the function is constant."""
    return zeros_of(type_of(d))


def direction(x: Array, length: Array) -> Array:
    """Return ``x / length``, and 0, flat, where the length is 0."""
    at_zero = length == 0
    return np.where(at_zero, 0.0, x / np.where(at_zero, 1.0, length))


def _absolute_differential(d: Array, out: Array, x: Array) -> Array:
    """Slope 0 at 0. For a complex number, the real part of this is the differential."""
    if x.dtype.kind == "c":
        return d * direction(np.conjugate(x), out)
    return d * np.sign(x)


absolute = elementwise(np.absolute, _absolute_differential)
fabs = elementwise(np.fabs, lambda d, _out, x: d * np.sign(x))


def _evaluate_sign(x: Array) -> Array:
    return np.sign(x)


sign = piecewise_constant(_evaluate_sign, name="sign", infer=type_of)


@implements(np.sign)
def _sign(x: Array) -> Array:
    return direction(x, np.absolute(x)) if x.dtype.kind == "c" else bind(sign, x)


signbit = piecewise_constant(np.signbit)
# The magnitude of x with the sign of y; slope 0 in x at 0, like the magnitude itself.
copysign = elementwise(
    np.copysign,
    lambda d, _out, x, y: d * (np.sign(x) * np.copysign(1.0, y)),
    lambda d, _out, _x, _y: zero(d),
)
heaviside = elementwise(np.heaviside, lambda d, _out, _x, _y: zero(d), lambda d, _out, x, _y: d * (x == 0))

# --- polynomials


def polynomial(coefficients: Sequence[float], x: Array) -> Array:
    """Return ``sum(coefficients[k] * x**k)``, by W. G. Horner's scheme."""
    total: Array = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


# --- the parts of a float

_NEIGHBOURS = NoRule("it is a function of how numbers are represented, not of the numbers")
nextafter = elementwise(np.nextafter, _NEIGHBOURS, _NEIGHBOURS)
spacing = elementwise(np.spacing, _NEIGHBOURS)

ldexp = elementwise(np.ldexp, lambda d, _out, _x, n: np.ldexp(d, n), NoRule("the exponent is an integer"))


def _evaluate_exponent(x: Array) -> Array:
    return np.frexp(x)[1]


exponent = piecewise_constant(
    _evaluate_exponent, name="exponent", infer=lambda x: ArrayType(x.shape, np.intc)
)


@implements(np.frexp)
def _frexp(x: Array) -> tuple[Array, Array]:
    power_of_two = bind(exponent, x)
    return np.ldexp(x, -power_of_two), power_of_two


@implements(np.modf)
def _modf(x: Array) -> tuple[Array, Array]:
    whole = np.trunc(x)
    infinite = np.isinf(x)
    # The fraction of an infinity is 0, where the difference would be NaN.
    return np.where(infinite, 0.0, x) - np.where(infinite, 0.0, whole), whole
