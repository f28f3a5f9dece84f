"""Which dtypes an elementwise equation computes in, and whether a kernel can do it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import NATIVE
from transforms.graph.ir import Equation, Operand, Variable

_BOOL = np.dtype(bool)
_LOGICAL = {"logical_and", "logical_or", "logical_xor", "logical_not"}


class Native(NamedTuple):
    """How a kernel does an equation.

    Attributes:
        operation: its name.
        positions: the operands that it takes, in order.
        dtypes: what they are cast to before.
    """

    operation: str
    positions: tuple[int, ...]
    dtypes: tuple[DType, ...]


def native_form(equation: Equation) -> Native | None:
    """Return how a kernel does an elementwise equation; None if it cannot."""
    if not equation.primitive.elementwise or len(equation.results) != 1:
        return None
    result = equation.results[0].type.dtype
    operands = [_dtype(x) for x in equation.operands]
    if not {result, *operands} <= NATIVE:
        return None
    name = equation.primitive.name
    if name in ("astype", "truncate"):
        return Native("cast", (0,), (operands[0],))
    if name == "power":
        return _power(equation, result)
    if name == "ldexp":
        # The exponent as a float: a large one need not be exact.
        return Native(name, (0, 1), (result, result))
    if name == "exponent":
        return Native(name, (0,), (operands[0],)) if operands[0].kind == "f" else None
    dtypes = _loop_dtypes(equation)
    # Integers of two kinds meet in a comparison that NumPy does exactly.
    uniform = len(set(dtypes[1:] if name == "where" else dtypes)) == 1
    operation = OPERATIONS.get(name)
    if operation is None or not uniform or dtypes[-1] not in NATIVE or dtypes[-1].kind not in operation.kinds:
        return None
    if not all(_fits(x, dtype) for x, dtype in zip(equation.operands, dtypes, strict=True)):
        return None
    return Native(name, tuple(range(len(dtypes))), dtypes)


def _dtype(operand: Operand) -> DType:
    return operand.type.dtype if isinstance(operand, Variable) else np.asarray(operand).dtype


def _loop_dtypes(equation: Equation) -> tuple[DType, ...]:
    function = equation.primitive.evaluate
    result = equation.results[0].type.dtype
    if equation.primitive.name == "where":
        return (_BOOL, result, result)
    if equation.primitive.name in _LOGICAL:
        return (_BOOL,) * len(equation.operands)
    if not isinstance(function, np.ufunc):
        return (result,) * len(equation.operands)
    given = tuple(_weak_or_dtype(x) for x in equation.operands)
    return tuple(function.resolve_dtypes((*given, None))[:-1])


def _weak_or_dtype(operand: Operand) -> DType | type:
    weak = operand.weak if isinstance(operand, Variable) else type(operand)
    if weak is None or weak is bool:
        return _dtype(operand)
    return weak


def _fits(operand: Operand, dtype: DType) -> bool:
    """Say whether a Python number is one of a dtype; NumPy has words for one that is not."""
    if isinstance(operand, Variable) or dtype.kind not in "iu":
        return True
    limits = np.iinfo(dtype)
    return int(limits.min) <= int(operand) <= int(limits.max)  # type: ignore[arg-type]


# Powers that cost less by other functions; all but the cube are what NumPy does.
_POWERS: dict[complex, str] = {1: "positive", 2: "square", 3: "cube"}
_FLOAT_POWERS: dict[complex, str] = {0.5: "sqrt", -1: "reciprocal", **_POWERS}


def _power(equation: Equation, dtype: DType) -> Native | None:
    exponent = equation.operands[1]
    known = not isinstance(exponent, Variable)
    if known and dtype.kind != "b":
        name = (_FLOAT_POWERS if dtype.kind == "f" else _POWERS).get(exponent)  # type: ignore[arg-type]
        if name is not None:
            return Native(name, (0,), (dtype,))
    # NumPy refuses negative powers of integers, which it can only tell when it sees them.
    if dtype.kind in "iu" and not (known and exponent >= 0 and _fits(exponent, dtype)):  # type: ignore[operator]
        return None
    return Native("power", (0, 1), (dtype, dtype)) if dtype.kind in "iuf" else None
