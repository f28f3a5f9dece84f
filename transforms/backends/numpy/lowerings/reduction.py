"""Reductions, and where extremes stand."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Into, Names, New, Writing, lower
from transforms.graph.ir import Equation

_UFUNCS = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "logical_or",
    "all": "logical_and",
}


@lower(*_UFUNCS)
def _reduce(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    axes, keepdims = equation.attributes["axes"], equation.attributes["keepdims"]
    axis = axes[0] if len(axes) == 1 else axes
    options = ", keepdims=True" if keepdims else ""
    call = f"np.{_UFUNCS[equation.primitive.name]}.reduce({operands[0]}, {axis}{options}"
    return Into(f"{call}, out={{out}})", f"{call})", in_place=False)


@lower("argmax", "argmin")
def _position(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    axis, keepdims = equation.attributes["axis"], equation.attributes["keepdims"]
    options = ", keepdims=True" if keepdims else ""
    return New(f"np.{equation.primitive.name}({operands[0]}, {axis}{options})")
