"""Lowerings of trigonometric functions, their inverses, angles and triangles."""

from __future__ import annotations

import jax.numpy as jnp

from transforms.backends.xla.registry import lower_alike

lower_alike(jnp, "sin", "cos", "tan", "arcsin", "arccos", "arctan", "hypot", "arctan2")
lower_alike(jnp, "radians", "deg2rad", "degrees", "rad2deg")
