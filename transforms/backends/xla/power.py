"""Lowerings of powers and roots."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from transforms.backends.xla.registry import lower, lower_alike
from transforms.types import Array

lower_alike(jnp, "square", "sqrt", "cbrt")


@lower("reciprocal")
def _reciprocal(x: Array) -> Array:
    # Of integers, NumPy's reciprocal is a division that drops the fraction.
    return jnp.reciprocal(x) if x.dtype.kind in "fcV" else jnp.where(jnp.abs(x) == 1, x, 0)


@lower("power")
def _power(x: Array, y: Array) -> Array:
    """Take the short cuts that Python's operator takes on NumPy arrays."""
    if isinstance(y, np.ndarray) and y.shape == () and x.dtype.kind in "fc":
        shortcut = {2.0: jnp.square, 1.0: jnp.positive, 0.5: jnp.sqrt, -1.0: jnp.reciprocal}.get(y.item())
        if shortcut is not None:
            return shortcut(x)
    return jnp.power(x, y)
