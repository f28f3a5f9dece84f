"""Compiled schedules: what `jit` calls."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.backends.llvm.instance import Instance, host_results, native_results
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.module import Layout, write_module
from transforms.backends.llvm.profile import profile
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import FAILURE, Schedule, show
from transforms.backends.llvm.threads import get_threads
from transforms.backends.placement import Placement
from transforms.graph.ir import Graph, Variable
from transforms.graph.stage import stage_flat
from transforms.types import Array


class NativeExecutable:
    """A graph as machine code, with calls of NumPy between.

    Args:
        graph: what to compute.
        donated: positions of inputs that results may be written over.
    """

    def __init__(self, graph: Graph, donated: tuple[int, ...] = ()) -> None:
        self.schedule = make_schedule(graph, donated)
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
        # What is donated changes with each call: so not the caller's arrays.
        copied = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        arrays = copied if self.schedule.donated else inputs
        address, call = code.address("cycles"), functools.partial(instance.run, arrays)
        return profile(written.timed, address, code.stamp, call, calls, _ceilings())

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the program; what it returns is read-only."""
        instance = self._instance()
        try:
            return instance.run(inputs)
        finally:
            self._idle.append(instance)

    def attempt(self, inputs: list[Any]) -> Sequence[Array] | None:
        """Run the program on anything; None if that is not arrays and scalars of just its inputs' types.

        To find that out takes less time here than in Python.
        """
        instance = self._instance()
        try:
            return instance.attempt(inputs)
        finally:
            self._idle.append(instance)

    def _instance(self) -> Instance:
        try:
            return self._idle.pop()
        except IndexError:
            return Instance(self.schedule, self.layout, self._code, self._parts)

    def source(self) -> str:
        """Return the schedule, and the LLVM module that was made of it."""
        comment = "\n".join(f"; {line}" for line in show(self.schedule).splitlines())
        return f"{comment}\n\n{self._text}\n"


def compile_graph(graph: Graph, placement: Placement | None = None) -> NativeExecutable:
    """Compile a graph; of a placement only matters what is donated."""
    return NativeExecutable(graph, placement.donated if placement else ())


@functools.cache
def _ceilings() -> tuple[float, float]:
    """Measure the bytes a second that go through memory, and the operations a second of a large product."""
    square = np.ones((1024, 1024), np.float32)
    long = np.ones(1 << 24, np.float32)
    copy = NativeExecutable(stage_flat(lambda x: [x * 2.0], [long]))
    product = NativeExecutable(stage_flat(lambda x, y: [x @ y], [square, square]))
    return (
        2 * long.nbytes / _shortest(lambda: copy(long)),
        2 * 1024**3 / _shortest(lambda: product(square, square)),
    )


def _shortest(call: Callable[[], object]) -> float:
    """Return the shortest time of some calls, in seconds."""
    times = []
    for _ in range(6):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _lay_out(schedule: Schedule) -> Layout:
    """Number the arrays: the arena, constants, inputs, results, what NumPy will give, and failures."""
    slots: dict[Variable, int] = {}
    given = (*(x for x, _ in schedule.constants), *schedule.inputs)
    for buffer in (*given, *native_results(schedule), *host_results(schedule), FAILURE):
        slots.setdefault(buffer, len(slots) + 1)
    return Layout(plan_memory(schedule, get_threads()), slots)
