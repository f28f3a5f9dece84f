"""The parts of complex numbers."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Names, View, Writing, lower
from transforms.graph.ir import Equation


@lower("real", "imag")
def _part(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    return View(f"{operands[0]}.{equation.primitive.name}")
