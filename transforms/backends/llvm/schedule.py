"""From a graph to a schedule."""

from __future__ import annotations

from transforms.backends.llvm import rules as rules
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Schedule
from transforms.graph.ir import Graph


def make_schedule(graph: Graph, donated: tuple[int, ...] = ()) -> Schedule:
    """Return the schedule of a graph, by the rules of all primitives.

    Args:
        graph: what to compute.
        donated: positions of inputs that results may be written over.
    """
    return Scheduler(graph, donated=donated).run()
