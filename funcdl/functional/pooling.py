"""Pooling: one number for each window of the spatial axes, for each channel by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from funcdl.functional.spatial import border_pairs, check_padding_name, for_each_axis, spatial_rank
from transforms import reduce_window
from transforms.errors import message
from transforms.types import Array

Lengths = int | Sequence[int]


def max_pool(
    x: Array,
    window: Lengths,
    *,
    strides: Lengths | None = None,
    padding: Any = "VALID",
    dilation: Lengths = 1,
) -> Array:
    """Largest element of each window.

    Elements that tie share the derivative equally.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: "VALID" for none, "SAME" for ``ceil(length / stride)`` windows, or for each spatial axis
            the number of elements before and after, as a pair or one number for both. What is padded is
            never the largest.
        dilation: steps between neighbouring elements of a window, positive.

    Returns:
        An array of shape ``(batch, *counts, channels)``.

    Raises:
        ValueError: an option is out of range, or a window is longer than its padded axis.

    >>> max_pool(np.array([[[1.0], [3.0], [2.0], [5.0]]]), 2)[0, :, 0]
    array([3., 5.])
    """
    return _pool("max_pool", "max", x, window, strides, padding, dilation)


def min_pool(
    x: Array,
    window: Lengths,
    *,
    strides: Lengths | None = None,
    padding: Any = "VALID",
    dilation: Lengths = 1,
) -> Array:
    """Smallest element of each window.

    Elements that tie share the derivative equally.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: as in `max_pool`. What is padded is never the smallest.
        dilation: steps between neighbouring elements of a window, positive.

    Returns:
        An array of shape ``(batch, *counts, channels)``.

    Raises:
        ValueError: an option is out of range, or a window is longer than its padded axis.

    >>> min_pool(np.array([[[1.0], [3.0], [2.0], [5.0]]]), 2)[0, :, 0]
    array([1., 2.])
    """
    return _pool("min_pool", "min", x, window, strides, padding, dilation)


def average_pool(
    x: Array,
    window: Lengths,
    *,
    strides: Lengths | None = None,
    padding: Any = "VALID",
    dilation: Lengths = 1,
    count_padding: bool = False,
) -> Array:
    """Mean of each window.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        window: lengths of the windows, positive; one for all spatial axes or one for each.
        strides: steps between neighbouring windows, positive; the window by default.
        padding: as in `max_pool`.
        dilation: steps between neighbouring elements of a window, positive.
        count_padding: whether what is padded counts, as zeros.

    Returns:
        An array of shape ``(batch, *counts, channels)``.

    Raises:
        ValueError: an option is out of range, or a window is longer than its padded axis.

    >>> average_pool(np.array([[[1.0], [3.0], [2.0]]]), 2, padding="SAME")[0, :, 0]
    array([2., 2.])
    """
    total = _pool("average_pool", "sum", x, window, strides, padding, dilation)
    lengths = for_each_axis("average_pool", "window", window, x.ndim - 2)
    if count_padding or (isinstance(padding, str) and padding == "VALID"):
        return total / math.prod(lengths)
    inside = np.ones((1, *x.shape[1:-1], 1), total.dtype)
    return total / _pool("average_pool", "sum", inside, window, strides, padding, dilation)


def _pool(
    where: str, kind: str, x: Array, window: Lengths, strides: Lengths | None, padding: Any, dilation: Lengths
) -> Array:
    rank = spatial_rank(where, x)
    lengths = for_each_axis(where, "window", window, rank)
    steps = lengths if strides is None else for_each_axis(where, "strides", strides, rank)
    holes = for_each_axis(where, "dilation", dilation, rank)
    check_padding_name(where, padding, ("VALID", "SAME"))
    around = ((0, 0),) * rank if isinstance(padding, str) else border_pairs(where, "padding", padding, rank)
    padded = tuple(n + low + high for n, (low, high) in zip(x.shape[1:-1], around, strict=True))
    covered = tuple((n - 1) * hole + 1 for n, hole in zip(lengths, holes, strict=True))
    if padding != "SAME" and any(n < window for n, window in zip(padded, covered, strict=True)):
        remedy = "take a smaller window, or padding='SAME'"
        raise ValueError(message(where, f"the window {covered}", "fit into the spatial axes", padded, remedy))
    if not isinstance(padding, str):
        padding = (0, *around, 0)
    return reduce_window(
        x, kind, (1, *lengths, 1), strides=(1, *steps, 1), padding=padding, dilation=(1, *holes, 1)
    )


def global_max_pool(x: Array) -> Array:
    """Largest element over all spatial axes.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.

    Returns:
        An array of shape ``(batch, channels)``.

    Raises:
        ValueError: there is no spatial axis.

    >>> global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    return np.max(x, axis=_spatial("global_max_pool", x))


def global_average_pool(x: Array) -> Array:
    """Mean over all spatial axes.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.

    Returns:
        An array of shape ``(batch, channels)``.

    Raises:
        ValueError: there is no spatial axis.

    >>> global_average_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    return np.mean(x, axis=_spatial("global_average_pool", x))


def _spatial(where: str, x: Array) -> tuple[int, ...]:
    return tuple(range(1, 1 + spatial_rank(where, x)))


def adaptive_max_pool(x: Array, lengths: Lengths) -> Array:
    """Largest element of each of as many windows as wanted, which cover each axis evenly.

    Window i of n on an axis of length m holds the elements from ``floor(i * m / n)`` up to
    ``ceil((i + 1) * m / n)``.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        lengths: of the spatial axes of the result, positive; one for all or one for each.

    Returns:
        An array of shape ``(batch, *lengths, channels)``.

    Raises:
        ValueError: a length is not positive, or there are more or fewer than spatial axes.

    >>> adaptive_max_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    array([2., 4.])
    """
    return _adaptive_pool("adaptive_max_pool", np.max, x, lengths)


def adaptive_average_pool(x: Array, lengths: Lengths) -> Array:
    """Mean of each of as many windows as wanted, which cover each axis evenly.

    The windows are those of `adaptive_max_pool`.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        lengths: of the spatial axes of the result, positive; one for all or one for each.

    Returns:
        An array of shape ``(batch, *lengths, channels)``.

    Raises:
        ValueError: a length is not positive, or there are more or fewer than spatial axes.

    >>> adaptive_average_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
    array([1., 3.])
    """
    return _adaptive_pool("adaptive_average_pool", np.mean, x, lengths)


def _adaptive_pool(where: str, reduce: Callable[..., Array], x: Array, lengths: Lengths) -> Array:
    rank = spatial_rank(where, x)
    for axis, count in enumerate(for_each_axis(where, "lengths", lengths, rank), start=1):
        length = x.shape[axis]
        if length % count == 0 and length:
            split = (*x.shape[:axis], count, length // count, *x.shape[axis + 1 :])
            x = reduce(np.reshape(x, split), axis=axis + 1)
            continue
        before = (slice(None),) * axis
        bounds = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        x = np.stack([reduce(x[(*before, slice(*bound))], axis=axis) for bound in bounds], axis=axis)
    return x
