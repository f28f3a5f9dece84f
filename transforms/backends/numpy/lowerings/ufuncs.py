"""Ufuncs, with operators where a person would write one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.backends.numpy.writing import Into, Names, Writing, is_array, lower
from transforms.graph.ir import Equation, Operand, Variable

_OPERATORS: dict[np.ufunc, str] = {
    np.add: "+",
    np.subtract: "-",
    np.multiply: "*",
    np.divide: "/",
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
    np.equal: "==",
    np.not_equal: "!=",
}


def write_ufunc(
    names: Names, operands: Sequence[str], equation: Equation, ufunc: np.ufunc | None = None
) -> Into:
    """Write the call of a ufunc: the one that evaluates the primitive, if it is not another."""
    function: Any = ufunc or equation.primitive.evaluate
    name = names.ufunc(function)
    (result,) = equation.results
    if result.weak is not None:  # a Python number again, which promotes weakly
        call = f"{name}({', '.join(operands)}).item()"
        return Into(call, call, in_place=False)
    if result.type.shape:
        operands = _with_constants(names, operands, equation, function)
    arguments = ", ".join(operands)
    return Into(
        f"{name}({arguments}, out={{out}})",
        _operation(function, operands, equation) or f"{name}({arguments})",
        in_place=True,
    )


def _with_constants(names: Names, operands: Sequence[str], equation: Equation, ufunc: np.ufunc) -> list[str]:
    """Name the Python numbers among the operands as arrays: NumPy would make these at each call."""
    dtypes: Any = (_dtype(x) for x in equation.operands)
    loop = ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout))
    return [
        text if isinstance(x, Variable) or not _fits(x, dtype) else names.number(x, dtype)
        for text, x, dtype in zip(operands, equation.operands, loop, strict=False)
    ]


def _dtype(operand: Operand) -> Any:
    if not isinstance(operand, Variable):
        return np.dtype(bool) if isinstance(operand, bool) else type(operand)
    return operand.weak if operand.weak in (int, float, complex) else operand.type.dtype


def _fits(number: Any, dtype: np.dtype[Any]) -> bool:
    """Whether NumPy would convert a Python number to this dtype as it is."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return isinstance(number, int) and limits.min <= number <= limits.max
    return dtype.kind in "bfc"


def _operation(ufunc: np.ufunc, operands: Sequence[str], equation: Equation) -> str | None:
    """Return a call as an operator, unless Python or a NumPy scalar would do something else."""
    if not any(map(is_array, equation.operands)):
        return None
    # NumPy's integer scalars warn of overflow where its ufuncs wrap around.
    if not equation.results[0].type.shape and equation.results[0].type.dtype.kind not in "fc":
        return None
    if ufunc is np.negative:
        return f"-{operands[0]}"
    sign = _OPERATORS.get(ufunc)
    return None if sign is None else f"{operands[0]} {sign} {operands[1]}"


@lower("sign")
def _sign(names: Names, operands: Sequence[str], equation: Equation) -> Writing:
    return write_ufunc(names, operands, equation, np.sign)
