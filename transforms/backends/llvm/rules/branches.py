"""`cond` and `switch`: the branches as functions, of which one runs."""

from __future__ import annotations

from transforms.backends.llvm.rules.programs import buffers, fits, native_function, scratch
from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import Switch
from transforms.backends.llvm.writer import NATIVE
from transforms.control.cond import Branches
from transforms.graph.ir import Equation, Variable
from transforms.types import type_of


@rule("switch")
def switch(scheduler: Scheduler, equation: Equation) -> bool:
    """Add the choice of a branch, if none of them needs Python; say whether that was possible."""
    branches: Branches = equation.attributes["branches"]
    index, *operands = equation.operands
    if not isinstance(index, Variable) or index.type.dtype not in NATIVE:
        return False
    functions = [native_function(program.optimized) for program in branches.programs]
    native = [x for x in functions if x is not None]
    if len(native) < len(functions) or not all(fits(operands, x.schedule.inputs) for x in native):
        return False
    for function in native:
        scheduler.constants += function.schedule.constants
    types = [type_of(x) if isinstance(x, Variable) else x.type for x in native[0].schedule.inputs]
    chosen, *given = buffers(scheduler, equation.operands, [index.type, *types])
    step = Switch(chosen, tuple(native), scratch(native), tuple(given), equation.results)
    scheduler.append(step, equation.results)
    return True
