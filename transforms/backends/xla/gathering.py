"""Lowerings of integer-array indices.

XLA does not raise IndexError: what is read out of range is NaN, or an extreme number of an integer dtype, and
what is written there is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from transforms.backends.xla.registry import LOWERINGS, lower
from transforms.backends.xla.slicing import base_and_updates
from transforms.types import Array, Shape

Axes = tuple[int, ...]


def _key(axes: Axes, indices: Sequence[Array]) -> tuple[tuple[Any, ...], int]:
    """Return what to index with, and the place at which the axes of the index arrays then stand."""
    key: list[Any] = [slice(None)] * (axes[-1] + 1)
    for axis, index in zip(axes, indices, strict=True):
        key[axis] = jnp.asarray(index)
    adjacent = axes[-1] - axes[0] == len(axes) - 1
    return tuple(key), axes[0] if adjacent else 0


def _move(x: Array, rank: int, source: int, destination: int) -> Array:
    """Move ``rank`` neighbouring axes."""
    return jnp.moveaxis(x, range(source, source + rank), range(destination, destination + rank))


def _index_shape(indices: Sequence[Array]) -> Shape:
    return np.broadcast_shapes(*(index.shape for index in indices))


@lower("gather")
def _gather(x: Array, *indices: Array, axes: Axes, position: int) -> Array:
    key, natural = _key(axes, indices)
    read = jnp.asarray(x).at[key].get(mode="fill")
    return _move(read, len(_index_shape(indices)), natural, position)


def _scatter(write: Callable[[Any, Array], Array]) -> Callable[..., Array]:
    def lowering(base: Any, updates: Any, *indices: Array, axes: Axes, position: int, shape: Shape) -> Array:
        full, written = base_and_updates(base, updates, shape)
        key, natural = _key(axes, indices)
        if written.ndim:
            written = _move(written, len(_index_shape(indices)), position, natural)
        return write(full.at[key], written)

    return lowering


LOWERINGS["scatter_add"] = _scatter(lambda places, updates: places.add(updates))
LOWERINGS["scatter_multiply"] = _scatter(lambda places, updates: places.multiply(updates))
LOWERINGS["scatter_min"] = _scatter(lambda places, updates: places.min(updates))
LOWERINGS["scatter_max"] = _scatter(lambda places, updates: places.max(updates))
_write = _scatter(lambda places, updates: places.set(updates))


@lower("scatter_set")
def _scatter_set(base: Any, updates: Any, *indices: Array, axes: Axes, position: int, shape: Shape) -> Array:
    """Let the last update of a place win, where XLA would leave open which one does.

    All others are sent out of range, where nothing is written.
    """
    index_shape = _index_shape(indices)
    if math.prod(index_shape) > 1 and math.prod(np.shape(updates)) > 1:
        lengths = tuple(shape[axis] for axis in axes)
        order = jnp.arange(math.prod(index_shape)).reshape(index_shape)
        places = tuple(jnp.asarray(index) for index in indices)
        last = jnp.full(lengths, -1).at[places].max(order)[places] == order
        first = jnp.where(last, jnp.broadcast_to(places[0], index_shape), lengths[0])
        indices = (first, *indices[1:])
    return _write(base, updates, *indices, axes=axes, position=position, shape=shape)
