"""Lowerings of exponentials, logarithms and hyperbolic functions."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower_alike

lower_alike(jnp, "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2")
lower_alike(jnp, "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh")
