"""Copies of arrays whose axes change places: squares of elements that are transposed in registers.

Source: J. Eklundh, A Fast Computer Method for Matrix Transposing (1972), for the exchange of ever larger
parts.
"""

from __future__ import annotations

from typing import NamedTuple

from transforms.backends.llvm.emit import NAME, Function
from transforms.backends.llvm.nest import Nest
from transforms.backends.llvm.processor import Processor
from transforms.backends.llvm.steps import Access, Kernel, Load
from transforms.backends.llvm.writer import Writer, memory_type

_SMALLEST = 4


class _Copy(NamedTuple):
    """A copy of which no two neighbours are neighbours in the result.

    Attributes:
        source: what is read.
        target: what is written.
        along_source: the axis along which what is read is adjacent.
        along_target: the axis along which what is written is adjacent.
    """

    source: Access
    target: Access
    along_source: int
    along_target: int


def transposition_function(kernel: Kernel, processor: Processor) -> Function | None:
    """Write the function of a kernel that only copies, if squares of it can be transposed; else give None."""
    copy = _as_copy(kernel)
    if copy is None:
        return None
    lengths = kernel.shape[copy.along_source], kernel.shape[copy.along_target]
    source = kernel.values[0]
    lanes = processor.vector_bytes // source.dtype.itemsize
    while lanes > min(lengths):
        lanes //= 2
    if lanes < _SMALLEST or any(n % lanes for n in lengths):
        return None
    return _TranspositionWriter(kernel, copy, lanes).write()


def _as_copy(kernel: Kernel) -> _Copy | None:
    if len(kernel.values) != 1 or len(kernel.stores) != 1 or kernel.reductions or kernel.split > 1:
        return None
    value, target = kernel.values[0], kernel.stores[0].access
    if not isinstance(value, Load) or value.access.buffer is target.buffer:
        return None
    first = kernel.split
    axes = [axis for axis in range(first, len(kernel.shape)) if kernel.shape[axis] > 1]
    source_axes = [axis for axis in axes if value.access.strides[axis] == 1]
    target_axes = [axis for axis in axes if target.strides[axis] == 1]
    if len(source_axes) != 1 or len(target_axes) != 1 or source_axes == target_axes:
        return None
    return _Copy(value.access, target, source_axes[0], target_axes[0])


class _TranspositionWriter:
    """Writes one copy."""

    def __init__(self, kernel: Kernel, copy: _Copy, lanes: int) -> None:
        self.kernel = kernel
        self.copy = copy
        self.lanes = lanes
        self.kind = memory_type(kernel.values[0].dtype)
        self.vector = f"<{lanes} x {self.kind}>"
        self.align = kernel.values[0].dtype.itemsize
        self.writer = Writer()
        self.nest = Nest(self.writer)

    def write(self) -> Function:
        """Return the function."""
        offsets = [str(self.copy.source.offset), str(self.copy.target.offset)]
        if 0 not in self.kernel.shape:
            self._loops(0, offsets)
        lines = [
            f"define hidden void {NAME}(ptr noalias %source, ptr noalias %target, i64 %unit) #0 {{",
            *("entry:", *self.writer.lines, "  ret void", "}"),
        ]
        buffers = self.copy.source.buffer, self.copy.target.buffer
        return Function("\n".join(lines), frozenset(), buffers)

    def _loops(self, axis: int, offsets: list[str]) -> None:
        if axis == len(self.kernel.shape):
            self._square(offsets)
            return
        strides = self.copy.source.strides[axis], self.copy.target.strides[axis]
        length = self.kernel.shape[axis]
        if axis in (self.copy.along_source, self.copy.along_target):
            length //= self.lanes
            strides = strides[0] * self.lanes, strides[1] * self.lanes
        if axis == 0 and self.kernel.split:
            self._loops(1, self.nest.moved(offsets, "%unit", strides))
        else:
            self.nest.loop(
                length, lambda index: self._loops(axis + 1, self.nest.moved(offsets, index, strides))
            )

    def _square(self, offsets: list[str]) -> None:
        """Read a square row by row, transpose it, and write it row by row."""
        source, target = offsets
        row = self.copy.source.strides[self.copy.along_target]
        rows = [
            self.writer.emit(
                f"load {self.vector}, ptr {self._address('%source', source, i * row)}, align {self.align}"
            )
            for i in range(self.lanes)
        ]
        distance = 1
        while distance < self.lanes:
            rows = self._exchange(rows, distance)
            distance *= 2
        row = self.copy.target.strides[self.copy.along_source]
        for i, value in enumerate(rows):
            address = self._address("%target", target, i * row)
            self.writer.line(f"store {self.vector} {value}, ptr {address}, align {self.align}")

    def _exchange(self, rows: list[str], distance: int) -> list[str]:
        """Transpose each square of squares of ``distance`` elements, as a square of two by two."""
        low = [k if not k & distance else self.lanes + k - distance for k in range(self.lanes)]
        high = [k + distance if not k & distance else self.lanes + k for k in range(self.lanes)]
        exchanged = list(rows)
        for i in range(self.lanes):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                exchanged[i], exchanged[i + distance] = self._shuffle(pair, low), self._shuffle(pair, high)
        return exchanged

    def _shuffle(self, pair: tuple[str, str], places: list[int]) -> str:
        mask = ", ".join(f"i32 {place}" for place in places)
        first, second = pair
        return self.writer.emit(
            f"shufflevector {self.vector} {first}, {self.vector} {second}, <{self.lanes} x i32> <{mask}>"
        )

    def _address(self, base: str, offset: str, elements: int) -> str:
        pointer = self.writer.emit(f"getelementptr {self.kind}, ptr {base}, i64 {offset}")
        return self.writer.emit(f"getelementptr {self.kind}, ptr {pointer}, i64 {elements}")
