"""From a graph to all that runs it: the stages in order, and what of them is kept."""

from __future__ import annotations

from typing import NamedTuple

from transforms.backends.llvm.heap import empty_free_lists
from transforms.backends.llvm.layout import Build, Layout, lay_out, outline
from transforms.backends.llvm.module import Segments, write_module
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import Schedule
from transforms.backends.llvm.translation import names_of, translated
from transforms.graph.ir import Graph
from transforms.graph.passes import optimize


class Stages(NamedTuple):
    """What a graph becomes.

    Attributes:
        schedule: its steps.
        layout: where they find their buffers.
        written: their code.
    """

    schedule: Schedule
    layout: Layout
    written: Segments


def stages(graph: Graph, donated: tuple[int, ...] = (), *, timed: bool = False) -> Stages:
    """Schedule a graph, and write its code; see `write_module` for a timed one."""
    optimized = optimize(graph)
    empty_free_lists()
    schedule = make_schedule(optimized, donated)
    del optimized
    empty_free_lists()
    layout = lay_out(schedule)
    return Stages(schedule, layout, write_module(schedule, layout, timed=timed))


def build(graph: Graph, donated: tuple[int, ...] = ()) -> Build:
    """Compile a graph; see `make_schedule` for what is donated."""
    schedule, layout, written = stages(graph, donated)
    return Build(
        *outline(schedule, layout), written.parts, translated(written.modules), names_of(written.modules)
    )
