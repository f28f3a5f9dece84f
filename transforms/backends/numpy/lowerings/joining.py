"""Arrays joined along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Into, Names, Writing, lower
from transforms.graph.ir import Equation


@lower("concatenate")
def _concatenate(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    arguments = f"({', '.join(operands)},), {equation.attributes['axis']}"
    return Into(f"np.concatenate({arguments}, out={{out}})", f"np.concatenate({arguments})", in_place=False)
