"""Sums of pieces: where slices of zeros that hold values make up a whole axis, their sum joins the values.

That is the gradient of an array that was divided: each part comes back embedded in zeros, and the sum of all
is their concatenation. A part that is -0.0, of which the sum is 0.0 to NumPy, stays -0.0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.primitive import PRIMITIVES
from transforms.primitives.slicing import Slice


class _Pieces(NamedTuple):
    """Values embedded in zeros along an axis, by their first places, each with the place behind its last."""

    axis: int
    values: dict[int, tuple[int, Variable]]

    def tile(self, length: int) -> bool:
        """Say whether the pieces follow each other and make up an axis."""
        place = 0
        for start in sorted(self.values):
            if start != place:
                return False
            place = self.values[start][0]
        return place == length


def join_pieces(graph: Graph) -> Graph:
    """Turn sums of values embedded in zeros into concatenations."""
    pieces: dict[Variable, _Pieces] = {}
    equations = []
    for equation in graph.equations:
        name = equation.primitive.name
        if name == "setitem":
            found = _embedded(equation)
        elif name == "add" and pieces:
            found = _sum(equation, pieces)
        else:
            found = None
        if found is not None:
            (result,) = equation.results
            pieces[result] = found
            if len(found.values) > 1 and found.tile(result.type.shape[found.axis]):
                operands = tuple(found.values[start][1] for start in sorted(found.values))
                attributes = {"axis": found.axis}
                equation = Equation((result,), PRIMITIVES["concatenate"], operands, attributes)
        equations.append(equation)
    return graph._replace(equations=tuple(equations))


def _embedded(equation: Equation) -> _Pieces | None:
    """Return the piece that an equation embeds in zeros along one axis, whole along all others."""
    zero, value, *_ = equation.operands
    (result,) = equation.results
    entries = equation.attributes["index"].entries
    if repr(zero) != "0.0" or not isinstance(value, Variable) or value.weak is not None:
        return None
    if len(entries) != len(result.type.shape):
        return None
    if not all(isinstance(entry, Slice) and entry.step == 1 for entry in entries):
        return None
    lengths = tuple(x.length for x in entries)
    parts = [axis for axis, n in enumerate(result.type.shape) if lengths[axis] != n]
    if len(parts) != 1 or value.type.shape != lengths or value.type.dtype != result.type.dtype:
        return None
    (axis,) = parts
    return _Pieces(axis, {entries[axis].start: (entries[axis].stop, value)})


def _sum(equation: Equation, pieces: dict[Variable, _Pieces]) -> _Pieces | None:
    """Return the pieces of a sum, whose summands must be pieces along the same axis."""
    x, y = (_pieces(operand, pieces) for operand in equation.operands)
    if x is None or y is None or x.axis != y.axis:
        return None
    a, b = (operand.type for operand in equation.operands)  # type: ignore[union-attr]
    return _Pieces(x.axis, {**x.values, **y.values}) if a == b and not set(x.values) & set(y.values) else None


def _pieces(operand: Operand, pieces: dict[Variable, _Pieces]) -> _Pieces | Any:
    return pieces.get(operand) if isinstance(operand, Variable) else None
