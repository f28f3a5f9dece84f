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
from transforms.backends.llvm.steps import Contraction, Diagonal
from transforms.backends.llvm.tiling import arranged, panels, split_inner, tile_rows
from transforms.backends.llvm.views import contiguous_strides
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

    Offsets are those of the left operand, the right one and the result, and then the row, the column and the
    index of the sum; the last three stay 0 if nothing depends on them.
    """

    def __init__(self, contraction: Contraction, processor: Processor) -> None:
        self.contraction = contraction
        self.registers = processor.vector_registers
        self.lanes = max(processor.vector_bytes // contraction.dtype.itemsize, 1)
        self.kind = register_type(contraction.dtype)
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.writer = Writer()
        self.nest = Nest(self.writer)
        # The index of each axis of stack and rows that a unit is one index of.
        self.units: dict[int, str] = {}
        stacked, rows = len(contraction.stack), len(contraction.rows)
        left = contraction.left.strides
        self.left_rows, self.left_inner = left[stacked : stacked + rows], left[stacked + rows :]
        self.right_inner = contraction.right.strides[stacked:-1]
        self.out_rows = contraction.out.strides[stacked:-1]
        # A tile needs to know where it is only if that says what it has to do.
        self.is_near = contraction.wanted is not None or contraction.nonzero is not None
        self.row_steps = contiguous_strides(contraction.rows) if self.is_near else (0,) * rows
        self.spoils = "false"  # whether zeros times what a panel has of the right operand are not all zeros
        self.panels = panels(contraction.columns, self.lanes, is_near=contraction.wanted is not None)
        width = self.panels[0][1]
        steps = [self.left_inner[-1:], self.right_inner[-1:]]
        distances = [min(abs(x[0]) * contraction.dtype.itemsize, _PAGE) if x else 0 for x in steps]
        self.parts = split_inner(
            contraction.inner, max(min(_PANEL // max(width, 1), _PAGES * _PAGE // max(sum(distances), 1)), 64)
        )

    def write(self) -> Function:
        """Return the function."""
        contraction = self.contraction
        operands = (contraction.left, contraction.right, contraction.out)
        offsets = [*(str(x.offset) for x in operands), "0", "0", "0"]
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
        strides += [0, 0, 0]

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
        summed = within if self.contraction.nonzero else 0
        strides = (self.left_inner[axis] * within, self.right_inner[axis] * within, 0, 0, 0, summed)

        def body(index: str) -> None:
            following = sweep
            if outside > 1:
                (scaled,) = self.nest.moved(["0"], sweep, [outside]) if sweep != "0" else ["0"]
                (following,) = self.nest.moved([scaled], index, [1])
            self._sweeps(axis + 1, self.nest.moved(offsets, index, strides), following, length * outside)

        self.nest.loop(outside, body)

    def _panels(self, offsets: Sequence[str], sweep: str | None) -> None:
        by_width: dict[int, list[int]] = {}
        for start, width in self.panels:
            by_width.setdefault(width, []).append(start)
        steps = (0, 1, 1, 0, int(self.contraction.wanted is not None), 0)
        for width, starts in by_width.items():

            def body(index: str, width: int = width, first: int = starts[0]) -> None:
                (column,) = self.nest.moved([str(first)], index, [width])
                moved = self.nest.moved(offsets, column, steps)
                if self.contraction.nonzero is not None:
                    self.spoils = self._spoils(moved[1], width)
                self._rows(0, moved, width, sweep)

            self.nest.loop(len(starts), body)

    def _rows(self, axis: int, offsets: Sequence[str], width: int, sweep: str | None) -> None:
        rows = self.contraction.rows
        strides = (self.left_rows[axis], 0, self.out_rows[axis], self.row_steps[axis], 0, 0)
        if axis < len(rows) - 1:
            self._unit_or_loop(
                len(self.contraction.stack) + axis,
                rows[axis],
                lambda index: self._rows(axis + 1, self.nest.moved(offsets, index, strides), width, sweep),
            )
            return
        vectors = -(-width // self.lanes)
        count = tile_rows(rows[-1], vectors, self.registers, is_near=self.is_near)
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
        """Write a tile, if anything wants it, given which one along the rows it is."""

        def body(carried: list[str]) -> list[str]:
            self._wanted_tile(tile, offsets, width, sweep, index)
            return carried

        if self.contraction.wanted is None:
            body([])
        else:
            self.nest.when(self._is_wanted(self.contraction.wanted, tile, offsets, width), "", [], body)

    def _is_wanted(self, wanted: Diagonal, tile: Tile, offsets: Sequence[str], width: int) -> str:
        """Write whether any element of a tile is among the wanted ones."""
        difference = self.writer.emit(
            f"sub nsw i64 {offsets[4]}, {offsets[3]}"
        )  # of the first row and column
        is_before = f"icmp sle i64 {difference}, {wanted.last + tile.rows - 1}"
        is_behind = f"icmp sge i64 {difference}, {wanted.first - width + 1}"
        return self.writer.emit(f"and i1 {self.writer.emit(is_before)}, {self.writer.emit(is_behind)}")

    def _wanted_tile(
        self, tile: Tile, offsets: Sequence[str], width: int, sweep: str | None, index: str
    ) -> None:
        out = offsets[2]
        places = [
            self._address("%out", out, row * self.out_rows[-1] + vector * self.lanes)
            for row in range(tile.rows)
            for vector in range(tile.vectors)
        ]
        sums = self._start(tile, places, width, sweep)
        if self.contraction.nonzero is None:
            sums = self._inner(0, tile, offsets[:2], self._ahead(tile, index), sums, width)
        else:
            sums = self._near(self.contraction.nonzero, tile, offsets, self._ahead(tile, index), sums, width)
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

    def _near(
        self,
        nonzero: Diagonal,
        tile: Tile,
        offsets: Sequence[str],
        ahead: list[tuple[str, str]],
        sums: list[str],
        width: int,
    ) -> list[str]:
        """Write the inner loop over what is not 0 of the left operand, and those before and behind it."""
        (_, within), rows = self.parts[0], math.prod(self.contraction.rows)
        distance = self.writer.emit(f"sub nsw i64 {offsets[3]}, {offsets[5]}")
        strides = (self.left_inner[0], self.right_inner[0])
        first, stop = "0", str(within)
        if nonzero.first > 1 - rows:
            first = self._between(distance, nonzero.first, 0, within - 1)
            sums = self._zeros(tile, offsets[1], first, sums, width)
        if nonzero.last < math.prod(self.contraction.inner) - 1:
            stop = self._between(distance, nonzero.last + tile.rows, 1, within)
            (behind,) = self.nest.moved(offsets[1:2], stop, strides[1:])
            sums = self._zeros(tile, behind, self.writer.emit(f"sub nsw i64 {within}, {stop}"), sums, width)
        start = self.nest.moved(offsets[:2], first, strides)
        return self.nest.carry(
            self.writer.emit(f"sub nsw i64 {stop}, {first}"),
            self.vector,
            sums,
            lambda index, carried: self._inner(
                1, tile, self.nest.moved(start, index, strides), ahead, carried, width
            ),
        )

    def _between(self, x: str, added: int, least: int, most: int) -> str:
        """Write a sum, or the nearest number between two."""
        total = self.writer.emit(f"add nsw i64 {x}, {added}")
        raised = self.writer.call("llvm.smax.i64", "i64", ("i64", total), ("i64", str(least)))
        return self.writer.call("llvm.smin.i64", "i64", ("i64", raised), ("i64", str(most)))

    def _spoils(self, right: str, width: int) -> str:
        """Write whether an element of the right operand is not finite, of those of a panel and a sweep."""
        count = -(-width // self.lanes)
        totals = self._times_zero(right, str(self.parts[0][1]), count, width)
        while len(totals) > 1:
            totals = [*totals[2:], self.writer.emit(f"fadd {self.vector} {totals[0]}, {totals[1]}")]
        are_nan = self.writer.emit(f"fcmp uno {self.vector} {totals[0]}, zeroinitializer")
        booleans = f"<{self.lanes} x i1>"
        return self.writer.call(f"llvm.vector.reduce.or.v{self.lanes}i1", "i1", (booleans, are_nan))

    def _zeros(self, tile: Tile, right: str, length: str, sums: list[str], width: int) -> list[str]:
        """Add zeros times so many elements of the right operand, which is NaN if one of these is not finite.

        They are the same for all rows of a tile, so that they are added up once.
        """

        def body(so_far: list[str]) -> list[str]:
            totals = self._times_zero(right, length, tile.vectors, width)
            return [
                self.writer.emit(f"fadd {self.vector} {x}, {totals[i % tile.vectors]}")
                for i, x in enumerate(so_far)
            ]

        is_some = self.writer.emit(f"icmp ne i64 {length}, 0")
        condition = self.writer.emit(f"and i1 {is_some}, {self.spoils}")
        return self.nest.when(condition, self.vector, sums, body)

    def _times_zero(self, right: str, length: str, vectors: int, width: int) -> list[str]:
        """Write the sums of zeros times elements of the right operand, whose number is 1 at least."""

        def body(index: str, carried: list[str]) -> list[str]:
            (offset,) = self.nest.moved([right], index, self.right_inner)
            return self._added("zeroinitializer", self._vectors(vectors, offset, width), carried)

        return self.nest.carry(length, self.vector, ["zeroinitializer"] * vectors, body)

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
        vectors = self._vectors(tile.vectors, right, width)
        totals = []
        for row in range(tile.rows):
            address = self._address("%left", left, row * self.left_rows[-1])
            element = self.writer.emit(f"load {self.kind}, ptr {address}")
            so_far = sums[row * tile.vectors : (row + 1) * tile.vectors]
            totals += self._added(self._spread(element), vectors, so_far)
        return totals

    def _vectors(self, count: int, right: str, width: int) -> list[str]:
        """Load what the right operand has for the columns of a panel."""
        return [
            self._load(self._address("%right", right, n * self.lanes), self._lanes_of(n, width))
            for n in range(count)
        ]

    def _added(self, factor: str, vectors: Sequence[str], sums: Sequence[str]) -> list[str]:
        """Return sums after a factor times vectors is added to them."""
        function = f"llvm.fmuladd.v{self.lanes}f{8 * self.contraction.dtype.itemsize}"
        return [
            self.writer.call(function, self.vector, *((self.vector, x) for x in (factor, vector, so_far)))
            for vector, so_far in zip(vectors, sums, strict=True)
        ]

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
    """Return the number of additions and multiplications, without those that nothing wants or of zeros."""
    rows, inner = math.prod(contraction.rows), math.prod(contraction.inner)
    columns = contraction.columns
    if contraction.wanted is not None:
        summed = contraction.wanted.size(rows, columns) * inner
    elif contraction.nonzero is not None:
        summed = contraction.nonzero.size(rows, inner) * columns
    else:
        summed = rows * inner * columns
    return 2 * math.prod(contraction.stack) * summed
