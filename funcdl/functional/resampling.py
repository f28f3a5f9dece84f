"""Spatial axes made longer or shorter: up-sampling, borders added and cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdl.functional.spatial import border_pairs, for_each_axis, spatial_rank
from transforms.errors import message
from transforms.types import Array


def upsample(x: Array, factors: int | Sequence[int], *, method: str = "nearest") -> Array:
    """Make spatial axes longer by whole factors.

    "linear" interpolates between the centres of the elements, on one axis after the other (bilinear for
    images), and continues the outermost elements over the border.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        factors: positive; one for all spatial axes or one for each.
        method: "nearest" or "linear".

    Returns:
        An array of shape ``(batch, *(length * factor), channels)``.

    Raises:
        ValueError: a factor is not positive, or the method is unknown.

    >>> upsample(np.array([[[0.0], [4.0]]]), 2)[0, :, 0]
    array([0., 0., 4., 4.])
    >>> upsample(np.array([[[0.0], [4.0]]]), 2, method="linear")[0, :, 0]
    array([0., 1., 3., 4.])
    """
    if method not in ("nearest", "linear"):
        raise ValueError(message("upsample", "method", "be 'nearest' or 'linear'", repr(method)))
    rank = spatial_rank("upsample", x)
    for axis, factor in enumerate(for_each_axis("upsample", "factors", factors, rank), start=1):
        x = np.repeat(x, factor, axis=axis) if method == "nearest" else _interpolate(x, axis, factor)
    return x


def _interpolate(x: Array, axis: int, factor: int) -> Array:
    length = x.shape[axis]
    places = (np.arange(length * factor) + 0.5) / factor - 0.5
    places = np.clip(places, 0, length - 1)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, length - 1)
    share = (places - low).reshape((-1,) + (1,) * (x.ndim - 1 - axis)).astype(x.dtype)
    return np.take(x, low, axis=axis) * (1 - share) + np.take(x, high, axis=axis) * share


def zero_pad(x: Array, padding: Any) -> Array:
    """Put zeros around the spatial axes.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        padding: how many: one number for all ends, or for each spatial axis a number for both ends or a
            pair (before, after), none negative.

    Returns:
        An array of shape ``(batch, *(before + length + after), channels)``.

    Raises:
        ValueError: a number is negative, or there are more or fewer than spatial axes.

    >>> zero_pad(np.ones((1, 2, 1)), [(1, 2)])[0, :, 0]
    array([0., 1., 1., 0., 0.])
    """
    pairs = border_pairs("zero_pad", "padding", padding, spatial_rank("zero_pad", x))
    return np.pad(x, ((0, 0), *pairs, (0, 0)))


def crop(x: Array, cropping: Any) -> Array:
    """Cut elements off the ends of the spatial axes.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        cropping: how many: one number for all ends, or for each spatial axis a number for both ends or a
            pair (before, after), none negative.

    Returns:
        An array of shape ``(batch, *(length - before - after), channels)``.

    Raises:
        ValueError: a number is negative, there are more or fewer than spatial axes, or nothing remains.

    >>> crop(np.arange(5.0).reshape(1, 5, 1), [(1, 2)])[0, :, 0]
    array([1., 2.])
    """
    pairs = border_pairs("crop", "cropping", cropping, spatial_rank("crop", x))
    if any(low + high >= length for (low, high), length in zip(pairs, x.shape[1:-1], strict=True)):
        raise ValueError(message("crop", "cropping", f"leave something of shape {x.shape}", pairs))
    kept = (slice(low, n - high) for (low, high), n in zip(pairs, x.shape[1:-1], strict=True))
    return x[(slice(None), *kept)]
