"""Integer-array indices: reads and writes at places that are known when the program runs.

The indices are checked and counted from the front in a kernel of their own, so that the loops which use them
are plain. An index that is known to count along an axis of the result, as the rows of a batch do beside their
labels, is no index: it only changes a stride.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.scheduler import Scheduler, is_native, rule, variables_of
from transforms.backends.llvm.steps import Access, Check, Gather, Load, Region, Scatter
from transforms.backends.llvm.views import broadcast, contiguous_strides, whole
from transforms.graph.ir import Equation, Operand, Variable
from transforms.types import ArrayType, Shape

_INDEX = np.dtype(np.int64)


class _Places(NamedTuple):
    """Elements of a buffer at indices.

    Attributes:
        access: with what is known of the indices.
        dynamic: for each index that is not known: where it is read, and the stride that it multiplies.
    """

    access: Access
    dynamic: tuple[tuple[Region, int], ...]


@rule("gather")
def gather(scheduler: Scheduler, equation: Equation) -> bool:
    """Read an array at indices."""
    (result,) = equation.results
    if not is_native(equation) or not all(isinstance(x, Variable) for x in equation.operands):
        return False
    x, *indices = (scheduler.regions[operand] for operand in variables_of(equation))
    shape = result.type.shape
    places = _places(scheduler, x, indices, equation, equation.attributes["position"], shape)
    ready = max((scheduler.made[r.access.buffer] for r in (x, *(r for r, _ in places.dynamic))), default=-1)
    index = scheduler.group(shape, [region for region, _ in places.dynamic], after=ready)
    group = scheduler.groups[index]
    scheduler.stored.add(x.access.buffer)
    values = tuple((scheduler.read(index, region, _INDEX), stride) for region, stride in places.dynamic)
    dtype = x.access.buffer.type.dtype
    element = Gather(places.access, values, dtype) if values else Load(places.access, dtype)
    group.results[result] = group.add(element)
    scheduler.assign(result, index)
    return True


_OPERATIONS = {
    "scatter_add": "add",
    "scatter_multiply": "multiply",
    "scatter_min": "minimum",
    "scatter_max": "maximum",
    "scatter_set": "set",
}


@rule(*_OPERATIONS)
def scatter(scheduler: Scheduler, equation: Equation) -> bool:
    """Combine updates into an array at indices: one after the other, because places may repeat."""
    (result,) = equation.results
    base, updates = (_real(scheduler, operand) for operand in equation.operands[:2])
    if not is_native(equation) or not all(isinstance(x, Variable) for x in equation.operands[2:]):
        return False
    indices = [scheduler.regions[x] for x in equation.operands[2:] if isinstance(x, Variable)]
    position: int = equation.attributes["position"] if not _is_scalar(updates) else 0
    shape = _selected_shape(result.type.shape, indices, equation.attributes["axes"], position)
    places = _places(scheduler, whole(result), indices, equation, position, shape)
    operation = _OPERATIONS[equation.primitive.name]
    if _as_one_hot(scheduler, base, updates, places, operation, shape, result):
        return True
    first = scheduler.write(base, whole(result))
    regions = [region for region, _ in places.dynamic]
    if isinstance(updates, Region):
        regions.append(updates)
    scheduler.latest.pop(shape, None)
    index = scheduler.group(shape, regions, after=first)
    scheduler.latest.pop(shape)  # the order of its loops is that of the updates: nothing may join
    group = scheduler.groups[index]
    value = scheduler.read(index, updates, result.type.dtype)
    values = tuple((scheduler.read(index, region, _INDEX), stride) for region, stride in places.dynamic)
    group.scatters.append(Scatter(value, places.access, values, operation))
    scheduler.made[result] = index
    scheduler.regions[result] = whole(result)
    scheduler.stored.add(result)
    return True


def _real(scheduler: Scheduler, operand: Operand) -> Region | float:
    """Return where an operand is; a number, which is not complex, stands for itself."""
    return scheduler.operand(operand)  # type: ignore[return-value]


def _is_scalar(operand: Region | float) -> bool:
    return not isinstance(operand, Region) or not operand.shape


def _selected_shape(shape: Shape, indices: list[Region], axes: tuple[int, ...], position: int) -> Shape:
    rest = [length for axis, length in enumerate(shape) if axis not in axes]
    selected = np.broadcast_shapes(*(index.shape for index in indices))
    return (*rest[:position], *selected, *rest[position:])


def _places(
    scheduler: Scheduler, x: Region, indices: list[Region], equation: Equation, position: int, shape: Shape
) -> _Places:
    """Return the elements of a region that indices name, for loops over what is selected."""
    axes: tuple[int, ...] = equation.attributes["axes"]
    rank = max(len(index.shape) for index in indices)
    rest = [stride for axis, stride in enumerate(x.access.strides) if axis not in axes]
    strides = [*rest[:position], *(0,) * rank, *rest[position:]]
    offset = x.access.offset
    dynamic = []
    for axis, index in zip(axes, indices, strict=True):
        stride, length = x.access.strides[axis], x.shape[axis]
        known = _counted(scheduler, index, length)
        if known is not None:
            start, along = known
            offset += start * stride
            if along is not None:
                strides[position + rank - len(index.shape) + along] += stride
            continue
        checked = _checked(scheduler, index, length, equation.primitive.name)
        after = len(shape) - position - rank
        widened = Region(
            checked.access._replace(strides=checked.access.strides + (0,) * after),
            checked.shape + (1,) * after,
        )
        dynamic.append((widened, stride))
    return _Places(Access(x.access.buffer, offset, tuple(strides)), tuple(dynamic))


def _counted(scheduler: Scheduler, index: Region, length: int) -> tuple[int, int | None] | None:
    """Return where a constant index begins and along which of its axes it counts; None if it does neither."""
    value = scheduler.known.get(index.access.buffer)
    if value is None or 0 in index.shape:
        return None
    item = value.itemsize
    strides = tuple(stride * item for stride in index.access.strides)
    flat = np.ascontiguousarray(value).reshape(-1)[index.access.offset :]
    array = np.lib.stride_tricks.as_strided(flat, index.shape, strides, writeable=False)
    if array.min() < 0 or array.max() >= length:
        return None
    long = [axis for axis, n in enumerate(index.shape) if n > 1]
    start = int(array.flat[0])
    if not long:
        return start, None
    if len(long) == 1 and np.array_equal(array.reshape(-1), start + np.arange(array.size)):
        return start, long[0]
    return None


def _checked(scheduler: Scheduler, index: Region, length: int, name: str) -> Region:
    """Return an index with all its elements counted from the front, after a check of each."""
    key = (index, length)
    if key not in scheduler.checked:
        buffer = Variable(ArrayType(index.shape, _INDEX))
        number = scheduler.group(index.shape, [index])
        group = scheduler.groups[number]
        dtype = index.access.buffer.type.dtype
        value = group.add(Check(scheduler.read(number, index, dtype), length, name, _INDEX))
        group.results[buffer] = value
        scheduler.assign(buffer, number)
        scheduler.stored.add(buffer)
        scheduler.checked[key] = whole(buffer)
    return scheduler.checked[key]


def _as_one_hot(
    scheduler: Scheduler,
    base: Region | float,
    updates: Region | float,
    places: _Places,
    operation: str,
    shape: Shape,
    result: Variable,
) -> bool:
    """Scatter single elements, each to a row of its own, by comparing each place with the index.

    That writes the result once, and what reads it next can do so in the same loop.
    """
    if len(places.dynamic) != 1 or 0 in shape:
        return False
    (index, stride) = places.dynamic[0]
    out = contiguous_strides(result.type.shape)
    axis = out.index(stride) if stride in out else None
    target = result.type.shape
    if axis is None or target[axis] == 1 or places.access.offset:
        return False
    moved = {s: k for k, (s, n) in enumerate(zip(places.access.strides, shape, strict=True)) if n > 1}
    rows = [(k, n) for k, n in enumerate(target) if k != axis and n > 1]
    if len(moved) != len(rows) or any(
        shape[moved[out[k]]] != n if out[k] in moved else True for k, n in rows
    ):
        return False

    def along_result(region: Region) -> Region:
        """Read what has an element for each update for each place of the result."""
        access = broadcast(region, shape)
        strides = tuple(
            access.strides[moved[out[k]]] if k != axis and n > 1 else 0 for k, n in enumerate(target)
        )
        return Region(access._replace(strides=strides), target)

    counted = scheduler.constant(np.arange(target[axis], dtype=_INDEX))
    counter = Region(Access(counted, 0, tuple(int(k == axis) for k in range(len(target)))), target)
    regions = [along_result(index), counter]
    if isinstance(updates, Region):
        updates = along_result(updates)
        regions.append(updates)
    if isinstance(base, Region):
        regions.append(base)
    number = scheduler.group(target, regions)
    group = scheduler.groups[number]
    dtype = result.type.dtype
    here = group.apply("equal", tuple(scheduler.read(number, x, _INDEX) for x in regions[:2]), np.dtype(bool))
    start, update = (scheduler.read(number, x, dtype) for x in (base, updates))
    new = update if operation == "set" else group.apply(operation, (start, update), dtype)
    group.results[result] = group.apply("where", (here, new, start), dtype)
    scheduler.assign(result, number)
    return True
