"""Loops whose steps need no Python."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.scheduler import Scheduler, rule, variables_of
from transforms.backends.llvm.steps import HostCall, Repeat, Schedule
from transforms.backends.llvm.threads import get_threads
from transforms.backends.llvm.writer import NATIVE
from transforms.control.loop import Loop
from transforms.graph.ir import Equation, Variable
from transforms.types import ArrayType


@rule("scan")
def repeat(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a loop if its steps need no Python; say whether that was possible."""
    loop = equation.attributes.get("loop")
    operands = variables_of(equation)
    if not isinstance(loop, Loop) or not loop.length or len(operands) < len(equation.operands):
        return False
    step = Scheduler(loop.optimized, apart=True).run()
    if any(isinstance(x, HostCall) for x in step.steps) or not _is_native(step):
        return False
    if any(x.type.dtype != y.type.dtype for x, y in zip(operands, step.inputs, strict=True)):
        return False
    scheduler.constants += step.constants
    plan = plan_memory(step, get_threads())
    given = [scheduler.contiguous(scheduler.regions[x]) for x in operands]
    scheduler.stored.update(given)
    consts, start, stacks = loop.split(given)
    carried, outputs = equation.results[: loop.carries], equation.results[loop.carries :]
    repeat = Repeat(
        step,
        plan,
        Variable(ArrayType((plan.size,), np.uint8)),
        loop.length,
        loop.reverse,
        tuple(consts),
        tuple(start),
        tuple(stacks),
        carried,
        tuple(Variable(x.type) for x in carried),
        outputs,
    )
    scheduler.append(repeat, equation)
    return True


def _is_native(schedule: Schedule) -> bool:
    """Say whether all that goes in and out is what kernels compute with."""
    outputs = [x[0] for x in schedule.outputs if isinstance(x, tuple)]
    return len(outputs) == len(schedule.outputs) and all(
        x.type.dtype in NATIVE for x in (*schedule.inputs, *outputs)
    )
