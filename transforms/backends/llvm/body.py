"""The bodies of the functions that call steps: where the buffers are, and loops."""

from __future__ import annotations

from transforms.backends.llvm.steps import FAILURE, Plan
from transforms.graph.ir import Variable

_ARENA = 0  # its place in the table


class Body:
    """The body of a function that calls steps.

    The buffers are found first, in a table of pointers or at pointers that are given, and in the arena.
    """

    def __init__(
        self,
        plan: Plan,
        slots: dict[Variable, int],
        pointers: dict[Variable, str] | None = None,
        scratch: str | None = None,
    ) -> None:
        self.plan = plan
        self.slots = slots
        self.pointers = dict(pointers or {})
        self.bases = {} if scratch is None else {_ARENA: scratch}
        self.preparations: list[str] = []
        self.lines: list[str] = []
        self.block = "entry"
        self.count = 0

    def text(self) -> str:
        """Return the body."""
        return "\n".join(["entry:", *self.preparations, *self.lines, "  ret void"])

    def add(self, text: str) -> None:
        """Add an instruction."""
        self.lines.append(f"  {text}")

    def new_label(self, kind: str) -> tuple[str, str]:
        """Return a new label, and that of the block so far."""
        self.count += 1
        return f"{kind}{self.count}", self.block

    def begin(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def pointer(self, buffer: Variable) -> str:
        """Return the address of a buffer's elements."""
        if buffer not in self.pointers:
            offset = self.plan.offsets.get(buffer)
            if offset is None:
                self.pointers[buffer] = self._base(self.slots[buffer])
            else:
                base = self._base(_ARENA)
                self.pointers[buffer] = self._prepare(f"getelementptr i8, ptr {base}, i64 {offset}")
        return self.pointers[buffer]

    def entry(self, buffer: Variable, index: str, length: int) -> str:
        """Return the address of an entry of a stack."""
        size = buffer.type.size // length * buffer.type.dtype.itemsize
        label, _ = self.new_label("%entry")
        self.add(f"{label}_o = mul i64 {index}, {size}")
        self.add(f"{label} = getelementptr i8, ptr {self.pointer(buffer)}, i64 {label}_o")
        return label

    def failed(self) -> str:
        """Return the length of the axis for which an index was out of range; -1 if there was none."""
        label, _ = self.new_label("%failed")
        self.add(f"{label}_p = getelementptr i64, ptr {self.pointer(FAILURE)}, i64 1")
        self.add(f"{label} = load i64, ptr {label}_p")
        return label

    def context(self, pointers: list[str]) -> str:
        """Return the address of an array of pointers."""
        array = self._prepare(f"alloca [{len(pointers)} x ptr]")
        for place, pointer in enumerate(pointers):
            label, _ = self.new_label("%context")
            self.add(f"{label} = getelementptr ptr, ptr {array}, i64 {place}")
            self.add(f"store ptr {pointer}, ptr {label}")
        return array

    def open_loop(self) -> tuple[str, str]:
        """Begin a loop that ends at `close_loop`; return its index and its label."""
        label, before = self.new_label("stack")
        self.add(f"br label %{label}")
        self.begin(label)
        self.add(f"%{label}_i = phi i64 [0, %{before}], [%{label}_n, %{label}_last]")
        return f"%{label}_i", label

    def close_loop(self, label: str, length: int) -> None:
        """End a loop."""
        self.add(f"br label %{label}_last")
        self.begin(f"{label}_last")
        self.add(f"%{label}_n = add i64 %{label}_i, 1")
        self.add(f"%{label}_c = icmp ult i64 %{label}_n, {length}")
        self.add(f"br i1 %{label}_c, label %{label}, label %{label}_end")
        self.begin(f"{label}_end")

    def _base(self, slot: int) -> str:
        if slot not in self.bases:
            entry = self._prepare(f"getelementptr ptr, ptr %table, i64 {slot}")
            self.bases[slot] = self._prepare(f"load ptr, ptr {entry}")
        return self.bases[slot]

    def _prepare(self, text: str) -> str:
        self.count += 1
        name = f"%p{self.count}"
        self.preparations.append(f"  {name} = {text}")
        return name
