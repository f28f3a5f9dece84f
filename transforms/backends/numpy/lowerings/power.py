"""Powers, with the short cuts of NumPy's operator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transforms.backends.numpy.lowerings.ufuncs import write_ufunc
from transforms.backends.numpy.writing import Names, Writing, is_array, lower
from transforms.graph.ir import Equation

_SHORT_CUTS: dict[float, np.ufunc] = {2.0: np.square, 0.5: np.sqrt, -1.0: np.reciprocal}


@lower("power")
def _power(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    base, exponent = equation.operands
    (result,) = equation.results
    if result.type.dtype.kind in "fc" and is_array(base) and type(exponent) in (int, float):
        short_cut = _SHORT_CUTS.get(exponent)  # type: ignore[arg-type]
        if short_cut is not None and base.type == result.type:  # type: ignore[union-attr]
            return write_ufunc(names, operands[:1], equation._replace(operands=(base,)), short_cut)
    return write_ufunc(names, operands, equation, np.power)
