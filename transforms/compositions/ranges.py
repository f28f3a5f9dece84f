"""Evenly spaced numbers between traced ends, as compositions."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.boundary import as_array
from transforms.errors import message
from transforms.primitive import implements
from transforms.primitives.declare import promoted_dtype
from transforms.types import Array


@implements(np.linspace)
def _linspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    count, intervals = _counts(num, endpoint)
    start, stop = np.broadcast_arrays(*_floating(start, stop))
    step = (stop - start) / intervals if intervals else start * np.nan
    steps = np.arange(count).astype(np.real(start).dtype).reshape((-1,) + (1,) * start.ndim)
    samples = start + steps * step if intervals else np.broadcast_to(start, (count, *start.shape))
    if endpoint and count > 1:
        # start + n * step is stop only up to rounding.
        samples = np.concatenate([samples[:-1], stop[None]])
    samples = _cast(np.moveaxis(samples, 0, axis), dtype)
    return (samples, step) if retstep else samples


def _counts(num: int, endpoint: bool) -> tuple[int, int]:
    """Return the number of samples and of the intervals between start and stop."""
    if num < 0:
        raise ValueError(message("numpy.linspace", "num", "not be negative", num))
    return num, num - 1 if endpoint else num


def _floating(*ends: Array) -> tuple[Array, ...]:
    """Give all ends their common dtype; it is a floating one."""
    dtype = promoted_dtype(*ends, 0.0)
    return tuple(as_array(end).astype(dtype) for end in ends)


def _cast(samples: Array, dtype: Any) -> Array:
    if dtype is None:
        return samples
    return (np.floor(samples) if np.dtype(dtype).kind in "iu" else samples).astype(dtype)


@implements(np.logspace)
def _logspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    base: Array = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(*_floating(start, stop, base))
        base = np.expand_dims(base, axis)
    return _cast(np.power(base, np.linspace(start, stop, num, endpoint, axis=axis)), dtype)


@implements(np.geomspace)
def _geomspace(
    start: Array, stop: Array, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    start, stop = np.broadcast_arrays(*_floating(start, stop))
    direction = start / np.abs(start)
    exponents = np.linspace(np.log(np.abs(start)), np.log(stop / direction), num, endpoint)
    samples = direction * np.exp(exponents)
    if num > 0:
        # The exponential of the logarithm is the same number only up to rounding.
        ends = [samples[1:-1], stop[None]] if endpoint and num > 1 else [samples[1:]]
        samples = np.concatenate([start[None], *ends])
    return _cast(np.moveaxis(samples, 0, axis), dtype)
