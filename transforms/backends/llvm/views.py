"""Views: equations that compute nothing, as accesses to what their operand is stored in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transforms.backends.llvm.steps import Access, Region
from transforms.graph.ir import Equation, Variable
from transforms.primitives.slicing import BasicIndex
from transforms.types import Shape


def contiguous_strides(shape: Shape) -> tuple[int, ...]:
    """Return the strides, in elements, of an array in C order.

    >>> contiguous_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


def whole(buffer: Variable) -> Region:
    """Return all of a buffer."""
    shape = buffer.type.shape
    return Region(Access(buffer, 0, contiguous_strides(shape)), shape)


def is_contiguous(region: Region) -> bool:
    """Say whether a region is all elements of its buffer, in order."""
    if region.access.buffer.type.size != math.prod(region.shape) or region.access.offset:
        return False
    return all(
        length == 1 or stride == expected
        for length, stride, expected in zip(
            region.shape, region.access.strides, contiguous_strides(region.shape), strict=True
        )
    )


def broadcast(region: Region, shape: Shape) -> Access:
    """Return how loops over a shape read a region that broadcasts to it."""
    access, lengths = region
    missing = len(shape) - len(lengths)
    strides = (0 if length == 1 else stride for length, stride in zip(lengths, access.strides, strict=True))
    return access._replace(strides=(0,) * missing + tuple(strides))


def _reshape(region: Region, equation: Equation) -> Region | None:
    """Return the region in another shape; None if no strides say it.

    Runs of axes whose product is equal in both shapes are taken together; each must be one progression.
    """
    old = [(n, s) for n, s in zip(region.shape, region.access.strides, strict=True) if n != 1]
    new: Shape = equation.attributes["shape"]
    if 0 in new:
        return Region(region.access._replace(strides=contiguous_strides(new)), new)
    strides = [0] * len(new)
    axis, place = len(new) - 1, len(old) - 1
    while axis >= 0:
        if new[axis] == 1:
            axis -= 1
            continue
        length, step = old[place]
        run = new[axis]
        first = axis
        while run != length:
            if run < length:
                first -= 1
                run *= new[first]
            else:
                place -= 1
                outer, stride = old[place]
                if stride != step * length:
                    return None
                length *= outer
        for inner in range(axis, first - 1, -1):
            strides[inner] = step
            step *= new[inner]
        axis, place = first - 1, place - 1
    return Region(region.access._replace(strides=tuple(strides)), new)


def _transpose(region: Region, equation: Equation) -> Region:
    order = equation.attributes["permutation"]
    strides = tuple(region.access.strides[axis] for axis in order)
    return Region(region.access._replace(strides=strides), equation.results[0].type.shape)


def _broadcast_to(region: Region, equation: Equation) -> Region:
    shape = equation.attributes["shape"]
    return Region(broadcast(region, shape), shape)


def _getitem(region: Region, equation: Equation) -> Region:
    index: BasicIndex = equation.attributes["index"]
    return select(region, index)


def select(region: Region, index: BasicIndex) -> Region:
    """Return the part of a region that a basic index names."""
    offset = region.access.offset
    strides: list[int] = []
    axes = iter(region.access.strides)
    for entry in index.entries:
        if entry is None:
            strides.append(0)
            continue
        stride = next(axes)
        if isinstance(entry, int):
            offset += entry * stride
        else:
            offset += entry.start * stride
            strides.append(entry.step * stride)
    return Region(Access(region.access.buffer, offset, tuple(strides)), index.shape)


def _same(region: Region, equation: Equation) -> Region:
    return region


VIEWS: dict[str, Callable[[Region, Equation], Any]] = {
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "getitem": _getitem,
    "stop_gradient": _same,
    "name": _same,
}
"""How each view names elements of its operand's region; the result is None where no strides can."""
