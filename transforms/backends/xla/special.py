"""Lowerings of the functions of `scipy.special` that JAX has, or that a few of JAX's make up."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax.scipy import special

from transforms.backends.xla.registry import LOWERINGS, Lowering
from transforms.types import Array

# --- what JAX has

_OF_JAX = (
    "erf", "erfc", "erfinv", "expit", "logit", "ndtr", "log_ndtr", "ndtri",
    "gammaln", "digamma", "gammainc", "gammaincc", "betainc", "betaln", "beta",
    "xlogy", "xlog1py", "entr", "rel_entr", "kl_div", "zeta",
)  # fmt: skip

# --- what a few of JAX's functions make up


def _log_expit(x: Array) -> Array:
    return -jnp.logaddexp(jnp.zeros((), x.dtype), -x)


def _cosm1(x: Array) -> Array:
    return -2 * jnp.sin(x / 2) ** 2


def _huber(delta: Array, r: Array) -> Array:
    size = jnp.abs(r)
    inside = 0.5 * r * r
    return jnp.where(delta < 0, jnp.inf, jnp.where(size <= delta, inside, delta * (size - 0.5 * delta)))


def _pseudo_huber(delta: Array, r: Array) -> Array:
    ratio = r / jnp.where(delta == 0, 1, delta)
    loss = delta * delta * jnp.expm1(0.5 * jnp.log1p(ratio * ratio))
    return jnp.where(delta < 0, jnp.inf, jnp.where((delta == 0) | (r == 0), 0, loss))


def _quotient(numerator: Any, x: Array) -> Array:
    """Return ``numerator(x) / x`` for a numerator of slope 1 at 0."""
    at_zero = x == 0
    return jnp.where(at_zero, 1, numerator(x) / jnp.where(at_zero, 1, x))


def _exprel(x: Array) -> Array:
    return jnp.where(x == jnp.inf, jnp.inf, _quotient(jnp.expm1, x))


def _boxcox_of_logarithm(logarithm: Array, exponent: Array) -> Array:
    at_zero = exponent == 0
    return jnp.where(at_zero, logarithm, jnp.expm1(exponent * logarithm) / jnp.where(at_zero, 1, exponent))


_COMPOSED: dict[str, Lowering] = {
    "exp10": lambda x: jnp.power(jnp.asarray(10, x.dtype), x),
    "cosm1": _cosm1,
    "log_expit": _log_expit,
    "erfcinv": lambda x: -special.ndtri(0.5 * x) / math.sqrt(2.0),
    "huber": _huber,
    "pseudo_huber": _pseudo_huber,
    "exprel": _exprel,
    "boxcox": lambda x, exponent: _boxcox_of_logarithm(jnp.log(x), exponent),
    "boxcox1p": lambda x, exponent: _boxcox_of_logarithm(jnp.log1p(x), exponent),
}


def _of_reals(function: Lowering) -> Lowering:
    """Leave complex numbers to SciPy."""
    return lambda *operands: NotImplemented if operands[-1].dtype.kind == "c" else function(*operands)


for _name, _function in ({name: getattr(special, name) for name in _OF_JAX} | _COMPOSED).items():
    LOWERINGS[_name] = _of_reals(_function)
