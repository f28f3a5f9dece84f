"""From a kernel to the text of an LLVM function with a loop nest."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.casts import cast
from transforms.backends.llvm.loops import arrange
from transforms.backends.llvm.mathematics import FUNCTIONS
from transforms.backends.llvm.neighbours import side_by_side
from transforms.backends.llvm.nest import unit_indices
from transforms.backends.llvm.operations import OPERATIONS
from transforms.backends.llvm.steps import (
    FAILURE,
    Access,
    Apply,
    Check,
    DType,
    Gather,
    Kernel,
    Load,
    Number,
    Reduce,
    Scatter,
    accesses,
)
from transforms.backends.llvm.writer import (
    Writer,
    constant,
    memory_type,
    register_type,
    woven_loop,
)
from transforms.graph.ir import Variable

NAME = "@kernel"
"""What stands for the function's name in its text."""


# The length of loops that can fill vectors.
_FEW = 8
# How often what is innermost runs in a loop that is long enough.
_LONG = 64
# A loop of no more operations is faster than a register of a reduction is ready for its next value.
_LIGHT = 4
# About how many elements a vector has.
_VECTOR = 16


class Function(NamedTuple):
    """A kernel as LLVM.

    Attributes:
        text: of a function that takes a pointer for each buffer and the index of a unit; `NAME` stands for
            its name.
        declarations: of the functions that it calls.
        buffers: which pointers it takes.
    """

    text: str
    declarations: frozenset[str]
    buffers: tuple[Variable, ...]


def kernel_function(kernel: Kernel) -> Function:
    """Write the function of a kernel."""
    return _KernelWriter(side_by_side(arrange(kernel))).write()


class _KernelWriter:
    """Writes one kernel.

    The innermost loops over which all reductions run combine into registers. Where a reduction runs over
    loops further out as well, these registers are combined with what memory holds.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.writer = Writer()
        self.arguments: dict[Variable, str] = {}
        self.offsets: dict[Access, str] = {}  # of each access in the loops so far
        self.registers: list[str] = []  # of the reductions
        self.block = "entry"
        self.blocks = 0
        self.rounds = 1  # of the loops since a loop began: how often what is innermost runs
        depth = len(kernel.shape)
        while depth and kernel.reduced[depth - 1]:
            depth -= 1
        self.register_depth = depth
        self.revisits = any(kernel.reduced[:depth])
        # What takes longer than a register waits for its next value needs no second register.
        operations = [x.operation for x in kernel.values if isinstance(x, Apply)]
        self.is_light = len(operations) <= _LIGHT and FUNCTIONS.keys().isdisjoint(operations)

    def write(self) -> Function:
        """Return the function."""
        kernel, writer = self.kernel, self.writer
        for access in accesses(kernel):
            self.arguments.setdefault(access.buffer, f"%a{len(self.arguments)}")
        if any(isinstance(value, Check) for value in kernel.values):
            self.arguments[FAILURE] = f"%a{len(self.arguments)}"
        self.offsets = {access: str(access.offset) for access in accesses(kernel)}
        self.registers = [writer.emit(f"alloca {register_type(x.dtype)}") for x in kernel.reductions]
        first = kernel.split
        for axis, index in enumerate(unit_indices(writer, kernel.shape[:first])):
            self.offsets = {access: self._advance(access, axis, index) for access in self.offsets}
        if self.revisits:
            outer = [i for i, reduced in enumerate(kernel.reduced) if not reduced and i >= first]
            self._nest(0, outer, self._clear)
        self._loops(first)
        arguments = "".join(f"ptr noalias {name}, " for name in self.arguments.values())
        text = "\n".join(
            [
                f"define hidden void {NAME}({arguments}i64 %unit) #0 {{",
                "entry:",
                *writer.lines,
                "  ret void",
                "}",
            ]
        )
        return Function(text, frozenset(writer.declarations), tuple(self.arguments))

    # --- loops

    def _loops(self, level: int) -> None:
        """Write the loops from a level on, and what is before and after those of the registers."""
        if level == self.register_depth:
            for register, reduction in zip(self.registers, self.kernel.reductions, strict=True):
                self.writer.line(_store(reduction.dtype, identity(reduction), register))
        self._nest(0, [level] if level < len(self.kernel.shape) else [], lambda: self._inside(level))
        if level == self.register_depth:
            for register, reduction in zip(self.registers, self.kernel.reductions, strict=True):
                self._flush(register, reduction)

    def _inside(self, level: int) -> None:
        if level < len(self.kernel.shape):
            self._loops(level + 1)
        else:
            self._body()

    def _nest(self, position: int, axes: list[int], inside: Callable[[], None]) -> None:
        """Write loops over axes around what ``inside`` writes."""
        if position == len(axes):
            inside()
            return
        axis = axes[position]
        length = self.kernel.shape[axis]
        if not length:
            return
        writer, outside, offsets = self.writer, self.block, self.offsets
        self.blocks += 1
        label, index, following = f"loop{self.blocks}", f"%i{self.blocks}", f"%n{self.blocks}"
        beside, self.rounds = self.rounds, 1
        writer.line(f"br label %{label}")
        writer.label(label)
        self.block = label
        place = len(writer.lines)
        self.offsets = {access: self._advance(access, axis, index) for access in offsets}
        self._nest(position + 1, axes, inside)
        writer.lines.insert(place, f"  {index} = phi i64 [0, %{outside}], [{following}, %{self.block}]")
        writer.line(f"{following} = add nuw nsw i64 {index}, 1")
        more = writer.emit(f"icmp ult i64 {following}, {length}")
        # LLVM would unroll a short loop, and then have only the loops around it to vectorise. To copy vectors
        # or what runs long inside of a loop costs more time to compile than it saves.
        is_plain = self.rounds >= _LONG or (self.rounds == 1 and length >= _FEW)
        is_woven = self.rounds == 1 and axis >= self.register_depth and self.is_light
        plain = woven_loop(_strands(length) if is_woven else 1) if is_plain else ""
        self.rounds = max(beside, self.rounds * length)
        writer.line(f"br i1 {more}, label %{label}, label %{label}_end{plain}")
        writer.label(f"{label}_end")
        self.block, self.offsets = f"{label}_end", offsets

    def _advance(self, access: Access, axis: int, index: str) -> str:
        stride, offset = access.strides[axis], self.offsets[access]
        if not stride:
            return offset
        step = index if stride == 1 else self.writer.emit(f"mul nsw i64 {index}, {stride}")
        return step if offset == "0" else self.writer.emit(f"add nsw i64 {offset}, {step}")

    # --- memory

    def _pointer(self, access: Access, dtype: DType) -> str:
        base = self.arguments[access.buffer]
        return self.writer.emit(
            f"getelementptr inbounds {memory_type(dtype)}, ptr {base}, i64 {self.offsets[access]}"
        )

    def _load(self, access: Access, dtype: DType) -> str:
        return self._load_at(self._pointer(access, dtype), dtype)

    def _load_at(self, address: str, dtype: DType) -> str:
        value = self.writer.emit(f"load {memory_type(dtype)}, ptr {address}")
        return self.writer.emit(f"icmp ne i8 {value}, 0") if dtype.kind == "b" else value

    def _save(self, value: str, access: Access, dtype: DType) -> None:
        self._save_at(value, self._pointer(access, dtype), dtype)

    def _save_at(self, value: str, address: str, dtype: DType) -> None:
        if dtype.kind == "b":
            value = self.writer.emit(f"zext i1 {value} to i8")
        self.writer.line(f"store {memory_type(dtype)} {value}, ptr {address}")

    def _clear(self) -> None:
        for reduction in self.kernel.reductions:
            self._save(identity(reduction), reduction.access, reduction.dtype)

    def _flush(self, register: str, reduction: Reduce) -> None:
        """Write what a register has combined."""
        value = self.writer.emit(f"load {register_type(reduction.dtype)}, ptr {register}")
        if self.revisits:
            so_far = self._load(reduction.access, reduction.dtype)
            value = combine(self.writer, reduction, so_far, value)
        self._save(value, reduction.access, reduction.dtype)

    # --- what is done for each index

    def _body(self) -> None:
        kernel, writer = self.kernel, self.writer
        names: list[str] = []
        for value in kernel.values:
            if isinstance(value, Load):
                names.append(self._load(value.access, value.dtype))
            elif isinstance(value, Number):
                names.append(constant(value.dtype, value.value))
            elif isinstance(value, Gather):
                names.append(self._load_at(self._moved(value.access, value.indices, names), value.dtype))
            elif isinstance(value, Check):
                names.append(self._check(value, names[value.value]))
            else:
                names.append(self._apply(value, names))
        for store in kernel.stores:
            self._save(names[store.value], store.access, kernel.values[store.value].dtype)
        for register, reduction in zip(self.registers, kernel.reductions, strict=True):
            so_far = writer.emit(f"load {register_type(reduction.dtype)}, ptr {register}")
            total = combine(writer, reduction, so_far, names[reduction.value])
            writer.line(_store(reduction.dtype, total, register))
        for scatter in kernel.scatters:
            self._scatter(scatter, names)

    def _moved(self, access: Access, indices: tuple[tuple[int, int], ...], names: list[str]) -> str:
        """Return the address of the element at an access that indices move."""
        offset = self.offsets[access]
        for value, stride in indices:
            step = self.writer.emit(f"mul nsw i64 {names[value]}, {stride}")
            offset = self.writer.emit(f"add nsw i64 {offset}, {step}")
        kind = memory_type(access.buffer.type.dtype)
        return self.writer.emit(
            f"getelementptr inbounds {kind}, ptr {self.arguments[access.buffer]}, i64 {offset}"
        )

    def _check(self, check: Check, index: str) -> str:
        """Count an index from the front; note one that is out of range, and go on with 0."""
        writer, source = self.writer, self.kernel.values[check.value].dtype
        index = cast(writer, source, check.dtype, index)
        from_front = writer.emit(f"add i64 {index}, {check.length}")
        is_negative = writer.emit(f"icmp slt i64 {index}, 0")
        place = writer.emit(f"select i1 {is_negative}, i64 {from_front}, i64 {index}")
        is_out = writer.emit(f"icmp uge i64 {place}, {check.length}")
        self.blocks += 1
        label = f"check{self.blocks}"
        writer.line(f"br i1 {is_out}, label %{label}, label %{label}_end")
        writer.label(label)
        writer.line(f"store i64 {index}, ptr {self.arguments[FAILURE]}")
        address = writer.emit(f"getelementptr i64, ptr {self.arguments[FAILURE]}, i64 1")
        writer.line(f"store i64 {check.length}, ptr {address}")
        writer.line(f"br label %{label}_end")
        writer.label(f"{label}_end")
        self.block = f"{label}_end"
        return writer.emit(f"select i1 {is_out}, i64 0, i64 {place}")

    def _scatter(self, scatter: Scatter, names: list[str]) -> None:
        dtype = self.kernel.values[scatter.value].dtype
        address = self._moved(scatter.access, scatter.indices, names)
        value = names[scatter.value]
        if scatter.operation != "set":
            so_far = self._load_at(address, dtype)
            value = OPERATIONS[scatter.operation].emit(self.writer, dtype, so_far, value)
        self._save_at(value, address, dtype)

    def _apply(self, value: Apply, names: list[str]) -> str:
        operands = [names[i] for i in value.operands]
        dtype = self.kernel.values[value.operands[-1]].dtype
        if value.operation == "cast":
            return cast(self.writer, dtype, value.dtype, operands[0])
        return OPERATIONS[value.operation].emit(self.writer, dtype, *operands)


def _store(dtype: DType, value: str, pointer: str) -> str:
    return f"store {register_type(dtype)} {value}, ptr {pointer}"


# --- reductions

# Sums may be reassociated, or they could not be vectorised.
_COMBINATIONS = {
    "add": {"f": "fadd reassoc contract", "i": "add", "u": "add"},
    "multiply": {"f": "fmul reassoc contract", "i": "mul", "u": "mul"},
    "or": {"b": "or"},
    "and": {"b": "and"},
}
_EXTREMES = {
    "maximum": {"f": "maximum", "i": "smax", "u": "umax", "b": "umax"},
    "minimum": {"f": "minimum", "i": "smin", "u": "umin", "b": "umin"},
}


def _strands(length: int) -> int:
    """Return how many vectors a loop should reduce side by side, so that few elements are left over."""
    for strands in (4, 2):
        together = strands * _VECTOR
        if length % together < _VECTOR <= length // strands or length >= 32 * together:
            return strands
    return 1


def combine(writer: Writer, reduction: Reduce, so_far: str, value: str) -> str:
    """Combine what a reduction has so far with a value.

    Of extremes NaN wins. As with NumPy, the sign of an extreme that is zero is either one's. The processor's
    maximum gives its second operand where one is NaN, so that only NaN in the first, which is there early,
    takes more.
    """
    kind = reduction.dtype.kind
    if reduction.operation in _EXTREMES:
        name, flags = _EXTREMES[reduction.operation][kind], "nsz" if kind == "f" else ""
        return writer.intrinsic(name, reduction.dtype, value, so_far, flags=flags)
    return writer.binary(_COMBINATIONS[reduction.operation][kind], reduction.dtype, so_far, value)


def identity(reduction: Reduce) -> str:
    """Return the value that changes nothing when it is combined."""
    dtype = reduction.dtype
    if reduction.operation in _EXTREMES:
        smallest = reduction.operation == "maximum"
        if dtype.kind == "f":
            return constant(dtype, -np.inf if smallest else np.inf)
        if dtype.kind == "b":
            return constant(dtype, not smallest)
        limits = np.iinfo(dtype)
        return str(int(limits.min if smallest else limits.max))
    return constant(dtype, reduction.operation in ("multiply", "and"))
