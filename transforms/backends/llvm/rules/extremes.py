"""The derivative of the extremes of windows, and its transpose, where windows may overlap.

One loop over the windows does all places in a window, one after the other. In the transpose it adds to what
earlier windows have added to the same place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from operator import mul
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Region, Wait
from transforms.backends.llvm.views import select, whole
from transforms.graph.ir import Variable
from transforms.primitives.slicing import BasicIndex, Slice
from transforms.primitives.windows import Windows
from transforms.types import ArrayType, Shape

_BOOL = np.dtype(bool)
_MOST_PLACES = 25  # in a window; the text of the loop grows with them


class Extremes(NamedTuple):
    """Windows over an array, and the extreme of each.

    Attributes:
        x: the array, with what fills its rim.
        out: the extremes.
        windows: their geometry.
        order: the axes of the loop over the windows. Windows do not overlap along the first, so that units of
            it may run at the same time; None for an axis of one element, where they do along all.
    """

    x: Region
    out: Region
    windows: Windows
    order: tuple[int | None, ...]

    @property
    def shape(self) -> Shape:
        """The lengths of the loop."""
        return tuple(1 if axis is None else self.out.shape[axis] for axis in self.order)

    def along(self, region: Region) -> Access:
        """Return the access to what there is one of for each window."""
        strides = region.access.strides
        return region.access._replace(strides=tuple(0 if k is None else strides[k] for k in self.order))

    def places(self, region: Region) -> Iterator[Access]:
        """Return the access to an array with a rim, for each place in a window."""
        access, _ = region
        steps = [stride * n for stride, n in zip(access.strides, self.windows.strides, strict=True)]
        holes = [stride * n for stride, n in zip(access.strides, self.windows.dilation, strict=True)]
        strides = tuple(0 if k is None else steps[k] for k in self.order)
        for place in itertools.product(*map(range, self.windows.window)):
            yield Access(access.buffer, access.offset + sum(map(mul, place, holes)), strides)


def find_extremes(
    scheduler: Scheduler, x: Region, out: Region, windows: Windows, rim: float, other: Variable
) -> Extremes | None:
    """Return windows over an array; None if they have too many places.

    The rim is made when another buffer is there, which will be read with it.
    """
    if math.prod(windows.window) > _MOST_PLACES or set(windows.input_dilation) != {1} or 0 in x.shape:
        return None
    waits = (Wait(x.access.buffer), Wait(other))
    x = spread_out(scheduler, x, 0, windows.padding, windows.input_dilation, rim, waits=waits)
    axes = range(len(out.shape))
    apart = [axis for axis in axes if windows.window[axis] == windows.strides[axis] == 1]
    sliding = [axis for axis in axes if axis not in apart]
    return Extremes(x, out, windows, (*(apart or (None,)), *sliding))


def pick(scheduler: Scheduler, t: Region, extremes: Extremes, result: Variable) -> None:
    """Take the mean of ``t`` over the places of each window's extreme."""
    windows = extremes.windows
    waits = (Wait(t.access.buffer),)
    t = spread_out(scheduler, t, 0, windows.padding, windows.input_dilation, 0, waits=waits)
    index, masks, ties = _matches(scheduler, extremes, result.type.dtype, [t.access.buffer])
    group, dtype = scheduler.groups[index], result.type.dtype
    total = group.number(0, dtype)
    for access, mask in zip(extremes.places(t), masks, strict=True):
        share = group.apply("multiply", (group.load(access, dtype), mask), dtype)
        total = group.apply("add", (total, share), dtype)
    mean = group.apply("divide", (total, ties), dtype)
    scheduler.store_at(index, mean, extremes.along(whole(result)))


def route(scheduler: Scheduler, cotangent: Region, extremes: Extremes, result: Variable) -> None:
    """Give each window's cotangent to the places of its extreme, in equal shares."""
    dtype = result.type.dtype
    total = Variable(ArrayType(extremes.x.shape, dtype))
    scheduler.write(0, whole(total), waits=(Wait(cotangent.access.buffer),))
    index, masks, ties = _matches(scheduler, extremes, dtype, [cotangent.access.buffer, total])
    group = scheduler.groups[index]
    share = group.apply("divide", (group.load(extremes.along(cotangent), dtype), ties), dtype)
    for access, mask in zip(extremes.places(whole(total)), masks, strict=True):
        # NumPy's product with a truth value: NaN stays NaN where the extreme is not.
        mine = group.apply("multiply", (share, mask), dtype)
        scheduler.store_at(index, group.apply("add", (group.load(access, dtype), mine), dtype), access)
    inside = [
        Slice(low, low + n, 1)
        for n, (low, _) in zip(result.type.shape, extremes.windows.padding, strict=True)
    ]
    scheduler.regions[result] = select(whole(total), BasicIndex(tuple(inside)))


def _matches(
    scheduler: Scheduler, extremes: Extremes, dtype: np.dtype[np.generic], more: list[Variable]
) -> tuple[int, list[int], int]:
    """Return a new group over the windows, whether each place holds the extreme, and how many do."""
    buffers = [extremes.x.access.buffer, extremes.out.access.buffer, *more]
    index = scheduler.own_group(extremes.shape, buffers)
    scheduler.stored.update(buffers)
    group = scheduler.groups[index]
    kind = extremes.x.access.buffer.type.dtype
    best = group.load(extremes.along(extremes.out), kind)
    masks = [
        group.cast(group.apply("equal", (group.load(access, kind), best), _BOOL), dtype)
        for access in extremes.places(extremes.x)
    ]
    return index, masks, _sum(group, masks, dtype)


def _sum(group: Group, values: list[int], dtype: np.dtype[np.generic]) -> int:
    total = values[0]
    for value in values[1:]:
        total = group.apply("add", (total, value), dtype)
    return total
