"""Lowerings of decompositions into singular values and into eigenvalues."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array


@lower("svd")
def _svd(a: Array) -> tuple[Array, ...]:
    return tuple(jnp.linalg.svd(cast(a, inexact_dtype(a)), full_matrices=False))


@lower("svd_full")
def _svd_full(a: Array) -> tuple[Array, ...]:
    return tuple(jnp.linalg.svd(cast(a, inexact_dtype(a))))


@lower("eigh")
def _eigh(a: Array, triangle: str) -> tuple[Array, ...]:
    return tuple(jnp.linalg.eigh(cast(a, inexact_dtype(a)), UPLO=triangle, symmetrize_input=False))
