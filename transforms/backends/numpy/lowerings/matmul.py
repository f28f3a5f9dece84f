"""Matrix products; transposed operands go to the BLAS as flags, for they are views."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Into, Names, Writing, lower
from transforms.graph.ir import Equation, Variable


@lower("matmul")
def _matmul(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    x, y = operands
    ranks = [len(operand.type.shape) for operand in equation.operands if isinstance(operand, Variable)]
    if max(ranks) <= 2:  # where np.dot means the same, and is quicker to start
        return Into(f"np.dot({x}, {y}, out={{out}})", f"np.dot({x}, {y})", in_place=False)
    if ranks[0] > 2 and ranks[1] == 2:
        # NumPy multiplies a stack of matrices by one matrix in as many small products.
        left: Variable = equation.operands[0]  # type: ignore[assignment]
        shape = equation.results[0].type.shape
        rows = math.prod(shape[:-1])
        x = f"{x}.reshape({(rows, left.type.shape[-1])})"
        start = f"np.dot({x}, {y}, out={{out}}.reshape({(rows, shape[-1])}))"
        return Fill(start, (), f"np.dot({x}, {y}).reshape({shape})")
    return Into(f"np.matmul({x}, {y}, out={{out}})", f"{x} @ {y}", in_place=False)
