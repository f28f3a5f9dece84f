"""Convolution over any number of spatial axes, channels last.

It is a bilinear map whose two derivatives are convolutions again, so one primitive serves all orders:

- the input's cotangent convolves the output's, dilated by the strides, with the mirrored kernel;
- the kernel's cotangent convolves the input with the output's cotangent, dilated by the strides, where
  examples and channels have changed places: the sum runs over the examples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.errors import ShapeError, message
from transforms.primitive import Primitive
from transforms.primitives.declare import move_axis, promoted_dtype
from transforms.primitives.shape import as_array
from transforms.primitives.window_geometry import (
    Lengths,
    Padding,
    crop,
    dilated,
    explicit_padding,
    fill,
    offsets,
    per_axis,
    window_counts,
)
from transforms.tracer import bind
from transforms.types import Array, ArrayType, Shape

_COLUMN_ELEMENTS = 1 << 19
"""How large the buffer of columns may be, where one example does not need more: it should stay in cache."""


class Geometry(NamedTuple):
    """The attributes of a convolution."""

    strides: Lengths
    padding: Padding
    dilation: Lengths
    input_dilation: Lengths
    groups: int


def _spread(shape: Shape, geometry: Geometry) -> Lengths:
    return tuple(dilated(n, d) for n, d in zip(shape[1:-1], geometry.input_dilation, strict=True))


def _covered(shape: Shape, geometry: Geometry) -> Lengths:
    return tuple(dilated(n, d) for n, d in zip(shape[:-2], geometry.dilation, strict=True))


def _counts(x_shape: Shape, kernel_shape: Shape, geometry: Geometry) -> Lengths:
    spread, covered = _spread(x_shape, geometry), _covered(kernel_shape, geometry)
    return window_counts("conv", spread, covered, geometry.strides, geometry.padding)


def _infer(x: Any, kernel: Any, geometry: Geometry) -> ArrayType:
    counts = _counts(x.shape, kernel.shape, geometry)
    return ArrayType((x.shape[0], *counts, kernel.shape[-1]), promoted_dtype(x, kernel))


# --- evaluation


def _evaluate(x: Array, kernel: Array, geometry: Geometry) -> Array:
    counts = _counts(x.shape, kernel.shape, geometry)
    window, (inner, outer) = kernel.shape[:-2], kernel.shape[-2:]
    if any(map(any, geometry.padding)) or any(step > 1 for step in geometry.input_dilation):
        x = fill(x, 1, geometry.padding, geometry.input_dilation)
    out_shape = (x.shape[0], *counts, outer)
    if not math.prod(window) * inner * math.prod(out_shape):
        return np.zeros(out_shape, promoted_dtype(x, kernel))
    if math.prod(window) == 1 and geometry.groups == 1:
        (places,) = offsets(window, geometry.dilation, geometry.strides, counts)
        rows = x[(slice(None), *places)].reshape((-1, inner))
        return (rows @ kernel.reshape((inner, outer))).reshape(out_shape)
    if inner == 1 and outer == geometry.groups:
        return _depthwise(x, kernel, geometry, counts)
    if geometry.groups == 1:
        matrix = kernel.reshape((-1, outer))
    else:
        grouped = kernel.reshape((-1, geometry.groups, outer // geometry.groups))
        matrix = np.ascontiguousarray(grouped.swapaxes(0, 1))
    return _by_columns(x, matrix, geometry, window, counts).reshape(out_shape)


def _depthwise(x: Array, kernel: Array, geometry: Geometry, counts: Lengths) -> Array:
    """Convolve each channel by itself: a sum over the places of the window, all elementwise."""
    weights = kernel.reshape((-1, kernel.shape[-1]))
    out = np.zeros((x.shape[0], *counts, x.shape[-1]), promoted_dtype(x, kernel))
    windows = offsets(kernel.shape[:-2], geometry.dilation, geometry.strides, counts)
    for places, weight in zip(windows, weights, strict=True):
        out += x[(slice(None), *places)] * weight
    return out


def _by_columns(x: Array, matrix: Array, geometry: Geometry, window: Shape, counts: Lengths) -> Array:
    """Multiply the windows, laid out as the rows of a matrix, with the kernel, some examples at a time."""
    groups, rank = geometry.groups, len(window)
    x = np.ascontiguousarray(x)
    steps = x.strides[1:-1]
    windows = np.lib.stride_tricks.as_strided(
        x,
        (x.shape[0], *counts, *window, x.shape[-1]),
        (
            x.strides[0],
            *(step * stride for step, stride in zip(steps, geometry.strides, strict=True)),
            *(step * hole for step, hole in zip(steps, geometry.dilation, strict=True)),
            x.strides[-1],
        ),
        writeable=False,
    )
    places, channels = math.prod(counts), x.shape[-1]
    if groups > 1:
        windows = windows.reshape((*windows.shape[:-1], groups, -1)) if False else windows
    return _multiply_blocks(windows, matrix, groups, places, math.prod(window) * channels)
