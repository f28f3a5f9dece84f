"""Lowerings of the Bessel functions that JAX has: the modified ones of orders 0 and 1."""

from __future__ import annotations

from jax.scipy import special

from transforms.backends.xla.registry import lower_alike

lower_alike(special, "i0", "i1", "i0e", "i1e")
