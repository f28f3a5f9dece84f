"""Where windows stand on an axis: dilation, padding, strides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from transforms.errors import ShapeError, message
from transforms.types import Array, Shape

Lengths: TypeAlias = tuple[int, ...]
Padding: TypeAlias = tuple[tuple[int, int], ...]


def per_axis(function: str, name: str, value: Any, count: int) -> Lengths:
    """Return one positive length for each axis, from one for all or a sequence.

    Raises:
        ValueError: a length is not positive, or there are more or fewer than axes.
    """
    lengths = (value,) * count if isinstance(value, (int, np.integer)) else tuple(value)
    if len(lengths) != count or not all(isinstance(n, (int, np.integer)) and n > 0 for n in lengths):
        raise ValueError(
            message(function, name, f"be a positive integer or {count} of them", value if count else lengths)
        )
    return tuple(int(n) for n in lengths)


def dilated(length: int, dilation: int) -> int:
    """Return the length of an axis with ``dilation - 1`` holes between its elements.

    An empty axis has a negative length if it is dilated: one that stands for elements all cropped away.
    """
    return (length - 1) * dilation + 1


def explicit_padding(
    function: str, padding: Any, lengths: Lengths, windows: Lengths, strides: Lengths
) -> Padding:
    """Return pairs (before, after) for padding that may be "SAME" or "VALID".

    Args:
        function: for errors.
        padding: "VALID" for none; "SAME" for as much as gives ``ceil(length / stride)`` windows, the odd
            element after; or a pair for each axis, or a number that serves for pairs or for axes.
        lengths: of the axes.
        windows: the lengths that the windows cover, holes included.
        strides: of the windows.
    """
    if padding == "VALID":
        return ((0, 0),) * len(lengths)
    if padding == "SAME":
        totals = [
            max((-(-length // stride) - 1) * stride + window - length, 0)
            for length, window, stride in zip(lengths, windows, strides, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ValueError(
            message(function, "padding", "be 'SAME', 'VALID' or a pair for each axis", repr(padding))
        )
    if isinstance(padding, (int, np.integer)):
        padding = (padding,) * len(lengths)
    pairs = tuple((p, p) if isinstance(p, (int, np.integer)) else tuple(p) for p in padding)
    if len(pairs) != len(lengths) or not all(len(pair) == 2 for pair in pairs):
        raise ValueError(
            message(function, "padding", f"hold a pair for each of {len(lengths)} axes", padding)
        )
    return tuple((int(low), int(high)) for low, high in pairs)


def window_counts(
    function: str, lengths: Lengths, windows: Lengths, strides: Lengths, padding: Padding
) -> Lengths:
    """Return how many windows stand on each axis, from its dilated length.

    Raises:
        ShapeError: a window is longer than its padded axis.
    """
    padded = tuple(low + length + high for length, (low, high) in zip(lengths, padding, strict=True))
    if any(length < window for length, window in zip(padded, windows, strict=True)):
        raise ShapeError(
            message(function, f"the window {windows}", "fit into the padded axes", padded, "pad more")
        )
    return tuple(
        (n - window) // stride + 1 for n, window, stride in zip(padded, windows, strides, strict=True)
    )


def crop(x: Array, first_axis: int, padding: Padding, dilation: Sequence[int]) -> tuple[Array, Padding]:
    """Cut off what negative padding removes, and return what then remains to be padded, not negative."""
    index: list[slice] = [slice(None)] * first_axis
    rest = []
    for (low, high), step, length in zip(padding, dilation, x.shape[first_axis:], strict=False):
        start = min(max(-(low // step), 0), length)
        stop = length - min(max(-(high // step), 0), length - start)
        index.append(slice(start, stop))
        rest.append((low + start * step, high + (length - stop) * step))
    if all(
        part.start == 0 and part.stop == n
        for part, n in zip(index[first_axis:], x.shape[first_axis:], strict=False)
    ):
        return x, padding
    return x[tuple(index)], tuple(rest)


def fill(x: Array, first_axis: int, padding: Padding, dilation: Sequence[int], value: Any = 0) -> Array:
    """Return a new array with holes between the elements and padding around them, filled with a value."""
    count = len(padding)
    lengths = x.shape[first_axis : first_axis + count]
    spread = [dilated(n, step) for n, step in zip(lengths, dilation, strict=True)]
    shape = (
        *x.shape[:first_axis],
        *(low + n + high for n, (low, high) in zip(spread, padding, strict=True)),
        *x.shape[first_axis + count :],
    )
    out = np.zeros(shape, x.dtype) if value == 0 else np.full(shape, value, x.dtype)
    places = tuple(
        slice(low, low + n, step) if length else slice(0)
        for length, n, (low, _), step in zip(lengths, spread, padding, dilation, strict=True)
    )
    out[(slice(None),) * first_axis + places] = x
    return out


def offsets(
    windows: Shape, dilation: Sequence[int], strides: Sequence[int], counts: Sequence[int]
) -> Iterator[tuple[slice, ...]]:
    """Yield for each place in a window the slice of the padded axes that all windows have there."""
    axes = [
        [slice(w * d, w * d + (n - 1) * s + 1 if n else w * d, s) for w in range(window)]
        for window, d, s, n in zip(windows, dilation, strides, counts, strict=True)
    ]
    return itertools.product(*axes)
