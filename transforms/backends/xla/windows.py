"""Lowerings of reductions over windows, and of the derivative of their extremes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jax import lax

from transforms.backends.xla.registry import lower
from transforms.types import Array, Shape


def _reduce(x: Array, start: Any, combine: Any, windows: Any) -> Array:
    return lax.reduce_window(
        x,
        np.asarray(start, x.dtype),
        combine,
        windows.window,
        windows.strides,
        windows.padding,
        base_dilation=windows.input_dilation,
        window_dilation=windows.dilation,
    )


@lower("window_sum")
def _window_sum(x: Array, windows: Any) -> Array:
    return _reduce(x, 0, lax.add, windows)


@lower("window_extreme")
def _window_extreme(x: Array, kind: str, windows: Any) -> Array:
    return _reduce(x, _lowest(x.dtype, kind), lax.max if kind == "max" else lax.min, windows)


def _lowest(dtype: np.dtype[Any], kind: str) -> Any:
    """Return what no element is more extreme than: the padding."""
    if dtype.kind == "b":
        return kind == "min"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.min if kind == "max" else limits.max
    return -np.inf if kind == "max" else np.inf


def _padded(x: Array, value: Any, windows: Any) -> Array:
    spread = zip(windows.padding, windows.input_dilation, strict=True)
    return lax.pad(x, np.asarray(value, x.dtype), [(low, high, step - 1) for (low, high), step in spread])


Places = tuple[slice, ...]


def _shares(x: Array, out: Array, kind: str, windows: Any, dtype: Any) -> Iterator[tuple[Places, Array]]:
    """Yield for each place in a window which part of its derivative each window has there."""
    padded = _padded(x, _lowest(x.dtype, kind), windows)
    masks = [(places, padded[places] == out) for places in windows.places(x.shape)]
    ties = sum(mask.astype(dtype) for _, mask in masks)
    for places, mask in masks:
        yield places, mask.astype(dtype) / ties


@lower("window_pick")
def _window_pick(t: Array, x: Array, out: Array, kind: str, windows: Any) -> Array:
    padded = _padded(t, 0, windows)
    return sum(padded[places] * share for places, share in _shares(x, out, kind, windows, t.real.dtype))


@lower("window_route")
def _window_route(cotangent: Array, x: Array, out: Array, kind: str, windows: Any) -> Array:
    shape = tuple(low + n + high for n, (low, high) in zip(x.shape, windows.padding, strict=True))
    shares = _shares(x, out, kind, windows, cotangent.real.dtype)
    total = sum(_embedded(cotangent * share, places, shape) for places, share in shares)
    return total[tuple(slice(low, low + n) for n, (low, _) in zip(x.shape, windows.padding, strict=True))]


def _embedded(x: Array, places: Places, shape: Shape) -> Array:
    """Return zeros of a shape with an array at some places; XLA fuses these, and their sum."""
    lengths = [(n - 1) * place.step + 1 if n else 0 for n, place in zip(x.shape, places, strict=True)]
    config = [
        (place.start, full - place.start - length, place.step - 1)
        for place, full, length in zip(places, shape, lengths, strict=True)
    ]
    return lax.pad(x, np.zeros((), x.dtype), config)
