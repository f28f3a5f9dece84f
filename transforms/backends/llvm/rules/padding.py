"""Padding and holes, which take a copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Region, Wait
from transforms.backends.llvm.views import select, whole
from transforms.graph.ir import Variable
from transforms.primitives.slicing import BasicIndex, Slice, full_slice
from transforms.primitives.window_geometry import Padding, dilated
from transforms.types import ArrayType


def spread_out(
    scheduler: Scheduler,
    x: Region,
    first_axis: int,
    padding: Padding,
    dilation: tuple[int, ...],
    value: Any,
    *,
    waits: Iterable[Wait],
) -> Region:
    """Return a region with holes between its elements and a rim around them, both filled with a value.

    The new buffer has its axes in the order in which the region has them in memory. The value depends on
    nothing and could be written at any time, so it has to be said what that waits for.
    """
    if not any(map(any, padding)) and all(step == 1 for step in dilation):
        return x
    rank, count = len(x.shape), len(padding)
    entries = [full_slice(n) for n in x.shape]
    sides = list(x.shape)
    for axis, ((low, high), step) in enumerate(zip(padding, dilation, strict=True), start=first_axis):
        n = dilated(x.shape[axis], step)
        sides[axis] = low + n + high
        entries[axis] = Slice(low, low + n, step)
    assert first_axis + count <= rank
    order = sorted(range(rank), key=lambda axis: -abs(x.access.strides[axis]))
    place = {axis: k for k, axis in enumerate(order)}
    buffer = Variable(ArrayType(tuple(sides[axis] for axis in order), x.access.buffer.type.dtype))
    inside = select(whole(buffer), BasicIndex(tuple(entries[axis] for axis in order)))
    ordered = x.access._replace(strides=tuple(x.access.strides[axis] for axis in order))
    rim = scheduler.write(value, whole(buffer), waits=tuple(waits))
    interior = Region(ordered, tuple(x.shape[axis] for axis in order))
    scheduler.write(interior, inside, after=rim, waits=tuple(waits))
    scheduler.stored.add(buffer)
    access = scheduler.regions[buffer].access
    strides = tuple(access.strides[place[axis]] for axis in range(rank))
    return Region(access._replace(strides=strides), tuple(sides))
