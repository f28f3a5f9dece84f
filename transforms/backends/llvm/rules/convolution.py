"""Convolutions, whose windows are read where they are: only padding and holes take a copy."""

from __future__ import annotations

from typing import Any

from transforms.backends.llvm.products import CONTRACTED, simplify
from transforms.backends.llvm.rules import winograd
from transforms.backends.llvm.rules.products import contract
from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import Access, Contraction, Region
from transforms.backends.llvm.views import contiguous_strides, select, whole
from transforms.graph.ir import Equation, Variable
from transforms.primitives.convolution import Geometry
from transforms.primitives.slicing import BasicIndex, Slice, full_slice
from transforms.primitives.window_geometry import Padding, dilated
from transforms.types import ArrayType


@rule("conv")
def convolution(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a convolution as a contraction over window and channels, of strided reads of the padded input."""
    (result,) = equation.results
    x, kernel = (scheduler.operand(operand) for operand in equation.operands)
    geometry: Geometry = equation.attributes["geometry"]
    dtype = result.type.dtype
    if not isinstance(x, Region) or not isinstance(kernel, Region) or dtype not in CONTRACTED:
        return False
    if any(region.access.buffer.type.dtype != dtype for region in (x, kernel)):
        return False
    if not result.type.size or 0 in kernel.shape:
        scheduler.write(0, whole(result))
        scheduler.stored.add(result)
        return True
    x = spread_out(scheduler, x, 1, geometry.padding, geometry.input_dilation, 0)
    if kernel.shape[-2] == 1 and geometry.groups > 1 and kernel.shape[-1] == geometry.groups:
        _depthwise(scheduler, x, kernel, geometry, result)
        return True
    if _saves_products(x, kernel, geometry, result):
        if kernel.shape[:2] == (3, 3):
            winograd.convolve(scheduler, x, kernel, result)
        else:
            winograd.correlate(scheduler, x, kernel, result)
        return True
    if kernel.access.strides[-1] != 1 and kernel.shape[-1] > 1:
        kernel = scheduler.copy(kernel)
    contract(scheduler, _contraction(x, kernel, geometry, result))
    return True


def _saves_products(x: Region, kernel: Region, geometry: Geometry, result: Variable) -> bool:
    """Say whether a window, or the result for one, is three by three on whole tiles, with enough channels."""
    if len(kernel.shape) != 4 or {*geometry.strides, *geometry.dilation, geometry.groups} != {1}:
        return False
    examples, height, width, features = result.type.shape
    if kernel.shape[:2] == (3, 3):
        tiled, channels = (height, width), kernel.shape[2]
    else:
        tiled, channels = kernel.shape[:2], examples
        if (height, width) != (3, 3):
            return False
    return not any(n % 4 for n in tiled) and winograd.is_worth_it(channels, features, result.type.dtype)


def spread_out(
    scheduler: Scheduler,
    x: Region,
    first_axis: int,
    padding: Padding,
    dilation: tuple[int, ...],
    value: Any,
) -> Region:
    """Return a region with holes between its elements and a rim around them, both filled with a value.

    The new buffer has its axes in the order in which the region has them in memory.
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
    rim = scheduler.write(value, whole(buffer))
    scheduler.write(Region(ordered, tuple(x.shape[axis] for axis in order)), inside, after=rim)
    scheduler.stored.add(buffer)
    access = scheduler.regions[buffer].access
    strides = tuple(access.strides[place[axis]] for axis in range(rank))
    return Region(access._replace(strides=strides), tuple(sides))


def _contraction(x: Region, kernel: Region, geometry: Geometry, result: Variable) -> Contraction:
    examples, *counts, features = result.type.shape
    *window, channels, _ = kernel.shape
    groups = geometry.groups
    x_examples, *x_spatial, x_channel = x.access.strides
    *k_window, k_channel, k_feature = kernel.access.strides
    o_examples, *o_counts, o_feature = contiguous_strides(result.type.shape)
    steps = [stride * n for stride, n in zip(x_spatial, geometry.strides, strict=True)]
    holes = [stride * n for stride, n in zip(x_spatial, geometry.dilation, strict=True)]
    each = features // groups
    return simplify(
        Contraction(
            (groups,),
            (examples, *counts),
            (*window, channels),
            each,
            x.access._replace(strides=(channels * x_channel, x_examples, *steps, *holes, x_channel)),
            kernel.access._replace(strides=(each * k_feature, *k_window, k_channel, k_feature)),
            Access(result, 0, (each * o_feature, o_examples, *o_counts, o_feature)),
            result.type.dtype,
        )
    )


def _depthwise(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, result: Variable) -> None:
    """Convolve each channel by itself: a sum over the window for each element of the result."""
    examples, *counts, features = result.type.shape
    window = kernel.shape[:-2]
    shape = (examples, *counts, features, *window)
    x_examples, *x_spatial, x_channel = x.access.strides
    *k_window, _, k_feature = kernel.access.strides
    steps = [stride * n for stride, n in zip(x_spatial, geometry.strides, strict=True)]
    holes = [stride * n for stride, n in zip(x_spatial, geometry.dilation, strict=True)]
    still = (0,) * (1 + len(counts))
    operands = [
        Region(x.access._replace(strides=(x_examples, *steps, x_channel, *holes)), shape),
        Region(kernel.access._replace(strides=(*still, k_feature, *k_window)), shape),
    ]
    out = Access(result, 0, (*contiguous_strides(result.type.shape), *(0 for _ in window)))
    scheduler.sum_of_products(operands, out, len(window))
