"""Casts, and what is only there for other transforms."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Names, View, Writing, as_array, is_array, lower
from transforms.graph.ir import Equation


@lower("astype", "truncate")
def _astype(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    text = as_array(operands[0], equation.operands[0])
    dtype = names.dtype(equation.results[0].type.dtype)
    return Fill(f'np.copyto({{out}}, {text}, "unsafe")', (), f"{text}.astype({dtype})")


@lower("stop_gradient", "name")
def _identity(names: Names, operands: Sequence[str], equation: Equation) -> Writing | None:
    is_same = is_array(equation.operands[0]) or equation.results[0].weak is not None
    return View(operands[0]) if is_same else None
