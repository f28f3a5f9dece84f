"""Copies of arrays whose axes change places: squares of elements that are transposed in registers.

Source: J. Eklundh, A Fast Computer Method for Matrix Transposing (1972), for the exchange of ever larger
parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transforms.backends.llvm.emit import NAME, Function
from transforms.backends.llvm.loops import merged
from transforms.backends.llvm.nest import Nest, unit_indices
from transforms.backends.llvm.processor import Processor
from transforms.backends.llvm.steps import Access, Kernel, Load
from transforms.backends.llvm.writer import Writer, memory_type

_SMALLEST = 4
# Larger squares than this take more registers than there are, and long to compile.
_LARGEST = 16
# A block is so many squares along each axis. Its lines are read and written whole while they are in the first
# cache, and only so many pages are in use at a time.
_BLOCK = 4
# Where rows are a multiple of so many bytes apart, their lines have few places in the first cache.
_CROWDED = 1 << 10
_INDEX = np.dtype(np.int64)


class _Squares(NamedTuple):
    """The squares of a block along an axis.

    Attributes:
        first: the number of the first one.
        length: how many there are.
    """

    first: str
    length: int | str


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
    kernel = merged(kernel)
    copy = _as_copy(kernel)
    if copy is None:
        return None
    lengths = kernel.shape[copy.along_source], kernel.shape[copy.along_target]
    source = kernel.values[0]
    lanes = min(processor.vector_bytes // source.dtype.itemsize, _LARGEST)
    while lanes > min(lengths):
        lanes //= 2
    if lanes < _SMALLEST:
        return None
    return _TranspositionWriter(kernel, copy, lanes).write()


def _as_copy(kernel: Kernel) -> _Copy | None:
    if len(kernel.values) != 1 or len(kernel.stores) != 1 or kernel.reductions:
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
        for axis, index in enumerate(unit_indices(self.writer, self.kernel.shape[: self.kernel.split])):
            offsets = self.nest.moved(offsets, index, self._strides(axis))
        if 0 not in self.kernel.shape:
            self._loops(self.kernel.split, offsets)
        lines = [
            f"define hidden void {NAME}(ptr noalias %source, ptr noalias %target, i64 %unit) #0 {{",
            *("entry:", *self.writer.lines, "  ret void", "}"),
        ]
        buffers = self.copy.source.buffer, self.copy.target.buffer
        return Function("\n".join(lines), frozenset(self.writer.declarations), buffers)

    def _loops(self, axis: int, offsets: list[str]) -> None:
        """Write the loops from an axis on; those over blocks of squares are inside of all others."""
        if axis == len(self.kernel.shape):
            self._blocks(offsets)
        elif axis in (self.copy.along_source, self.copy.along_target):
            self._loops(axis + 1, offsets)
        else:
            length, strides = self.kernel.shape[axis], self._strides(axis)
            self.nest.loop(
                length, lambda index: self._loops(axis + 1, self.nest.moved(offsets, index, strides))
            )

    def _blocks(self, offsets: list[str]) -> None:
        """Write loops over blocks, and in each over squares."""
        source, target = self.copy.along_source, self.copy.along_target
        is_crowded = not self.copy.target.strides[source] * self.align % _CROWDED

        def block(rows: _Squares, columns: _Squares) -> None:
            def square(column: str, row: str) -> None:
                place = self._moved(offsets, target, self.nest.moved([columns.first], column, [1])[0])
                self._square(self._moved(place, source, self.nest.moved([rows.first], row, [1])[0]))

            loop = self.nest.loop
            if is_crowded:
                loop(rows.length, lambda row: loop(columns.length, lambda column: square(column, row)))
            else:
                loop(columns.length, lambda column: loop(rows.length, lambda row: square(column, row)))

        self._each_block(source, lambda rows: self._each_block(target, lambda columns: block(rows, columns)))

    def _each_block(self, axis: int, body: Callable[[_Squares], None]) -> None:
        """Write a loop over the blocks along an axis around what ``body`` writes, given their squares."""
        squares = -(-self.kernel.shape[axis] // self.lanes)
        most = min(squares, _BLOCK)

        def inside(index: str) -> None:
            (first,) = self.nest.moved(["0"], index, [most])
            if squares % most:
                left = self.writer.emit(f"sub nsw i64 {squares}, {first}")
                body(_Squares(first, self.writer.intrinsic("smin", _INDEX, left, str(most))))
            else:
                body(_Squares(first, most))

        self.nest.loop(-(-squares // most), inside)

    def _moved(self, offsets: list[str], axis: int, square: str) -> list[str]:
        """Return offsets at a square; the last one of an axis covers what the one before does, too."""
        length = self.kernel.shape[axis]
        place = square if square == "0" else self.writer.emit(f"mul nsw i64 {square}, {self.lanes}")
        if length % self.lanes:
            place = self.writer.intrinsic("smin", _INDEX, place, str(length - self.lanes))
        return self.nest.moved(offsets, place, self._strides(axis))

    def _strides(self, axis: int) -> tuple[int, int]:
        return self.copy.source.strides[axis], self.copy.target.strides[axis]

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
