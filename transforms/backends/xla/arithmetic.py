"""Lowerings of arithmetic: quotients, remainders, magnitude and sign, the parts of a float."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from transforms.backends.xla.registry import lower, lower_alike
from transforms.types import Array

lower_alike(
    jnp,
    "add",
    "subtract",
    "multiply",
    "divide",
    "negative",
    "positive",
    "absolute",
    "fabs",
    "sign",
    "signbit",
    "copysign",
    "heaviside",
    "nextafter",
    "spacing",
)


def _is_float(x: Array) -> bool:
    return x.dtype.kind not in "biu"


def _safe(y: Array) -> Array:
    """Return a divisor without zeros: XLA leaves open what an integer divided by zero is, NumPy says 0."""
    return jnp.where(y == 0, jnp.ones_like(y), y)


@lower("floor_divide")
def _floor_divide(x: Array, y: Array) -> Array:
    if not _is_float(x):
        return jnp.where(y == 0, 0, jnp.floor_divide(x, _safe(y)))
    quotient = (x - _remainder(x, y)) / y
    whole = jnp.round(quotient)
    return jnp.where(y == 0, x / y, jnp.where(whole == 0, jnp.copysign(0, x / y), whole))


@lower("remainder")
def _remainder(x: Array, y: Array) -> Array:
    if not _is_float(x):
        return jnp.where(y == 0, 0, jnp.remainder(x, _safe(y)))
    return jnp.remainder(x, y)


@lower("fmod")
def _fmod(x: Array, y: Array) -> Array:
    return jnp.fmod(x, y) if _is_float(x) else jnp.where(y == 0, 0, jnp.fmod(x, _safe(y)))


@lower("exponent")
def _exponent(x: Array) -> Array:
    return jnp.frexp(x)[1]


@lower("ldexp")
def _ldexp(x: Array, n: Array) -> Array:
    """Multiply by the power of two in two steps, neither of which overflows unless the result does."""
    half = n // 2
    two = jnp.asarray(2, x.dtype)
    return x * lax.pow(two, half.astype(x.dtype)) * lax.pow(two, (n - half).astype(x.dtype))
