"""Lowerings of functions that give elements another shape."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower
from transforms.types import Array, Shape


@lower("reshape")
def _reshape(x: Array, shape: Shape) -> Array:
    return jnp.reshape(x, shape)


@lower("transpose")
def _transpose(x: Array, permutation: tuple[int, ...]) -> Array:
    return jnp.transpose(x, permutation)


@lower("broadcast_to")
def _broadcast_to(x: Array, shape: Shape) -> Array:
    return jnp.broadcast_to(x, shape)
