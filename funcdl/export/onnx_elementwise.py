"""Elementwise primitives as ONNX nodes. Operands come in the dtypes in which NumPy computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from funcdl.export.onnx_writer import LOWERINGS, Writer, lower, operand_dtypes

_ALIKE = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "absolute": "Abs",
    "fabs": "Abs", "sign": "Sign", "reciprocal": "Reciprocal", "sqrt": "Sqrt", "power": "Pow",
    "exp": "Exp", "log": "Log", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos",
    "arctan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh", "arccosh": "Acosh",
    "arctanh": "Atanh", "erf": "Erf", "expit": "Sigmoid",
    "maximum": "Max", "minimum": "Min", "floor": "Floor", "ceil": "Ceil", "rint": "Round",
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "logical_not": "Not", "logical_and": "And", "logical_or": "Or",
    "logical_xor": "Xor", "isnan": "IsNaN", "isinf": "IsInf", "where": "Where",
    "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor",
    "invert": "BitwiseNot", "positive": "Identity", "stop_gradient": "Identity", "name": "Identity",
}  # fmt: skip

# What ONNX has for booleans only under another name.
_OF_BOOLEANS = {
    "bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor", "invert": "Not", "multiply": "And",
    "add": "Or", "maximum": "Or", "minimum": "And", "absolute": "Identity",
}  # fmt: skip

_ROUNDING = {"Floor", "Ceil", "Round"}
_LOGICAL = {"And", "Or", "Xor", "Not"}


def _dtype(equation: Any) -> np.dtype[Any]:
    """Return the dtype of the operands."""
    return operand_dtypes(equation)[0] or equation.operands[0].type.dtype  # type: ignore[no-any-return]


def _alike(name: str, operator: str) -> Any:
    def lowering(write: Writer, operands: list[str], equation: Any) -> str:
        dtype = _dtype(equation)
        if dtype.kind == "b" and name in _OF_BOOLEANS:
            return write.node(_OF_BOOLEANS[name], *operands)
        if operator in _ROUNDING and dtype.kind in "biu":
            return operands[0]
        if operator in _LOGICAL:
            operands = [write.cast(x, dtype, np.dtype(bool)) for x in operands]
        return write.node(operator, *operands)

    return lowering


for _name, _operator in _ALIKE.items():
    LOWERINGS[_name] = _alike(_name, _operator)


@lower("astype", "truncate")
def _cast(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Cast", operands[0], to=write.code(equation.results[0].type.dtype))


@lower("not_equal")
def _not_equal(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Not", write.node("Equal", *operands))


@lower("isfinite")
def _isfinite(write: Writer, operands: list[str], equation: Any) -> str:
    (x,) = operands
    return write.node("Not", write.node("Or", write.node("IsNaN", x), write.node("IsInf", x)))


@lower("square")
def _square(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Mul", operands[0], operands[0])


@lower("trunc")
def _trunc(write: Writer, operands: list[str], equation: Any) -> str:
    (x,) = operands
    return write.node("Mul", write.node("Sign", x), write.node("Floor", write.node("Abs", x)))


@lower("remainder")
def _remainder(write: Writer, operands: list[str], equation: Any) -> str:
    if _dtype(equation).kind in "iu":
        return write.node("Mod", *operands)
    x, y = operands
    return write.node("Sub", x, write.node("Mul", y, write.node("Floor", write.node("Div", x, y))))


@lower("floor_divide")
def _floor_divide(write: Writer, operands: list[str], equation: Any) -> str:
    x, y = operands
    if _dtype(equation).kind in "iu":
        # ONNX leaves open how it rounds the quotient, so it divides what leaves no rest.
        return write.node("Div", write.node("Sub", x, write.node("Mod", x, y)), y)
    return write.node("Floor", write.node("Div", x, y))


# --- what ONNX has no operator for, in a form that keeps its digits near 0


def _scaled(function: str, factor: float) -> Any:
    def lowering(write: Writer, operands: list[str], equation: Any) -> str:
        return write.node("Mul", write.node(function, operands[0]), write.constant(factor, _dtype(equation)))

    return lowering


LOWERINGS["log2"] = _scaled("Log", 1.0 / math.log(2.0))
LOWERINGS["log10"] = _scaled("Log", 1.0 / math.log(10.0))


@lower("exp2")
def _exp2(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Pow", write.constant(2.0, _dtype(equation)), operands[0])


@lower("cbrt")
def _cbrt(write: Writer, operands: list[str], equation: Any) -> str:
    (x,) = operands
    root = write.node("Pow", write.node("Abs", x), write.constant(1.0 / 3.0, _dtype(equation)))
    return write.node("Mul", write.node("Sign", x), root)


@lower("expm1")
def _expm1(write: Writer, operands: list[str], equation: Any) -> str:
    """Return ``exp(x) - 1`` away from 0, and ``(exp(x) - 1) x / log(exp(x))`` near it.

    Source: N. J. Higham, Accuracy and stability of numerical algorithms (2002), section 1.14.1.
    """
    (x,) = operands
    one = write.constant(1.0, _dtype(equation))
    grown = write.node("Exp", x)
    plain = write.node("Sub", grown, one)
    unchanged = write.node("Equal", grown, one)
    logarithm = write.node("Where", unchanged, one, write.node("Log", grown))
    corrected = write.node("Div", write.node("Mul", plain, x), logarithm)
    near = write.node("Less", write.node("Abs", x), one)
    return write.node("Where", unchanged, x, write.node("Where", near, corrected, plain))


def _log1p_of(write: Writer, x: str, dtype: np.dtype[Any]) -> str:
    """Return ``log(u) x / (u - 1)`` for ``u = 1 + x``; see `_expm1`."""
    one = write.constant(1.0, dtype)
    shifted = write.node("Add", one, x)
    plain = write.node("Log", shifted)
    near = write.node("Less", write.node("Abs", x), one)
    step = write.node("Sub", shifted, one)
    unchanged = write.node("Equal", shifted, one)
    safe = write.node("Where", unchanged, one, step)
    corrected = write.node("Div", write.node("Mul", plain, x), safe)
    return write.node("Where", unchanged, x, write.node("Where", near, corrected, plain))


@lower("log1p")
def _log1p(write: Writer, operands: list[str], equation: Any) -> str:
    return _log1p_of(write, operands[0], _dtype(equation))


@lower("logaddexp")
def _logaddexp(write: Writer, operands: list[str], equation: Any) -> str:
    """Return the larger one plus ``log1p(exp(-distance))``; equal infinities have the distance 0."""
    x, y = operands
    dtype = _dtype(equation)
    apart = write.node("Abs", write.node("Sub", x, y))
    distance = write.node("Where", write.node("Equal", x, y), write.constant(0.0, dtype), apart)
    return write.node(
        "Add",
        write.node("Max", x, y),
        _log1p_of(write, write.node("Exp", write.node("Neg", distance)), dtype),
    )


@lower("log_expit")
def _log_expit(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Neg", write.node("Softplus", write.node("Neg", operands[0])))


@lower("hypot")
def _hypot(write: Writer, operands: list[str], equation: Any) -> str:
    x, y = (write.node("Mul", operand, operand) for operand in operands)
    return write.node("Sqrt", write.node("Add", x, y))


@lower("erfc")
def _erfc(write: Writer, operands: list[str], equation: Any) -> str:
    return write.node("Sub", write.constant(1.0, _dtype(equation)), write.node("Erf", operands[0]))


@lower("ndtr")
def _ndtr(write: Writer, operands: list[str], equation: Any) -> str:
    dtype = _dtype(equation)
    inner = write.node("Erf", write.node("Mul", operands[0], write.constant(math.sqrt(0.5), dtype)))
    half = write.constant(0.5, dtype)
    return write.node("Add", half, write.node("Mul", half, inner))


@lower("xlogy")
def _xlogy(write: Writer, operands: list[str], equation: Any) -> str:
    x, y = operands
    product = write.node("Mul", x, write.node("Log", y))
    zero = write.constant(0.0, _dtype(equation))
    return write.node("Where", write.node("Equal", x, zero), zero, product)
