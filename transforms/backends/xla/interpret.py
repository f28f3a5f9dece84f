"""From a graph to JAX's operations, equation by equation, while JAX traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from transforms.backends.xla.host import call_on_host
from transforms.backends.xla.promotion import cast, promote
from transforms.backends.xla.registry import LOWERINGS
from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.types import Array, type_of


def interpret(graph: Graph, inputs: Sequence[Any]) -> list[Array]:
    """Run a program on JAX arrays."""
    values: dict[Variable, Any] = dict(zip(graph.inputs, as_inputs(graph, inputs), strict=True))
    for variable, value in graph.constants:
        values[variable] = jnp.asarray(value)

    def read(operand: Operand) -> Any:
        return values[operand] if isinstance(operand, Variable) else operand

    for equation in graph.equations:
        out = _apply(equation, [read(x) for x in equation.operands])
        results = out if equation.primitive.multiple else (out,)
        for variable, result in zip(equation.results, results, strict=True):
            values[variable] = _typed(result, variable)
    return [values[x] if isinstance(x, Variable) else jnp.asarray(x, type_of(x).dtype) for x in graph.outputs]


def as_inputs(graph: Graph, operands: Sequence[Any], first: int = 0) -> list[Any]:
    """Return operands as arrays of the types of a program's inputs, from input ``first`` on."""
    inputs = graph.inputs[first : first + len(operands)]
    return [_typed(operand, variable) for operand, variable in zip(operands, inputs, strict=True)]


def _typed(value: Any, variable: Variable) -> Any:
    if variable.type.dtype.kind == "O":
        return value
    return jnp.asarray(cast(value, variable.type.dtype))


def _apply(equation: Equation, values: list[Any]) -> Any:
    if equation.primitive.elementwise:
        values = promote(equation, values)
    lowering = LOWERINGS.get(equation.primitive.name)
    out = NotImplemented if lowering is None else lowering(*values, **equation.attributes)
    return call_on_host(equation, values) if out is NotImplemented else out
