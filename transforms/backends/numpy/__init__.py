"""The reference backend: runs a graph as NumPy calls."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.graph.ir import Graph, show
from transforms.graph.stage import evaluate
from transforms.types import Array


class Interpreter:
    """Runs a graph, one equation after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        """Run the graph."""
        return evaluate(self.graph, *inputs)

    def source(self) -> str:
        """Return the graph as text."""
        return show(self.graph)


def compile(graph: Graph) -> Interpreter:
    """Compile a graph."""
    return Interpreter(graph)
