"""What depends on the order of elements: where extremes are, and short rows sorted.

A place in a sorted row is how many elements come before. To count these takes as many comparisons for each
element as the row is long, all independent of each other.
"""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.rules.reductions import reduced_access
from transforms.backends.llvm.scheduler import Scheduler, is_native, rule
from transforms.backends.llvm.steps import Access, Reduce, Region, Scatter
from transforms.backends.llvm.views import whole
from transforms.graph.ir import Equation, Variable
from transforms.types import ArrayType, Shape

_INDEX, _BOOL = np.dtype(np.int64), np.dtype(bool)
_LONGEST = 32  # of the rows that are sorted here; NumPy is faster with longer ones
_EXTREMES = {"argmax": "maximum", "argmin": "minimum"}


@rule(*_EXTREMES)
def position(scheduler: Scheduler, equation: Equation) -> bool:
    """Take the first of the places whose element is the extreme; a NaN is one."""
    (result,) = equation.results
    operand = equation.operands[0]
    if not isinstance(operand, Variable) or not is_native(equation):
        return False
    x = scheduler.regions[operand]
    axis: int = equation.attributes["axis"]
    shape, dtype = x.shape, operand.type.dtype
    extreme = Variable(ArrayType((*shape[:axis], *shape[axis + 1 :]), dtype))
    access = reduced_access(extreme, shape, (axis,))
    index = scheduler.group(shape, [x], (axis,))
    group = scheduler.groups[index]
    group.axes = (axis,)
    value = scheduler.read(index, x, dtype)
    group.reductions.append(Reduce(_EXTREMES[equation.primitive.name], value, access, dtype))
    scheduler.assign(extreme, index)
    scheduler.stored.add(extreme)
    counter = _counter(scheduler, shape, axis)
    index = scheduler.group(shape, [x, Region(access, shape), counter], (axis,))
    group = scheduler.groups[index]
    group.axes = (axis,)
    value, best = (scheduler.read(index, y, dtype) for y in (x, Region(access, shape)))
    here = group.apply("equal", (value, best), _BOOL)
    if dtype.kind == "f":
        here = group.apply("logical_or", (here, group.apply("isnan", (value,), _BOOL)), _BOOL)
    place = scheduler.read(index, counter, _INDEX)
    place = group.apply("where", (here, place, group.number(shape[axis], _INDEX)), _INDEX)
    group.reductions.append(Reduce("minimum", place, reduced_access(result, shape, (axis,)), _INDEX))
    scheduler.assign(result, index)
    scheduler.stored.add(result)
    return True


@rule("sort", "argsort")
def sort(scheduler: Scheduler, equation: Equation) -> bool:
    """Put each element, or its place, at the place that it has in order."""
    (result,) = equation.results
    operand = equation.operands[0]
    axis: int = equation.attributes["axis"]
    if not isinstance(operand, Variable) or not is_native(equation) or result.type.shape[axis] > _LONGEST:
        return False
    x = scheduler.regions[operand]
    counter = _counter(scheduler, x.shape, axis)
    places = _places(scheduler, x, counter, axis)
    value = x if equation.primitive.name == "sort" else counter
    index = scheduler.own_group(x.shape, [places.access.buffer, value.access.buffer])
    group = scheduler.groups[index]
    scheduler.stored.add(value.access.buffer)
    strides = list(whole(result).access.strides)
    stride, strides[axis] = strides[axis], 0
    place = group.load(places.access, _INDEX)
    group.scatters.append(
        Scatter(
            group.load(value.access, result.type.dtype),
            Access(result, 0, tuple(strides)),
            ((place, stride),),
            "set",
        )
    )
    scheduler.assign(result, index)
    scheduler.stored.add(result)
    return True


def _counter(scheduler: Scheduler, shape: Shape, axis: int) -> Region:
    """Return an array that counts along an axis."""
    counted = scheduler.constant(np.arange(shape[axis], dtype=_INDEX))
    return Region(Access(counted, 0, tuple(int(k == axis) for k in range(len(shape)))), shape)


def _places(scheduler: Scheduler, x: Region, counter: Region, axis: int) -> Region:
    """Return for each element how many of its row come before it."""
    shape = (*x.shape, x.shape[axis])

    def across(region: Region) -> tuple[Region, Region]:
        """Return a region for each pair of elements of a row: of the first, and of the second."""
        strides = region.access.strides
        second = (*strides[:axis], 0, *strides[axis + 1 :], strides[axis])
        return tuple(  # type: ignore[return-value]
            Region(region.access._replace(strides=s), shape) for s in ((*strides, 0), second)
        )

    regions = [*across(x), *across(counter)]
    last = len(shape) - 1
    index = scheduler.group(shape, regions, (last,))
    group = scheduler.groups[index]
    group.axes = (last,)
    dtype = x.access.buffer.type.dtype
    mine, other = (scheduler.read(index, y, dtype) for y in regions[:2])
    my_place, its_place = (scheduler.read(index, y, _INDEX) for y in regions[2:])
    is_before = _is_before(group, mine, other, group.apply("less", (its_place, my_place), _BOOL), dtype)
    places = Variable(ArrayType(x.shape, _INDEX))
    access = reduced_access(places, shape, (last,))
    group.reductions.append(Reduce("add", group.cast(is_before, _INDEX), access, _INDEX))
    scheduler.assign(places, index)
    scheduler.stored.add(places)
    return whole(places)


def _is_before(group: Group, mine: int, other: int, is_first: int, dtype: np.dtype[np.generic]) -> int:
    """Say whether another element comes before one: NaN last, and equal ones as they stand."""
    less, same = (group.apply(name, (other, mine), _BOOL) for name in ("less", "equal"))
    if dtype.kind == "f":
        i_am_none, it_is_none = (group.apply("isnan", (x,), _BOOL) for x in (mine, other))
        it_is_some = group.apply("logical_not", (it_is_none,), _BOOL)
        both = group.apply("logical_and", (i_am_none, it_is_none), _BOOL)
        less = group.apply(
            "logical_or", (less, group.apply("logical_and", (i_am_none, it_is_some), _BOOL)), _BOOL
        )
        same = group.apply("logical_or", (same, both), _BOOL)
    return group.apply("logical_or", (less, group.apply("logical_and", (same, is_first), _BOOL)), _BOOL)
