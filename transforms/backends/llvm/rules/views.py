"""Views, which compute nothing: they name elements of a buffer, or of a copy if no strides can."""

from __future__ import annotations

from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.views import VIEWS
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Equation, Variable


@rule(*VIEWS)
def view(scheduler: Scheduler, equation: Equation) -> bool:
    """Make the result a view, of a copy if need be."""
    operand = equation.operands[0]
    (result,) = equation.results
    if not isinstance(operand, Variable) or result.type.dtype not in NATIVE:
        return False
    view = VIEWS[equation.primitive.name]
    region = view(scheduler.regions[operand], equation)
    if region is None:
        region = view(scheduler.copy(scheduler.regions[operand]), equation)
    scheduler.regions[result] = region
    return True
