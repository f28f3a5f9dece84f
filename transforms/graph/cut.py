"""Cutting a program in two: what can run before certain inputs are known, and what must wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from transforms.graph.ir import Equation, Graph, Operand, Variable, has_effect
from transforms.graph.passes import remove_dead


class Cut(NamedTuple):
    """Two programs that do together what one did.

    Attributes:
        first: from the early inputs to the early outputs and then the residuals.
        second: from the residuals, then the early inputs at ``passed``, then the late inputs, to the late
            outputs.
        passed: which early inputs the second program reads.
    """

    first: Graph
    second: Graph
    passed: tuple[int, ...]


def cut(graph: Graph, early_inputs: int, early_outputs: int, *, effects_wait: bool = False) -> Cut:
    """Cut a program after what does not depend on the inputs that come late.

    The edges across the cut are the residuals: each is computed once by the first program and read
    by the second, unless it takes no more than a little arithmetic on other residuals: then it is computed
    again.

    Args:
        graph: the program.
        early_inputs: how many of its inputs, from the first on, are known early.
        early_outputs: how many of its outputs, from the first on, the first program must give. They must
            not depend on late inputs.
        effects_wait: whether what has an effect goes to the second program even if it could run early.
    """
    graph = remove_dead(graph)
    late: set[Variable] = set(graph.inputs[early_inputs:])
    first: list[Equation] = []
    second: list[Equation] = []
    for equation in graph.equations:
        waits = effects_wait and has_effect(equation)
        if not waits and late.isdisjoint(x for x in equation.operands if isinstance(x, Variable)):
            first.append(equation)
        else:
            second.append(equation)
            late.update(equation.results)
    late_outputs = graph.outputs[early_outputs:]
    constants = dict(graph.constants)
    crossing = _read_from(second, late_outputs, late)
    again = _computed_again(first, crossing, constants)
    if again:
        second = [*again, *second]
        late.update(x for equation in again for x in equation.results)
        crossing = _read_from(second, late_outputs, late)
    inputs = graph.inputs[:early_inputs]
    passed = tuple(index for index, variable in enumerate(inputs) if variable in crossing)
    residuals = tuple(v for v in crossing if v not in constants and v not in inputs)
    return Cut(
        remove_dead(
            Graph(inputs, graph.constants, tuple(first), (*graph.outputs[:early_outputs], *residuals))
        ),
        remove_dead(
            Graph(
                (*residuals, *(inputs[index] for index in passed), *graph.inputs[early_inputs:]),
                graph.constants,
                tuple(second),
                late_outputs,
            )
        ),
        passed,
    )


def _read_from(
    equations: Sequence[Equation], outputs: Sequence[Operand], late: set[Variable]
) -> dict[Variable, None]:
    """Return, in order, the variables that equations and outputs read and that are not late."""
    read: dict[Variable, None] = {}
    for operand in (*(x for equation in equations for x in equation.operands), *outputs):
        if isinstance(operand, Variable) and operand not in late:
            read[operand] = None
    return read


# Elementwise arithmetic that costs less than to store its result and read it again.
ARITHMETIC = frozenset(
    ("add", "subtract", "multiply", "divide", "negative", "square", "sign", "absolute", "astype", "where")
).union(
    ("maximum", "minimum", "less", "less_equal", "greater", "greater_equal"),
    ("logical_and", "logical_or", "logical_not"),
)
_VIEWS = frozenset({"transpose", "reshape", "broadcast_to"})
_CHEAP = ARITHMETIC | _VIEWS | {"equal", "not_equal"}
_MOST_EQUATIONS = 8  # for one residual


def _computed_again(
    first: Sequence[Equation], crossing: dict[Variable, None], constants: dict[Variable, Any]
) -> list[Equation]:
    """Return the equations whose results the second program computes instead of reading them, in order.

    From the last residual to the first, one goes if arithmetic on what crosses the cut in any case gives it.
    """
    made = {result: equation for equation in first for result in equation.results}
    remaining = {x for x in crossing if x not in constants}
    chosen: set[Variable] = set()
    for equation in reversed(first):
        for residual in remaining.intersection(equation.results):
            known = remaining - {residual}
            if equation.primitive.name in _VIEWS:  # what it is a view of crosses instead
                known |= {x for x in equation.operands if isinstance(x, Variable)} - set(constants)
            needed = _recipe(residual, made, known, constants)
            if needed is not None:
                remaining = known
                chosen |= needed
    return [equation for equation in first if not chosen.isdisjoint(equation.results)]


def _recipe(
    residual: Variable,
    made: dict[Variable, Equation],
    known: set[Variable],
    constants: dict[Variable, Any],
) -> set[Variable] | None:
    """Return what has to be computed for a residual from what is known; None if that takes too much."""
    needed: set[Variable] = set()
    open_ends = [residual]
    while open_ends:
        variable = open_ends.pop()
        if variable in needed:
            continue
        equation = made.get(variable)
        if equation is None or equation.primitive.name not in _CHEAP or len(needed) == _MOST_EQUATIONS:
            return None
        needed.add(variable)
        open_ends += [
            x for x in equation.operands if isinstance(x, Variable) and x not in known and x not in constants
        ]
    return needed
