"""Passes: functions from graphs to graphs that compute the same."""

from __future__ import annotations

from typing import Any

from transforms.graph.ir import Equation, Graph, Operand, Variable


def remove_dead(graph: Graph) -> Graph:
    """Drop equations and constants of which nothing is read."""
    needed = {x for x in graph.outputs if isinstance(x, Variable)}
    kept: list[Equation] = []
    for equation in reversed(graph.equations):
        if equation.primitive.effect or not needed.isdisjoint(equation.results):
            kept.append(equation)
            needed.update(x for x in equation.operands if isinstance(x, Variable))
    constants = tuple((variable, value) for variable, value in graph.constants if variable in needed)
    return graph._replace(equations=tuple(reversed(kept)), constants=constants)


def share_common(graph: Graph) -> Graph:
    """Compute what two equations compute alike only once."""
    first: dict[Any, tuple[Variable, ...]] = {}
    renamed: dict[Variable, Variable] = {}

    def rename(operand: Operand) -> Operand:
        return renamed.get(operand, operand) if isinstance(operand, Variable) else operand

    kept: list[Equation] = []
    for equation in graph.equations:
        operands = tuple(rename(x) for x in equation.operands)
        equation = equation._replace(operands=operands)
        key = (
            equation.primitive.name,
            tuple((type(x), x) for x in operands),
            tuple(sorted(equation.attributes.items(), key=lambda item: item[0])),
        )
        earlier = None if equation.primitive.effect else first.setdefault(key, equation.results)
        if earlier is None or earlier is equation.results:
            kept.append(equation)
        else:
            renamed.update(zip(equation.results, earlier, strict=True))
    return graph._replace(equations=tuple(kept), outputs=tuple(rename(x) for x in graph.outputs))
