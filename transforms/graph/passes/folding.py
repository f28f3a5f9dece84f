"""Constant folding: what depends on constants alone is computed once, when the program is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.graph.ir import Equation, Graph, Operand, Variable, has_effect, nested_graphs
from transforms.types import Array, type_of

# A folded array may take so many bytes, unless what it is made of takes more.
_SMALL = 1 << 16
# What is made of more is left to the run: to compute it once costs too much if it never runs.
_LARGE = 1 << 24
# A comparison of so many bytes, and so many times as many elements as it reads, is computed as soon as read.
_SPREAD = 1 << 12, 4
_COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})


def fold_constants(graph: Graph) -> Graph:
    """Evaluate the equations whose operands are all constants and whose results are not large."""
    values: dict[Variable, Any] = dict(graph.constants)
    numbers: dict[Variable, Operand] = {}
    kept = []
    for equation in graph.equations:
        operands = tuple(numbers.get(x, x) if isinstance(x, Variable) else x for x in equation.operands)
        equation = equation._replace(operands=operands)
        result = _fold(equation, values)
        if result is None:
            kept.append(equation)
            continue
        (variable,) = equation.results
        values[variable] = result
        if variable.weak is not None:
            numbers[variable] = variable.weak(result)
            values[variable] = np.asarray(numbers[variable])
    read = {x for equation in kept for x in equation.operands if isinstance(x, Variable)} | {*graph.outputs}
    return graph._replace(
        constants=tuple((variable, value) for variable, value in values.items() if variable in read),
        equations=tuple(kept),
    )


def _fold(equation: Equation, values: dict[Variable, Array]) -> Array | None:
    """Return the result of an equation, or None if it cannot be or should not be known now."""
    known = all(not isinstance(x, Variable) or x in values for x in equation.operands)
    if not known or equation.primitive.multiple or has_effect(equation) or nested_graphs(equation):
        return None
    (result,) = equation.results
    operands = [values[x] if isinstance(x, Variable) else x for x in equation.operands]
    size = sum(getattr(x, "nbytes", 0) for x in operands)
    if result.type.nbytes > max(_SMALL, size) or size > _LARGE or _is_spread_out(equation, operands):
        return None
    try:
        with np.errstate(all="ignore"):
            value = equation.primitive.evaluate(*operands, **equation.attributes)
    except (ArithmeticError, IndexError, ValueError):  # it is raised where the program runs
        return None
    return value if type_of(value) == result.type else None


def _is_spread_out(equation: Equation, operands: list[Any]) -> bool:
    """Say whether an equation compares each of some elements with each of others."""
    (result,) = equation.results
    least, times = _SPREAD
    is_large = result.type.nbytes > least and result.type.size > times * sum(map(np.size, operands))
    return is_large and equation.primitive.name in _COMPARISONS
