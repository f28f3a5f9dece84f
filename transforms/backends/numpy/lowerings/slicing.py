"""Basic indices: `getitem` is a view, and `setitem` an assignment."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Names, View, Writing, lower
from transforms.graph.ir import Equation, Operand, Variable
from transforms.primitives.slicing import BasicIndex, Slice
from transforms.types import ArrayType, Shape


@lower("getitem")
def _getitem(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    (x,) = equation.operands
    shape = x.type.shape if isinstance(x, Variable) else ()
    return View(f"{operands[0]}[{key(equation.attributes['index'], shape)}]")


@lower("setitem")
def _setitem(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    index: BasicIndex = equation.attributes["index"]
    target = f"{{out}}[{key(index, equation.attributes['shape'])}]"
    return write_update(names, operands, equation, (f"{target} = {operands[1]}",))


def write_update(
    names: Names, operands: Sequence[str], equation: Equation, statements: tuple[str, ...]
) -> Fill:
    """Write statements that change some elements of the first operand, which broadcasts."""
    base, (result,) = equation.operands[0], equation.results
    text = operands[0]
    shape, dtype = result.type
    if is_zero(base):
        return Fill("{out}.fill(0)", statements, f"np.zeros({shape}, {names.dtype(dtype)})")
    new = f"np.full({shape}, {text}, {names.dtype(dtype)})"
    if shape and is_whole(base, result.type):
        new = f"{text}.copy()"
    return Fill(f"{{out}}[...] = {text}", statements, new, in_place=True)


def is_zero(base: Operand) -> bool:
    """Whether the base of an update is the number zero."""
    return not isinstance(base, Variable) and repr(base) in ("0.0", "0", "False")


def is_whole(base: Operand, wanted: ArrayType) -> bool:
    """Whether the base of an update has the result's type."""
    return isinstance(base, Variable) and base.weak is None and base.type == wanted


def key(index: BasicIndex, shape: Shape) -> str:
    """Return what stands between the brackets."""
    lengths = iter(shape)
    entries = []
    for entry in index.entries:
        length = None if entry is None else next(lengths)
        entries.append(_slice(entry, length or 0) if isinstance(entry, Slice) else str(entry))
    while entries and entries[-1] == ":":
        entries.pop()
    return ", ".join(entries) or ("..." if index.entries else "()")


def _slice(places: Slice, length: int) -> str:
    start, stop, step = places
    whole = start == 0 and stop == length
    text = ":" if whole else f"{start or ''}:{'' if stop is None else stop}"
    return text if step == 1 else f"{text if not whole else ':'}:{step}"
