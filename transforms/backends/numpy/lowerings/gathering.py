"""Integer-array indices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transforms.backends.numpy.lowerings.slicing import write_update
from transforms.backends.numpy.writing import Names, New, View, Writing, lower
from transforms.graph.ir import Equation, Variable
from transforms.primitives.gathering import gathered_shape

# ufunc.at is slow for many indices of several axes; the primitive itself then does better.
_FEW = 1024


@lower("gather")
def _gather(names: Names, operands: Sequence[str], equation: Equation) -> Writing | None:
    x, *indices = operands
    axes, position = equation.attributes["axes"], equation.attributes["position"]
    if len(axes) == 1 and position == axes[0]:
        return New(f"{x}.take({indices[0]}, {axes[0]})")
    key = _key(indices, axes, position)
    if key is None:
        return None
    # NumPy's integer scalars make a view, as integers do.
    is_view = all(isinstance(index, Variable) and not index.type.shape for index in equation.operands[1:])
    return View(f"{x}[{key}]") if is_view else New(f"{x}[{key}]")


def _count(equation: Equation) -> int:
    """Return how many elements are combined."""
    indices = [x.type for x in equation.operands[2:] if isinstance(x, Variable)]
    options = equation.attributes
    return math.prod(gathered_shape(options["shape"], indices, options["axes"], options["position"]))


def _key(indices: Sequence[str], axes: tuple[int, ...], position: int) -> str | None:
    """Return what stands between the brackets; None if NumPy would put the axes elsewhere."""
    adjacent = axes[-1] - axes[0] == len(axes) - 1
    if position != (axes[0] if adjacent else 0):
        return None
    entries = [":"] * (axes[-1] + 1)
    for axis, index in zip(axes, indices, strict=True):
        entries[axis] = index
    return ", ".join(entries)


@lower("scatter_set")
def _set(names: Names, operands: Sequence[str], equation: Equation) -> Writing | None:
    _, updates, *indices = operands
    key = _key(indices, equation.attributes["axes"], equation.attributes["position"])
    if key is None:
        return None
    return write_update(names, operands, equation, (f"{{out}}[{key}] = {updates}",))


_UFUNCS = {
    "scatter_add": "add",
    "scatter_multiply": "multiply",
    "scatter_min": "minimum",
    "scatter_max": "maximum",
}


@lower(*_UFUNCS)
def _combine(names: Names, operands: Sequence[str], equation: Equation) -> Writing | None:
    _, updates, *indices = operands
    key = _key(indices, equation.attributes["axes"], equation.attributes["position"])
    if key is None or _count(equation) > _FEW:
        return None
    ufunc = f"np.{_UFUNCS[equation.primitive.name]}.at"
    places = f"({key})" if len(indices) > 1 or ":" in key else key
    if ":" in key:
        places = places.replace(":", "slice(None)")
    return write_update(names, operands, equation, (f"{ufunc}({{out}}, {places}, {updates})",))
