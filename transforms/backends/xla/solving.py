"""Lowerings of linear equations, inverses and determinants.

XLA does not raise LinAlgError: a singular matrix gives infinities or NaN.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array


@lower("solve")
def _solve(a: Array, b: Array) -> Array:
    dtype = inexact_dtype(a, b)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jnp.linalg.solve(
        jnp.broadcast_to(cast(a, dtype), (*stack, *a.shape[-2:])),
        jnp.broadcast_to(cast(b, dtype), (*stack, *b.shape[-2:])),
    )


@lower("inv")
def _inv(a: Array) -> Array:
    return jnp.linalg.inv(cast(a, inexact_dtype(a)))


@lower("det")
def _det(a: Array) -> Array:
    return jnp.linalg.det(cast(a, inexact_dtype(a)))


@lower("slogdet")
def _slogdet(a: Array) -> tuple[Array, Array]:
    sign, logarithm = jnp.linalg.slogdet(cast(a, inexact_dtype(a)))
    return sign, logarithm


@lower("cofactors")
def _cofactors(a: Array) -> Array:
    """Multiply the cofactors of the three factors of the singular value decomposition."""
    u, s, vh = jnp.linalg.svd(cast(a, inexact_dtype(a)))
    size = s.shape[-1]
    others = jnp.prod(jnp.where(np.eye(size, dtype=bool), 1, s[..., None, :]), axis=-1).astype(s.dtype)
    unitary = jnp.linalg.det(u) * jnp.linalg.det(vh)
    return (u.conj() * (unitary[..., None] * others)[..., None, :]) @ vh.conj()
