"""Sums of scattered values: to add them to zeros, and that to something else, is to add them to it."""

from __future__ import annotations

from collections import Counter

from transforms.graph.ir import Equation, Graph, Operand, Variable


def merge_scatters(graph: Graph) -> Graph:
    """Add scattered values to the other summand where nothing else reads them."""
    uses = Counter(x for equation in graph.equations for x in equation.operands if isinstance(x, Variable))
    uses.update(x for x in graph.outputs if isinstance(x, Variable))
    scatters: dict[Operand, Equation] = {}
    equations = []
    for equation in graph.equations:
        if equation.primitive.name == "add":
            equation = _merged(equation, scatters) or equation
        (*_, result) = equation.results or (None,)
        if equation.primitive.name == "scatter_add" and result is not None and uses[result] == 1:
            scatters[result] = equation
        equations.append(equation)
    return graph._replace(equations=tuple(equations))


def _merged(equation: Equation, scatters: dict[Operand, Equation]) -> Equation | None:
    x, y = equation.operands
    for scattered, base in ((x, y), (y, x)):
        scatter = scatters.get(scattered)
        if scatter is None or not isinstance(base, Variable) or base.type != equation.results[0].type:
            continue
        zero, *rest = scatter.operands
        if repr(zero) == "0.0" and scatter.results[0].type == base.type:
            return scatter._replace(results=equation.results, operands=(base, *rest))
    return None
