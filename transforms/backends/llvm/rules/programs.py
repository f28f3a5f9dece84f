"""Programs inside of a program: the parts of loops and branches that need no Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Function, HostCall, Region
from transforms.backends.llvm.threads import get_threads
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Graph, Operand, Variable
from transforms.types import ArrayType, type_of


def native_function(graph: Graph) -> Function | None:
    """Return a program as a function whose results are buffers of their own; None if it needs Python."""
    schedule = Scheduler(with_buffers(graph), apart=True).run()
    outputs = [x[0] for x in schedule.outputs if isinstance(x, tuple)]
    if any(isinstance(step, HostCall) for step in schedule.steps):
        return None
    if not {x.type.dtype for x in (*schedule.inputs, *outputs)} <= NATIVE:
        return None
    return Function(schedule, plan_memory(schedule, get_threads()))


def with_buffers(graph: Graph) -> Graph:
    """Return a program with constants for those of its results that are numbers."""
    numbers = {
        place: (Variable(type_of(x)), np.asarray(x))
        for place, x in enumerate(graph.outputs)
        if not isinstance(x, Variable)
    }
    outputs = (numbers[place][0] if place in numbers else x for place, x in enumerate(graph.outputs))
    return graph._replace(constants=(*graph.constants, *numbers.values()), outputs=tuple(outputs))


def fits(operands: Sequence[Operand], inputs: Sequence[Variable]) -> bool:
    """Say whether operands are of the dtypes of a function's inputs; a number can be of any."""
    return all(
        not isinstance(x, Variable) or x.type.dtype == y.type.dtype
        for x, y in zip(operands, inputs, strict=True)
    )


def buffers(scheduler: Scheduler, operands: Sequence[Operand], types: Sequence[ArrayType]) -> list[Variable]:
    """Return a buffer for each operand, of the types that functions expect."""
    found = []
    for operand, expected in zip(operands, types, strict=True):
        where = scheduler.operand(operand)
        if isinstance(where, Region):
            found.append(scheduler.contiguous(where))
        else:
            found.append(scheduler.constant(np.asarray(where, expected.dtype)))
    scheduler.stored.update(found)
    return found


def scratch(functions: Sequence[Function]) -> Variable:
    """Return a buffer that has room for what each of some functions stores, one at a time."""
    size = max(function.plan.size for function in functions)
    return Variable(ArrayType((size,), np.dtype(np.uint8)))
