"""A type checker for graphs."""

from __future__ import annotations

from transforms.graph.ir import Graph, Operand, Variable, infer_results, nested_graphs, show
from transforms.types import type_of


class GraphError(ValueError):
    """A graph is not well formed; the message has the equation."""


def check_graph(graph: Graph) -> None:
    """Check that variables are assigned once, before they are read, and have the types that are inferred.

    Raises:
        GraphError: they are not.
    """
    known: set[Variable] = set()

    def define(variable: Variable, where: str) -> None:
        if variable in known:
            raise GraphError(
                f"{where}: a variable must be assigned once, got a second time, in\n{show(graph)}"
            )
        known.add(variable)

    def read(operand: Operand, where: str) -> None:
        if isinstance(operand, Variable) and operand not in known:
            raise GraphError(f"{where}: a variable must be assigned before it is read, in\n{show(graph)}")

    for variable in graph.inputs:
        define(variable, "inputs")
    for variable, value in graph.constants:
        define(variable, "constants")
        if type_of(value) != variable.type:
            raise GraphError(f"constants: the value must have type {variable.type}, got {type_of(value)}")
    for index, equation in enumerate(graph.equations):
        where = f"equation {index} ({equation.primitive.name})"
        for operand in equation.operands:
            read(operand, where)
        expected = infer_results(equation.primitive, equation.operands, equation.attributes)
        for result, inferred in zip(equation.results, expected, strict=True):
            if (result.type, result.weak) != (inferred.type, inferred.weak):
                raise GraphError(f"{where}: the result must have type {inferred.type}, got {result.type}")
            define(result, where)
        for nested in nested_graphs(equation).values():
            check_graph(nested)
    for output in graph.outputs:
        read(output, "outputs")
