"""The graph: equations between typed variables, each assigned once, and nothing that mutates."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from transforms.primitive import Attributes, Primitive
from transforms.types import Array, ArrayType


class Variable:
    """A value of a program, known by identity.

    Attributes:
        type: its shape and dtype.
        weak: the Python number type that it promotes like, for what stands for a Python number.
    """

    __slots__ = ("type", "weak")

    def __init__(self, array_type: ArrayType, weak: type | None = None) -> None:
        self.type = array_type
        self.weak = weak


# A variable, or a Python number, which promotes weakly as in NumPy.
Operand: TypeAlias = Variable | bool | int | float | complex


class Equation(NamedTuple):
    """``results = primitive(operands, **attributes)``; one result unless the primitive is multiple."""

    results: tuple[Variable, ...]
    primitive: Primitive
    operands: tuple[Operand, ...]
    attributes: Attributes


class Graph(NamedTuple):
    """A program.

    Attributes:
        inputs: its arguments.
        constants: further variables whose values are known.
        equations: in an order in which each variable is assigned before it is read.
        outputs: its results.
    """

    inputs: tuple[Variable, ...]
    constants: tuple[tuple[Variable, Array], ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Operand, ...]

    def __repr__(self) -> str:
        return show(self)


def infer_results(
    primitive: Primitive, operands: tuple[Operand, ...], attributes: Attributes
) -> tuple[Variable, ...]:
    """Return new variables of the types that a primitive gives for operands."""
    # A cast, the one elementwise primitive with an option, gives what it says.
    weak = primitive.elementwise and not attributes and all(_is_weak(x) for x in operands)
    types = [_type_for_inference(x, primitive.elementwise) for x in operands]
    inferred = primitive.infer(*types, **attributes)
    if not (primitive.multiple or weak):
        return (Variable(inferred),)
    return tuple(
        Variable(t, _NUMBER_TYPES[t.dtype.kind] if weak else None)
        for t in (inferred if primitive.multiple else (inferred,))
    )


_NUMBER_TYPES: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float, "c": complex}


def _is_weak(operand: Operand) -> bool:
    return not isinstance(operand, Variable) or operand.weak is not None


def _type_for_inference(operand: Operand, elementwise: bool) -> Any:
    if not isinstance(operand, Variable):
        return operand
    return operand.weak() if elementwise and operand.weak is not None else operand.type


def nested_graphs(equation: Equation) -> dict[str, Graph]:
    """Return the programs that an equation carries, by what they are for."""
    return {
        label: graph
        for value in equation.attributes.values()
        for label, graph in getattr(value, "graphs", {}).items()
    }


def has_effect(equation: Equation) -> bool:
    """Whether an equation, or one of a program that it carries, does more than to give results."""
    if equation.primitive.effect or not equation.attributes:
        return equation.primitive.effect
    return any(has_effect(inner) for graph in nested_graphs(equation).values() for inner in graph.equations)


def show(graph: Graph, indent: str = "") -> str:
    """Return a program as text, an equation a line.

    A variable is a letter; its type stands where it is assigned. The programs that an equation carries
    stand below it.
    """
    names: dict[Variable, str] = {}

    def name(operand: Operand) -> str:
        if not isinstance(operand, Variable):
            return repr(operand)
        if operand not in names:
            names[operand] = _letters(len(names))
        return names[operand]

    def typed(variable: Variable) -> str:
        return f"{name(variable)}: {variable.type}"

    lines = [f"({', '.join(map(typed, graph.inputs))}) ->"]
    lines += [f"  {typed(variable)} = {_constant(value)}" for variable, value in graph.constants]
    for equation in graph.equations:
        options = "".join(f" {key}={_option(value)}" for key, value in equation.attributes.items())
        operands = " ".join(map(name, equation.operands))
        results = ", ".join(map(typed, equation.results))
        lines.append(f"  {results} = {equation.primitive.name} {operands}{options}")
        inner = nested_graphs(equation)
        lines += [f"    {label}: {show(nested, indent + '    ')}" for label, nested in inner.items()]
    lines.append(f"  return {', '.join(map(name, graph.outputs))}")
    return f"\n{indent}".join(lines)


def _letters(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        text = chr(ord("a") + letter) + text
    return text


def _constant(value: Array) -> str:
    if isinstance(value, (np.ndarray, np.generic)) and value.size <= 4:
        return f"constant {np.asarray(value).tolist()}"
    return "constant"


def _option(value: Any) -> str:
    return str(value).replace(" ", "") if type(value) in (tuple, list) else str(value)
