"""Calls: a program that is called becomes a part of the one that calls it."""

from __future__ import annotations

from typing import Any

from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.primitive import PRIMITIVES
from transforms.types import Array


def inline_calls(graph: Graph) -> Graph:
    """Put the equations of each called program in the place of its call."""
    if all(_called(equation) is None for equation in graph.equations):
        return graph
    inliner = _Inliner(graph)
    inliner.place(graph.equations, inliner.values)
    outputs = tuple(_read(inliner.values, x) for x in graph.outputs)
    return Graph(graph.inputs, tuple(inliner.constants.values()), tuple(inliner.equations), outputs)


def _called(equation: Equation) -> Graph | None:
    """Return the graph that takes the place of an equation."""
    if equation.primitive.name == "call":
        return equation.attributes["program"].graph  # type: ignore[no-any-return]
    if equation.primitive.name == "custom_call":
        (graph,) = equation.attributes["call"].graphs.values()
        return graph  # type: ignore[no-any-return]
    return None


def _read(values: dict[Variable, Operand], operand: Operand) -> Operand:
    return values.get(operand, operand) if isinstance(operand, Variable) else operand


class _Inliner:
    """Writes a program without calls.

    Attributes:
        equations: so far.
        constants: by the identity of their values: a program may be called many times.
        values: what stands for the results of calls in the outermost program.
    """

    def __init__(self, graph: Graph) -> None:
        self.equations: list[Equation] = []
        self.constants: dict[int, tuple[Variable, Array]] = {}
        self.values: dict[Variable, Operand] = {}
        for variable, value in graph.constants:
            self.values[variable] = self._constant(variable, value)

    def _constant(self, variable: Variable, value: Array) -> Variable:
        if id(value) not in self.constants:
            self.constants[id(value)] = (Variable(variable.type, variable.weak), value)
        return self.constants[id(value)][0]

    def place(self, body: tuple[Equation, ...], inside: dict[Variable, Operand]) -> None:
        """Add equations, whose variables are known as what ``inside`` says."""
        for equation in body:
            operands = tuple(_read(inside, x) for x in equation.operands)
            inner = _called(equation)
            if inner is not None:
                self._call(equation, inner, operands, inside)
                continue
            results = equation.results
            if inside is not self.values:
                results = tuple(Variable(x.type, x.weak) for x in equation.results)
                inside.update(zip(equation.results, results, strict=True))
            self.equations.append(equation._replace(operands=operands, results=results))

    def _call(
        self,
        equation: Equation,
        inner: Graph,
        operands: tuple[Operand, ...],
        inside: dict[Variable, Operand],
    ) -> None:
        # A program's inputs and results have the types that they say, where a number would promote weakly.
        fresh: dict[Variable, Operand] = {
            variable: self._as(operand, variable)
            for variable, operand in zip(inner.inputs, operands, strict=True)
        }
        for variable, value in inner.constants:
            fresh[variable] = self._constant(variable, value)
        self.place(inner.equations, fresh)
        for result, output in zip(equation.results, inner.outputs, strict=True):
            inside[result] = self._as(_read(fresh, output), result)

    def _as(self, operand: Operand, variable: Variable) -> Operand:
        """Return an operand that promotes like a variable."""
        weak: Any = operand.weak if isinstance(operand, Variable) else type(operand)
        if weak is variable.weak:
            return operand
        cast = Variable(variable.type)
        attributes = {"dtype": variable.type.dtype}
        self.equations.append(Equation((cast,), PRIMITIVES["astype"], (operand,), attributes))
        return cast
