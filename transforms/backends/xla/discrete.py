"""Lowerings of comparisons, connectives, bits, tests and rounding."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from transforms.backends.xla.registry import LOWERINGS, lower, lower_alike
from transforms.types import Array

lower_alike(jnp, "equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
lower_alike(jnp, "logical_and", "logical_or", "logical_xor", "logical_not")
lower_alike(jnp, "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_count", "invert")
lower_alike(jnp, "left_shift", "right_shift", "gcd", "lcm", "isfinite", "isinf", "isnan")


def _rounding(function: Any) -> Any:
    """Return integers as they are: JAX would make floats of them, which cannot hold them all."""
    return lambda x: x if x.dtype.kind in "biu" else function(x)


for _name in ("floor", "ceil", "trunc", "rint"):
    LOWERINGS[_name] = _rounding(getattr(jnp, _name))


@lower("round")
def _round(x: Array, decimals: int) -> Array:
    """Scale, round and scale back, as NumPy does."""
    if x.dtype.kind == "c":
        return _round(x.real, decimals) + 1j * _round(x.imag, decimals)
    if x.dtype.kind in "biu":
        if decimals >= 0:
            return x
        return _scaled(x.astype(float), decimals)
    return _scaled(x, decimals)


def _scaled(x: Array, decimals: int) -> Array:
    scale = 10.0 ** abs(decimals)
    return jnp.rint(x * scale) / scale if decimals >= 0 else jnp.rint(x / scale) * scale
