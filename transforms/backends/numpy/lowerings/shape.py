"""Other shapes for the same elements: views."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Names, View, Writing, lower
from transforms.graph.ir import Equation

# Up to so many bytes to repeat elements takes less time than NumPy needs to make a view that does.
_COPIED = 1 << 14


@lower("reshape")
def _reshape(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    return View(f"{operands[0]}.reshape({equation.attributes['shape']})")


@lower("transpose")
def _transpose(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    permutation = equation.attributes["permutation"]
    backwards = permutation == tuple(range(len(permutation)))[::-1]
    return View(f"{operands[0]}.T" if backwards else f"{operands[0]}.transpose({permutation})")


@lower("broadcast_to")
def _broadcast_to(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    shape, dtype = equation.results[0].type
    view = f"np.broadcast_to({operands[0]}, {shape})"
    if equation.results[0].type.size * dtype.itemsize > _COPIED:
        return View(view)
    return Fill(f"{{out}}[...] = {operands[0]}", (), f"np.full({shape}, {operands[0]})")
