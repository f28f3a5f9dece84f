"""Results that are written part by part."""

from __future__ import annotations

from transforms.backends.llvm.scheduler import Scheduler, is_native, rule
from transforms.backends.llvm.views import select, whole
from transforms.graph.ir import Equation
from transforms.primitives.slicing import BasicIndex, Slice, full_slice


@rule("concatenate")
def concatenate(scheduler: Scheduler, equation: Equation) -> bool:
    """Write each operand to its part of the result."""
    if not is_native(equation):
        return False
    (result,) = equation.results
    axis: int = equation.attributes["axis"]
    start = 0
    for operand in equation.operands:
        region = scheduler.regions[operand]  # type: ignore[index]
        stop = start + region.shape[axis]
        entries = [full_slice(n) for n in result.type.shape]
        entries[axis] = Slice(start, stop, 1)
        scheduler.write(region, select(whole(result), BasicIndex(tuple(entries))))
        start = stop
    scheduler.stored.add(result)
    return True


@rule("setitem")
def setitem(scheduler: Scheduler, equation: Equation) -> bool:
    """Write the base to all of the result, and then the updates to a part of it."""
    if not is_native(equation):
        return False
    (result,) = equation.results
    base, updates = (scheduler.operand(x) for x in equation.operands)
    first = scheduler.write(base, whole(result))  # type: ignore[arg-type]
    target = select(whole(result), equation.attributes["index"])
    scheduler.write(updates, target, after=first)  # type: ignore[arg-type]
    scheduler.stored.add(result)
    return True
