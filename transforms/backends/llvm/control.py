"""The text of branches and of loops with a condition, which call functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transforms.backends.llvm.body import Body
from transforms.backends.llvm.steps import FAILURE, RepeatWhile, Switch
from transforms.graph.ir import Variable

COPY = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
"""The declaration of what copies the first or the last carry of a loop."""


class Callee(NamedTuple):
    """A function of a program.

    Attributes:
        name: in LLVM.
        constants: whose addresses it takes after scratch, inputs and outputs, and before that of a failure.
    """

    name: str
    constants: tuple[Variable, ...]

    def call(self, lines: Body, scratch: str, pointers: Sequence[str]) -> str:
        """Return the call, given the addresses of inputs and outputs."""
        known = (lines.pointer(x) for x in (*self.constants, FAILURE))
        return f"call void {self.name}({', '.join(f'ptr {x}' for x in (scratch, *pointers, *known))})"


def write_switch(lines: Body, step: Switch, callees: Sequence[Callee]) -> None:
    """Write the call of one of several functions; a number that none has means the last."""
    label, _ = lines.new_label("switch")
    scratch = lines.pointer(step.scratch)
    pointers = [lines.pointer(x) for x in (*step.operands, *step.results)]
    bits = 8 * step.chosen.type.dtype.itemsize
    lines.add(f"%{label}_i = load i{bits}, ptr {lines.pointer(step.chosen)}")
    cases = " ".join(f"i{bits} {i}, label %{label}_{i}" for i in range(len(callees) - 1))
    lines.add(f"switch i{bits} %{label}_i, label %{label}_{len(callees) - 1} [{cases}]")
    for i, callee in enumerate(callees):
        lines.begin(f"{label}_{i}")
        lines.add(callee.call(lines, scratch, pointers))
        lines.add(f"br label %{label}_end")
    lines.begin(f"{label}_end")


def write_while(lines: Body, loop: RepeatWhile, condition: Callee, step: Callee) -> None:
    """Write a loop whose carry alternates between two buffers, and is copied if it ends in the wrong one.

    A bad index ends the loop: what follows of it might never do.
    """
    label, before = lines.new_label("while")
    scratch, flag = lines.pointer(loop.scratch), lines.pointer(loop.flag)
    starts, homes, others = (
        [lines.pointer(x) for x in group] for group in (loop.start, loop.carried, loop.others)
    )
    sources = [f"%{label}_s{i}" for i in range(len(starts))]
    targets = [f"%{label}_t{i}" for i in range(len(starts))]
    lines.add(f"br label %{label}")
    lines.begin(label)
    for i, (source, target) in enumerate(zip(sources, targets, strict=True)):
        lines.add(f"{source} = phi ptr [{starts[i]}, %{before}], [{target}, %{label}_step]")
        lines.add(f"{target} = phi ptr [{homes[i]}, %{before}], [%{label}_u{i}, %{label}_step]")
    read = [*(lines.pointer(x) for x in loop.condition_consts), *sources, flag]
    lines.add(condition.call(lines, scratch, read))
    lines.add(f"%{label}_f = load i8, ptr {flag}")
    lines.add(f"%{label}_g = icmp ne i8 %{label}_f, 0")
    lines.add(f"%{label}_w = icmp slt i64 {lines.failed()}, 0")
    lines.add(f"%{label}_c = and i1 %{label}_g, %{label}_w")
    lines.add(f"br i1 %{label}_c, label %{label}_step, label %{label}_end")
    lines.begin(f"{label}_step")
    lines.add(step.call(lines, scratch, [*(lines.pointer(x) for x in loop.consts), *sources, *targets]))
    for i, target in enumerate(targets):
        lines.add(f"%{label}_e{i} = icmp eq ptr {target}, {homes[i]}")
        lines.add(f"%{label}_u{i} = select i1 %{label}_e{i}, ptr {others[i]}, ptr {homes[i]}")
    lines.add(f"br label %{label}")
    lines.begin(f"{label}_end")
    for i, (source, buffer) in enumerate(zip(sources, loop.carried, strict=True)):
        lines.add(f"%{label}_h{i} = icmp eq ptr {source}, {homes[i]}")
        lines.add(f"%{label}_z{i} = select i1 %{label}_h{i}, i64 0, i64 {size_of(buffer)}")
        write_copy(lines, homes[i], source, f"%{label}_z{i}")


def write_copy(lines: Body, target: str, source: str, size: str) -> None:
    """Write the copy of so many bytes; `COPY` is to be declared."""
    lines.add(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")


def size_of(buffer: Variable) -> int:
    """Return the bytes of a buffer."""
    return buffer.type.size * buffer.type.dtype.itemsize
