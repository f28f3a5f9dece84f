"""Running results along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Into, Names, Writing, lower
from transforms.graph.ir import Equation

_UFUNCS = {"cumsum": "add", "cumprod": "multiply", "cummax": "maximum", "cummin": "minimum"}


@lower(*_UFUNCS)
def _accumulate(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    axis = equation.attributes["axis"]
    call = f"np.{_UFUNCS[equation.primitive.name]}.accumulate"
    if not equation.attributes["reverse"]:
        return Into(
            f"{call}({operands[0]}, {axis}, out={{out}})", f"{call}({operands[0]}, {axis})", in_place=False
        )
    backwards = f"[{':, ' * axis}::-1]"
    source = f"{operands[0]}{backwards}, {axis}"
    return Fill(f"{call}({source}, out={{out}}{backwards})", (), f"{call}({source}){backwards}")
