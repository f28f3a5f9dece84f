"""Compiled schedules: what `jit` calls."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.backends.llvm.instance import Instance, host_results, native_results
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.module import Layout, write_module
from transforms.backends.llvm.profile import profile
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import FAILURE, Schedule, show
from transforms.backends.llvm.threads import get_threads
from transforms.graph.ir import Graph, Variable
from transforms.types import Array


class NativeExecutable:
    """A graph as machine code, with calls of NumPy between."""

    def __init__(self, graph: Graph) -> None:
        self.schedule = make_schedule(graph)
        self.layout = _lay_out(self.schedule)
        written = write_module(self.schedule, self.layout)
        self._text = "\n\n".join(written.modules)
        self._code = Code(written.modules)
        self._parts = self._code.parts(written)
        self._idle: list[Instance] = []

    def profile(self, *inputs: Array, calls: int = 10) -> str:
        """Return a table of the time that each step takes, from calls of a program that counts its cycles."""
        written = write_module(self.schedule, self.layout, timed=True)
        code = Code(written.modules)
        instance = Instance(self.schedule, self.layout, code, code.parts(written))
        return profile(written.timed, code.address("cycles"), code.stamp, lambda: instance.run(inputs), calls)

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program; what it returns is read-only."""
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = Instance(self.schedule, self.layout, self._code, self._parts)
        try:
            return instance.run(inputs)
        finally:
            self._idle.append(instance)

    def source(self) -> str:
        """Return the schedule, and the LLVM module that was made of it."""
        comment = "\n".join(f"; {line}" for line in show(self.schedule).splitlines())
        return f"{comment}\n\n{self._text}\n"


def compile_graph(graph: Graph) -> NativeExecutable:
    """Compile a graph."""
    return NativeExecutable(graph)


def _lay_out(schedule: Schedule) -> Layout:
    """Number the arrays: the arena, constants, inputs, results, what NumPy will give, and failures."""
    slots: dict[Variable, int] = {}
    given = (*(x for x, _ in schedule.constants), *schedule.inputs)
    for buffer in (*given, *native_results(schedule), *host_results(schedule), FAILURE):
        slots.setdefault(buffer, len(slots) + 1)
    return Layout(plan_memory(schedule, get_threads()), slots)
