"""Products, convolutions and windows as ONNX nodes, which have channels first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from funcdl.export.onnx_writer import Writer, lower
from transforms.errors import message


@lower("matmul")
def _matmul(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("MatMul", *operands)


@lower("conv")
def _conv(write: Writer, operands: list[str], equation: Any) -> str:
    x, kernel = operands
    geometry = equation.attributes["geometry"]
    (_, *spatial, _), (*window, _, _) = (operand.type.shape for operand in equation.operands)
    rank = len(spatial)
    if not rank:
        return _dense_in_groups(write, x, kernel, equation)
    x = _spread(
        write, write.transpose(x, (0, rank + 1, *range(1, rank + 1))), spatial, geometry.input_dilation
    )
    out = write.node(
        "Conv",
        x,
        write.transpose(kernel, (rank + 1, rank, *range(rank))),
        kernel_shape=window,
        strides=list(geometry.strides),
        pads=[low for low, _ in geometry.padding] + [high for _, high in geometry.padding],
        dilations=list(geometry.dilation),
        group=geometry.groups,
    )
    return write.transpose(out, (0, *range(2, rank + 2), 1))


def _dense_in_groups(write: Writer, x: str, kernel: str, equation: Any) -> str:
    """Convolve without spatial axes: a product for each group."""
    (examples, channels), (inner, features) = (operand.type.shape for operand in equation.operands)
    groups = channels // inner if inner else 1
    left = write.transpose(write.reshape(x, (examples, groups, inner)), (1, 0, 2))
    right = write.transpose(write.reshape(kernel, (inner, groups, features // groups)), (1, 0, 2))
    out = write.transpose(write.node("MatMul", left, right), (1, 0, 2))
    return write.reshape(out, (examples, features))


def _spread(write: Writer, x: str, spatial: Sequence[int], steps: Sequence[int]) -> str:
    """Put ``step - 1`` zeros between the elements along each axis after the first two."""
    if all(step == 1 for step in steps):
        return x
    rank = len(spatial)
    # Each axis gets one of length 1 behind it, which is padded, and merged with it; the end is cut off.
    x = write.node("Unsqueeze", x, write.integers(*(3 + 2 * axis for axis in range(rank))))
    after = [0, 0, *(n for step in steps for n in (0, step - 1))]
    x = write.node("Pad", x, write.integers(*(0 for _ in after), *after))
    merged = write.constant([0, 0, *(n * step for n, step in zip(spatial, steps, strict=True))], np.int64)
    x = write.node("Reshape", x, merged)
    stops = write.integers(*((n - 1) * step + 1 for n, step in zip(spatial, steps, strict=True)))
    return write.node("Slice", x, write.integers(*(0,) * rank), stops, write.integers(*range(2, rank + 2)))


# --- windows: the axes on which they stand become the spatial ones, all others examples

_MOST_AXES = 3  # of ONNX Runtime's pooling


def _pool(write: Writer, x: str, equation: Any, operator: str, start: float, **options: Any) -> str:
    windows = equation.attributes["windows"]
    shape, dtype = equation.operands[0].type.shape, equation.operands[0].type.dtype
    counts = equation.results[0].type.shape
    rank = len(shape)
    trivial = list(zip(windows.window, windows.strides, windows.padding, strict=True))
    axes = [axis for axis in range(rank) if trivial[axis] != (1, 1, (0, 0))]
    if len(axes) > _MOST_AXES or any(step != 1 for step in windows.input_dilation):
        rule = f"stand on at most {_MOST_AXES} axes, without holes in the input"
        raise ValueError(message("export.save_onnx", "windows", rule, windows))
    others = [axis for axis in range(rank) if axis not in axes]
    order = (*others, *axes)
    pads = [windows.padding[axis] for axis in order]
    x = write.transpose(x, order)
    if any(map(any, pads)):
        amounts = write.integers(*(low for low, _ in pads), *(high for _, high in pads))
        x = write.node("Pad", x, amounts, write.constant(start, dtype))
    lengths = [shape[axis] + sum(windows.padding[axis]) for axis in axes]
    x = write.reshape(x, (math.prod(shape[axis] for axis in others), 1, *(lengths or [1])))
    x = write.node(
        operator,
        x,
        kernel_shape=[windows.window[axis] for axis in axes] or [1],
        strides=[windows.strides[axis] for axis in axes] or [1],
        dilations=[windows.dilation[axis] for axis in axes] or [1],
        **options,
    )
    x = write.reshape(x, [counts[axis] for axis in order])
    return write.transpose(x, [order.index(axis) for axis in range(rank)])


@lower("window_sum")
def _window_sum(write: Writer, operands: list[str], equation: Any) -> str:
    """Multiply the mean of each window with the number of its elements."""
    dtype = equation.operands[0].type.dtype
    mean = _pool(write, operands[0], equation, "AveragePool", 0.0, count_include_pad=1)
    return write.node("Mul", mean, write.constant(math.prod(equation.attributes["windows"].window), dtype))


@lower("window_extreme")
def _window_extreme(write: Writer, operands: list[str], equation: Any) -> str:
    (x,) = operands
    if equation.attributes["kind"] == "max":
        return _pool(write, x, equation, "MaxPool", -math.inf)
    return write.node("Neg", _pool(write, write.node("Neg", x), equation, "MaxPool", -math.inf))
