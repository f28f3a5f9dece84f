"""Passes: functions from graphs to graphs that compute the same with less.

Each is one walk over the equations, so that a program's compilation stays linear in its length. Programs
that an equation carries (the step of a loop, a branch) are graphs of their own: a backend optimizes them
where it compiles them.
"""

from __future__ import annotations

from collections.abc import Callable

from transforms.graph.ir import Graph
from transforms.graph.passes.algebra import simplify as simplify
from transforms.graph.passes.common import share_common as share_common
from transforms.graph.passes.dead import remove_dead as remove_dead
from transforms.graph.passes.folding import fold_constants as fold_constants
from transforms.graph.passes.inline import inline_calls as inline_calls
from transforms.graph.passes.pieces import join_pieces as join_pieces
from transforms.graph.passes.products import turn_products as turn_products
from transforms.graph.passes.scatters import merge_scatters as merge_scatters

ORDER: tuple[Callable[[Graph], Graph], ...] = (
    inline_calls,
    remove_dead,
    turn_products,
    remove_dead,
    simplify,
    fold_constants,
    share_common,
    join_pieces,
    remove_dead,
    merge_scatters,
    remove_dead,
)
"""All passes, in an order in which each helps the next."""


def optimize(graph: Graph) -> Graph:
    """Apply all passes."""
    for apply in ORDER:
        graph = apply(graph)
    return graph
