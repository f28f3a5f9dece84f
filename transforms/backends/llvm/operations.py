"""What each elementwise operation is in LLVM: arithmetic, comparisons, choices, bits.

An operation is ``emit(writer, dtype, *operands) -> result``, where ``dtype`` is that of the operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from transforms.backends.llvm import mathematics
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import BOOL, Writer, constant, integer_of

Emit: TypeAlias = Callable[..., str]


class Operation(NamedTuple):
    """An elementwise operation.

    Attributes:
        kinds: the kinds of dtype, as NumPy names them, that it takes.
        emit: writes its instructions.
    """

    kinds: str
    emit: Emit


def _by_kind(**instructions: str) -> Emit:
    """Return an operation that is one instruction, another for each kind of dtype."""

    def emit(writer: Writer, dtype: DType, x: str, y: str) -> str:
        return writer.binary(instructions[dtype.kind], dtype, x, y)

    return emit


def _negative(writer: Writer, dtype: DType, x: str) -> str:
    if dtype.kind == "f":
        return writer.unary("fneg", dtype, x)
    return writer.binary("sub", dtype, "0", x)


def _same(writer: Writer, dtype: DType, x: str) -> str:
    return x


def _absolute(writer: Writer, dtype: DType, x: str) -> str:
    if dtype.kind == "f":
        return writer.intrinsic("fabs", dtype, x)
    if dtype.kind != "i":
        return x
    return writer.select(writer.compare(dtype, "slt", x, "0"), dtype, _negative(writer, dtype, x), x)


def _sign(writer: Writer, dtype: DType, x: str) -> str:
    zero = constant(dtype, 0)
    positive = writer.compare(dtype, _GREATER[dtype.kind], x, zero)
    sign = writer.select(positive, dtype, constant(dtype, 1), zero)
    if dtype.kind == "u":
        return sign
    sign = writer.select(writer.compare(dtype, _LESS[dtype.kind], x, zero), dtype, constant(dtype, -1), sign)
    return sign if dtype.kind == "i" else writer.select(writer.compare(dtype, "uno", x, x), dtype, x, sign)


# --- quotients and remainders: by zero 0 for integers


def _divisor(writer: Writer, dtype: DType, x: str, y: str) -> tuple[str, str]:
    """Return whether a division of integers is undefined in LLVM, and a divisor with which it never is."""
    undefined = writer.compare(dtype, "eq", y, "0")
    if dtype.kind == "i":
        smallest = writer.compare(dtype, "eq", x, str(np.iinfo(dtype).min))
        overflows = writer.binary("and", BOOL, smallest, writer.compare(dtype, "eq", y, "-1"))
        undefined = writer.binary("or", BOOL, undefined, overflows)
    return undefined, writer.select(undefined, dtype, "1", y)


def _integer_remainder(writer: Writer, dtype: DType, x: str, y: str) -> tuple[str, str]:
    """Return the remainder, with the sign of the divisor, and whether it took a correction."""
    rest = writer.binary("srem", dtype, x, y)
    differs = writer.compare(dtype, "slt", writer.binary("xor", dtype, rest, y), "0")
    corrects = writer.binary("and", BOOL, differs, writer.compare(dtype, "ne", rest, "0"))
    return writer.select(corrects, dtype, writer.binary("add", dtype, rest, y), rest), corrects


def _floor_divide(writer: Writer, dtype: DType, x: str, y: str) -> str:
    if dtype.kind == "f":
        return _float_divmod(writer, dtype, x, y)[0]
    undefined, divisor = _divisor(writer, dtype, x, y)
    if dtype.kind == "u":
        return writer.select(undefined, dtype, "0", writer.binary("udiv", dtype, x, divisor))
    quotient = writer.binary("sdiv", dtype, x, divisor)
    _, corrects = _integer_remainder(writer, dtype, x, divisor)
    lower = writer.select(corrects, dtype, writer.binary("sub", dtype, quotient, "1"), quotient)
    by_zero = writer.compare(dtype, "eq", y, "0")
    # The smallest integer by -1 was divided by 1 instead, which gives what wrapping does.
    return writer.select(by_zero, dtype, "0", lower)


def _remainder(writer: Writer, dtype: DType, x: str, y: str) -> str:
    if dtype.kind == "f":
        return _float_divmod(writer, dtype, x, y)[1]
    undefined, divisor = _divisor(writer, dtype, x, y)
    if dtype.kind == "u":
        return writer.select(undefined, dtype, "0", writer.binary("urem", dtype, x, divisor))
    rest, _ = _integer_remainder(writer, dtype, x, divisor)
    return writer.select(undefined, dtype, "0", rest)


def _float_divmod(writer: Writer, dtype: DType, x: str, y: str) -> tuple[str, str]:
    """Return the floor of the quotient, and the exact remainder with the sign of the divisor."""
    zero, one = constant(dtype, 0), constant(dtype, 1)
    rest = mathematics.FUNCTIONS["fmod"](writer, dtype, x, y)
    quotient = writer.binary("fdiv", dtype, writer.binary("fsub", dtype, x, rest), y)
    rest_negative = writer.compare(dtype, "olt", rest, zero)
    negative = writer.compare(dtype, "olt", y, zero)
    nonzero = writer.compare(dtype, "one", rest, zero)
    corrects = writer.binary("and", BOOL, nonzero, writer.binary("xor", BOOL, rest_negative, negative))
    quotient = writer.select(corrects, dtype, writer.binary("fsub", dtype, quotient, one), quotient)
    corrected = writer.select(corrects, dtype, writer.binary("fadd", dtype, rest, y), rest)
    is_zero = writer.compare(dtype, "oeq", rest, zero)
    remainder = writer.select(is_zero, dtype, writer.intrinsic("copysign", dtype, zero, y), corrected)
    floor = writer.intrinsic("floor", dtype, quotient)
    half = writer.compare(dtype, "ogt", writer.binary("fsub", dtype, quotient, floor), constant(dtype, 0.5))
    floor = writer.select(half, dtype, writer.binary("fadd", dtype, floor, one), floor)
    plain = writer.binary("fdiv", dtype, x, y)
    vanishes = writer.compare(dtype, "oeq", quotient, zero)
    floor = writer.select(vanishes, dtype, writer.intrinsic("copysign", dtype, zero, plain), floor)
    return writer.select(writer.compare(dtype, "oeq", y, zero), dtype, plain, floor), remainder


def _fmod(writer: Writer, dtype: DType, x: str, y: str) -> str:
    if dtype.kind == "f":
        return mathematics.FUNCTIONS["fmod"](writer, dtype, x, y)
    undefined, divisor = _divisor(writer, dtype, x, y)
    rest = writer.binary("srem" if dtype.kind == "i" else "urem", dtype, x, divisor)
    return writer.select(undefined, dtype, "0", rest)


# --- comparisons and choices

_LESS = {"f": "olt", "i": "slt", "u": "ult", "b": "ult"}
_GREATER = {"f": "ogt", "i": "sgt", "u": "ugt", "b": "ugt"}


def _comparison(floating: str, signed: str, unsigned: str) -> Operation:
    predicates = {"f": floating, "i": signed, "u": unsigned, "b": unsigned}

    def emit(writer: Writer, dtype: DType, x: str, y: str) -> str:
        return writer.compare(dtype, predicates[dtype.kind], x, y)

    return Operation("biuf", emit)


def _extreme(predicates: dict[str, str], *, skips_nan: bool) -> Emit:
    """Return the larger or smaller of two; of NaN and a number NaN, or the number if NaN is skipped."""

    def emit(writer: Writer, dtype: DType, x: str, y: str) -> str:
        first = writer.compare(dtype, predicates[dtype.kind], x, y)
        if dtype.kind == "f":
            nan = y if skips_nan else x
            first = writer.binary("or", BOOL, first, writer.compare(dtype, "uno", nan, nan))
        return writer.select(first, dtype, x, y)

    return emit


_AT_LEAST = {"f": "oge", "i": "sge", "u": "uge", "b": "uge"}
_AT_MOST = {"f": "ole", "i": "sle", "u": "ule", "b": "ule"}


def _where(writer: Writer, dtype: DType, condition: str, x: str, y: str) -> str:
    return writer.select(condition, dtype, x, y)


def _not(writer: Writer, dtype: DType, x: str) -> str:
    return writer.binary("xor", dtype, x, "true" if dtype.kind == "b" else "-1")


# --- bits: a shift by the width or more leaves nothing but the sign


def _left_shift(writer: Writer, dtype: DType, x: str, y: str) -> str:
    width = str(8 * dtype.itemsize)
    inside = writer.compare(dtype, "ult", y, width)
    return writer.select(inside, dtype, writer.binary("shl", dtype, x, _if(writer, inside, dtype, y)), "0")


def _right_shift(writer: Writer, dtype: DType, x: str, y: str) -> str:
    inside = writer.compare(dtype, "ult", y, str(8 * dtype.itemsize))
    amount = _if(writer, inside, dtype, y)
    if dtype.kind == "u":
        return writer.select(inside, dtype, writer.binary("lshr", dtype, x, amount), "0")
    sign = writer.binary("ashr", dtype, x, str(8 * dtype.itemsize - 1))
    return writer.select(inside, dtype, writer.binary("ashr", dtype, x, amount), sign)


def _if(writer: Writer, condition: str, dtype: DType, x: str) -> str:
    return writer.select(condition, dtype, x, "0")


# --- tests and parts of floats


def _test(predicate: str) -> Emit:
    """Return a comparison of a magnitude with infinity; of integers it is that of 0."""

    def emit(writer: Writer, dtype: DType, x: str) -> str:
        if dtype.kind != "f":
            return "true" if predicate == "one" else "false"
        return writer.compare(dtype, predicate, _absolute(writer, dtype, x), constant(dtype, np.inf))

    return emit


def _signbit(writer: Writer, dtype: DType, x: str) -> str:
    whole = integer_of(dtype)
    return writer.compare(whole, "slt", writer.bitcast(dtype, whole, x), "0")


def _reciprocal(writer: Writer, dtype: DType, x: str) -> str:
    return writer.binary("fdiv", dtype, constant(dtype, 1), x)


def _square(writer: Writer, dtype: DType, x: str) -> str:
    return _MULTIPLY(writer, dtype, x, x)


def _cube(writer: Writer, dtype: DType, x: str) -> str:
    return _MULTIPLY(writer, dtype, _square(writer, dtype, x), x)


def _multiple(factor: float) -> Emit:
    def emit(writer: Writer, dtype: DType, x: str) -> str:
        return writer.binary("fmul", dtype, x, constant(dtype, factor))

    return emit


def _bitwise_count(writer: Writer, dtype: DType, x: str) -> str:
    """Return as uint8 how many bits the magnitude has set."""
    count = writer.intrinsic("ctpop", dtype, _absolute(writer, dtype, x))
    return count if dtype.itemsize == 1 else writer.convert("trunc", dtype, np.dtype(np.uint8), count)


def _rounding(name: str) -> Operation:
    """Return an intrinsic of floats that leaves integers as they are."""

    def emit(writer: Writer, dtype: DType, x: str) -> str:
        return writer.intrinsic(name, dtype, x) if dtype.kind == "f" else x

    return Operation("biuf", emit)


def _copysign(writer: Writer, dtype: DType, x: str, y: str) -> str:
    return writer.intrinsic("copysign", dtype, x, y)


def _heaviside(writer: Writer, dtype: DType, x: str, y: str) -> str:
    zero, one = constant(dtype, 0), constant(dtype, 1)
    step = writer.select(writer.compare(dtype, "olt", x, zero), dtype, zero, one)
    step = writer.select(writer.compare(dtype, "oeq", x, zero), dtype, y, step)
    return writer.select(writer.compare(dtype, "uno", x, x), dtype, x, step)


_CONTRACT = "contract"
_ADD = _by_kind(f=f"fadd {_CONTRACT}", i="add", u="add", b="or")
_MULTIPLY = _by_kind(f=f"fmul {_CONTRACT}", i="mul", u="mul", b="and")

OPERATIONS: dict[str, Operation] = {
    "add": Operation("biuf", _ADD),
    "subtract": Operation("iuf", _by_kind(f=f"fsub {_CONTRACT}", i="sub", u="sub")),
    "multiply": Operation("biuf", _MULTIPLY),
    "divide": Operation("f", _by_kind(f="fdiv")),
    "negative": Operation("iuf", _negative),
    "positive": Operation("iuf", _same),
    "conjugate": Operation("iuf", _same),
    "absolute": Operation("biuf", _absolute),
    "fabs": Operation("f", _absolute),
    "sign": Operation("iuf", _sign),
    "square": Operation("iuf", _square),
    "cube": Operation("iuf", _cube),
    "reciprocal": Operation("f", _reciprocal),
    "stop_gradient": Operation("biuf", _same),
    "radians": Operation("f", _multiple(math.pi / 180.0)),
    "deg2rad": Operation("f", _multiple(math.pi / 180.0)),
    "degrees": Operation("f", _multiple(180.0 / math.pi)),
    "rad2deg": Operation("f", _multiple(180.0 / math.pi)),
    "bitwise_count": Operation("iu", _bitwise_count),
    "sqrt": Operation("f", lambda writer, dtype, x: writer.intrinsic("sqrt", dtype, x)),
    "floor_divide": Operation("iuf", _floor_divide),
    "remainder": Operation("iuf", _remainder),
    "fmod": Operation("iuf", _fmod),
    "equal": _comparison("oeq", "eq", "eq"),
    "not_equal": _comparison("une", "ne", "ne"),
    "less": _comparison("olt", "slt", "ult"),
    "less_equal": _comparison("ole", "sle", "ule"),
    "greater": _comparison("ogt", "sgt", "ugt"),
    "greater_equal": _comparison("oge", "sge", "uge"),
    "maximum": Operation("biuf", _extreme(_AT_LEAST, skips_nan=False)),
    "minimum": Operation("biuf", _extreme(_AT_MOST, skips_nan=False)),
    "fmax": Operation("biuf", _extreme(_AT_LEAST, skips_nan=True)),
    "fmin": Operation("biuf", _extreme(_AT_MOST, skips_nan=True)),
    "where": Operation("biuf", _where),
    "logical_and": Operation("b", _by_kind(b="and")),
    "logical_or": Operation("b", _by_kind(b="or")),
    "logical_xor": Operation("b", _by_kind(b="xor")),
    "logical_not": Operation("b", _not),
    "bitwise_and": Operation("biu", _by_kind(b="and", i="and", u="and")),
    "bitwise_or": Operation("biu", _by_kind(b="or", i="or", u="or")),
    "bitwise_xor": Operation("biu", _by_kind(b="xor", i="xor", u="xor")),
    "invert": Operation("biu", _not),
    "left_shift": Operation("iu", _left_shift),
    "right_shift": Operation("iu", _right_shift),
    "isnan": Operation("biuf", _test("uno")),
    "isinf": Operation("biuf", _test("oeq")),
    "isfinite": Operation("biuf", _test("one")),
    "signbit": Operation("f", _signbit),
    "copysign": Operation("f", _copysign),
    "heaviside": Operation("f", _heaviside),
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "rint": _rounding("nearbyint"),
    **{name: Operation("f", emit) for name, emit in mathematics.FUNCTIONS.items() if name != "fmod"},
    "power": Operation("iuf", mathematics.FUNCTIONS["power"]),
}
"""The elementwise operations that kernels know; NumPy evaluates the others."""
