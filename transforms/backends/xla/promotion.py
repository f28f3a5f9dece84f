"""NumPy's promotion, for JAX, whose own rules differ: int32 and float32 make float64 here.

Elementwise primitives get their operands in the dtypes of the loop that NumPy would run, so that JAX has
nothing left to promote.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax import lax

from transforms.graph.ir import Equation, Variable
from transforms.types import Array

# Which operands promote together; the others keep their dtypes.
_PROMOTED = {"power": slice(None), "where": slice(1, None)}


def promote(equation: Equation, values: Sequence[Any]) -> list[Any]:
    """Return the operands of an elementwise equation in the dtypes that NumPy computes with.

    A Python number becomes a NumPy array of shape (), whose value the lowering may look at.
    """
    loop = _loop(equation)
    return [_cast(value, dtype) for value, dtype in zip(values, loop, strict=True)]


def cast(x: Array, dtype: Any) -> Array:
    """Return a JAX array, a NumPy array or a Python number as an array of a dtype."""
    if isinstance(x, (bool, int, float, complex, np.ndarray, np.generic)):
        return np.asarray(x).astype(dtype)
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        x = lax.real(x)
    return lax.convert_element_type(x, dtype)


def together(*operands: Any) -> list[Array]:
    """Return operands in the dtype to which NumPy promotes them, a Python number weakly."""
    dtype = np.result_type(*(getattr(x, "dtype", x) for x in operands))
    return [cast(x, dtype) for x in operands]


def _cast(value: Any, dtype: np.dtype[Any] | None) -> Any:
    if dtype is None:
        return value if hasattr(value, "dtype") else np.asarray(value)
    try:
        return cast(np.array(value, dtype), dtype) if isinstance(value, int) else cast(value, dtype)
    except OverflowError:
        # NumPy compares with Python integers of any size.
        return np.asarray(value)


def _loop(equation: Equation) -> Sequence[np.dtype[Any] | None]:
    primitive = equation.primitive
    given = [_dtype(x) for x in equation.operands]
    if isinstance(primitive.evaluate, np.ufunc):
        return _resolve(primitive.evaluate, *given)[: len(given)]
    together = _PROMOTED.get(primitive.name)
    if together is None:
        return [None] * len(given)
    if primitive.name == "power":
        return _resolve(np.power, *given)[:2]
    dtype = np.result_type(*(_as_scalar(x) for x in given[together]))
    return [None, dtype, dtype]


@functools.cache
def _resolve(ufunc: np.ufunc, *given: Any) -> tuple[np.dtype[Any], ...]:
    # A Python bool is no weak number to NumPy.
    known = tuple(np.dtype(bool) if dtype is bool else dtype for dtype in given)
    return ufunc.resolve_dtypes((*known, *[None] * ufunc.nout))


def _dtype(operand: Any) -> Any:
    """Return a dtype, or the type of Python number that the operand stands for."""
    if not isinstance(operand, Variable):
        return type(operand)
    return operand.weak or operand.type.dtype


def _as_scalar(given: Any) -> Any:
    return given if isinstance(given, np.dtype) else given(0)
