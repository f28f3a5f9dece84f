"""Common subexpressions: what two equations compute alike is computed once."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.graph.ir import Graph, Operand, Variable, has_effect
from transforms.types import Array

# Constants of up to so many bytes are compared by value.
_COMPARED = 1024


def share_common(graph: Graph) -> Graph:
    """Compute what two equations compute alike only once, and keep equal constants once."""
    renamed: dict[Variable, Variable] = {}
    first_constants: dict[Any, Variable] = {}
    for variable, value in graph.constants:
        earlier_constant = first_constants.setdefault(_constant_key(variable, value), variable)
        if earlier_constant is not variable:
            renamed[variable] = earlier_constant

    def rename(operand: Operand) -> Operand:
        return renamed.get(operand, operand) if isinstance(operand, Variable) else operand

    first: dict[Any, tuple[Variable, ...]] = {}
    kept = []
    for equation in graph.equations:
        operands = tuple(rename(x) for x in equation.operands)
        equation = equation._replace(operands=operands)
        if has_effect(equation):
            kept.append(equation)
            continue
        key = (
            equation.primitive.name,
            tuple(_operand_key(x) for x in operands),
            tuple(sorted((name, _option_key(value)) for name, value in equation.attributes.items())),
        )
        earlier = first.setdefault(key, equation.results)
        if earlier is equation.results:
            kept.append(equation)
        else:
            renamed.update(zip(equation.results, earlier, strict=True))
    return graph._replace(
        constants=tuple(pair for pair in graph.constants if pair[0] not in renamed),
        equations=tuple(kept),
        outputs=tuple(rename(x) for x in graph.outputs),
    )


def _operand_key(operand: Operand) -> Any:
    # As text, in which 0.0 differs from -0.0 and 1 from 1.0.
    return operand if isinstance(operand, Variable) else repr(operand)


def _option_key(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else (type(value), value)


def _constant_key(variable: Variable, value: Array) -> Any:
    is_array = isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc"
    if is_array and value.nbytes <= _COMPARED:
        return (variable.type, value.tobytes())
    return id(value)
