"""The text of LLVM functions: instructions, constants and types."""

from __future__ import annotations

import struct

import numpy as np

from transforms.backends.llvm.steps import DType

_TYPES = {"b": "i1", "i": "i{}", "u": "i{}"}
_FLOATS = {4: "float", 8: "double"}

NATIVE = frozenset(np.dtype(code) for code in "?bhilqBHILQfd")
"""The dtypes that kernels compute with."""


def register_type(dtype: DType) -> str:
    """Return the LLVM type of a value; a truth value is one bit.

    >>> register_type(np.dtype("float32")), register_type(np.dtype(bool)), register_type(np.dtype("uint8"))
    ('float', 'i1', 'i8')
    """
    if dtype.kind == "f":
        return _FLOATS[dtype.itemsize]
    return _TYPES[dtype.kind].format(8 * dtype.itemsize)


def memory_type(dtype: DType) -> str:
    """Return the LLVM type of an element of an array; a truth value is one byte."""
    return "i8" if dtype.kind == "b" else register_type(dtype)


def constant(dtype: DType, value: float) -> str:
    """Return a number as an LLVM constant.

    >>> constant(np.dtype("float32"), 0.1), constant(np.dtype("int8"), 3), constant(np.dtype(bool), True)
    ('0x3FB99999A0000000', '3', 'true')
    """
    if dtype.kind == "f":
        exact = float(np.asarray(value, dtype))
        return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
    return str(bool(value)).lower() if dtype.kind == "b" else str(int(value))


def integer_of(dtype: DType) -> DType:
    """Return the signed integer dtype as wide as another."""
    return np.dtype(f"i{dtype.itemsize}")


class Writer:
    """Writes the body of a function; each instruction's result has a new name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.count = 0

    def name(self) -> str:
        """Return a new name."""
        self.count += 1
        return f"%v{self.count}"

    def line(self, text: str) -> None:
        """Add an instruction without a result."""
        self.lines.append(f"  {text}")

    def emit(self, text: str) -> str:
        """Add an instruction and return its result's name."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")

    def call(self, function: str, result: str, *arguments: tuple[str, str]) -> str:
        """Call a function, given each argument's type and name, and declare it."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare {result} @{function}({types})")
        return self.emit(f"call {result} @{function}({', '.join(f'{k} {n}' for k, n in arguments)})")

    def intrinsic(self, name: str, dtype: DType, *operands: str) -> str:
        """Call one of LLVM's own functions whose operands and result have one type."""
        kind = register_type(dtype)
        suffix = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else kind
        return self.call(f"llvm.{name}.{suffix}", kind, *((kind, x) for x in operands))

    def binary(self, instruction: str, dtype: DType, x: str, y: str) -> str:
        """Apply an instruction to two values of one type."""
        return self.emit(f"{instruction} {register_type(dtype)} {x}, {y}")

    def compare(self, dtype: DType, predicate: str, x: str, y: str) -> str:
        """Compare two values; the predicate is LLVM's."""
        instruction = "fcmp" if dtype.kind == "f" else "icmp"
        return self.emit(f"{instruction} {predicate} {register_type(dtype)} {x}, {y}")

    def select(self, condition: str, dtype: DType, x: str, y: str) -> str:
        """Choose between two values."""
        kind = register_type(dtype)
        return self.emit(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    def bitcast(self, source: DType, target: DType, x: str) -> str:
        """Read the bits of a value as another type's."""
        return self.emit(f"bitcast {register_type(source)} {x} to {register_type(target)}")
