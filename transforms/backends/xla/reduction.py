"""Lowerings of reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from transforms.backends.xla.registry import LOWERINGS
from transforms.types import Array


def widened(x: Array) -> Array:
    """Return integers and booleans as NumPy adds and multiplies them: in 64 bits."""
    if x.dtype.kind in "bi":
        return x.astype("int64")
    return x.astype("uint64") if x.dtype.kind == "u" else x


def _accumulation(function: Any) -> Callable[..., Array]:
    return lambda x, axes, keepdims: function(widened(x), axis=axes, keepdims=keepdims)


def _reduction(function: Any) -> Callable[..., Array]:
    return lambda x, axes, keepdims: function(x, axis=axes, keepdims=keepdims)


def _position(function: Any) -> Callable[..., Array]:
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims)


LOWERINGS["sum"] = _accumulation(jnp.sum)
LOWERINGS["prod"] = _accumulation(jnp.prod)
LOWERINGS["max"] = _reduction(jnp.max)
LOWERINGS["min"] = _reduction(jnp.min)
LOWERINGS["any"] = _reduction(jnp.any)
LOWERINGS["all"] = _reduction(jnp.all)
LOWERINGS["argmax"] = _position(jnp.argmax)
LOWERINGS["argmin"] = _position(jnp.argmin)
