"""Signals cut into frames that overlap, and put together again."""

from __future__ import annotations

import numpy as np

from transforms import at, type_of
from transforms.errors import message
from transforms.types import Array


def frame(x: Array, length: int, hop: int) -> Array:
    """Cut a signal into frames that may overlap.

    Args:
        x: shape (..., samples).
        length: samples in a frame, at least 1 and at most as many as there are.
        hop: samples from the beginning of a frame to that of the next, at least 1.

    Returns:
        Array of shape (..., frames, length), with ``1 + (samples - length) // hop`` frames. Samples after
        the last whole frame are left out.

    Raises:
        ValueError: a number is out of range.

    >>> frame(np.arange(6), 3, 2)
    array([[0, 1, 2],
           [2, 3, 4]])
    """
    samples = _samples("audio.frame", x)
    _check("audio.frame", length, hop)
    if length > samples:
        rule = f"be at most {samples}, the number of samples"
        raise ValueError(message("audio.frame", "length", rule, length, "pad the signal with np.pad"))
    return x[..., _indices(1 + (samples - length) // hop, length, hop)]


def overlap_add(frames: Array, hop: int) -> Array:
    """Add frames up at the places where they were cut out; the transpose of `frame`.

    Args:
        frames: shape (..., frames, length).
        hop: samples from the beginning of a frame to that of the next, at least 1.

    Returns:
        Array of shape (..., (frames - 1) * hop + length).

    Raises:
        ValueError: there are no frames, or the hop is below 1.

    >>> overlap_add(np.ones((2, 3)), 2)
    array([1., 1., 2., 1., 1.])
    """
    found = type_of(frames)
    if found.ndim < 2 or 0 in found.shape[-2:]:
        rule = "have the shape (..., frames, length)"
        raise ValueError(message("audio.overlap_add", "frames", rule, f"shape {found.shape}"))
    count, length = found.shape[-2:]
    _check("audio.overlap_add", length, hop)
    total = np.zeros((*found.shape[:-2], (count - 1) * hop + length), found.dtype)
    return at(total)[..., _indices(count, length, hop)].add(frames)


def _indices(count: int, length: int, hop: int) -> Array:
    return np.arange(count)[:, np.newaxis] * hop + np.arange(length)


def _samples(where: str, x: Array) -> int:
    shape = type_of(x).shape
    if not shape:
        raise ValueError(message(where, "x", "have the shape (..., samples)", "a number"))
    return shape[-1]


def _check(where: str, length: int, hop: int) -> None:
    for name, value in (("length", length), ("hop", hop)):
        if value < 1:
            raise ValueError(message(where, name, "be at least 1", value))
