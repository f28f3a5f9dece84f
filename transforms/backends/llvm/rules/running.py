"""Running results along an axis: each element from the one before it, which the same loop has just stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transforms.backends.llvm.group import Group
from transforms.backends.llvm.scheduler import Scheduler, is_native, rule, variables_of
from transforms.backends.llvm.steps import Access, Region
from transforms.backends.llvm.views import select, whole
from transforms.graph.ir import Equation, Variable
from transforms.primitives.slicing import BasicIndex, Slice, full_slice

_OPERATIONS = {"cumsum": "add", "cumprod": "multiply", "cummax": "maximum", "cummin": "minimum"}


@rule(*_OPERATIONS)
def running(scheduler: Scheduler, equation: Equation) -> bool:
    """Combine all elements up to each place."""
    operation = _OPERATIONS[equation.primitive.name]
    dtype = equation.results[0].type.dtype
    return _run(scheduler, equation, lambda group, before, x: group.apply(operation, (before, x), dtype))


@rule("recurrence")
def recurrence(scheduler: Scheduler, equation: Equation) -> bool:
    """Multiply what was before by a factor, and add a term."""
    dtype = equation.results[0].type.dtype

    def combine(group: Group, before: int, factor: int, term: int) -> int:
        return group.apply("add", (group.apply("multiply", (factor, before), dtype), term), dtype)

    return _run(scheduler, equation, combine)


def _run(scheduler: Scheduler, equation: Equation, combine: Callable[..., int]) -> bool:
    """Write the last operand's first element, and then each element from the one before it."""
    (result,) = equation.results
    variables = variables_of(equation)
    if not is_native(equation) or len(variables) < len(equation.operands):
        return False
    operands = [scheduler.regions[x] for x in variables]
    axis: int = equation.attributes["axis"]
    reverse: bool = equation.attributes["reverse"]
    length = result.type.shape[axis]
    start = max(length - 1, 0) if reverse else 0
    entries = [full_slice(n) for n in result.type.shape]
    entries[axis] = Slice(start, min(start + 1, length), 1)
    first = BasicIndex(tuple(entries))
    scheduler.write(select(operands[-1], first), select(whole(result), first))
    if length > 1:
        _steps(scheduler, operands, result, axis, reverse, combine)
    return True


def _steps(
    scheduler: Scheduler,
    operands: Sequence[Region],
    result: Variable,
    axis: int,
    reverse: bool,
    combine: Callable[..., int],
) -> None:
    """Add the loop. The axis comes last, because units may run at the same time along the first."""
    shape, dtype = result.type.shape, result.type.dtype
    length = shape[axis]
    others = [k for k in range(len(shape)) if k != axis]
    lengths = tuple(shape[k] for k in others) or (1,)

    def along(region: Region, step: int) -> Access:
        strides = region.access.strides
        across = tuple(strides[k] for k in others) or (0,)
        place = length - 1 - step if reverse else step
        return Access(
            region.access.buffer,
            region.access.offset + place * strides[axis],
            (*across, -strides[axis] if reverse else strides[axis]),
        )

    buffers = [x.access.buffer for x in operands]
    index = scheduler.own_group((*lengths, length - 1), [result, *buffers])
    group = scheduler.groups[index]
    scheduler.stored.update(buffers)
    before = group.load(along(whole(result), 0), dtype)
    values = [group.cast(group.load(along(x, 1), x.access.buffer.type.dtype), dtype) for x in operands]
    scheduler.store_at(index, combine(group, before, *values), along(whole(result), 1))
