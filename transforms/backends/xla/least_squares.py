"""Lowering of the pseudo-inverse."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array


@lower("pinv")
def _pinv(a: Array, cutoff: float) -> Array:
    return jnp.linalg.pinv(cast(a, inexact_dtype(a)), rtol=cutoff)
