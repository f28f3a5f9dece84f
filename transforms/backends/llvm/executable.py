"""Compiled schedules: what `jit` calls."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from transforms.backends.llvm import archive
from transforms.backends.llvm.instance import Instance
from transforms.backends.llvm.layout import Build
from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.translation import translated
from transforms.backends.placement import Placement
from transforms.graph.ir import Graph
from transforms.graph.stage import stage_flat
from transforms.lazy import lazy_module
from transforms.types import Array

# A program that is on disk needs none of them.
building = lazy_module("transforms.backends.llvm.building")
listing = lazy_module("transforms.backends.llvm.listing")
profiling = lazy_module("transforms.backends.llvm.profile")


class NativeExecutable:
    """A graph as machine code, with calls of NumPy between.

    Args:
        graph: what to compute.
        donated: positions of inputs that results may be written over.
    """

    def __init__(self, graph: Graph, donated: tuple[int, ...] = ()) -> None:
        self._graph = graph
        self._donated = donated
        self._new_instance = _instances(_known(graph, donated))
        self._idle: list[Instance] = []

    def profile(self, *inputs: Array, calls: int = 10) -> str:
        """Return a table of the time that each step takes, from calls of a program that counts its cycles."""
        timed = building.stages(self._graph, self._donated, timed=True)
        code = Code(translated(timed.written.modules))
        instance = Instance(timed.schedule, timed.layout, code, code.parts(timed.written.parts))
        # What is donated changes with each call: so not the caller's arrays.
        copied = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
        arrays = copied if timed.schedule.donated else inputs
        address, call = code.address("cycles"), functools.partial(instance.run, arrays)
        table: str = profiling.profile(timed.written.timed, address, code.stamp, call, calls, _ceilings())
        return table

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
            return self._new_instance()

    def source(self) -> str:
        """Return the schedule, and the LLVM module that was made of it."""
        made = building.stages(self._graph, self._donated)
        comment = "\n".join(f"; {line}" for line in listing.show(made.schedule).splitlines())
        return "\n\n".join([comment, *made.written.modules]) + "\n"


def _known(graph: Graph, donated: tuple[int, ...]) -> Build:
    """Return the build of a graph: from disk, or a new one."""
    key = archive.key_of(graph, donated)
    found = None if key is None else archive.load(key, graph)
    if found is not None:
        return found
    made: Build = building.build(graph, donated)
    if key is not None:
        archive.keep(key, graph, made)
    return made


def _instances(build: Build) -> Callable[[], Instance]:
    """Return what makes instances of a program, which share its code."""
    code = Code(build.objects)
    return functools.partial(Instance, build.schedule, build.layout, code, code.parts(build.parts))


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
