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


BOOL = np.dtype(bool)
"""The dtype of truth values."""


PLAIN_LOOP = ", !llvm.loop !plain"
"""What stands at the end of a loop that is not to be unrolled; each such loop of a module needs a number."""


def woven_loop(strands: int) -> str:
    """Return what stands at the end of a plain loop of which so many vectors are reduced side by side.

    LLVM takes one for a loop that is not to be unrolled.
    """
    return f"{PLAIN_LOOP}{strands}" if strands > 1 else PLAIN_LOOP


class Writer:
    """Writes the body of a function; each instruction's result has a new name.

    With ``lanes``, each value is a vector of so many; the same instructions then work lane by lane. An
    operand is the name of a value or the text of a constant, which stands for itself in each lane.
    """

    def __init__(self, lanes: int = 0) -> None:
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.count = 0
        self.lanes = lanes

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

    def call(self, function: str, result: str, *arguments: tuple[str, str], flags: str = "") -> str:
        """Call a function, given the type and name of each argument, and declare it; flags are LLVM's."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare {result} @{function}({types})")
        operands = ", ".join(f"{kind} {name}" for kind, name in arguments)
        return self.emit(f"call {f'{flags} ' if flags else ''}{result} @{function}({operands})")

    # --- what is the same for one value and for several lanes

    def type(self, dtype: DType) -> str:
        """Return the LLVM type of a value.

        >>> Writer().type(np.dtype("float32")), Writer(lanes=8).type(np.dtype(bool))
        ('float', '<8 x i1>')
        """
        kind = register_type(dtype)
        return f"<{self.lanes} x {kind}>" if self.lanes else kind

    def operand(self, dtype: DType, x: str) -> str:
        """Return a value as an operand: with lanes, a constant becomes one in each lane."""
        if self.lanes and x[0] not in "%<s":
            return f"splat ({register_type(dtype)} {x})"
        return x

    def spread(self, dtype: DType, x: str) -> str:
        """Return a vector with one number, which has a name, in each lane; without lanes the number."""
        if not self.lanes:
            return x
        kind = self.type(dtype)
        first = self.emit(f"insertelement {kind} poison, {register_type(dtype)} {x}, i64 0")
        return self.emit(f"shufflevector {kind} {first}, {kind} poison, <{self.lanes} x i32> zeroinitializer")

    def intrinsic(self, name: str, dtype: DType, *operands: str, flags: str = "") -> str:
        """Call one of LLVM's own functions, whose operands and result have one type."""
        kind = self.type(dtype)
        suffix = f"f{8 * dtype.itemsize}" if dtype.kind == "f" else register_type(dtype)
        if self.lanes:
            suffix = f"v{self.lanes}{suffix}"
        arguments = ((kind, self.operand(dtype, x)) for x in operands)
        return self.call(f"llvm.{name}.{suffix}", kind, *arguments, flags=flags)

    def unary(self, instruction: str, dtype: DType, x: str) -> str:
        """Apply an instruction to a value."""
        return self.emit(f"{instruction} {self.type(dtype)} {self.operand(dtype, x)}")

    def binary(self, instruction: str, dtype: DType, x: str, y: str) -> str:
        """Apply an instruction to two values of one type."""
        x, y = self.operand(dtype, x), self.operand(dtype, y)
        return self.emit(f"{instruction} {self.type(dtype)} {x}, {y}")

    def compare(self, dtype: DType, predicate: str, x: str, y: str) -> str:
        """Compare two values; the predicate is LLVM's."""
        return self.binary(f"{'fcmp' if dtype.kind == 'f' else 'icmp'} {predicate}", dtype, x, y)

    def select(self, condition: str, dtype: DType, x: str, y: str) -> str:
        """Choose between two values."""
        kind = self.type(dtype)
        condition, x, y = self.operand(BOOL, condition), self.operand(dtype, x), self.operand(dtype, y)
        return self.emit(f"select {self.type(BOOL)} {condition}, {kind} {x}, {kind} {y}")

    def convert(self, instruction: str, source: DType, target: DType, x: str) -> str:
        """Convert a value from one type to another by an instruction."""
        x = self.operand(source, x)
        return self.emit(f"{instruction} {self.type(source)} {x} to {self.type(target)}")

    def bitcast(self, source: DType, target: DType, x: str) -> str:
        """Read the bits of a value as another type's."""
        return self.convert("bitcast", source, target, x)
