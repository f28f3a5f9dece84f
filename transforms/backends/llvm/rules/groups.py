"""Convolutions in many small groups of channels, in loops along the groups, with what is short written out.

Vectors are of channels of different groups. Of a convolution the window is written out, whose products are
added up in a register; of a kernel's derivative, whose window is the whole image, it is the few results: each
element that is read serves all of them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Reduce, Region
from transforms.backends.llvm.views import whole
from transforms.primitives.convolution import Geometry
from transforms.types import Shape

# Channels and features of a small group, at most.
_SMALL = 4
# Fewer groups fill no vectors; where each has one channel and one feature, nothing else does.
_MANY = 8
# So many products of a group are written out at most, or results.
_MOST = 160
# So many results of an image are made by one loop, or those of one row.
_TOGETHER = 9


class _Products(NamedTuple):
    """All products of a convolution, each an index of some axes, and where factors and sums are.

    The axes are those of examples, places, groups and features of a group, then those of places in the window
    and channels of a group.

    Attributes:
        shape: lengths of the axes.
        x: with a stride for each axis, as the others.
        kernel: the other factor.
        out: the sum.
    """

    shape: Shape
    x: Access
    kernel: Access
    out: Access

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.shape) // 2 - 2

    @property
    def group(self) -> int:
        """The axis of the groups, behind which is that of their features."""
        return 1 + self.rank

    @property
    def window(self) -> range:
        """The axes that sums run over."""
        return range(self.group + 2, len(self.shape))

    def places(self, axes: Sequence[int]) -> list[dict[int, int]]:
        """Return the indices of some axes."""
        indices = itertools.product(*(range(self.shape[axis]) for axis in axes))
        return [dict(zip(axes, index, strict=True)) for index in indices]


def are_small(kernel: Shape, groups: int) -> bool:
    """Say whether vectors should be of channels of different groups."""
    channels, each = kernel[-2], kernel[-1] // groups
    return groups >= (_MANY if channels * each > 1 else 2) and max(channels, each) <= _SMALL


def convolve(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, out: Region) -> bool:
    """Add a convolution of an input that has its padding and its holes; say whether this way is of use."""
    *window, channels, features = kernel.shape
    each = features // geometry.groups
    few_sums = channels == 1 and (each == 1 or out.shape[0] <= _SMALL) and math.prod(out.shape[1:-1]) <= _MOST
    if math.prod(window) * channels * each <= _MOST:
        kernel = _by_groups(kernel, geometry.groups)
        _over_results(
            scheduler, _products(x, scheduler.copy(kernel) if each > 1 else kernel, geometry, out), out
        )
        return True
    products = _products(x, _by_groups(kernel, geometry.groups), geometry, out)
    if few_sums:
        _over_windows(scheduler, products)
    elif channels == each == 1:
        operands = [Region(access, products.shape) for access in (products.x, products.kernel)]
        scheduler.sum_of_products(operands, products.out, len(products.window))
    else:
        return False
    return True


def _by_groups(kernel: Region, groups: int) -> Region:
    """Return a kernel with the groups as an axis behind that of their features."""
    *others, features = kernel.shape
    *strides, stride = kernel.access.strides
    each = features // groups
    return Region(kernel.access._replace(strides=(*strides, stride, each * stride)), (*others, each, groups))


def _products(x: Region, kernel: Region, geometry: Geometry, out: Region) -> _Products:
    x_examples, *x_spatial, x_channel = x.access.strides
    *k_window, k_channel, k_feature, k_group = kernel.access.strides
    *o_places, o_feature = out.access.strides
    steps = [stride * n for stride, n in zip(x_spatial, geometry.strides, strict=True)]
    holes = [stride * n for stride, n in zip(x_spatial, geometry.dilation, strict=True)]
    *window, channels, each, groups = kernel.shape
    rank = len(window)
    return _Products(
        (*out.shape[:-1], groups, each, *window, channels),
        x.access._replace(strides=(x_examples, *steps, channels * x_channel, 0, *holes, x_channel)),
        kernel.access._replace(strides=(*(0,) * (1 + rank), k_group, k_feature, *k_window, k_channel)),
        out.access._replace(strides=(*o_places, each * o_feature, o_feature, *(0,) * (rank + 1))),
    )


def _at(access: Access, loops: Sequence[int], place: dict[int, int]) -> Access:
    """Return how loops over some axes move along an access, given the indices of others."""
    moved = sum(access.strides[axis] * index for axis, index in place.items())
    strides = tuple(access.strides[axis] for axis in loops)
    return access._replace(offset=access.offset + moved, strides=strides)


def _product(scheduler: Scheduler, index: int, factors: Iterable[Access]) -> int:
    """Return the value of a product in a group."""
    group = scheduler.groups[index]
    regions = [Region(access, group.shape) for access in factors]
    dtype = regions[0].access.buffer.type.dtype
    return group.apply("multiply", tuple(scheduler.read(index, x, dtype) for x in regions), dtype)


def _over_results(scheduler: Scheduler, products: _Products, out: Region) -> None:
    """Add up each window, element by element: what follows can use the sum before it is stored."""
    loops, buffer = range(products.group + 1), out.access.buffer
    shape = products.shape[: products.group + 1]
    features, window = products.places([products.group + 1]), products.places(products.window)
    taps = [
        [[_at(x, loops, {**each, **place}) for x in (products.x, products.kernel)] for place in window]
        for each in features
    ]
    reads = [Region(access, shape) for each in taps for tap in each for access in tap]
    index = scheduler.group(shape, reads)
    group = scheduler.groups[index]
    for each, own in zip(features, taps, strict=True):
        values = [_product(scheduler, index, tap) for tap in own]
        total = functools.reduce(lambda x, y: group.apply("add", (x, y), buffer.type.dtype), values)
        if len(features) == 1 and out == whole(buffer):
            group.results[buffer] = total
            scheduler.assign(buffer, index)
        else:
            scheduler.store(index, total, Region(_at(products.out, loops, each), shape))


def _over_windows(scheduler: Scheduler, products: _Products) -> None:
    """Add up few results, some at a time, in loops over a window that is about as long as the input."""
    summed = [axis for axis in products.window if products.shape[axis] > 1]
    examples = [0] if products.shape[0] > _SMALL else []
    loops = (*summed, *examples, products.group)
    written = [*range(1, products.group), *(() if examples else (0,)), products.group + 1]
    places = products.places(written)
    row = math.prod(products.shape[axis] for axis in written[products.rank - 1 :])
    some = max(_TOGETHER // row, 1) * row
    dtype = products.out.buffer.type.dtype
    for first in range(0, len(places), some):
        shape = tuple(products.shape[axis] for axis in loops)
        index = scheduler.own_group(shape, [products.x.buffer, products.kernel.buffer])
        group = scheduler.groups[index]
        group.axes = tuple(range(len(summed)))
        for place in places[first : first + some]:
            value = _product(scheduler, index, (_at(x, loops, place) for x in (products.x, products.kernel)))
            group.reductions.append(Reduce("add", value, _at(products.out, loops, place), dtype))
        scheduler.assign(products.out.buffer, index)
    scheduler.stored.add(products.out.buffer)
