"""Lowerings of running results along an axis."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from transforms.backends.xla.promotion import together
from transforms.backends.xla.reduction import widened
from transforms.backends.xla.registry import LOWERINGS, lower
from transforms.types import Array


@lower("cumsum")
def _cumsum(x: Array, axis: int, reverse: bool) -> Array:
    return lax.cumsum(widened(x), axis, reverse)


@lower("cumprod")
def _cumprod(x: Array, axis: int, reverse: bool) -> Array:
    return lax.cumprod(widened(x), axis, reverse)


LOWERINGS["cummax"] = lambda x, axis, reverse: lax.associative_scan(jnp.maximum, x, reverse, axis)
LOWERINGS["cummin"] = lambda x, axis, reverse: lax.associative_scan(jnp.minimum, x, reverse, axis)


@lower("recurrence")
def _recurrence(factor: Array, term: Array, axis: int, reverse: bool) -> Array:
    """Compose the affine maps ``value -> factor * value + term``, which is associative."""

    def compose(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
        return first[0] * second[0], second[0] * first[1] + second[1]

    maps = tuple(together(factor, term))
    composed: tuple[Array, Array] = lax.associative_scan(compose, maps, reverse=reverse, axis=axis)
    return composed[1]
