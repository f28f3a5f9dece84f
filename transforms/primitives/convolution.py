"""Convolution over any number of spatial axes, channels last.

It is a bilinear map whose two derivatives are convolutions again, so one primitive serves all orders:

- the input's cotangent convolves the output's, dilated by the strides, with the mirrored kernel;
- the kernel's cotangent convolves the input with the output's cotangent, dilated by the strides, where
  examples and channels have changed places: the sum runs over the examples. With groups, whose channels lie
  between the examples, these are one more spatial axis instead, of which there is one window. Where there are
  few features and more channels, the two exchange their parts, so that a backend's vectors are of channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.boundary import as_array
from transforms.errors import ShapeError
from transforms.primitive import Primitive
from transforms.primitives.declare import move_axis, promoted_dtype
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

_FEW_FEATURES = 16
"""So many features fill a vector; of fewer, the kernel's cotangent is made the other way round."""


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
    if inner == 1 and outer == geometry.groups and math.prod(window) <= math.prod(counts):
        return _depthwise(x, kernel, geometry, counts)
    return _by_columns(x, kernel, geometry, counts).reshape(out_shape)


def _depthwise(x: Array, kernel: Array, geometry: Geometry, counts: Lengths) -> Array:
    """Convolve each channel by itself: a sum over the places of the window, all elementwise."""
    weights = kernel.reshape((-1, kernel.shape[-1]))
    out = np.zeros((x.shape[0], *counts, x.shape[-1]), promoted_dtype(x, kernel))
    windows = offsets(kernel.shape[:-2], geometry.dilation, geometry.strides, counts)
    for places, weight in zip(windows, weights, strict=True):
        out += x[(slice(None), *places)] * weight
    return out


def _by_columns(x: Array, kernel: Array, geometry: Geometry, counts: Lengths) -> Array:
    """Multiply the windows, laid out as the rows of a matrix, with the kernel, some examples at a time."""
    groups, examples, places = geometry.groups, x.shape[0], math.prod(counts)
    inner = math.prod(kernel.shape[:-1])
    dtype = promoted_dtype(x, kernel)
    matrix = kernel.astype(dtype, copy=False).reshape((inner, groups, -1)).swapaxes(0, 1)
    windows = _windows(x, kernel.shape[:-2], geometry, counts)
    # A large kernel, as that of a kernel's cotangent, would be read anew for each block.
    elements = max(_COLUMN_ELEMENTS, 4 * kernel.size)
    block = min(max(elements // (groups * places * inner), 1), examples)
    columns = np.empty((groups, block, *windows.shape[2:]), dtype)
    out = np.empty((groups, examples * places, matrix.shape[-1]), dtype)
    for first in range(0, examples, block):
        taken = min(block, examples - first)
        np.copyto(columns[:, :taken], windows[:, first : first + taken])
        rows = columns[:, :taken].reshape((groups, taken * places, inner))
        np.matmul(rows, matrix, out=out[:, first * places : (first + taken) * places])
    return out.swapaxes(0, 1)


def _windows(x: Array, window: Shape, geometry: Geometry, counts: Lengths) -> Array:
    """Return a view ``[groups, examples, *counts, *window, channels of a group]``."""
    x = np.ascontiguousarray(x)
    steps, item = x.strides[1:-1], x.itemsize
    channels = x.shape[-1] // geometry.groups
    return np.lib.stride_tricks.as_strided(
        x,
        (geometry.groups, x.shape[0], *counts, *window, channels),
        (
            channels * item,
            x.strides[0],
            *(step * stride for step, stride in zip(steps, geometry.strides, strict=True)),
            *(step * hole for step, hole in zip(steps, geometry.dilation, strict=True)),
            item,
        ),
        writeable=False,
    )


# --- derivatives


def _convolve(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """Convolve with padding that may be negative, which crops."""
    x, padding = crop(x, 1, geometry.padding, geometry.input_dilation)
    return bind(conv_p, x, kernel, geometry=geometry._replace(padding=padding))


def _pull_input(cotangent: Array, _out: None, x_type: ArrayType, kernel: Array, geometry: Geometry) -> Array:
    spread, covered = _spread(x_type.shape, geometry), _covered(kernel.shape, geometry)
    seen = tuple(
        dilated(n, stride) for n, stride in zip(cotangent.shape[1:-1], geometry.strides, strict=True)
    )
    before = tuple(window - 1 - low for window, (low, _) in zip(covered, geometry.padding, strict=True))
    padding = tuple(
        (low, length + window - 1 - low - n)
        for length, window, low, n in zip(spread, covered, before, seen, strict=True)
    )
    mirrored = kernel[(slice(None, None, -1),) * len(covered)]
    back = Geometry(geometry.input_dilation, padding, geometry.dilation, geometry.strides, geometry.groups)
    return _convolve(cotangent, _swap_channels(mirrored, geometry.groups), back)


def _swap_channels(kernel: Array, groups: int) -> Array:
    """Exchange the input channels and the output channels of a kernel, within each group."""
    *window, inner, outer = kernel.shape
    if groups == 1:
        return kernel.mT
    # [*window, inner, groups, features] -> [*window, features, groups, inner]
    split = np.swapaxes(kernel.reshape((*window, inner, groups, outer // groups)), -3, -1)
    return split.reshape((*window, outer // groups, groups * inner))


def _pull_kernel(cotangent: Array, _out: None, x: Array, kernel_type: ArrayType, geometry: Geometry) -> Array:
    spread, window = _spread(x.shape, geometry), kernel_type.shape[:-2]
    if math.prod(window) == geometry.groups == 1 and spread == x.shape[1:-1] == cotangent.shape[1:-1]:
        inner, outer = kernel_type.shape[-2:]
        rows = math.prod(x.shape[:-1])
        product = x.reshape((rows, inner)).T @ cotangent.reshape((rows, outer))
        return product.reshape(kernel_type.shape)
    if geometry.groups == 1 and kernel_type.shape[-1] < min(_FEW_FEATURES, kernel_type.shape[-2]):
        return _pull_kernel_of_few_features(cotangent, x, window, geometry)
    padding = tuple(
        (low, (n - 1) * hole + dilated(count, stride) - low - length)
        for length, n, count, (low, _), stride, hole in zip(
            spread,
            window,
            cotangent.shape[1:-1],
            geometry.padding,
            geometry.strides,
            geometry.dilation,
            strict=True,
        )
    )
    across = Geometry(geometry.dilation, padding, geometry.strides, geometry.input_dilation, geometry.groups)
    if geometry.groups == 1:
        kernel_bar = _convolve(x.swapaxes(0, -1), np.moveaxis(cotangent, 0, -2), across)
        return np.moveaxis(kernel_bar, 0, -2)
    kernel_bar = _convolve(
        _channels_as_examples(x, geometry.groups), cotangent[..., None, :], _with_axis(across)
    )
    return np.moveaxis(kernel_bar[:, 0], 0, -2)


def _pull_kernel_of_few_features(cotangent: Array, x: Array, window: Shape, geometry: Geometry) -> Array:
    """Convolve the cotangent with the input, which gives the kernel's cotangent, mirrored."""
    spread, covered = _spread(x.shape, geometry), _covered((*window, 1, 1), geometry)
    padding = tuple(
        (n - 1 - low, length + low - dilated(count, stride))
        for length, n, count, (low, _), stride in zip(
            spread, covered, cotangent.shape[1:-1], geometry.padding, geometry.strides, strict=True
        )
    )
    across = Geometry(geometry.dilation, padding, geometry.input_dilation, geometry.strides, 1)
    mirrored = _convolve(cotangent.swapaxes(0, -1), np.moveaxis(x, 0, -2), across)
    return np.moveaxis(mirrored[(slice(None), *(slice(None, None, -1),) * len(window))], 0, -1)


def _channels_as_examples(x: Array, groups: int) -> Array:
    """Return ``[channels of a group, examples, *spatial, groups]``."""
    split = x.reshape((*x.shape[:-1], groups, x.shape[-1] // groups))
    return np.moveaxis(split, -1, 0)


def _with_axis(geometry: Geometry) -> Geometry:
    """Return a geometry with one more axis before the others, of which the window is all."""
    strides, padding, dilation, input_dilation, groups = geometry
    return Geometry((1, *strides), ((0, 0), *padding), (1, *dilation), (1, *input_dilation), groups)


# --- batching


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], geometry: Geometry
) -> tuple[Array, int]:
    """Fold the batch into the examples, the output channels, or, if both are batched, the groups."""
    (x, kernel), (x_axis, kernel_axis) = operands, axes
    if kernel_axis is None:
        assert x_axis is not None
        x = move_axis(x, x_axis, 0)
        out = bind(conv_p, x.reshape((size * x.shape[1], *x.shape[2:])), kernel, geometry=geometry)
        return out.reshape((size, x.shape[1], *out.shape[1:])), 0
    groups = geometry.groups
    kernel = move_axis(kernel, kernel_axis, 0)
    outer = kernel.shape[-1]
    if x_axis is None:
        split = kernel.reshape((*kernel.shape[:-1], groups, outer // groups))
        folded = np.moveaxis(split, 0, -2).reshape((*kernel.shape[1:-1], size * outer))
        out = bind(conv_p, x, folded, geometry=geometry)
        split = out.reshape((*out.shape[:-1], groups, size, outer // groups))
        return np.moveaxis(split, -2, 0).reshape((size, *out.shape[:-1], outer)), 0
    x = np.moveaxis(x, x_axis, -2)
    x = x.reshape((*x.shape[:-2], size * x.shape[-1]))
    folded = np.moveaxis(kernel, 0, -2).reshape((*kernel.shape[1:-1], size * outer))
    out = bind(conv_p, x, folded, geometry=geometry._replace(groups=size * groups))
    return out.reshape((*out.shape[:-1], size, outer)), out.ndim - 1


conv_p: Primitive = Primitive(
    "conv",
    _evaluate,
    infer=_infer,
    jvp=(
        lambda tangent, _out, _x, kernel, geometry: bind(conv_p, tangent, kernel, geometry=geometry),
        lambda tangent, _out, x, _kernel, geometry: bind(conv_p, x, tangent, geometry=geometry),
    ),
    vjp=(_pull_input, _pull_kernel),
    batch=_batch,
)


# --- functions


def conv(
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "VALID",
    dilation: int | Sequence[int] = 1,
    input_dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Slide a kernel over the spatial axes of an input, and sum over its window and the input channels.

        out[n, i, o] = sum_{w, c} x[n, strides * i + dilation * w - before, c] * kernel[w, c, o]

    As usual in deep learning the kernel is not mirrored. There may be any number of spatial axes.

    Args:
        x: input, ``(examples, *spatial, channels)``.
        kernel: ``(*window, channels / groups, features)``.
        strides: steps between neighbouring windows, positive; one for all axes or one for each.
        padding: "VALID" for none, "SAME" for as many windows as ``ceil(length / stride)``, or for each
            spatial axis a pair of numbers of zeros before and after; one number serves for both, or for
            all. Negative ones crop.
        dilation: steps between neighbouring elements of a window, positive.
        input_dilation: steps between neighbouring elements of the input, positive; zeros fill the holes.
        groups: into how many groups channels and features are divided; a feature sees only its group.

    Returns:
        ``(examples, *counts, features)``.

    Raises:
        ShapeError: the shapes do not fit each other, or a window is longer than its padded axis.
        ValueError: an option is not positive, or holds more or fewer values than there are axes.

    >>> conv(np.arange(4.0).reshape(1, 4, 1), np.ones((2, 1, 1)))[0, :, 0]
    array([1., 3., 5.])
    """
    x, kernel = as_array(x), as_array(kernel)
    rank = x.ndim - 2
    if rank < 0 or kernel.ndim != x.ndim:
        raise ShapeError(
            f"conv: the operands must have as many axes as each other, and two at least, got {x.shape} "
            f"and {kernel.shape}"
        )
    if groups < 1 or kernel.shape[-2] * groups != x.shape[-1] or kernel.shape[-1] % groups:
        raise ShapeError(
            f"conv: the operands' channels must fit each other in {groups} groups, got {x.shape} and "
            f"{kernel.shape}; a kernel has the shape (*window, channels / groups, features)"
        )
    unpadded = Geometry(
        per_axis("conv", "strides", strides, rank),
        ((0, 0),) * rank,
        per_axis("conv", "dilation", dilation, rank),
        per_axis("conv", "input_dilation", input_dilation, rank),
        int(groups),
    )
    spread, covered = _spread(x.shape, unpadded), _covered(kernel.shape, unpadded)
    pairs = explicit_padding("conv", padding, spread, covered, unpadded.strides)
    return _convolve(x, kernel, unpadded._replace(padding=pairs))


def conv_transpose(
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Convolve an input whose elements are spread by the strides: an upsampling.

    It has the shapes of the transpose of a convolution with these strides, and its own kernel, which
    is not mirrored.

    Args:
        x: input, ``(examples, *spatial, channels)``.
        kernel: ``(*window, channels / groups, features)``.
        strides: factors by which the spatial axes grow, positive.
        padding: "SAME" for outputs ``length * stride`` long, "VALID" for outputs
            ``length * stride + max(window - stride, 0)`` long, or for each spatial axis a pair of
            numbers of zeros before and after the spread input.
        dilation: steps between neighbouring elements of a window, positive.
        groups: into how many groups channels and features are divided.

    Returns:
        ``(examples, *lengths, features)``.

    Raises:
        ShapeError: the shapes do not fit each other.

    Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic (2016), arXiv:1603.07285, chapter 4.

    >>> conv_transpose(np.ones((1, 2, 1)), np.array([1.0, 2.0]).reshape(2, 1, 1), strides=2)[0, :, 0]
    array([2., 1., 2., 1.])
    """
    rank = x.ndim - 2
    steps = per_axis("conv_transpose", "strides", strides, rank)
    holes = per_axis("conv_transpose", "dilation", dilation, rank)
    if isinstance(padding, str) and padding in ("SAME", "VALID"):
        covered = tuple(dilated(n, hole) for n, hole in zip(kernel.shape[:-2], holes, strict=True))
        padding = tuple(
            _transposed_padding(padding, window, step) for window, step in zip(covered, steps, strict=True)
        )
    return conv(x, kernel, padding=padding, dilation=holes, input_dilation=steps, groups=groups)


def _transposed_padding(padding: str, window: int, stride: int) -> tuple[int, int]:
    total = window + stride - 2
    if padding == "VALID":
        total += max(window - stride, 0)
        return window - 1, total - (window - 1)
    before = window - 1 if stride > window - 1 else (total + 1) // 2
    return before, total - before
