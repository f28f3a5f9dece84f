"""Sums of products: matrix products, convolutions and their derivatives, as tiles of results in registers.

A tile is some rows by some vectors of columns. For each index of the summed axes it takes a vector of the
right operand for each of its columns, spreads an element of the left operand over a vector for each of its
rows, and adds their products to the tile. Neither operand is copied: the left one may lie anywhere in memory,
because its elements are read one by one, and the columns of the right one are adjacent.

Source: K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008), for the panels
that stay in cache; E. Georganas et al., Anatomy of High-Performance Deep Learning Convolutions on SIMD
Architectures (2018), arXiv:1808.05567, for convolutions without columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from transforms.backends.llvm.emit import NAME, Function
from transforms.backends.llvm.nest import Nest, unit_indices
from transforms.backends.llvm.processor import Processor
from transforms.backends.llvm.steps import Contraction
from transforms.backends.llvm.tiling import arranged, panels, split_inner, tile_rows
from transforms.backends.llvm.writer import Writer, register_type

# How many elements of the right operand the tiles of a sweep read: they should stay in the second cache.
_PANEL = 1 << 15
# And so few pages that the processor has the addresses of all of them at hand.
_PAGE, _PAGES = 4096, 72
# Reads so many bytes apart, or more, follow no pattern that the processor fetches ahead by itself.
_FAR = 512


class Tile(NamedTuple):
    """The part of a result that is summed in registers: rows times vectors of columns."""

    rows: int
    vectors: int


def contraction_function(contraction: Contraction, processor: Processor) -> Function:
    """Write the function of one unit of a contraction."""
    return _ContractionWriter(arranged(contraction), processor).write()


class _ContractionWriter:
    """Writes the function of one contraction.

    Its loops, outermost first: the stack; the sweeps, the parts of the summed axes after each of which the
    result is stored; the panels of columns; the rows; the tiles.
    """

    def __init__(self, contraction: Contraction, processor: Processor) -> None:
        self.contraction = contraction
        self.registers = processor.vector_registers
        self.lanes = max(processor.vector_bytes // contraction.dtype.itemsize, 1)
        self.kind = register_type(contraction.dtype)
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.writer = Writer()
        self.nest = Nest(self.writer)
        self.units: dict[
            int, str
        ] = {}  # the index of each axis of stack and rows that a unit is one index of
        stacked, rows = len(contraction.stack), len(contraction.rows)
        left = contraction.left.strides
        self.left_rows, self.left_inner = left[stacked : stacked + rows], left[stacked + rows :]
        self.right_inner = contraction.right.strides[stacked:-1]
        self.out_rows = contraction.out.strides[stacked:-1]
        width = panels(contraction.columns, self.lanes)[0][1]
        steps = [self.left_inner[-1:], self.right_inner[-1:]]
        distances = [min(abs(x[0]) * contraction.dtype.itemsize, _PAGE) if x else 0 for x in steps]
        self.parts = split_inner(
            contraction.inner, max(min(_PANEL // max(width, 1), _PAGES * _PAGE // max(sum(distances), 1)), 64)
        )

    def write(self) -> Function:
        """Return the function."""
        contraction = self.contraction
        operands = (contraction.left, contraction.right, contraction.out)
        offsets = [str(x.offset) for x in operands]
        if not contraction.is_empty:
            axes, lengths = contraction.unit_axes, (*contraction.stack, *contraction.rows)
            indices = unit_indices(self.writer, tuple(lengths[axis] for axis in axes))
            self.units = dict(zip(axes, indices, strict=True))
            self._stack(0, offsets)
        text = "\n".join(
            [
                f"define hidden void {NAME}(ptr noalias %left, ptr noalias %right, ptr noalias %out, "
                "i64 %unit) #0 {",
                *("entry:", *self.writer.lines, "  ret void", "}"),
            ]
        )
        buffers = tuple(x.buffer for x in operands)
        return Function(text, frozenset(self.writer.declarations), buffers)

    # --- loops

    def _stack(self, axis: int, offsets: Sequence[str]) -> None:
        contraction = self.contraction
        if axis == len(contraction.stack):
            self._sweeps(0, offsets, "0", 1)
            return
        strides = [x.strides[axis] for x in (contraction.left, contraction.right, contraction.out)]

        def body(index: str) -> None:
            self._stack(axis + 1, self.nest.moved(offsets, index, strides))

        self._unit_or_loop(axis, contraction.stack[axis], body)

    def _unit_or_loop(self, axis: int, length: int, body: Callable[[str], None]) -> None:
        """Write a loop over an axis of stack and rows, unless a call does one index of it."""
        if axis in self.units:
            body(self.units[axis])
        else:
            self.nest.loop(length, body)

    def _sweeps(self, axis: int, offsets: Sequence[str], sweep: str, length: int) -> None:
        """Write the loops over the outer parts of the summed axes; ``sweep`` counts their rounds."""
        if axis == len(self.parts):
            self._panels(offsets, sweep if length > 1 else None)
            return
        outside, within = self.parts[axis]
        strides = (self.left_inner[axis] * within, self.right_inner[axis] * within, 0)

        def body(index: str) -> None:
            following = sweep
            if outside > 1:
                (scaled,) = self.nest.moved(["0"], sweep, [outside]) if sweep != "0" else ["0"]
                (following,) = self.nest.moved([scaled], index, [1])
            self._sweeps(axis + 1, self.nest.moved(offsets, index, strides), following, length * outside)

        self.nest.loop(outside, body)

    def _panels(self, offsets: Sequence[str], sweep: str | None) -> None:
        by_width: dict[int, list[int]] = {}
        for start, width in panels(self.contraction.columns, self.lanes):
            by_width.setdefault(width, []).append(start)
        for width, starts in by_width.items():

            def body(index: str, width: int = width, first: int = starts[0]) -> None:
                (column,) = self.nest.moved([str(first)], index, [width])
                moved = [offsets[0], *(self.nest.moved([x], column, [1])[0] for x in offsets[1:])]
                self._rows(0, moved, width, sweep)

            self.nest.loop(len(starts), body)

    def _rows(self, axis: int, offsets: Sequence[str], width: int, sweep: str | None) -> None:
        rows = self.contraction.rows
        strides = (self.left_rows[axis], 0, self.out_rows[axis])
        if axis < len(rows) - 1:
            self._unit_or_loop(
                len(self.contraction.stack) + axis,
                rows[axis],
                lambda index: self._rows(axis + 1, self.nest.moved(offsets, index, strides), width, sweep),
            )
            return
        vectors = -(-width // self.lanes)
        count = tile_rows(rows[-1], vectors, self.registers)
        full, rest = divmod(rows[-1], count)
        steps = [count * x for x in strides]
        self.nest.loop(
            full,
            lambda index: self._tile(
                Tile(count, vectors), self.nest.moved(offsets, index, steps), width, sweep, index
            ),
        )
        if rest:
            self._tile(Tile(rest, vectors), self.nest.moved(offsets, str(full), steps), width, sweep, "0")

    # --- one tile

    def _tile(self, tile: Tile, offsets: Sequence[str], width: int, sweep: str | None, index: str) -> None:
        """Write a tile, given which one along the rows it is."""
        left, right, out = offsets
        places = [
            self._address("%out", out, row * self.out_rows[-1] + vector * self.lanes)
            for row in range(tile.rows)
            for vector in range(tile.vectors)
        ]
        sums = self._start(tile, places, width, sweep)
        sums = self._inner(0, tile, (left, right), self._ahead(tile, index), sums, width)
        for position, (place, total) in enumerate(zip(places, sums, strict=True)):
            self._store(total, place, self._lanes_of(position % tile.vectors, width))

    def _start(self, tile: Tile, places: list[str], width: int, sweep: str | None) -> list[str]:
        """Return the sums so far: zeros in the first sweep, then what was stored."""
        zeros = ["zeroinitializer"] * len(places)
        if sweep is None:
            return zeros
        label, before = self.nest.label("start"), self.nest.block
        self.writer.line(f"%{label}_c = icmp eq i64 {sweep}, 0")
        self.writer.line(f"br i1 %{label}_c, label %{label}_end, label %{label}")
        self.writer.label(label)
        loaded = [
            self._load(place, self._lanes_of(position % tile.vectors, width))
            for position, place in enumerate(places)
        ]
        self.writer.line(f"br label %{label}_end")
        self.nest.begin(f"{label}_end")
        return [
            self.writer.emit(f"phi {self.vector} [zeroinitializer, %{before}], [{x}, %{label}]")
            for x in loaded
        ]

    def _ahead(self, tile: Tile, index: str) -> list[tuple[str, str]]:
        """Return the operands whose elements of the next sweep are to be fetched, and how far away those are.

        Each tile fetches one of the vectors of the right operand, all tiles along the rows all of them.
        """
        outside, within = self.parts[-1] if self.parts else (1, 1)
        far = max(_FAR // self.contraction.dtype.itemsize, 1)
        found = []
        if outside > 1 and self.left_inner[-1] >= far:
            found.append(("%left", str(within * self.left_inner[-1])))
        if outside > 1 and self.right_inner[-1] >= far:
            vector = self.writer.emit(f"urem i64 {index}, {tile.vectors}")
            (distance,) = self.nest.moved([str(within * self.right_inner[-1])], vector, [self.lanes])
            found.append(("%right", distance))
        return found

    def _inner(
        self,
        axis: int,
        tile: Tile,
        offsets: Sequence[str],
        ahead: list[tuple[str, str]],
        sums: list[str],
        width: int,
    ) -> list[str]:
        """Write the loops over the inner parts of the summed axes, and return the sums after them."""
        if axis == len(self.parts):
            self._fetch(offsets, ahead)
            return self._multiply(tile, offsets, sums, width)
        strides = (self.left_inner[axis], self.right_inner[axis])
        return self.nest.carry(
            self.parts[axis][1],
            self.vector,
            sums,
            lambda index, carried: self._inner(
                axis + 1, tile, self.nest.moved(offsets, index, strides), ahead, carried, width
            ),
        )

    def _fetch(self, offsets: Sequence[str], ahead: list[tuple[str, str]]) -> None:
        """Bring elements that the next sweep reads into the second cache."""
        for pointer, distance in ahead:
            place = self._address(pointer, offsets[pointer == "%right"], 0)
            address = self.writer.emit(f"getelementptr {self.kind}, ptr {place}, i64 {distance}")
            self.writer.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
            self.writer.line(f"call void @llvm.prefetch.p0(ptr {address}, i32 0, i32 2, i32 1)")

    def _multiply(self, tile: Tile, offsets: Sequence[str], sums: list[str], width: int) -> list[str]:
        """Add the products for one index of the summed axes."""
        left, right = offsets
        vectors = [
            self._load(self._address("%right", right, n * self.lanes), self._lanes_of(n, width))
            for n in range(tile.vectors)
        ]
        totals = []
        for row in range(tile.rows):
            address = self._address("%left", left, row * self.left_rows[-1])
            element = self.writer.emit(f"load {self.kind}, ptr {address}")
            spread = self._spread(element)
            for n, vector in enumerate(vectors):
                so_far = sums[row * tile.vectors + n]
                suffix = f"v{self.lanes}f{8 * self.contraction.dtype.itemsize}"
                operands = ((self.vector, x) for x in (spread, vector, so_far))
                totals.append(self.writer.call(f"llvm.fmuladd.{suffix}", self.vector, *operands))
        return totals

    def _spread(self, element: str) -> str:
        first = self.writer.emit(f"insertelement {self.vector} poison, {self.kind} {element}, i64 0")
        mask = f"<{self.lanes} x i32> zeroinitializer"
        return self.writer.emit(f"shufflevector {self.vector} {first}, {self.vector} poison, {mask}")

    # --- memory

    def _lanes_of(self, vector: int, width: int) -> int:
        """Return how many lanes of a vector of a panel are columns."""
        return min(self.lanes, width - vector * self.lanes)

    def _address(self, base: str, offset: str, elements: int) -> str:
        pointer = self.writer.emit(f"getelementptr {self.kind}, ptr {base}, i64 {offset}")
        if not elements:
            return pointer
        return self.writer.emit(f"getelementptr {self.kind}, ptr {pointer}, i64 {elements}")

    def _load(self, address: str, lanes: int) -> str:
        align = self.contraction.dtype.itemsize
        if lanes == self.lanes:
            return self.writer.emit(f"load {self.vector}, ptr {address}, align {align}")
        suffix = f"v{self.lanes}f{8 * align}.p0"
        self.writer.declarations.add(
            f"declare {self.vector} @llvm.masked.load.{suffix}(ptr, i32, <{self.lanes} x i1>, {self.vector})"
        )
        return self.writer.emit(
            f"call {self.vector} @llvm.masked.load.{suffix}(ptr {address}, i32 {align}, {self._mask(lanes)}, "
            f"{self.vector} zeroinitializer)"
        )

    def _store(self, value: str, address: str, lanes: int) -> None:
        align = self.contraction.dtype.itemsize
        if lanes == self.lanes:
            self.writer.line(f"store {self.vector} {value}, ptr {address}, align {align}")
            return
        suffix = f"v{self.lanes}f{8 * align}.p0"
        self.writer.declarations.add(
            f"declare void @llvm.masked.store.{suffix}({self.vector}, ptr, i32, <{self.lanes} x i1>)"
        )
        self.writer.line(
            f"call void @llvm.masked.store.{suffix}({self.vector} {value}, ptr {address}, i32 {align}, "
            f"{self._mask(lanes)})"
        )

    def _mask(self, lanes: int) -> str:
        bits = ", ".join(f"i1 {str(lane < lanes).lower()}" for lane in range(self.lanes))
        return f"<{self.lanes} x i1> <{bits}>"


def flops(contraction: Contraction) -> int:
    """Return the number of additions and multiplications."""
    lengths = (*contraction.stack, *contraction.rows, *contraction.inner, contraction.columns)
    return 2 * math.prod(lengths)
