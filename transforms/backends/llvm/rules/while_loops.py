"""Loops that go on for as long as a condition holds, if neither that nor a step needs Python."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.rules.programs import buffers, fits, native_function, scratch
from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import RepeatWhile
from transforms.control.while_loop import While
from transforms.graph.ir import Equation, Variable
from transforms.types import ArrayType


@rule("while")
def repeat_while(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a loop; say whether that was possible."""
    loop: While = equation.attributes["loop"]
    condition, step = native_function(loop.condition.optimized), native_function(loop.step.optimized)
    if condition is None or step is None:
        return False
    of_condition, consts, carry = loop.split(equation.operands)
    if not fits([*of_condition, *carry], condition.schedule.inputs):
        return False
    if not fits([*consts, *carry], step.schedule.inputs):
        return False
    scheduler.constants += (*condition.schedule.constants, *step.schedule.constants)
    before = condition.schedule.inputs[: loop.condition_consts]
    types = [x.type for x in (*before, *step.schedule.inputs)]
    given = buffers(scheduler, equation.operands, types)
    of_condition, consts, start = loop.split(given)
    scheduler.append(
        RepeatWhile(
            condition,
            step,
            scratch([condition, step]),
            Variable(ArrayType((), np.dtype(bool))),
            tuple(of_condition),
            tuple(consts),
            tuple(start),
            equation.results,
            tuple(Variable(x.type) for x in equation.results),
        ),
        equation.results,
    )
    return True
