"""Lowering of linear equations with a triangular matrix."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array


@lower("triangular_solve")
def _triangular_solve(a: Array, b: Array, lower: bool, transpose: bool, unit_diagonal: bool) -> Array:
    dtype = inexact_dtype(a, b)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return lax.linalg.triangular_solve(
        jnp.broadcast_to(cast(a, dtype), (*stack, *a.shape[-2:])),
        jnp.broadcast_to(cast(b, dtype), (*stack, *b.shape[-2:])),
        left_side=True,
        lower=lower,
        transpose_a=transpose,
        unit_diagonal=unit_diagonal,
    )
