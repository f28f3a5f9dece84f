"""Functions of their own, each also in vector forms that the loop vectoriser knows.

In such a function a branch is allowed, which in a loop would stop vectorisation: if no lane holds an
argument that is rare, it is not taken; else the C library is called for each lane.

Source: the vector function ABI, as LLVM's attribute ``vector-function-abi-variant`` states it.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.backends.llvm.mathematics.arithmetic import FLOAT32
from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import BOOL, Writer, register_type

# The numbers of lanes of vectors of 128, 256 and 512 bits.
_WIDTHS = {4: (4, 8, 16), 8: (2, 4, 8)}
_PURE = "nounwind willreturn memory(none)"
_ATTRIBUTES = f'noinline {_PURE} "prefer-vector-width"="512" "min-legal-vector-width"="512"'


def outlined(
    name: str,
    operands: int,
    write: Callable[..., tuple[str, str]],
    library: str,
) -> Callable[..., str]:
    """Return an operation that calls a function of its own.

    Args:
        name: of the function.
        operands: how many.
        write: ``write(writer, dtype, *operands) -> (result, rare)``: the result, and whether the argument is
            one of those for which the result is the library's.
        library: the name of the C library's function of float64; that of float32 ends in ``f``.
    """

    def emit(writer: Writer, dtype: DType, *values: str) -> str:
        symbol = f"transforms_{name}_{8 * dtype.itemsize}"
        widths = _WIDTHS[dtype.itemsize]
        for lanes in {0, *widths, writer.lanes}:
            inside = Writer(lanes)
            _define(inside, _with_lanes(symbol, lanes), operands, dtype, write, library)
            writer.declarations |= {*inside.declarations, "\n".join(inside.lines)}
        kind = writer.type(dtype)
        arguments = ", ".join(f"{kind} {writer.operand(dtype, x)}" for x in values)
        if writer.lanes:
            return writer.emit(f"call {kind} @{_with_lanes(symbol, writer.lanes)}({arguments}) {_PURE}")
        variants = ",".join(
            f"_ZGV_LLVM_N{lanes}{'v' * operands}_{symbol}({_with_lanes(symbol, lanes)})" for lanes in widths
        )
        return writer.emit(
            f'call {kind} @{symbol}({arguments}) {_PURE} "vector-function-abi-variant"="{variants}"'
        )

    return emit


def _with_lanes(symbol: str, lanes: int) -> str:
    return f"{symbol}_{lanes}" if lanes else symbol


def _define(
    inside: Writer,
    symbol: str,
    operands: int,
    dtype: DType,
    write: Callable[..., tuple[str, str]],
    library: str,
) -> None:
    """Write the definition of one form; a weak function is kept until the vectoriser looks for it."""
    kind = inside.type(dtype)
    names = [f"%x{i}" for i in range(operands)]
    arguments = ", ".join(f"{kind} {x}" for x in names)
    inside.lines.append(f"define weak_odr hidden {kind} @{symbol}({arguments}) {_ATTRIBUTES} {{")
    out, rare = write(inside, dtype, *names)
    condition = rare
    if inside.lanes:
        function = f"llvm.vector.reduce.or.v{inside.lanes}i1"
        condition = inside.call(function, "i1", (inside.type(BOOL), rare))
    inside.line(f"br i1 {condition}, label %rare, label %common")
    inside.label("common")
    inside.line(f"ret {kind} {out}")
    inside.label("rare")
    slow = each_lane(inside, library, dtype, *names)
    inside.line(f"ret {kind} {inside.select(rare, dtype, slow, out)}")
    inside.lines.append("}")


def each_lane(writer: Writer, library: str, dtype: DType, *operands: str) -> str:
    """Call a function of the C library, whose float32 form ends in ``f``, for each lane."""
    kind = register_type(dtype)
    name = f"{library}f" if dtype == FLOAT32 else library
    if not writer.lanes:
        return writer.call(name, kind, *((kind, x) for x in operands))
    vector = writer.type(dtype)
    out = "poison"
    for lane in range(writer.lanes):
        each = [
            writer.emit(f"extractelement {vector} {writer.operand(dtype, x)}, i64 {lane}") for x in operands
        ]
        value = writer.call(name, kind, *((kind, x) for x in each))
        out = writer.emit(f"insertelement {vector} {out}, {kind} {value}, i64 {lane}")
    return out
