"""Conversions between dtypes, as NumPy's on x86-64 and as defined as C's elsewhere."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import BOOL, Writer, constant, register_type

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def cast(writer: Writer, source: DType, target: DType, x: str) -> str:
    """Convert a value."""
    if source == target:
        return x
    if target.kind == "b":
        predicate = "une" if source.kind == "f" else "ne"
        return writer.compare(source, predicate, x, constant(source, 0))
    if source.kind == "f" and target.kind == "f":
        instruction = "fpext" if target.itemsize > source.itemsize else "fptrunc"
        return writer.convert(instruction, source, target, x)
    if source.kind == "f":
        return _float_to_integer(writer, source, target, x)
    if target.kind == "f":
        return writer.convert("sitofp" if source.kind == "i" else "uitofp", source, target, x)
    if register_type(source) == register_type(target):
        return x
    if source.kind != "b" and source.itemsize > target.itemsize:
        return writer.convert("trunc", source, target, x)
    return writer.convert("sext" if source.kind == "i" else "zext", source, target, x)


def _float_to_integer(writer: Writer, source: DType, target: DType, x: str) -> str:
    """Truncate; what no integer is near becomes the smallest one, as the processor does it.

    Narrow integers are the low bits of what 32 bits hold, unsigned ones those of the next wider type.
    """
    if target == np.dtype(np.uint64):
        return _float_to_uint64(writer, source, x)
    wide = _INT64 if target.itemsize == 8 or target == np.dtype(np.uint32) else _INT32
    whole = _guarded(writer, source, wide, x)
    if wide.itemsize == target.itemsize:
        return whole
    return writer.convert("trunc", wide, target, whole)


def _guarded(writer: Writer, source: DType, wide: DType, x: str) -> str:
    """Convert where the result is defined: LLVM leaves the others undefined."""
    bits = 8 * wide.itemsize
    # float32 has no number between 2**31 - 128 and 2**31, so that the limits are exact in both dtypes.
    above = writer.compare(source, "olt", x, constant(source, 2.0 ** (bits - 1)))
    low = "oge" if source.itemsize <= wide.itemsize else "ogt"
    limit = -(2.0 ** (bits - 1)) - (source.itemsize > wide.itemsize)
    below = writer.compare(source, low, x, constant(source, limit))
    inside = writer.binary("and", BOOL, above, below)
    safe = writer.select(inside, source, x, constant(source, 0))
    whole = writer.convert("fptosi", source, wide, safe)
    return writer.select(inside, wide, whole, str(-(2 ** (bits - 1))))


def _float_to_uint64(writer: Writer, source: DType, x: str) -> str:
    half = constant(source, 2.0**63)
    large = writer.compare(source, "oge", x, half)
    shifted = writer.binary("fsub", source, x, half)
    low = _guarded(writer, source, _INT64, writer.select(large, source, shifted, x))
    high = writer.binary("xor", _INT64, low, str(-(2**63)))
    return writer.select(large, _INT64, high, low)
