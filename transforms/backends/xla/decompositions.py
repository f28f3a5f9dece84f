"""Lowerings of Cholesky and QR decompositions.

XLA does not raise LinAlgError: a matrix that is not positive definite gives NaN.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array


@lower("cholesky")
def _cholesky(a: Array) -> Array:
    return lax.linalg.cholesky(cast(a, inexact_dtype(a)), symmetrize_input=False)


@lower("qr")
def _qr(a: Array) -> tuple[Array, Array]:
    q, r = jnp.linalg.qr(cast(a, inexact_dtype(a)))
    return q, r


@lower("qr_complete")
def _qr_complete(a: Array) -> tuple[Array, Array]:
    q, r = jnp.linalg.qr(cast(a, inexact_dtype(a)), mode="complete")
    return q, r
