"""Lowerings of choices among operands."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower, lower_alike
from transforms.types import Array

lower_alike(jnp, "maximum", "minimum", "fmax", "fmin")


@lower("where")
def _where(condition: Array, x: Array, y: Array) -> Array:
    return jnp.where(condition != 0, x, y)
