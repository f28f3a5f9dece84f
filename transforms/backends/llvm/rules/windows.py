"""Reductions over windows, and the way back to their extremes."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.rules.extremes import Extremes, find_extremes, pick, route
from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.scheduler import Scheduler, is_native, rule
from transforms.backends.llvm.steps import Access, Reduce, Region, Wait
from transforms.backends.llvm.views import contiguous_strides, whole
from transforms.graph.ir import Equation, Variable
from transforms.primitives.windows import Windows
from transforms.types import ArrayType, Shape

_COMBINED = {"max": "maximum", "min": "minimum"}


@rule("window_sum")
def window_sum(scheduler: Scheduler, equation: Equation) -> bool:
    """Add up the elements of each window."""
    return _reduce(scheduler, equation, "add", 0)


@rule("window_extreme")
def window_extreme(scheduler: Scheduler, equation: Equation) -> bool:
    """Take the largest or the smallest element of each window."""
    kind: str = equation.attributes["kind"]
    dtype = equation.results[0].type.dtype
    return _reduce(scheduler, equation, _COMBINED[kind], _padding_value(dtype, kind))


def _padding_value(dtype: np.dtype[np.generic], kind: str) -> float | int | bool:
    """Return what no element is more extreme than."""
    if dtype.kind == "b":
        return kind == "min"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        return int(limits.min if kind == "max" else limits.max)
    return -np.inf if kind == "max" else np.inf


def _reduce(scheduler: Scheduler, equation: Equation, operation: str, padding: float) -> bool:
    (result,) = equation.results
    windows: Windows = equation.attributes["windows"]
    x = scheduler.operand(equation.operands[0])
    if not isinstance(x, Region) or not is_native(equation) or not result.type.size:
        return False
    waits = (Wait(x.access.buffer),)
    x = spread_out(scheduler, x, 0, windows.padding, windows.input_dilation, padding, waits=waits)
    region, axes = _in_windows(x, windows, result.type.shape)
    index = scheduler.group(region.shape, [region], axes)
    group = scheduler.groups[index]
    group.axes = axes
    value = scheduler.read(index, region, result.type.dtype)
    group.reductions.append(Reduce(operation, value, _of_windows(result, len(axes)), result.type.dtype))
    scheduler.assign(result, index)
    scheduler.stored.add(result)
    return True


def _sliding(windows: Windows) -> list[int]:
    return [axis for axis, length in enumerate(windows.window) if length > 1]


def _in_windows(x: Region, windows: Windows, counts: Shape) -> tuple[Region, tuple[int, ...]]:
    """Return the elements of all windows, the places in a window last, and the axes of these places."""
    strides = x.access.strides
    sliding = _sliding(windows)
    steps = tuple(stride * n for stride, n in zip(strides, windows.strides, strict=True))
    holes = tuple(strides[axis] * windows.dilation[axis] for axis in sliding)
    shape = (*counts, *(windows.window[axis] for axis in sliding))
    return Region(x.access._replace(strides=(*steps, *holes)), shape), tuple(range(len(counts), len(shape)))


def _of_windows(buffer: Variable, places: int) -> Access:
    """Return an element of a buffer for each window, the same for all places in it."""
    return Access(buffer, 0, (*contiguous_strides(buffer.type.shape), *(0,) * places))


@rule("window_pick")
def window_pick(scheduler: Scheduler, equation: Equation) -> bool:
    """Take the mean of a tangent over each window's extremes."""
    regions = _regions(scheduler, equation)
    if regions is None:
        return False
    extremes = _extremes(scheduler, equation, regions)
    if extremes is not None:
        pick(scheduler, regions[0], extremes, equation.results[0])
    return extremes is not None


@rule("window_route")
def window_route(scheduler: Scheduler, equation: Equation) -> bool:
    """Give each window's cotangent to its extremes in equal shares."""
    regions = _regions(scheduler, equation)
    if regions is None:
        return False
    (result,) = equation.results
    windows: Windows = equation.attributes["windows"]
    cotangent, x, out = regions
    dtype = result.type.dtype
    if not _is_tiling(windows, x.shape):
        extremes = _extremes(scheduler, equation, regions)
        if extremes is not None:
            route(scheduler, cotangent, extremes, result)
        return extremes is not None
    mask = _mask_of_extremes(scheduler, x, out, windows)
    ties = _count_ties(scheduler, mask, out, windows, dtype, Wait(cotangent.access.buffer))
    is_extreme, _ = _in_windows(mask, windows, out.shape)
    index = scheduler.group(is_extreme.shape, [is_extreme, cotangent, ties])
    group = scheduler.groups[index]
    given, count = (
        scheduler.read(index, _for_places(region, is_extreme.shape), dtype) for region in (cotangent, ties)
    )
    share = group.apply("divide", (given, count), dtype)
    # NumPy's product with a truth value: NaN stays NaN where the extreme is not.
    value = group.apply("multiply", (share, scheduler.read(index, is_extreme, dtype)), dtype)
    target = _in_windows(whole(result), windows, out.shape)[0]
    scheduler.store(index, value, target)
    return True


def _regions(scheduler: Scheduler, equation: Equation) -> tuple[Region, Region, Region] | None:
    """Return what an extreme's derivative reads: (co)tangent, array, extremes; None where NumPy must."""
    given, x, out = (scheduler.operand(operand) for operand in equation.operands)
    if not isinstance(x, Region) or not isinstance(out, Region) or not isinstance(given, Region):
        return None
    is_real = equation.results[0].type.dtype.kind == "f"
    return (given, x, out) if is_real and is_native(equation) else None


def _extremes(
    scheduler: Scheduler, equation: Equation, regions: tuple[Region, Region, Region]
) -> Extremes | None:
    given, x, out = regions
    rim = _padding_value(x.access.buffer.type.dtype, equation.attributes["kind"])
    return find_extremes(scheduler, x, out, equation.attributes["windows"], rim, given.access.buffer)


def _for_places(region: Region, places: Shape) -> Region:
    """Return what there is one of for each window, for each place in it."""
    still = (0,) * (len(places) - len(region.shape))
    return Region(region.access._replace(strides=(*region.access.strides, *still)), places)


def _is_tiling(windows: Windows, shape: Shape) -> bool:
    """Say whether each element is in exactly one window."""
    plain = not any(map(any, windows.padding)) and set(windows.dilation) == set(windows.input_dilation) == {1}
    return (
        plain
        and windows.window == windows.strides
        and not any(n % w for n, w in zip(shape, windows.window, strict=True))
    )


def _mask_of_extremes(scheduler: Scheduler, x: Region, out: Region, windows: Windows) -> Region:
    """Return which elements are their window's extreme.

    That takes a fourth of the memory of the elements, which may be needed for nothing else, and depends on
    nothing that comes later.
    """
    each, _ = _in_windows(x, windows, out.shape)
    mask = Variable(ArrayType(x.shape, np.dtype(bool)))
    index = scheduler.own_group(each.shape, [x.access.buffer, out.access.buffer])
    group, dtype = scheduler.groups[index], x.access.buffer.type.dtype
    values = (scheduler.read(index, region, dtype) for region in (each, _for_places(out, each.shape)))
    is_there = group.apply("equal", tuple(values), mask.type.dtype)
    scheduler.store(index, is_there, _in_windows(whole(mask), windows, out.shape)[0])
    return whole(mask)


def _count_ties(
    scheduler: Scheduler, mask: Region, out: Region, windows: Windows, dtype: np.dtype[np.generic], wait: Wait
) -> Region:
    """Return how many places in each window hold its extreme."""
    is_extreme, axes = _in_windows(mask, windows, out.shape)
    ties = Variable(ArrayType(out.shape, dtype))
    index = scheduler.group(is_extreme.shape, [is_extreme], axes, after=scheduler.made[wait.buffer])
    scheduler.wait(index, [wait])
    group = scheduler.groups[index]
    group.axes = axes
    one = scheduler.read(index, is_extreme, dtype)
    group.reductions.append(Reduce("add", one, _of_windows(ties, len(axes)), dtype))
    scheduler.assign(ties, index)
    scheduler.stored.add(ties)
    return whole(ties)
