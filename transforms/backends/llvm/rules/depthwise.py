"""Convolutions of each channel by itself, in loops along the channels, with what is short written out.

Of a convolution that is the window, whose products are added up in a register. Of a kernel's derivative,
whose window is the whole image, it is the few results: each element that is read serves all of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Access, Reduce, Region
from transforms.backends.llvm.views import whole
from transforms.primitives.convolution import Geometry
from transforms.types import Shape

# So many elements of a window, or results, are written out at most.
_MOST = 64
# So many sums, or those of one row, are made by one loop.
_SUMS = 9


class _Products(NamedTuple):
    """All products of a convolution, each an index of some axes, and where factors and sums are.

    Attributes:
        shape: lengths of the axes.
        x: with a stride for each axis, as the others.
        kernel: the other factor.
        out: the sum.
        results: the axes of the places in the result, but for examples and features.
        window: the axes of the places in a window.
    """

    shape: Shape
    x: Access
    kernel: Access
    out: Access
    results: tuple[int, ...]
    window: tuple[int, ...]

    def places(self, axes: Sequence[int]) -> Iterable[dict[int, int]]:
        """Return the indices of some axes."""
        for index in itertools.product(*(range(self.shape[axis]) for axis in axes)):
            yield dict(zip(axes, index, strict=True))


def is_depthwise(kernel: Shape, groups: int) -> bool:
    """Say whether each channel has one feature, which is its own."""
    return kernel[-2] == 1 < groups == kernel[-1]


def convolve(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, out: Region) -> None:
    """Add a convolution of an input that has its padding and its holes."""
    products = _products(x, kernel, geometry, out)
    if math.prod(kernel.shape[:-2]) <= _MOST:
        _over_results(scheduler, products, out)
    elif math.prod(out.shape[1:-1]) <= _MOST:
        _over_windows(scheduler, products)
    else:
        operands = [Region(access, products.shape) for access in (products.x, products.kernel)]
        scheduler.sum_of_products(operands, products.out, len(products.window))


def _products(x: Region, kernel: Region, geometry: Geometry, out: Region) -> _Products:
    x_examples, *x_spatial, x_channel = x.access.strides
    *k_window, _, k_feature = kernel.access.strides
    steps = [stride * n for stride, n in zip(x_spatial, geometry.strides, strict=True)]
    holes = [stride * n for stride, n in zip(x_spatial, geometry.dilation, strict=True)]
    rank = len(x_spatial)
    return _Products(
        (*out.shape, *kernel.shape[:-2]),
        x.access._replace(strides=(x_examples, *steps, x_channel, *holes)),
        kernel.access._replace(strides=(*(0,) * (1 + rank), k_feature, *k_window)),
        out.access._replace(strides=(*out.access.strides, *(0,) * rank)),
        tuple(range(1, 1 + rank)),
        tuple(range(2 + rank, 2 + 2 * rank)),
    )


def _at(access: Access, loops: Sequence[int], place: dict[int, int]) -> Access:
    """Return how loops over some axes move along an access, given the indices of others."""
    moved = sum(access.strides[axis] * index for axis, index in place.items())
    return access._replace(
        offset=access.offset + moved, strides=tuple(access.strides[axis] for axis in loops)
    )


def _sum(
    scheduler: Scheduler,
    index: int,
    products: _Products,
    loops: Sequence[int],
    places: Iterable[dict[int, int]],
) -> int:
    """Return the value, in a group with loops over some axes, of the sum of products at the others."""
    group, dtype = scheduler.groups[index], products.out.buffer.type.dtype
    total: int | None = None
    for place in places:
        factors = (Region(_at(x, loops, place), group.shape) for x in (products.x, products.kernel))
        value = group.apply("multiply", tuple(scheduler.read(index, x, dtype) for x in factors), dtype)
        total = value if total is None else group.apply("add", (total, value), dtype)
    assert total is not None
    return total


def _over_results(scheduler: Scheduler, products: _Products, out: Region) -> None:
    """Add up each window, element by element: what follows can use the sum before it is stored."""
    loops, places = range(len(out.shape)), list(products.places(products.window))
    reads = [Region(_at(products.x, loops, place), out.shape) for place in places]
    reads += [Region(_at(products.kernel, loops, place), out.shape) for place in places]
    index = scheduler.group(out.shape, reads)
    total = _sum(scheduler, index, products, loops, places)
    buffer = out.access.buffer
    if out == whole(buffer):
        scheduler.groups[index].results[buffer] = total
        scheduler.assign(buffer, index)
    else:
        scheduler.store(index, total, out)


def _over_windows(scheduler: Scheduler, products: _Products) -> None:
    """Add up few results, some at a time, in loops over a window that is about as long as the input."""
    summed = [axis for axis in products.window if products.shape[axis] > 1]
    loops = (*summed, 0, products.results[-1] + 1)
    shape, axes = tuple(products.shape[axis] for axis in loops), tuple(range(len(summed)))
    places = list(products.places(products.results))
    row = products.shape[products.results[-1]]
    some = max(_SUMS // row, 1) * row
    buffers = [products.x.buffer, products.kernel.buffer]
    for first in range(0, len(places), some):
        index = scheduler.own_group(shape, buffers)
        group = scheduler.groups[index]
        group.axes = axes
        for place in places[first : first + some]:
            total = _sum(scheduler, index, products, loops, [place])
            access = _at(products.out, loops, place)
            group.reductions.append(Reduce("add", total, access, access.buffer.type.dtype))
        scheduler.assign(products.out.buffer, index)
    scheduler.stored.add(products.out.buffer)
