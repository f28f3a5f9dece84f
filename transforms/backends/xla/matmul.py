"""Lowering of the matrix product.

An accelerator's default is to round float32 factors to fewer bits. A program must give what it gives on other
backends, so products are exact to rounding here, unless the user sets JAX's own option
``jax_default_matmul_precision``.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from transforms.backends.xla.promotion import together
from transforms.backends.xla.registry import lower
from transforms.types import Array


def precision() -> Any:
    """Return the precision of products: what the user configured, or the highest."""
    config: Any = jax.config
    return None if config.jax_default_matmul_precision else jax.lax.Precision.HIGHEST


@lower("matmul")
def _matmul(x: Array, y: Array) -> Array:
    return jnp.matmul(*together(x, y), precision=precision())
