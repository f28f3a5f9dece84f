"""Sorted elements, and their order."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Names, New, Writing, lower
from transforms.graph.ir import Equation


@lower("sort")
def _sort(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    return New(f"np.sort({operands[0]}, {equation.attributes['axis']})")


@lower("argsort")
def _argsort(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    kind = ', "stable"' if equation.attributes["stable"] else ""
    return New(f"np.argsort({operands[0]}, {equation.attributes['axis']}{kind})")
