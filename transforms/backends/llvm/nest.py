"""Loops around what is written inside of them, with offsets that move along strides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transforms.backends.llvm.writer import PLAIN_LOOP, Writer
from transforms.types import Shape


class Nest:
    """Writes loops into the body of a function.

    Attributes:
        writer: takes the instructions.
        block: the label of the block that is being written.
        height: how many loops are inside each other, of what was written since a loop began.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.block = "entry"
        self.height = 0
        self._count = 0

    def label(self, kind: str) -> str:
        """Return a new label."""
        self._count += 1
        return f"{kind}{self._count}"

    def begin(self, label: str) -> None:
        """Begin a block."""
        self.writer.label(label)
        self.block = label

    def loop(self, length: int | str, body: Callable[[str], None]) -> None:
        """Write a loop around what ``body`` writes, given the index; its length is at least 1."""

        def carrying_nothing(index: str, carried: list[str]) -> list[str]:
            body(index)
            return carried

        self.carry(length, "", [], carrying_nothing)

    def carry(
        self, length: int | str, kind: str, start: list[str], body: Callable[[str, list[str]], list[str]]
    ) -> list[str]:
        """Write a loop that carries values of a type from step to step; return the last ones.

        ``body`` gets the index and the values so far, and returns the next ones.
        """
        if length == 1:
            return body("0", start)
        writer, before, label = self.writer, self.block, self.label("loop")
        index = f"%{label}_i"
        writer.line(f"br label %{label}")
        self.begin(label)
        place = len(writer.lines)
        carried = [writer.name() for _ in start]
        beside, self.height = self.height, 0
        following = body(index, carried)
        # LLVM would copy what is inside of a short loop, which costs more time to compile than it saves.
        plain = PLAIN_LOOP if self.height else ""
        self.height = max(beside, self.height + 1)
        writer.lines[place:place] = [
            f"  {index} = phi i64 [0, %{before}], [{index}n, %{self.block}]",
            *(
                f"  {name} = phi {kind} [{first}, %{before}], [{value}, %{self.block}]"
                for name, first, value in zip(carried, start, following, strict=True)
            ),
        ]
        writer.line(f"{index}n = add nuw nsw i64 {index}, 1")
        writer.line(f"{index}c = icmp ult i64 {index}n, {length}")
        writer.line(f"br i1 {index}c, label %{label}, label %{label}_end{plain}")
        self.begin(f"{label}_end")
        return following

    def when(
        self, condition: str, kind: str, start: list[str], body: Callable[[list[str]], list[str]]
    ) -> list[str]:
        """Write what runs only if a condition holds; return the values that it gives, or those before it."""
        writer, before, label = self.writer, self.block, self.label("when")
        writer.line(f"br i1 {condition}, label %{label}, label %{label}_end")
        self.begin(label)
        following, inside = body(start), self.block
        writer.line(f"br label %{label}_end")
        self.begin(f"{label}_end")
        return [
            writer.emit(f"phi {kind} [{first}, %{before}], [{value}, %{inside}]")
            for first, value in zip(start, following, strict=True)
        ]

    def moved(self, offsets: Sequence[str], index: str, strides: Sequence[int]) -> list[str]:
        """Return offsets after a step of an index along strides."""
        moved = []
        for offset, stride in zip(offsets, strides, strict=True):
            if index == "0" or not stride:
                moved.append(offset)
                continue
            step = index if stride == 1 else self.writer.emit(f"mul nsw i64 {index}, {stride}")
            moved.append(step if offset == "0" else self.writer.emit(f"add nsw i64 {offset}, {step}"))
        return moved


def unit_indices(writer: Writer, lengths: Shape) -> list[str]:
    """Return the indices of the loops that a unit is one index of."""
    rest, indices = "%unit", []
    for length in lengths[:0:-1]:
        indices.append(writer.emit(f"urem i64 {rest}, {length}"))
        rest = writer.emit(f"udiv i64 {rest}, {length}")
    return [rest, *reversed(indices)] if lengths else []
