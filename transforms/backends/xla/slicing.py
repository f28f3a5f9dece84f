"""Lowerings of basic indices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.types import Array, Shape


@lower("getitem")
def _getitem(x: Array, index: Any) -> Array:
    return jnp.asarray(x)[index.key]


def base_and_updates(base: Any, updates: Any, shape: Shape) -> tuple[Array, Array]:
    """Return the array that is written into, at its full shape, and what is written, in one dtype."""
    dtype = np.result_type(*(getattr(x, "dtype", x) for x in (base, updates)))
    return jnp.broadcast_to(cast(base, dtype), shape), jnp.asarray(cast(updates, dtype))


@lower("setitem")
def _setitem(base: Any, updates: Any, index: Any, shape: Shape) -> Array:
    full, written = base_and_updates(base, updates, shape)
    return full.at[index.key].set(written)
