"""Dead code: what nobody reads is not computed."""

from __future__ import annotations

from transforms.graph.ir import Equation, Graph, Variable, has_effect


def remove_dead(graph: Graph) -> Graph:
    """Drop equations and constants of which nothing is read."""
    needed = {x for x in graph.outputs if isinstance(x, Variable)}
    kept: list[Equation] = []
    for equation in reversed(graph.equations):
        if not needed.isdisjoint(equation.results) or has_effect(equation):
            kept.append(equation)
            needed.update(x for x in equation.operands if isinstance(x, Variable))
    constants = tuple((variable, value) for variable, value in graph.constants if variable in needed)
    return graph._replace(equations=tuple(reversed(kept)), constants=constants)
