"""Lowering of the exponential of a matrix."""

from __future__ import annotations

from jax.scipy import linalg

from transforms.backends.xla.promotion import cast
from transforms.backends.xla.registry import lower
from transforms.primitives.matrices import inexact_dtype
from transforms.types import Array

# JAX's default of 16 gives up on matrices of norm above 3e5. The exponential of none of norm 2**64 is finite.
_SQUARINGS = 64


@lower("expm")
def _expm(a: Array) -> Array:
    return linalg.expm(cast(a, inexact_dtype(a)), max_squarings=_SQUARINGS)
