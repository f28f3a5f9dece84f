"""Lowerings of sorting and searching."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.promotion import together
from transforms.backends.xla.registry import lower
from transforms.types import Array


@lower("sort")
def _sort(x: Array, axis: int) -> Array:
    return jnp.sort(x, axis=axis)


@lower("argsort")
def _argsort(x: Array, axis: int, stable: bool) -> Array:
    return jnp.argsort(x, axis=axis, stable=True)


@lower("searchsorted")
def _searchsorted(a: Array, v: Array, side: str) -> Array:
    a, v = together(a, v)
    return jnp.searchsorted(a, v, side=side)
