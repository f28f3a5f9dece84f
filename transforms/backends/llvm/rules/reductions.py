"""Reductions over whole axes."""

from __future__ import annotations

from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import Access, Reduce, Region
from transforms.backends.llvm.views import contiguous_strides
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Equation, Variable
from transforms.types import Shape

_REDUCTIONS = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "or",
    "all": "and",
}


@rule(*_REDUCTIONS)
def reduction(scheduler: Scheduler, equation: Equation) -> bool:
    """Reduce in the group that computes the operand, or in a new one."""
    (result,) = equation.results
    operand = equation.operands[0]
    if not isinstance(operand, Variable) or not {operand.type.dtype, result.type.dtype} <= NATIVE:
        return False
    region = scheduler.regions[operand]
    axes: tuple[int, ...] = equation.attributes["axes"]
    add_reduction(scheduler, _REDUCTIONS[equation.primitive.name], region, axes, result)
    return True


def add_reduction(
    scheduler: Scheduler, operation: str, region: Region, axes: tuple[int, ...], result: Variable
) -> None:
    """Add the reduction of a region over axes."""
    index = scheduler.group(region.shape, [region], axes)
    group = scheduler.groups[index]
    group.axes = axes
    dtype = result.type.dtype
    value = scheduler.read(index, region, dtype)
    access = reduced_access(result, region.shape, axes)
    group.reductions.append(Reduce(operation, value, access, dtype))
    scheduler.assign(result, index)
    scheduler.stored.add(result)


def reduced_access(buffer: Variable, shape: Shape, axes: tuple[int, ...]) -> Access:
    """Return how loops over a shape access what is reduced over axes."""
    kept = tuple(axis for axis in range(len(shape)) if axis not in axes)
    strides = [0] * len(shape)
    for axis, stride in zip(kept, contiguous_strides(tuple(shape[i] for i in kept)), strict=True):
        strides[axis] = stride
    return Access(buffer, 0, tuple(strides))
