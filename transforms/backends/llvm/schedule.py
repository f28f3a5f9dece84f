"""From a graph to a schedule."""

from __future__ import annotations

from transforms.backends.llvm import rules as rules
from transforms.backends.llvm.order import in_late_order, in_order
from transforms.backends.llvm.recomputation import recompute
from transforms.backends.llvm.scheduler import Scheduler
from transforms.backends.llvm.steps import Schedule
from transforms.graph.ir import Graph


def make_schedule(graph: Graph, donated: tuple[int, ...] = ()) -> Schedule:
    """Return the schedule of a graph, by the rules of all primitives.

    Args:
        graph: what to compute.
        donated: positions of inputs that results may be written over.
    """
    ordered = in_late_order(*recompute(in_order(graph)))
    return Scheduler(ordered.graph, ordered.late, donated=donated).run()
