"""Matrix products; transposed operands go to the BLAS as flags, for they are views."""

from __future__ import annotations

import math
from collections.abc import Sequence

from transforms.backends.numpy.writing import Fill, Into, Names, Writing, lower
from transforms.graph.ir import Equation, Variable


@lower("matmul")
def _matmul(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    x, y = operands
    types = [operand.type for operand in equation.operands if isinstance(operand, Variable)]
    ranks = [len(array_type.shape) for array_type in types]
    # np.dot is quicker to start; of bfloat16 it gives bfloat16, where np.matmul gives float32.
    product = "np.matmul" if any(array_type.dtype.kind == "V" for array_type in types) else "np.dot"
    if max(ranks) <= 2:  # where both mean the same
        return Into(f"{product}({x}, {y}, out={{out}})", f"{product}({x}, {y})", in_place=False)
    if ranks[0] > 2 and ranks[1] == 2:
        # NumPy multiplies a stack of matrices by one matrix in as many small products.
        left: Variable = equation.operands[0]  # type: ignore[assignment]
        shape = equation.results[0].type.shape
        rows = math.prod(shape[:-1])
        x = f"{x}.reshape({(rows, left.type.shape[-1])})"
        start = f"{product}({x}, {y}, out={{out}}.reshape({(rows, shape[-1])}))"
        return Fill(start, (), f"{product}({x}, {y}).reshape({shape})")
    return Into(f"np.matmul({x}, {y}, out={{out}})", f"{x} @ {y}", in_place=False)
