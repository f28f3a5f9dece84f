"""Lowerings of the parts of complex numbers."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower_alike

lower_alike(jnp, "conjugate", "real", "imag")
