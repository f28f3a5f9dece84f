"""Loops whose steps need no Python."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.rules.hoisting import Divided, Product, add_sum, divide
from transforms.backends.llvm.rules.products import add_product
from transforms.backends.llvm.rules.programs import with_buffers
from transforms.backends.llvm.scheduler import Scheduler, rule, variables_of
from transforms.backends.llvm.steps import HostCall, Region, Repeat, Schedule
from transforms.backends.llvm.threads import get_threads
from transforms.backends.llvm.writer import NATIVE
from transforms.control.loop import Loop
from transforms.graph.ir import Equation, Graph, Variable
from transforms.types import ArrayType


@rule("scan")
def repeat(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a loop if its steps need no Python; say whether that was possible."""
    loop = equation.attributes.get("loop")
    operands = variables_of(equation)
    if not isinstance(loop, Loop) or not loop.length or len(operands) < len(equation.operands):
        return False
    graph = with_buffers(loop.optimized)
    divided = divide(graph, loop.consts, loop.carries)
    step = Scheduler(divided.graph, apart=True).run()
    if any(isinstance(x, HostCall) for x in step.steps) or not _is_native(step):
        return False
    regions = [scheduler.regions[x] for x in operands]
    consts, start, stacks = loop.split(regions)
    consts += _invariants(scheduler, divided, graph, consts)
    stacks += [_product(scheduler, x, stacks, consts, loop.length) for x in divided.products]
    summed = {x.carry: start[x.carry] for x in divided.sums}
    start = [x for i, x in enumerate(start) if i not in summed]
    given = [*consts, *start, *stacks]
    if any(x.access.buffer.type.dtype != y.type.dtype for x, y in zip(given, step.inputs, strict=True)):
        return False
    scheduler.constants += step.constants
    plan = plan_memory(step, get_threads())
    buffers = [scheduler.contiguous(x) for x in given]
    scheduler.stored.update(buffers)
    carried = [x for i, x in enumerate(equation.results[: loop.carries]) if i not in summed]
    outputs = list(equation.results[loop.carries :])
    types = [x.type for x in divided.graph.outputs[len(carried) + len(outputs) :] if isinstance(x, Variable)]
    outputs += [Variable(ArrayType((loop.length, *t.shape), t.dtype)) for t in types]
    first, last = len(consts), len(consts) + len(start)
    scheduler.append(
        Repeat(
            step,
            plan,
            Variable(ArrayType((plan.size,), np.uint8)),
            loop.length,
            loop.reverse,
            tuple(buffers[:first]),
            tuple(buffers[first:last]),
            tuple(buffers[last:]),
            tuple(carried),
            tuple(Variable(x.type) for x in carried),
            tuple(outputs),
        ),
        [*carried, *outputs],
    )
    for total in divided.sums:
        entries = [*buffers[last:], *outputs]
        add_sum(scheduler, total, entries, summed[total.carry], equation.results[total.carry])
    return True


def _invariants(scheduler: Scheduler, divided: Divided, step: Graph, consts: list[Region]) -> list[Region]:
    """Add what does not change from step to step; return what the steps read of it."""
    if divided.invariant:
        for variable, value in step.constants:
            scheduler.add_constant(variable, value)
        for variable, region in zip(step.inputs, consts, strict=False):
            scheduler.regions[variable] = region
        for equation in divided.invariant:
            scheduler.equation(equation)
    return [scheduler.regions[x] for x in divided.invariants]


def _product(
    scheduler: Scheduler, product: Product, stacks: list[Region], consts: list[Region], length: int
) -> Region:
    """Add the product of all entries of a stack with a matrix; return the stack of the results."""
    result = Variable(ArrayType((length, *product.result.shape), product.result.dtype))
    add_product(scheduler, stacks[product.stack], consts[product.const], result)
    return scheduler.regions[result]


def _is_native(schedule: Schedule) -> bool:
    """Say whether all that goes in and out is what kernels compute with."""
    outputs = [x[0] for x in schedule.outputs if isinstance(x, tuple)]
    return len(outputs) == len(schedule.outputs) and all(
        x.type.dtype in NATIVE for x in (*schedule.inputs, *outputs)
    )
