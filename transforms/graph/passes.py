"""Passes: functions from graphs to graphs that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transforms.graph.ir import Equation, Graph, Operand, Variable


def optimize(graph: Graph) -> Graph:
    """Apply all passes, in an order in which each helps the next."""
    passes: tuple[Callable[[Graph], Graph], ...] = (inline_calls, remove_dead, share_common)
    for apply in passes:
        graph = apply(graph)
    return graph


def inline_calls(graph: Graph) -> Graph:
    """Put the equations of each called program in the place of its call."""
    if all(_called(equation) is None for equation in graph.equations):
        return graph
    constants = list(graph.constants)
    values: dict[Variable, Operand] = {}
    equations: list[Equation] = []

    def place(body: tuple[Equation, ...], inside: dict[Variable, Operand]) -> None:
        for equation in body:
            operands = tuple(inside.get(x, x) if isinstance(x, Variable) else x for x in equation.operands)
            inner = _called(equation)
            if inner is not None:
                fresh: dict[Variable, Operand] = dict(zip(inner.inputs, operands, strict=True))
                for variable, value in inner.constants:
                    fresh[variable] = Variable(variable.type, variable.weak)
                    constants.append((fresh[variable], value))  # type: ignore[arg-type]
                place(inner.equations, fresh)
                outputs = (fresh.get(x, x) if isinstance(x, Variable) else x for x in inner.outputs)
                inside.update(zip(equation.results, outputs, strict=True))
                continue
            if inside is values:
                results = equation.results
            else:
                results = tuple(Variable(x.type, x.weak) for x in equation.results)
                inside.update(zip(equation.results, results, strict=True))
            equations.append(equation._replace(operands=operands, results=results))

    place(graph.equations, values)
    outputs = tuple(values.get(x, x) if isinstance(x, Variable) else x for x in graph.outputs)
    return Graph(graph.inputs, tuple(constants), tuple(equations), outputs)


def _called(equation: Equation) -> Graph | None:
    """Return the graph that takes the place of an equation."""
    if equation.primitive.name == "call":
        return equation.attributes["program"].graph  # type: ignore[no-any-return]
    if equation.primitive.name == "custom_call":
        (graph,) = equation.attributes["call"].graphs.values()
        return graph  # type: ignore[no-any-return]
    return None


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
