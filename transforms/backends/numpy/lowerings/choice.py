"""Choices between operands."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Names, New, Writing, lower
from transforms.graph.ir import Equation


@lower("where")
def _where(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    item = ".item()" if equation.results[0].weak is not None else ""
    return New(f"np.where({', '.join(operands)}){item}")
