"""Lowering of what joins arrays along an axis."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.promotion import together
from transforms.backends.xla.registry import lower
from transforms.types import Array


@lower("concatenate")
def _concatenate(*operands: Array, axis: int) -> Array:
    return jnp.concatenate(together(*operands), axis)
